#include "version/version_segment.h"

#include "version/version_set_internal.h"

#include <stdlib.h>

struct kvs_status version_segment_open(struct version_segment **segment, struct version_set *set,
                                       const struct segment_meta *meta)
{
    struct version_segment *made = calloc(1, sizeof *made);
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a segment");
    made->set = set;
    made->file = (struct version_file){.type = FILE_SEGMENT, .number = meta->number};
    atomic_init(&made->references, 1);
    const struct segment_context *context = set->segments;
    struct kvs_status status = segment_meta_copy(&made->meta, meta);
    if (status_is_ok(status))
        status = segment_open(&made->segment, set->io, set->folder, meta, context->cache, context->budget);
    if (status_is_ok(status)) {
        *segment = made;
        return status;
    }
    segment_meta_fini(&made->meta);
    free(made);
    return status;
}

struct version_segment *version_segment_ref(struct version_segment *segment)
{
    atomic_fetch_add_explicit(&segment->references, 1, memory_order_relaxed);
    return segment;
}

void version_segment_unref(struct version_segment *segment)
{
    /* Release what this holder read, acquire what the others did, before the segment is closed. */
    if (segment != NULL && atomic_fetch_sub_explicit(&segment->references, 1, memory_order_acq_rel) == 1)
        version_set_take_unused(segment->set, segment);
}
