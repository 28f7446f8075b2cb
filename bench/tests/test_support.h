/* test_support.h -- cmocka with what it needs before it. */
#ifndef KVS_BENCH_TESTS_TEST_SUPPORT_H
#define KVS_BENCH_TESTS_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
