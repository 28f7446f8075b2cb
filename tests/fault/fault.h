/* fault.h -- one case of the fault loops: what its parts share.
 *
 * Role      A case is a scenario (a short program of calls of the engine) in which the Nth call of a kind, or the Nth allocation, fails, once or for good (three seconds of the
 *           simulated clock, since a full disk is waited for). The engine
 *           runs on the simulated disk, its threads fibers of one seeded scheduler, so that the same case is the same run.
 *
 *               engine -> trace (of writes and syncs) -> fault -> mem (the disk)
 *
 *           fault_io.c and fault_memory.c loop over all cases; fault_case.c runs one; fault_steps.c has the calls, each with its oracle; fault_history.c knows what
 *           the database may hold; fault_scenarios.c lists the programs.
 * Threads   One real thread; fibers switch only inside calls of the engine and of io.
 * Failure   A broken promise ends the process through fault_fail, which prints the case and the command that repeats it.
 */
#ifndef KVS_TESTS_FAULT_FAULT_H
#define KVS_TESTS_FAULT_FAULT_H

#include "db/db.h"
#include "fault_history.h"
#include "io/io_fault.h"
#include "io/io_fiber.h"
#include "io/io_mem.h"
#include "io/io_trace.h"
#include "kvstore.h"

#define FAULT_FOLDER "/db"

/* The size of the disk while it is not meant to be full. */
#define FAULT_DISK_BYTES (UINT64_C(1) << 30)

struct fault_bench;

/* What a scenario begins with.
 *
 * IMAGE_EMPTY    a disk without a database
 * IMAGE_CLOSED   a database with runs in several levels, closed
 * IMAGE_KILLED   the same, killed with records in logs that nothing proves
 * IMAGE_TORN     the same, after a power cut with a torn tail */
enum fault_image { IMAGE_EMPTY, IMAGE_CLOSED, IMAGE_KILLED, IMAGE_TORN, IMAGE_COUNT };

struct fault_scenario {
    const char *name;
    enum fault_image image;
    enum kvs_sync_mode mode;
    void (*run)(struct fault_bench *bench);
};

/* What makes calls fail. Each function is given the bench of the case.
 *
 * arm        from now on count, and fail the Nth
 * has_fired  whether it has failed one
 * clear      stop failing
 * may_poison whether such a failure may end writing until the database is reopened */
struct fault_injector {
    void (*arm)(struct fault_bench *bench);
    bool (*has_fired)(const struct fault_bench *bench);
    void (*clear)(struct fault_bench *bench);
    bool (*may_poison)(const struct fault_bench *bench);
};

/* What came of a case, in the order of gravity. */
enum fault_outcome {
    OUTCOME_HELD,    /* no call of the API failed */
    OUTCOME_FAILED,  /* one failed with a clear error and no effect */
    OUTCOME_REFUSED, /* an open failed, and changed nothing that matters */
    OUTCOME_UNKNOWN, /* a write was answered UNKNOWN */
    OUTCOME_COUNT
};

/* scenario  what is run
 * call, sys_errno, is_short, for_good   what fails, and how; fault_memory.c uses for_good only
 * nth       which of them
 * name      of the case, for messages */
struct fault_case {
    const struct fault_scenario *scenario;
    enum io_call call;
    int sys_errno;
    bool is_short;
    bool for_good;
    uint64_t nth;
    uint64_t seed;
    char name[96];
};

/* program    how the case is repeated
 * is_armed   faults may happen now
 * is_over    the scenario and what follows it have ended
 * fired_ns   when the first fault was seen
 * outcome, is_poisoned   for the table
 * next_value of the history */
struct fault_bench {
    const char *program;
    const struct fault_injector *injector;
    struct fault_case what;
    bool is_verbose;
    struct io_scheduler *scheduler;
    struct io_mem *mem;
    struct io_fault *fault;
    struct io_trace *trace;
    struct io *io;
    struct kvs_db *db;
    struct kvs_options options;
    struct fault_history history;
    bool is_armed, is_over;
    uint64_t fired_ns;
    enum fault_outcome outcome;
    bool is_poisoned;
    unsigned next_value;
};

/* ---- A case (fault_case.c) ---- */

/* What came of a case. fired: whether the fault occurred: if not, N is past the last. */
struct fault_verdict {
    bool fired;
    enum fault_outcome outcome;
    bool is_poisoned;
};

/* What came of the cases of a row of a table; of all its cases, those in which the fault occurred. */
struct fault_tally {
    uint64_t outcomes[OUTCOME_COUNT];
    uint64_t cases, poisoned;
};

void fault_tally_add(struct fault_tally *tally, struct fault_verdict verdict);

/* The head of a table: two columns that say which cases, and those of a tally. */
void fault_tally_print_head(const char *first, const char *second);

/* The rest of a row, after the two columns. */
void fault_tally_print(const struct fault_tally *tally);

/* Run a case, look at what it left in every way, and end the process where a promise is broken. */
struct fault_verdict fault_run_case(const struct fault_injector *injector, const struct fault_case *what,
                                    const char *program, bool is_verbose);

/* Free the images that cases begin with. */
void fault_free_images(void);

/* Print the sentence and the case, and end the process. */
__attribute__((format(printf, 2, 3), noreturn)) void fault_fail(const struct fault_bench *bench, const char *format,
                                                                ...);

/* A line for who repeats one case. */
__attribute__((format(printf, 2, 3))) void fault_note(const struct fault_bench *bench, const char *format, ...);

/* Whether the fault has occurred. */
bool fault_has_fired(const struct fault_bench *bench);

/* ---- Steps (fault_steps.c): a call of the API and its oracle ---- */

/* No file whose sync failed was synced again since the database was opened. */
void fault_check_syncs(struct fault_bench *bench);

/* Each returns whether the call succeeded. */
bool step_open(struct fault_bench *bench);
bool step_open_read_only(struct fault_bench *bench);
bool step_close(struct fault_bench *bench);
bool step_put(struct fault_bench *bench, unsigned key, bool sync);
bool step_delete(struct fault_bench *bench, unsigned key);
bool step_batch(struct fault_bench *bench, unsigned count, bool sync);
bool step_sync(struct fault_bench *bench);
bool step_flush(struct fault_bench *bench);
bool step_compact(struct fault_bench *bench);
bool step_verify(struct fault_bench *bench);

/* Two batches through kvs_apply, and their publication through kvs_sync_async. */
bool step_apply(struct fault_bench *bench);

/* All keys: one by one, at once, forwards, backwards. */
bool step_gets(struct fault_bench *bench);
bool step_multi_get(struct fault_bench *bench);
bool step_scan(struct fault_bench *bench, bool backwards);

/* Take a snapshot, change a key, and read both states. */
bool step_snapshot(struct fault_bench *bench);

/* Let the engine's threads work for some time of the simulated clock. */
void step_wait(struct fault_bench *bench, uint64_t ms);

/* ---- Scenarios (fault_scenarios.c) ---- */

extern const struct fault_scenario fault_scenarios[];
extern const size_t fault_scenario_count;

/* Fill the database of an image, which is open, without faults. */
void fault_fill(struct fault_bench *bench);

#endif
