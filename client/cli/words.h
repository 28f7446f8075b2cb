/* words.h -- the words of a line that a person typed.
 *
 * Threads   One at a time per list.
 * Failure   Exhausted memory ends the program with a sentence: a command line tool has nothing better to do.
 */
#ifndef KVS_CLI_WORDS_H
#define KVS_CLI_WORDS_H

#include "base/slice.h"

/* Zeroed is empty. The slices point into line, which belongs to the list. */
struct words {
    uint8_t *line;
    struct kvs_slice *items;
    size_t count;
    size_t capacity;
};

void words_fini(struct words *words);

/* Split a copy of a line by the rules of the text protocol. Returns false where a quote is not balanced. Forgets what was there before. */
bool words_split(struct words *words, const char *line, size_t size);

/* Take over arguments of main, which are borrowed. */
void words_set(struct words *words, char *const *arguments, size_t count);

/* Whether word `index` exists and is `name` in any case. */
bool words_is(const struct words *words, size_t index, const char *name);

/* malloc or realloc that never fails: it ends the program. */
void *words_allocate(void *memory, size_t size);

#endif
