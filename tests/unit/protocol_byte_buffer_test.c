/* protocol_byte_buffer_test.c -- the buffer that every connection receives into and answers from. */

#include "fault_allocator.h"

#include "protocol/byte_buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* A lost or doubled byte here would corrupt every request after it. */
static void byte_buffer_random_appends_and_consumes_keep_the_stream(void **state)
{
    (void)state;
    struct byte_buffer buffer;
    byte_buffer_init(&buffer);
    uint8_t written = 0, read = 0;
    uint32_t seed = 12345;
    for (int step = 0; step < 20000; step++) {
        seed = seed * 1664525 + 1013904223;
        uint8_t chunk[300];
        size_t size = (seed >> 8) % sizeof chunk;
        if (seed >> 31) {
            for (size_t i = 0; i < size; i++)
                chunk[i] = written++;
            assert_true(byte_buffer_append(&buffer, chunk, size));
            continue;
        }
        if (size > byte_buffer_size(&buffer))
            size = byte_buffer_size(&buffer);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(byte_buffer_data(&buffer)[i], read++);
        byte_buffer_consume(&buffer, size);
    }
    byte_buffer_fini(&buffer);
}

/* A connection that pipelines for hours must not grow without need. */
static void byte_buffer_steady_use_keeps_its_capacity(void **state)
{
    (void)state;
    struct byte_buffer buffer;
    byte_buffer_init(&buffer);
    char block[1000] = {0};
    for (int i = 0; i < 10000; i++) {
        assert_true(byte_buffer_append(&buffer, block, sizeof block));
        if (i > 0)
            byte_buffer_consume(&buffer, sizeof block);
    }
    assert_true(buffer.capacity <= 8192);
    byte_buffer_consume(&buffer, byte_buffer_size(&buffer));
    byte_buffer_trim(&buffer, buffer.capacity);
    assert_non_null(buffer.memory);
    byte_buffer_trim(&buffer, 100);
    assert_null(buffer.memory);
    byte_buffer_fini(&buffer);
}

/* What was received before memory ran out must still be there to answer. */
static void byte_buffer_without_memory_keeps_its_content(void **state)
{
    (void)state;
    struct byte_buffer buffer;
    byte_buffer_init(&buffer);
    assert_true(byte_buffer_append(&buffer, "abc", 3));
    allocator_fail(1, true);
    bool first = byte_buffer_reserve(&buffer, 100000);
    byte_buffer_consume(&buffer, 1);
    bool second = byte_buffer_reserve(&buffer, 100000);
    allocator_clear();
    assert_false(first);
    assert_false(second);
    assert_false(byte_buffer_reserve(&buffer, SIZE_MAX));
    assert_int_equal(byte_buffer_size(&buffer), 2);
    assert_memory_equal(byte_buffer_data(&buffer), "bc", 2);
    byte_buffer_fini(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_buffer_random_appends_and_consumes_keep_the_stream),
        cmocka_unit_test(byte_buffer_steady_use_keeps_its_capacity),
        cmocka_unit_test(byte_buffer_without_memory_keeps_its_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
