#include "load/backlog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 256 };

void backlog_fini(struct backlog *backlog)
{
    free(backlog->again);
    *backlog = (struct backlog){0};
}

struct range backlog_take(struct backlog *backlog, uint64_t most)
{
    struct range range;
    if (backlog->again_count != 0) {
        struct range *last = &backlog->again[backlog->again_count - 1];
        range = *last;
        if (range.end - range.first > most)
            range.end = range.first + most;
        last->first = range.end;
        backlog->again_count -= last->first == last->end;
        return range;
    }
    range.first = backlog->next;
    range.end = backlog->count - backlog->next > most ? backlog->next + most : backlog->count;
    backlog->next = range.end;
    return range;
}

bool backlog_put_back(struct backlog *backlog, struct range range)
{
    if (range.first == range.end)
        return true;
    if (backlog->again_count == backlog->again_capacity) {
        size_t capacity = 2 * backlog->again_capacity + 64;
        struct range *again = realloc(backlog->again, capacity * sizeof *again);
        if (again == NULL) {
            fprintf(stderr, "kvstore_load: no memory\n");
            return false;
        }
        backlog->again = again;
        backlog->again_capacity = capacity;
    }
    backlog->again[backlog->again_count++] = range;
    return true;
}

bool backlog_is_done(const struct backlog *backlog, uint64_t place)
{
    for (size_t i = 0; i < backlog->again_count; i++) {
        if (place >= backlog->again[i].first && place < backlog->again[i].end)
            return false;
    }
    return place < backlog->next;
}

uint64_t backlog_left(const struct backlog *backlog)
{
    uint64_t left = backlog->count - backlog->next;
    for (size_t i = 0; i < backlog->again_count; i++)
        left += backlog->again[i].end - backlog->again[i].first;
    return left;
}

static bool fail(const char *path, const char *text)
{
    fprintf(stderr, "kvstore_load: %s: %s\n", path, text);
    return false;
}

bool backlog_save(const struct backlog *backlog, const char *path, const char *load)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return fail(path, strerror(errno));
    fprintf(file, "%s\nnext %" PRIu64 "\n", load, backlog->next);
    for (size_t i = 0; i < backlog->again_count; i++)
        fprintf(file, "again %" PRIu64 " %" PRIu64 "\n", backlog->again[i].first, backlog->again[i].end);
    bool failed = ferror(file) != 0;
    failed = fclose(file) != 0 || failed;
    return failed ? fail(path, "cannot be written") : true;
}

static bool parse_line(struct backlog *backlog, const char *line)
{
    struct range range;
    int end = 0;
    if (sscanf(line, "next %" SCNu64 "%n", &range.first, &end) == 1 && line[end] == '\0') {
        backlog->next = range.first;
        return range.first <= backlog->count;
    }
    if (sscanf(line, "again %" SCNu64 " %" SCNu64 "%n", &range.first, &range.end, &end) != 2 || line[end] != '\0')
        return false;
    return range.first < range.end && range.end <= backlog->next && backlog_put_back(backlog, range);
}

bool backlog_restore(struct backlog *backlog, const char *path, const char *load)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return errno == ENOENT ? true : fail(path, strerror(errno));
    char line[LINE_BYTES];
    struct backlog read = {.count = backlog->count};
    bool is_valid = true;
    for (unsigned number = 0; is_valid && fgets(line, sizeof line, file) != NULL; number++) {
        line[strcspn(line, "\n")] = '\0';
        is_valid = number == 0 ? strcmp(line, load) == 0 : parse_line(&read, line);
    }
    fclose(file);
    if (!is_valid) {
        backlog_fini(&read);
        return fail(path, "is damaged, or of another load");
    }
    backlog_fini(backlog);
    *backlog = read;
    return true;
}
