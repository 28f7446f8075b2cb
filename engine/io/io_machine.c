#include "io/io_machine.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

/* A control group's limit in a file: a number, or the word max. */
static bool read_limit(uint64_t *limit, const char *path)
{
    char text[32];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0)
        return false;
    text[size] = '\0';
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text)
        return false;
    *limit = value;
    return true;
}

uint64_t io_machine_memory_bytes(void)
{
    /* Version 2 of control groups, then version 1; inside a container its own group is mounted at the root. */
    static const char *const paths[] = {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    struct sysinfo info;
    uint64_t memory = sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : 0;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        uint64_t limit;
        if (read_limit(&limit, paths[i]) && limit != 0 && (memory == 0 || limit < memory))
            memory = limit;
    }
    return memory;
}
