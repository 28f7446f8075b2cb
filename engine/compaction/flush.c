#include "compaction/compaction_output.h"

struct kvs_status flush_run(struct compaction_result *result, const struct compaction_environment *environment,
                            struct iterator *memory, const struct version *version, uint64_t run, uint64_t horizon)
{
    struct compaction_output output;
    STATUS_RETURN_IF_ERROR(compaction_output_init(&output, environment, 0, run, horizon, version->run_count));
    for (size_t i = 0; i < version->run_count; i++)
        compaction_output_add_older(&output, version->runs[i]);
    struct kvs_status status = compaction_output_write(&output, &output.result.read_bytes, memory);
    return compaction_output_finish(&output, result, status);
}
