#include "wal/log_replay_internal.h"

#include "format/file_name.h"

#include <inttypes.h>
#include <stdio.h>

static const char *rule_text(int rule)
{
    switch (rule) {
    case 1:
        return "a listed log cannot be read";
    case 2:
        return "a listed log is missing or damaged before its known end";
    default:
        return "a record known to be durable is missing";
    }
}

/* "4 to 9", or "from 4 on" where no header tells how far. */
static void print_risk(char *text, size_t capacity, const struct replay *replay)
{
    if (replay->seen_sequence > replay->last_sequence)
        snprintf(text, capacity, "%" PRIu64 " to %" PRIu64, replay->last_sequence + 1, replay->seen_sequence);
    else
        snprintf(text, capacity, "from %" PRIu64 " on", replay->last_sequence + 1);
}

struct kvs_status replay_refuse(const struct replay *replay, int rule, size_t log, uint64_t offset, uint64_t expected,
                                const char *found)
{
    char name[FILE_NAME_BYTES];
    char risk[64];
    file_name_print(name, FILE_LOG, replay->options->logs[log].number);
    print_risk(risk, sizeof risk, replay);
    return STATUS(KVS_CORRUPT,
                  "%s: offset %" PRIu64 ": expected record %" PRIu64
                  ", found %s: refused by replay rule %d (%s; durable "
                  "up to record %" PRIu64
                  "); sequence numbers %s are at risk; nothing was changed; next: kvstore_tool repair --plan "
                  "%s",
                  name, offset, expected, found, rule, rule_text(rule), replay->durable, risk, replay->options->folder);
}

/* Refuse for a failure that has its own sentence, with file and offset in it. */
static struct kvs_status refuse_with_cause(const struct replay *replay, int rule, size_t log, struct kvs_status cause)
{
    char text[STATUS_TEXT_BYTES];
    char risk[64];
    print_risk(risk, sizeof risk, replay);
    snprintf(text, sizeof text,
             "%s: expected record %" PRIu64
             ": refused by replay rule %d (%s); sequence numbers %s are at risk; nothing was "
             "changed; next: kvstore_tool repair --plan %s",
             status_text(cause), replay->options->logs[log].first_record, rule, rule_text(rule), risk,
             replay->options->folder);
    /* What the manifest lists and is not there is damage, not the absence of a database. */
    if (cause.code == KVS_NOT_FOUND)
        cause.code = KVS_CORRUPT;
    return status_restore_text(cause, text);
}

struct kvs_status replay_refuse_cause(const struct replay *replay, size_t log, struct kvs_status cause)
{
    switch (cause.code) {
    case KVS_CORRUPT:
    case KVS_NOT_FOUND:
        return refuse_with_cause(replay, 2, log, cause);
    case KVS_IO:
        return refuse_with_cause(replay, 1, log, cause);
    default:
        return cause;
    }
}

struct kvs_status replay_refuse_unread(const struct replay *replay, struct kvs_status cause)
{
    char text[STATUS_TEXT_BYTES];
    snprintf(
        text, sizeof text,
        "%s: refused by replay rule 1 (a log newer than the listed ones cannot be read); nothing was changed; next: "
        "kvstore_tool repair --plan %s",
        status_text(cause), replay->options->folder);
    return status_restore_text(cause, text);
}

struct kvs_status replay_refuse_unlisted(const struct replay *replay)
{
    char name[FILE_NAME_BYTES];
    char risk[64];
    file_name_print(name, FILE_LOG, replay->witness);
    print_risk(risk, sizeof risk, replay);
    return STATUS(
        KVS_CORRUPT,
        "%s: offset %" PRIu64 ": found a record for which record %" PRIu64
        " was durable, in a log that the manifest does not list; expected record %" PRIu64
        " in a listed one: refused by replay rule 3 (%s: the manifest has lost its end, or is an older copy); "
        "sequence numbers %s are at risk; nothing was changed; next: kvstore_tool repair --plan %s",
        name, replay->witness_offset, replay->durable, replay->expected, rule_text(3), risk, replay->options->folder);
}
