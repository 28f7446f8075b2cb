/* fuzz_seed.h -- a seed of a fuzz target's corpus that a test makes: fuzz/corpus/TARGET/seed_NAME.
 *
 * A seed whose checksums no longer verify starts the fuzzer from nothing, so it is compared with what the format makes today. With KVS_GOLDEN_WRITE in
 * the environment seeds are written anew. Their layouts are those of fuzz/TARGET_fuzz.c.
 *
 * Failure   Fails the running cmocka test. */
#ifndef KVS_TESTS_FUZZ_SEED_H
#define KVS_TESTS_FUZZ_SEED_H

#include "format_golden.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void fuzz_seed_check(const char *target, const char *name, const void *bytes, size_t size)
{
    char relative[128], path[1024];
    snprintf(relative, sizeof relative, "fuzz/corpus/%s/%s", target, name);
    golden_path(path, sizeof path, relative);
    FILE *file;
    if (getenv("KVS_GOLDEN_WRITE") != NULL) {
        file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
    }
    file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("%s is missing; ./dev corpus makes it", path);
    uint8_t *found = malloc(size + 1);
    assert_non_null(found);
    size_t found_size = fread(found, 1, size + 1, file);
    fclose(file);
    bool is_same = found_size == size && memcmp(found, bytes, size) == 0;
    free(found);
    if (!is_same)
        fail_msg("%s is not what the format makes today; ./dev corpus writes it anew", path);
}

#endif
