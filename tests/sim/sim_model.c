#include "sim_model.h"

#include "base/assert.h"
#include "base/hash.h"

#include <stdlib.h>

/* Room for one more element of an array. */
static void *grow(void *array, size_t count, size_t *capacity, size_t element_bytes)
{
    if (count < *capacity)
        return array;
    *capacity = *capacity == 0 ? 8 : *capacity * 2;
    void *grown = realloc(array, *capacity * element_bytes);
    KVS_ASSERT(grown != NULL);
    return grown;
}

void model_init(struct model *model, size_t key_count)
{
    *model = (struct model){.key_count = key_count, .keys = calloc(key_count, sizeof *model->keys)};
    KVS_ASSERT(model->keys != NULL);
}

void model_fini(struct model *model)
{
    for (size_t i = 0; i < model->key_count; i++)
        free(model->keys[i].versions);
    free(model->keys);
    free(model->batches);
    free(model->changes);
}

uint64_t model_hash(const struct model_change *changes, size_t count)
{
    uint64_t hash = count;
    for (size_t i = 0; i < count; i++)
        hash = hash_mix(hash, (uint64_t)changes[i].key << 32 | changes[i].value);
    return hash;
}

static void add_version(struct model_history *history, uint64_t sequence, uint32_t value)
{
    history->versions = grow(history->versions, history->count, &history->capacity, sizeof *history->versions);
    history->versions[history->count++] = (struct model_version){sequence, value};
}

void model_append(struct model *model, const struct model_batch *batch, const struct model_change *changes,
                  size_t count)
{
    KVS_ASSERT(count > 0 && batch->first > model_last(model));
    model->batches = grow(model->batches, model->batch_count, &model->batch_capacity, sizeof *model->batches);
    struct model_batch *added = &model->batches[model->batch_count++];
    *added = *batch;
    added->last = batch->first + count - 1;
    added->change = model->change_count;
    for (size_t i = 0; i < count; i++) {
        model->changes = grow(model->changes, model->change_count, &model->change_capacity, sizeof *model->changes);
        model->changes[model->change_count++] = changes[i];
        add_version(&model->keys[changes[i].key], batch->first + i, changes[i].value);
    }
}

/* The number of batches that begin at or below a sequence number. */
static size_t count_up_to(const struct model *model, uint64_t first)
{
    size_t low = 0, high = model->batch_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (model->batches[middle].first <= first)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct model_batch *model_find(const struct model *model, uint64_t first)
{
    size_t count = count_up_to(model, first);
    if (count == 0 || model->batches[count - 1].first != first)
        return NULL;
    return &model->batches[count - 1];
}

uint64_t model_last(const struct model *model)
{
    return model->batch_count == 0 ? 0 : model->batches[model->batch_count - 1].last;
}

uint32_t model_lookup(const struct model *model, size_t key, uint64_t horizon)
{
    const struct model_history *history = &model->keys[key];
    for (size_t i = history->count; i > 0; i--) {
        if (history->versions[i - 1].sequence <= horizon)
            return history->versions[i - 1].value;
    }
    return 0;
}

uint64_t model_next_point(const struct model *model, uint64_t horizon)
{
    size_t count = count_up_to(model, horizon);
    if (count > 0 && model->batches[count - 1].last > horizon)
        return model->batches[count - 1].last;
    return count == model->batch_count ? UINT64_MAX : model->batches[count].last;
}

void model_truncate(struct model *model, size_t count)
{
    if (count >= model->batch_count)
        return;
    size_t kept = model->batches[count].change;
    uint64_t first = model->batches[count].first;
    for (size_t i = kept; i < model->change_count; i++) {
        struct model_history *history = &model->keys[model->changes[i].key];
        while (history->count > 0 && history->versions[history->count - 1].sequence >= first)
            history->count--;
    }
    model->change_count = kept;
    model->batch_count = count;
}

static size_t changes_end(const struct model *model, size_t batch)
{
    return batch + 1 < model->batch_count ? model->batches[batch + 1].change : model->change_count;
}

bool model_find_state(const struct model *model, size_t *count, size_t *nearest, const uint32_t *state,
                      uint64_t ceiling)
{
    uint32_t *now = calloc(model->key_count, sizeof *now);
    KVS_ASSERT(now != NULL);
    size_t differences = 0, fewest;
    for (size_t key = 0; key < model->key_count; key++)
        differences += state[key] != 0;
    bool found = differences == 0;
    fewest = differences;
    *nearest = 0;
    if (found)
        *count = 0;
    for (size_t batch = 0; batch < model->batch_count && model->batches[batch].last <= ceiling; batch++) {
        for (size_t i = model->batches[batch].change; i < changes_end(model, batch); i++) {
            const struct model_change *change = &model->changes[i];
            differences -= now[change->key] != state[change->key];
            now[change->key] = change->value;
            differences += now[change->key] != state[change->key];
        }
        if (differences <= fewest) {
            fewest = differences;
            *nearest = batch + 1;
        }
        if (differences == 0) {
            found = true;
            *count = batch + 1;
        }
    }
    free(now);
    return found;
}
