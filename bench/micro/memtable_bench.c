/* memtable_bench.c -- how long do an insertion, a get, a seek and a step take, and how many bytes an entry?
 *
 *   memtable_bench [entries]        500,000 by default, of 16 B + 100 B
 *
 * Each row is one order of keys; the best of several rounds is shown, since other load only ever adds. A round is
 * preceded by a walk from word to word in memory of the memtable's size: the cost of one access that misses the caches,
 * in which the other figures should be read. */
#include "memtable/memtable.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { KEY_BYTES = 16, VALUE_BYTES = 100, ROUNDS = 5, LINE_BYTES = 64 };

enum order { RANDOM_BINARY, RANDOM_DECIMAL, SEQUENTIAL_DECIMAL, ORDER_COUNT };

static const char *const order_names[ORDER_COUNT] = {"random binary", "random \"user:...\"", "sequential decimal"};

struct figures {
    double miss_ns, insert_ns, get_ns, absent_ns, seek_ns, next_ns, prev_ns, entry_bytes;
};

struct workload {
    size_t count;
    uint8_t (*keys)[KEY_BYTES];    /* in the order of insertion */
    uint8_t (*lookups)[KEY_BYTES]; /* the same shuffled, laid out anew so that reading them is no miss */
};

static double now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "memtable_bench: %s\n", what);
    exit(1);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        fail("out of memory");
    return memory;
}

static void make_key(uint8_t *key, enum order order, uint64_t index)
{
    char text[32];
    uint64_t words[2] = {hash_mix(index, 1), hash_mix(index, 2)};
    if (order == RANDOM_BINARY) {
        memcpy(key, words, KEY_BYTES);
        return;
    }
    if (order == RANDOM_DECIMAL)
        snprintf(text, sizeof text, "user:%011llu", (unsigned long long)(words[0] % 100000000000));
    else
        snprintf(text, sizeof text, "%016llu", (unsigned long long)index);
    memcpy(key, text, KEY_BYTES);
}

static void workload_init(struct workload *workload, enum order order, size_t count)
{
    workload->count = count;
    workload->keys = allocate(count, KEY_BYTES);
    workload->lookups = allocate(count, KEY_BYTES);
    for (size_t i = 0; i < count; i++)
        make_key(workload->keys[i], order, i);
    memcpy(workload->lookups, workload->keys, count * KEY_BYTES);
    for (size_t i = count - 1; i > 0; i--) {
        uint8_t swapped[KEY_BYTES];
        size_t other = hash_mix(i, 3) % (i + 1);
        memcpy(swapped, workload->lookups[i], KEY_BYTES);
        memcpy(workload->lookups[i], workload->lookups[other], KEY_BYTES);
        memcpy(workload->lookups[other], swapped, KEY_BYTES);
    }
}

/* Nanoseconds for a read that depends on the one before, anywhere in bytes of memory. */
static double measure_miss(size_t bytes)
{
    size_t lines = bytes / LINE_BYTES, steps = 500000;
    uint8_t *memory = allocate(lines, LINE_BYTES);
    for (uint64_t i = 0; i < lines; i++) {
        uint64_t random = hash_mix(i, 4);
        memcpy(memory + i * LINE_BYTES, &random, sizeof random);
    }
    uint64_t word = 0;
    double start = now_ns();
    for (size_t i = 0; i < steps; i++)
        memcpy(&word, memory + (word ^ i) % lines * LINE_BYTES, sizeof word);
    double taken = now_ns() - start;
    volatile uint64_t used = word;
    (void)used;
    free(memory);
    return taken / (double)steps;
}

static double measure_insert(struct memtable *memtable, const struct workload *workload)
{
    static const uint8_t value[VALUE_BYTES];
    double start = now_ns();
    for (size_t i = 0; i < workload->count; i++) {
        if (memtable_room(memtable) < memtable_cost(KEY_BYTES, VALUE_BYTES))
            fail("the memtable is full");
        struct key key = key_of(slice_of(workload->keys[i], KEY_BYTES), key_trailer(i + 1, KEY_PUT));
        memtable_insert(memtable, key, slice_of(value, VALUE_BYTES));
    }
    return now_ns() - start;
}

