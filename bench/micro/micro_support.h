/* micro_support.h -- what the cases share: the end of the program on any failure, and records like those of kvstore_bench. */
#ifndef KVS_BENCH_MICRO_MICRO_SUPPORT_H
#define KVS_BENCH_MICRO_MICRO_SUPPORT_H

#include "bench/micro/micro.h"

#include "base/slice.h"
#include "base/status.h"

/* Say why and end the program. */
__attribute__((noreturn, format(printf, 1, 2))) void micro_fail(const char *format, ...);

/* End the program unless status is OK. */
void micro_check(struct kvs_status status);

/* Memory, or the end of the program. */
void *micro_alloc(size_t size);

/* Take a result for used. */
static inline void micro_use(uint64_t value)
{
    __asm__ volatile("" : : "r"(value) : "memory");
}

/* Keys and values as in kvstore_bench: 16 digits, 100 bytes. */
enum { MICRO_KEY_BYTES = 16, MICRO_VALUE_BYTES = 100 };

/* Key number index; key has room for MICRO_KEY_BYTES. */
struct kvs_slice micro_key(char *key, uint64_t index);

/* A value; borrowed for ever. */
struct kvs_slice micro_value(void);

/* Another number below count for each position: a random order without a table. count is a power of two. */
static inline uint64_t micro_shuffle(uint64_t position, uint64_t count)
{
    uint64_t mixed = position * UINT64_C(0x9E3779B97F4A7C15) + 1;
    mixed ^= (mixed & (count - 1)) >> 7;
    return (mixed * UINT64_C(0xBF58476D1CE4E5B9)) & (count - 1);
}

#endif
