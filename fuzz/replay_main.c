/* replay_main.c -- runs a fuzz target over files instead of random input.
 *
 * Role      Links with any target where libFuzzer is not in use, so that each committed corpus is a test under every
 *           compiler and sanitizer. Each argument is a file, or a folder whose files are run in name order.
 * Threads   One.
 * Failure   Exits with 1 where an argument cannot be read or no file was found; what the target finds, it aborts on.
 */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A corpus file is small by nature; one above this is a mistake in the corpus. */
enum { INPUT_MAX_BYTES = 64 << 20 };

static bool complain(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s\n", path, what);
    return false;
}

/* Reads all of `path` into a block of exactly its size, so that a sanitizer sees the first byte past the end. */
static bool read_input(const char *path, uint8_t **data, size_t *size)
{
    bool ok = false;
    uint8_t *bytes = NULL;
    struct stat st;
    FILE *file = fopen(path, "rb");

    if (file == NULL || fstat(fileno(file), &st) != 0) {
        complain(path, strerror(errno));
        goto out;
    }
    if (st.st_size > INPUT_MAX_BYTES) {
        complain(path, "too large for a corpus");
        goto out;
    }
    /* A size of 0 asks for one byte, because malloc(0) may be NULL. */
    bytes = malloc(st.st_size > 0 ? (size_t)st.st_size : 1);
    if (bytes == NULL || fread(bytes, 1, (size_t)st.st_size, file) != (size_t)st.st_size) {
        complain(path, "cannot be read whole");
        goto out;
    }
    *data = bytes;
    *size = (size_t)st.st_size;
    bytes = NULL;
    ok = true;
out:
    free(bytes);
    if (file != NULL) {
        fclose(file);
    }
    return ok;
}

static bool run_file(const char *path, size_t *files_run)
{
    uint8_t *data = NULL;
    size_t size = 0;

    if (!read_input(path, &data, &size)) {
        return false;
    }
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    (*files_run)++;
    return true;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool run_folder(const char *path, size_t *files_run)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_visible, alphasort);
    bool ok = true;

    if (count < 0) {
        return complain(path, strerror(errno));
    }
    for (int i = 0; i < count; i++) {
        char file[PATH_MAX];
        int length = snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);

        if (length < 0 || (size_t)length >= sizeof(file)) {
            ok = complain(path, "name too long");
        } else if (!run_file(file, files_run)) {
            ok = false;
        }
        free(entries[i]);
    }
    free(entries);
    return ok;
}

int main(int argc, char **argv)
{
    size_t files_run = 0;
    bool ok = true;

    for (int i = 1; i < argc; i++) {
        struct stat st;

        if (stat(argv[i], &st) != 0) {
            ok = complain(argv[i], strerror(errno));
        } else if (S_ISDIR(st.st_mode) ? !run_folder(argv[i], &files_run) : !run_file(argv[i], &files_run)) {
            ok = false;
        }
    }
    printf("%zu inputs run\n", files_run);
    return ok && files_run > 0 ? 0 : 1;
}
