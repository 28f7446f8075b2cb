/* manifest_current.h -- inside the room: the bytes of CURRENT. See manifest.h. */
#ifndef KVS_VERSION_MANIFEST_CURRENT_H
#define KVS_VERSION_MANIFEST_CURRENT_H

#include "version/manifest.h"

enum { CURRENT_BYTES = FILE_HEADER_BYTES + 24 };

/* file_id  CURRENT's own */
void manifest_current_encode(uint8_t out[CURRENT_BYTES], const struct manifest_current *current, uint64_t file_id);

/* Errors: CORRUPT, UNSUPPORTED. */
KVS_MUST_USE struct kvs_status manifest_current_decode(struct manifest_current *current, const void *bytes, size_t size,
                                                       const char *path);

/* Open a manifest and read its header. file: out, the caller closes it. Errors: NOT_FOUND, IO, CORRUPT, UNSUPPORTED. */
KVS_MUST_USE struct kvs_status manifest_file_open(struct io *io, struct io_file **file, struct file_header *header,
                                                  const char *path);

#endif
