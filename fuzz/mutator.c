/* mutator.c -- the custom mutator of every target with checksums: mutate as usual, then mend.
 *
 * Role      For libFuzzer LLVMFuzzerCustomMutator; for AFL++, as a library named in AFL_CUSTOM_MUTATOR_LIBRARY, a step after each of its own mutations.
 *           One mutation in eight is left unmended, for the code that says no.
 */

#include "mend.h"

#include <stdlib.h>
#include <string.h>

enum { UNMENDED_ONE_IN = 8 };

#ifdef KVS_FUZZ_AFL

struct afl_mutator {
    unsigned state;
    uint8_t *bytes;
    size_t capacity;
};

void *afl_custom_init(void *afl, unsigned seed);
void afl_custom_deinit(void *mutator);
size_t afl_custom_post_process(void *mutator, uint8_t *data, size_t size, uint8_t **out);

void *afl_custom_init(void *afl, unsigned seed)
{
    struct afl_mutator *mutator = calloc(1, sizeof *mutator);
    (void)afl;
    if (mutator != NULL)
        mutator->state = seed;
    return mutator;
}

void afl_custom_deinit(void *mutator)
{
    free(((struct afl_mutator *)mutator)->bytes);
    free(mutator);
}

/* Gives the bytes that the target gets; 0 where there is no memory for them. */
size_t afl_custom_post_process(void *context, uint8_t *data, size_t size, uint8_t **out)
{
    struct afl_mutator *mutator = context;
    if (mutator->capacity < size) {
        uint8_t *bytes = realloc(mutator->bytes, size);
        if (bytes == NULL)
            return 0;
        mutator->bytes = bytes;
        mutator->capacity = size;
    }
    if (size > 0)
        memcpy(mutator->bytes, data, size);
    mutator->state = mutator->state * 1664525 + 1013904223;
    if ((mutator->state >> 16) % UNMENDED_ONE_IN != 0)
        fuzz_mend(mutator->bytes, size);
    *out = mutator->bytes;
    return size;
}

#else

/* Weak: an engine that has none does not call the mutator either. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, max_size);
    if (seed % UNMENDED_ONE_IN != 0)
        fuzz_mend(data, size);
    return size;
}

#endif
