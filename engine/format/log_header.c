#include "format/log_header.h"

#include "base/assert.h"
#include "base/coding.h"
#include "format/checksum.h"

#include <inttypes.h>

enum { AT_PREALLOCATED = FILE_HEADER_BYTES, AT_CHECKSUM = FILE_HEADER_BYTES + 8 };

_Static_assert(LOG_HEADER_BYTES % 8 == 0, "records are 8-byte aligned");

static uint64_t extension_checksum(const uint8_t *bytes, uint64_t file_id)
{
    return checksum_of(bytes + AT_PREALLOCATED, AT_CHECKSUM - AT_PREALLOCATED, file_id, AT_PREALLOCATED);
}

void log_header_encode(uint8_t out[LOG_HEADER_BYTES], const struct log_header *header)
{
    KVS_ASSERT(header->identity.type == FILE_LOG);
    file_header_encode(out, &header->identity);
    coding_put_u64(out + AT_PREALLOCATED, header->preallocated_bytes);
    coding_put_u64(out + AT_CHECKSUM, extension_checksum(out, header->identity.file_id));
}

struct kvs_status log_header_decode(struct log_header *header, const void *bytes, size_t size, const char *path)
{
    const uint8_t *at = bytes;
    struct log_header decoded;
    STATUS_RETURN_IF_ERROR(file_header_decode(&decoded.identity, bytes, size, FILE_LOG, path));
    if (size < LOG_HEADER_BYTES)
        return STATUS(KVS_CORRUPT, "%s: offset %d: expected the %d-byte header of a log, found %zu bytes", path,
                      FILE_HEADER_BYTES, LOG_HEADER_BYTES, size);
    uint64_t checksum = extension_checksum(at, decoded.identity.file_id);
    if (coding_get_u64(at + AT_CHECKSUM) != checksum)
        return STATUS(KVS_CORRUPT, "%s: offset %d: log header checksum: expected 0x%016" PRIx64 ", found 0x%016" PRIx64,
                      path, AT_PREALLOCATED, checksum, coding_get_u64(at + AT_CHECKSUM));
    decoded.preallocated_bytes = coding_get_u64(at + AT_PREALLOCATED);
    *header = decoded;
    return status_ok();
}
