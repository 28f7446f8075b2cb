/* resp_fuzz.c -- arbitrary bytes as RESP requests, arrays and inline.
 *
 * Role      However the stream is cut, the requests found are the same, down to the error that ends it; each is read back after it was written again,
 *           in either protocol.
 * Format    Input: one byte that seeds the cutting, then the stream.
 * Failure   Aborts on the first difference.
 */

#include "pieces.h"

static bool find_none(const void *context, enum protocol_opening *opening_out, struct kvs_slice verb)
{
    (void)context;
    (void)opening_out;
    (void)verb;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct protocol_commands commands = {find_none, NULL};
    if (size < 2 || size > 4096)
        return 0;
    pieces_check(&commands, REQUEST_RESP, slice_of(data + 1, size - 1), data[0]);
    return 0;
}
