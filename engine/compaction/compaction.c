#include "compaction/compaction_output.h"

#include "base/assert.h"
#include "merge/merge_iterator.h"

#include <stdlib.h>

/* Inputs are read ahead by this much, each: large enough that a disk that seeks is read at its rate. */
enum { READAHEAD_BYTES = 512 * 1024 };

static struct version_run *run_of(const struct version *version, const struct compaction_input *input)
{
    size_t index = version->level_start[input->level] + input->run;
    KVS_ASSERT(input->level < VERSION_LEVEL_COUNT && index < version->level_start[input->level + 1]);
    KVS_ASSERT(input->count > 0 && input->first + input->count <= version->runs[index]->count);
    return version->runs[index];
}

/* ---- The edit ---- */

static struct kvs_status remove_inputs(struct manifest_edit *edit, const struct version *version,
                                       const struct compaction_job *job)
{
    for (size_t i = 0; i < job->input_count; i++) {
        const struct compaction_input *input = &job->inputs[i];
        const struct version_run *run = run_of(version, input);
        for (size_t s = input->first; s < input->first + input->count; s++)
            STATUS_RETURN_IF_ERROR(
                manifest_edit_remove_segment(edit, input->level, run->id, run->segments[s]->meta.number));
    }
    return status_ok();
}

/* A move: the same segments, in another place. */
static struct kvs_status move_inputs(struct manifest_edit *edit, const struct version *version,
                                     const struct compaction_job *job)
{
    STATUS_RETURN_IF_ERROR(remove_inputs(edit, version, job));
    for (size_t i = 0; i < job->input_count; i++) {
        const struct compaction_input *input = &job->inputs[i];
        const struct version_run *run = run_of(version, input);
        for (size_t s = input->first; s < input->first + input->count; s++)
            STATUS_RETURN_IF_ERROR(
                manifest_edit_add_segment(edit, job->target_level, job->target_run, &run->segments[s]->meta));
    }
    return status_ok();
}

static struct kvs_status run_move(struct compaction_result *result, const struct version *version,
                                  const struct compaction_job *job)
{
    struct compaction_result made = {.read_bytes = 0};
    version_edit_init(&made.edit);
    struct kvs_status status = move_inputs(&made.edit.manifest, version, job);
    if (status_is_ok(status))
        *result = made;
    else
        version_edit_fini(&made.edit);
    return status;
}

/* ---- Merging ---- */

/* What all user keys of the inputs share. */
static struct kvs_slice common_prefix(const struct version *version, const struct compaction_job *job)
{
    const struct compaction_input *first = &job->inputs[0];
    struct kvs_slice prefix = run_of(version, first)->segments[first->first]->meta.smallest.user;
    for (size_t i = 0; i < job->input_count; i++) {
        const struct compaction_input *input = &job->inputs[i];
        struct version_segment *const *segments = run_of(version, input)->segments + input->first;
        prefix.size = slice_shared_prefix(prefix, segments[0]->meta.smallest.user);
        prefix.size = slice_shared_prefix(prefix, segments[input->count - 1]->meta.largest.user);
    }
    return prefix;
}

static struct kvs_status open_inputs(struct iterator **merged, const struct version *version,
                                     const struct compaction_job *job)
{
    static const struct segment_iterator_options options = {.fill_cache = false, .readahead_bytes = READAHEAD_BYTES};
    struct iterator **children = malloc(job->input_count * sizeof(struct iterator *));
    size_t count = 0;
    struct kvs_status status = children == NULL ? STATUS(KVS_NO_MEMORY, "cannot allocate a compaction") : status_ok();
    while (status_is_ok(status) && count < job->input_count) {
        const struct compaction_input *input = &job->inputs[count];
        status =
            version_run_iterator_new(&children[count], run_of(version, input), input->first, input->count, &options);
        count += status_is_ok(status);
    }
    if (status_is_ok(status))
        status = merge_iterator_new(merged, children, count, common_prefix(version, job));
    if (!status_is_ok(status)) {
        while (count > 0)
            iterator_free(children[--count]);
    }
    free(children);
    return status;
}

static bool is_input(const struct version *version, const struct compaction_job *job, const struct version_run *run)
{
    for (size_t i = 0; i < job->input_count; i++) {
        if (run_of(version, &job->inputs[i]) == run)
            return true;
    }
    return false;
}

/* Runs that are older than the newest input and not themselves inputs. Of a run that gives some segments the others are no concern: they share
 * no key with what is taken. */
static void add_older_runs(struct compaction_output *output, const struct version *version,
                           const struct compaction_job *job)
{
    size_t newest = version->level_start[job->inputs[0].level] + job->inputs[0].run;
    for (size_t i = newest; i < version->run_count; i++) {
        if (!is_input(version, job, version->runs[i]))
            compaction_output_add_older(output, version->runs[i]);
    }
}

static struct kvs_status run_merge(struct compaction_result *result, const struct compaction_environment *environment,
                                   const struct version *version, const struct compaction_job *job, uint64_t horizon)
{
    struct compaction_output output;
    struct iterator *merged;
    STATUS_RETURN_IF_ERROR(open_inputs(&merged, version, job));
    struct kvs_status status =
        compaction_output_init(&output, environment, job->target_level, job->target_run, horizon, version->run_count);
    if (!status_is_ok(status)) {
        iterator_free(merged);
        return status;
    }
    add_older_runs(&output, version, job);
    output.result.read_bytes = job->input_bytes;
    status = remove_inputs(&output.result.edit.manifest, version, job);
    if (status_is_ok(status))
        status = compaction_output_write(&output, NULL, merged);
    iterator_free(merged);
    return compaction_output_finish(&output, result, status);
}

struct kvs_status compaction_run(struct compaction_result *result, const struct compaction_environment *environment,
                                 struct version *version, const struct compaction_job *job, uint64_t horizon)
{
    KVS_ASSERT(job->kind != COMPACTION_NONE && job->input_count > 0);
    if (job->kind == COMPACTION_MOVE)
        return run_move(result, version, job);
    return run_merge(result, environment, version, job, horizon);
}
