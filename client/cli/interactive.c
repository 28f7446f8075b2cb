#include "interactive.h"

#include "base/status.h"
#include "commands.h"
#include "show.h"

#include <fcntl.h>
#include <histedit.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

enum { HISTORY_LINES = 1000 };

struct prompt {
    EditLine *edit;
    History *history;
    char file[PATH_MAX]; /* of the history; "" for none */
};

/* ---- Line editing ---- */

static char *prompt_text(EditLine *edit)
{
    static char text[] = "> ";
    (void)edit;
    return text;
}

/* The bytes that all commands beginning with word have in common, and how many there are. */
static size_t common_prefix(const char **name_out, size_t *matches_out, const char *word, size_t size)
{
    size_t count, common = 0, matches = 0;
    const struct command_help *commands = commands_list(&count);
    for (size_t i = 0; i < count; i++) {
        const char *name = commands[i].name;
        if (strncasecmp(name, word, size) != 0)
            continue;
        if (matches++ == 0) {
            *name_out = name;
            common = strlen(name);
            continue;
        }
        size_t same = 0;
        while (same < common && name[same] == (*name_out)[same])
            same++;
        common = same;
    }
    *matches_out = matches;
    return common;
}

static void list_matches(const char *word, size_t size)
{
    size_t count;
    const struct command_help *commands = commands_list(&count);
    putchar('\n');
    for (size_t i = 0; i < count; i++)
        if (strncasecmp(commands[i].name, word, size) == 0)
            printf("%s  ", commands[i].name);
    putchar('\n');
    fflush(stdout);
}

/* Put name in the place of the word before the cursor, in lower case if that was typed so. */
static void replace_word(EditLine *edit, const char *word, size_t size, const char *name, size_t name_size,
                         bool is_whole)
{
    char text[32];
    bool is_lower = size > 0 && word[0] >= 'a' && word[0] <= 'z';
    for (size_t i = 0; i < name_size; i++)
        text[i] = is_lower && name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    text[name_size] = is_whole ? ' ' : '\0';
    text[name_size + is_whole] = '\0';
    el_deletestr(edit, (int)size);
    el_insertstr(edit, text);
}

/* Where the word to complete begins: the first of the line, or the one behind HELP. */
static const char *word_to_complete(const LineInfo *line)
{
    const char *start = line->buffer;
    while (start < line->cursor && *start == ' ')
        start++;
    if (line->cursor - start >= 5 && strncasecmp(start, "help ", 5) == 0)
        start += 5;
    return memchr(start, ' ', (size_t)(line->cursor - start)) == NULL ? start : NULL;
}

static unsigned char complete(EditLine *edit, int key)
{
    (void)key;
    const LineInfo *line = el_line(edit);
    const char *word = word_to_complete(line), *name = NULL;
    if (word == NULL)
        return CC_ERROR;
    size_t size = (size_t)(line->cursor - word), matches;
    size_t common = common_prefix(&name, &matches, word, size);
    if (matches == 0)
        return CC_ERROR;
    if (matches > 1 && common == size) {
        list_matches(word, size);
        return CC_REDISPLAY;
    }
    replace_word(edit, word, size, name, common, matches == 1);
    return CC_REFRESH;
}

/* ---- History ---- */

static void open_history(struct prompt *prompt)
{
    HistEvent event;
    const char *home = getenv("HOME");
    history(prompt->history, &event, H_SETSIZE, HISTORY_LINES);
    history(prompt->history, &event, H_SETUNIQUE, 1);
    if (home == NULL ||
        snprintf(prompt->file, sizeof prompt->file, "%s/.kvstore_history", home) >= (int)sizeof prompt->file) {
        prompt->file[0] = '\0';
        return;
    }
    history(prompt->history, &event, H_LOAD, prompt->file);
}

