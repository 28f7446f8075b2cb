#include "base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_append(struct byte_buffer *buffer, struct kvs_slice value)
{
    const uint8_t *in = value.data;
    size_t size = (value.size + 2) / 3 * 4, space;
    if (!byte_buffer_reserve(buffer, size))
        return false;
    char *out = (char *)byte_buffer_space(buffer, &space);
    for (size_t at = 0; at < value.size; at += 3) {
        size_t rest = value.size - at;
        uint32_t bits =
            (uint32_t)in[at] << 16 | (rest > 1 ? (uint32_t)in[at + 1] << 8 : 0) | (rest > 2 ? in[at + 2] : 0);
        *out++ = letters[bits >> 18];
        *out++ = letters[bits >> 12 & 63];
        *out++ = rest > 1 ? letters[bits >> 6 & 63] : '=';
        *out++ = rest > 2 ? letters[bits & 63] : '=';
    }
    byte_buffer_commit(buffer, size);
    return true;
}

static int letter_value(char letter)
{
    const char *at = letter != '\0' ? strchr(letters, letter) : NULL;
    return at != NULL ? (int)(at - letters) : -1;
}

/* Four letters become up to three bytes. Returns how many; 0 where they are none. */
static size_t decode_group(uint8_t out[3], const char *in, bool is_last)
{
    size_t padding = !is_last || in[3] != '=' ? 0 : in[2] != '=' ? 1 : 2;
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? letter_value(in[i]) : 0;
        if (value < 0)
            return 0;
        bits = bits << 6 | (uint32_t)value;
    }
    if ((bits & ((1U << 8 * padding) - 1)) != 0)
        return 0;
    out[0] = (uint8_t)(bits >> 16);
    out[1] = (uint8_t)(bits >> 8);
    out[2] = (uint8_t)bits;
    return 3 - padding;
}

bool base64_append_decoded(struct byte_buffer *buffer, struct kvs_slice text)
{
    const char *in = text.data;
    size_t space, size = 0;
    if (text.size % 4 != 0 || !byte_buffer_reserve(buffer, text.size / 4 * 3 + 1))
        return false;
    uint8_t *out = byte_buffer_space(buffer, &space);
    for (size_t at = 0; at < text.size; at += 4) {
        size_t count = decode_group(out + size, in + at, at + 4 == text.size);
        if (count == 0)
            return false;
        size += count;
    }
    byte_buffer_commit(buffer, size);
    return true;
}
