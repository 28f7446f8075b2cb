/* One round: generations of a database, and what happens to its disk between them. */

#include "sim.h"

#include "base/assert.h"
#include "zstd_contexts.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* Tells tight rounds from others by their seeds alone: what else is drawn does not depend on it. */
#define TIGHT_SALT UINT64_C(0x7469676874)

enum { TRACE_BYTES = 32 << 20, KEPT_BYTES_MAX = 1 << 20 };

/* How a generation ended. */
enum ending { ENDED_CLEAN, ENDED_BROKEN, ENDED_CRASHED };

/* ---- What others ask ---- */

uint64_t sim_now_ns(const struct sim *sim)
{
    return io_scheduler_now_ns(sim->scheduler);
}

void sim_sleep(struct sim *sim, uint64_t ns)
{
    io_sleep_until(sim->io, sim_now_ns(sim) + ns);
}

bool sim_has_crashed(const struct sim *sim)
{
    return io_mem_has_crashed(sim->mem);
}

bool sim_may_fail(const struct sim *sim)
{
    return sim_has_crashed(sim) || (sim->trouble == TROUBLE_FAULT && io_fault_fired_count(sim->fault) > 0);
}

uint64_t sim_published(struct sim *sim)
{
    uint64_t published = kvs_published_sequence(sim->db);
    oracle_note_published(sim, published);
    if (published < sim->latest_published || published >= sim->oracle.next_first)
        sim_fail(sim, "%llu is published; before it was %llu, and the next batch gets %llu",
                 (unsigned long long)published, (unsigned long long)sim->latest_published,
                 (unsigned long long)sim->oracle.next_first);
    sim->latest_published = published;
    return published;
}

bool sim_accept(struct sim *sim, const char *who, const char *what, uint64_t begun_ns, struct kvs_status status)
{
    if (kvs_ok(status))
        return true;
    bool was_full = sim->full || begun_ns < sim->room_ns;
    bool is_short = status.code == KVS_NO_SPACE || (status.code == KVS_UNKNOWN && sim->is_closing);
    bool explained = sim_may_fail(sim) || (is_short && was_full);
    if (!explained || status.code == KVS_CORRUPT)
        sim_fail(sim, "%s: %s failed: %s: %s (%s:%u)", who, what, status_code_name(status.code),
                 kvs_status_text(status), status.file, status.line);
    if (status.code == KVS_POISONED || status.code == KVS_UNKNOWN)
        sim->poisoned = true;
    return false;
}

bool sim_accept_read(struct sim *sim, const char *who, const char *what, struct kvs_status status)
{
    if (!kvs_ok(status) && (!sim_has_crashed(sim) || status.code == KVS_CORRUPT))
        sim_fail(sim, "%s: %s failed: %s: %s (%s:%u)", who, what, status_code_name(status.code),
                 kvs_status_text(status), status.file, status.line);
    return kvs_ok(status);
}

/* ---- Disk and io ---- */

void sim_io_up(struct sim *sim)
{
    struct io *io = io_mem_as_io(sim->mem);
    sim->fault = io_fault_new(io);
    KVS_ASSERT(sim->fault != NULL);
    if (sim->config->drop_sync != 0)
        io_fault_drop_syncs(sim->fault, (enum io_sync_tag)sim->config->drop_sync);
    io = io_fault_as_io(sim->fault);
    if (sim->config->trace != NULL) {
        sim->trace = io_trace_new(io, TRACE_BYTES);
        KVS_ASSERT(sim->trace != NULL);
        io_trace_set_calls(sim->trace, IO_CALLS_ALL);
        io = io_trace_as_io(sim->trace);
    }
    sim->tap = sim_tap_new(sim, io);
    sim->io = sim_tap_as_io(sim->tap);
}

void sim_io_down(struct sim *sim)
{
    if (io_mem_open_count(sim->mem) != 0)
        sim_fail(sim, "%u files or locks are still open after close", io_mem_open_count(sim->mem));
    sim_tap_free(sim->tap);
    if (sim->trace != NULL)
        fputs(io_trace_text(sim->trace), sim->config->trace);
    io_trace_free(sim->trace);
    io_fault_free(sim->fault);
    sim->trace = NULL;
    sim->fault = NULL;
}

void sim_use_disk(struct sim *sim, struct io_mem *mem)
{
    KVS_ASSERT(mem != NULL);
    io_mem_set_scheduler(mem, sim->scheduler);
    sim->mem = mem;
}

