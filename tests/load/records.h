/* records.h -- the records of a load: which they are, and in what order they come.
 *
 * Role      A record is a number below count; its key and value follow from it, so that any record can be checked without having been kept.
 *             order  the record at place i of the load is a permutation of i: a Feistel network over the smallest even number of bits that
 *                    holds count, walked again from its own result while that is not below count. No record comes twice, none is missing,
 *                    and nothing is stored.
 *             key    the number in decimal digits, zeros in front, so that keys are ordered as numbers.
 *             value  its first half, rounded up, is pseudo-random bytes from seed and number; its second half repeats them. A general
 *                    compressor that sees whole values so keeps about half of their bytes.
 * Threads   Values; the functions only read them.
 */
#ifndef KVS_LOAD_RECORDS_H
#define KVS_LOAD_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECORDS_KEY_BYTES_MIN = 12 };

#define RECORDS_COUNT_MAX UINT64_C(100000000000)

/* sequential  place i is record i
 * half_bits   of the Feistel network; set by records_init */
struct records {
    uint64_t count;
    uint64_t seed;
    size_t key_bytes;
    size_t value_bytes;
    bool sequential;
    unsigned half_bits;
};

/* Prepare the order, once all other fields are set: count from 1 to RECORDS_COUNT_MAX, keys of at least RECORDS_KEY_BYTES_MIN. */
void records_init(struct records *records);

/* The record at a place below count. */
uint64_t records_at(const struct records *records, uint64_t place);

/* Write key_bytes: the record's key, or one that no record has and that lies right behind it. */
void records_key(const struct records *records, char *key, uint64_t record);
void records_absent_key(const struct records *records, char *key, uint64_t record);

/* Write value_bytes. */
void records_value(const struct records *records, char *value, uint64_t record);

/* A well mixed function of x. */
uint64_t records_mix(uint64_t x);

#endif
