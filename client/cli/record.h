/* record.h -- one record as one line: TSV or JSON.
 *
 * Format    TSV: protocol/README.md. JSON: an object with "key" or "key_b64", and "value" or "value_b64"; other members are not looked at.
 * Threads   One at a time per set of buffers.
 * Failure   A bad line is a sentence.
 */
#ifndef KVS_CLI_RECORD_H
#define KVS_CLI_RECORD_H

#include "options.h"

#include "protocol/byte_buffer.h"

/* A record that was read; the slices are borrowed from the line (TSV) or from storage (JSON). */
struct record {
    struct kvs_slice key;
    struct kvs_slice value;
};

/* Read a line, without its end. Returns NULL, or what is wrong with it (static text).
 *
 * record_out  out: valid until line or storage changes
 * storage     emptied and used as needed; a TSV line is decoded in place instead */
const char *record_parse(struct record *record_out, struct byte_buffer *storage, enum record_format format, char *line,
                         size_t size);

/* Append a record as a line with its LF. False: no memory. */
KVS_MUST_USE bool record_append(struct byte_buffer *out, enum record_format format, const struct record *record);

#endif
