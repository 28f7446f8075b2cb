#include "fake_engine/fake_engine.h"

#include <stdlib.h>
#include <time.h>

enum { READY_MS = 20 };

static void sleep_ms(uint64_t ms)
{
    struct timespec time = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

void fake_add_wait(struct kvs_db *db, struct fake_wait wait)
{
    struct fake_wait *copy = fake_memory(NULL, sizeof *copy);
    *copy = wait;
    copy->next = db->waits;
    db->waits = copy;
    pthread_cond_signal(&db->wake);
}

struct kvs_status kvs_sync_async(struct kvs_db *db, uint64_t sequence, enum kvs_level level,
                                 kvs_sync_function *callback, void *context)
{
    (void)level;
    pthread_mutex_lock(&db->lock);
    bool is_done = sequence <= db->published;
    if (!is_done)
        fake_add_wait(db, (struct fake_wait){.publish = callback, .context = context, .sequence = sequence});
    pthread_mutex_unlock(&db->lock);
    if (is_done)
        callback(context, fake_status(KVS_OK));
    return fake_status(KVS_OK);
}

/* Publishes what was applied before, or fails for good. The lock is held, and let go in between. */
static enum kvs_code publish(struct kvs_db *db)
{
    uint64_t target = db->applied;
    db->syncs++;
    pthread_mutex_unlock(&db->lock);
    sleep_ms(db->sync_ms);
    pthread_mutex_lock(&db->lock);
    if (db->is_poisoned)
        return KVS_POISONED;
    db->is_poisoned = db->fail_sync != 0 && db->syncs >= db->fail_sync;
    if (db->is_poisoned)
        return KVS_UNKNOWN;
    db->published = target;
    return KVS_OK;
}

static void call_back(struct fake_wait *wait, enum kvs_code code)
{
    if (wait->ready != NULL)
        wait->ready(wait->context);
    else
        wait->publish(wait->context, fake_status(code));
    free(wait);
}

/* Takes what can be answered now: every `ready`; of publications those that are done, or all after a failure. */
static struct fake_wait *take_done(struct kvs_db *db, enum kvs_code code)
{
    struct fake_wait *done = NULL, **at = &db->waits;
    while (*at != NULL) {
        struct fake_wait *wait = *at;
        if (wait->ready == NULL && code == KVS_OK && wait->sequence > db->published) {
            at = &wait->next;
            continue;
        }
        *at = wait->next;
        wait->next = done;
        done = wait;
    }
    return done;
}

static bool has(const struct kvs_db *db, bool is_ready)
{
    for (const struct fake_wait *wait = db->waits; wait != NULL; wait = wait->next)
        if ((wait->ready != NULL) == is_ready)
            return true;
    return false;
}

void *fake_log_thread(void *context)
{
    struct kvs_db *db = context;
    pthread_mutex_lock(&db->lock);
    while (!db->is_closing || db->waits != NULL) {
        if (db->waits == NULL) {
            pthread_cond_wait(&db->wake, &db->lock);
            continue;
        }
        if (has(db, true)) {
            pthread_mutex_unlock(&db->lock);
            sleep_ms(READY_MS);
            pthread_mutex_lock(&db->lock);
        }
        enum kvs_code code = has(db, false) ? publish(db) : KVS_OK;
        struct fake_wait *done = take_done(db, code), *next;
        pthread_mutex_unlock(&db->lock);
        for (; done != NULL; done = next) {
            next = done->next;
            call_back(done, code);
        }
        pthread_mutex_lock(&db->lock);
    }
    pthread_mutex_unlock(&db->lock);
    return NULL;
}

uint64_t kvs_published_sequence(const struct kvs_db *db)
{
    struct kvs_db *mutable_db = (struct kvs_db *)(uintptr_t)db;
    pthread_mutex_lock(&mutable_db->lock);
    uint64_t sequence = db->published;
    pthread_mutex_unlock(&mutable_db->lock);
    return sequence;
}

uint64_t kvs_applied_sequence(const struct kvs_db *db)
{
    struct kvs_db *mutable_db = (struct kvs_db *)(uintptr_t)db;
    pthread_mutex_lock(&mutable_db->lock);
    uint64_t sequence = db->applied;
    pthread_mutex_unlock(&mutable_db->lock);
    return sequence;
}
