/* sim.h -- one round of the simulation: what its parts share.
 *
 * Role      A round is one seed: a database on a simulated disk, its threads and its users fibers of one thread, and an oracle that knows what it must hold. Generations
 *           follow each other: open, check, work, stop (cleanly, by a power cut or by a kill, at any I/O call), and again.
 *
 *               engine -> tap (learns the commit order) -> trace (if asked for) -> fault -> mem (the disk)
 *
 * Threads   One real thread; fibers switch only inside calls of the engine and of io.
 * Failure   A broken promise ends the process through sim_fail, which prints the seed, the last operations, and the command that repeats them.
 */
#ifndef KVS_TESTS_SIM_SIM_H
#define KVS_TESTS_SIM_SIM_H

#include "db/db.h"
#include "io/io_fault.h"
#include "io/io_fiber.h"
#include "io/io_mem.h"
#include "io/io_seed.h"
#include "io/io_trace.h"
#include "kvstore.h"
#include "sim_data.h"
#include "sim_lost.h"
#include "sim_oracle.h"
#include "sim_report.h"
#include "sim_tap.h"

#include <stdio.h>

enum { SIM_WRITERS_MAX = 4, SIM_READERS_MAX = 3 };

#define SIM_FOLDER "/db"

/* What an operation that is left out takes, so that the others come about when they did. */
#define SKIPPED_NS UINT64_C(10000)

/* The size of the disk while it is not meant to be full. */
#define SIM_DISK_BYTES (UINT64_C(1) << 30)

/* What the command line says; 0 leaves it to the seed.
 *
 * operations   per fiber and generation, at most
 * generations  at most
 * writers      at most
 * no_*         leave out readers, the caretaker (flush, compact, full disks...), or injected faults: to narrow a failure down
 * full_disks   every round is tight, not one in four
 * drop_sync    a row of the durability ledger whose syncs do nothing: the simulation must fail then */
struct sim_config {
    uint64_t seed;
    uint64_t rounds;
    uint64_t operations;
    uint64_t generations;
    uint64_t writers;
    uint64_t drop_sync;
    bool no_readers, no_caretaker, no_faults;
    bool full_disks;
    bool verbose;
    FILE *trace;
};

/* What goes wrong in a generation, beside the crash at its end. */
enum sim_trouble { TROUBLE_NONE, TROUBLE_SLOW, TROUBLE_FAULT };

/* options      of the open database
 * generation   from 0
 * is_tight     the disk is full most of the time, and when the database is opened
 * trouble      of this generation
 * full         the disk is full, or was a moment ago: writes may be refused
 * room_ns      when that was last over in this generation
 * is_closing   what a full disk keeps from the log is answered UNKNOWN now
 * is_adopted   the state that recovery found was checked and is where history goes on: what is promised from now on counts
 * changed_ns   when a write or sync last succeeded
 * poisoned     a write was refused because of an earlier failure: none that begins later may succeed
 * latest_published   for checking that the number never goes back
 * pending_callbacks  asked for and not come yet
 * writers_left       writers that have not finished
 * is_cut             the disk was just switched on after a power cut */
struct sim {
    const struct sim_config *config;
    uint64_t seed;
    struct io_seed random;
    struct sim_data data;
    struct oracle oracle;
    struct sim_lost lost;
    struct sim_report report;
    struct io_scheduler *scheduler;
    struct io_mem *mem;
    struct io_fault *fault;
    struct io_trace *trace;
    struct sim_tap *tap;
    struct io *io;
    struct kvs_db *db;
    struct kvs_options options;
    uint64_t generation;
    uint64_t operations;
    enum sim_trouble trouble;
    bool is_tight, full, is_closing, is_adopted, poisoned;
    uint64_t room_ns;
    uint64_t changed_ns;
    uint64_t latest_published;
    uint64_t pending_callbacks;
    unsigned writers_left;
    bool is_cut;
};

/* A user of the database: a fiber with random numbers of its own, drawn anew for each operation, so that leaving one out does not change the others. */
struct sim_user {
    struct sim *sim;
    char name[8];
    uint64_t seed;
    struct io_seed random;
    struct io_thread thread;
};

/* A number below limit; true one time in so many. */
static inline uint64_t sim_below(struct io_seed *random, uint64_t limit)
{
    return io_seed_below(random, limit);
}

static inline bool sim_one_in(struct io_seed *random, uint64_t limit)
{
    return io_seed_below(random, limit) == 0;
}

/* One of the few keys that are written and read more often than others. */
static inline uint32_t sim_hot_key(struct io_seed *random, uint64_t key_count)
{
    return (uint32_t)(sim_below(random, key_count < 8 ? key_count : 8) * 5 % key_count);
}

uint64_t sim_now_ns(const struct sim *sim);

void sim_sleep(struct sim *sim, uint64_t ns);

/* Whether the power is gone. */
bool sim_has_crashed(const struct sim *sim);

/* Whether an operation of the present generation may fail at all. */
bool sim_may_fail(const struct sim *sim);

/* The published number, checked never to go back. */
uint64_t sim_published(struct sim *sim);

/* Fail unless status is OK or the generation explains its failure, NO_SPACE by a disk that was full at some time since begun_ns. what: for the report. Returns whether it is
 * OK. Reads fail only when the power is gone. */
bool sim_accept(struct sim *sim, const char *who, const char *what, uint64_t begun_ns, struct kvs_status status);
bool sim_accept_read(struct sim *sim, const char *who, const char *what, struct kvs_status status);

/* Bodies of fibers; argument is a sim_user. */
void sim_writer_body(void *user);
void sim_reader_body(void *user);
void sim_caretaker_body(void *user);

/* Check that a database just opened is in one of history's states, that this state has everything that must have survived, and that it reads the same in every way.
 *
 * required  the sequence number that must be there
 * adopt     cut from the model what recovery cut: history goes on from here
 * Returns false if the power went meanwhile. */
bool sim_check_state(struct sim *sim, uint64_t required, bool adopt);

/* Wait until the engine has cleaned up, and check that the folder holds what is listed and nothing else. Returns false if the power went. */
bool sim_check_folder(struct sim *sim);

/* What a generation is like, drawn from sim->random: what options it is opened with, what fails or is slow (rules for sim->fault), and when it crashes. */
struct kvs_options sim_draw_options(struct sim *sim);
void sim_draw_trouble(struct sim *sim);
void sim_draw_crash(struct sim *sim);

/* Whether the disk that a generation begins with is full. */
void sim_draw_room(struct sim *sim);

/* Leave room for so many bytes, or for all. Who makes room knows until when writes may still be refused. */
void sim_fill_disk(struct sim *sim, uint64_t rest_bytes);
void sim_empty_disk(struct sim *sim);

/* The disk, and the io between it and the engine: made before an open and taken down after the close. */
void sim_use_disk(struct sim *sim, struct io_mem *mem);
void sim_io_up(struct sim *sim);
void sim_io_down(struct sim *sim);

/* The disk of the next generation: that of this one as it is, or what a kill or a power cut leaves of it; perhaps after a look at another such end.
 *
 * is_clean  the close succeeded, so that it may go on as it is
 * was_open  it was opened in this generation */
void sim_next_disk(struct sim *sim, bool is_clean, bool was_open);

/* One whole round. */
void sim_run_round(const struct sim_config *config, uint64_t seed);

#endif
