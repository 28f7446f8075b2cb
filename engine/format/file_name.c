#include "format/file_name.h"

#include "base/assert.h"
#include "base/slice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A name is prefix, then NUMBER where numbered, then suffix. */
struct name_pattern {
    const char *type_name;
    const char *prefix;
    const char *suffix;
    bool numbered;
};

static const struct name_pattern patterns[FILE_TYPE_COUNT] = {
    [FILE_UNKNOWN] = {"unknown file", NULL, NULL, false},
    [FILE_LOG] = {"log", "", ".log", true},
    [FILE_SEGMENT] = {"segment", "", ".seg", true},
    [FILE_MANIFEST] = {"manifest", "MANIFEST-", "", true},
    [FILE_CURRENT] = {"CURRENT", "CURRENT", "", false},
    [FILE_CURRENT_TEMPORARY] = {"temporary CURRENT", "CURRENT.tmp", "", false},
    [FILE_LOCK] = {"LOCK", "LOCK", "", false},
    [FILE_RESERVE] = {"reserve", "RESERVE", "", false},
    [FILE_LOST] = {"lost folder", "lost", "", false},
    [FILE_TAIL] = {"tail of a log", NULL, NULL, false},
};

enum { NUMBER_DIGITS_MAX = 20 };

const char *file_type_name(enum file_type type)
{
    KVS_ASSERT((unsigned)type < FILE_TYPE_COUNT);
    return patterns[type].type_name;
}

void file_name_print(char name[FILE_NAME_BYTES], enum file_type type, uint64_t number)
{
    KVS_ASSERT((unsigned)type < FILE_TYPE_COUNT && patterns[type].prefix != NULL);
    const struct name_pattern *pattern = &patterns[type];
    if (pattern->numbered)
        snprintf(name, FILE_NAME_BYTES, "%s%06" PRIu64 "%s", pattern->prefix, number, pattern->suffix);
    else
        snprintf(name, FILE_NAME_BYTES, "%s", pattern->prefix);
}

/* Digits at *text, which is moved past them. False where there are none or they pass 64 bits. */
static bool parse_digits(uint64_t *number, const char **text)
{
    const char *at = *text;
    uint64_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return false;
    }
    if (at == *text || at - *text > NUMBER_DIGITS_MAX)
        return false;
    *text = at;
    *number = value;
    return true;
}

static bool parse_pattern(uint64_t *number, const struct name_pattern *pattern, const char *name)
{
    size_t prefix_size = strlen(pattern->prefix);
    if (strncmp(name, pattern->prefix, prefix_size) != 0)
        return false;
    const char *at = name + prefix_size;
    uint64_t value = 0;
    if (pattern->numbered && !parse_digits(&value, &at))
        return false;
    if (strcmp(at, pattern->suffix) != 0)
        return false;
    *number = value;
    return true;
}

/* NUMBER.log.OFFSET.tail */
static bool parse_tail(uint64_t *number, const char *name)
{
    uint64_t value, offset;
    const char *at = name;
    if (!parse_digits(&value, &at) || strncmp(at, ".log.", 5) != 0)
        return false;
    at += 5;
    if (!parse_digits(&offset, &at))
        return false;
    char canonical[FILE_NAME_BYTES];
    snprintf(canonical, sizeof canonical, "%06" PRIu64 ".log.%" PRIu64 ".tail", value, offset);
    if (strcmp(canonical, name) != 0)
        return false;
    *number = value;
    return true;
}

enum file_type file_name_parse(uint64_t *number, const char *name)
{
    for (enum file_type type = FILE_LOG; type < FILE_TAIL; type++) {
        uint64_t value;
        char canonical[FILE_NAME_BYTES];
        if (!parse_pattern(&value, &patterns[type], name))
            continue;
        file_name_print(canonical, type, value);
        if (strcmp(canonical, name) != 0)
            continue;
        *number = value;
        return type;
    }
    return parse_tail(number, name) ? FILE_TAIL : FILE_UNKNOWN;
}

struct kvs_status file_name_check_number(uint64_t largest, const char *folder)
{
    if (largest <= FILE_NUMBER_MAX)
        return status_ok();
    return STATUS(KVS_UNSUPPORTED,
                  "%s: a file in it, or in lost/, has number %" PRIu64 ", above any that kvstore gives: nothing was "
                  "changed; move it away",
                  folder, largest);
}

static struct kvs_status join_path(char path[IO_PATH_BYTES], const char *folder, const char *name)
{
    if (folder[0] == '\0')
        return STATUS(KVS_INVALID, "the folder of %s has an empty name", name);
    size_t folder_size = strlen(folder);
    size_t name_size = strlen(name);
    if (folder_size + 1 + name_size + 1 > IO_PATH_BYTES)
        return STATUS(KVS_TOO_LARGE, "the path of %s would pass %d bytes: its folder's name has %zu", name,
                      IO_PATH_BYTES - 1, folder_size);
    memcpy(path, folder, folder_size);
    path[folder_size] = '/';
    memcpy(path + folder_size + 1, name, name_size + 1);
    return status_ok();
}

struct kvs_status file_name_path(char path[IO_PATH_BYTES], const char *folder, enum file_type type, uint64_t number)
{
    char name[FILE_NAME_BYTES];
    file_name_print(name, type, number);
    return join_path(path, folder, name);
}

struct kvs_status file_name_tail_path(char path[IO_PATH_BYTES], const char *folder, uint64_t number, uint64_t offset)
{
    char name[FILE_NAME_BYTES];
    snprintf(name, sizeof name, "lost/%06" PRIu64 ".log.%" PRIu64 ".tail", number, offset);
    return join_path(path, folder, name);
}

struct kvs_status file_name_parent_path(char path[IO_PATH_BYTES], const char *folder)
{
    char parent[IO_PATH_BYTES];
    size_t size = strlen(folder);
    while (size > 1 && folder[size - 1] == '/')
        size--;
    size_t name = size;
    while (name > 0 && folder[name - 1] != '/')
        name--;
    bool is_relation = slice_equal(slice_of(folder + name, size - name), slice_of_text(".")) ||
                       slice_equal(slice_of(folder + name, size - name), slice_of_text(".."));
    if (is_relation) /* only the system knows its name */
        return join_path(path, folder, "..");
    while (name > 1 && folder[name - 1] == '/')
        name--;
    if (snprintf(parent, sizeof parent, "%.*s", (int)name, folder) >= IO_PATH_BYTES)
        return STATUS(KVS_TOO_LARGE, "the path of a folder has %zu bytes, the limit is %d", size, IO_PATH_BYTES - 1);
    memcpy(path, name == 0 ? "." : parent, name == 0 ? sizeof "." : name + 1);
    return status_ok();
}
