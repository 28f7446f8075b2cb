#include "format/file_header.h"

#include "base/assert.h"
#include "base/coding.h"
#include "format/checksum.h"

#include <inttypes.h>
#include <string.h>

enum {
    MAGIC_BYTES = 8,
    AT_VERSION = 8,
    AT_HEADER_BYTES = 12,
    AT_UUID = 16,
    AT_FILE_ID = 32,
    AT_NUMBER = 40,
    AT_MUST = 48,
    AT_MAY = 52,
    AT_CHECKSUM = 56,
};

_Static_assert(AT_UUID + FILE_UUID_BYTES == AT_FILE_ID, "fields are adjacent");
_Static_assert(AT_CHECKSUM + sizeof(uint64_t) == FILE_HEADER_BYTES, "the checksum ends the header");

/* The line ends show a transfer that changed them. */
static const char magics[FILE_TYPE_COUNT][MAGIC_BYTES + 1] = {
    [FILE_LOG] = "KVSLOG\r\n",
    [FILE_MANIFEST] = "KVSMAN\r\n",
    [FILE_SEGMENT] = "KVSSEG\r\n",
    [FILE_CURRENT] = "KVSCUR\r\n",
};

static enum file_type type_of_magic(const uint8_t *bytes)
{
    for (enum file_type type = FILE_UNKNOWN; type < FILE_TYPE_COUNT; type++) {
        if (magics[type][0] != '\0' && memcmp(bytes, magics[type], MAGIC_BYTES) == 0)
            return type;
    }
    return FILE_UNKNOWN;
}

void file_header_encode(uint8_t out[FILE_HEADER_BYTES], const struct file_header *header)
{
    KVS_ASSERT((unsigned)header->type < FILE_TYPE_COUNT && magics[header->type][0] != '\0');
    memcpy(out, magics[header->type], MAGIC_BYTES);
    coding_put_u32(out + AT_VERSION, FILE_FORMAT_VERSION);
    coding_put_u32(out + AT_HEADER_BYTES, FILE_HEADER_BYTES);
    memcpy(out + AT_UUID, header->uuid, FILE_UUID_BYTES);
    coding_put_u64(out + AT_FILE_ID, header->file_id);
    coding_put_u64(out + AT_NUMBER, header->number);
    coding_put_u32(out + AT_MUST, header->must);
    coding_put_u32(out + AT_MAY, header->may);
    coding_put_u64(out + AT_CHECKSUM, checksum_of(out, AT_CHECKSUM, header->file_id, 0));
}

/* The bytes are those of a header of this type, as they were written. */
static struct kvs_status check_bytes(const uint8_t *bytes, size_t size, enum file_type type, const char *path)
{
    if (size < FILE_HEADER_BYTES)
        return STATUS(KVS_CORRUPT, "%s: offset 0: expected the %d-byte header of a %s, found %zu bytes", path,
                      FILE_HEADER_BYTES, file_type_name(type), size);
    enum file_type found = type_of_magic(bytes);
    if (found == FILE_UNKNOWN)
        return STATUS(KVS_CORRUPT,
                      "%s: offset 0: expected the magic of a %s, found none of kvstore's (0x%016" PRIx64 ")", path,
                      file_type_name(type), coding_get_u64(bytes));
    if (found != type)
        return STATUS(KVS_CORRUPT, "%s: offset 0: expected a %s, found a %s", path, file_type_name(type),
                      file_type_name(found));
    uint64_t checksum = checksum_of(bytes, AT_CHECKSUM, coding_get_u64(bytes + AT_FILE_ID), 0);
    if (coding_get_u64(bytes + AT_CHECKSUM) != checksum)
        return STATUS(KVS_CORRUPT, "%s: offset 0: header checksum: expected 0x%016" PRIx64 ", found 0x%016" PRIx64,
                      path, checksum, coding_get_u64(bytes + AT_CHECKSUM));
    return status_ok();
}

/* A verified header is one that this version can read. */
static struct kvs_status check_version(const uint8_t *bytes, const char *path)
{
    uint32_t version = coding_get_u32(bytes + AT_VERSION);
    if (version != FILE_FORMAT_VERSION)
        return STATUS(KVS_UNSUPPORTED, "%s: has format version %" PRIu32 "; this kvstore reads version %d", path,
                      version, FILE_FORMAT_VERSION);
    uint32_t unknown = coding_get_u32(bytes + AT_MUST) & ~(uint32_t)FILE_MUST_FEATURES_KNOWN;
    if (unknown != 0)
        return STATUS(KVS_UNSUPPORTED, "%s: needs features that this kvstore does not have (bits 0x%08" PRIx32 ")",
                      path, unknown);
    uint32_t header_bytes = coding_get_u32(bytes + AT_HEADER_BYTES);
    if (header_bytes != FILE_HEADER_BYTES)
        return STATUS(KVS_CORRUPT, "%s: offset %d: header size: expected %d, found %" PRIu32, path, AT_HEADER_BYTES,
                      FILE_HEADER_BYTES, header_bytes);
    return status_ok();
}

struct kvs_status file_header_decode(struct file_header *header, const void *bytes, size_t size, enum file_type type,
                                     const char *path)
{
    const uint8_t *at = bytes;
    STATUS_RETURN_IF_ERROR(check_bytes(at, size, type, path));
    STATUS_RETURN_IF_ERROR(check_version(at, path));
    header->type = type;
    memcpy(header->uuid, at + AT_UUID, FILE_UUID_BYTES);
    header->file_id = coding_get_u64(at + AT_FILE_ID);
    header->number = coding_get_u64(at + AT_NUMBER);
    header->must = coding_get_u32(at + AT_MUST);
    header->may = coding_get_u32(at + AT_MAY);
    return status_ok();
}

struct kvs_status file_header_expect(const struct file_header *header, const uint8_t uuid[FILE_UUID_BYTES],
                                     uint64_t number, const char *path)
{
    if (memcmp(header->uuid, uuid, FILE_UUID_BYTES) != 0)
        return STATUS(KVS_CORRUPT,
                      "%s: offset %d: belongs to another database: expected uuid %016" PRIx64 "%016" PRIx64
                      ", found %016" PRIx64 "%016" PRIx64,
                      path, AT_UUID, __builtin_bswap64(coding_get_u64(uuid)),
                      __builtin_bswap64(coding_get_u64(uuid + 8)), __builtin_bswap64(coding_get_u64(header->uuid)),
                      __builtin_bswap64(coding_get_u64(header->uuid + 8)));
    if (header->number != number)
        return STATUS(KVS_CORRUPT, "%s: offset %d: file number: expected %" PRIu64 ", found %" PRIu64, path, AT_NUMBER,
                      number, header->number);
    return status_ok();
}
