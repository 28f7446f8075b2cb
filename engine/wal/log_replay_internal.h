/* log_replay_internal.h -- what the files of a replay share: log_replay.c (the order of the rules), log_replay_scan.c (reading the logs),
 * log_replay_proven.c (which records are proven) and log_replay_refusal.c (the sentences of a refusal). */
#ifndef KVS_WAL_LOG_REPLAY_INTERNAL_H
#define KVS_WAL_LOG_REPLAY_INTERNAL_H

#include "wal/log_replay.h"

/* Where a record of the kept chain begins. D is known only when all is read; from the last mark before it, it is found again at little cost.
 *
 * last_sequence  of the records before this one */
struct replay_mark {
    size_t log;
    uint64_t record;
    uint64_t offset;
    uint64_t last_sequence;
};

/* expected       the next record number, of the chain that is kept
 * durable        D as far as it is known
 * last_sequence  of the chain that is kept
 * seen_*         the largest in any header that verifies, also in what is set aside
 * stopped        the chain has ended; logs after stop_log are not part of it
 * found          what stood where the chain ended
 * witness        of the unlisted log whose header at witness_offset raised D last; 0 if none did */
struct replay {
    struct io *io;
    const struct log_replay_options *options;
    struct log_replay_end *ends;
    struct log_replay_report report;
    struct replay_mark *marks;
    size_t mark_count, mark_capacity;
    uint64_t expected;
    uint64_t durable;
    uint64_t last_sequence;
    uint64_t seen_record;
    uint64_t seen_sequence;
    bool stopped;
    size_t stop_log;
    char found[128];
    uint64_t witness;
    uint64_t witness_offset;
};

/* Read a listed log once: verify its records and hand over those of the kept chain, note what all its headers say, and fill in its end. index: of the log in
 * options->logs; one after the other, oldest first. Errors: those of log_replay; a refusal by rule 1 or 2. */
KVS_MUST_USE struct kvs_status replay_scan_listed(struct replay *replay, size_t index);

/* Note the headers of a log that is not listed; only after all listed ones. A file that is not there any more, or whose making was cut short, says nothing. index: in
 * options->unlisted. Errors: those of log_replay; a refusal by rule 1. */
KVS_MUST_USE struct kvs_status replay_scan_unlisted(struct replay *replay, size_t index);

/* A record of the kept chain is handed over: remember where it begins, unless there is a mark a little before it. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status replay_set_mark(struct replay *replay, const struct replay_mark *mark);

/* With D known, say how much of each log is proven, and count what was delivered. Errors: those of log_replay. */
KVS_MUST_USE struct kvs_status replay_measure(struct replay *replay);

/* The CORRUPT of a refusal. log: index of the listed log that what is wrong stands in. found: what stands there in the place of the record expected. */
KVS_MUST_USE struct kvs_status replay_refuse(const struct replay *replay, int rule, size_t log, uint64_t offset,
                                             uint64_t expected, const char *found);

/* A refusal for a failure that has its own sentence, with file and offset in it: by rule 2 where the cause is what the file holds, by rule 1 where it cannot
 * be read. Any other failure is no refusal, and returned as it is. */
KVS_MUST_USE struct kvs_status replay_refuse_cause(const struct replay *replay, size_t log, struct kvs_status cause);

/* Rule 1 for a log that is not listed. */
KVS_MUST_USE struct kvs_status replay_refuse_unread(const struct replay *replay, struct kvs_status cause);

/* Rule 3 where the witness is a log that is not listed. */
KVS_MUST_USE struct kvs_status replay_refuse_unlisted(const struct replay *replay);

#endif
