/* exchange_test.c -- whole pieces in the wrong place: blocks, records and files exchanged, missing, older, or of another database.
 *
 * Every piece is sound by itself: only what binds it to its place, its file and its database can tell. */
#include "damage.h"
#include "oracle.h"

#include "format/log_header.h"
#include "format/log_record.h"
#include "format/segment_format.h"

enum { PIECES_MAX = 64 };

/* Where the pieces of a file begin, and where the last ends. */
struct pieces {
    size_t at[PIECES_MAX + 1];
    size_t count;
};

/* ---- Judging ---- */

static bool is_named(const struct damage_file *file, const char *part)
{
    return strstr(file->name, part) != NULL;
}

/* What was exchanged.
 *
 * IN_SEGMENTS  nothing may be missing: an error, or what is right
 * ELSEWHERE    the rules decide; at most the last commit of a killed database may be missing
 * AT_THE_END   of a log without a listed end, all up to its last record: what was there looks as if it had never been written, and the rules alone decide */
enum place { IN_SEGMENTS, ELSEWHERE, AT_THE_END };

/* Open a disk on which something was exchanged, for reading and for writing. named: what an error must name. Returns whether it was refused, or found by a read or by verification. */
static bool judge(const struct damage_base *base, struct io_mem *mem, const char *what, const char *named,
                  enum place place)
{
    struct oracle_verdict verdict = oracle_judge(mem, DAMAGE_FOLDER);
    struct damage_expectation expected = {.may_refuse = true, .may_open = true, base->last_sequence, .may_miss = true};
    if (place != IN_SEGMENTS)
        /* A segment that the manifest lists may be missing, of which the rules of logs know nothing. */
        expected = (struct damage_expectation){true, verdict.rule == 0, verdict.sequence, false};
    if (expected.may_open && expected.sequence < base->last_sequence &&
        (base->shape.ending == DAMAGE_CLOSED || (place != AT_THE_END && expected.sequence < base->before_last)))
        fail_msg("%s: changes after %llu would be lost without a word", what, (unsigned long long)expected.sequence);
    struct damage_outcome outcome = damage_open_and_read(base, mem, what, named, &expected);
    damage_open_for_writing(base, mem, what, named, &expected);
    return outcome.is_found || outcome.is_noted;
}

static enum place place_of(const struct damage_file *file)
{
    return is_named(file, ".seg") ? IN_SEGMENTS : ELSEWHERE;
}

/* What of a database is worth nothing: LOCK, and a log that the manifest does not list. */
static bool is_harmless_to_lose(const struct damage_base *base, const struct damage_file *file)
{
    uint64_t number;
    return strcmp(file->name, "LOCK") == 0 || (file_name_parse(&number, file->name) == FILE_LOG &&
                                               oracle_listed_end(base->mem, DAMAGE_FOLDER, number) == 0);
}

typedef void exchange_in_base(const struct damage_base *base, const struct damage_files *files);

static void for_all_bases(exchange_in_base *exchange)
{
    for (size_t i = 0; i < damage_shape_count; i++) {
        struct damage_base *base = damage_base_new(&damage_shapes[i]);
        struct damage_files *files = damage_files_new(base->mem);
        exchange(base, files);
        damage_files_free(files);
        damage_base_free(base);
    }
}

/* A copy of the base's disk on which a file has these bytes; NULL: it is gone. */
static struct io_mem *disk_with(const struct damage_base *base, const struct damage_file *file, const uint8_t *bytes,
                                size_t size)
{
    struct io_mem *mem = io_mem_clone_after_kill(base->mem);
    assert_non_null(mem);
    if (bytes == NULL)
        assert_true(status_is_ok(io_unlink(io_mem_as_io(mem), file->path)));
    else
        damage_put_file(mem, file->path, bytes, size);
    return mem;
}

/* ---- Pieces of one file ---- */

/* The data blocks of a segment: each ends where its frame verifies. */
static void find_blocks(struct pieces *pieces, const struct damage_file *file)
{
    struct file_header header;
    assert_true(status_is_ok(file_header_decode(&header, file->bytes, file->size, FILE_SEGMENT, file->path)));
    *pieces = (struct pieces){.at = {FILE_HEADER_BYTES}};
    for (size_t begin = FILE_HEADER_BYTES, end = begin + SEGMENT_FRAME_BYTES; end <= file->size; end++) {
        struct segment_frame frame;
        if (!status_is_ok(segment_frame_decode(&frame, file->bytes + begin, end - begin, header.file_id, begin,
                                               SEGMENT_BLOCK_DATA, SEGMENT_DATA_MAX_BYTES, file->path)))
            continue;
        assert_true(pieces->count < PIECES_MAX);
        pieces->at[++pieces->count] = begin = end;
        end += SEGMENT_FRAME_BYTES - 1;
    }
}

