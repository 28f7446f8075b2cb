/* mend.h -- making mutated bytes verify again.
 *
 * Role      Checksums, sizes and back references stop a fuzzer at the first byte that it changes. A target whose input has them defines fuzz_mend;
 *           mutator.c calls it after most mutations of libFuzzer and AFL++, so that what is kept is a file that anybody can read, not one
 *           that only the target understands.
 */
#ifndef KVS_FUZZ_MEND_H
#define KVS_FUZZ_MEND_H

#include <stddef.h>
#include <stdint.h>

/* Mend an input in place. What is fit already is unchanged; any bytes are allowed. */
void fuzz_mend(uint8_t *data, size_t size);

#endif
