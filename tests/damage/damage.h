/* damage.h -- small databases to be damaged, and the judge of what is read from them afterwards.
 *
 * Role      A base is a database on a simulated disk whose every change is known by its sequence number, so that what a damaged copy of it shows can be
 *           compared with the state after any of them. Each change is a commit and a sync of its own, except one batch.
 * Failure   What breaks the promise (wrong data, an error that does not say where, a crash) fails the running cmocka test with file and offset of the damage.
 */
#ifndef KVS_TESTS_DAMAGE_H
#define KVS_TESTS_DAMAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/db.h"
#include "io/io_mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAMAGE_FOLDER "/db"

enum { DAMAGE_KEYS = 24, DAMAGE_CHANGES_MAX = 512, DAMAGE_FILES_MAX = 32, DAMAGE_MOMENTS_MAX = 16 };

/* How the process that made a base ended.
 *
 * CLOSED  by kvs_close: all ends are listed
 * KILLED  at a moment without a write under way
 * TORN    killed inside a write: the last log has bytes after its last record */
enum damage_ending { DAMAGE_CLOSED, DAMAGE_KILLED, DAMAGE_TORN };

/* logs        live logs with records, 1 to 3
 * compressed  segments are compressed, or stored */
struct damage_shape {
    const char *name;
    bool compressed;
    unsigned logs;
    enum damage_ending ending;
};

struct damage_change {
    unsigned key;
    bool is_delete;
};

/* mem            the disk; io_mem_damage and io_mem_resize are undone by whoever does them
 * last_sequence  of the last change: all of them were acknowledged as durable
 * before_last    the sequence number before the last commit
 * moments        the disk as a kill at earlier moments would have left it, oldest first */
struct damage_base {
    struct damage_shape shape;
    struct io_mem *mem;
    struct damage_change changes[DAMAGE_CHANGES_MAX + 1]; /* by sequence number */
    uint64_t last_sequence, before_last;
    struct io_mem *moments[DAMAGE_MOMENTS_MAX];
    unsigned moment_count;
};

/* Every combination that the tests go through, and how many there are. */
extern const struct damage_shape damage_shapes[];
extern const size_t damage_shape_count;

struct damage_base *damage_base_new(const struct damage_shape *shape);

/* The same, with other ids in its files: another database. */
struct damage_base *damage_base_new_seeded(const struct damage_shape *shape, uint64_t seed);
void damage_base_free(struct damage_base *base);

/* The text of a key; out has room for 8 bytes. */
struct kvs_slice damage_key(char *out, unsigned key);

/* Whether a key has this value, or is absent where it is NULL, in the state after the changes up to sequence. */
bool damage_is_right(const struct damage_base *base, unsigned key, const struct kvs_slice *value, uint64_t sequence);

/* A file of the database, by its name in the folder. data_bytes: without zeros at its end. */
struct damage_file {
    char path[64];
    const char *name; /* within path */
    uint8_t *bytes;
    size_t size, data_bytes;
};

/* The files of a folder, sorted by name. */
struct damage_files {
    struct damage_file files[DAMAGE_FILES_MAX];
    size_t count;
};

struct damage_files *damage_files_new(struct io_mem *mem);
void damage_files_free(struct damage_files *files);

/* Replace, or make, a file of a disk. */
void damage_put_file(struct io_mem *mem, const char *path, const void *bytes, size_t size);

/* What must come of opening a disk.
 *
 * may_refuse, may_open   which of the two are right answers
 * sequence               the state that must be read where it opens
 * may_miss               reads may end in an error that names the file instead */
struct damage_expectation {
    bool may_refuse, may_open;
    uint64_t sequence;
    bool may_miss;
};

/* What came of it.
 *
 * is_found  open refused, a read failed, or verification failed
 * is_noted  it opened, and its statistics tell of a torn tail */
struct damage_outcome {
    bool opened, missed, is_found, is_noted;
    char text[STATUS_TEXT_BYTES];
};

/* Open the disk, read everything (get of every key, a scan each way), verify, and close; fail the test unless what is seen is expected. what: the damage, for
 * messages. named: the file, or a part of its name, that an error has to name. */
struct damage_outcome damage_open_and_read(const struct damage_base *base, struct io_mem *mem, const char *what,
                                           const char *named, const struct damage_expectation *expected);

/* As damage_open_and_read, for writing, on a copy of the disk; then closed, opened once more and read again: what was shown once must stay. */
void damage_open_for_writing(const struct damage_base *base, struct io_mem *mem, const char *what, const char *named,
                             const struct damage_expectation *expected);

#endif
