/* file_name.h -- the names of files in a database folder.
 *
 * Role      The one place where names are made and understood.
 * Format    NUMBER is decimal with at least six digits and no zeros beyond those: 000012.log, 000012.seg, MANIFEST-000003, CURRENT, CURRENT.tmp,
 *           LOCK, RESERVE, the folder lost, and in it NUMBER.log.OFFSET.tail. One number has one name.
 * Threads   Pure functions.
 * Failure   A name or path that does not fit is an error, never cut.
 */
#ifndef KVS_FORMAT_FILE_NAME_H
#define KVS_FORMAT_FILE_NAME_H

#include "base/status.h"
#include "io/io.h"

enum file_type {
    FILE_UNKNOWN, /* not a name that kvstore gives */
    FILE_LOG,
    FILE_SEGMENT,
    FILE_MANIFEST,
    FILE_CURRENT,
    FILE_CURRENT_TEMPORARY,
    FILE_LOCK,
    FILE_RESERVE, /* room for when the disk is full */
    FILE_LOST,    /* the folder of what was set aside */
    FILE_TAIL,    /* in the lost folder: the end of a log that was cut; numbered as the log */
    FILE_TYPE_COUNT
};

/* A folder with a number above this is refused by who would go on from there: it is not ours, and numbers must not come round. */
#define FILE_NUMBER_MAX (UINT64_C(1) << 62)

/* Room for every name, terminator included. */
enum { FILE_NAME_BYTES = 64 };

/* What a type is called in messages, as in "log". */
const char *file_type_name(enum file_type type);

/* Write the name of a file. number is ignored for types without one. Not for FILE_UNKNOWN and FILE_TAIL. */
void file_name_print(char name[FILE_NAME_BYTES], enum file_type type, uint64_t number);

/* Understand a name (no folder). number: out, 0 for types without one. Returns FILE_UNKNOWN for anything not printed by this file, with
 * *number untouched. */
enum file_type file_name_parse(uint64_t *number, const char *name);

/* UNSUPPORTED if largest, the greatest number of a file in folder, is above FILE_NUMBER_MAX. */
KVS_MUST_USE struct kvs_status file_name_check_number(uint64_t largest, const char *folder);

/* Write folder + "/" + name of the file. path: out, IO_PATH_BYTES, untouched on failure.
 *
 * Errors: INVALID (an empty folder), TOO_LARGE. */
KVS_MUST_USE struct kvs_status file_name_path(char path[IO_PATH_BYTES], const char *folder, enum file_type type,
                                              uint64_t number);

/* Write the path of the folder that holds a folder, whose name is made durable there. Errors: as file_name_path. */
KVS_MUST_USE struct kvs_status file_name_parent_path(char path[IO_PATH_BYTES], const char *folder);

/* Write the path of a tail of log number that was cut at offset. Errors: as file_name_path. */
KVS_MUST_USE struct kvs_status file_name_tail_path(char path[IO_PATH_BYTES], const char *folder, uint64_t number,
                                                   uint64_t offset);

#endif
