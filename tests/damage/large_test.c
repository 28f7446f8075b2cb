/* large_test.c -- random damage of a database of some megabytes: repaired, it opens, verifies, and shows nothing that was never written.
 *
 * Too large for every byte, and large enough for many segments, levels, index blocks of more than one piece and blocks that are resynchronised. KVS_SOAK_MINUTES
 * says how long; without it a few seconds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/db.h"
#include "io/io_mem.h"
#include "repair/repair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FOLDER "/db"

enum { WHAT_BYTES = 256 };

enum { KEYS = 8000, ROUNDS = 3, KEY_BYTES = 16, VALUE_BYTES = 128, QUICK_DAMAGES = 20, FILES_MAX = 256 };

/* As many commits as fit two zeroed pages: at the very end of the last log they look as if they had never been written (README.md, "What no log can tell"). */
enum { UNTOLD_MAX = 2 * 4096 / 64 };

static uint64_t next_random(uint64_t *state)
{
    return *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
}

static uint64_t draw(uint64_t *state, uint64_t below)
{
    return (next_random(state) >> 24) % below;
}

static void must(struct kvs_status status)
{
    if (!status_is_ok(status))
        fail_msg("%s", status_text(status));
}

static struct kvs_slice key_text(char out[KEY_BYTES], unsigned key)
{
    return slice_of(out, (size_t)snprintf(out, KEY_BYTES, "key%06u", key));
}

/* A value tells its key and round; its length varies. */
static struct kvs_slice value_text(char out[VALUE_BYTES], unsigned key, unsigned round)
{
    return slice_of(out, (size_t)snprintf(out, VALUE_BYTES, "key %u round %u %.*s", key, round, (int)(key % 60),
                                          "some text that compresses a little, some text that does not"));
}

static struct kvs_options options_of(unsigned round)
{
    struct kvs_options options;
    kvs_options_default(&options);
    options.memory_bytes = 8 << 20;
    options.memtable_bytes = 128 << 10;
    options.segment_bytes = 64 << 10;
    options.level_base_bytes = 256 << 10;
    options.block_bytes = round == 0 ? 1024 : 4096;
    options.compression = round == 1 ? KVS_COMPRESSION_NONE : KVS_COMPRESSION_ZSTD;
    return options;
}

/* Every key in every round, each round with other options. The last process is killed. */
static struct io_mem *make_disk(void)
{
    struct io_mem *mem = io_mem_new(7, NULL), *killed = NULL;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct kvs_db *db;
        struct kvs_options options = options_of(round);
        must(db_open(&db, io_mem_as_io(mem), FOLDER, &options));
        for (unsigned i = 0; i < KEYS; i++) {
            char key[KEY_BYTES], value[VALUE_BYTES];
            unsigned number = (unsigned)((uint64_t)i * 7919 % KEYS);
            must(kvs_put(db, key_text(key, number), value_text(value, number, round), NULL));
        }
        if (round + 1 == ROUNDS)
            killed = io_mem_clone_after_kill(mem);
        must(kvs_close(db));
    }
    io_mem_free(mem);
    assert_non_null(killed);
    return killed;
}

struct names {
    char paths[FILES_MAX][64];
    size_t count;
};

static bool note_file(void *context, const char *path)
{
    struct names *names = context;
    if (strncmp(path, FOLDER "/", 4) == 0 && strstr(path, "lost") == NULL && strstr(path, "LOCK") == NULL &&
        names->count < FILES_MAX)
        snprintf(names->paths[names->count++], sizeof names->paths[0], "%s", path);
    return true;
}

/* Damage one place of one file, and add it to what. */
static void damage_somewhere(struct io_mem *mem, uint64_t *random, char what[WHAT_BYTES])
{
    static const char zeros[4096];
    struct names names = {.count = 0};
    size_t size;
    io_mem_visit(mem, note_file, &names);
    const char *path = names.paths[draw(random, names.count)];
    uint8_t *bytes = io_mem_copy_file(mem, &size, path);
    uint64_t at = draw(random, size + (size == 0)); /* a segment that was being begun is empty */
    unsigned kind = size == 0 ? 3 : (unsigned)draw(random, 4);
    size_t run = kind == 1 ? 512 : kind == 2 ? 4096 : 1;
    size_t told = strlen(what);
    snprintf(what + told, WHAT_BYTES - told, "%sdamage %u at %llu of %s", told == 0 ? "" : ", ", kind,
             (unsigned long long)at, path);
    if (kind == 3)
        assert_true(io_mem_resize(mem, path, at));
    else if (kind == 0)
        bytes[at] ^= 1u << draw(random, 8);
    if (kind == 0)
        assert_true(io_mem_damage(mem, path, bytes + at, 1, at));
    else if (kind != 3)
        assert_true(io_mem_damage(mem, path, zeros, size - at < run ? size - at : run, at));
    free(bytes);
}

