#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "cache/cache.h"
#include "cache/scratch.h"
#include "io/io_posix.h"
#include "io/io_thread.h"

enum { BLOCK_BYTES = 1000, SLOTS = 400, BUDGET_BYTES = 100 * 1024 };

/* A cache with slots, as a segment has them. Block i is filled with bytes i % 251. */
struct fixture {
    struct memory_budget budget;
    struct cache *cache;
    struct cache_slot slots[SLOTS];
};

static void check_ok(struct kvs_status status)
{
    if (!status_is_ok(status))
        fail_msg("%s", status_text(status));
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    memory_budget_init(&fixture->budget, BUDGET_BYTES);
    check_ok(cache_new(&fixture->cache, io_posix(), &fixture->budget));
    *state = fixture;
    return 0;
}

/* Nothing may be left charged. */
static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    cache_drop(fixture->cache, fixture->slots, SLOTS);
    assert_int_equal(memory_budget_used(&fixture->budget, MEMORY_BLOCK), 0);
    cache_free(fixture->cache);
    free(fixture);
    return 0;
}

static struct cache_block *new_block(struct fixture *fixture, size_t index)
{
    struct cache_block *block;
    check_ok(cache_block_new(fixture->cache, &block, BLOCK_BYTES));
    memset(block->bytes, (int)(index % 251), BLOCK_BYTES);
    return block;
}

static struct cache_block *install(struct fixture *fixture, size_t index)
{
    return cache_install(fixture->cache, &fixture->slots[index], new_block(fixture, index));
}

static bool is_resident(struct fixture *fixture, size_t index)
{
    rcu_enter();
    bool is_there = cache_slot_get(&fixture->slots[index]) != NULL;
    rcu_leave();
    return is_there;
}

/* Every read would go to the disk. */
static void cache_install_with_room_makes_block_resident(void **state)
{
    struct fixture *fixture = *state;
    struct cache_block *block = install(fixture, 3);
    rcu_enter();
    assert_ptr_equal(cache_slot_get(&fixture->slots[3]), block);
    rcu_leave();
    cache_block_unref(block);
    assert_true(is_resident(fixture, 3));
    assert_int_equal(cache_stats_get(fixture->cache).resident_count, 1);
}

/* Two readers of one block would leak one of the copies, or free it under the other reader. */
static void cache_install_in_taken_slot_gives_the_resident_block(void **state)
{
    struct fixture *fixture = *state;
    struct cache_block *first = install(fixture, 5);
    struct cache_block *second = install(fixture, 5);
    assert_ptr_equal(first, second);
    cache_block_unref(first);
    cache_block_unref(second);
    assert_int_equal(cache_stats_get(fixture->cache).installed_count, 1);
}

/* The process would grow past its memory limit. */
static void cache_install_many_blocks_stays_within_budget(void **state)
{
    struct fixture *fixture = *state;
    for (size_t index = 0; index < SLOTS; index++) {
        cache_block_unref(install(fixture, index));
        assert_true(memory_budget_total(&fixture->budget) <= BUDGET_BYTES);
    }
    struct cache_stats stats = cache_stats_get(fixture->cache);
    assert_true(stats.resident_bytes > BUDGET_BYTES * 9 / 10);
    assert_true(stats.evicted_count >= SLOTS - BUDGET_BYTES / BLOCK_BYTES);
    assert_int_equal(stats.private_count, 0);
}

/* A scan over much data would push out what is read all the time. */
static void cache_evict_block_in_use_outlives_a_scan(void **state)
{
    struct fixture *fixture = *state;
    cache_block_unref(install(fixture, 0));
    for (size_t index = 1; index < SLOTS; index++) {
        rcu_enter();
        struct cache_block *hot = cache_slot_get(&fixture->slots[0]);
        assert_non_null(hot);
        cache_block_touch(hot);
        rcu_leave();
        cache_block_unref(install(fixture, index));
    }
    assert_true(is_resident(fixture, 0));
    assert_false(is_resident(fixture, 1));
    assert_true(is_resident(fixture, SLOTS - 1));
}

