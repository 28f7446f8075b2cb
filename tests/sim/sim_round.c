/* One round: generations of a database, and what happens to its disk between them. */

#include "sim.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TRACE_BYTES = 32 << 20 };

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
    if (published < sim->latest_published || published >= sim->oracle.next_first)
        sim_fail(sim, "%llu is published; before it was %llu, and the next batch gets %llu",
                 (unsigned long long)published, (unsigned long long)sim->latest_published,
                 (unsigned long long)sim->oracle.next_first);
    sim->latest_published = published;
    return published;
}

bool sim_accept(struct sim *sim, const char *who, const char *what, struct kvs_status status)
{
    if (kvs_ok(status))
        return true;
    bool explained = sim_may_fail(sim) || (status.code == KVS_NO_SPACE && sim->full);
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

/* ---- What a generation is like ---- */

static uint64_t draw_size(struct io_seed *random, uint64_t least, uint64_t doublings)
{
    uint64_t size = least << sim_below(random, doublings);
    return size + sim_below(random, size);
}

static struct kvs_options draw_options(struct sim *sim)
{
    struct io_seed *random = &sim->random;
    struct kvs_options options;
    kvs_options_default(&options);
    options.memory_bytes = draw_size(random, 1 << 20, 4);
    options.memtable_bytes = draw_size(random, 4096, 4);
    options.block_bytes = (uint32_t)draw_size(random, 256, 4);
    options.segment_bytes = draw_size(random, 4096, 5);
    options.level_base_bytes = draw_size(random, 4096, 6);
    options.compression = sim_one_in(random, 2) ? KVS_COMPRESSION_NONE : KVS_COMPRESSION_ZSTD;
    options.filter_bits_per_key = sim_one_in(random, 3) ? 0 : (uint32_t)sim_below(random, 20) + 1;
    options.sync_mode = sim_one_in(random, 2) ? KVS_SYNC_ALWAYS : (enum kvs_sync_mode)sim_below(random, 3);
    options.sync_interval_ms = (uint32_t)(1 + sim_below(random, 40));
    options.log = sim_engine_log;
    options.log_context = sim;
    return options;
}

static void draw_slowness(struct sim *sim)
{
    io_fault_add(sim->fault, &(struct io_fault_rule){.call = IO_CALL_SYNC,
                                                     .nth = 1,
                                                     .for_good = true,
                                                     .action = IO_FAULT_DELAY,
                                                     .delay_ns = draw_size(&sim->random, 10000, 9)});
    if (sim_one_in(&sim->random, 3))
        io_fault_add(sim->fault, &(struct io_fault_rule){.call = IO_CALL_WRITE,
                                                         .nth = 1,
                                                         .for_good = true,
                                                         .action = IO_FAULT_DELAY,
                                                         .delay_ns = draw_size(&sim->random, 1000, 10)});
}

static void draw_fault(struct sim *sim)
{
    static const enum io_call calls[] = {IO_CALL_SYNC,           IO_CALL_SYNC,   IO_CALL_SYNC,        IO_CALL_SYNC,
                                         IO_CALL_WRITE,          IO_CALL_WRITE,  IO_CALL_PREALLOCATE, IO_CALL_RENAME,
                                         IO_CALL_DIRECTORY_SYNC, IO_CALL_UNLINK, IO_CALL_OPEN};
    struct io_seed *random = &sim->random;
    struct io_fault_rule rule = {.call = calls[sim_below(random, sizeof calls / sizeof *calls)],
                                 .nth = 1 + sim_below(random, sim_one_in(random, 2) ? 12 : 80),
                                 .for_good = sim_one_in(random, 3),
                                 .sys_errno = EIO};
    if (rule.call == IO_CALL_WRITE && sim_one_in(random, 2)) {
        rule.action = IO_FAULT_SHORT;
        rule.landed_bytes = sim_below(random, 300);
        rule.sys_errno = sim_one_in(random, 2) ? EIO : ENOSPC;
        /* A full disk is waited for: it has to end. */
        rule.for_good = rule.for_good && rule.sys_errno == EIO;
    }
    if (rule.call == IO_CALL_OPEN)
        rule.sys_errno = EMFILE;
    if (sim_one_in(random, 2))
        rule.name_part = sim_one_in(random, 2) ? ".log" : sim_one_in(random, 2) ? ".seg" : "MANIFEST";
    io_fault_add(sim->fault, &rule);
    sim_note(sim, "fault: %s number %llu of %s%s, errno %d", io_call_name(rule.call), (unsigned long long)rule.nth,
             rule.name_part == NULL ? "any file" : rule.name_part, rule.for_good ? " for good" : "", rule.sys_errno);
}

static void draw_trouble(struct sim *sim)
{
    uint64_t choice = sim_below(&sim->random, 10);
    sim->trouble = choice < 6 || sim->config->no_faults ? TROUBLE_NONE : choice < 8 ? TROUBLE_SLOW : TROUBLE_FAULT;
    if (sim->trouble == TROUBLE_SLOW)
        draw_slowness(sim);
    if (sim->trouble == TROUBLE_FAULT)
        draw_fault(sim);
}

static void draw_crash(struct sim *sim)
{
    struct io_seed *random = &sim->random;
    uint64_t choice = sim_below(random, 8), calls;
    if (choice < 3)
        return;
    if (choice < 5)
        calls = 1 + sim_below(random, 25);
    else
        calls = 20 + sim_below(random, choice == 5 ? 100 : 600);
    enum io_mem_moment moment = (enum io_mem_moment)sim_below(random, 3);
    io_mem_crash_at(sim->mem, io_mem_call_count(sim->mem) + calls, moment);
    sim_note(sim, "crash planned in %llu calls, moment %d", (unsigned long long)calls, (int)moment);
}

/* ---- Disk and io ---- */

static void io_up(struct sim *sim)
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

static void io_down(struct sim *sim)
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

static void use_disk(struct sim *sim, struct io_mem *mem)
{
    KVS_ASSERT(mem != NULL);
    io_mem_set_scheduler(mem, sim->scheduler);
    sim->mem = mem;
}

/* ---- Opening and closing ---- */

static bool open_database(struct sim *sim)
{
    sim->poisoned = sim->is_adopted = false;
    sim->latest_published = 0;
    struct kvs_status status = db_open(&sim->db, sim->io, SIM_FOLDER, &sim->options);
    sim_note(sim, "open: memtable %llu, block %u, segment %llu, level %llu, mode %d, interval %u -> %s",
             (unsigned long long)sim->options.memtable_bytes, sim->options.block_bytes,
             (unsigned long long)sim->options.segment_bytes, (unsigned long long)sim->options.level_base_bytes,
             (int)sim->options.sync_mode, sim->options.sync_interval_ms, status_code_name(status.code));
    if (!sim_accept(sim, "main", "open", status)) {
        sim->db = NULL;
        return false;
    }
    sim->oracle.next_first = kvs_applied_sequence(sim->db) + 1;
    return true;
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
    uint64_t applied = kvs_applied_sequence(sim->db);
    struct kvs_status status = kvs_close(sim->db);
    sim_note(sim, "close -> %s", status_code_name(status.code));
    bool is_clean = sim_accept(sim, "main", "close", status);
    if (status.code == KVS_BUSY)
        sim_fail(sim, "close: %s", kvs_status_text(status));
    if (sim->pending_callbacks != 0)
        sim_fail(sim, "%llu callbacks have not come", (unsigned long long)sim->pending_callbacks);
    if (is_clean && !may_fail && oracle_awaits(&sim->oracle))
        sim_fail(sim, "a batch was applied and is in no log after a clean close");
    if (is_clean && sim->is_adopted)
        oracle_acknowledge(sim, applied, true);
    sim->db = NULL;
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

/* Whatever was full or slow, a write succeeds in the end. */
static void write_at_last(struct sim *sim)
{
    struct model_change change = {0, sim_data_new_value(&sim->data)};
    struct kvs_slice value = sim_data_make_value(&sim->data, change.value);
    struct intent *intent = oracle_intend(sim, &change, 1);
    struct kvs_status status = kvs_put(sim->db, sim->data.keys[0], value, NULL);
    sim_note(sim, "main put 0 = %u -> %s, %llu", change.value, status_code_name(status.code),
             (unsigned long long)intent->last);
    if (sim_accept(sim, "main", "put", status))
        oracle_acknowledge(sim, intent->last, false);
    if (kvs_ok(status) || status.code == KVS_UNKNOWN)
        oracle_release(intent, kvs_ok(status));
    else
        oracle_refuse(sim, intent);
    free((void *)(uintptr_t)value.data);
}

static void work(struct sim *sim, uint64_t required)
{
    if (!sim_check_state(sim, required, true))
        return;
    if (sim_one_in(&sim->random, 6) && sim->trouble == TROUBLE_NONE && !sim_check_folder(sim))
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

/* ---- Between generations ---- */

static void note_cut(struct sim *sim)
{
    struct oracle *oracle = &sim->oracle;
    oracle->acknowledged = oracle->kill_floor;
    oracle->interval_ns = (uint64_t)sim->options.sync_interval_ms * 1000000;
    oracle->crash_ns = sim->changed_ns;
    oracle->may_be_late = sim->trouble != TROUBLE_NONE || sim->was_full;
    oracle->check_interval = sim->options.sync_mode == KVS_SYNC_INTERVAL;
}

/* Look at another end of the same crash, and forget it. */
static void look_aside(struct sim *sim, bool killed)
{
    struct io_mem *mem = sim->mem;
    enum io_mem_keep keep = (enum io_mem_keep)sim_below(&sim->random, IO_MEM_KEEP_COUNT);
    uint64_t required = killed ? sim->oracle.kill_floor : sim->oracle.power_floor;
    bool check_interval = sim->oracle.check_interval;
    uint64_t next_first = sim->oracle.next_first;
    sim->oracle.check_interval = check_interval && !killed;
    use_disk(sim, killed ? io_mem_clone_after_kill(mem)
                         : io_mem_clone_after_power_cut(mem, io_seed_next(&sim->random), keep));
    io_mem_set_capacity(sim->mem, SIM_DISK_BYTES);
    sim->trouble = TROUBLE_NONE;
    sim->full = false;
    sim_note(sim, "aside: another end, %s", killed ? "killed" : io_mem_keep_name(keep));
    sim->options = draw_options(sim);
    sim->options.read_only = sim_one_in(&sim->random, 4);
    io_up(sim);
    uint64_t calls = io_mem_call_count(sim->mem);
    struct kvs_status status = db_open(&sim->db, sim->io, SIM_FOLDER, &sim->options);
    if (kvs_ok(status)) {
        sim->latest_published = 0;
        sim->oracle.next_first = kvs_applied_sequence(sim->db) + 1;
        (void)sim_check_state(sim, required, false);
        if (sim->options.read_only && io_mem_call_count(sim->mem) > calls + 1)
            sim_fail(sim, "a database that was opened read-only was changed");
        status = kvs_close(sim->db);
    }
    if (!kvs_ok(status) && !(sim->options.read_only && status.code == KVS_NOT_FOUND && required == 0))
        sim_fail(sim, "aside: %s: %s", status_code_name(status.code), kvs_status_text(status));
    sim->db = NULL;
    io_down(sim);
    io_mem_free(sim->mem);
    sim->mem = mem;
    sim->oracle.check_interval = check_interval;
    sim->oracle.next_first = next_first;
}

static void kill_or_cut(struct sim *sim)
{
    struct io_mem *old = sim->mem;
    if (sim_one_in(&sim->random, 3)) {
        sim_note(sim, "killed");
        sim->oracle.check_interval = false;
        use_disk(sim, io_mem_clone_after_kill(old));
    } else {
        enum io_mem_keep keep = (enum io_mem_keep)sim_below(&sim->random, IO_MEM_KEEP_COUNT);
        sim_note(sim, "power cut, keeps %s", io_mem_keep_name(keep));
        sim->oracle.kill_floor = sim->oracle.power_floor;
        use_disk(sim, io_mem_clone_after_power_cut(old, io_seed_next(&sim->random), keep));
    }
    io_mem_free(old);
}

static void next_disk(struct sim *sim, enum ending ending, bool was_open)
{
    if (was_open)
        note_cut(sim);
    if (ending == ENDED_CLEAN && sim_one_in(&sim->random, 2))
        return;
    if (sim_one_in(&sim->random, 3))
        look_aside(sim, sim_one_in(&sim->random, 3));
    kill_or_cut(sim);
}

/* ---- Generations ---- */

/* Open, check, work, close. was_open: out, whether the database has served. */
static enum ending run_generation(struct sim *sim, bool *was_open)
{
    uint64_t required = sim->oracle.kill_floor;
    sim->operations = sim->config->operations != 0 ? sim->config->operations : 3 + sim_below(&sim->random, 24);
    sim->was_full = false;
    sim->changed_ns = sim_now_ns(sim);
    sim->options = draw_options(sim);
    io_up(sim);
    draw_trouble(sim);
    draw_crash(sim);
    bool is_clean = false;
    *was_open = open_database(sim);
    if (*was_open) {
        work(sim, required);
        is_clean = close_database(sim);
    }
    oracle_end_generation(sim);
    bool has_crashed = sim_has_crashed(sim);
    io_down(sim);
    return has_crashed && !is_clean ? ENDED_CRASHED : is_clean ? ENDED_CLEAN : ENDED_BROKEN;
}

/* Without trouble everything is in order at last. */
static void run_last_generation(struct sim *sim)
{
    sim->options = draw_options(sim);
    sim->trouble = TROUBLE_NONE;
    sim->full = false;
    io_mem_set_capacity(sim->mem, SIM_DISK_BYTES);
    io_up(sim);
    if (open_database(sim)) {
        (void)sim_check_state(sim, sim->oracle.kill_floor, true);
        write_at_last(sim);
        (void)sim_check_folder(sim);
        (void)sim_accept_read(sim, "main", "verify", kvs_verify(sim->db, NULL, NULL));
        (void)close_database(sim);
    }
    oracle_end_generation(sim);
    io_down(sim);
}

static void round_body(void *argument)
{
    struct sim *sim = argument;
    uint64_t generations = 2 + sim_below(&sim->random, 5);
    if (sim->config->generations != 0 && generations > sim->config->generations)
        generations = sim->config->generations;
    use_disk(sim, io_mem_new(io_seed_next(&sim->random), sim->scheduler));
    io_mem_set_capacity(sim->mem, SIM_DISK_BYTES);
    for (; sim->generation < generations; sim->generation++) {
        bool was_open;
        sim_note(sim, "---- generation %llu", (unsigned long long)sim->generation);
        /* The scheduler's choices are its own: what a generation draws does not depend on the one before. */
        sim->random = io_seed_of(hash_mix(sim->seed, 1000 + sim->generation));
        enum ending ending = run_generation(sim, &was_open);
        next_disk(sim, ending, was_open);
        if (sim_one_in(&sim->random, 2) || !sim->full) {
            sim->full = false;
            io_mem_set_capacity(sim->mem, SIM_DISK_BYTES);
        }
    }
    sim_note(sim, "---- last generation");
    run_last_generation(sim);
}

void sim_run_round(const struct sim_config *config, uint64_t seed)
{
    struct sim *sim = calloc(1, sizeof *sim);
    KVS_ASSERT(sim != NULL);
    sim->config = config;
    sim->seed = seed;
    sim->random = io_seed_of(seed);
    sim_data_init(&sim->data, io_seed_next(&sim->random), 20 + sim_below(&sim->random, 150));
    oracle_init(&sim->oracle, sim->data.key_count);
    sim->scheduler = io_scheduler_new(io_seed_next(&sim->random));
    KVS_ASSERT(sim->scheduler != NULL);
    sim_report_begin(sim);
    io_scheduler_run(sim->scheduler, round_body, sim);
    sim_report_begin(NULL);
    io_mem_free(sim->mem);
    io_scheduler_free(sim->scheduler);
    oracle_fini(&sim->oracle);
    sim_data_fini(&sim->data);
    free(sim);
}
