/* folder.h -- the folders in which the engines keep their databases during a benchmark.
 *
 * Role      One folder of its own is made for all runs, below one that the user may choose; nothing outside it is ever removed.
 * Failure   Calls return false after a line on stderr.
 */
#ifndef KVS_BENCH_FOLDER_H
#define KVS_BENCH_FOLDER_H

#include <stdbool.h>

enum { FOLDER_PATH_BYTES = 4096 };

/* Make a new folder below parent, which is made if it is missing. path: out, FOLDER_PATH_BYTES. */
bool folder_make(char *path, const char *parent);

/* Remove a folder and all in it. One that is not there is fine. */
bool folder_remove(const char *path);

/* What the files in a folder take on the disk, bytes; preallocated space counts. NaN where it cannot be told. */
double folder_disk_bytes(const char *path);

/* Bring everything written so far to the file system's disk, so that one run's writeback does not disturb the next. */
void folder_sync(const char *path);

/* The kind of file system a folder lies on, such as "ext4"; never freed. */
const char *folder_file_system(const char *path);

#endif
