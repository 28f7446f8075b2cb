/* client_cli_test.c -- kvstore_client as its users run it: one command, a pipe, a terminal, import and export. */

#include "client_peer.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

#include <cmocka.h>

enum { OUTPUT_BYTES = 1 << 20, ARGUMENTS_MAX = 16 };

static struct store store = STORE_EMPTY;
static struct peer peer;
static char port[8];

static int start_server(void **state)
{
    (void)state;
    peer_start(&peer, store_serve, &store);
    snprintf(port, sizeof port, "%u", peer.port);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    peer_stop(&peer);
    store_clear(&store);
    store.hang_up_after = store.commands = 0;
    return 0;
}

static void hang_up_after(size_t commands)
{
    pthread_mutex_lock(&store.mutex);
    store.hang_up_after = commands;
    pthread_mutex_unlock(&store.mutex);
}

static void put(struct kvs_slice key, struct kvs_slice value)
{
    pthread_mutex_lock(&store.mutex);
    store_put(&store, key, value);
    pthread_mutex_unlock(&store.mutex);
}

static size_t count_records(void)
{
    pthread_mutex_lock(&store.mutex);
    size_t count = store.count;
    pthread_mutex_unlock(&store.mutex);
    return count;
}

static void expect_stored(const char *key, struct kvs_slice value)
{
    pthread_mutex_lock(&store.mutex);
    size_t at = store_seek(&store, slice_of_text(key));
    bool found = store_has(&store, at, slice_of_text(key)) && slice_equal(store.records[at].value, value);
    pthread_mutex_unlock(&store.mutex);
    assert_true(found);
}

/* ---- Running the program ---- */

struct run {
    char out[OUTPUT_BYTES];
    size_t out_size;
    char err[OUTPUT_BYTES];
    int status;
};

static struct run run;

static const char *program(void)
{
    static char path[4096];
    const char *folder = getenv("KVS_BIN_DIR");
    assert_non_null(folder);
    snprintf(path, sizeof path, "%s/kvstore_client", folder);
    return path;
}

static void exec_program(va_list arguments)
{
    char *argv[ARGUMENTS_MAX + 1] = {(char *)program()};
    for (int i = 1; i < ARGUMENTS_MAX && (argv[i] = va_arg(arguments, char *)) != NULL; i++)
        ;
    execv(argv[0], argv);
    _exit(127);
}

static size_t read_file(const char *path, char *out)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(out, 1, OUTPUT_BYTES - 1, file);
    out[size] = '\0';
    fclose(file);
    return size;
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void redirect(const char *path, int flags, int fd)
{
    int file = open(path, flags, 0600);
    if (file < 0 || dup2(file, fd) < 0)
        _exit(126);
}

/* Run to the end with `input` on standard input; fills `run`. Arguments end with NULL. */
__attribute__((sentinel)) static void run_program(const char *input, ...)
{
    va_list arguments;
    write_file("stdin", input, strlen(input));
    va_start(arguments, input);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        redirect("stdin", O_RDONLY, 0);
        redirect("stdout", O_WRONLY | O_CREAT | O_TRUNC, 1);
        redirect("stderr", O_WRONLY | O_CREAT | O_TRUNC, 2);
        exec_program(arguments);
    }
    va_end(arguments);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    run.status = WEXITSTATUS(status);
    run.out_size = read_file("stdout", run.out);
    read_file("stderr", run.err);
}

static void expect(int status, const char *out, const char *err)
{
    assert_string_equal(run.out, out);
    assert_string_equal(run.err, err);
    assert_int_equal(run.status, status);
}

/* ---- One command ---- */

