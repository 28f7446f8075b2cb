#include "db/options.h"

#include "base/status.h"
#include "io/io_machine.h"

#include <string.h>

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)

/* A numeric option: where it is, and its range. What 0 means is said in kvstore.h. */
struct option_range {
    const char *name;
    uint64_t least, most;
    bool zero_is_default;
};

void kvs_options_default(struct kvs_options *options)
{
    uint64_t quarter = io_machine_memory_bytes() / 4;
    *options = (struct kvs_options){
        .memory_bytes = quarter == 0 || quarter > GIB ? GIB
                        : quarter < MIB               ? MIB
                                                      : quarter,
        .sync_mode = KVS_SYNC_ALWAYS,
        .sync_interval_ms = 1000,
        .create_if_missing = true,
        .compression = KVS_COMPRESSION_ZSTD,
        .compression_level = 1,
        .block_bytes = 4096,
        .segment_bytes = 64 * MIB,
        .level_base_bytes = 256 * MIB,
        .filter_bits_per_key = 10,
    };
}

static struct kvs_status check_range(uint64_t value, const struct option_range *range)
{
    if ((value >= range->least && value <= range->most) || (value == 0 && range->zero_is_default))
        return status_ok();
    return STATUS(KVS_INVALID, "option %s is %llu; it must be from %llu to %llu", range->name,
                  (unsigned long long)value, (unsigned long long)range->least, (unsigned long long)range->most);
}

struct kvs_status options_check(const struct kvs_options *options)
{
    const struct {
        uint64_t value;
        struct option_range range;
    } checks[] = {
        {options->memory_bytes, {"memory_bytes", MIB, UINT64_MAX / 2, false}},
        {(uint64_t)options->sync_mode, {"sync_mode", KVS_SYNC_ALWAYS, KVS_SYNC_OS, false}},
        {options->sync_interval_ms, {"sync_interval_ms", 1, 60000, false}},
        {(uint64_t)options->compression, {"compression", KVS_COMPRESSION_NONE, KVS_COMPRESSION_ZSTD, false}},
        {(uint64_t)options->compression_level, {"compression_level", 1, 19, false}},
        {options->memtable_bytes, {"memtable_bytes", 4 * KIB, GIB, true}},
        {options->block_bytes, {"block_bytes", 256, MIB, false}},
        {options->segment_bytes, {"segment_bytes", 4 * KIB, 4 * GIB, false}},
        {options->level_base_bytes, {"level_base_bytes", 4 * KIB, UINT64_MAX / 16, false}},
        {options->filter_bits_per_key, {"filter_bits_per_key", 0, 30, false}},
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        STATUS_RETURN_IF_ERROR(check_range(checks[i].value, &checks[i].range));
    if (options->owner != NULL && strlen(options->owner) > 31)
        return STATUS(KVS_INVALID, "option owner has more than 31 bytes");
    return status_ok();
}

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

uint64_t options_table_bytes(const struct kvs_options *options)
{
    if (options->memtable_bytes != 0)
        return options->memtable_bytes;
    return clamp(options->memory_bytes / 10, 128 * KIB, 64 * MIB);
}

uint64_t options_piece_bytes(uint64_t table_bytes)
{
    return clamp(table_bytes / 8, 64 * KIB, 8 * MIB);
}

uint64_t options_buffer_bytes(uint64_t table_bytes)
{
    return clamp(table_bytes / 32, 16 * KIB, MIB);
}