/* Every value that is shown was written once, and, unless anything is lost, is the last one. Returns how many keys are not as they were. */
static unsigned read_all(struct kvs_db *db, bool nothing_is_lost, const char *what)
{
    struct kvs_iterator *iterator;
    unsigned right = 0;
    must(kvs_iterator_new(&iterator, db, NULL));
    for (kvs_iterator_first(iterator); kvs_iterator_valid(iterator); kvs_iterator_next(iterator)) {
        char key[KEY_BYTES], value[VALUE_BYTES];
        unsigned number = 0, round = ROUNDS;
        struct kvs_slice shown = kvs_iterator_value(iterator);
        snprintf(value, sizeof value, "%.*s", (int)shown.size, (const char *)shown.data);
        if (sscanf(value, "key %u round %u", &number, &round) != 2 || number >= KEYS || round >= ROUNDS ||
            !slice_equal(kvs_iterator_key(iterator), key_text(key, number)) ||
            !slice_equal(shown, value_text(value, number, round)))
            fail_msg("%s: a value that was never written", what);
        right += round + 1 == ROUNDS;
    }
    if (!status_is_ok(kvs_iterator_status(iterator)))
        fail_msg("%s: a scan failed: %s", what, status_text(kvs_iterator_status(iterator)));
    kvs_iterator_free(iterator);
    if (nothing_is_lost && right + UNTOLD_MAX < KEYS)
        fail_msg("%s: %u of %d keys are not what they were, and the plan did not tell", what, KEYS - right, KEYS);
    return KEYS - right;
}

static void open_and_read(struct io_mem *mem, const char *folder, bool nothing_is_lost, const char *what)
{
    struct kvs_db *db;
    struct kvs_options options = options_of(0);
    struct kvs_status status = db_open(&db, io_mem_as_io(mem), folder, &options);
    if (!status_is_ok(status))
        fail_msg("%s: %s", what, status_text(status));
    read_all(db, nothing_is_lost, what);
    must(kvs_verify(db, NULL, NULL));
    must(kvs_close(db));
}

static void repair_and_read(struct io_mem *mem, bool salvages, const char *what)
{
    struct repair *repair;
    must(repair_survey(&repair, io_mem_as_io(mem), FOLDER, salvages));
    bool nothing_is_lost = !repair_report_has_loss(repair_report_of(repair));
    must(salvages ? repair_salvage(repair, "/new") : repair_apply(repair));
    repair_free(repair);
    open_and_read(mem, salvages ? "/new" : FOLDER, nothing_is_lost, what);
}

/* What was damaged is either noticed by an open or a verification, or is nothing. */
static void damage_and_repair(struct io_mem *sound, uint64_t seed)
{
    char what[WHAT_BYTES] = "";
    struct io_mem *mem = io_mem_clone_after_kill(sound);
    assert_non_null(mem);
    damage_somewhere(mem, &seed, what);
    if (draw(&seed, 3) == 0)
        damage_somewhere(mem, &seed, what);
    repair_and_read(mem, draw(&seed, 2) == 0, what);
    io_mem_free(mem);
}

/* A repair of a database of any size would lose or invent something that small ones do not show. */
static void damage_at_random_of_a_large_database_is_repaired(void **state)
{
    (void)state;
    const char *minutes = getenv("KVS_SOAK_MINUTES");
    time_t end = minutes == NULL ? 0 : time(NULL) + 60 * strtol(minutes, NULL, 10);
    struct io_mem *sound = make_disk();
    uint64_t seed = 1;
    for (; end == 0 ? seed <= QUICK_DAMAGES : time(NULL) < end; seed++)
        damage_and_repair(sound, seed);
    print_message("%llu damages\n", (unsigned long long)seed - 1);
    io_mem_free(sound);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(damage_at_random_of_a_large_database_is_repaired)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
