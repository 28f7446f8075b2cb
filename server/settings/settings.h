/* settings.h -- the options of the server: declared once, parsed and explained from that table.
 *
 * Role      SETTINGS_TABLE yields the fields of struct settings, the parser and the text of --help with every default.
 * Threads   Plain data; read-only once parsed.
 * Failure   A bad flag or value is one line on stderr; nothing is partly set in a way that matters, for the caller then ends.
 */
#ifndef KVS_SETTINGS_SETTINGS_H
#define KVS_SETTINGS_SETTINGS_H

#include <kvstore.h>

#define SETTINGS_KIB UINT64_C(1024)
#define SETTINGS_MIB (SETTINGS_KIB * 1024)
#define SETTINGS_GIB (SETTINGS_MIB * 1024)

/* X(field, name, argument, kind, default, least, most, help)
 *
 * kind     TEXT    const char *
 *          NUMBER  uint64_t, within least..most
 *          SIZE    uint64_t of bytes, written with an optional K, M, G or T; within least..most
 *          SYNC    always, os or interval:MS, into sync_mode and sync_interval_ms
 *          PACKING none, zstd or zstd:LEVEL, into compression and compression_level
 * default  as it would be typed; "auto" is worked out on the machine */
#define SETTINGS_TABLE(X)                                                                                              \
    X(dir, "dir", "DIR", TEXT, "./data", 0, 0, "folder of the database; made if missing")                              \
    X(port, "port", "PORT", NUMBER, "12345", 0, 65535, "TCP port; 0 picks a free one and prints it")                   \
    X(bind, "bind", "ADDRESS", TEXT, "127.0.0.1", 0, 0, "address to listen on; 0.0.0.0 is every network")              \
    X(threads, "threads", "N", NUMBER, "auto", 1, 256, "event loop threads; auto is one per core")                     \
    X(pool_threads, "pool-threads", "N", NUMBER, "4", 1, 256, "threads for reads that must go to the disk, and scans") \
    X(sync, "sync", "MODE", SYNC, "always", 1, 60000,                                                                  \
      "what OK means: always (on the disk), interval:MS (in the kernel, on the disk within two intervals) or os (in "  \
      "the kernel)")                                                                                                   \
    X(memory, "memory", "SIZE", SIZE, "auto", SETTINGS_MIB, UINT64_MAX,                                                \
      "memory of the engine; auto is a quarter of the machine's or cgroup's, at most 1G")                              \
    X(compression, "compression", "CODEC", PACKING, "zstd:1", 1, 19, "of segment files: none, zstd or zstd:LEVEL")     \
    X(max_clients, "maxclients", "N", NUMBER, "10000", 1, 1000000,                                                     \
      "connections at a time; more are told so and closed")                                                            \
    X(max_request, "max-request", "SIZE", SIZE, "64M", 64 * SETTINGS_KIB, SETTINGS_GIB,                                \
      "longest request; a longer one is an error and closes the connection")                                           \
    X(max_output, "max-output", "SIZE", SIZE, "64M", 64 * SETTINGS_KIB, SETTINGS_GIB,                                  \
      "replies that may wait for one client; one that does not read them is dropped")                                  \
    X(max_buffers, "max-buffers", "SIZE", SIZE, "1G", SETTINGS_MIB, UINT64_MAX,                                        \
      "requests and replies in memory, of all connections; who would go over it is dropped")                           \
    X(request_timeout, "request-timeout", "SECONDS", NUMBER, "300", 0, 86400,                                          \
      "for the rest of a request that has begun, and for a client to take any of its replies; 0 is for ever")          \
    X(idle_timeout, "idle-timeout", "SECONDS", NUMBER, "0", 0, 31536000,                                               \
      "without any request, until a connection is closed; 0 is for ever")

struct settings {
#define SETTINGS_FIELD_TEXT(field) const char *field;
#define SETTINGS_FIELD_NUMBER(field) uint64_t field;
#define SETTINGS_FIELD_SIZE(field) uint64_t field;
#define SETTINGS_FIELD_SYNC(field) const char *field;
#define SETTINGS_FIELD_PACKING(field) const char *field;
#define SETTINGS_FIELD(field, name, argument, kind, value, least, most, help) SETTINGS_FIELD_##kind(field)
    SETTINGS_TABLE(SETTINGS_FIELD)
#undef SETTINGS_FIELD
    enum kvs_sync_mode sync_mode;
    uint64_t sync_interval_ms;
    enum kvs_compression compression_codec;
    uint64_t compression_level;
};

/* What the caller of settings_parse does next. */
enum settings_next { SETTINGS_RUN, SETTINGS_EXIT_OK, SETTINGS_EXIT_USAGE };

/* Set every option to its default, then to what the arguments say. --help and --version print to stdout and give EXIT_OK; a mistake prints
 * one line to stderr and gives EXIT_USAGE. Texts borrow argv. */
enum settings_next settings_parse(struct settings *settings, int argc, char **argv);

/* The options with which the server opens its database: as the settings say, owned by "kvstore-server". */
void settings_engine_options(const struct settings *settings, struct kvs_options *options);

/* The value of an option as text, as CONFIG GET and INFO show it. Returns false where there is no option of this name (case is ignored). */
bool settings_value_text(const struct settings *settings, char *text, size_t capacity, const char *name);

/* The name of option number index, NULL past the last. */
const char *settings_name(size_t index);

#endif
