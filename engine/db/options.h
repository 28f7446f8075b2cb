/* options.h -- the options of kvs_open: defaults, ranges, and what is derived from the memory budget. */
#ifndef KVS_DB_OPTIONS_H
#define KVS_DB_OPTIONS_H

#include "kvstore.h"

/* Check every option against its range. Errors: INVALID, naming the option, its value and its range. */
KVS_MUST_USE struct kvs_status options_check(const struct kvs_options *options);

/* The capacity of a memtable: the option, or a tenth of the budget within bounds: with those that are sealed and the one prepared that
 * makes at most half of it. */
uint64_t options_table_bytes(const struct kvs_options *options);

/* Memtables that may wait for their flush. */
enum { OPTIONS_SEALED_MAX = 3 };

/* What is preallocated of a log at a time, and the size of a log's buffer. */
uint64_t options_piece_bytes(uint64_t table_bytes);
uint64_t options_buffer_bytes(uint64_t table_bytes);

#endif