/* Shell scripts use the output as it is, and the exit status to tell what happened. */
static void cli_one_command_gives_raw_value_and_exit_status(void **state)
{
    (void)state;
    run_program("", "127.0.0.1", port, "PUT", "hello", "carpe \"diem\"\n", NULL);
    expect(0, "OK\n", "");
    run_program("", "127.0.0.1", port, "GET", "hello", NULL);
    expect(0, "carpe \"diem\"\n\n", "");
    run_program("", "127.0.0.1", port, "GET", "none", NULL);
    expect(1, "NOT_FOUND\n", "");
    run_program("", "127.0.0.1", port, "EXISTS", "none", NULL);
    expect(1, "0\n", "");
    run_program("", "127.0.0.1", port, "SET", "-k", "--help", NULL);
    expect(0, "OK\n", "");
    run_program("", "127.0.0.1", port, "RANGE", "", "", NULL);
    expect(0, "-k --help\nhello \"carpe \\\"diem\\\"\\n\"\nEND\n", "");
    run_program("", "127.0.0.1", port, "DEL", "hello", NULL);
    expect(0, "OK\n", "");
    run_program("", "127.0.0.1", port, "DEL", "hello", NULL);
    expect(1, "NOT_FOUND\n", "");
    run_program("", "127.0.0.1", port, "PUT", "a", NULL);
    expect(2, "", "ERROR PUT needs a key and a value\n");
    run_program("", "127.0.0.1", port, "FOO", NULL);
    expect(2, "", "ERROR UNKNOWN COMMAND\n");
}

/* A wrong command line must say what is wrong in a line, not do something else. */
static void cli_bad_command_lines_are_refused(void **state)
{
    (void)state;
    run_program("", "127.0.0.1", "99999", "GET", "a", NULL);
    assert_non_null(strstr(run.err, "PORT must be a number from 0 to 65535, not '99999'"));
    assert_int_equal(run.status, 2);
    run_program("", "--no-such-flag", NULL);
    assert_non_null(strstr(run.err, "unrecognized option '--no-such-flag'"));
    assert_int_equal(run.status, 2);
    run_program("", "-n", "16", "127.0.0.1", port, "GET", "a", NULL);
    assert_non_null(strstr(run.err, "--database must be a number from 0 to 15, not '16'"));
    assert_int_equal(run.status, 2);
    run_program("", "127.0.0.1", port, "import", "--format", "xml", NULL);
    assert_non_null(strstr(run.err, "--format must be tsv or jsonl, not 'xml'"));
    assert_int_equal(run.status, 2);
    run_program("", "127.0.0.1", port, "import", "no/such/file", NULL);
    expect(2, "", "kvstore_client: cannot read no/such/file: No such file or directory\n");
    run_program("", "127.0.0.1", port, "export", "no/such/file", NULL);
    expect(2, "", "kvstore_client: cannot write no/such/file: No such file or directory\n");
}

/* The first thing tried on an unknown program. */
static void cli_help_and_version_are_printed(void **state)
{
    (void)state;
    run_program("", "--version", NULL);
    expect(0, "kvstore_client " KVSTORE_VERSION "\n", "");
    run_program("", "--help", NULL);
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.out, "[HOST [PORT]] [COMMAND...]"));
    run_program("", "127.0.0.1", port, "import", "--help", NULL);
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.out, "--format=FORMAT"));
    run_program("", "help", "range", NULL);
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.out, "RANGE from to [LIMIT n] [REV]"));
}

/* No server: one clear line with the address. */
static void cli_refused_connection_is_one_line(void **state)
{
    (void)state;
    char expected[100];
    struct peer gone;
    char gone_port[8];
    peer_start(&gone, store_serve, NULL);
    peer_stop(&gone);
    snprintf(gone_port, sizeof gone_port, "%u", gone.port);
    snprintf(expected, sizeof expected, "kvstore_client: cannot connect to 127.0.0.1:%s: Connection refused\n",
             gone_port);
    run_program("", "127.0.0.1", gone_port, "GET", "a", NULL);
    expect(2, "", expected);
    run_program("GET a\n", "127.0.0.1", gone_port, NULL);
    expect(2, "", expected);
}

/* ---- Commands from a pipe ---- */

