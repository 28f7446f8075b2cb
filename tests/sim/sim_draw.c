/* What a generation is like: its options, what goes wrong in it, and when the power goes. */

#include "sim.h"

#include <errno.h>

/* Half of these do not suffice for a new manifest and a new log. */
enum { TIGHT_PAGES = 64 };

static uint64_t draw_size(struct io_seed *random, uint64_t least, uint64_t doublings)
{
    uint64_t size = least << sim_below(random, doublings);
    return size + sim_below(random, size);
}

/* The defaults depend on the machine's memory, which is asked for by opening files: once. */
static const struct kvs_options *default_options(void)
{
    static struct kvs_options options;
    if (options.memory_bytes == 0)
        kvs_options_default(&options);
    return &options;
}

struct kvs_options sim_draw_options(struct sim *sim)
{
    struct io_seed *random = &sim->random;
    struct kvs_options options = *default_options();
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

/* Mostly as a fast disk that is busy; now and then syncs that take longer than an interval. */
static void draw_slowness(struct sim *sim)
{
    uint64_t least_ns = sim_one_in(&sim->random, 4) ? 2000000 : 10000;
    io_fault_add(sim->fault, &(struct io_fault_rule){.call = IO_CALL_SYNC,
                                                     .nth = 1,
                                                     .for_good = true,
                                                     .action = IO_FAULT_DELAY,
                                                     .delay_ns = draw_size(&sim->random, least_ns, 8)});
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
    if (rule.call == IO_CALL_OPEN) {
        rule.sys_errno = EMFILE;
        rule.for_good = false; /* waited for, too */
    }
    if (rule.action == IO_FAULT_SHORT && rule.sys_errno == ENOSPC)
        rule.name_part = ".log";
    else if (sim_one_in(random, 2))
        rule.name_part = sim_one_in(random, 2) ? ".log" : sim_one_in(random, 2) ? ".seg" : "MANIFEST";
    io_fault_add(sim->fault, &rule);
    sim_note(sim, "fault: %s number %llu of %s%s, errno %d", io_call_name(rule.call), (unsigned long long)rule.nth,
             rule.name_part == NULL ? "any file" : rule.name_part, rule.for_good ? " for good" : "", rule.sys_errno);
}

void sim_draw_trouble(struct sim *sim)
{
    uint64_t choice = sim_below(&sim->random, 10);
    sim->trouble = choice < 6 || sim->config->no_faults ? TROUBLE_NONE : choice < 8 ? TROUBLE_SLOW : TROUBLE_FAULT;
    if (sim->trouble == TROUBLE_SLOW)
        draw_slowness(sim);
    if (sim->trouble == TROUBLE_FAULT)
        draw_fault(sim);
}

void sim_draw_room(struct sim *sim)
{
    if (sim->is_tight && !sim_one_in(&sim->random, 4)) {
        uint64_t rest_bytes = sim_below(&sim->random, TIGHT_PAGES) * 4096;
        sim_fill_disk(sim, rest_bytes);
        sim_note(sim, "disk full, but for %llu bytes", (unsigned long long)rest_bytes);
    } else if (sim_one_in(&sim->random, 2) || !sim->full) {
        sim_empty_disk(sim);
        sim->full = false;
    }
}

void sim_draw_crash(struct sim *sim)
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
