/* key_list.h -- copies of the keys of a job, in their stored form. */
#ifndef KVS_COMMAND_KEY_LIST_H
#define KVS_COMMAND_KEY_LIST_H

#include "command/command.h"

/* keys[i].data is set by key_list_finish: the bytes move while the list grows. */
struct key_list {
    struct kvs_slice *keys;
    size_t count;
    size_t capacity;
    struct byte_buffer bytes;
};

void key_list_init(struct key_list *list);
void key_list_fini(struct key_list *list);

/* Append a client's key. False: no memory, and the list is as before. */
KVS_MUST_USE bool key_list_add(struct key_list *list, const struct session *session, struct kvs_slice key);

/* Append the words from first on. False: no memory. */
KVS_MUST_USE bool key_list_add_words(struct key_list *list, const struct session *session,
                                     const struct request *request, size_t first);

/* No more keys come. */
void key_list_finish(struct key_list *list);

/* Whether every word from first on, by steps, may be a key; else the error was given as the outcome. */
bool key_list_check_words(enum command_outcome *outcome, struct session *session, const struct request *request,
                          size_t first, size_t step);

#endif
