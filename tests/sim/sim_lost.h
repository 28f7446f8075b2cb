/* sim_lost.h -- what was set aside, or had to be: it must not be lost in its turn.
 *
 * Role      After a torn manifest, each log and segment that it does not list has a name, in the folder or in lost/. What lost/ holds when an open has
 *           succeeded stays there: every name, and the bytes of every tail of a log.
 * Threads   One fiber at a time.
 */
#ifndef KVS_TESTS_SIM_SIM_LOST_H
#define KVS_TESTS_SIM_SIM_LOST_H

#include "sim_look.h"

enum { LOST_MAX = 256, LOST_NAME_BYTES = 64 };

/* name        of a file
 * is_aside    it must be in lost/, else there or in the folder
 * is_durable  a power cut must not take it
 * hash        of its bytes, 0 if they are not promised */
struct lost_file {
    char name[LOST_NAME_BYTES];
    bool is_aside, is_durable;
    uint64_t hash;
};

struct sim_lost {
    struct lost_file files[LOST_MAX];
    size_t count;
};

/* Before an open: note the files of a torn manifest. is_durable: the disk was just switched on, so that what is there is on the platter. */
void sim_lost_note_torn(struct sim *sim, const struct sim_look *look, bool is_durable);

/* After an open for writing has succeeded: note what lost/ holds. */
void sim_lost_note_aside(struct sim *sim);

/* After a power cut: forget what was not promised to survive one. */
void sim_lost_note_cut(struct sim *sim);

/* Fail unless all is there. only_durable: as after a power cut. */
void sim_lost_check(struct sim *sim, bool only_durable);

#endif
