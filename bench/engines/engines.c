/* The list of engines in this build: bench/CMakeLists.txt writes it down as BENCH_ENGINES(X), kvstore first. */
#include "bench/engines/engine.h"

#include "bench_engines.h"

#define DECLARE(name) extern const struct engine engine_##name;
#define ADDRESS(name) &engine_##name,

BENCH_ENGINES(DECLARE)

const struct engine *const engines[] = {BENCH_ENGINES(ADDRESS)};
const size_t engine_count = sizeof engines / sizeof engines[0];

const struct engine *engine_find(struct kvs_slice name)
{
    for (size_t i = 0; i < engine_count; i++) {
        if (slice_equal(name, slice_of_text(engines[i]->name)))
            return engines[i];
    }
    return NULL;
}
