/* sim_look.h -- what stands on a disk, read without the engine's recovery: the state of its manifest, and the headers of its logs.
 *
 * Role      Before a database is opened, what an open may not forget: files that a torn manifest may have listed, numbers that were given out.
 * Threads   The only fiber that runs.
 * Failure   A folder that holds no database, or one that cannot be read, gives a look that is not valid; what that means is the open's to say.
 */
#ifndef KVS_TESTS_SIM_SIM_LOOK_H
#define KVS_TESTS_SIM_SIM_LOOK_H

#include "format/file_name.h"

struct sim;

enum { LOOK_FILES_MAX = 64 };

struct look_file {
    enum file_type type;
    uint64_t number;
};

/* is_torn        the manifest ends in something that is no record
 * last_edit      where its last record begins, 0 if that is part of the whole state, which CURRENT vouches for
 * last_sequence  the largest in any header that verifies in a listed log
 * unlisted       logs and segments that the manifest does not list; was_named: an edit of this manifest once did */
struct sim_look {
    bool is_valid;
    bool is_torn;
    uint64_t manifest;
    uint64_t last_edit;
    uint64_t last_sequence;
    struct look_file unlisted[LOOK_FILES_MAX];
    bool was_named[LOOK_FILES_MAX];
    size_t unlisted_count;
};

void sim_look_at(struct sim *sim, struct sim_look *look);

/* The number of the manifest that is current, 0 where there is none. */
uint64_t sim_look_manifest(struct sim *sim);

/* Damage the last record of the manifest, so that it looks like the torn tail of an edit. Returns false where that is part of the whole state, or where a
 * torn record after it vouches for it. */
bool sim_look_tear(struct sim *sim, const struct sim_look *look);

#endif
