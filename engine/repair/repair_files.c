#include "repair/repair_internal.h"

#include <stdlib.h>

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Numbers of one type of file. */
struct listing {
    enum file_type type;
    uint64_t *numbers;
    size_t count;
    bool is_out_of_memory;
};

static bool note_number(void *context, const char *name)
{
    struct listing *listing = context;
    uint64_t number;
    if (file_name_parse(&number, name) != listing->type)
        return true;
    uint64_t *grown = realloc(listing->numbers, (listing->count + 1) * sizeof *grown);
    listing->is_out_of_memory = grown == NULL;
    if (grown == NULL)
        return false;
    listing->numbers = grown;
    listing->numbers[listing->count++] = number;
    return true;
}

struct kvs_status repair_list_numbers(const struct repair *repair, uint64_t **numbers, size_t *count,
                                      enum file_type type)
{
    struct listing listing = {.type = type};
    struct kvs_status status = io_list(repair->io, repair->folder, note_number, &listing);
    if (status_is_ok(status) && listing.is_out_of_memory)
        status = STATUS(KVS_NO_MEMORY, "no memory for a list of files");
    if (!status_is_ok(status)) {
        free(listing.numbers);
        return status;
    }
    if (listing.count > 0)
        qsort(listing.numbers, listing.count, sizeof *listing.numbers, compare_numbers);
    *numbers = listing.numbers;
    *count = listing.count;
    return status_ok();
}

struct kvs_status repair_move_file(struct repair *repair, enum file_type type, uint64_t number)
{
    char path[IO_PATH_BYTES], name[FILE_NAME_BYTES];
    bool exists;
    file_name_print(name, type, number);
    STATUS_RETURN_IF_ERROR(file_name_path(path, repair->folder, type, number));
    STATUS_RETURN_IF_ERROR(io_exists(repair->io, &exists, path));
    return exists ? repair_report_move(&repair->report, name) : status_ok();
}

struct kvs_status repair_is_older_copy(const struct repair *repair, bool *is_older)
{
    const struct manifest_state *state = &repair->manifest.state;
    uint64_t *numbers = NULL, newest = 0;
    size_t count = 0, missing = 0;
    STATUS_RETURN_IF_ERROR(repair_list_numbers(repair, &numbers, &count, FILE_SEGMENT));
    for (size_t i = 0; i < state->slot_count; i++) {
        uint64_t number = state->slots[i].added.meta.number;
        if (!state->slots[i].is_live)
            continue;
        repair_raise(&newest, number);
        missing += count == 0 || bsearch(&number, numbers, count, sizeof *numbers, compare_numbers) == NULL;
    }
    *is_older = missing > 0 && count > 0 && numbers[count - 1] > newest;
    free(numbers);
    return status_ok();
}
