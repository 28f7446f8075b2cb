#include "db/db.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

_Static_assert((int)KVS_LEVEL_COUNT == (int)VERSION_LEVEL_COUNT, "statistics show every level");

static void add_readers(const struct kvs_db *db, struct kvs_stats *stats)
{
    for (int i = 0; i < COUNTER_STRIPES; i++) {
        const struct counter_stripe *stripe = &db->counters[i];
        stats->gets += atomic_load_explicit(&stripe->gets, memory_order_relaxed);
        stats->get_memtable_hits += atomic_load_explicit(&stripe->memtable_hits, memory_order_relaxed);
        stats->get_block_hits += atomic_load_explicit(&stripe->block_hits, memory_order_relaxed);
        stats->get_block_reads += atomic_load_explicit(&stripe->block_reads, memory_order_relaxed);
        stats->filter_rejections += atomic_load_explicit(&stripe->filter_rejections, memory_order_relaxed);
    }
}

static void add_pipeline_locked(const struct commit *commit, struct kvs_stats *stats)
{
    stats->writes = commit->writes;
    stats->write_bytes = commit->write_bytes;
    stats->log_bytes = commit->log_bytes;
    stats->log_writes = commit->log_writes;
    stats->log_syncs = commit->log_syncs;
    stats->log_sync_ns_max = commit->log_sync_ns_max;
    stats->delayed_writes = commit->delayed_writes;
    stats->delay_ns_total = commit->delay_ns_total;
    stats->delay_ns_max = commit->delay_ns_max;
    stats->immutable_memtables = commit->sealed_count;
    stats->health = (enum kvs_code)(commit_has_failed_locked(commit)           ? KVS_POISONED
                                    : !status_is_ok(commit->flush_full.status) ? commit->flush_full.status.code
                                                                               : commit->upkeep_full.status.code);
    for (const struct live_log *log = commit->oldest; log != NULL; log = log->newer)
        stats->live_log_bytes += log->writer == NULL ? 0 : log_writer_allocated_bytes(log->writer);
}

static void add_workers_locked(const struct workers *workers, struct kvs_stats *stats)
{
    stats->flushes = workers->flushes;
    stats->flush_bytes = workers->flush_bytes;
    stats->compactions = workers->compactions;
    stats->compaction_read_bytes = workers->compaction_read_bytes;
    stats->compaction_write_bytes = workers->compaction_write_bytes;
    stats->compaction_debt_bytes = workers->debt_bytes;
}

static void add_memory(const struct kvs_db *db, struct kvs_stats *stats)
{
    stats->memory_used_bytes = memory_budget_total(&db->budget);
    stats->memory_memtable_bytes = memory_budget_used(&db->budget, MEMORY_MEMTABLE);
    stats->memory_block_bytes = memory_budget_used(&db->budget, MEMORY_BLOCK);
    stats->memory_index_bytes = memory_budget_used(&db->budget, MEMORY_INDEX);
    stats->memory_filter_bytes = memory_budget_used(&db->budget, MEMORY_FILTER);
}

static void add_levels(struct kvs_db *db, struct kvs_stats *stats)
{
    struct version *version = version_set_current(db->versions);
    for (unsigned level = 0; level < VERSION_LEVEL_COUNT; level++) {
        struct version_level_size size;
        version_level_size(version, &size, level);
        stats->level_runs[level] = (uint32_t)size.runs;
        stats->level_segments[level] = (uint32_t)size.segments;
        stats->level_bytes[level] = size.bytes;
        stats->segment_bytes += size.bytes;
        stats->segment_entries += size.entries;
        stats->segment_tombstones += size.tombstones;
    }
    version_unref(version);
}

void kvs_stats(const struct kvs_db *const_db, struct kvs_stats *stats)
{
    struct kvs_db *db = (struct kvs_db *)const_db; /* locks, and references that it gives back */
    memset(stats, 0, sizeof *stats);
    stats->applied_sequence = kvs_applied_sequence(db);
    stats->published_sequence = kvs_published_sequence(db);
    stats->durable_sequence = atomic_load_explicit(&db->commit.durable_sequence, memory_order_relaxed);
    io_mutex_lock(&db->commit.lock);
    add_pipeline_locked(&db->commit, stats);
    add_workers_locked(&db->workers, stats);
    if (waiting_is_on(&db->waiting))
        stats->health = db->waiting.shortage.status.code;
    io_mutex_unlock(&db->commit.lock);
    add_readers(db, stats);
    add_memory(db, stats);
    add_levels(db, stats);
    stats->snapshots = snapshots_count(&db->snapshots);
    stats->obsolete_files = version_set_obsolete_count(db->versions);
    stats->recovered_records = db->recovered.records;
    stats->recovered_bytes = db->recovered.bytes;
    stats->set_aside_bytes = db->recovered.set_aside_bytes;
    stats->manifest_cut_bytes = db->recovered.manifest_cut_bytes;
}

/* ---- Properties ---- */

/* Text into a buffer of fixed size; what does not fit is cut. */
struct text {
    char *at;
    size_t room;
};

