#include "damage.h"

#include "format/file_name.h"

#include <ctype.h>

const struct damage_shape damage_shapes[] = {
    {"compressed, 1 log, closed", true, 1, DAMAGE_CLOSED},  {"stored, 1 log, killed", false, 1, DAMAGE_KILLED},
    {"compressed, 1 log, torn", true, 1, DAMAGE_TORN},      {"stored, 3 logs, closed", false, 3, DAMAGE_CLOSED},
    {"compressed, 3 logs, killed", true, 3, DAMAGE_KILLED}, {"stored, 3 logs, torn", false, 3, DAMAGE_TORN},
};
const size_t damage_shape_count = sizeof damage_shapes / sizeof *damage_shapes;

enum { KEY_BYTES = 8, VALUE_BYTES = 64 };

/* ---- The model ---- */

static struct kvs_slice key_text(char out[KEY_BYTES], unsigned key)
{
    return (struct kvs_slice){out, (size_t)snprintf(out, KEY_BYTES, "key%02u", key)};
}

/* A value says which change wrote it. */
static struct kvs_slice value_text(char out[VALUE_BYTES], uint64_t sequence)
{
    int size = snprintf(out, VALUE_BYTES, "value of change %llu %.*s", (unsigned long long)sequence,
                        (int)(sequence % 17), "zzzzzzzzzzzzzzzzz");
    return (struct kvs_slice){out, (size_t)size};
}

/* The change that a key shows after those up to sequence; 0: it is absent. */
static uint64_t shown_change(const struct damage_base *base, unsigned key, uint64_t sequence)
{
    for (uint64_t at = sequence; at > 0; at--) {
        if (base->changes[at].key == key)
            return base->changes[at].is_delete ? 0 : at;
    }
    return 0;
}

static bool is_value_of(const struct damage_base *base, struct kvs_slice value, unsigned key, uint64_t sequence)
{
    char buffer[VALUE_BYTES];
    uint64_t change = shown_change(base, key, sequence);
    struct kvs_slice expected = value_text(buffer, change);
    return change != 0 && slice_equal(expected, value);
}

struct kvs_slice damage_key(char *out, unsigned key)
{
    return key_text(out, key);
}

bool damage_is_right(const struct damage_base *base, unsigned key, const struct kvs_slice *value, uint64_t sequence)
{
    return value == NULL ? shown_change(base, key, sequence) == 0 : is_value_of(base, *value, key, sequence);
}

/* ---- Making a base ---- */

static struct kvs_options options_of(const struct damage_shape *shape)
{
    struct kvs_options options;
    kvs_options_default(&options);
    options.memory_bytes = 1 << 20;
    options.memtable_bytes = 64 << 10;
    options.block_bytes = 256;
    options.compression = shape->compressed ? KVS_COMPRESSION_ZSTD : KVS_COMPRESSION_NONE;
    return options;
}

static void must(struct kvs_status status)
{
    if (!status_is_ok(status))
        fail_msg("making a base: %s", status_text(status));
}

static struct kvs_db *open_base(const struct damage_base *base)
{
    struct kvs_db *db;
    struct kvs_options options = options_of(&base->shape);
    must(db_open(&db, io_mem_as_io(base->mem), DAMAGE_FOLDER, &options));
    return db;
}

/* The next change, by a rule that overwrites and deletes often. */
static struct damage_change note_change(struct damage_base *base)
{
    uint64_t sequence = ++base->last_sequence;
    struct damage_change change = {.key = (unsigned)(sequence * 7 % DAMAGE_KEYS), .is_delete = sequence % 5 == 3};
    assert_true(sequence <= DAMAGE_CHANGES_MAX);
    base->changes[sequence] = change;
    return change;
}

static void add_change(struct damage_base *base, struct kvs_batch *batch)
{
    char key[KEY_BYTES], value[VALUE_BYTES];
    struct damage_change change = note_change(base);
    if (change.is_delete)
        must(kvs_batch_delete(batch, key_text(key, change.key)));
    else
        must(kvs_batch_put(batch, key_text(key, change.key), value_text(value, base->last_sequence)));
}

