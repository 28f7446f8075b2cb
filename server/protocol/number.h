/* number.h -- decimal numbers as RESP writes them.
 *
 * Role      One strict reading and one writing of integers for requests and replies.
 * Format    An optional minus sign, then digits without leading zeros: one number, one form, as Redis reads it.
 * Threads   Pure functions.
 */
#ifndef KVS_PROTOCOL_NUMBER_H
#define KVS_PROTOCOL_NUMBER_H

#include "base/slice.h"

/* The longest number: "-9223372036854775808". */
enum { NUMBER_MAX_BYTES = 20 };

/* Read all of text as one number. False where it is none, or passes 64 bits. */
KVS_MUST_USE bool number_parse(int64_t *value_out, struct kvs_slice text);

/* Write value, without a terminator; returns its length. at has room for NUMBER_MAX_BYTES. */
size_t number_format(char *at, int64_t value);

#endif
