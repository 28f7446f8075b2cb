#include "command/key_list.h"

#include <stdlib.h>

enum { CAPACITY_AT_FIRST = 16 };

void key_list_init(struct key_list *list)
{
    *list = (struct key_list){0};
}

void key_list_fini(struct key_list *list)
{
    free(list->keys);
    byte_buffer_fini(&list->bytes);
}

bool key_list_add(struct key_list *list, const struct session *session, struct kvs_slice key)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? CAPACITY_AT_FIRST : 2 * list->capacity;
        struct kvs_slice *grown = realloc(list->keys, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        list->keys = grown;
        list->capacity = capacity;
    }
    if (!byte_buffer_reserve(&list->bytes, key.size + 1))
        return false;
    size_t space;
    session_stored_key(session, byte_buffer_space(&list->bytes, &space), key);
    byte_buffer_commit(&list->bytes, key.size + 1);
    list->keys[list->count++] = slice_of(NULL, key.size + 1);
    return true;
}

bool key_list_add_words(struct key_list *list, const struct session *session, const struct request *request,
                        size_t first)
{
    for (size_t i = first; i < request->count; i++)
        if (!key_list_add(list, session, request_argument(request, i)))
            return false;
    return true;
}

void key_list_finish(struct key_list *list)
{
    const uint8_t *at = byte_buffer_data(&list->bytes);
    for (size_t i = 0; i < list->count; i++) {
        list->keys[i].data = at;
        at += list->keys[i].size;
    }
}

bool key_list_check_words(enum command_outcome *outcome, struct session *session, const struct request *request,
                          size_t first, size_t step)
{
    for (size_t i = first; i < request->count; i += step) {
        if (request->spans[i].size > SESSION_KEY_BYTES) {
            *outcome = command_refuse(session, "ERR", "key is longer than 65535 bytes");
            return false;
        }
    }
    return true;
}
