/* base_test_support.h -- cmocka and what it needs included before it. */
#ifndef KVS_TESTS_BASE_TEST_SUPPORT_H
#define KVS_TESTS_BASE_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Numbers for property tests: the same on every run. */
static inline uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 16 ^ *state << 32;
}

#endif
