/* key.h -- internal keys: a user key and a trailer of sequence number and kind.
 *
 * Role      The order of everything sorted: user key ascending, then trailer descending, so that the newest version of a key comes first.
 * Format    A trailer is (sequence << 8) | kind byte, format/README.md, "Internal key".
 */
#ifndef KVS_BASE_KEY_H
#define KVS_BASE_KEY_H

#include "base/slice.h"

/* The low six bits of the kind byte. Unknown kinds on disk are corruption. Values are part of the format. */
enum key_kind {
    KEY_PUT = 1,
    KEY_DELETE = 2,
    KEY_RANGE_DELETE = 3, /* reserved */
    KEY_MERGE = 4,        /* reserved */
    KEY_KIND_MASK = 0x3F,
    KEY_FLAG_BLOB = 0x40,   /* reserved: the value is a reference into a blob file */
    KEY_FLAG_EXPIRY = 0x80, /* reserved: the value begins with an 8-byte absolute time in ms */
};

/* Limits of DESIGN section 4; over a limit is a clear error and nothing written. */
enum {
    KEY_MAX_BYTES = 64 * 1024,
    VALUE_MAX_BYTES = 1024 * 1024,
    BATCH_MAX_BYTES = 64 * 1024 * 1024,
};

/* The largest sequence number: 56 bits. Sequence 0 is never given to an entry. */
#define SEQUENCE_MAX ((UINT64_C(1) << 56) - 1)

/* A trailer that sorts before every entry of its user key that is at or below the sequence number. */
static inline uint64_t key_trailer(uint64_t sequence, unsigned kind_byte)
{
    return sequence << 8 | kind_byte;
}

static inline uint64_t key_sequence(uint64_t trailer)
{
    return trailer >> 8;
}

static inline unsigned key_kind(uint64_t trailer)
{
    return (unsigned)trailer & KEY_KIND_MASK;
}

/* Where a search for the newest version at or below sequence begins. */
static inline uint64_t key_seek_trailer(uint64_t sequence)
{
    return key_trailer(sequence, 0xFF);
}

/* Whether a kind byte read from disk is one that this version writes. */
static inline bool key_kind_byte_is_known(unsigned kind_byte)
{
    return kind_byte == KEY_PUT || kind_byte == KEY_DELETE;
}

struct key {
    struct kvs_slice user;
    uint64_t trailer;
};

static inline struct key key_of(struct kvs_slice user, uint64_t trailer)
{
    return (struct key){user, trailer};
}

/* Negative, 0 or positive as a sorts before, with or after b. */
static inline int key_compare(struct key a, struct key b)
{
    int order = slice_compare(a.user, b.user);
    if (order != 0)
        return order;
    return (a.trailer < b.trailer) - (a.trailer > b.trailer);
}

#endif
