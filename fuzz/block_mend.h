/* block_mend.h -- makes the bytes of a data block fit together, so that mutations reach what lies behind block_open. */
#ifndef KVS_FUZZ_BLOCK_MEND_H
#define KVS_FUZZ_BLOCK_MEND_H

#include <stddef.h>
#include <stdint.h>

/* Mend in place: counts, widths, kinds, sizes of entries, restart points, hints. Keys and values are what they are, and so may be in any order. Bytes too few
 * for a block are left alone. */
void block_mend(uint8_t *data, size_t size);

#endif
