#include "words.h"

#include "protocol/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

void *words_allocate(void *memory, size_t size)
{
    void *grown = realloc(memory, size);
    if (grown == NULL) {
        fprintf(stderr, "kvstore_client: out of memory (%zu bytes)\n", size);
        exit(2);
    }
    return grown;
}

void words_fini(struct words *words)
{
    free(words->line);
    free(words->items);
    *words = (struct words){0};
}

static void add(struct words *words, struct kvs_slice word)
{
    if (words->count == words->capacity) {
        words->capacity = words->capacity == 0 ? 8 : words->capacity * 2;
        words->items = words_allocate(words->items, words->capacity * sizeof *words->items);
    }
    words->items[words->count++] = word;
}

bool words_split(struct words *words, const char *line, size_t size)
{
    words->count = 0;
    words->line = words_allocate(words->line, size + 1);
    memcpy(words->line, line, size);
    struct kvs_slice word;
    size_t at = 0;
    enum quote_result result;
    while ((result = quote_next_word(&word, &at, words->line, size, QUOTE_AT_START)) == QUOTE_WORD)
        add(words, word);
    return result == QUOTE_END;
}

void words_set(struct words *words, char *const *arguments, size_t count)
{
    words->count = 0;
    for (size_t i = 0; i < count; i++)
        add(words, slice_of_text(arguments[i]));
}

bool words_is(const struct words *words, size_t index, const char *name)
{
    return index < words->count && words->items[index].size == strlen(name) &&
           strncasecmp(words->items[index].data, name, words->items[index].size) == 0;
}
