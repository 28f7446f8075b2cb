/* The log: a record of one put appended and written, alone and a hundred at a time. */
#include "bench/micro/micro_support.h"

#include "base/hash.h"
#include "io/io_posix.h"
#include "wal/log_writer.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern const struct micro_case micro_wal[];

enum { PAYLOAD_BYTES = 120, GROUP = 100, CAPACITY_BYTES = 64 << 20, BUFFER_BYTES = 1 << 20 };

/* log  one file at a time, in a folder of its own; the next takes its place when it is full */
struct log_state {
    char folder[PATH_MAX];
    struct log_writer *log;
    uint64_t log_number;
    uint64_t record_number;
};

static void remove_log(struct log_state *state)
{
    char name[FILE_NAME_BYTES], path[PATH_MAX + FILE_NAME_BYTES + 1];
    log_writer_close(state->log);
    state->log = NULL;
    file_name_print(name, FILE_LOG, state->log_number);
    snprintf(path, sizeof path, "%s/%s", state->folder, name);
    if (unlink(path) != 0)
        micro_fail("wal: cannot remove %s", path);
}

static void next_log(struct log_state *state)
{
    static const uint8_t uuid[FILE_UUID_BYTES] = {1};
    if (state->log != NULL)
        remove_log(state);
    struct log_writer_options options = {
        .number = ++state->log_number,
        .uuid = uuid,
        .capacity_bytes = CAPACITY_BYTES,
        .piece_bytes = CAPACITY_BYTES,
        .buffer_bytes = BUFFER_BYTES,
    };
    micro_check(log_writer_create(&state->log, io_posix(), state->folder, &options));
    log_writer_begin(state->log, state->record_number + 1);
}

static void *setup(void)
{
    struct log_state *state = micro_alloc(sizeof *state);
    const char *parent = getenv("TMPDIR");
    snprintf(state->folder, sizeof state->folder, "%s/kvstore-micro-XXXXXX", parent != NULL ? parent : "/var/tmp");
    if (mkdtemp(state->folder) == NULL)
        micro_fail("wal: cannot make %s", state->folder);
    next_log(state);
    return state;
}

static void teardown(void *context)
{
    struct log_state *state = context;
    remove_log(state);
    if (rmdir(state->folder) != 0)
        fprintf(stderr, "kvstore_micro: cannot remove %s\n", state->folder);
    free(state);
}

static void append(struct log_state *state, const uint8_t *payload)
{
    struct log_record record = {
        .number = ++state->record_number,
        .first_sequence = state->record_number,
        .payload_hash = hash_bytes(payload, PAYLOAD_BYTES),
        .payload_bytes = PAYLOAD_BYTES,
        .count = 1,
        .kind = LOG_BATCH,
    };
    log_writer_append(state->log, &record, payload);
}

static void append_and_write(struct log_state *state, uint64_t operations, uint64_t group)
{
    uint8_t payload[PAYLOAD_BYTES] = {0};
    for (uint64_t done = 0; done < operations; done += group) {
        uint64_t written;
        if (log_writer_room(state->log).capacity_bytes < group * log_record_bytes(PAYLOAD_BYTES))
            next_log(state);
        for (uint64_t i = 0; i < group; i++)
            append(state, payload);
        if (!log_writer_take(state->log))
            micro_fail("wal: nothing to write");
        micro_check(log_writer_write(state->log, &written));
    }
}

static void run_alone(void *context, uint64_t operations)
{
    append_and_write(context, operations, 1);
}

static void run_group(void *context, uint64_t operations)
{
    append_and_write(context, operations, GROUP);
}

const struct micro_case micro_wal[] = {
    {"wal/append_and_write", PAYLOAD_BYTES, setup, run_alone, teardown},
    {"wal/append_100_and_write", PAYLOAD_BYTES, setup, run_group, teardown},
    {0},
};
