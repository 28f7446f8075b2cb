/* small_test.c -- every byte of small databases flipped, every file cut at every length, sectors and pages zeroed, bytes appended.
 *
 * After each, the database is opened and read whole. The replay rules, written once more in oracle.c, say whether it must be refused and else which state must be
 * read; beside them stands a bound that needs no rules: at most the last commit of a killed database may be missing. */
#include "damage.h"
#include "oracle.h"

#include "format/file_name.h"

/* KVS_DAMAGE_STRIDE  every so many bytes of what holds data; a database in sanitizers is slow */
#ifndef KVS_DAMAGE_STRIDE
#define KVS_DAMAGE_STRIDE 1
#endif

enum {
    ZEROS_STRIDE = 4099,  /* in preallocated space, where nothing was ever written */
    WRITING_STRIDE = 241, /* which damages are opened for writing as well: that starts threads */
    SECTOR_BYTES = 512,
    PAGE_BYTES = 4096,
};

/* What came of the damages of one base. */
struct tally {
    uint64_t refused, missed, found_by_verify, noted, harmless, last_commit;
};

/* One damage, already done to the disk. */
struct damage {
    const struct damage_base *base;
    const struct damage_file *file;
    size_t at;
    const char *kind;
    uint64_t number;
};

static enum file_type type_of(const struct damage_file *file)
{
    uint64_t number;
    return file_name_parse(&number, file->name);
}

/* Why a damage that verification does not see cannot be one that anybody could see. NULL: it ought to have been seen. */
static const char *harmless_because(const struct damage *damage)
{
    uint64_t number = 0, end;
    switch (file_name_parse(&number, damage->file->name)) {
    case FILE_LOCK:
        return "the contents of LOCK are never read";
    case FILE_LOG:
        end = oracle_listed_end(damage->base->mem, DAMAGE_FOLDER, number);
        return end == 0            ? "a log that is not listed holds nothing"
               : damage->at >= end ? "what lies beyond the listed end of a log does not exist"
                                   : NULL;
    case FILE_MANIFEST:
        return damage->at + 8 >= damage->file->data_bytes ? "what follows the last edit of a manifest is no edit"
                                                          : NULL;
    default:
        return NULL;
    }
}

static struct damage_expectation expect_by_rules(const struct damage *damage, struct oracle_verdict verdict)
{
    const struct damage_base *base = damage->base;
    bool must_refuse = verdict.rule != 0;
    if (type_of(damage->file) == FILE_SEGMENT)
        return (struct damage_expectation){true, true, base->last_sequence, true};
    if (!must_refuse && verdict.sequence < base->last_sequence &&
        (base->shape.ending == DAMAGE_CLOSED || verdict.sequence < base->before_last))
        fail_msg("%s %s at %zu of %s: the rules would lose changes after %llu of %llu without a word", base->shape.name,
                 damage->kind, damage->at, damage->file->name, (unsigned long long)verdict.sequence,
                 (unsigned long long)base->last_sequence);
    return (struct damage_expectation){must_refuse, !must_refuse, verdict.sequence, false};
}

/* Open, read, verify; then count what it came to. */
static void judge(struct tally *tally, const struct damage *damage)
{
    const struct damage_base *base = damage->base;
    char what[160];
    snprintf(what, sizeof what, "%s: %s at %zu of %s", base->shape.name, damage->kind, damage->at, damage->file->name);
    struct oracle_verdict verdict = oracle_judge(base->mem, DAMAGE_FOLDER);
    struct damage_expectation expected = expect_by_rules(damage, verdict);
    const char *named = type_of(damage->file) == FILE_MANIFEST && verdict.rule > 0 ? ".log" : damage->file->name;
    struct damage_outcome outcome = damage_open_and_read(base, base->mem, what, named, &expected);
    bool is_shorter = outcome.opened && expected.sequence < base->last_sequence;
    tally->refused += !outcome.opened;
    tally->missed += outcome.missed;
    tally->found_by_verify += outcome.opened && !outcome.missed && outcome.is_found;
    tally->last_commit += is_shorter;
    if (!outcome.is_found && outcome.is_noted) {
        tally->noted += !is_shorter;
    } else if (!outcome.is_found && !is_shorter) {
        if (harmless_because(damage) == NULL)
            fail_msg("%s: verify does not find it", what);
        tally->harmless++;
    }
    if (damage->number % WRITING_STRIDE == 0)
        damage_open_for_writing(base, base->mem, what, named, &expected);
}

static void print_tally(const struct damage_base *base, const char *kind, const struct tally *tally)
{
    print_message(
        "%-27s %-9s: refused %llu, read errors %llu, found by verify alone %llu, noted as a torn tail %llu, harmless "
        "%llu, last commit taken for torn %llu\n",
        base->shape.name, kind, (unsigned long long)tally->refused, (unsigned long long)tally->missed,
        (unsigned long long)tally->found_by_verify, (unsigned long long)tally->noted,
        (unsigned long long)tally->harmless, (unsigned long long)tally->last_commit);
}

/* ---- The damages ---- */

static void write_over(const struct damage_base *base, const struct damage_file *file, const void *bytes, size_t size,
                       size_t at)
{
    assert_true(io_mem_damage(base->mem, file->path, bytes, size, at));
}

