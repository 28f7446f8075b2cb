/* compaction_pick_test.c -- picking, as text in and text out.
 *
 * A version is written a run a line, level.run and then its segments:
 *
 *     0.9  a-m:8  n-z:8t7*
 *
 * is run 9 of level 0, newest first, with segments of 8 bytes; tN: N of its ten entries are tombstones; *: busy. A job is written as its kind,
 * the first keys of its inputs by run, and where they go:
 *
 *     merge 0.9(a n) 7.1(b) -> 7.1
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compaction/compaction_pick.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct compaction_options options = {.level_base_bytes = 100, .segment_bytes = 10};

enum { SEGMENTS_MAX = 64, RUNS_MAX = 32 };

/* A shape in memory of its own, and the text that its keys borrow. */
struct fixture {
    struct compaction_shape shape;
    struct compaction_run runs[RUNS_MAX];
    struct compaction_segment segments[SEGMENTS_MAX];
    size_t run_count;
    size_t segment_count;
    char text[2048];
};

static struct compaction_segment parse_segment(char *word)
{
    char *largest = strchr(word, '-') + 1;
    char *size = strchr(largest, ':') + 1;
    struct compaction_segment segment = {.number = 1, .entry_count = 10, .is_busy = strchr(size, '*') != NULL};
    segment.size_bytes = strtoull(size, NULL, 10);
    if (strchr(size, 't') != NULL)
        segment.tombstone_count = strtoull(strchr(size, 't') + 1, NULL, 10);
    segment.smallest = slice_of(word, (size_t)(largest - 1 - word));
    segment.largest = slice_of(largest, (size_t)(size - 1 - largest));
    return segment;
}

static void parse_run(struct fixture *fixture, char *line)
{
    char *rest = line;
    unsigned level = (unsigned)strtoul(rest, &rest, 10);
    struct compaction_run *run = &fixture->runs[fixture->run_count++];
    *run = (struct compaction_run){.id = strtoull(rest + 1, &rest, 10),
                                   .segments = &fixture->segments[fixture->segment_count]};
    char *state = NULL;
    for (char *word = strtok_r(rest, " ", &state); word != NULL; word = strtok_r(NULL, " ", &state)) {
        run->segments[run->count] = parse_segment(word);
        run->size_bytes += run->segments[run->count].size_bytes;
        run->count++;
        fixture->segment_count++;
    }
    struct compaction_level *to = &fixture->shape.levels[level];
    if (to->run_count++ == 0)
        to->runs = run;
    to->size_bytes += run->size_bytes;
    assert_true(fixture->segment_count < SEGMENTS_MAX && fixture->run_count < RUNS_MAX);
}

static void parse(struct fixture *fixture, const char *text)
{
    char *state = NULL;
    *fixture = (struct fixture){.run_count = 0};
    snprintf(fixture->text, sizeof fixture->text, "%s", text);
    for (char *line = strtok_r(fixture->text, "\n", &state); line != NULL; line = strtok_r(NULL, "\n", &state))
        parse_run(fixture, line);
}

static void print_job(char *out, size_t capacity, const struct compaction_shape *shape,
                      const struct compaction_job *job)
{
    static const char *const kinds[] = {"none", "move", "merge"};
    size_t at = (size_t)snprintf(out, capacity, "%s", kinds[job->kind]);
    for (size_t i = 0; i < job->input_count; i++) {
        const struct compaction_input *input = &job->inputs[i];
        const struct compaction_run *run = &shape->levels[input->level].runs[input->run];
        at += (size_t)snprintf(out + at, capacity - at, " %u.%d(", input->level, (int)run->id);
        for (size_t s = input->first; s < input->first + input->count; s++) {
            struct kvs_slice smallest = run->segments[s].smallest;
            at += (size_t)snprintf(out + at, capacity - at, "%s%.*s", s == input->first ? "" : " ", (int)smallest.size,
                                   (const char *)smallest.data);
        }
        at += (size_t)snprintf(out + at, capacity - at, ")");
    }
    if (job->kind != COMPACTION_NONE)
        snprintf(out + at, capacity - at, " -> %u.%d", job->target_level, (int)job->target_run);
}