static void find_records(struct pieces *pieces, const struct damage_file *file)
{
    struct log_header header;
    struct log_record record;
    size_t at = LOG_HEADER_BYTES;
    assert_true(status_is_ok(log_header_decode(&header, file->bytes, file->size, file->path)));
    *pieces = (struct pieces){.at = {at}};
    while (file->size - at >= LOG_RECORD_HEADER_BYTES &&
           log_record_decode(&record, file->bytes + at, header.identity.file_id, at)) {
        assert_true(pieces->count < PIECES_MAX);
        pieces->at[++pieces->count] = at += log_record_bytes(record.payload_bytes);
    }
}

/* Exchange two pieces that follow each other, on a copy of the disk. */
static void exchange_neighbours(const struct damage_base *base, const struct damage_file *file,
                                const struct pieces *pieces, size_t first, enum place place)
{
    const size_t *at = &pieces->at[first];
    uint8_t *bytes = malloc(file->size);
    assert_non_null(bytes);
    memcpy(bytes, file->bytes, file->size);
    memcpy(bytes + at[0], file->bytes + at[1], at[2] - at[1]);
    memcpy(bytes + at[0] + at[2] - at[1], file->bytes + at[0], at[1] - at[0]);
    struct io_mem *mem = disk_with(base, file, bytes, file->size);
    char what[160];
    snprintf(what, sizeof what, "%s: pieces %zu and %zu of %s exchanged", base->shape.name, first, first + 1,
             file->name);
    if (!judge(base, mem, what, "", place))
        fail_msg("%s: nothing finds it", what);
    io_mem_free(mem);
    free(bytes);
}

static void exchange_blocks(const struct damage_base *base, const struct damage_files *files)
{
    size_t exchanged = 0;
    for (size_t i = 0; i < files->count; i++) {
        struct pieces pieces;
        if (!is_named(&files->files[i], ".seg"))
            continue;
        find_blocks(&pieces, &files->files[i]);
        for (size_t first = 0; first + 1 < pieces.count; first++, exchanged++)
            exchange_neighbours(base, &files->files[i], &pieces, first, IN_SEGMENTS);
    }
    assert_true(exchanged > 0);
}

static void exchange_records(const struct damage_base *base, const struct damage_files *files)
{
    size_t exchanged = 0;
    for (size_t i = 0; i < files->count; i++) {
        struct pieces pieces;
        if (!is_named(&files->files[i], ".log") || is_harmless_to_lose(base, &files->files[i]))
            continue;
        find_records(&pieces, &files->files[i]);
        for (size_t first = 0; first + 1 < pieces.count; first++, exchanged++)
            exchange_neighbours(base, &files->files[i], &pieces, first,
                                first + 2 == pieces.count ? AT_THE_END : ELSEWHERE);
    }
    assert_true(exchanged > 0);
}

/* A block that verifies would be served for the keys of another. */
static void damage_exchanged_blocks_are_found(void **state)
{
    (void)state;
    for_all_bases(exchange_blocks);
}

/* An older write would overwrite a newer one. */
static void damage_exchanged_records_are_found(void **state)
{
    (void)state;
    for_all_bases(exchange_records);
}

/* ---- Files ---- */

static void exchange_pair(const struct damage_base *base, const struct damage_file *a, const struct damage_file *b)
{
    struct io_mem *mem = disk_with(base, a, b->bytes, b->size);
    damage_put_file(mem, b->path, a->bytes, a->size);
    char what[160];
    snprintf(what, sizeof what, "%s: %s and %s exchanged", base->shape.name, a->name, b->name);
    bool is_found = judge(base, mem, what, "", place_of(a));
    if (!is_found && !(is_harmless_to_lose(base, a) && is_harmless_to_lose(base, b)))
        fail_msg("%s: nothing finds it", what);
    io_mem_free(mem);
}

static void exchange_files(const struct damage_base *base, const struct damage_files *files)
{
    static const char *const kinds[] = {".log", ".seg"};
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        for (size_t i = 0; i < files->count; i++) {
            for (size_t j = i + 1; j < files->count; j++) {
                if (is_named(&files->files[i], kinds[kind]) && is_named(&files->files[j], kinds[kind]))
                    exchange_pair(base, &files->files[i], &files->files[j]);
            }
        }
    }
}

