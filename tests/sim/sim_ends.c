/* Between generations: what a kill or a power cut leaves, and looks at other ends of the same crash. */

#include "sim.h"

#include <string.h>

static void note_cut(struct sim *sim)
{
    struct oracle *oracle = &sim->oracle;
    oracle->acknowledged = oracle->kill_floor;
    oracle->interval_ns = (uint64_t)sim->options.sync_interval_ms * 1000000;
    oracle->crash_ns = sim->changed_ns;
    oracle->may_be_late = sim->trouble != TROUBLE_NONE || sim->full;
    oracle->room_ns = sim->room_ns;
    /* Where the power went before the state was checked, how old its records are is not known. */
    oracle->check_interval = sim->options.sync_mode == KVS_SYNC_INTERVAL && sim->is_adopted;
}

/* What another end of a crash is. */
enum end { END_KILLED, END_CUT, END_TORN };

static const char *const end_names[] = {"killed", "power cut", "power cut, and the last edit of the manifest damaged"};

static void use_end(struct sim *sim, enum end end)
{
    struct io_mem *mem = sim->mem;
    enum io_mem_keep keep = (enum io_mem_keep)sim_below(&sim->random, IO_MEM_KEEP_COUNT);
    sim_use_disk(sim, end == END_KILLED ? io_mem_clone_after_kill(mem)
                                        : io_mem_clone_after_power_cut(mem, io_seed_next(&sim->random), keep));
    io_mem_set_capacity(sim->mem, SIM_DISK_BYTES);
    sim->trouble = TROUBLE_NONE;
    sim->full = false;
    sim_note(sim, "aside: another end: %s, keeps %s", end_names[end],
             end == END_KILLED ? "all" : io_mem_keep_name(keep));
    if (end != END_KILLED)
        sim_lost_note_cut(sim);
}

/* A log that the damaged edit dropped, after a flush, need not have been synced, and later records say that what it held was durable: that is refused, as any
 * damage is that cannot be mended. */
static bool is_refused_damage(enum end end, struct kvs_status status)
{
    return end == END_TORN && status.code == KVS_CORRUPT && strstr(kvs_status_text(status), "replay rule 3") != NULL;
}

/* Open it and check it. A damaged edit takes back what it said, and perhaps a log with all that is in it, but no file that the state before it needs. */
static void check_end(struct sim *sim, enum end end, uint64_t required)
{
    struct sim_look look;
    sim->options = sim_draw_options(sim);
    sim->options.read_only = sim_one_in(&sim->random, 4);
    sim_look_at(sim, &look);
    sim_lost_note_torn(sim, &look, true);
    sim_io_up(sim);
    uint64_t calls = io_mem_call_count(sim->mem);
    struct kvs_status status = db_open(&sim->db, sim->io, SIM_FOLDER, &sim->options);
    if (kvs_ok(status)) {
        sim->latest_published = 0;
        sim->oracle.next_first = kvs_applied_sequence(sim->db) + 1;
        sim_lost_check(sim, false);
        (void)sim_check_state(sim, required, false);
        if (sim->options.read_only && io_mem_call_count(sim->mem) > calls + 1)
            sim_fail(sim, "a database that was opened read-only was changed");
        status = kvs_close(sim->db);
    }
    if (!kvs_ok(status) && !is_refused_damage(end, status) &&
        !(sim->options.read_only && status.code == KVS_NOT_FOUND && required == 0))
        sim_fail(sim, "aside: %s: %s", status_code_name(status.code), kvs_status_text(status));
    sim->db = NULL;
    sim_io_down(sim);
}

/* Look at another end of the same crash, and forget it. */
static void look_aside(struct sim *sim, enum end end)
{
    struct io_mem *mem = sim->mem;
    uint64_t required = end == END_KILLED ? sim->oracle.kill_floor : sim->oracle.power_floor;
    bool check_interval = sim->oracle.check_interval;
    uint64_t next_first = sim->oracle.next_first;
    struct sim_lost lost = sim->lost;
    use_end(sim, end);
    if (end == END_TORN) {
        struct sim_look look;
        sim_look_at(sim, &look);
        if (sim_look_tear(sim, &look))
            required = 0;
        else
            end = END_CUT;
    }
    sim->oracle.check_interval = check_interval && end == END_CUT;
    check_end(sim, end, required);
    io_mem_free(sim->mem);
    sim->mem = mem;
    sim->lost = lost;
    sim->oracle.check_interval = check_interval;
    sim->oracle.next_first = next_first;
}

static void kill_or_cut(struct sim *sim)
{
    struct io_mem *old = sim->mem;
    if (sim_one_in(&sim->random, 3)) {
        sim_note(sim, "killed");
        sim->oracle.check_interval = false;
        sim_use_disk(sim, io_mem_clone_after_kill(old));
    } else {
        enum io_mem_keep keep = (enum io_mem_keep)sim_below(&sim->random, IO_MEM_KEEP_COUNT);
        sim_note(sim, "power cut, keeps %s", io_mem_keep_name(keep));
        sim->oracle.kill_floor = sim->oracle.power_floor;
        sim_lost_note_cut(sim);
        sim->is_cut = true;
        sim_use_disk(sim, io_mem_clone_after_power_cut(old, io_seed_next(&sim->random), keep));
    }
    io_mem_free(old);
}

void sim_next_disk(struct sim *sim, bool is_clean, bool was_open)
{
    sim->is_cut = false;
    if (was_open)
        note_cut(sim);
    if (is_clean && sim_one_in(&sim->random, 2))
        return;
    if (sim_one_in(&sim->random, 3))
        look_aside(sim, (enum end)sim_below(&sim->random, 3));
    kill_or_cut(sim);
}