static void check_job(const char *version, const char *expected, bool all, int line)
{
    struct fixture fixture;
    struct compaction_job job;
    char found[1024];
    parse(&fixture, version);
    struct kvs_status status =
        all ? compaction_pick_all(&job, &fixture.shape) : compaction_pick(&job, &fixture.shape, &options);
    assert_int_equal(status.code, KVS_OK);
    print_job(found, sizeof found, &fixture.shape, &job);
    compaction_job_fini(&job);
    if (strcmp(found, expected) != 0) {
        print_error("of\n%sexpected %s\nfound    %s\n", version, expected, found);
        _fail(__FILE__, line);
    }
}

#define assert_picks(version, expected) check_job((version), (expected), false, __LINE__)
#define assert_picks_all(version, expected) check_job((version), (expected), true, __LINE__)

static uint64_t debt_of(const char *version)
{
    struct fixture fixture;
    parse(&fixture, version);
    return compaction_debt(&fixture.shape, &options);
}

/* An idle database is left alone. */
static void compaction_pick_in_shape_does_nothing(void **state)
{
    (void)state;
    assert_picks("", "none");
    assert_picks("0.3 a-m:8\n0.2 a-z:8\n0.1 b-z:8\n", "none");
    assert_picks("0.3 a-z:8\n7.1 a-k:500 l-z:400\n", "none");
    assert_picks("6.2 a-z:100\n7.1 a-k:600 l-z:500\n", "none");
    assert_int_equal(debt_of("0.3 a-m:8\n7.1 a-k:500 l-z:400\n"), 0);
}

/* Flushed runs do not pile up: each costs every read. All of them go at once, so that the age order holds. */
static void compaction_pick_four_runs_go_to_the_base_level(void **state)
{
    (void)state;
    assert_picks("0.4 a-m:8\n0.3 a-z:8\n0.2 b-z:8\n0.1 c-d:8\n", "merge 0.4(a) 0.3(a) 0.2(b) 0.1(c) -> 7.4");
    assert_picks("0.5 a-m:8\n0.4 a-k:8\n0.3 b-k:8\n0.2 c-d:8\n7.1 a-c:40 d-l:40 m-o:40 p-z:40\n",
                 "merge 0.5(a) 0.4(a) 0.3(b) 0.2(c) 7.1(a d m) -> 7.1");
    assert_picks("0.5 a-c:110\n7.1 a-c:40 d-l:40\n", "merge 0.5(a) 7.1(a) -> 7.1"); /* by size */
}

/* A small memtable above a large level: its runs are first merged with each other, or every byte would be rewritten fifty times. */
static void compaction_pick_runs_too_small_for_the_base_are_merged_with_each_other(void **state)
{
    (void)state;
    assert_picks("0.5 a-m:8\n0.4 a-z:8\n0.3 b-z:9\n0.2 c-d:7\n7.1 a-k:500 l-z:400\n",
                 "merge 0.5(a) 0.4(a) 0.3(b) 0.2(c) -> 0.5");
    assert_picks("0.9 a-m:8\n0.8 a-z:8\n0.7 b-z:9\n0.6 c-d:7\n0.5 a-z:32\n7.1 a-k:500 l-z:400\n",
                 "merge 0.9(a) 0.8(a) 0.7(b) 0.6(c) -> 0.9");
    assert_picks("0.9 a-m:8\n0.8 a-z:32\n0.7 b-z:32\n0.6 c-d:20\n7.1 a-z:950\n", "none"); /* three alike: not yet */
}

/* However unlike their sizes, the number of runs that a scan meets is bounded. */
static void compaction_pick_twelve_runs_go_down_whatever_it_costs(void **state)
{
    (void)state;
    char text[1024];
    size_t at = 0;
    for (int run = 12; run >= 1; run--)
        at += (size_t)snprintf(text + at, sizeof text - at, "0.%d a-z:%d\n", run + 1, run % 2 == 0 ? 1 : 6);
    snprintf(text + at, sizeof text - at, "7.1 a-z:900\n");
    assert_picks(text, "merge 0.13(a) 0.12(a) 0.11(a) 0.10(a) 0.9(a) 0.8(a) 0.7(a) 0.6(a) 0.5(a) 0.4(a) 0.3(a) 0.2(a) "
                       "7.1(a) -> 7.1");
}

