/* format_file_test.c -- names of files, and the identity that each begins with. */

#include "format_golden.h"

#include "base/coding.h"
#include "base/status.h"
#include "format/checksum.h"
#include "format/file_header.h"
#include "format/file_name.h"

#include <string.h>

struct name_case {
    const char *name;
    enum file_type type;
    uint64_t number;
};

static const struct name_case names[] = {
    {"000012.log", FILE_LOG, 12},
    {"000000.log", FILE_LOG, 0},
    {"1234567.log", FILE_LOG, 1234567},
    {"18446744073709551615.log", FILE_LOG, UINT64_MAX},
    {"000012.seg", FILE_SEGMENT, 12},
    {"MANIFEST-000003", FILE_MANIFEST, 3},
    {"CURRENT", FILE_CURRENT, 0},
    {"CURRENT.tmp", FILE_CURRENT_TEMPORARY, 0},
    {"LOCK", FILE_LOCK, 0},
    {"RESERVE", FILE_RESERVE, 0},
    {"lost", FILE_LOST, 0},
};

/* A file whose name is not understood again is never replayed and never deleted. */
static void format_file_name_printed_is_parsed_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char name[FILE_NAME_BYTES];
        uint64_t number = 99;
        file_name_print(name, names[i].type, names[i].number);
        assert_string_equal(name, names[i].name);
        assert_int_equal(file_name_parse(&number, name), names[i].type);
        assert_true(number == names[i].number);
    }
}

/* Somebody's own file in the folder must not be taken for one of ours and unlinked. */
static void format_file_name_foreign_is_unknown(void **state)
{
    (void)state;
    static const char *const foreign[] = {"",
                                          "12.log",
                                          "0000012.log",
                                          "000012.LOG",
                                          "000012.log~",
                                          " 000012.log",
                                          "000012.logx",
                                          "00001a.log",
                                          "-00012.log",
                                          "+00012.log",
                                          "000012",
                                          "MANIFEST-3",
                                          "MANIFEST-",
                                          "CURRENT.tmpx",
                                          "current",
                                          "lost.found",
                                          "LOCK2",
                                          "RESERVE.old",
                                          "000012.blob",
                                          "18446744073709551616.log",
                                          "99999999999999999999999.log",
                                          "000012.log.80",
                                          "000012.log.080.tail",
                                          "000012.log.80.tail2",
                                          "12.log.80.tail",
                                          "000012.seg.80.tail"};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        uint64_t number = 99;
        if (file_name_parse(&number, foreign[i]) != FILE_UNKNOWN)
            fail_msg("%s is taken for a file of kvstore", foreign[i]);
        assert_int_equal(number, 99);
    }
}

/* A number that is in use in lost/ must not be given to a new file. */
static void format_file_name_tail_carries_the_number_of_its_log(void **state)
{
    (void)state;
    char path[IO_PATH_BYTES];
    uint64_t number = 0;
    assert_int_equal(file_name_tail_path(path, "/db", 12, 4096).code, KVS_OK);
    assert_string_equal(path, "/db/lost/000012.log.4096.tail");
    assert_int_equal(file_name_parse(&number, strrchr(path, '/') + 1), FILE_TAIL);
    assert_int_equal(number, 12);
}

/* A cut path would name another file. */
static void format_file_name_path_too_long_is_an_error(void **state)
{
    (void)state;
    char folder[IO_PATH_BYTES] = {0};
    char path[IO_PATH_BYTES] = "untouched";
    memset(folder, 'd', IO_PATH_BYTES - 1 - strlen("/000012.log"));
    assert_int_equal(file_name_path(path, folder, FILE_LOG, 12).code, KVS_OK);
    assert_int_equal(strlen(path), IO_PATH_BYTES - 1);

    memcpy(path, "untouched", sizeof "untouched");
    folder[strlen(folder)] = 'd';
    assert_int_equal(file_name_path(path, folder, FILE_LOG, 12).code, KVS_TOO_LARGE);
    assert_int_equal(file_name_path(path, "", FILE_LOG, 12).code, KVS_INVALID);
    assert_string_equal(path, "untouched");
}

static struct file_header sample_header(void)
{
    struct file_header header = {.type = FILE_LOG, .file_id = 0x1122334455667788, .number = 12, .may = 0x80000001};
    for (int i = 0; i < FILE_UUID_BYTES; i++)
        header.uuid[i] = (uint8_t)(0xA0 + i);
    return header;
}

/* The name of a new database is made durable in the folder that holds it: a sync of another one would let a power cut take all of it. */
static void format_file_name_parent_holds_the_folder(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"db", "."},   {"/db", "/"},        {"/", "/"},    {"a/db", "a"}, {"a//db//", "a"}, {"/var/lib/db", "/var/lib"},
        {".", "./.."}, {"a/..", "a/../.."}, {"./db", "."}, {"..db", "."},
    };
    char path[IO_PATH_BYTES], deep[2 * IO_PATH_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(status_is_ok(file_name_parent_path(path, cases[i][0])));
        assert_string_equal(path, cases[i][1]);
    }
    memset(deep, 'a', sizeof deep);
    memcpy(deep + sizeof deep - 3, "/b", 3);
    assert_int_equal(file_name_parent_path(path, deep).code, KVS_TOO_LARGE);
}