void sim_fill_disk(struct sim *sim, uint64_t rest_bytes)
{
    uint64_t free_bytes = 0;
    sim_empty_disk(sim);
    /* Below the faults, and after a crash, too. */
    struct kvs_status status = io_free_space(io_mem_as_io(sim->mem), &free_bytes, "/");
    KVS_ASSERT(kvs_ok(status) || sim_has_crashed(sim));
    sim->full = true;
    io_mem_set_capacity(sim->mem, SIM_DISK_BYTES - free_bytes + rest_bytes);
}

void sim_empty_disk(struct sim *sim)
{
    io_mem_set_capacity(sim->mem, SIM_DISK_BYTES);
}

/* ---- Opening and closing ---- */

/* exists: a manifest was read; given_out: up to there the logs show sequence numbers. */
static bool open_database(struct sim *sim, bool exists, uint64_t given_out)
{
    sim->poisoned = sim->is_adopted = false;
    sim->latest_published = 0;
    uint64_t begun_ns = sim_now_ns(sim);
    struct kvs_status status = db_open(&sim->db, sim->io, SIM_FOLDER, &sim->options);
    sim_note(sim, "open: memtable %llu, block %u, segment %llu, level %llu, mode %d, interval %u -> %s",
             (unsigned long long)sim->options.memtable_bytes, sim->options.block_bytes,
             (unsigned long long)sim->options.segment_bytes, (unsigned long long)sim->options.level_base_bytes,
             (int)sim->options.sync_mode, sim->options.sync_interval_ms, status_code_name(status.code));
    if (!sim_accept(sim, "main", "open", begun_ns, status)) {
        if (exists && !sim_may_fail(sim))
            sim_fail(sim, "there is a database, and for want of room it is not opened: %s", kvs_status_text(status));
        sim->db = NULL;
        return false;
    }
    oracle_open(sim, given_out, waiting_is_on(&sim->db->waiting));
    return true;
}

/* Open, and see that nothing on the disk was forgotten. */
static bool open_and_look(struct sim *sim)
{
    struct sim_look look;
    sim_look_at(sim, &look);
    sim_lost_check(sim, false);
    sim_lost_note_torn(sim, &look, sim->is_cut);
    bool is_open = open_database(sim, look.is_valid, look.last_sequence);
    sim_lost_check(sim, false);
    if (!is_open)
        return false;
    /* One that was opened without room has not listed the ends of its logs: what it set aside is copied again. */
    if (sim_look_manifest(sim) != look.manifest)
        sim_lost_note_aside(sim);
    return true;
}

/* Nothing was in the way of clearing away: what is left is listed, or was once. */
static void look_for_litter(struct sim *sim)
{
    struct sim_look look;
    sim_look_at(sim, &look);
    for (size_t i = 0; i < look.unlisted_count; i++) {
        if (look.unlisted[i].type == FILE_SEGMENT && !look.was_named[i])
            sim_fail(sim, "segment %llu, which no edit has listed, was left behind by a clean close",
                     (unsigned long long)look.unlisted[i].number);
    }
}

/* What the engine has promised up to now. */
static void note_promises(struct sim *sim)
{
    struct kvs_stats stats;
    if (!sim->is_adopted)
        return;
    kvs_stats(sim->db, &stats);
    oracle_acknowledge(sim, sim_published(sim), false);
    oracle_acknowledge(
        sim, stats.durable_sequence < stats.published_sequence ? stats.durable_sequence : stats.published_sequence,
        true);
}

static bool close_database(struct sim *sim)
{
    note_promises(sim);
    bool may_fail = sim_may_fail(sim);
    uint64_t applied = kvs_applied_sequence(sim->db), begun_ns = sim_now_ns(sim);
    oracle_note_published(sim, kvs_published_sequence(sim->db));
    sim->is_closing = true;
    struct kvs_status status = kvs_close(sim->db);
    sim->is_closing = false;
    sim->db = NULL;
    sim_note(sim, "close -> %s", status_code_name(status.code));
    bool is_clean = sim_accept(sim, "main", "close", begun_ns, status);
    if (status.code == KVS_BUSY)
        sim_fail(sim, "close: %s", kvs_status_text(status));
    if (sim->pending_callbacks != 0)
        sim_fail(sim, "%llu callbacks have not come", (unsigned long long)sim->pending_callbacks);
    if (is_clean && !may_fail && oracle_awaits(&sim->oracle))
        sim_fail(sim, "a batch was applied and is in no log after a clean close");
    if (is_clean && sim->is_adopted)
        oracle_acknowledge(sim, applied, true);
    return is_clean;
}