/* A sequential load is written once: its segments move down by edits. */
static void compaction_pick_segments_that_overlap_nothing_are_moved(void **state)
{
    (void)state;
    assert_picks("0.5 g-h:8\n0.4 e-f:8\n0.3 c-d:8\n0.2 a-b:8\n", "move 0.5(g) 0.4(e) 0.3(c) 0.2(a) -> 7.5");
    assert_picks("0.9 u-z:8\n0.8 s-t:8\n0.7 p-q:8\n0.6 m-o:8\n7.1 a-f:50 g-l:50\n",
                 "move 0.9(u) 0.8(s) 0.7(p) 0.6(m) -> 7.1");
    assert_picks("0.9 u-z:8\n0.8 s-u:8\n0.7 p-q:8\n0.6 m-o:8\n7.1 a-f:50 g-l:50\n",
                 "merge 0.9(u) 0.8(s) 0.7(p) 0.6(m) -> 7.1");
    assert_picks("6.2 a-c:80 x-z:80\n7.1 d-m:600 n-w:500\n", "move 6.2(a) -> 7.1");
}

/* A level over its target gives what is cheapest to merge. */
static void compaction_pick_level_over_its_target_gives_the_least_overlap(void **state)
{
    (void)state;
    assert_picks("6.2 a-c:50 d-f:50 g-z:50\n7.1 a-c:400 d-e:100 g-m:300 n-z:200\n", "merge 6.2(d) 7.1(d) -> 7.1");
    assert_picks("6.2 a-c:50 d-f:50 g-z:50t9\n7.1 a-c:400 d-e:100 g-m:300 n-z:200\n", "merge 6.2(g) 7.1(g n) -> 7.1");
}

/* Neighbours that meet nothing else go along: their share of the next level is rewritten anyway. */
static void compaction_pick_neighbours_within_the_overlap_go_along(void **state)
{
    (void)state;
    assert_picks("6.2 b-c:30 d-e:30 f-g:30 x-z:60\n7.1 a-h:90 i-z:1000\n", "merge 6.2(b d f) 7.1(a) -> 7.1");
    assert_picks("6.2 b-c:30 d-e:30* f-g:30 x-z:60\n7.1 a-h:90 i-z:1000\n", "merge 6.2(b) 7.1(a) -> 7.1");
}

/* Deletes make room: a run of them goes down though its level is within its target. */
static void compaction_pick_tombstones_go_down_early(void **state)
{
    (void)state;
    assert_picks("6.2 a-c:20 d-f:20t6\n7.1 a-c:400 d-f:300 n-z:400\n", "merge 6.2(d) 7.1(d) -> 7.1");
    assert_picks("6.2 a-c:20 d-f:20t6\n7.1 a-c:400 n-z:700\n",
                 "merge 6.2(d) -> 7.1"); /* rewritten, not moved: they vanish */
    assert_picks("6.2 a-c:20 d-f:20t5\n7.1 a-c:400 n-z:700\n", "none");
    assert_picks("0.2 a-z:8t9\n7.1 a-m:400 n-z:400\n", "merge 0.2(a) 7.1(a n) -> 7.1");
    assert_picks("7.1 a-m:400t9 n-z:400\n", "none");
}

/* Two jobs never share an input, nor pass each other. */
static void compaction_pick_busy_segments_are_left_alone(void **state)
{
    (void)state;
    assert_picks("0.4 a-m:8*\n0.3 a-z:8\n0.2 b-z:8\n0.1 c-d:8\n", "none");
    /* What waits for a busy base level is kept few. */
    assert_picks("0.5 a-m:8\n0.4 a-k:8\n0.3 b-k:8\n0.2 c-d:8\n7.1 a-c:40* d-l:40\n",
                 "merge 0.5(a) 0.4(a) 0.3(b) 0.2(c) -> 0.5");
    assert_picks("0.9 a-m:8\n0.8 a-k:8\n0.7 b-k:8\n0.6 c-d:8\n0.5 a-z:8*\n0.4 a-z:8*\n7.1 a-c:40* d-z:40*\n",
                 "merge 0.9(a) 0.8(a) 0.7(b) 0.6(c) -> 0.9");
    assert_picks("0.7 b-k:8\n0.6 c-d:8\n0.5 a-z:8*\n0.4 a-z:8*\n7.1 a-c:40* d-z:40*\n", "none");
    assert_picks("6.2 a-c:50* d-f:50 g-z:50\n7.1 a-c:400* d-e:100 f-m:300 n-z:200\n", "merge 6.2(d) 7.1(d f) -> 7.1");
    assert_picks("6.2 a-c:50 d-f:50 g-z:50*\n7.1 a-c:400 d-e:100 f-m:300* n-z:200*\n", "merge 6.2(a) 7.1(a) -> 7.1");
}

