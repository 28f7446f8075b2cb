#include "command/scan_job.h"

#include "base/assert.h"
#include "base/coding.h"

#include <stdlib.h>

enum {
    SLICE_BYTES = 128 * 1024, /* of entries collected */
    SLICE_STEPS = 8192        /* of entries counted */
};

enum scan_phase { SCAN_COLLECT, SCAN_COUNT, SCAN_STREAM };

struct scan_job {
    struct job job;
    enum scan_phase phase;
    struct kvs_iterator *iterator; /* NULL until the first slice */
    struct byte_buffer bounds;     /* lower, then upper */
    size_t lower_bytes;
    uint64_t limit;
    bool is_reverse;
    bool is_count;
    bool is_over; /* the walk is at its end, or at the limit */

    uint64_t walked;            /* entries, in this phase and those before */
    uint64_t collected;         /* entries in `entries` */
    struct byte_buffer entries; /* each: two 32-bit sizes, key, value */
    struct byte_buffer resume;  /* where the count began: the stream goes on there */
    bool is_to_resume;
    bool has_begun; /* bytes of the reply are written */
};

static void scan_free(struct job *job)
{
    struct scan_job *scan = (struct scan_job *)job;
    kvs_iterator_free(scan->iterator);
    byte_buffer_fini(&scan->bounds);
    byte_buffer_fini(&scan->entries);
    byte_buffer_fini(&scan->resume);
    free(scan);
}

static struct kvs_status open_iterator(struct scan_job *scan, const struct shared *shared)
{
    const uint8_t *bytes = byte_buffer_data(&scan->bounds);
    struct kvs_iterator_options options = {
        .lower = slice_of(bytes, scan->lower_bytes),
        .upper = slice_of(bytes + scan->lower_bytes, byte_buffer_size(&scan->bounds) - scan->lower_bytes),
    };
    struct kvs_status status = kvs_iterator_new(&scan->iterator, shared->db, &options);
    if (!kvs_ok(status))
        return status;
    if (scan->is_reverse)
        kvs_iterator_last(scan->iterator);
    else
        kvs_iterator_first(scan->iterator);
    return status;
}

static void step(struct scan_job *scan)
{
    if (scan->is_reverse)
        kvs_iterator_prev(scan->iterator);
    else
        kvs_iterator_next(scan->iterator);
    scan->walked++;
}

static bool at_end(const struct scan_job *scan)
{
    return scan->walked == scan->limit || !kvs_iterator_valid(scan->iterator);
}

static bool collect_entry(struct scan_job *scan)
{
    struct kvs_slice key = kvs_iterator_key(scan->iterator), value = kvs_iterator_value(scan->iterator);
    uint8_t sizes[8];
    coding_put_u32(sizes, (uint32_t)key.size);
    coding_put_u32(sizes + 4, (uint32_t)value.size);
    scan->collected++;
    return byte_buffer_reserve(&scan->entries, sizeof sizes + key.size + value.size) &&
           byte_buffer_append(&scan->entries, sizes, sizeof sizes) &&
           byte_buffer_append(&scan->entries, key.data, key.size) &&
           byte_buffer_append(&scan->entries, value.data, value.size);
}

/* Remembers where the iterator stands, for the walk after the count. */
static bool note_resume(struct scan_job *scan)
{
    struct kvs_slice key = kvs_iterator_key(scan->iterator);
    return byte_buffer_append(&scan->resume, key.data, key.size);
}

static bool run_slice(struct scan_job *scan)
{
    bool has_memory = true;
    if (scan->is_to_resume) /* the key is there: the iterator shows one moment */
        kvs_iterator_seek(scan->iterator, slice_of(byte_buffer_data(&scan->resume), byte_buffer_size(&scan->resume)));
    scan->is_to_resume = false;
    if (scan->phase == SCAN_COUNT) {
        for (uint64_t steps = 0; steps < SLICE_STEPS && !at_end(scan); steps++)
            step(scan);
    } else {
        while (has_memory && byte_buffer_size(&scan->entries) < SLICE_BYTES && !at_end(scan)) {
            has_memory = collect_entry(scan);
            step(scan);
        }
    }
    scan->is_over = at_end(scan);
    if (scan->phase == SCAN_COLLECT && !scan->is_over)
        has_memory = note_resume(scan) && has_memory;
    return has_memory;
}

