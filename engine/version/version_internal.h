/* version_internal.h -- inside the room: a version while it is being made. */
#ifndef KVS_VERSION_VERSION_INTERNAL_H
#define KVS_VERSION_VERSION_INTERNAL_H

#include "version/version.h"

/* A version with room for run_count runs and none yet; the caller adds them. Errors: NO_MEMORY. */
KVS_MUST_USE struct kvs_status version_new_sized(struct version **version, size_t run_count);

/* Append a run, whose reference the version takes over; by level, newest first. */
void version_add_run(struct version *version, unsigned level, struct version_run *run);

#endif
