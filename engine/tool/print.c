#include "tool.h"

#include "base/key.h"

#include <inttypes.h>
#include <stdio.h>

/* Bytes of a key or value that a line shows. */
enum { SHOWN_KEY_BYTES = 128, SHOWN_VALUE_BYTES = 64 };

void print_bytes(struct kvs_slice bytes, size_t limit)
{
    const unsigned char *data = bytes.data;
    size_t shown = bytes.size < limit ? bytes.size : limit;
    putchar('"');
    for (size_t i = 0; i < shown; i++) {
        if (data[i] == '"' || data[i] == '\\')
            printf("\\%c", data[i]);
        else if (data[i] >= 0x20 && data[i] < 0x7F)
            putchar(data[i]);
        else
            printf("\\x%02x", data[i]);
    }
    putchar('"');
    if (shown < bytes.size)
        printf("... (%zu bytes)", bytes.size);
}

void print_entry(uint64_t sequence, unsigned kind_byte, struct kvs_slice key, struct kvs_slice value)
{
    printf("%10" PRIu64 " %s ", sequence,
           kind_byte == KEY_PUT      ? "put   "
           : kind_byte == KEY_DELETE ? "delete"
                                     : "?     ");
    print_bytes(key, SHOWN_KEY_BYTES);
    if (kind_byte == KEY_PUT) {
        printf(" = ");
        print_bytes(value, SHOWN_VALUE_BYTES);
    }
    putchar('\n');
}
