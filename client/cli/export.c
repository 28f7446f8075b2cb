#include "transfer.h"

#include "base/status.h"
#include "progress.h"
#include "record.h"
#include "show.h"

#include <errno.h>
#include <stdlib.h>

enum {
    PAGE_FIRST_RECORDS = 100,
    PAGE_MAX_RECORDS = 10000,
    PAGE_SMALL_BYTES = 1 << 20, /* a page below this doubles the next one */
    PAGE_LARGE_BYTES = 4 << 20, /* one above halves it */
    KEY_MAX_BYTES = 65535       /* of the server: no key is longer */
};

struct export
{
    struct kvc_connection *connection;
    enum record_format format;
    const char *name;
    FILE *file;
    struct progress progress;
    struct byte_buffer from; /* where the next page starts */
    struct byte_buffer to;   /* before which it ends; empty: open */
    struct byte_buffer line;
    unsigned page_records;
};

static struct kvs_status no_memory(void)
{
    return STATUS(KVS_NO_MEMORY, "out of memory");
}

static struct kvs_status set_bytes(struct byte_buffer *buffer, const void *data, size_t size)
{
    byte_buffer_consume(buffer, byte_buffer_size(buffer));
    return byte_buffer_append(buffer, data, size) ? status_ok() : no_memory();
}

/* The first key behind all that begin with prefix: the last byte that is not 0xFF goes up by one. All 0xFF: an open end, which is empty. */
static struct kvs_status set_behind_prefix(struct byte_buffer *buffer, struct kvs_slice prefix)
{
    const uint8_t *bytes = prefix.data;
    size_t size = prefix.size;
    while (size > 0 && bytes[size - 1] == 0xFF)
        size--;
    STATUS_RETURN_IF_ERROR(set_bytes(buffer, bytes, size));
    if (size > 0)
        byte_buffer_data(buffer)[size - 1]++;
    return status_ok();
}

/* The next page starts at the key with a zero byte behind it; a key of the greatest length has no longer one behind it. */
static struct kvs_status set_behind_key(struct byte_buffer *buffer, struct kvs_slice key)
{
    if (key.size >= KEY_MAX_BYTES)
        return set_behind_prefix(buffer, key);
    STATUS_RETURN_IF_ERROR(set_bytes(buffer, key.data, key.size));
    return byte_buffer_append(buffer, "", 1) ? status_ok() : no_memory();
}

static struct kvs_status write_record(struct export *export, const struct record *record)
{
    byte_buffer_consume(&export->line, byte_buffer_size(&export->line));
    if (!record_append(&export->line, export->format, record))
        return no_memory();
    size_t size = byte_buffer_size(&export->line);
    if (fwrite(byte_buffer_data(&export->line), 1, size, export->file) != size)
        return STATUS_ERRNO(errno, "cannot write %s", export->name);
    progress_add(&export->progress, size);
    return status_ok();
}

static struct kvs_slice text_of(const struct kvc_reply *reply)
{
    return slice_of(reply->text, reply->text_size);
}

/* Write the records of a page. more_out: whether there may be another one. */
static struct kvs_status write_page(struct export *export, bool *more_out, const struct kvc_reply *reply)
{
    size_t bytes = 0;
    if (reply->type == KVC_ERROR)
        return STATUS(KVS_INVALID, "%s", reply->text);
    if (reply->type != KVC_ARRAY || reply->count % 2 != 0)
        return STATUS(KVS_CORRUPT, "RANGE was not answered with keys and values");
    for (size_t i = 0; i < reply->count; i += 2) {
        const struct record record = {text_of(&reply->elements[i]), text_of(&reply->elements[i + 1])};
        STATUS_RETURN_IF_ERROR(write_record(export, &record));
        bytes += record.key.size + record.value.size;
    }
    *more_out = reply->count / 2 == export->page_records;
    if (*more_out)
        STATUS_RETURN_IF_ERROR(set_behind_key(&export->from, text_of(&reply->elements[reply->count - 2])));
    if (bytes < PAGE_SMALL_BYTES && export->page_records < PAGE_MAX_RECORDS)
        export->page_records *= 2;
    else if (bytes > PAGE_LARGE_BYTES && export->page_records > 1)
        export->page_records /= 2;
    /* A key whose successor is the open end was the last one. */
    *more_out = *more_out && byte_buffer_size(&export->from) > 0;
    return status_ok();
}

static struct kvs_status export_page(struct export *export, bool *more_out)
{
    char limit[16];
    snprintf(limit, sizeof limit, "%u", export->page_records);
    const struct kvs_slice arguments[] = {
        slice_of_text("RANGE"),
        slice_of(byte_buffer_data(&export->from), byte_buffer_size(&export->from)),
        slice_of(byte_buffer_data(&export->to), byte_buffer_size(&export->to)),
        slice_of_text("LIMIT"),
        slice_of_text(limit),
    };
    struct kvc_reply *reply;
    STATUS_RETURN_IF_ERROR(kvc_command(export->connection, &reply, arguments, sizeof arguments / sizeof arguments[0]));
    struct kvs_status status = write_page(export, more_out, reply);
    kvc_reply_free(reply);
    return status;
}

static struct kvs_status export_pages(struct export *export, struct kvs_slice prefix)
{
    bool more = true;
    STATUS_RETURN_IF_ERROR(set_bytes(&export->from, prefix.data, prefix.size));
    STATUS_RETURN_IF_ERROR(set_behind_prefix(&export->to, prefix));
    while (more)
        STATUS_RETURN_IF_ERROR(export_page(export, &more));
    if (fflush(export->file) != 0)
        return STATUS_ERRNO(errno, "cannot write %s", export->name);
    return status_ok();
}

int export_run(struct session *session, const struct transfer_options *options)
{
    FILE *file = options->file == NULL ? stdout : fopen(options->file, "we");
    if (file == NULL) {
        fprintf(stderr, "kvstore_client: cannot write %s: %s\n", options->file, strerror(errno));
        return EXIT_ERROR;
    }
    struct export export = {
        .connection = session->connection,
        .format = options->format,
        .name = options->file == NULL ? "standard output" : options->file,
        .file = file,
        .page_records = PAGE_FIRST_RECORDS,
    };
    progress_start(&export.progress, "exported", 0);
    struct kvs_status status = export_pages(&export, slice_of_text(options->prefix));
    if (file != stdout && fclose(file) != 0 && status_is_ok(status))
        status = STATUS_ERRNO(errno, "cannot write %s", export.name);
    progress_clear(&export.progress);
    if (!status_is_ok(status))
        fprintf(stderr, "kvstore_client: export stopped: %s\n", status_text(status));
    progress_finish(&export.progress);
    byte_buffer_fini(&export.from);
    byte_buffer_fini(&export.to);
    byte_buffer_fini(&export.line);
    return status_is_ok(status) ? EXIT_FOUND : EXIT_ERROR;
}
