#include "transfer.h"

#include "base/status.h"
#include "progress.h"
#include "record.h"
#include "show.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    WINDOW_RECORDS = 4096,  /* under way at most */
    FLUSH_BYTES = 64 * 1024 /* queued before they are sent */
};

/* A record under way. */
struct sent_record {
    uint64_t line;
    uint64_t bytes;
};

struct import {
    struct kvc_connection *connection;
    enum record_format format;
    const char *name; /* of the file, for messages */
    FILE *file;
    struct progress progress;
    struct byte_buffer storage;
    struct sent_record window[WINDOW_RECORDS]; /* a ring: the oldest is acknowledged first */
    uint64_t sent;
    uint64_t acknowledged;
    uint64_t line;
};

/* Count an error and show it if it is the first. */
static void note_error(struct import *import, uint64_t line, const char *text)
{
    if (import->progress.errors++ > 0)
        return;
    progress_clear(&import->progress);
    fprintf(stderr, "%s, line %llu: %s\n", import->name, (unsigned long long)line, text);
}

static struct kvs_status read_reply(struct import *import)
{
    struct kvc_reply *reply;
    STATUS_RETURN_IF_ERROR(kvc_next_reply(import->connection, &reply));
    const struct sent_record *record = &import->window[import->acknowledged++ % WINDOW_RECORDS];
    if (reply->type == KVC_ERROR)
        note_error(import, record->line, reply->text);
    progress_add(&import->progress, record->bytes);
    kvc_reply_free(reply);
    return status_ok();
}

static struct kvs_status send_record(struct import *import, const struct record *record, uint64_t bytes)
{
    if (import->sent - import->acknowledged == WINDOW_RECORDS)
        STATUS_RETURN_IF_ERROR(read_reply(import));
    const struct kvs_slice arguments[] = {{"SET", 3}, record->key, record->value};
    STATUS_RETURN_IF_ERROR(kvc_append(import->connection, arguments, 3));
    import->window[import->sent++ % WINDOW_RECORDS] = (struct sent_record){import->line, bytes};
    return kvc_queued_bytes(import->connection) >= FLUSH_BYTES ? kvc_flush(import->connection) : status_ok();
}

/* A line without its LF; an empty one is nothing. */
static struct kvs_status import_line(struct import *import, char *line, size_t size)
{
    uint64_t bytes = size + 1;
    struct record record;
    if (size > 0 && line[size - 1] == '\r')
        size--;
    if (size == 0)
        return status_ok();
    const char *problem = record_parse(&record, &import->storage, import->format, line, size);
    if (problem == NULL)
        return send_record(import, &record, bytes);
    note_error(import, import->line, problem);
    progress_add(&import->progress, bytes);
    return status_ok();
}

static struct kvs_status import_lines(struct import *import)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    struct kvs_status status = status_ok();
    while (status_is_ok(status) && (size = getline(&line, &capacity, import->file)) > 0) {
        import->line++;
        status = import_line(import, line, line[size - 1] == '\n' ? (size_t)size - 1 : (size_t)size);
    }
    if (status_is_ok(status) && !feof(import->file))
        status = STATUS_ERRNO(errno, "cannot read %s", import->name);
    free(line);
    while (status_is_ok(status) && import->acknowledged < import->sent)
        status = read_reply(import);
    return status;
}

static uint64_t file_size(FILE *file)
{
    struct stat st;
    return fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

static int finish(struct import *import, struct kvs_status status)
{
    progress_clear(&import->progress);
    if (!status_is_ok(status))
        fprintf(stderr, "kvstore_client: import stopped: %s; records up to line %llu are stored, later ones may be\n",
                status_text(status),
                (unsigned long long)(import->acknowledged > 0
                                         ? import->window[(import->acknowledged - 1) % WINDOW_RECORDS].line
                                         : 0));
    progress_finish(&import->progress);
    return status_is_ok(status) && import->progress.errors == 0 ? EXIT_FOUND : EXIT_ERROR;
}

int import_run(struct session *session, const struct transfer_options *options)
{
    FILE *file = options->file == NULL ? stdin : fopen(options->file, "re");
    if (file == NULL) {
        fprintf(stderr, "kvstore_client: cannot read %s: %s\n", options->file, strerror(errno));
        return EXIT_ERROR;
    }
    struct import *import = words_allocate(NULL, sizeof *import);
    *import = (struct import){
        .connection = session->connection,
        .format = options->format,
        .name = options->file == NULL ? "standard input" : options->file,
        .file = file,
    };
    progress_start(&import->progress, "imported", file_size(file));
    int exit_status = finish(import, import_lines(import));
    byte_buffer_fini(&import->storage);
    free(import);
    if (file != stdin)
        fclose(file);
    return exit_status;
}
