// kvstore_micro -- registers the C cases of every room with Google Benchmark. The only C++ of the project.
#include "bench/micro/micro.h"

#include "bench_micro_rooms.h"

#include <benchmark/benchmark.h>

extern "C" {
#define DECLARE(room) extern const struct micro_case micro_##room[];
BENCH_MICRO_ROOMS(DECLARE)
}

namespace
{

void RunCase(benchmark::State &state, const micro_case *one)
{
    void *memory = one->setup();
    // One batch of all repetitions: the loop is in C.
    while (state.KeepRunningBatch(state.max_iterations))
        one->run(memory, static_cast<uint64_t>(state.max_iterations));
    one->teardown(memory);
    if (one->bytes != 0)
        state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(one->bytes));
}

void RegisterCases(const micro_case *cases)
{
    for (const micro_case *one = cases; one->name != nullptr; one++)
        benchmark::RegisterBenchmark(one->name, RunCase, one);
}

} // namespace

int main(int argc, char **argv)
{
#define REGISTER(room) RegisterCases(micro_##room);
    BENCH_MICRO_ROOMS(REGISTER)
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