/* The transcript of the README, without a terminal. */
static void cli_pipe_prints_one_reply_per_command_in_order(void **state)
{
    (void)state;
    run_program("PUT hello world\nGET hello\nDEL hello\nGET hello\nQUIT\nGET hello\n", "127.0.0.1", port, NULL);
    expect(0, "OK\nworld\nOK\nNOT_FOUND\n", "");
    run_program(
        "PUT motto \"carpe diem\"\r\n\nGET motto\nPUT k {\"a\":1}\nPUT e ''\nRANGE \"\" \"\"\nRANGE k l LIMIT 1",
        "127.0.0.1", port, NULL);
    expect(0, "OK\ncarpe diem\nOK\nOK\ne \"\"\nk {\"a\":1}\nmotto \"carpe diem\"\nEND\nk {\"a\":1}\nEND\n", "");
    run_program("GET \"a\nFOO\nGET k\n", "127.0.0.1", port, NULL);
    expect(2, "ERROR unbalanced quotes in request\nERROR UNKNOWN COMMAND\n{\"a\":1}\n", "");
    run_program("help count\nPUT a b\n", "127.0.0.1", port, NULL);
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.out, "COUNT from to"));
    assert_non_null(strstr(run.out, "\nOK\n"));
}

/* A long file of commands is pipelined, and no reply is lost or out of order. */
static void cli_pipe_of_many_commands_keeps_order(void **state)
{
    (void)state;
    enum { COMMANDS = 5000 };
    char *input = malloc(COMMANDS * 40), *expected = malloc(COMMANDS * 20);
    assert_non_null(input);
    assert_non_null(expected);
    size_t in = 0, out = 0;
    for (int i = 0; i < COMMANDS; i++) {
        in += (size_t)sprintf(input + in, "PUT key%d value%d\nGET key%d\n", i % 100, i, i % 100);
        out += (size_t)sprintf(expected + out, "OK\nvalue%d\n", i);
    }
    run_program(input, "127.0.0.1", port, NULL);
    expect(0, expected, "");
    free(input);
    free(expected);
}

/* The server goes away: the replies so far are printed, and the end is not silent. */
static void cli_pipe_lost_connection_is_an_error(void **state)
{
    (void)state;
    hang_up_after(1);
    run_program("PUT a b\nGET a\nGET a\n", "127.0.0.1", port, NULL);
    assert_string_equal(run.out, "OK\n");
    assert_non_null(strstr(run.err, "kvstore_client: "));
    assert_int_equal(run.status, 2);
}

/* ---- A terminal ---- */

struct terminal {
    int fd;
    pid_t child;
    char seen[65536]; /* since the last terminal_type, without carriage returns and escape sequences */
    size_t size;
    bool in_escape;
};

__attribute__((sentinel)) static void terminal_open(struct terminal *terminal, const char *term, ...)
{
    va_list arguments;
    memset(terminal, 0, sizeof *terminal);
    va_start(arguments, term);
    terminal->child = forkpty(&terminal->fd, NULL, NULL, NULL);
    assert_true(terminal->child >= 0);
    if (terminal->child == 0) {
        setenv("TERM", term, 1);
        setenv("HOME", ".", 1);
        exec_program(arguments);
    }
    va_end(arguments);
}

static void terminal_take(struct terminal *terminal, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bool is_letter = (bytes[i] >= 'a' && bytes[i] <= 'z') || (bytes[i] >= 'A' && bytes[i] <= 'Z');
        if (bytes[i] == '\033')
            terminal->in_escape = true;
        else if (terminal->in_escape)
            terminal->in_escape = !is_letter;
        else if (bytes[i] != '\r' && terminal->size < sizeof terminal->seen - 1)
            terminal->seen[terminal->size++] = bytes[i];
    }
    terminal->seen[terminal->size] = '\0';
}

/* Read until the output ends with `end`, or the program does. */
static void terminal_read_until(struct terminal *terminal, const char *end)
{
    for (;;) {
        size_t length = strlen(end);
        if (length > 0 && terminal->size >= length && strcmp(terminal->seen + terminal->size - length, end) == 0)
            return;
        char bytes[1024];
        struct pollfd entry = {.fd = terminal->fd, .events = POLLIN};
        if (poll(&entry, 1, 20000) <= 0)
            fail_msg("the terminal shows '%s', not '%s' at its end", terminal->seen, end);
        ssize_t size = read(terminal->fd, bytes, sizeof bytes);
        if (size <= 0)
            return;
        terminal_take(terminal, bytes, (size_t)size);
    }
}

