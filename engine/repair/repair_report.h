/* repair_report.h -- what is wrong with a database, what of it is lost, and what a repair does about it.
 *
 * Role      Filled in by the surveys and by the plan; printed by kvstore_tool as text or JSON.
 * Threads   One owner.
 * Failure   NO_MEMORY only.
 */
#ifndef KVS_REPAIR_REPAIR_REPORT_H
#define KVS_REPAIR_REPAIR_REPORT_H

#include "base/slice.h"
#include "format/file_name.h"

enum repair_part {
    REPAIR_CURRENT,  /* CURRENT: what it said is found elsewhere */
    REPAIR_MANIFEST, /* a manifest, or its end */
    REPAIR_LOG,      /* a range of bytes of a log, and the records in it */
    REPAIR_SEGMENT,  /* a range of bytes of a segment, and the keys in it */
};

/* One place that is damaged.
 *
 * file              its name in the folder
 * what              a sentence: what was expected and what was found
 * offset, end       bytes of the file; end 0: the file is missing, or all of it is meant
 * is_lost           something that was there cannot be read any more; else it is known from elsewhere
 * first_record, last_record, first_sequence, last_sequence   of what is lost in a log; 0: not known, as a last one: and what follows
 * entries           lost in a segment; 0: not known
 * has_keys          keys greater than or equal to first_key and up to last_key are concerned: their newest version may be gone, and an older one may show */
struct repair_finding {
    enum repair_part part;
    char file[FILE_NAME_BYTES];
    char what[STATUS_TEXT_BYTES];
    uint64_t offset, end;
    bool is_lost;
    uint64_t first_record, last_record;
    uint64_t first_sequence, last_sequence;
    uint64_t entries;
    bool has_keys;
    struct kvs_slice first_key, last_key; /* memory of the report */
};

/* What the state of the database becomes.
 *
 * NOTHING  it opens as it is
 * PATCH    the manifest is sound: damaged segments are written anew from what is left of them, and what is left of the logs becomes a segment
 * REBUILD  the manifest is not: every entry that can be read in any segment and log is merged, the newest version of each key wins. Which files were
 *          still in use is not known: a key whose delete was already dropped by a compaction may come back */
enum repair_mode { REPAIR_NOTHING, REPAIR_PATCH, REPAIR_REBUILD };

struct repair_name {
    char name[FILE_NAME_BYTES];
};

/* findings           in the order of files
 * originals          files that are moved to lost/: damaged, or replaced
 * kept_segments      files that stay as they are
 * log_records        read from logs that are replaced; log_entries of them are written to a segment
 * logs_stay          the logs are sound and stay as they are
 * salvaged_segments, salvaged_entries   read from damaged segments (REBUILD: from all), and what was found in them */
struct repair_report {
    enum repair_mode mode;
    struct repair_finding *findings;
    size_t finding_count, finding_capacity;
    struct repair_name *originals;
    size_t original_count, original_capacity;
    uint64_t kept_segments;
    uint64_t log_records, log_entries;
    bool logs_stay;
    uint64_t salvaged_segments, salvaged_entries;
};

void repair_report_init(struct repair_report *report);
void repair_report_fini(struct repair_report *report);

/* Append a finding; its keys, if it has any, are copied. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status repair_report_add(struct repair_report *report, const struct repair_finding *finding);

/* Take back all findings but the first so many. */
void repair_report_cut(struct repair_report *report, size_t count);

/* Append a file that is moved to lost/. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status repair_report_move(struct repair_report *report, const char *name);

/* Whether anything is lost. */
bool repair_report_has_loss(const struct repair_report *report);

#endif