static void scan_run(struct job *job, const struct shared *shared)
{
    struct scan_job *scan = (struct scan_job *)job;
    struct kvs_status status = {.code = KVS_OK};
    if (scan->iterator == NULL)
        status = open_iterator(scan, shared);
    if (kvs_ok(status) && !run_slice(scan))
        status = (struct kvs_status){.code = KVS_NO_MEMORY};
    if (kvs_ok(status))
        status = kvs_iterator_status(scan->iterator);
    if (!kvs_ok(status))
        job_fail(job, status);
}

/* Moves what was collected into the reply. */
static void write_entries(struct scan_job *scan, struct reply_writer *writer)
{
    const uint8_t *at = byte_buffer_data(&scan->entries);
    for (; scan->collected != 0; scan->collected--) {
        size_t key_size = coding_get_u32(at), value_size = coding_get_u32(at + 4);
        KVS_ASSERT(key_size >= 1);
        at += 8;
        reply_value(writer, slice_of(at + 1, key_size - 1)); /* without the byte of the database */
        reply_value(writer, slice_of(at + key_size, value_size));
        at += key_size + value_size;
    }
    byte_buffer_consume(&scan->entries, byte_buffer_size(&scan->entries));
}

static enum job_next fail(struct scan_job *scan, struct session *session)
{
    if (scan->has_begun)
        session->is_broken = true;
    else
        session_reply_failure(session, scan->job.status, scan->job.error);
    return JOB_DONE;
}

/* The end of the first slice of a RANGE. */
static enum job_next finish_collect(struct scan_job *scan, struct reply_writer *writer)
{
    if (scan->is_over) {
        reply_pairs(writer, scan->collected);
        write_entries(scan, writer);
        return JOB_DONE;
    }
    if (writer->encoding != REPLY_TEXT) {
        scan->phase = SCAN_COUNT;
        return JOB_AGAIN;
    }
    (void)!reply_pairs_begin(writer); /* in text its end needs no place: nothing is put in afterwards */
    scan->has_begun = true;
    scan->phase = SCAN_STREAM;
    write_entries(scan, writer);
    return JOB_AGAIN;
}

static enum job_next finish_count(struct scan_job *scan, struct reply_writer *writer)
{
    if (!scan->is_over)
        return JOB_AGAIN;
    if (scan->is_count) {
        reply_integer(writer, (int64_t)scan->walked);
        return JOB_DONE;
    }
    reply_pairs(writer, scan->walked);
    scan->limit = scan->walked;
    scan->walked = scan->collected;
    scan->has_begun = true;
    scan->is_to_resume = true;
    scan->phase = SCAN_STREAM;
    write_entries(scan, writer);
    return JOB_AGAIN;
}

static enum job_next finish_stream(struct scan_job *scan, struct reply_writer *writer)
{
    write_entries(scan, writer);
    if (!scan->is_over)
        return JOB_AGAIN;
    if (writer->encoding == REPLY_TEXT)
        reply_open_end(writer, 0);
    return JOB_DONE;
}

static enum job_next scan_finish(struct job *job, struct session *session)
{
    struct scan_job *scan = (struct scan_job *)job;
    struct reply_writer *writer = &session->output.writer;
    enum job_next next = JOB_DONE;
    if (!kvs_ok(job->status))
        next = fail(scan, session);
    else if (scan->phase == SCAN_COLLECT)
        next = finish_collect(scan, writer);
    else if (scan->phase == SCAN_COUNT)
        next = finish_count(scan, writer);
    else
        next = finish_stream(scan, writer);
    session_seal(session, next == JOB_DONE ? 1 : 0);
    return next;
}

/* The bound before which no key of the session's database is smaller, or larger where `is_upper`. */
static bool append_bound(struct byte_buffer *bounds, const struct session *session, struct kvs_slice key, bool is_upper)
{
    uint8_t database = (uint8_t)(session->database + (is_upper && key.size == 0 ? 1 : 0));
    return byte_buffer_append(bounds, &database, 1) && byte_buffer_append(bounds, key.data, key.size);
}

struct job *scan_job_new(const struct session *session, const struct scan_options *options)
{
    struct scan_job *scan = calloc(1, sizeof *scan);
    if (scan == NULL)
        return NULL;
    scan->job = (struct job){.run = scan_run, .finish = scan_finish, .free = scan_free};
    scan->phase = options->is_count ? SCAN_COUNT : SCAN_COLLECT;
    scan->is_count = options->is_count;
    scan->is_reverse = options->is_reverse;
    scan->limit = options->limit;
    scan->lower_bytes = options->from.size + 1;
    if (!append_bound(&scan->bounds, session, options->from, false) ||
        !append_bound(&scan->bounds, session, options->to, true)) {
        scan_free(&scan->job);
        return NULL;
    }
    return &scan->job;
}