/* The file exists with its mode before anything is written into it. */
static void save_history(struct prompt *prompt)
{
    HistEvent event;
    if (prompt->file[0] == '\0')
        return;
    int fd = open(prompt->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    close(fd);
    history(prompt->history, &event, H_SAVE, prompt->file);
}

/* Passwords are not kept. The file is written at once, so that an interrupt loses nothing. */
static void remember(struct prompt *prompt, const struct words *words, const char *line)
{
    HistEvent event;
    if (words->count == 0 || words_is(words, 0, "AUTH") || words_is(words, 0, "HELLO"))
        return;
    history(prompt->history, &event, H_ENTER, line);
    save_history(prompt);
}

/* ---- Life of the prompt ---- */

/* What is typed is UTF-8, also where the environment names no language. */
static void set_character_set(void)
{
    if (setlocale(LC_CTYPE, "") == NULL || MB_CUR_MAX == 1)
        setlocale(LC_CTYPE, "C.UTF-8");
}

static bool prompt_open(struct prompt *prompt)
{
    set_character_set();
    *prompt = (struct prompt){.edit = el_init("kvstore_client", stdin, stdout, stderr), .history = history_init()};
    if (prompt->edit == NULL || prompt->history == NULL)
        return false;
    el_set(prompt->edit, EL_PROMPT, prompt_text);
    el_set(prompt->edit, EL_EDITOR, "emacs");
    el_set(prompt->edit, EL_SIGNAL, 1);
    open_history(prompt);
    el_set(prompt->edit, EL_HIST, history, prompt->history);
    /* The wide form keeps the two texts where they are; the other copies and never frees them. */
    el_wset(prompt->edit, EL_ADDFN, L"kvs-complete", L"Complete a command name", complete);
    el_set(prompt->edit, EL_BIND, "^I", "kvs-complete", NULL);
    el_set(prompt->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_source(prompt->edit, NULL);
    return true;
}

static void prompt_close(struct prompt *prompt)
{
    if (prompt->edit != NULL)
        el_end(prompt->edit);
    if (prompt->history != NULL)
        history_end(prompt->history);
}

/* ---- Lines ---- */

static void print_error(struct kvs_status status)
{
    fflush(stdout);
    fprintf(stderr, "ERROR %s\n", status_text(status));
}

/* Send a command, on a new connection if the old one is found closed. */
static void run_command(struct session *session, const struct words *words)
{
    bool is_new;
    struct kvs_status status = session_restore(session, &is_new);
    if (!status_is_ok(status)) {
        print_error(status);
        return;
    }
    if (is_new)
        fprintf(stderr, "The connection was closed; connected to %s:%u again.\n", session->options->host,
                session->options->port);
    struct kvc_reply *reply;
    status = session_command(session, &reply, words);
    if (!status_is_ok(status)) {
        print_error(status);
        fprintf(stderr, "Whether the command was carried out is not known; the next one connects again.\n");
        return;
    }
    show_reply(stdout, words, reply);
    kvc_reply_free(reply);
}

static void run_help(const struct words *words)
{
    struct kvs_slice name = words->count > 1 ? words->items[1] : slice_of_text("");
    if (!commands_print_help(stdout, name))
        printf("ERROR no help on %.*s\n", (int)name.size, (const char *)name.data);
}

/* Returns whether to go on. */
static bool run_line(struct session *session, const struct words *words)
{
    if (words_is(words, 0, "QUIT") || words_is(words, 0, "EXIT"))
        return false;
    if (words_is(words, 0, "HELP"))
        run_help(words);
    else if (words_is(words, 0, "IMPORT") || words_is(words, 0, "EXPORT"))
        printf("ERROR %.6s is a command of the shell: kvstore_client %s %u %.6s --help\n",
               (const char *)words->items[0].data, session->options->host, session->options->port,
               (const char *)words->items[0].data);
    else
        run_command(session, words);
    fflush(stdout);
    return true;
}

int interactive_run(struct session *session)
{
    struct prompt prompt;
    struct words words = {0};
    bool open = prompt_open(&prompt);
    if (!open)
        fprintf(stderr, "kvstore_client: cannot use this terminal\n");
    int status = open ? EXIT_FOUND : EXIT_ERROR;
    while (open) {
        int size;
        const char *line = el_gets(prompt.edit, &size);
        if (line == NULL || size <= 0) {
            putchar('\n');
            break;
        }
        bool balanced = words_split(&words, line, (size_t)size);
        remember(&prompt, &words, line);
        if (!balanced)
            printf("ERROR unbalanced quotes in request\n");
        else if (words.count > 0)
            open = run_line(session, &words);
    }
    words_fini(&words);
    prompt_close(&prompt);
    return status;
}