/* When data shrinks, level 0 does not jump over a level that still has data: its newer entries would be hidden by older ones. */
static void compaction_pick_level_that_lost_its_reason_is_drained(void **state)
{
    (void)state;
    assert_picks("0.9 a-m:8\n0.8 a-z:8\n0.7 b-z:8\n0.6 c-d:8\n5.3 c-d:5\n7.1 a-z:300\n",
                 "merge 0.9(a) 0.8(a) 0.7(b) 0.6(c) 5.3(c) -> 5.3");
    assert_picks("5.3 c-d:5\n7.1 a-z:300\n", "move 5.3(c) -> 6.3");
    assert_picks("6.3 c-d:5\n7.1 a-z:300\n", "merge 6.3(c) 7.1(a) -> 7.1");
}

/* A folder that another policy wrote, with several runs in a low level, is brought into shape and not misread. */
static void compaction_pick_runs_in_a_low_level_become_one(void **state)
{
    (void)state;
    assert_picks("7.5 a-m:40\n7.1 a-z:300\n", "merge 7.5(a) 7.1(a) -> 7.5");
    assert_picks("0.9 a-m:8\n0.8 a-z:8\n0.7 b-z:8\n0.6 c-d:8\n7.5 a-m:40\n7.1 a-z:300*\n", "none");
}

/* kvs_compact leaves one run. */
static void compaction_pick_all_takes_everything(void **state)
{
    (void)state;
    assert_picks_all("", "none");
    assert_picks_all("0.9 a-m:8\n0.8 a-z:8\n6.3 c-d:5 e-f:5\n7.1 a-z:300\n",
                     "merge 0.9(a) 0.8(a) 6.3(c e) 7.1(a) -> 7.1");
    assert_picks_all("0.9 a-m:8\n", "merge 0.9(a) -> 7.9");
    assert_picks_all("0.9 a-m:8*\n7.1 a-z:300\n", "none");
}

/* Targets count up from the last level, so that superseded data stays near a ninth of the whole. */
static void compaction_targets_count_up_from_the_last_level(void **state)
{
    (void)state;
    struct fixture fixture;
    uint64_t targets[VERSION_LEVEL_COUNT];
    parse(&fixture, "7.1 a-z:25000\n");
    assert_int_equal(compaction_targets(targets, &fixture.shape, &options), 5);
    assert_int_equal(targets[5], 250);
    assert_int_equal(targets[6], 2500);
    assert_true(targets[7] == UINT64_MAX);
    assert_int_equal(targets[4], 0);
    parse(&fixture, "7.1 a-z:999\n");
    assert_int_equal(compaction_targets(targets, &fixture.shape, &options), 7);
}

/* Back-pressure needs a figure that says how far behind compaction is, and grows with it. */
static void compaction_debt_counts_what_is_to_be_rewritten(void **state)
{
    (void)state;
    assert_int_equal(debt_of("0.4 a-m:8\n0.3 a-z:8\n0.2 b-z:8\n0.1 c-d:8\n"), 32);
    assert_int_equal(debt_of("0.4 a-m:8\n0.3 a-z:8\n0.2 b-z:8\n0.1 c-d:8\n7.1 a-m:100 n-z:100\n"), 232);
    assert_int_equal(debt_of("6.2 a-z:200\n7.1 a-z:1000\n"), 100 + 500); /* 100 too many, each meets 5 */
    uint64_t before = 0;
    for (int runs = 4; runs < 12; runs++) {
        char text[512];
        size_t at = 0;
        for (int run = runs; run > 0; run--)
            at += (size_t)snprintf(text + at, sizeof text - at, "0.%d a-z:40\n", run + 1);
        snprintf(text + at, sizeof text - at, "7.1 a-z:900\n");
        uint64_t debt = debt_of(text);
        assert_true(debt >= before + 40);
        before = debt;
    }
}

/* ---- Does it come to an end? ---- */

/* Carry out a job on a shape as a merge that drops nothing would; sizes only, keys as they are. The version is kept as one size per level and the
 * sizes of level 0's runs, all over the same range. */
struct simulation {
    uint64_t top[64];
    size_t top_count;
    uint64_t levels[VERSION_LEVEL_COUNT];
    uint64_t written;
};