__attribute__((format(printf, 2, 3))) static void print(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text->at, text->room, format, arguments);
    va_end(arguments);
    size_t used = size < 0 ? 0 : (size_t)size < text->room ? (size_t)size : text->room - (text->room != 0);
    text->at += used;
    text->room -= used;
}

static void print_levels(const struct kvs_db *db, struct text *text)
{
    struct kvs_stats stats;
    kvs_stats(db, &stats);
    for (int level = 0; level < KVS_LEVEL_COUNT; level++) {
        if (stats.level_runs[level] != 0)
            print(text, "level %d: %" PRIu32 " runs, %" PRIu32 " segments, %" PRIu64 " bytes\n", level,
                  stats.level_runs[level], stats.level_segments[level], stats.level_bytes[level]);
    }
}

static void print_stats(const struct kvs_db *db, struct text *text)
{
    struct kvs_stats stats;
    kvs_stats(db, &stats);
#define LINE(field) print(text, #field ": %" PRIu64 "\n", (uint64_t)stats.field)
    LINE(applied_sequence);
    LINE(published_sequence);
    LINE(durable_sequence);
    LINE(writes);
    LINE(write_bytes);
    LINE(gets);
    LINE(get_memtable_hits);
    LINE(get_block_hits);
    LINE(get_block_reads);
    LINE(filter_rejections);
    LINE(log_bytes);
    LINE(log_writes);
    LINE(log_syncs);
    LINE(log_sync_ns_max);
    LINE(flushes);
    LINE(flush_bytes);
    LINE(compactions);
    LINE(compaction_read_bytes);
    LINE(compaction_write_bytes);
    LINE(compaction_debt_bytes);
    LINE(delayed_writes);
    LINE(delay_ns_total);
    LINE(delay_ns_max);
    LINE(memory_used_bytes);
    LINE(memory_memtable_bytes);
    LINE(memory_block_bytes);
    LINE(memory_index_bytes);
    LINE(memory_filter_bytes);
    LINE(immutable_memtables);
    LINE(snapshots);
    LINE(segment_bytes);
    LINE(segment_entries);
    LINE(segment_tombstones);
    LINE(live_log_bytes);
    LINE(obsolete_files);
    LINE(recovered_records);
    LINE(recovered_bytes);
    LINE(set_aside_bytes);
    LINE(manifest_cut_bytes);
#undef LINE
}

static void print_options(const struct kvs_db *db, struct text *text)
{
    const struct kvs_options *options = &db->options;
    print(text, "memory_bytes: %" PRIu64 "\nsync_mode: %d\nsync_interval_ms: %" PRIu32 "\n", options->memory_bytes,
          (int)options->sync_mode, options->sync_interval_ms);
    print(text, "compression: %d\ncompression_level: %d\nmemtable_bytes: %" PRIu64 "\n", (int)options->compression,
          options->compression_level, db->table_bytes);
    print(text, "block_bytes: %" PRIu32 "\nsegment_bytes: %" PRIu64 "\nlevel_base_bytes: %" PRIu64 "\n",
          options->block_bytes, options->segment_bytes, options->level_base_bytes);
    print(text, "filter_bits_per_key: %" PRIu32 "\nread_only: %d\nowner: %s\n", options->filter_bits_per_key,
          options->read_only, version_set_owner(db->versions));
}

static void print_health(const struct kvs_db *const_db, struct text *text)
{
    struct kvs_db *db = (struct kvs_db *)const_db;
    io_mutex_lock(&db->commit.lock);
    if (waiting_is_on(&db->waiting))
        print(text, "writes %s: %s\n",
              db->waiting.shortage.status.code == KVS_NO_SPACE ? "wait for room" : "are refused",
              db->waiting.shortage.text);
    else if (commit_has_failed_locked(&db->commit))
        print(text, "writes are refused: %s\n", db->commit.failure.text);
    else if (!status_is_ok(db->commit.upkeep_full.status))
        print(text, "writes wait for room: %s\n", db->commit.upkeep_full.text);
    if (!status_is_ok(db->commit.flush_full.status))
        print(text, "flushes are tried again: %s\n", db->commit.flush_full.text);
    if (!status_is_ok(db->workers.compact_failure.status))
        print(text, "compaction has stopped: %s\n", db->workers.compact_failure.text);
    io_mutex_unlock(&db->commit.lock);
}

struct kvs_status kvs_property(const struct kvs_db *db, char *text, size_t capacity, const char *name)
{
    static const struct {
        const char *name;
        void (*print)(const struct kvs_db *db, struct text *text);
    } properties[] = {
        {"levels", print_levels}, {"stats", print_stats}, {"options", print_options}, {"health", print_health}};
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) {
        if (strcmp(properties[i].name, name) != 0)
            continue;
        struct text out = {text, capacity};
        if (capacity != 0)
            text[0] = '\0';
        properties[i].print(db, &out);
        return status_ok();
    }
    return STATUS(KVS_NOT_FOUND, "there is no property \"%s\"", name);
}