static void commit(struct damage_base *base, struct kvs_db *db, unsigned changes)
{
    struct kvs_batch *batch;
    must(kvs_batch_new(&batch));
    base->before_last = base->last_sequence;
    while (changes-- > 0)
        add_change(base, batch);
    must(kvs_write(db, batch, NULL));
    kvs_batch_free(batch);
    assert_int_equal(kvs_published_sequence(db), base->last_sequence);
}

static void note_moment(struct damage_base *base)
{
    assert_true(base->moment_count < DAMAGE_MOMENTS_MAX);
    base->moments[base->moment_count] = io_mem_clone_after_kill(base->mem);
    assert_non_null(base->moments[base->moment_count++]);
}

/* The process is killed: what it left is the disk from now on. */
static void kill_base(struct damage_base *base, struct kvs_db *db)
{
    struct io_mem *left = io_mem_clone_after_kill(base->mem);
    assert_non_null(left);
    must(kvs_close(db));
    io_mem_free(base->mem);
    base->mem = left;
}

/* The beginning of a record that never got further, where the last log's records end. */
static void tear_last_log(struct damage_base *base)
{
    struct damage_files *files = damage_files_new(base->mem);
    const struct damage_file *last = NULL;
    for (size_t i = 0; i < files->count; i++) {
        if (strstr(files->files[i].name, ".log") != NULL && files->files[i].data_bytes > 100)
            last = &files->files[i];
    }
    assert_non_null(last);
    uint64_t end = (last->data_bytes + 7) & ~(uint64_t)7;
    assert_true(io_mem_damage(base->mem, last->path, "\x81torn off in the middle of its header", 32, end));
    damage_files_free(files);
}

static void fill_segments(struct damage_base *base)
{
    struct kvs_db *db = open_base(base);
    for (unsigned run = 0; run < 2; run++) {
        for (unsigned i = 0; i < 16; i++)
            commit(base, db, 1);
        note_moment(base);
        must(kvs_flush(db));
        note_moment(base);
    }
    must(kvs_close(db));
}

static void fill_logs(struct damage_base *base)
{
    for (unsigned log = 0; log < base->shape.logs; log++) {
        struct kvs_db *db = open_base(base);
        note_moment(base);
        commit(base, db, 1);
        commit(base, db, 3);
        note_moment(base);
        commit(base, db, 1);
        commit(base, db, 1);
        if (log + 1 < base->shape.logs || base->shape.ending != DAMAGE_CLOSED)
            kill_base(base, db);
        else
            must(kvs_close(db));
    }
}

struct damage_base *damage_base_new(const struct damage_shape *shape)
{
    return damage_base_new_seeded(shape, 1);
}

struct damage_base *damage_base_new_seeded(const struct damage_shape *shape, uint64_t seed)
{
    struct damage_base *base = calloc(1, sizeof *base);
    assert_non_null(base);
    base->shape = *shape;
    base->mem = io_mem_new(seed, NULL);
    assert_non_null(base->mem);
    fill_segments(base);
    fill_logs(base);
    if (shape->ending == DAMAGE_TORN)
        tear_last_log(base);
    return base;
}

void damage_base_free(struct damage_base *base)
{
    for (unsigned i = 0; i < base->moment_count; i++)
        io_mem_free(base->moments[i]);
    io_mem_free(base->mem);
    free(base);
}

/* ---- Files ---- */

static bool note_file(void *context, const char *path)
{
    struct damage_files *files = context;
    if (strncmp(path, DAMAGE_FOLDER "/", sizeof DAMAGE_FOLDER) != 0 ||
        strchr(path + sizeof DAMAGE_FOLDER, '/') != NULL || strcmp(path, DAMAGE_FOLDER "/lost") == 0)
        return true;
    assert_true(files->count < DAMAGE_FILES_MAX);
    struct damage_file *file = &files->files[files->count++];
    snprintf(file->path, sizeof file->path, "%s", path);
    file->name = file->path + sizeof DAMAGE_FOLDER;
    return true;
}

