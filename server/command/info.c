/* info.c -- INFO: the counters of the server and of the engine, in Redis' form. */
#include "command/command.h"
#include "heap/heap.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 512 };

struct report {
    struct byte_buffer text;
    bool failed;
};

__attribute__((format(printf, 2, 3))) static void put(struct report *report, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    size_t length = (size_t)size < sizeof line ? (size_t)size : sizeof line - 1;
    report->failed = !byte_buffer_append(&report->text, line, length) || report->failed;
}

static void put_server(struct report *report, const struct shared *shared)
{
    const struct settings *settings = shared->settings;
    put(report, "redis_version:7.4.0\r\nredis_mode:standalone\r\nkvstore_version:%s\r\n", kvs_version());
    put(report, "arch_bits:64\r\nmultiplexing_api:libuv\r\nprocess_id:%ld\r\n", (long)getpid());
    put(report, "tcp_port:%u\r\nuptime_in_seconds:%" PRIu64 "\r\n", shared->port,
        (uint64_t)time(NULL) - shared->start_s);
    put(report, "io_threads_active:%" PRIu64 "\r\n", settings->threads);
}

static void put_clients(struct report *report, const struct shared *shared)
{
    put(report, "connected_clients:%" PRIu64 "\r\nmaxclients:%" PRIu64 "\r\n", shared_value(&shared->clients),
        shared->settings->max_clients);
    put(report, "client_buffer_bytes:%" PRIu64 "\r\n", shared_value(&shared->buffer_bytes));
}

static void put_memory(struct report *report, const struct shared *shared)
{
    struct kvs_stats stats;
    char allocator[HEAP_NAME_BYTES];
    kvs_stats(shared->db, &stats);
    heap_name(allocator);
    put(report, "mem_allocator:%s\r\n", allocator);
    put(report, "engine_memory_limit_bytes:%" PRIu64 "\r\n", shared->settings->memory);
    put(report, "engine_memory_used_bytes:%" PRIu64 "\r\n", stats.memory_used_bytes);
    put(report, "engine_memory_memtable_bytes:%" PRIu64 "\r\n", stats.memory_memtable_bytes);
    put(report, "engine_memory_block_bytes:%" PRIu64 "\r\n", stats.memory_block_bytes);
    put(report, "engine_memory_index_bytes:%" PRIu64 "\r\n", stats.memory_index_bytes);
    put(report, "engine_memory_filter_bytes:%" PRIu64 "\r\n", stats.memory_filter_bytes);
}

static void put_persistence(struct report *report, const struct shared *shared)
{
    struct kvs_stats stats;
    kvs_stats(shared->db, &stats);
    put(report, "sync_mode:%s\r\nloading:0\r\n", shared->settings->sync);
    put(report, "applied_sequence:%" PRIu64 "\r\npublished_sequence:%" PRIu64 "\r\n", stats.applied_sequence,
        stats.published_sequence);
    put(report, "durable_sequence:%" PRIu64 "\r\nlog_syncs:%" PRIu64 "\r\n", stats.durable_sequence, stats.log_syncs);
    put(report, "log_sync_us_max:%" PRIu64 "\r\nlog_bytes:%" PRIu64 "\r\n", stats.log_sync_ns_max / 1000,
        stats.log_bytes);
    put(report, "segment_bytes:%" PRIu64 "\r\nsegment_entries:%" PRIu64 "\r\n", stats.segment_bytes,
        stats.segment_entries);
    put(report, "recovered_records:%" PRIu64 "\r\nset_aside_bytes:%" PRIu64 "\r\n", stats.recovered_records,
        stats.set_aside_bytes);
    put(report, "health:%s\r\n", stats.health == KVS_OK ? "ok" : "refusing writes");
}

static void put_stats(struct report *report, const struct shared *shared)
{
    struct kvs_stats stats;
    kvs_stats(shared->db, &stats);
#define PUT(field, name) put(report, name ":%" PRIu64 "\r\n", shared_value(&shared->field));
    SHARED_COUNTERS(PUT)
#undef PUT
    put(report, "engine_gets:%" PRIu64 "\r\nengine_writes:%" PRIu64 "\r\n", stats.gets, stats.writes);
    put(report, "engine_block_reads:%" PRIu64 "\r\nengine_block_hits:%" PRIu64 "\r\n", stats.get_block_reads,
        stats.get_block_hits);
    put(report, "engine_delayed_writes:%" PRIu64 "\r\nengine_delay_us_max:%" PRIu64 "\r\n", stats.delayed_writes,
        stats.delay_ns_max / 1000);
    put(report, "engine_flushes:%" PRIu64 "\r\nengine_compactions:%" PRIu64 "\r\n", stats.flushes, stats.compactions);
    put(report, "engine_compaction_debt_bytes:%" PRIu64 "\r\n", stats.compaction_debt_bytes);
}

static const struct {
    const char *title; /* the word that asks for it, in capitals */
    void (*put)(struct report *report, const struct shared *shared);
} SECTIONS[] = {{"SERVER", put_server},
                {"CLIENTS", put_clients},
                {"MEMORY", put_memory},
                {"PERSISTENCE", put_persistence},
                {"STATS", put_stats}};

static bool is_asked(const struct request *request, const char *title)
{
    for (size_t i = 1; i < request->count; i++) {
        struct kvs_slice word = request_argument(request, i);
        if (command_word_is(word, title) || command_word_is(word, "ALL") || command_word_is(word, "EVERYTHING") ||
            command_word_is(word, "DEFAULT"))
            return true;
    }
    return request->count == 1;
}

enum command_outcome command_info(struct session *session, const struct request *request)
{
    struct report report = {.failed = false};
    for (size_t i = 0; i < sizeof SECTIONS / sizeof SECTIONS[0]; i++) {
        const char *title = SECTIONS[i].title;
        if (!is_asked(request, title))
            continue;
        put(&report, "%s# %c", byte_buffer_size(&report.text) == 0 ? "" : "\r\n", title[0]);
        for (const char *at = title + 1; *at != '\0'; at++)
            put(&report, "%c", *at - 'A' + 'a');
        put(&report, "\r\n");
        SECTIONS[i].put(&report, session->shared);
    }
    if (report.failed)
        reply_error(&session->output.writer, "OOM", "no memory for this command");
    else
        reply_document(&session->output.writer,
                       slice_of(byte_buffer_data(&report.text), byte_buffer_size(&report.text)));
    byte_buffer_fini(&report.text);
    return COMMAND_DONE;
}
