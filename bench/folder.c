#include "bench/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { WALK_FILES = 16, DISK_BLOCK_BYTES = 512, XFS_MAGIC = 0x58465342, ZFS_MAGIC = 0x2FC12FC1 };

bool folder_make(char *path, const char *parent)
{
    if (mkdir(parent, 0700) != 0 && errno != EEXIST) {
        fprintf(stderr, "bench: cannot make %s: %s\n", parent, strerror(errno));
        return false;
    }
    if (snprintf(path, FOLDER_PATH_BYTES, "%s/kvstore-bench-XXXXXX", parent) >= FOLDER_PATH_BYTES) {
        fprintf(stderr, "bench: the name of the folder is too long\n");
        return false;
    }
    if (mkdtemp(path) == NULL) {
        fprintf(stderr, "bench: cannot make a folder in %s: %s\n", parent, strerror(errno));
        return false;
    }
    return true;
}

static int remove_visit(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

bool folder_remove(const char *path)
{
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return true;
    if (nftw(path, remove_visit, WALK_FILES, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0)
        return true;
    fprintf(stderr, "bench: cannot remove %s: %s\n", path, strerror(errno));
    return false;
}

/* nftw hands its visitor no context. One thread of a run asks. */
static double visited_bytes;

static int size_visit(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)path;
    (void)walk;
    if (kind == FTW_F)
        visited_bytes += (double)stat->st_blocks * DISK_BLOCK_BYTES;
    return 0;
}

double folder_disk_bytes(const char *path)
{
    visited_bytes = 0;
    return nftw(path, size_visit, WALK_FILES, FTW_PHYS) == 0 ? visited_bytes : (double)NAN;
}

void folder_sync(const char *path)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return;
    if (syncfs(folder) != 0)
        fprintf(stderr, "bench: cannot sync the file system of %s: %s\n", path, strerror(errno));
    close(folder);
}

const char *folder_file_system(const char *path)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } kinds[] = {
        {EXT4_SUPER_MAGIC, "ext4"},
        {XFS_MAGIC, "xfs"},
        {BTRFS_SUPER_MAGIC, "btrfs"},
        {OVERLAYFS_SUPER_MAGIC, "overlay"},
        {F2FS_SUPER_MAGIC, "f2fs"},
        {ZFS_MAGIC, "zfs"},
        {NFS_SUPER_MAGIC, "nfs"},
        {RAMFS_MAGIC, "ramfs (no disk at all)"},
        {TMPFS_MAGIC, "tmpfs (no disk: syncs are free)"},
    };
    struct statfs stat;
    if (statfs(path, &stat) != 0)
        return "unknown";
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if ((unsigned long)stat.f_type == kinds[i].magic)
            return kinds[i].name;
    }
    return "another";
}
