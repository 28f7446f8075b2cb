#include "base_test_support.h"

#include "base/arena.h"
#include "base/memory_budget.h"
#include "base/rcu.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Entries of a memtable would overlap, or readers load words that are not aligned. */
static void arena_hands_out_disjoint_aligned_pieces(void **state)
{
    (void)state;
    struct arena arena;
    uint64_t random = 1;
    assert_true(status_is_ok(arena_init(&arena, 100000)));
    uint8_t *end = arena.memory;
    while (arena_rest(&arena) >= 300) {
        size_t size = (size_t)(next_random(&random) % 200 + 1), alignment = next_random(&random) % 4 == 0 ? 64 : 8;
        uint8_t *piece = alignment == 64 ? arena_alloc_aligned(&arena, size, 64) : arena_alloc(&arena, size);
        assert_true(piece >= end && piece + size <= arena.memory + arena.capacity);
        assert_int_equal((uintptr_t)piece % alignment, 0);
        memset(piece, 1, size);
        end = piece + size;
        assert_int_equal(arena_used(&arena), (size_t)(end - arena.memory));
        assert_int_equal(arena_used(&arena) + arena_rest(&arena), 100000);
    }
    arena_fini(&arena);
    arena_fini(&(struct arena){0});
}

/* The last bytes of a memtable's reservation would be unusable, or one more be given than there is. */
static void arena_exact_fit_then_one_more_aborts(void **state)
{
    (void)state;
    struct arena arena;
    assert_true(status_is_ok(arena_init(&arena, 16)));
    assert_non_null(arena_alloc(&arena, 16));
    assert_int_equal(arena_rest(&arena), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        arena_alloc(&arena, 1);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    arena_fini(&arena);
}

/* A capacity that cannot be would wrap around into a small arena. */
static void arena_impossible_capacity_refused(void **state)
{
    (void)state;
    struct arena arena;
    assert_int_equal(arena_init(&arena, SIZE_MAX).code, KVS_NO_MEMORY);
}

/* The engine would keep more memory than it was allowed, or give back what it needs. */
static void budget_sums_charges_by_use(void **state)
{
    (void)state;
    struct memory_budget budget;
    memory_budget_init(&budget, 1000);
    memory_budget_charge(&budget, MEMORY_BLOCK, 300);
    memory_budget_charge(&budget, MEMORY_INDEX, 20);
    memory_budget_release(&budget, MEMORY_BLOCK, 100);
    assert_int_equal(memory_budget_used(&budget, MEMORY_BLOCK), 200);
    assert_int_equal(memory_budget_used(&budget, MEMORY_FILTER), 0);
    assert_int_equal(memory_budget_total(&budget), 220);
    assert_int_equal(budget.capacity, 1000);
}

/* One value that readers hold only within a section. */
struct shared {
    _Atomic(int *) value;
    atomic_bool stop;
};

static void *read_until_stopped(void *argument)
{
    struct shared *shared = argument;
    long wrong = 0;
    while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
        rcu_enter();
        wrong += *atomic_load_explicit(&shared->value, memory_order_acquire) != 7;
        rcu_leave();
    }
    return (void *)wrong;
}

/* A reader would use a view that was freed under it. */
static void rcu_wait_outlasts_readers(void **state)
{
    (void)state;
    struct shared shared;
    pthread_t reader;
    void *wrong;
    int *first = malloc(sizeof *first);
    *first = 7;
    atomic_init(&shared.value, first);
    atomic_init(&shared.stop, false);
    assert_int_equal(pthread_create(&reader, NULL, read_until_stopped, &shared), 0);
    for (int round = 0; round < 50; round++) {
        int *fresh = malloc(sizeof *fresh);
        *fresh = 7;
        int *old = atomic_exchange_explicit(&shared.value, fresh, memory_order_acq_rel);
        rcu_wait();
        *old = 0;
        free(old);
    }
    atomic_store_explicit(&shared.stop, true, memory_order_relaxed);
    assert_int_equal(pthread_join(reader, &wrong), 0);
    assert_null(wrong);
    free(atomic_load_explicit(&shared.value, memory_order_relaxed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_hands_out_disjoint_aligned_pieces),
        cmocka_unit_test(arena_exact_fit_then_one_more_aborts),
        cmocka_unit_test(arena_impossible_capacity_refused),
        cmocka_unit_test(budget_sums_charges_by_use),
        cmocka_unit_test(rcu_wait_outlasts_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
