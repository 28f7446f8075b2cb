#include "piped.h"

#include "base/status.h"
#include "commands.h"
#include "protocol/byte_buffer.h"
#include "show.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    READ_BYTES = 64 * 1024,
    WINDOW_COMMANDS = 256, /* sent before the first reply is read */
    LINE_MAX_BYTES = 64 << 20
};

struct piped {
    struct session *session;
    struct byte_buffer in;
    size_t scanned; /* bytes of in without a line feed */
    struct words sent[WINDOW_COMMANDS];
    size_t sent_count;
    int exit_status;
    bool is_done;
};

static void fail(struct piped *piped, const char *text)
{
    fflush(stdout);
    fprintf(stderr, "kvstore_client: %s\n", text);
    piped->exit_status = EXIT_ERROR;
    piped->is_done = true;
}

/* Read and print the replies to what was sent. */
static void print_replies(struct piped *piped)
{
    for (size_t i = 0; i < piped->sent_count && kvc_pending(piped->session->connection) > 0; i++) {
        struct kvc_reply *reply;
        struct kvs_status status = kvc_next_reply(piped->session->connection, &reply);
        if (!status_is_ok(status)) {
            fail(piped, status_text(status));
            break;
        }
        show_reply(stdout, &piped->sent[i], reply);
        if (reply->type == KVC_ERROR)
            piped->exit_status = EXIT_ERROR;
        kvc_reply_free(reply);
    }
    piped->sent_count = 0;
}

static void print_local_error(struct piped *piped, const char *text)
{
    print_replies(piped);
    printf("ERROR %s\n", text);
    piped->exit_status = EXIT_ERROR;
}

static void print_help(struct piped *piped, const struct words *words)
{
    print_replies(piped);
    if (!commands_print_help(stdout, words->count > 1 ? words->items[1] : slice_of_text("")))
        print_local_error(piped, "no help on that");
}

static void run_line(struct piped *piped, const char *line, size_t size)
{
    struct words *words = &piped->sent[piped->sent_count];
    if (!words_split(words, line, size)) {
        print_local_error(piped, "unbalanced quotes in request");
    } else if (words_is(words, 0, "QUIT") || words_is(words, 0, "EXIT")) {
        print_replies(piped);
        piped->is_done = true;
    } else if (words_is(words, 0, "HELP")) {
        print_help(piped, words);
    } else if (words->count > 0) {
        struct kvs_status status = kvc_append(piped->session->connection, words->items, words->count);
        if (!status_is_ok(status))
            fail(piped, status_text(status));
        else if (++piped->sent_count == WINDOW_COMMANDS)
            print_replies(piped);
    }
}

/* Run the whole lines that were read; at the end of the input the rest is a line, too. */
static void run_lines(struct piped *piped, bool is_end)
{
    while (!piped->is_done) {
        const uint8_t *data = byte_buffer_data(&piped->in);
        size_t size = byte_buffer_size(&piped->in);
        const uint8_t *end = size > piped->scanned ? memchr(data + piped->scanned, '\n', size - piped->scanned) : NULL;
        if (end == NULL && (!is_end || size == 0)) {
            piped->scanned = size;
            break;
        }
        size_t line_size = end != NULL ? (size_t)(end - data) : size;
        run_line(piped, (const char *)data, line_size);
        byte_buffer_consume(&piped->in, end != NULL ? line_size + 1 : line_size);
        piped->scanned = 0;
    }
    if (!piped->is_done)
        print_replies(piped);
    fflush(stdout);
}

/* Wait for input. Returns false at its end. */
static bool read_input(struct piped *piped)
{
    size_t space;
    if (piped->scanned > LINE_MAX_BYTES || !byte_buffer_reserve(&piped->in, READ_BYTES)) {
        fail(piped, "a line of the input is too long");
        return false;
    }
    uint8_t *at = byte_buffer_space(&piped->in, &space);
    ssize_t size;
    do
        size = read(STDIN_FILENO, at, space);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        fail(piped, "cannot read standard input");
    if (size <= 0)
        return false;
    byte_buffer_commit(&piped->in, (size_t)size);
    return true;
}

int piped_run(struct session *session)
{
    struct piped *piped = words_allocate(NULL, sizeof *piped);
    *piped = (struct piped){.session = session};
    bool more = true;
    while (more && !piped->is_done) {
        more = read_input(piped);
        run_lines(piped, !more);
    }
    if (fflush(stdout) != 0)
        piped->exit_status = EXIT_ERROR;
    int exit_status = piped->exit_status;
    for (size_t i = 0; i < WINDOW_COMMANDS; i++)
        words_fini(&piped->sent[i]);
    byte_buffer_fini(&piped->in);
    free(piped);
    return exit_status;
}