/* With absent, for keys that differ from those present in the last byte. */
static double measure_get(const struct memtable *memtable, const struct workload *workload, bool absent)
{
    size_t found = 0;
    double start = now_ns();
    for (size_t i = 0; i < workload->count; i++) {
        uint8_t key[KEY_BYTES];
        uint64_t trailer;
        struct kvs_slice value;
        memcpy(key, workload->lookups[i], KEY_BYTES);
        key[KEY_BYTES - 1] ^= absent ? 0x80 : 0;
        found += memtable_get(memtable, &trailer, &value, slice_of(key, KEY_BYTES), SEQUENCE_MAX);
    }
    double taken = now_ns() - start;
    if (found != (absent ? 0 : workload->count))
        fail("a get went wrong");
    return taken;
}

static double measure_seek(struct iterator *iterator, const struct workload *workload)
{
    double start = now_ns();
    for (size_t i = 0; i < workload->count; i++) {
        struct key key = key_of(slice_of(workload->lookups[i], KEY_BYTES), UINT64_MAX);
        if (!status_is_ok(iterator_seek(iterator, key)) || !iterator->valid)
            fail("a seek went wrong");
    }
    return now_ns() - start;
}

static double measure_scan(struct iterator *iterator, const struct workload *workload, bool backwards)
{
    size_t met = 0;
    uint64_t sum = 0;
    double start = now_ns();
    struct kvs_status status = backwards ? iterator_last(iterator) : iterator_first(iterator);
    for (; status_is_ok(status) && iterator->valid; met++) {
        sum += iterator->key.trailer;
        status = backwards ? iterator_prev(iterator) : iterator_next(iterator);
    }
    double taken = now_ns() - start;
    if (met != workload->count || sum == 0)
        fail("a scan went wrong");
    return taken;
}

static void keep_best(double *best, double taken_ns, size_t count)
{
    double each_ns = taken_ns / (double)count;
    if (*best == 0 || each_ns < *best)
        *best = each_ns;
}

static void run_round(struct figures *best, const struct workload *workload)
{
    struct memtable *memtable = NULL;
    struct iterator *iterator = NULL;
    size_t capacity_bytes = workload->count * 224 + 4096;
    keep_best(&best->miss_ns, measure_miss(capacity_bytes), 1);
    if (!status_is_ok(memtable_new(&memtable, capacity_bytes, NULL)) ||
        !status_is_ok(memtable_iterator_new(&iterator, memtable)))
        fail("out of memory");
    keep_best(&best->insert_ns, measure_insert(memtable, workload), workload->count);
    keep_best(&best->get_ns, measure_get(memtable, workload, false), workload->count);
    keep_best(&best->absent_ns, measure_get(memtable, workload, true), workload->count);
    keep_best(&best->seek_ns, measure_seek(iterator, workload), workload->count);
    keep_best(&best->next_ns, measure_scan(iterator, workload, false), workload->count);
    keep_best(&best->prev_ns, measure_scan(iterator, workload, true), workload->count);
    best->entry_bytes = (double)memtable_used(memtable) / (double)workload->count;
    iterator_free(iterator);
    memtable_unref(memtable);
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 500000;
    if (count < 2)
        fail("usage: memtable_bench [entries]");
    printf("%zu entries of %d + %d bytes; nanoseconds\n", count, KEY_BYTES, VALUE_BYTES);
    printf("%-20s %8s %8s %8s %8s %8s %8s %8s %12s\n", "keys", "miss", "insert", "get", "absent", "seek", "next",
           "prev", "bytes/entry");
    for (int order = 0; order < ORDER_COUNT; order++) {
        struct workload workload;
        struct figures best = {0};
        workload_init(&workload, order, count);
        for (int round = 0; round < ROUNDS; round++)
            run_round(&best, &workload);
        printf("%-20s %8.0f %8.0f %8.0f %8.0f %8.0f %8.1f %8.1f %12.1f\n", order_names[order], best.miss_ns,
               best.insert_ns, best.get_ns, best.absent_ns, best.seek_ns, best.next_ns, best.prev_ns, best.entry_bytes);
        free(workload.keys);
        free(workload.lookups);
    }
    return 0;
}