/* ---- Working ---- */

static void start_user(struct sim *sim, struct sim_user *user, const char *name, unsigned number, void (*body)(void *))
{
    *user = (struct sim_user){.sim = sim};
    snprintf(user->name, sizeof user->name, "%s%u", name, number);
    user->seed = hash_mix(hash_mix(sim->seed, sim->generation), hash_mix((uint64_t)name[0], number));
    struct kvs_status status = io_thread_start(&user->thread, sim->io, user->name, body, user);
    KVS_ASSERT(kvs_ok(status));
}

/* The users of one generation, from first to last. */
static void run_users(struct sim *sim)
{
    struct sim_user users[SIM_WRITERS_MAX + SIM_READERS_MAX + 1];
    unsigned count = 0, writers = 1 + (unsigned)sim_below(&sim->random, SIM_WRITERS_MAX);
    unsigned readers = (unsigned)sim_below(&sim->random, SIM_READERS_MAX);
    bool caretaker = !sim_one_in(&sim->random, 4);
    if (sim->config->writers != 0 && writers > sim->config->writers)
        writers = (unsigned)sim->config->writers;
    sim->writers_left = writers;
    for (unsigned i = 0; i < writers; i++)
        start_user(sim, &users[count++], "w", i, sim_writer_body);
    for (unsigned i = 0; i < readers && !sim->config->no_readers; i++)
        start_user(sim, &users[count++], "r", i, sim_reader_body);
    if (caretaker && !sim->config->no_caretaker)
        start_user(sim, &users[count++], "c", 0, sim_caretaker_body);
    while (count != 0)
        io_thread_join(&users[--count].thread);
}

/* A shortage that is over is not told any more. */
static void check_health(struct sim *sim)
{
    struct kvs_stats stats;
    kvs_stats(sim->db, &stats);
    if (stats.health == KVS_NO_SPACE && !sim_may_fail(sim))
        sim_fail(sim, "the disk has room, and the health check says that it has none");
}

/* Whatever was full or slow, a write succeeds in the end. */
static void write_at_last(struct sim *sim)
{
    struct model_change change = {0, sim_data_new_value(&sim->data)};
    struct kvs_slice value = sim_data_make_value(&sim->data, change.value);
    struct intent *intent = oracle_intend(sim, &change, 1);
    uint64_t begun_ns = sim_now_ns(sim);
    struct kvs_status status = kvs_put(sim->db, sim->data.keys[0], value, NULL);
    sim_note(sim, "main put 0 = %u -> %s, %llu", change.value, status_code_name(status.code),
             (unsigned long long)intent->last);
    if (sim_accept(sim, "main", "put", begun_ns, status))
        oracle_acknowledge(sim, intent->last, false);
    if (kvs_ok(status) || status.code == KVS_UNKNOWN)
        oracle_release(intent, kvs_ok(status));
    else
        oracle_refuse(sim, intent);
    free((void *)(uintptr_t)value.data);
    check_health(sim);
}

static void work(struct sim *sim, uint64_t required)
{
    if (!sim_check_state(sim, required, true))
        return;
    if (sim_one_in(&sim->random, 6) && sim->trouble == TROUBLE_NONE && !sim->full && !sim_check_folder(sim))
        return;
    if (sim_one_in(&sim->random, 6))
        (void)sim_accept_read(sim, "main", "verify", kvs_verify(sim->db, NULL, NULL));
    run_users(sim);
    if (!sim->full)
        write_at_last(sim);
    if (sim_one_in(&sim->random, 3) && !sim_has_crashed(sim)) {
        sim_note(sim, "crash now");
        sim->changed_ns = sim_now_ns(sim);
        io_mem_crash_now(sim->mem);
    }
}

/* ---- Generations ---- */