/* A restore that mixed up two names would be served. */
static void damage_exchanged_files_are_found(void **state)
{
    (void)state;
    for_all_bases(exchange_files);
}

static void remove_each(const struct damage_base *base, const struct damage_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct damage_file *file = &files->files[i];
        struct io_mem *mem = disk_with(base, file, NULL, 0);
        char what[160];
        snprintf(what, sizeof what, "%s: %s is missing", base->shape.name, file->name);
        bool is_found = judge(base, mem, what, file->name, place_of(file));
        if (!is_found && !is_harmless_to_lose(base, file))
            fail_msg("%s: nothing finds it", what);
        io_mem_free(mem);
    }
}

/* A missing file would be taken for one that never was. */
static void damage_missing_file_is_refused(void **state)
{
    (void)state;
    for_all_bases(remove_each);
}

static const struct damage_file *find_file(const struct damage_files *files, const char *name)
{
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->files[i].name, name) == 0)
            return &files->files[i];
    }
    return NULL;
}

/* Each file as it was at an earlier moment, alone among its present neighbours. */
static void bring_back_each(const struct damage_base *base, const struct damage_files *files)
{
    size_t tried = 0;
    for (unsigned moment = 0; moment < base->moment_count; moment++) {
        struct damage_files *old_files = damage_files_new(base->moments[moment]);
        for (size_t i = 0; i < files->count; i++) {
            const struct damage_file *file = &files->files[i], *old = find_file(old_files, file->name);
            if (old == NULL || (old->size == file->size && memcmp(old->bytes, file->bytes, old->size) == 0))
                continue;
            struct io_mem *mem = disk_with(base, file, old->bytes, old->size);
            char what[160];
            snprintf(what, sizeof what, "%s: %s as it was at moment %u", base->shape.name, file->name, moment);
            judge(base, mem, what, "", is_named(file, ".log") ? AT_THE_END : place_of(file));
            io_mem_free(mem);
            tried++;
        }
        damage_files_free(old_files);
    }
    assert_true(tried > 5);
}

/* A file restored from yesterday's copy would take acknowledged writes back without a word. */
static void damage_older_copy_of_a_file_is_refused_or_right(void **state)
{
    (void)state;
    for_all_bases(bring_back_each);
}

/* Each file replaced by one of the same name of a database that was made in the same way. */
static void bring_in_each(const struct damage_base *base, const struct damage_files *files)
{
    struct damage_base *other = damage_base_new_seeded(&base->shape, 2);
    struct damage_files *other_files = damage_files_new(other->mem);
    for (size_t i = 0; i < files->count; i++) {
        const struct damage_file *file = &files->files[i], *foreign = find_file(other_files, file->name);
        if (foreign == NULL || is_harmless_to_lose(base, file))
            continue;
        struct io_mem *mem = disk_with(base, file, foreign->bytes, foreign->size);
        char what[160];
        snprintf(what, sizeof what, "%s: %s of another database", base->shape.name, file->name);
        if (!judge(base, mem, what, "", place_of(file)))
            fail_msg("%s: nothing finds it", what);
        io_mem_free(mem);
    }
    damage_files_free(other_files);
    damage_base_free(other);
}

/* A file of another database would be served as this one's. */
static void damage_file_of_another_database_is_found(void **state)
{
    (void)state;
    for_all_bases(bring_in_each);
}

/* The limit of what can be told, pinned: a whole older copy opens, as what it was. */
static void damage_older_copy_of_the_whole_folder_is_the_older_state(void **state)
{
    (void)state;
    struct damage_base *base = damage_base_new(&damage_shapes[1]);
    for (unsigned moment = 0; moment < base->moment_count; moment++) {
        struct oracle_verdict verdict = oracle_judge(base->moments[moment], DAMAGE_FOLDER);
        struct damage_expectation expected = {.may_open = true, .sequence = verdict.sequence};
        assert_int_equal(verdict.rule, 0);
        assert_true(verdict.sequence <= base->last_sequence);
        damage_open_for_writing(base, base->moments[moment], "an older copy of everything", "0", &expected);
    }
    damage_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damage_exchanged_blocks_are_found),
        cmocka_unit_test(damage_exchanged_records_are_found),
        cmocka_unit_test(damage_exchanged_files_are_found),
        cmocka_unit_test(damage_missing_file_is_refused),
        cmocka_unit_test(damage_older_copy_of_a_file_is_refused_or_right),
        cmocka_unit_test(damage_file_of_another_database_is_found),
        cmocka_unit_test(damage_older_copy_of_the_whole_folder_is_the_older_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