/* Databases on disk must stay readable. */
static void format_file_header_golden(void **state)
{
    (void)state;
    uint8_t bytes[FILE_HEADER_BYTES];
    struct file_header header = sample_header();
    file_header_encode(bytes, &header);
    golden_check("format_file_header", bytes, sizeof bytes);
}

static void format_file_header_encoded_is_decoded_back(void **state)
{
    (void)state;
    uint8_t bytes[FILE_HEADER_BYTES];
    struct file_header header = sample_header(), decoded = {0};
    file_header_encode(bytes, &header);
    assert_int_equal(file_header_decode(&decoded, bytes, sizeof bytes, FILE_LOG, "f").code, KVS_OK);
    assert_int_equal(decoded.type, FILE_LOG);
    assert_memory_equal(decoded.uuid, header.uuid, FILE_UUID_BYTES);
    assert_true(decoded.file_id == header.file_id);
    assert_int_equal(decoded.number, header.number);
    assert_int_equal(decoded.must, header.must);
    assert_true(decoded.may == header.may);
    assert_int_equal(file_header_expect(&decoded, header.uuid, 12, "f").code, KVS_OK);
}

/* A damaged header read as valid would mix two databases. */
static void format_file_header_any_flipped_bit_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[FILE_HEADER_BYTES];
    struct file_header header = sample_header(), decoded = {.number = 99};
    for (int bit = 0; bit < FILE_HEADER_BYTES * 8; bit++) {
        file_header_encode(bytes, &header);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(file_header_decode(&decoded, bytes, sizeof bytes, FILE_LOG, "f").code, KVS_CORRUPT);
    }
    for (size_t size = 0; size < FILE_HEADER_BYTES; size++)
        assert_int_equal(file_header_decode(&decoded, bytes, size, FILE_LOG, "f").code, KVS_CORRUPT);
    assert_int_equal(decoded.number, 99);
}

/* A segment renamed to a log is named as what it is. */
static void format_file_header_of_another_type_is_named(void **state)
{
    (void)state;
    uint8_t bytes[FILE_HEADER_BYTES];
    struct file_header header = sample_header(), decoded;
    header.type = FILE_SEGMENT;
    file_header_encode(bytes, &header);
    struct kvs_status status = file_header_decode(&decoded, bytes, sizeof bytes, FILE_LOG, "/db/000012.log");
    assert_int_equal(status.code, KVS_CORRUPT);
    assert_string_equal(status_text(status), "/db/000012.log: offset 0: expected a log, found a segment");
}

/* Changes the header as a later version would have written it. */
static void put_version_and_features(uint8_t bytes[FILE_HEADER_BYTES], uint32_t version, uint32_t must)
{
    struct file_header header = sample_header();
    file_header_encode(bytes, &header);
    coding_put_u32(bytes + 8, version);
    coding_put_u32(bytes + 48, must);
    coding_put_u64(bytes + 56, checksum_of(bytes, 56, header.file_id, 0));
}

/* A database of a newer kvstore is refused with a sentence, not called damaged. */
static void format_file_header_newer_version_is_unsupported(void **state)
{
    (void)state;
    uint8_t bytes[FILE_HEADER_BYTES];
    struct file_header decoded;
    put_version_and_features(bytes, 2, 0);
    struct kvs_status status = file_header_decode(&decoded, bytes, sizeof bytes, FILE_LOG, "000012.log");
    assert_int_equal(status.code, KVS_UNSUPPORTED);
    assert_string_equal(status_text(status), "000012.log: has format version 2; this kvstore reads version 1");

    put_version_and_features(bytes, 1, 4);
    status = file_header_decode(&decoded, bytes, sizeof bytes, FILE_LOG, "000012.log");
    assert_int_equal(status.code, KVS_UNSUPPORTED);
    assert_non_null(strstr(status_text(status), "bits 0x00000004"));
}

/* A file copied from another database, or renamed, is not replayed into this one. */
static void format_file_header_of_another_database_is_refused(void **state)
{
    (void)state;
    struct file_header header = sample_header();
    uint8_t uuid[FILE_UUID_BYTES] = {1};
    assert_int_equal(file_header_expect(&header, uuid, 12, "f").code, KVS_CORRUPT);
    struct kvs_status status = file_header_expect(&header, header.uuid, 13, "f");
    assert_int_equal(status.code, KVS_CORRUPT);
    assert_string_equal(status_text(status), "f: offset 40: file number: expected 13, found 12");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format_file_name_printed_is_parsed_back),
        cmocka_unit_test(format_file_name_foreign_is_unknown),
        cmocka_unit_test(format_file_name_tail_carries_the_number_of_its_log),
        cmocka_unit_test(format_file_name_path_too_long_is_an_error),
        cmocka_unit_test(format_file_name_parent_holds_the_folder),
        cmocka_unit_test(format_file_header_golden),
        cmocka_unit_test(format_file_header_encoded_is_decoded_back),
        cmocka_unit_test(format_file_header_any_flipped_bit_is_refused),
        cmocka_unit_test(format_file_header_of_another_type_is_named),
        cmocka_unit_test(format_file_header_newer_version_is_unsupported),
        cmocka_unit_test(format_file_header_of_another_database_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
