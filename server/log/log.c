#include "log/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 1024 };

/* The time and the level; returns their length. */
static size_t put_head(char *line, size_t capacity, enum kvs_log_level level)
{
    static const char *const LEVELS[] = {
        [KVS_LOG_INFO] = "info", [KVS_LOG_WARNING] = "warning", [KVS_LOG_ERROR] = "error"};
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t size = strftime(line, capacity, "%Y-%m-%dT%H:%M:%S", &parts);
    return size + (size_t)snprintf(line + size, capacity - size, ".%03ldZ %s: ", now.tv_nsec / 1000000, LEVELS[level]);
}

void log_line(enum kvs_log_level level, const char *format, ...)
{
    char line[LINE_BYTES];
    size_t head = put_head(line, sizeof line, level);
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line + head, sizeof line - head, format, arguments);
    va_end(arguments);
    size_t length = head + (size_t)(size < 0 ? 0 : size);
    if (length > sizeof line - 1)
        length = sizeof line - 1;
    line[length] = '\n';
    /* A log that cannot be written has nowhere to say so. */
    ssize_t written = write(STDERR_FILENO, line, length + 1);
    (void)written;
}

void log_engine_line(void *context, enum kvs_log_level level, const char *line)
{
    (void)context;
    log_line(level, "%s", line);
}
