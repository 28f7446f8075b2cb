#include "protocol/number.h"

static bool parse_digits(uint64_t *value_out, const char *digits, size_t count)
{
    if (count == 0 || count >= NUMBER_MAX_BYTES || (digits[0] == '0' && count > 1))
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(digits[i] - '0');
    }
    *value_out = value;
    return true;
}

bool number_parse(int64_t *value_out, struct kvs_slice text)
{
    const char *at = text.data;
    bool negative = text.size > 0 && at[0] == '-';
    uint64_t magnitude;
    if (!parse_digits(&magnitude, at + negative, text.size - negative))
        return false;
    if (negative ? magnitude > (uint64_t)INT64_MAX + 1 || magnitude == 0 : magnitude > INT64_MAX)
        return false;
    *value_out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

size_t number_format(char *at, int64_t value)
{
    char reversed[NUMBER_MAX_BYTES];
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    size_t count = 0;
    do {
        reversed[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    size_t sign = value < 0;
    if (sign)
        at[0] = '-';
    for (size_t i = 0; i < count; i++)
        at[sign + i] = reversed[count - 1 - i];
    return sign + count;
}
