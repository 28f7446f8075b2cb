/* main.c -- kvstore_client: choose the mode and run it. */

#include "base/status.h"
#include "commands.h"
#include "interactive.h"
#include "options.h"
#include "piped.h"
#include "session.h"
#include "show.h"
#include "transfer.h"

#include <strings.h>
#include <unistd.h>

/* One command from the command line. */
static int run_once(struct session *session, char *const *command, size_t count)
{
    struct words words = {0};
    struct kvc_reply *reply;
    words_set(&words, command, count);
    struct kvs_status status = session_command(session, &reply, &words);
    int exit_status = EXIT_ERROR;
    if (!status_is_ok(status)) {
        fprintf(stderr, "kvstore_client: %s\n", status_text(status));
    } else {
        exit_status = show_exit_status(&words, reply);
        if (exit_status == EXIT_ERROR)
            show_reply(stderr, &words, reply);
        else if (isatty(STDOUT_FILENO))
            show_reply(stdout, &words, reply);
        else
            show_raw(stdout, &words, reply);
        kvc_reply_free(reply);
    }
    if (fflush(stdout) != 0)
        exit_status = EXIT_ERROR;
    words_fini(&words);
    return exit_status;
}

/* Connect, run, close. transfer: the options where the command is import or export, else NULL. */
static int run(const struct cli_options *options, const struct transfer_options *transfer, bool is_import)
{
    struct session session;
    struct kvs_status status = session_open(&session, options);
    if (!status_is_ok(status)) {
        fprintf(stderr, "kvstore_client: %s\n", status_text(status));
        return EXIT_ERROR;
    }
    int exit_status;
    if (transfer != NULL)
        exit_status = is_import ? import_run(&session, transfer) : export_run(&session, transfer);
    else if (options->command_count > 0)
        exit_status = run_once(&session, options->command, options->command_count);
    else if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
        exit_status = interactive_run(&session);
    else
        exit_status = piped_run(&session);
    session_close(&session);
    return exit_status;
}

int main(int argc, char **argv)
{
    struct cli_options options;
    options_parse(&options, argc, argv);
    if (options.command_count == 0)
        return run(&options, NULL, false);
    const char *command = options.command[0];
    bool is_import = strcasecmp(command, "import") == 0, is_export = strcasecmp(command, "export") == 0;
    if (strcasecmp(command, "help") == 0) {
        struct kvs_slice name = slice_of_text(options.command_count > 1 ? options.command[1] : "");
        return commands_print_help(stdout, name) ? EXIT_FOUND : EXIT_ERROR;
    }
    if (!is_import && !is_export)
        return run(&options, NULL, false);
    struct transfer_options transfer;
    options_parse_transfer(&transfer, options.command_count, options.command);
    return run(&options, &transfer, is_import);
}
