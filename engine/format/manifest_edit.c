#include "format/manifest_edit.h"

#include "base/assert.h"

#include <stdlib.h>

void manifest_edit_init(struct manifest_edit *edit)
{
    *edit = (struct manifest_edit){.has_owner = false};
}

void manifest_edit_fini(struct manifest_edit *edit)
{
    for (size_t i = 0; i < edit->added_count; i++)
        segment_meta_fini(&edit->added[i].meta);
    free(edit->removed);
    free(edit->added);
    free(edit->logs_added);
    free(edit->logs_ended);
    free(edit->logs_dropped);
    manifest_edit_init(edit);
}

bool manifest_edit_is_empty(const struct manifest_edit *edit)
{
    return !edit->has_owner && edit->removed_count == 0 && edit->added_count == 0 && edit->logs_added_count == 0 &&
           edit->logs_ended_count == 0 && edit->logs_dropped_count == 0;
}

/* The array with room for one more item: its capacity is always count rounded up to a power of two. NULL where there is no memory; the
 * array is then unchanged. */
static void *grown(void *items, size_t count, size_t item_bytes)
{
    if ((count & (count - 1)) != 0)
        return items;
    return realloc(items, (count == 0 ? 1 : count * 2) * item_bytes);
}

static struct kvs_status no_memory(size_t count)
{
    return STATUS(KVS_NO_MEMORY, "cannot allocate more than %zu items of a version edit", count);
}

void manifest_edit_set_owner(struct manifest_edit *edit, const char *owner)
{
    size_t size = strlen(owner);
    KVS_ASSERT(size <= MANIFEST_OWNER_BYTES);
    memcpy(edit->owner, owner, size + 1);
    edit->has_owner = true;
}

struct kvs_status manifest_edit_add_segment(struct manifest_edit *edit, unsigned level, uint64_t run,
                                            const struct segment_meta *meta)
{
    KVS_ASSERT(level < MANIFEST_LEVELS);
    struct manifest_added *items = grown(edit->added, edit->added_count, sizeof *items);
    if (items == NULL)
        return no_memory(edit->added_count);
    edit->added = items;
    struct manifest_added *added = &items[edit->added_count];
    STATUS_RETURN_IF_ERROR(segment_meta_copy(&added->meta, meta));
    added->level = level;
    added->run = run;
    edit->added_count++;
    return status_ok();
}

struct kvs_status manifest_edit_remove_segment(struct manifest_edit *edit, unsigned level, uint64_t run,
                                               uint64_t number)
{
    KVS_ASSERT(level < MANIFEST_LEVELS);
    struct manifest_removed *items = grown(edit->removed, edit->removed_count, sizeof *items);
    if (items == NULL)
        return no_memory(edit->removed_count);
    edit->removed = items;
    items[edit->removed_count++] = (struct manifest_removed){level, run, number};
    return status_ok();
}

static struct kvs_status append_log(struct manifest_log **logs, size_t *count, struct manifest_log log)
{
    struct manifest_log *items = grown(*logs, *count, sizeof *items);
    if (items == NULL)
        return no_memory(*count);
    *logs = items;
    items[(*count)++] = log;
    return status_ok();
}

struct kvs_status manifest_edit_add_log(struct manifest_edit *edit, uint64_t number, uint64_t first_record)
{
    struct manifest_log log = {.number = number, .first_record = first_record};
    return append_log(&edit->logs_added, &edit->logs_added_count, log);
}

struct kvs_status manifest_edit_end_log(struct manifest_edit *edit, uint64_t number, uint64_t size_bytes,
                                        uint64_t last_record)
{
    struct manifest_log log = {
        .number = number, .is_ended = true, .size_bytes = size_bytes, .last_record = last_record};
    return append_log(&edit->logs_ended, &edit->logs_ended_count, log);
}

struct kvs_status manifest_edit_drop_log(struct manifest_edit *edit, uint64_t number)
{
    uint64_t *items = grown(edit->logs_dropped, edit->logs_dropped_count, sizeof *items);
    if (items == NULL)
        return no_memory(edit->logs_dropped_count);
    edit->logs_dropped = items;
    items[edit->logs_dropped_count++] = number;
    return status_ok();
}

static void raise_to(uint64_t *number, uint64_t other)
{
    if (*number < other)
        *number = other;
}

void manifest_numbers_raise(struct manifest_numbers *numbers, const struct manifest_numbers *other)
{
    raise_to(&numbers->next_file_number, other->next_file_number);
    raise_to(&numbers->published_sequence, other->published_sequence);
    raise_to(&numbers->durable_record, other->durable_record);
    raise_to(&numbers->last_sequence, other->last_sequence);
    raise_to(&numbers->largest_now_ms, other->largest_now_ms);
}
