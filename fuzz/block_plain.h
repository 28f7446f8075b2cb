/* block_plain.h -- a data block read as plainly as format/README.md has it, to compare with; shared by the targets block and segment.
 *
 * Role      Entries with whole keys in an array, a linear search, and what makes a block sound beyond what block_open checks: the order of entries, and
 *           that each shares with the one before all that it can.
 * Threads   One.
 * Failure   Aborts when memory is exhausted.
 */
#ifndef KVS_FUZZ_BLOCK_PLAIN_H
#define KVS_FUZZ_BLOCK_PLAIN_H

#include "fuzz.h"

#include "block/block.h"

struct plain_entry {
    struct key key;
    struct kvs_slice value;
};

/* key_memory  of all keys, one after the other */
struct plain_block {
    struct plain_entry *entries;
    size_t count;
    uint8_t *key_memory;
    bool is_sound;
};

/* Read a block that block_open has accepted. Free with plain_block_fini. */
void plain_block_init(struct plain_block *plain, const struct block *block);
void plain_block_fini(struct plain_block *plain);

/* The index of the first entry at or after target. */
size_t plain_block_find(const struct plain_block *plain, struct key target);

#endif