/* The prompt is drawn before the line editor takes over from the kernel; what is typed in between would be echoed twice, and ^D lost. */
static void terminal_wait_for_editor(struct terminal *terminal)
{
    struct termios mode;
    for (int tries = 0; tries < 5000; tries++) {
        assert_int_equal(tcgetattr(terminal->fd, &mode), 0);
        if ((mode.c_lflag & ICANON) == 0)
            return;
        usleep(1000);
    }
    fail_msg("no line editor on the terminal");
}

static void terminal_type(struct terminal *terminal, const char *text)
{
    terminal_wait_for_editor(terminal);
    assert_int_equal(write(terminal->fd, text, strlen(text)), strlen(text));
}

/* Type a line at the prompt and wait for the next prompt; what is seen is the echo and the reply. */
static void terminal_line(struct terminal *terminal, const char *text, const char *expected)
{
    terminal->size = 0;
    terminal_type(terminal, text);
    terminal_type(terminal, "\n");
    terminal_read_until(terminal, "\n> ");
    char wanted[1024];
    snprintf(wanted, sizeof wanted, "%s\n%s> ", text, expected);
    assert_string_equal(terminal->seen, wanted);
}

static int terminal_close(struct terminal *terminal)
{
    int status;
    terminal_read_until(terminal, "");
    assert_int_equal(waitpid(terminal->child, &status, 0), terminal->child);
    close(terminal->fd);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The transcript that everyone tries first. */
static void cli_terminal_transcript_is_exact(void **state)
{
    (void)state;
    struct terminal terminal;
    terminal_open(&terminal, "dumb", "127.0.0.1", port, NULL);
    terminal_read_until(&terminal, "> ");
    assert_string_equal(terminal.seen, "> ");
    terminal_line(&terminal, "PUT hello world", "OK\n");
    terminal_line(&terminal, "GET hello", "world\n");
    terminal_line(&terminal, "DEL hello", "OK\n");
    terminal_line(&terminal, "GET hello", "NOT_FOUND\n");
    terminal_line(&terminal, "", "");
    terminal_line(&terminal, "GET \"x", "ERROR unbalanced quotes in request\n");
    terminal.size = 0;
    terminal_type(&terminal, "QUIT\n");
    assert_int_equal(terminal_close(&terminal), 0);
    assert_string_equal(terminal.seen, "QUIT\n");
}

/* Names are completed, history is kept between runs, for its owner only, and without passwords. */
static void cli_terminal_completes_and_remembers(void **state)
{
    (void)state;
    struct terminal terminal;
    struct stat st;
    static char history[OUTPUT_BYTES];
    unlink(".kvstore_history");
    terminal_open(&terminal, "xterm", "127.0.0.1", port, NULL);
    terminal_read_until(&terminal, "> ");
    terminal_type(&terminal, "sel\t3\n");
    terminal_read_until(&terminal, "OK\n> ");
    terminal_type(&terminal, "AUTH secret\n");
    terminal_read_until(&terminal, "UNKNOWN COMMAND\n> ");
    terminal_type(&terminal, "\004");
    assert_int_equal(terminal_close(&terminal), 0);
    assert_int_equal(stat(".kvstore_history", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    read_file(".kvstore_history", history);
    assert_non_null(strstr(history, "select\\0403"));
    assert_null(strstr(history, "secret"));
    terminal_open(&terminal, "xterm", "127.0.0.1", port, NULL);
    terminal_read_until(&terminal, "> ");
    terminal.size = 0;
    terminal_type(&terminal, "\022elec");
    terminal_type(&terminal, "\n");
    terminal_read_until(&terminal, "OK\n> ");
    terminal_type(&terminal, "exit\n");
    assert_int_equal(terminal_close(&terminal), 0);
}

/* A restarted server must not end the session, nor run a command twice. */
static void cli_terminal_reconnects_after_the_server_went_away(void **state)
{
    (void)state;
    struct terminal terminal;
    hang_up_after(2);
    terminal_open(&terminal, "dumb", "127.0.0.1", port, NULL);
    terminal_read_until(&terminal, "> ");
    terminal_line(&terminal, "PUT a 1", "OK\n");
    terminal_line(&terminal, "GET a", "1\n");
    terminal.size = 0;
    terminal_type(&terminal, "GET a\n");
    terminal_read_until(&terminal, "\n> ");
    assert_non_null(strstr(terminal.seen, "Whether the command was carried out is not known"));
    terminal.size = 0;
    terminal_type(&terminal, "GET a\n");
    terminal_read_until(&terminal, "\n> ");
    assert_non_null(strstr(terminal.seen, "connected to 127.0.0.1:"));
    assert_non_null(strstr(terminal.seen, "\n1\n> "));
    terminal_type(&terminal, "quit\n");
    assert_int_equal(terminal_close(&terminal), 0);
}

/* ---- Import and export ---- */

static uint32_t random_next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Fill the store with records of any bytes: empty values, long keys, keys that are prefixes of each other, the longest key of all. */
static void fill_store(size_t count)
{
    static uint8_t longest[65535];
    uint32_t seed = 11;
    while (count_records() < count) {
        uint8_t key[12], value[300];
        size_t key_size = 1 + random_next(&seed) % sizeof key, value_size = random_next(&seed) % sizeof value;
        for (size_t i = 0; i < key_size; i++)
            key[i] = (uint8_t)(random_next(&seed) % 3 == 0 ? random_next(&seed) : 'a' + random_next(&seed) % 3);
        for (size_t i = 0; i < value_size; i++)
            value[i] = (uint8_t)(random_next(&seed) % 2 == 0 ? random_next(&seed) : 'v');
        put(slice_of(key, key_size), slice_of(value, value_size));
    }
    memset(longest, 'm', sizeof longest);
    put(slice_of(longest, sizeof longest), slice_of("", 0));
    memset(longest, 0xFF, sizeof longest);
    put(slice_of(longest, sizeof longest), slice_of("last", 4));
}

static struct store before;

/* Keep a copy of the store's records. */
static void take_snapshot(void)
{
    pthread_mutex_lock(&store.mutex);
    for (size_t i = 0; i < store.count; i++)
        before.records[i] = (struct store_record){store_copy(store.records[i].key), store_copy(store.records[i].value)};
    before.count = store.count;
    pthread_mutex_unlock(&store.mutex);
}

static void clear_records(void)
{
    pthread_mutex_lock(&store.mutex);
    store_clear(&store);
    pthread_mutex_unlock(&store.mutex);
}

static void expect_snapshot(void)
{
    pthread_mutex_lock(&store.mutex);
    bool same = store.count == before.count;
    for (size_t i = 0; same && i < store.count; i++)
        same = slice_equal(store.records[i].key, before.records[i].key) &&
               slice_equal(store.records[i].value, before.records[i].value);
    pthread_mutex_unlock(&store.mutex);
    assert_true(same);
    store_clear(&before);
}

/* A backup must give back every byte, in both formats, over many pages. */
static void cli_export_then_import_gives_back_every_byte(void **state)
{
    (void)state;
    static const char *const files[] = {"records.tsv", "records.jsonl"};
    for (size_t i = 0; i < 2; i++) {
        fill_store(3000);
        take_snapshot();
        run_program("", "127.0.0.1", port, "export", files[i], NULL);
        assert_int_equal(run.status, 0);
        assert_non_null(strstr(run.err, "exported 3002 records"));
        clear_records();
        run_program("", "127.0.0.1", port, "import", files[i], NULL);
        assert_non_null(strstr(run.err, "imported 3002 records"));
        assert_int_equal(run.status, 0);
        expect_snapshot();
    }
}

/* The formats are read by other programs: they are fixed. */
static void cli_export_formats_golden(void **state)
{
    (void)state;
    put(slice_of_text("a"), slice_of("1\t\n\xFF", 4));
    put(slice_of_text("pre\xC3\xA9"), slice_of_text("\"x\\\""));
    put(slice_of_text("pre\xFF"), slice_of_text(""));
    put(slice_of_text("prf"), slice_of_text("no"));
    run_program("", "127.0.0.1", port, "export", NULL);
    assert_string_equal(run.out, "a\t1\\t\\n\\xff\npre\xC3\xA9\t\"x\\\\\"\npre\\xff\t\nprf\tno\n");
    run_program("", "127.0.0.1", port, "export", "--format", "jsonl", "--prefix", "pre", NULL);
    assert_string_equal(
        run.out, "{\"key\":\"pre\xC3\xA9\",\"value\":\"\\\"x\\\\\\\"\"}\n{\"key_b64\":\"cHJl/w==\",\"value\":\"\"}\n");
    assert_int_equal(run.status, 0);
}

/* Bad lines are counted, the first is named with its number, and the good ones are stored. */
static void cli_import_bad_lines_are_counted_and_the_rest_is_stored(void **state)
{
    (void)state;
    run_program("a\t1\n\nno tab\nb\t2\\q\n\t3\nc\tx\\ty\r\nd\t1\t2\n", "127.0.0.1", port, "import", NULL);
    assert_int_equal(run.status, 2);
    assert_non_null(strstr(run.err, "standard input, line 3: no tab between key and value\n"));
    assert_null(strstr(run.err, "line 4"));
    assert_non_null(strstr(run.err, "imported 2 records"));
    assert_non_null(strstr(run.err, ", 4 errors\n"));
    assert_int_equal(count_records(), 2);
    expect_stored("c", slice_of_text("x\ty"));
    run_program(
        "{\"key\":\"\",\"value\":\"v\"}\n{\"key\":\"j\",\"value\":\"\\u0000\"}\n[]\n{\"key\":1,\"value\":\"\"}\n{\"key_b64\":\"a\",\"value\":\"\"}\n{\n",
        "127.0.0.1", port, "import", "-f", "jsonl", NULL);
    assert_int_equal(run.status, 2);
    assert_non_null(strstr(run.err, ", 5 errors\n"));
    assert_int_equal(count_records(), 3);
    expect_stored("j", slice_of("", 1));
}

/* An error that the server answers is found with its line, though many records are under way. */
static void cli_import_server_errors_have_their_line(void **state)
{
    (void)state;
    char *input = malloc(6000 * 16);
    assert_non_null(input);
    size_t size = 0;
    for (int i = 1; i <= 6000; i++)
        size += (size_t)sprintf(input + size, i == 5001 ? "\tempty\n" : "k%d\tv\n", i);
    run_program(input, "127.0.0.1", port, "import", NULL);
    assert_non_null(strstr(run.err, "standard input, line 5001: ERR empty key\n"));
    assert_non_null(strstr(run.err, "imported 5999 records"));
    assert_int_equal(run.status, 2);
    assert_int_equal(count_records(), 5999);
    free(input);
}

/* A server that goes away in the middle is told, with how far it came. */
static void cli_import_lost_connection_is_an_error(void **state)
{
    (void)state;
    hang_up_after(3);
    run_program("a\t1\nb\t2\nc\t3\nd\t4\ne\t5\n", "127.0.0.1", port, "import", NULL);
    assert_int_equal(run.status, 2);
    assert_non_null(strstr(run.err, "import stopped: "));
    assert_non_null(strstr(run.err, "records up to line 3 are stored"));
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, start_server, stop_server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(cli_one_command_gives_raw_value_and_exit_status),
        SERVER_TEST(cli_bad_command_lines_are_refused),
        SERVER_TEST(cli_help_and_version_are_printed),
        SERVER_TEST(cli_refused_connection_is_one_line),
        SERVER_TEST(cli_pipe_prints_one_reply_per_command_in_order),
        SERVER_TEST(cli_pipe_of_many_commands_keeps_order),
        SERVER_TEST(cli_pipe_lost_connection_is_an_error),
        SERVER_TEST(cli_terminal_transcript_is_exact),
        SERVER_TEST(cli_terminal_completes_and_remembers),
        SERVER_TEST(cli_terminal_reconnects_after_the_server_went_away),
        SERVER_TEST(cli_export_then_import_gives_back_every_byte),
        SERVER_TEST(cli_export_formats_golden),
        SERVER_TEST(cli_import_bad_lines_are_counted_and_the_rest_is_stored),
        SERVER_TEST(cli_import_server_errors_have_their_line),
        SERVER_TEST(cli_import_lost_connection_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
