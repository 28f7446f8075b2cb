#undef _FORTIFY_SOURCE /* it takes a jump to another stack for a mistake */
#include "io/io_fiber.h"

#include "base/assert.h"
#include "io/io_fiber_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define FIBER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#endif
#endif

#ifdef FIBER_ASAN
void __sanitizer_start_switch_fiber(void **fake_stack_save, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack_save, const void **bottom_old, size_t *size_old);
void __asan_poison_memory_region(const volatile void *address, size_t size);
void __asan_unpoison_memory_region(const volatile void *address, size_t size);
#endif

#ifdef FIBER_TSAN
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
void __tsan_set_fiber_name(void *fiber, const char *name);
#endif

enum {
    /* Only touched pages cost memory, so the room is for the frames of sanitizer builds. */
    STACK_BYTES = 1024 * 1024,
    GUARD_BYTES = 4096,
    MAPPING_BYTES = GUARD_BYTES + STACK_BYTES,
    WATCHED_BYTES = 64 * 1024,
    STEP_NS_LIMIT = 1000,
    WEIGHT_SHIFT_LIMIT = 5,
    NAP_ONE_IN = 128,
    NAP_NS_LIMIT = 1000000
};

/* ---- Stacks ---- */

static void *map_stack(void)
{
    void *mapping = mmap(NULL, MAPPING_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return NULL;
    if (mprotect(mapping, GUARD_BYTES, PROT_NONE) != 0) {
        munmap(mapping, MAPPING_BYTES);
        return NULL;
    }
    return mapping;
}

/* AddressSanitizer: the frames that an ended fiber has not left are forgotten, and what still points to its stack is found until another takes it. Both look at the part
 * that those frames, and most others, lie in: telling of a whole stack would take longer than most threads run. */
static void poison_stack(void *mapping, bool is_idle)
{
#ifdef FIBER_ASAN
    char *watched = (char *)mapping + MAPPING_BYTES - WATCHED_BYTES;
    if (is_idle)
        __asan_poison_memory_region(watched, WATCHED_BYTES);
    else
        __asan_unpoison_memory_region(watched, WATCHED_BYTES);
#endif
    (void)mapping;
    (void)is_idle;
}

static void *take_stack(struct io_scheduler *scheduler)
{
    if (scheduler->stack_count == 0)
        return map_stack();
    void *mapping = scheduler->stacks[--scheduler->stack_count];
    poison_stack(mapping, false);
    return mapping;
}

static void unmap_stack(void *mapping)
{
    poison_stack(mapping, false);
    munmap(mapping, MAPPING_BYTES);
}

/* Kept for the next fiber: mapping one costs as much as hundreds of switches. */
static void give_stack(struct io_scheduler *scheduler, void *mapping)
{
    if (scheduler->stack_count == FIBER_STACKS_MAX) {
        unmap_stack(mapping);
        return;
    }
    poison_stack(mapping, true);
    scheduler->stacks[scheduler->stack_count++] = mapping;
}

/* ---- Schedulers ---- */

struct io_scheduler *io_scheduler_new(uint64_t seed)
{
    struct io_scheduler *scheduler = calloc(1, sizeof *scheduler);
    if (scheduler == NULL)
        return NULL;
    scheduler->seed = io_seed_of(seed);
    scheduler->stay_one_in = UINT64_C(1) << io_seed_below(&scheduler->seed, WEIGHT_SHIFT_LIMIT);
    if (io_seed_below(&scheduler->seed, 2) == 0)
        scheduler->nap_one_in = (uint64_t)NAP_ONE_IN << io_seed_below(&scheduler->seed, WEIGHT_SHIFT_LIMIT);
    return scheduler;
}

void io_scheduler_free(struct io_scheduler *scheduler)
{
    if (scheduler == NULL)
        return;
    KVS_ASSERT(scheduler->current == NULL);
    while (scheduler->stack_count != 0)
        unmap_stack(scheduler->stacks[--scheduler->stack_count]);
    free(scheduler);
}

uint64_t io_scheduler_now_ns(const struct io_scheduler *scheduler)
{
    return scheduler->now_ns;
}

uint64_t io_scheduler_fingerprint(const struct io_scheduler *scheduler)
{
    return scheduler->fingerprint;
}

/* The sanitizers must know of every switch: what follows tells them. */
static void announce_switch(struct io_fiber *from, struct io_fiber *to)
{
#ifdef FIBER_ASAN
    bool from_lives = from->state != FIBER_ENDED;
    __sanitizer_start_switch_fiber(from_lives ? &from->fake_stack : NULL, to->bottom, to->stack_bytes);
#endif
#ifdef FIBER_TSAN
    __tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
    (void)from;
    (void)to;
}

/* On the new stack; learns the bounds of the one that was left, which for "main" are not known otherwise. */
static void announce_arrival(struct io_fiber *self)
{
#ifdef FIBER_ASAN
    struct io_fiber *left = self->scheduler->came_from;
    __sanitizer_finish_switch_fiber(self->fake_stack, &left->bottom, &left->stack_bytes);
#endif
    (void)self;
}

static void announce_birth(struct io_fiber *fiber)
{
#ifdef FIBER_TSAN
    fiber->tsan_fiber = fiber->mapping == NULL ? __tsan_get_current_fiber() : __tsan_create_fiber(0);
    if (fiber->mapping != NULL)
        __tsan_set_fiber_name(fiber->tsan_fiber, fiber->name);
#endif
    (void)fiber;
}

static void announce_death(struct io_fiber *fiber)
{
#ifdef FIBER_TSAN
    if (fiber->mapping != NULL)
        __tsan_destroy_fiber(fiber->tsan_fiber);
#endif
    (void)fiber;
}

/* The one place that changes a state. */
static void fiber_move(struct io_fiber *fiber, enum fiber_state state)
{
    bool legal =
        fiber->state == FIBER_READY ? state != FIBER_READY : fiber->state == FIBER_WAITING && state == FIBER_READY;
    KVS_ASSERT(legal);
    fiber->state = state;
}

void io_scheduler_list(const struct io_scheduler *scheduler, const char *trouble)
{
    fprintf(stderr, "kvstore simulation: %s at %llu ns; fibers:\n", trouble, (unsigned long long)scheduler->now_ns);
    for (const struct io_fiber *fiber = scheduler->fibers; fiber != NULL; fiber = fiber->next) {
        if (fiber->state == FIBER_WAITING)
            fprintf(stderr, "  %s: waits for %s%s (%p)\n", fiber->name, fiber->waits_for,
                    fiber->waits_for_fiber == NULL ? "" : fiber->waits_for_fiber->name, (void *)fiber->list);
        else
            fprintf(stderr, "  %s: %s\n", fiber->name, fiber->state == FIBER_READY ? "ready" : "ended, not joined");
    }
}

static void leave_list(struct io_fiber *fiber)
{
    if (fiber->list == NULL)
        return;
    struct io_fiber **at = fiber->list;
    while (*at != fiber)
        at = &(*at)->next_waiter;
    *at = fiber->next_waiter;
    fiber->list = NULL;
}

void fiber_wake(struct io_fiber *fiber, bool timed_out)
{
    leave_list(fiber);
    fiber->timed_out = timed_out;
    fiber_move(fiber, FIBER_READY);
}

void fiber_wake_all(struct io_fiber **list)
{
    while (*list != NULL)
        fiber_wake(*list, false);
}

/* Wake whoever's deadline has come; returns the sum of the ready fibers' weights and the next deadline. */
static uint64_t survey(struct io_scheduler *scheduler, uint64_t *next_deadline_ns)
{
    uint64_t weights = 0, next = IO_NO_DEADLINE;
    for (struct io_fiber *fiber = scheduler->fibers; fiber != NULL; fiber = fiber->next) {
        if (fiber->state == FIBER_WAITING && fiber->deadline_ns <= scheduler->now_ns)
            fiber_wake(fiber, true);
        if (fiber->state == FIBER_READY)
            weights += fiber->weight;
        else if (fiber->state == FIBER_WAITING && fiber->deadline_ns < next)
            next = fiber->deadline_ns;
    }
    *next_deadline_ns = next;
    return weights;
}

static struct io_fiber *pick(struct io_scheduler *scheduler)
{
    uint64_t next_deadline_ns;
    uint64_t weights = survey(scheduler, &next_deadline_ns);
    if (weights == 0 && next_deadline_ns == IO_NO_DEADLINE) {
        io_scheduler_list(scheduler, "deadlock");
        abort();
    }
    if (weights == 0) {
        scheduler->now_ns = next_deadline_ns;
        weights = survey(scheduler, &next_deadline_ns);
    }
    uint64_t ticket = io_seed_below(&scheduler->seed, weights);
    struct io_fiber *fiber = scheduler->fibers;
    uint64_t number = 0;
    while (fiber->state != FIBER_READY || ticket >= fiber->weight) {
        ticket -= fiber->state == FIBER_READY ? fiber->weight : 0;
        fiber = fiber->next;
        number++;
    }
    scheduler->fingerprint = hash_mix(scheduler->fingerprint, number);
    return fiber;
}

/* A jump restores no signal mask, which swapcontext asks the kernel for at every switch. The sanitizers look at jumps as ways out of the stack. */
#if defined(FIBER_ASAN) || defined(FIBER_TSAN)
static void change_places(struct io_fiber *from, struct io_fiber *to)
{
    swapcontext(&from->context, &to->context);
}
#else
static __attribute__((noinline)) void change_places(struct io_fiber *from, struct io_fiber *to)
{
    if (_setjmp(from->place) != 0)
        return;
    if (to->has_begun)
        _longjmp(to->place, 1);
    to->has_begun = true;
    setcontext(&to->context);
}
#endif

/* Let the next fiber run; returns when the calling one is chosen again, and never if it has ended. */
static void switch_away(struct io_scheduler *scheduler)
{
    struct io_fiber *self = scheduler->current, *chosen = pick(scheduler);
    if (chosen == self)
        return;
    scheduler->current = chosen;
    scheduler->came_from = self;
    announce_switch(self, chosen);
    change_places(self, chosen);
    announce_arrival(self);
}

bool fiber_wait_in(struct io_scheduler *scheduler, struct io_fiber **list, uint64_t deadline_ns, const char *what,
                   const struct io_fiber *other)
{
    struct io_fiber *self = scheduler->current;
    KVS_ASSERT(self != NULL);
    self->waits_for = what;
    self->waits_for_fiber = other;
    self->deadline_ns = deadline_ns;
    self->list = list;
    if (list != NULL) {
        self->next_waiter = *list;
        *list = self;
    }
    fiber_move(self, FIBER_WAITING);
    scheduler->now_ns += 1;
    switch_away(scheduler);
    return !self->timed_out;
}

void io_scheduler_yield(struct io_scheduler *scheduler)
{
    if (scheduler->current == NULL)
        return;
    scheduler->now_ns += 1 + io_seed_below(&scheduler->seed, STEP_NS_LIMIT);
    if (scheduler->nap_one_in != 0 && io_seed_below(&scheduler->seed, scheduler->nap_one_in) == 0)
        fiber_wait_in(scheduler, NULL, scheduler->now_ns + io_seed_below(&scheduler->seed, NAP_NS_LIMIT),
                      "the processor", NULL);
    else if (io_seed_below(&scheduler->seed, scheduler->stay_one_in) == 0)
        switch_away(scheduler);
}

static void fiber_main(unsigned high, unsigned low)
{
    struct io_fiber *self = (struct io_fiber *)((uintptr_t)high << 32 | low);
    announce_arrival(self);
    self->body(self->argument);
    fiber_wake_all(&self->joiners);
    fiber_move(self, FIBER_ENDED);
    switch_away(self->scheduler);
    KVS_ASSERT(!"an ended fiber ran");
}

static void append_fiber(struct io_scheduler *scheduler, struct io_fiber *fiber)
{
    struct io_fiber **at = &scheduler->fibers;
    while (*at != NULL)
        at = &(*at)->next;
    *at = fiber;
}

static void remove_fiber(struct io_scheduler *scheduler, struct io_fiber *fiber)
{
    struct io_fiber **at = &scheduler->fibers;
    while (*at != fiber)
        at = &(*at)->next;
    *at = fiber->next;
}

static void fiber_init(struct io_fiber *fiber, struct io_scheduler *scheduler, const char *name)
{
    *fiber = (struct io_fiber){.scheduler = scheduler, .state = FIBER_READY};
    fiber->weight = UINT64_C(1) << io_seed_below(&scheduler->seed, WEIGHT_SHIFT_LIMIT);
    snprintf(fiber->name, sizeof fiber->name, "%s", name);
}

static void prepare_context(struct io_fiber *fiber)
{
    int result = getcontext(&fiber->context);
    KVS_ASSERT(result == 0);
    fiber->bottom = (char *)fiber->mapping + GUARD_BYTES;
    fiber->stack_bytes = STACK_BYTES;
    fiber->context.uc_stack.ss_sp = (char *)fiber->mapping + GUARD_BYTES;
    fiber->context.uc_stack.ss_size = STACK_BYTES;
    fiber->context.uc_link = NULL;
    uintptr_t address = (uintptr_t)fiber;
    makecontext(&fiber->context, (void (*)(void))fiber_main, 2, (unsigned)(address >> 32), (unsigned)address);
    /* AddressSanitizer's swapcontext would forget what it knows of the whole stack at every switch; it is told by announce_switch instead. */
    fiber->context.uc_stack.ss_size = 0;
}

struct kvs_status io_fiber_start(struct io_thread *thread, const char *name, void (*body)(void *argument),
                                 void *argument)
{
    struct io_scheduler *scheduler = thread->scheduler;
    KVS_ASSERT(scheduler->current != NULL);
    struct io_fiber *fiber = malloc(sizeof *fiber);
    if (fiber == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot start thread %s: no memory", name);
    fiber_init(fiber, scheduler, name);
    fiber->body = body;
    fiber->argument = argument;
    fiber->mapping = take_stack(scheduler);
    if (fiber->mapping == NULL) {
        free(fiber);
        return STATUS(KVS_NO_MEMORY, "cannot start thread %s: no memory for its stack", name);
    }
    announce_birth(fiber);
    prepare_context(fiber);
    append_fiber(scheduler, fiber);
    thread->fiber = fiber;
    io_scheduler_yield(scheduler);
    return status_ok();
}

void io_fiber_join(struct io_thread *thread)
{
    struct io_scheduler *scheduler = thread->scheduler;
    struct io_fiber *fiber = thread->fiber;
    io_scheduler_yield(scheduler);
    if (fiber->state != FIBER_ENDED)
        fiber_wait_in(scheduler, &fiber->joiners, IO_NO_DEADLINE, "the end of ", fiber);
    KVS_ASSERT(fiber->state == FIBER_ENDED);
    remove_fiber(scheduler, fiber);
    announce_death(fiber);
    give_stack(scheduler, fiber->mapping);
    free(fiber);
    thread->fiber = NULL;
}

void io_scheduler_run(struct io_scheduler *scheduler, void (*body)(void *argument), void *argument)
{
    KVS_ASSERT(scheduler->current == NULL);
    struct io_fiber main_fiber;
    fiber_init(&main_fiber, scheduler, "main");
    main_fiber.has_begun = true;
    announce_birth(&main_fiber);
    append_fiber(scheduler, &main_fiber);
    scheduler->current = &main_fiber;
    body(argument);
    remove_fiber(scheduler, &main_fiber);
    if (scheduler->fibers != NULL) {
        io_scheduler_list(scheduler, "the body returned before its threads were joined");
        abort();
    }
    scheduler->current = NULL;
    scheduler->came_from = NULL;
}
