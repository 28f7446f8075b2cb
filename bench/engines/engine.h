/* engine.h -- what the benchmark asks of an engine: one table of functions, filled in by one file per engine.
 *
 * Role      The driver knows engines by this table only, so that all run the same code. A call does one thing that every engine has; what
 *           differs (names, pins, error strings) stays in the engine's file.
 * Threads   put and get are called from several threads at a time; a cursor belongs to one.
 * Failure   A call that fails has told failure_set (bench/failure.h) why; the run is then worthless and ends.
 */
#ifndef KVS_BENCH_ENGINES_ENGINE_H
#define KVS_BENCH_ENGINES_ENGINE_H

#include "base/slice.h"

/* path          the database's folder; its parent exists
 * memory_bytes  all memory that the engine is to use for write buffers and blocks
 * create        make the database; otherwise it exists
 * sync          every put is on stable storage before it returns; otherwise it is in the log file, as the operating system sees it
 * compress      compress blocks, as the engine's settings say */
struct engine_options {
    const char *path;
    uint64_t memory_bytes;
    bool create;
    bool sync;
    bool compress;
};

enum engine_found { ENGINE_FOUND, ENGINE_ABSENT, ENGINE_FAILED };

/* A value that get found. bytes is valid until value_release; hold is the engine's. */
struct engine_value {
    struct kvs_slice bytes;
    void *hold[2];
};

/* Where a cursor stands; borrowed until it moves. */
struct engine_entry {
    struct kvs_slice key;
    struct kvs_slice value;
};

enum { ENGINE_TEXT_BYTES = 160 };

/* name, settings  for people; settings says in one line what is set apart from the engine's defaults
 * symbol          an address in the engine's library, by which its file is found
 * assertions      what is known about them at build time, or NULL: look whether the library's file imports __assert_fail */
struct engine {
    const char *name;
    const char *settings;
    const void *symbol;
    const char *assertions;

    /* The version of the library, as "1.2.3". text: out, ENGINE_TEXT_BYTES. */
    void (*version)(char *text);

    /* db: out, for close. */
    bool (*open)(void **db, const struct engine_options *options);
    void (*close)(void *db);

    bool (*put)(void *db, struct kvs_slice key, struct kvs_slice value);

    /* value: out if ENGINE_FOUND; release it. */
    enum engine_found (*get)(void *db, struct engine_value *value, struct kvs_slice key);
    void (*value_release)(struct engine_value *value);

    /* A cursor shows the database as of its making. The moves return whether it stands on an entry, which they then describe; false at either
     * end, and after a failure, which cursor_free reports at the latest. */
    bool (*cursor_new)(void **cursor, void *db);
    bool (*cursor_free)(void *cursor);
    bool (*cursor_first)(void *cursor, struct engine_entry *entry);
    bool (*cursor_last)(void *cursor, struct engine_entry *entry);
    bool (*cursor_seek)(void *cursor, struct engine_entry *entry, struct kvs_slice key);
    bool (*cursor_next)(void *cursor, struct engine_entry *entry);
    bool (*cursor_prev)(void *cursor, struct engine_entry *entry);

    /* Write what is in memory to sorted files and wait for that. */
    bool (*flush)(void *db);

    /* Whether the engine has no compaction to do, as far as it says. */
    bool (*is_settled)(void *db);

    /* Bytes that the engine says it has written since open, or NULL where it does not say. */
    uint64_t (*written_bytes)(void *db);
};

/* The engines of this build, in the order of reports; a peer whose package was missing is not among them. */
extern const struct engine *const engines[];
extern const size_t engine_count;

/* The engine of that name, or NULL. */
const struct engine *engine_find(struct kvs_slice name);

#endif
