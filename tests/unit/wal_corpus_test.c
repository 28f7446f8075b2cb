/* wal_corpus_test.c -- the seeds of fuzz/corpus/log_replay are what the format makes today. */

#include "fuzz_seed.h"
#include "wal_support.h"

#include "base/coding.h"
#include "format/log_header.h"

#include <string.h>

enum { SEED_BYTES = 2048, PLAN_BYTES = 11, LOG_BYTES = 640, TWO_LOGS = 1, REPAIR = 2, END_1 = 4, RENUMBER = 16 };

struct seed {
    uint8_t bytes[SEED_BYTES];
    size_t size;
    uint64_t next_record;
};

static void seed_init(struct seed *seed, unsigned flags, uint8_t durable_record)
{
    memset(seed, 0, sizeof *seed);
    seed->bytes[0] = (uint8_t)flags;
    seed->bytes[1] = durable_record;
    seed->size = PLAN_BYTES;
    seed->next_record = 1;
}

/* Add a log of records, each written when the one two before it was durable. Returns where it begins in the seed. */
static size_t seed_add_log(struct seed *seed, uint64_t number, unsigned records, size_t *end_bytes)
{
    uint8_t *log = seed->bytes + seed->size;
    size_t at = LOG_HEADER_BYTES;
    struct log_header header = {.identity = {.type = FILE_LOG, .number = number, .file_id = number * 1000},
                                .preallocated_bytes = LOG_BYTES};
    memcpy(header.identity.uuid, "fuzz log replay", FILE_UUID_BYTES);
    log_header_encode(log, &header);
    for (unsigned i = 0; i < records; i++, seed->next_record++) {
        uint64_t record = seed->next_record;
        at += wal_put_record(log + at, record, record > 2 ? record - 2 : 0, record * 2, number * 1000, at);
    }
    assert_true(at <= LOG_BYTES);
    size_t begin = seed->size;
    seed->size += LOG_BYTES;
    *end_bytes = at;
    return begin;
}

static void seed_two_logs(struct seed *seed, unsigned flags, uint8_t durable_record)
{
    size_t end_bytes, end_2;
    seed_init(seed, flags | TWO_LOGS, durable_record);
    seed_add_log(seed, 1, 3, &end_bytes);
    seed->bytes[2] = (uint8_t)seed->next_record;
    seed->bytes[3] = (uint8_t)(seed->next_record - 1);
    coding_put_u16(seed->bytes + 5, (uint16_t)(end_bytes / 8));
    coding_put_u16(seed->bytes + 9, LOG_BYTES);
    seed_add_log(seed, 2, 3, &end_2);
}

static void check_seed(const char *name, const struct seed *seed)
{
    fuzz_seed_check("log_replay", name, seed->bytes, seed->size);
}

/* The fuzzer starts inside replay, not at its first checksum. */
static void wal_corpus_seeds_are_of_this_format(void **state)
{
    (void)state;
    struct seed seed;
    size_t end_bytes;

    seed_init(&seed, 0, 0);
    size_t log = seed_add_log(&seed, 1, 4, &end_bytes);
    check_seed("seed_one_log", &seed);
    seed.bytes[log + end_bytes - 1] ^= 1;
    seed.bytes[log + end_bytes - 9] ^= 1;
    check_seed("seed_torn_tail", &seed);
    seed.bytes[log + LOG_HEADER_BYTES] ^= 1;
    check_seed("seed_damaged", &seed);

    seed_two_logs(&seed, 0, 6);
    check_seed("seed_two_logs", &seed);
    seed_two_logs(&seed, END_1, 0);
    check_seed("seed_listed_end", &seed);
    seed_two_logs(&seed, REPAIR, 0);
    check_seed("seed_repaired", &seed);
    seed_two_logs(&seed, REPAIR | RENUMBER | END_1, 0);
    check_seed("seed_renumbered", &seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wal_corpus_seeds_are_of_this_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
