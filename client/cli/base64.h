/* base64.h -- RFC 4648 base64 with padding, for JSON lines.
 *
 * Threads   Pure functions.
 */
#ifndef KVS_CLI_BASE64_H
#define KVS_CLI_BASE64_H

#include "protocol/byte_buffer.h"

/* Append value, encoded. False: no memory. */
KVS_MUST_USE bool base64_append(struct byte_buffer *buffer, struct kvs_slice value);

/* Append what text stands for. False, with nothing appended: it is no base64 (length, letters, padding, stray bits), or no memory. */
KVS_MUST_USE bool base64_append_decoded(struct byte_buffer *buffer, struct kvs_slice text);

#endif