/* A value handed to a caller would change under its hands. */
static void cache_evict_pinned_block_keeps_its_bytes(void **state)
{
    struct fixture *fixture = *state;
    struct cache_block *pinned = install(fixture, 7);
    for (size_t index = 8; index < SLOTS; index++)
        cache_block_unref(install(fixture, index));
    cache_drop(fixture->cache, fixture->slots, SLOTS);
    assert_false(is_resident(fixture, 7));
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        assert_int_equal(pinned->bytes[i], 7);
    assert_true(memory_budget_used(&fixture->budget, MEMORY_BLOCK) > BLOCK_BYTES);
    cache_block_unref(pinned);
}

/* Reads would fail, or wait for ever, when all memory is pinned. */
static void cache_install_all_pinned_gives_private_blocks(void **state)
{
    struct fixture *fixture = *state;
    struct cache_block *pinned[SLOTS];
    for (size_t index = 0; index < SLOTS; index++) {
        pinned[index] = install(fixture, index);
        assert_int_equal(pinned[index]->bytes[0], index % 251);
    }
    struct cache_stats stats = cache_stats_get(fixture->cache);
    assert_true(stats.private_count > SLOTS / 2);
    assert_true(stats.resident_bytes <= BUDGET_BYTES);
    for (size_t index = 0; index < SLOTS; index++)
        cache_block_unref(pinned[index]);
    assert_true(memory_budget_total(&fixture->budget) <= BUDGET_BYTES);
}

/* Memtables could not grow into the memory that cached blocks hold, or would starve reads of every block. */
static void cache_yield_to_other_uses_leaves_the_floor(void **state)
{
    struct fixture *fixture = *state;
    for (size_t index = 0; index < 90; index++)
        cache_block_unref(install(fixture, index));
    memory_budget_charge(&fixture->budget, MEMORY_MEMTABLE, BUDGET_BYTES / 2);
    cache_yield(fixture->cache);
    assert_true(memory_budget_total(&fixture->budget) <= BUDGET_BYTES);
    assert_true(cache_stats_get(fixture->cache).resident_bytes > BUDGET_BYTES / 3);
    memory_budget_charge(&fixture->budget, MEMORY_MEMTABLE, 4 * BUDGET_BYTES);
    cache_yield(fixture->cache);
    struct cache_stats stats = cache_stats_get(fixture->cache);
    assert_true(stats.resident_bytes >= BUDGET_BYTES / 16 - BUDGET_BYTES / 64);
    assert_true(stats.resident_bytes < BUDGET_BYTES / 16 + 2 * BLOCK_BYTES);
    for (size_t index = 200; index < 250; index++) {
        cache_block_unref(install(fixture, index));
        assert_true(is_resident(fixture, index));
        assert_true(cache_stats_get(fixture->cache).resident_bytes <= BUDGET_BYTES / 16);
    }
    assert_false(cache_has_room(fixture->cache, 1));
    memory_budget_release(&fixture->budget, MEMORY_MEMTABLE, 4 * BUDGET_BYTES + BUDGET_BYTES / 2);
}

/* Each miss would pay for a grace period of its own. */
static void cache_evict_many_blocks_share_a_grace_period(void **state)
{
    struct fixture *fixture = *state;
    memory_budget_init(&fixture->budget, 1024 * 1024);
    cache_free(fixture->cache);
    check_ok(cache_new(&fixture->cache, io_posix(), &fixture->budget));
    for (size_t round = 0; round < 20; round++) {
        for (size_t index = 0; index < SLOTS; index++) {
            struct cache_block *block;
            check_ok(cache_block_new(fixture->cache, &block, 4 * BLOCK_BYTES));
            cache_block_unref(cache_install(fixture->cache, &fixture->slots[index], block));
        }
    }
    struct cache_stats stats = cache_stats_get(fixture->cache);
    assert_true(stats.evicted_count > SLOTS);
    assert_true(stats.grace_count <= stats.evicted_count / 4);
}

struct reader {
    struct fixture *fixture;
    struct io_thread thread;
    uint64_t seed;
    uint64_t hits;
    uint64_t wrong;
};

static bool is_intact(const struct cache_block *block, size_t index)
{
    return block->bytes[0] == index % 251 && block->bytes[BLOCK_BYTES - 1] == index % 251;
}