static int compare_files(const void *a, const void *b)
{
    const struct damage_file *x = a, *y = b;
    return strcmp(x->path, y->path);
}

struct damage_files *damage_files_new(struct io_mem *mem)
{
    struct damage_files *files = calloc(1, sizeof *files);
    assert_non_null(files);
    io_mem_visit(mem, note_file, files);
    qsort(files->files, files->count, sizeof *files->files, compare_files);
    for (size_t i = 0; i < files->count; i++) {
        struct damage_file *file = &files->files[i];
        file->name = file->path + sizeof DAMAGE_FOLDER;
        file->bytes = io_mem_copy_file(mem, &file->size, file->path);
        assert_true(file->bytes != NULL || file->size == 0);
        file->data_bytes = file->size;
        while (file->data_bytes > 0 && file->bytes[file->data_bytes - 1] == 0)
            file->data_bytes--;
    }
    return files;
}

void damage_files_free(struct damage_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->files[i].bytes);
    free(files);
}

void damage_put_file(struct io_mem *mem, const char *path, const void *bytes, size_t size)
{
    struct io_file *file;
    must(io_file_open(io_mem_as_io(mem), &file, path, IO_OPEN_TEMPORARY));
    if (size > 0)
        must(io_file_write(file, bytes, size, 0));
    io_file_close(file);
}

/* ---- Reading ---- */

/* A reader of one opened disk. */
struct reader {
    const struct damage_base *base;
    const struct damage_expectation *expected;
    const char *what, *named;
    struct kvs_db *db;
    bool missed;
};

/* An error must say which file and where. */
static void check_sentence(const char *what, const char *named, const char *sentence, bool is_refusal)
{
    if (strstr(sentence, named) == NULL)
        fail_msg("%s: the error does not name %s: %s", what, named, sentence);
    if (strstr(sentence, "next: kvstore_tool repair --plan " DAMAGE_FOLDER) == NULL && is_refusal)
        fail_msg("%s: the refusal does not name the next command: %s", what, sentence);
    if (strstr(sentence, "offset") == NULL && strstr(sentence, "No such file") == NULL &&
        strstr(sentence, "no such file") == NULL && strstr(sentence, "is missing") == NULL)
        fail_msg("%s: the error does not say where: %s", what, sentence);
}

static void note_miss(struct reader *reader, struct kvs_status status)
{
    if (!reader->expected->may_miss)
        fail_msg("%s: a read failed: %s", reader->what, status_text(status));
    check_sentence(reader->what, reader->named, status_text(status), false);
    assert_true(status.code == KVS_CORRUPT || status.code == KVS_IO || status.code == KVS_UNSUPPORTED);
    reader->missed = true;
}

static void get_all(struct reader *reader)
{
    uint64_t sequence = reader->expected->sequence;
    for (unsigned key = 0; key < DAMAGE_KEYS; key++) {
        char buffer[KEY_BYTES];
        struct kvs_value value;
        bool found;
        struct kvs_status status = kvs_get(reader->db, &value, &found, key_text(buffer, key), NULL);
        if (!status_is_ok(status)) {
            note_miss(reader, status);
            continue;
        }
        bool is_right = found ? is_value_of(reader->base, value.bytes, key, sequence)
                              : shown_change(reader->base, key, sequence) == 0;
        if (!is_right)
            fail_msg("%s: get of %s: expected change %llu, found %.*s", reader->what, buffer,
                     (unsigned long long)shown_change(reader->base, key, sequence), found ? (int)value.bytes.size : 6,
                     found ? (const char *)value.bytes.data : "absent");
        if (found)
            kvs_value_release(&value);
    }
}

