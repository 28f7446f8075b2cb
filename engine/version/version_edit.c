#include "version/version_edit.h"

#include "version/version_set_internal.h"

#include <stdlib.h>

void version_edit_init(struct version_edit *edit)
{
    manifest_edit_init(&edit->manifest);
    edit->opened = NULL;
    edit->opened_count = 0;
    edit->written = NULL;
    edit->written_context = NULL;
}

void version_edit_fini(struct version_edit *edit)
{
    for (size_t i = 0; i < edit->opened_count; i++)
        version_segment_unref(edit->opened[i]);
    free(edit->opened);
    manifest_edit_fini(&edit->manifest);
    version_edit_init(edit);
}

struct kvs_status version_edit_add(struct version_edit *edit, unsigned level, uint64_t run,
                                   struct version_segment *segment)
{
    struct version_segment **grown = realloc(edit->opened, (edit->opened_count + 1) * sizeof(struct version_segment *));
    if (grown == NULL)
        return STATUS(KVS_NO_MEMORY, "cannot allocate a version edit");
    edit->opened = grown;
    STATUS_RETURN_IF_ERROR(manifest_edit_add_segment(&edit->manifest, level, run, &segment->meta));
    edit->opened[edit->opened_count++] = segment;
    return status_ok();
}

void version_edit_discard(struct version_edit *edit)
{
    for (size_t i = 0; i < edit->opened_count; i++) {
        const struct version_segment *segment = edit->opened[i];
        char path[IO_PATH_BYTES];
        struct kvs_status status = file_name_path(path, segment->set->folder, FILE_SEGMENT, segment->meta.number);
        if (status_is_ok(status))
            status = io_unlink(segment->set->io, path);
        if (!status_is_ok(status))
            version_set_tell(segment->set, status, "a segment that is not needed stays until the next open: %s",
                             status_text(status));
    }
    version_edit_fini(edit);
}