static void simulate_shape(struct fixture *fixture, const struct simulation *simulation)
{
    char text[2048];
    size_t at = 0;
    for (size_t i = 0; i < simulation->top_count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "0.%zu a-z:%lu\n", 100 - i,
                               (unsigned long)simulation->top[i]);
    for (unsigned n = 1; n < VERSION_LEVEL_COUNT; n++) {
        if (simulation->levels[n] > 0)
            at += (size_t)snprintf(text + at, sizeof text - at, "%u.1 a-z:%lu\n", n,
                                   (unsigned long)simulation->levels[n]);
    }
    text[at] = '\0';
    parse(fixture, text);
}

static void simulate_job(struct simulation *simulation, const struct compaction_job *job)
{
    size_t first = job->inputs[0].run, taken = 0;
    uint64_t sum = job->input_bytes;
    for (size_t i = 0; i < job->input_count; i++)
        taken += job->inputs[i].level == 0;
    memmove(&simulation->top[first], &simulation->top[first + taken],
            (simulation->top_count - first - taken) * sizeof simulation->top[0]);
    simulation->top_count -= taken;
    for (size_t i = 0; i < job->input_count; i++) {
        if (job->inputs[i].level > 0)
            simulation->levels[job->inputs[i].level] = 0;
    }
    if (job->target_level == 0) {
        memmove(&simulation->top[first + 1], &simulation->top[first],
                (simulation->top_count - first) * sizeof simulation->top[0]);
        simulation->top[first] = sum;
        simulation->top_count++;
    } else {
        simulation->levels[job->target_level] += sum;
    }
    if (job->kind == COMPACTION_MERGE)
        simulation->written += sum;
}

/* Under random writes compaction comes to rest after each flush, with few runs, little beside the last level, and a byte is rewritten a bounded number of
 * times. (Segments are as large as their level here, the worst case for each step.) */
static void compaction_pick_random_load_settles_with_bounded_cost(void **state)
{
    (void)state;
    struct simulation simulation = {.top_count = 0};
    uint64_t flushed = 0;
    for (int flush = 0; flush < 3000; flush++) {
        memmove(&simulation.top[1], &simulation.top[0], simulation.top_count * sizeof simulation.top[0]);
        simulation.top[0] = 20;
        simulation.top_count++;
        flushed += 20;
        for (int jobs = 0;; jobs++) {
            struct fixture fixture;
            struct compaction_job job;
            simulate_shape(&fixture, &simulation);
            assert_int_equal(compaction_pick(&job, &fixture.shape, &options).code, KVS_OK);
            if (job.kind != COMPACTION_NONE)
                simulate_job(&simulation, &job);
            bool is_done = job.kind == COMPACTION_NONE;
            compaction_job_fini(&job);
            if (is_done)
                break;
            assert_true(jobs < 20);
        }
        assert_true(simulation.top_count < COMPACTION_RUNS_MAX);
    }
    uint64_t total = 0;
    for (unsigned n = 1; n < VERSION_LEVEL_COUNT; n++)
        total += simulation.levels[n];
    for (size_t i = 0; i < simulation.top_count; i++)
        total += simulation.top[i];
    assert_int_equal(total, flushed);
    assert_true(simulation.levels[VERSION_LEVEL_COUNT - 1] * 125 > total * 100);
    print_message("rewritten %.1f times, %zu runs in level 0\n", (double)simulation.written / (double)flushed,
                  simulation.top_count);
    assert_true(simulation.written < flushed * 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compaction_pick_in_shape_does_nothing),
        cmocka_unit_test(compaction_pick_four_runs_go_to_the_base_level),
        cmocka_unit_test(compaction_pick_runs_too_small_for_the_base_are_merged_with_each_other),
        cmocka_unit_test(compaction_pick_twelve_runs_go_down_whatever_it_costs),
        cmocka_unit_test(compaction_pick_segments_that_overlap_nothing_are_moved),
        cmocka_unit_test(compaction_pick_level_over_its_target_gives_the_least_overlap),
        cmocka_unit_test(compaction_pick_neighbours_within_the_overlap_go_along),
        cmocka_unit_test(compaction_pick_tombstones_go_down_early),
        cmocka_unit_test(compaction_pick_busy_segments_are_left_alone),
        cmocka_unit_test(compaction_pick_level_that_lost_its_reason_is_drained),
        cmocka_unit_test(compaction_pick_runs_in_a_low_level_become_one),
        cmocka_unit_test(compaction_pick_all_takes_everything),
        cmocka_unit_test(compaction_targets_count_up_from_the_last_level),
        cmocka_unit_test(compaction_debt_counts_what_is_to_be_rewritten),
        cmocka_unit_test(compaction_pick_random_load_settles_with_bounded_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
