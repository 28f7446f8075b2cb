/* scan.c -- RANGE, COUNT, DBSIZE: what they are asked for; scan_job.c does it. */
#include "command/command.h"
#include "command/key_list.h"
#include "command/scan_job.h"
#include "protocol/number.h"

/* Walks see what is published: a client's own last write first. */
static enum command_outcome start(struct session *session, const struct scan_options *options)
{
    if (session_read_sequence(session) != 0)
        return COMMAND_AFTER_PUBLISH;
    session->job = scan_job_new(session, options);
    if (session->job != NULL)
        return COMMAND_JOB;
    reply_error(&session->output.writer, "OOM", "no memory for this command");
    return COMMAND_DONE;
}

/* Reads the words behind the bounds. NULL, or what is wrong with them. */
static const char *parse_range_options(struct scan_options *options, const struct request *request)
{
    for (size_t i = 3; i < request->count; i++) {
        struct kvs_slice word = request_argument(request, i);
        if (command_word_is(word, "REV")) {
            options->is_reverse = true;
        } else if (command_word_is(word, "LIMIT") && i + 1 < request->count) {
            int64_t limit;
            if (!number_parse(&limit, request_argument(request, ++i)) || limit < 0)
                return "value is not an integer or out of range";
            options->limit = (uint64_t)limit;
        } else {
            return "syntax error";
        }
    }
    return NULL;
}

enum command_outcome command_range(struct session *session, const struct request *request)
{
    struct scan_options options = {
        .from = request_argument(request, 1), .to = request_argument(request, 2), .limit = UINT64_MAX};
    enum command_outcome outcome;
    const char *problem = parse_range_options(&options, request);
    if (problem != NULL)
        return command_refuse(session, "ERR", problem);
    if (!key_list_check_words(&outcome, session, request, 1, 1))
        return outcome;
    return start(session, &options);
}

enum command_outcome command_count(struct session *session, const struct request *request)
{
    struct scan_options options = {.from = request_argument(request, 1),
                                   .to = request_argument(request, 2),
                                   .limit = UINT64_MAX,
                                   .is_count = true};
    enum command_outcome outcome;
    if (!key_list_check_words(&outcome, session, request, 1, 1))
        return outcome;
    return start(session, &options);
}

enum command_outcome command_dbsize(struct session *session, const struct request *request)
{
    (void)request;
    struct scan_options options = {.limit = UINT64_MAX, .is_count = true};
    return start(session, &options);
}
