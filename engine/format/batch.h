/* batch.h -- the payload of a batch record: changes in the order in which they were made.
 *
 * Role      Encodes and walks entries. The same bytes are a batch in memory and in the log, so that a commit copies them once.
 * Format    format/README.md, "Log record": per entry a kind byte, the key's size and bytes, and for a put the value's size and bytes.
 * Threads   Pure functions.
 * Failure   A malformed payload stops the walk; its status is CORRUPT and says entry, byte, expected and found. The file and the record's
 *           offset are added by the caller, who knows them.
 */
#ifndef KVS_FORMAT_BATCH_H
#define KVS_FORMAT_BATCH_H

#include "base/coding.h"
#include "base/key.h"
#include "base/status.h"

/* kind_byte  KEY_PUT or KEY_DELETE
 * value      empty for a delete */
struct batch_entry {
    unsigned kind_byte;
    struct kvs_slice key;
    struct kvs_slice value;
    uint64_t sequence;
};

/* The bytes that an entry takes. For a delete value_size is 0. */
size_t batch_entry_bytes(unsigned kind_byte, size_t key_size, size_t value_size);

/* Write an entry; returns the address after it. at has room for batch_entry_bytes. Key and value are within their limits. */
uint8_t *batch_put_entry(uint8_t *at, unsigned kind_byte, struct kvs_slice key, struct kvs_slice value);

/* A walk over a payload, which it borrows. */
struct batch_cursor {
    struct cursor bytes;
    const uint8_t *entry;
    const uint8_t *payload;
    uint64_t next_sequence;
    uint32_t count;
    uint32_t walked;
    const char *complaint;
};

/* Begin a walk over a payload of count entries. */
void batch_cursor_init(struct batch_cursor *cursor, struct kvs_slice payload, uint32_t count, uint64_t first_sequence);

/* Step to the next entry. entry: out, borrowed from the payload. Returns false after the last one, or where the payload is malformed:
 * batch_cursor_status tells. */
KVS_MUST_USE bool batch_cursor_next(struct batch_cursor *cursor, struct batch_entry *entry);

/* After batch_cursor_next gave false: whether the payload was well-formed to its end. Errors: CORRUPT. */
KVS_MUST_USE struct kvs_status batch_cursor_status(const struct batch_cursor *cursor);

/* Walk a whole payload. Errors: CORRUPT. */
KVS_MUST_USE struct kvs_status batch_check(struct kvs_slice payload, uint32_t count);

#endif