/* Reads slots at random; some hits are kept over the end of the section, every miss is installed. */
static void read_slots(void *argument)
{
    struct reader *reader = argument;
    struct fixture *fixture = reader->fixture;
    struct cache_block *kept = NULL;
    size_t kept_index = 0;
    for (uint64_t i = 0; i < 30000; i++) {
        uint64_t random = hash_mix(reader->seed, i);
        size_t index = random % 8 == 0 ? random / 8 % SLOTS : random / 8 % 60;
        rcu_enter();
        struct cache_block *block = cache_slot_get(&fixture->slots[index]);
        if (block != NULL) {
            reader->hits++;
            reader->wrong += !is_intact(block, index);
            cache_block_touch(block);
            if (random % 5 == 0)
                cache_block_ref(block);
        }
        rcu_leave();
        if (block == NULL) {
            block = install(fixture, index);
            reader->wrong += !is_intact(block, index);
        } else if (random % 5 != 0) {
            continue;
        }
        reader->wrong += kept != NULL && !is_intact(kept, kept_index);
        cache_block_unref(kept);
        kept = block;
        kept_index = index;
        if (random % 64 == 0)
            cache_yield(fixture->cache);
    }
    cache_block_unref(kept);
}

/* Under load a reader would see freed or foreign bytes, or memory would leak or grow. */
static void cache_concurrent_readers_and_evictions_see_whole_blocks(void **state)
{
    enum { THREADS = 4 };
    struct fixture *fixture = *state;
    struct reader readers[THREADS] = {0};
    size_t most = 0;
    for (size_t i = 0; i < THREADS; i++) {
        readers[i].fixture = fixture;
        readers[i].seed = i + 1;
        check_ok(io_thread_start(&readers[i].thread, io_posix(), "reader", read_slots, &readers[i]));
    }
    for (int i = 0; i < 2000; i++) {
        size_t total = memory_budget_total(&fixture->budget);
        most = total > most ? total : most;
        if (i % 100 == 0)
            cache_drop(fixture->cache, fixture->slots + 300, 50);
    }
    for (size_t i = 0; i < THREADS; i++) {
        io_thread_join(&readers[i].thread);
        assert_int_equal(readers[i].wrong, 0);
        assert_true(readers[i].hits > 0);
    }
    /* Each thread may hold one block that it reads and one that it keeps. */
    assert_true(most <= BUDGET_BYTES + 2 * THREADS * (BLOCK_BYTES + 128));
    assert_true(cache_stats_get(fixture->cache).evicted_count > 100);
}

static int freed_tools;

static void free_tool(void *tool)
{
    freed_tools++;
    free(tool);
}

/* Every miss would make a decompressor, or a pool would keep all it ever had. */
static void scratch_take_after_give_reuses_tool_and_pool_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    enum { MANY = 40 };
    struct scratch_pool *pool = cache_scratch_pool(fixture->cache);
    struct scratch *taken[MANY];
    freed_tools = 0;
    for (size_t i = 0; i < MANY; i++) {
        check_ok(scratch_take(pool, &taken[i]));
        assert_null(taken[i]->tool);
        taken[i]->tool = malloc(1);
        taken[i]->tool_free = free_tool;
        check_ok(buffer_reserve(&taken[i]->buffer, i == MANY - 1 ? 1 << 20 : 100));
    }
    for (size_t i = MANY; i-- > 0;)
        scratch_give(pool, taken[i]);
    assert_true(freed_tools > 0 && freed_tools < MANY);
    assert_int_equal(pool->idle_count, MANY - freed_tools);
    check_ok(scratch_take(pool, &taken[0]));
    assert_non_null(taken[0]->tool);
    assert_true(taken[0]->buffer.capacity < 1 << 20);
    scratch_give(pool, taken[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cache_install_with_room_makes_block_resident, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cache_install_in_taken_slot_gives_the_resident_block, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cache_install_many_blocks_stays_within_budget, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cache_evict_block_in_use_outlives_a_scan, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cache_evict_pinned_block_keeps_its_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cache_install_all_pinned_gives_private_blocks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cache_yield_to_other_uses_leaves_the_floor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cache_evict_many_blocks_share_a_grace_period, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cache_concurrent_readers_and_evictions_see_whole_blocks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scratch_take_after_give_reuses_tool_and_pool_is_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
