/* wal_reader_test.c -- the search for a record header, and for where the zeros begin, in a file that is zeros but for one record. */

#include "wal_support.h"

#include "format/log_record.h"
#include "wal/log_reader.h"

#include <string.h>

enum { FILE_BYTES = 5000, FILE_ID = 77, NUMBER = 3 };

/* A file of zeros with a record at offset; record_bytes: out. */
static struct io_file *make_file(struct wal_disk *disk, size_t *record_bytes, uint64_t offset)
{
    struct io_file *file;
    uint8_t bytes[FILE_BYTES] = {0};
    *record_bytes = wal_put_record(bytes + offset, NUMBER, 2, 9, FILE_ID, offset);
    assert_true(status_is_ok(io_file_open(disk->io, &file, WAL_FOLDER "/x.log", IO_OPEN_CREATE)));
    assert_true(status_is_ok(io_file_write(file, bytes, sizeof bytes, 0)));
    return file;
}

/* Search from first on; returns where a record was found, or 0. */
static uint64_t search_from(struct io_file *file, uint64_t first)
{
    struct log_reader reader;
    struct log_record record;
    uint64_t offset = first;
    bool found = false;
    uint64_t limit = FILE_BYTES;
    assert_true(status_is_ok(log_reader_init(&reader, file, "x.log", FILE_ID, first, limit)));
    assert_true(status_is_ok(log_reader_search(&reader, &found, &record, &offset)));
    log_reader_fini(&reader);
    if (found)
        assert_int_equal(record.number, NUMBER);
    return found ? offset : 0;
}

/* A record that was acknowledged is taken for lost if it lies behind a stretch of zeros, a hole that a power cut has left, and the search passes it over. */
static void wal_search_record_behind_zeros_is_found(void **state)
{
    (void)state;
    for (uint64_t at = 8; at <= 2200; at += 8) {
        struct wal_disk disk;
        size_t record_bytes;
        wal_disk_open(&disk, 1);
        struct io_file *file = make_file(&disk, &record_bytes, at);
        assert_int_equal(search_from(file, 0), at);
        assert_int_equal(search_from(file, at), at);
        assert_int_equal(search_from(file, at - 8), at);
        assert_int_equal(search_from(file, at + 8), 0);
        io_file_close(file);
        wal_disk_close(&disk);
    }
}

/* What is set aside of a torn log would lack its last bytes. */
static void wal_find_zeros_after_record_is_its_end(void **state)
{
    (void)state;
    for (uint64_t at = 8; at <= 2200; at += 8) {
        struct wal_disk disk;
        struct log_reader reader;
        size_t record_bytes;
        uint64_t end;
        uint8_t last;
        wal_disk_open(&disk, 1);
        struct io_file *file = make_file(&disk, &record_bytes, at);
        assert_true(status_is_ok(log_reader_init(&reader, file, "x.log", FILE_ID, 0, FILE_BYTES)));
        assert_true(status_is_ok(log_reader_find_zeros(&reader, &end, 0)));
        assert_in_range(end, at + record_bytes - LOG_RECORD_ALIGNMENT + 1, at + record_bytes);
        size_t read_bytes;
        assert_true(status_is_ok(io_file_read(file, &last, &read_bytes, 1, end - 1)));
        assert_int_not_equal(last, 0);
        log_reader_fini(&reader);
        io_file_close(file);
        wal_disk_close(&disk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wal_search_record_behind_zeros_is_found),
        cmocka_unit_test(wal_find_zeros_after_record_is_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