/* A scan shows each key that is there, in order, until it fails. */
static void scan_all(struct reader *reader, bool backward)
{
    uint64_t sequence = reader->expected->sequence;
    struct kvs_iterator *iterator;
    must(kvs_iterator_new(&iterator, reader->db, NULL));
    if (backward)
        kvs_iterator_last(iterator);
    else
        kvs_iterator_first(iterator);
    for (unsigned i = 0; i < DAMAGE_KEYS && status_is_ok(kvs_iterator_status(iterator)); i++) {
        unsigned key = backward ? DAMAGE_KEYS - 1 - i : i;
        char buffer[KEY_BYTES];
        if (shown_change(reader->base, key, sequence) == 0)
            continue;
        if (!kvs_iterator_valid(iterator) || !slice_equal(kvs_iterator_key(iterator), key_text(buffer, key)) ||
            !is_value_of(reader->base, kvs_iterator_value(iterator), key, sequence))
            fail_msg("%s: a scan %s does not show key %u as it was", reader->what, backward ? "back" : "forth", key);
        if (backward)
            kvs_iterator_prev(iterator);
        else
            kvs_iterator_next(iterator);
    }
    struct kvs_status status = kvs_iterator_status(iterator);
    if (!status_is_ok(status))
        note_miss(reader, status);
    else if (kvs_iterator_valid(iterator))
        fail_msg("%s: a scan shows more than there was", reader->what);
    kvs_iterator_free(iterator);
}

static struct damage_outcome open_and_read(const struct damage_base *base, struct io_mem *mem, const char *what,
                                           const char *named, const struct damage_expectation *expected, bool writes)
{
    struct damage_outcome outcome = {.opened = false};
    struct reader reader = {.base = base, .expected = expected, .what = what, .named = named};
    struct kvs_options options = options_of(&base->shape);
    options.read_only = !writes;
    options.create_if_missing = writes;
    struct kvs_status status = db_open(&reader.db, io_mem_as_io(mem), DAMAGE_FOLDER, &options);
    if (!status_is_ok(status)) {
        status_save_text(status, outcome.text);
        if (!expected->may_refuse)
            fail_msg("%s: refused without need: %s", what, outcome.text);
        check_sentence(what, named, outcome.text, true);
        assert_true(status.code == KVS_CORRUPT || status.code == KVS_UNSUPPORTED || status.code == KVS_IO);
        outcome.is_found = true;
        assert_int_equal(io_mem_open_count(mem), 0);
        return outcome;
    }
    if (!expected->may_open)
        fail_msg("%s: opened, which the rules forbid", what);
    outcome.opened = true;
    get_all(&reader);
    scan_all(&reader, false);
    scan_all(&reader, true);
    struct kvs_stats stats;
    kvs_stats(reader.db, &stats);
    outcome.is_noted = stats.set_aside_bytes != 0 || stats.manifest_cut_bytes != 0;
    status = kvs_verify(reader.db, NULL, NULL);
    if (!status_is_ok(status)) {
        status_save_text(status, outcome.text);
        check_sentence(what, named, outcome.text, false);
    } else if (reader.missed) {
        fail_msg("%s: a read failed, but verify finds nothing", what);
    }
    outcome.missed = reader.missed;
    outcome.is_found = !status_is_ok(status);
    must(kvs_close(reader.db));
    assert_int_equal(io_mem_open_count(mem), 0);
    return outcome;
}

struct damage_outcome damage_open_and_read(const struct damage_base *base, struct io_mem *mem, const char *what,
                                           const char *named, const struct damage_expectation *expected)
{
    return open_and_read(base, mem, what, named, expected, false);
}

void damage_open_for_writing(const struct damage_base *base, struct io_mem *mem, const char *what, const char *named,
                             const struct damage_expectation *expected)
{
    struct io_mem *copy = io_mem_clone_after_kill(mem);
    assert_non_null(copy);
    struct damage_outcome outcome = open_and_read(base, copy, what, named, expected, true);
    if (outcome.opened)
        open_and_read(base, copy, what, named, expected, false);
    else
        assert_true(io_mem_is_equal(copy, mem, outcome.text, sizeof outcome.text));
    io_mem_free(copy);
}