static void flip_all(struct tally *tally, const struct damage_base *base, const struct damage_file *file)
{
    struct damage damage = {.base = base, .file = file, .kind = "a flipped bit"};
    size_t dense_end = file->data_bytes + 64;
    for (size_t at = 0; at < file->size; at += at < dense_end ? KVS_DAMAGE_STRIDE : ZEROS_STRIDE) {
        uint8_t flipped = file->bytes[at] ^ (uint8_t)(1 << damage.number % 8);
        damage.at = at;
        damage.number++;
        write_over(base, file, &flipped, 1, at);
        judge(tally, &damage);
        write_over(base, file, file->bytes + at, 1, at);
    }
}

static void cut_all(struct tally *tally, const struct damage_base *base, const struct damage_file *file)
{
    struct damage damage = {.base = base, .file = file, .kind = "cut"};
    size_t dense_end = file->data_bytes + 64;
    for (size_t at = 0; at < file->size; at += at < dense_end ? KVS_DAMAGE_STRIDE : ZEROS_STRIDE) {
        damage.at = at;
        damage.number++;
        assert_true(io_mem_resize(base->mem, file->path, at));
        judge(tally, &damage);
        assert_true(io_mem_resize(base->mem, file->path, file->size));
        write_over(base, file, file->bytes + at, file->size - at, at);
    }
}

static void zero_all(struct tally *tally, const struct damage_base *base, const struct damage_file *file, size_t unit)
{
    static const uint8_t zeros[PAGE_BYTES];
    struct damage damage = {.base = base, .file = file, .kind = unit == PAGE_BYTES ? "a zero page" : "a zero sector"};
    for (size_t at = 0; at < file->data_bytes; at += unit) {
        size_t size = file->size - at < unit ? file->size - at : unit;
        damage.at = at;
        damage.number = 0;
        write_over(base, file, zeros, size, at);
        judge(tally, &damage);
        write_over(base, file, file->bytes + at, size, at);
    }
}

static void append_all(struct tally *tally, const struct damage_base *base, const struct damage_file *file)
{
    struct damage damage = {.base = base, .file = file, .at = file->size, .kind = "garbage appended"};
    for (size_t size = 1; size <= 1000; size *= 10) {
        uint8_t garbage[1000];
        memset(garbage, 0xA5, sizeof garbage);
        assert_true(io_mem_resize(base->mem, file->path, file->size + size));
        write_over(base, file, garbage, size, file->size);
        damage.number = 0;
        judge(tally, &damage);
        assert_true(io_mem_resize(base->mem, file->path, file->size));
    }
}

/* ---- The tests ---- */

typedef void damage_file_in_all_places(struct tally *tally, const struct damage_base *base,
                                       const struct damage_file *file);

static void damage_all_bases(const char *kind, damage_file_in_all_places *damage_file)
{
    for (size_t i = 0; i < damage_shape_count; i++) {
        struct damage_base *base = damage_base_new(&damage_shapes[i]);
        struct damage_files *files = damage_files_new(base->mem);
        struct tally tally = {0};
        for (size_t j = 0; j < files->count; j++)
            damage_file(&tally, base, &files->files[j]);
        print_tally(base, kind, &tally);
        damage_files_free(files);
        damage_base_free(base);
    }
}

/* A user would read a wrong value, or lose one that was acknowledged, and not be told. */
static void damage_any_flipped_byte_is_refused_or_right(void **state)
{
    (void)state;
    damage_all_bases("flipped", flip_all);
}

/* A file that a copy or a full disk cut short would be taken for a whole one. */
static void damage_any_truncation_is_refused_or_right(void **state)
{
    (void)state;
    damage_all_bases("cut", cut_all);
}

static void zero_sectors_and_pages(struct tally *tally, const struct damage_base *base, const struct damage_file *file)
{
    zero_all(tally, base, file, SECTOR_BYTES);
    zero_all(tally, base, file, PAGE_BYTES);
}

/* A sector or page that the device lost would be taken for the end of a log. */
static void damage_any_zeroed_sector_or_page_is_refused_or_right(void **state)
{
    (void)state;
    damage_all_bases("zeroed", zero_sectors_and_pages);
}

/* What another program appended would be taken for data. */
static void damage_appended_garbage_is_refused_or_harmless(void **state)
{
    (void)state;
    damage_all_bases("appended", append_all);
}

/* Without damage nothing is refused, and nothing is missing: the judge itself is sound. */
static void damage_none_is_read_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < damage_shape_count; i++) {
        struct damage_base *base = damage_base_new(&damage_shapes[i]);
        struct damage_expectation expected = {.may_open = true, .sequence = base->last_sequence};
        struct oracle_verdict verdict = oracle_judge(base->mem, DAMAGE_FOLDER);
        assert_int_equal(verdict.rule, 0);
        assert_int_equal(verdict.sequence, base->last_sequence);
        struct damage_outcome outcome = damage_open_and_read(base, base->mem, base->shape.name, "", &expected);
        assert_false(outcome.is_found);
        damage_open_for_writing(base, base->mem, base->shape.name, "", &expected);
        damage_base_free(base);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damage_none_is_read_whole),
        cmocka_unit_test(damage_any_flipped_byte_is_refused_or_right),
        cmocka_unit_test(damage_any_truncation_is_refused_or_right),
        cmocka_unit_test(damage_any_zeroed_sector_or_page_is_refused_or_right),
        cmocka_unit_test(damage_appended_garbage_is_refused_or_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