/* Open, check, work, close. was_open: out, whether the database has served. */
static enum ending run_generation(struct sim *sim, bool *was_open)
{
    uint64_t required = sim->oracle.kill_floor;
    sim->operations = sim->config->operations != 0 ? sim->config->operations : 3 + sim_below(&sim->random, 24);
    sim->room_ns = 0;
    sim->changed_ns = sim_now_ns(sim);
    sim->options = sim_draw_options(sim);
    sim_io_up(sim);
    sim_draw_trouble(sim);
    sim_draw_crash(sim);
    bool is_clean = false, was_waiting = false;
    *was_open = open_and_look(sim);
    if (*was_open) {
        work(sim, required);
        was_waiting = waiting_is_on(&sim->db->waiting);
        is_clean = close_database(sim);
    }
    if (is_clean && sim->trouble == TROUBLE_NONE && !was_waiting && !sim_has_crashed(sim))
        look_for_litter(sim);
    oracle_end_generation(sim);
    bool has_crashed = sim_has_crashed(sim);
    sim_io_down(sim);
    return has_crashed && !is_clean ? ENDED_CRASHED : is_clean ? ENDED_CLEAN : ENDED_BROKEN;
}

/* Without trouble everything is in order at last. */
static void run_last_generation(struct sim *sim)
{
    sim->options = sim_draw_options(sim);
    sim->trouble = TROUBLE_NONE;
    sim->full = false;
    sim_empty_disk(sim);
    sim_io_up(sim);
    if (open_and_look(sim)) {
        (void)sim_check_state(sim, sim->oracle.kill_floor, true);
        write_at_last(sim);
        (void)sim_check_folder(sim);
        (void)sim_accept_read(sim, "main", "verify", kvs_verify(sim->db, NULL, NULL));
        (void)close_database(sim);
    }
    oracle_end_generation(sim);
    sim_io_down(sim);
}

static void round_body(void *argument)
{
    struct sim *sim = argument;
    uint64_t generations = 2 + sim_below(&sim->random, 5);
    if (sim->config->generations != 0 && generations > sim->config->generations)
        generations = sim->config->generations;
    sim_use_disk(sim, io_mem_new(io_seed_next(&sim->random), sim->scheduler));
    sim_empty_disk(sim);
    for (; sim->generation < generations; sim->generation++) {
        bool was_open;
        sim_note(sim, "---- generation %llu", (unsigned long long)sim->generation);
        /* The scheduler's choices are its own: what a generation draws does not depend on the one before. */
        sim->random = io_seed_of(hash_mix(sim->seed, 1000 + sim->generation));
        enum ending ending = run_generation(sim, &was_open);
        sim_next_disk(sim, ending == ENDED_CLEAN, was_open);
        sim_draw_room(sim);
    }
    sim_note(sim, "---- last generation");
    run_last_generation(sim);
}

/* Mostly few keys, so that versions of one key meet in every way, and checks are quick. */
static size_t draw_key_count(struct io_seed *random)
{
    return sim_one_in(random, 4) ? 20 + sim_below(random, 150) : 4 + sim_below(random, 36);
}

static size_t allocated_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    size_t bytes = info.uordblks + info.hblkhd, idle_bytes = zstd_contexts_idle_bytes();
    return bytes < idle_bytes ? 0 : bytes - idle_bytes; /* a sanitizer's allocator tells nothing */
}

/* What rounds leave adds up. The allocator keeps freed blocks for this thread and counts them as used: less than this. */
static void check_memory(struct sim *sim)
{
    static size_t bytes_at_first;
    size_t bytes = allocated_bytes();
    if (bytes_at_first == 0)
        bytes_at_first = bytes;
    if (bytes > bytes_at_first + KEPT_BYTES_MAX)
        sim_fail(sim, "memory has grown by %zu bytes since the first round", bytes - bytes_at_first);
}

void sim_run_round(const struct sim_config *config, uint64_t seed)
{
    struct sim *sim = calloc(1, sizeof *sim);
    KVS_ASSERT(sim != NULL);
    sim->config = config;
    sim->seed = seed;
    sim->random = io_seed_of(seed);
    sim->is_tight = config->full_disks || hash_mix(seed, TIGHT_SALT) % 4 == 0;
    uint64_t seed_of_data = io_seed_next(&sim->random);
    sim_data_init(&sim->data, seed_of_data, draw_key_count(&sim->random));
    oracle_init(&sim->oracle, sim->data.key_count);
    sim->scheduler = io_scheduler_new(io_seed_next(&sim->random));
    KVS_ASSERT(sim->scheduler != NULL);
    sim_report_begin(sim);
    io_scheduler_run(sim->scheduler, round_body, sim);
    io_mem_free(sim->mem);
    io_scheduler_free(sim->scheduler);
    oracle_fini(&sim->oracle);
    sim_data_fini(&sim->data);
    check_memory(sim);
    sim_report_begin(NULL);
    free(sim);
}
