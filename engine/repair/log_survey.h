/* log_survey.h -- what can be read of a damaged log.
 *
 * Role      Reads every record that verifies, wherever it stands, and says of each place between them what is missing. Unlike replay (wal/log_replay.h) it goes on
 *           after a hole.
 * Format    format/README.md, "Log file".
 * Threads   One.
 * Failure   Damage is a finding, not an error. A read that fails is an error: a disk that cannot be read is copied first.
 */
#ifndef KVS_REPAIR_LOG_SURVEY_H
#define KVS_REPAIR_LOG_SURVEY_H

#include "io/io.h"
#include "repair/entry_stream.h"
#include "repair/repair_report.h"
#include "wal/listed_log.h"

/* folder            of the database
 * listing           what the manifest says; first_record 0: the manifest does not list it
 * next_first        the first record of the log after it; 0 if there is none
 * durable           D as far as it is known
 * before_sequence   of the logs before it
 * flushed_sequence  records up to it are in segments: they are read, and left out of entries; lost, they are no loss */
struct log_survey_options {
    const char *folder;
    struct log_listing listing;
    uint64_t next_first;
    uint64_t durable;
    uint64_t before_sequence;
    uint64_t flushed_sequence;
};

/* records, entries   read, and collected
 * largest_*          in any header that verifies */
struct log_survey {
    uint64_t records, entries;
    uint64_t largest_record, largest_sequence, largest_watermark;
};

/* Read a log. survey: out. entries: the changes of its records are added. report: a finding for each hole.
 *
 * Errors: IO, NO_MEMORY. A log that is not there is a finding. */
KVS_MUST_USE struct kvs_status log_survey(struct io *io, struct log_survey *survey, struct entry_list *entries,
                                          struct repair_report *report, const struct log_survey_options *options);

#endif
