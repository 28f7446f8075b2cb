/* log.h -- the server's log: lines on stderr, each with the time, a level and a sentence.
 *
 * Threads   Any; a line is one write.
 */
#ifndef KVS_LOG_LOG_H
#define KVS_LOG_LOG_H

#include <kvstore.h>

/* One line, printf style, without its end; cut at about 1,000 bytes. */
__attribute__((format(printf, 2, 3))) void log_line(enum kvs_log_level level, const char *format, ...);

/* As the engine's log callback; context is not used. */
void log_engine_line(void *context, enum kvs_log_level level, const char *line);

#endif
