#include "protocol/quote.h"

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static int hex_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F')
        return byte - 'A' + 10;
    return -1;
}

/* If two hex digits stand at `at`, their value; else -1. */
static int hex_byte(const uint8_t *at, size_t rest)
{
    if (rest < 2 || hex_value(at[0]) < 0 || hex_value(at[1]) < 0)
        return -1;
    return hex_value(at[0]) * 16 + hex_value(at[1]);
}

/* What a backslash and this letter stand for, or 0 where the letter has no meaning of its own. */
static uint8_t escape_of_letter(uint8_t letter)
{
    switch (letter) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    case '\\':
    case '"':
        return letter;
    default:
        return 0;
    }
}

/* ---- Splitting and unquoting ---- */

/* A line that is rewritten in place: write <= read always. */
struct rewrite {
    uint8_t *line;
    size_t size;
    size_t read;
    size_t write;
};

static void put(struct rewrite *at, uint8_t byte)
{
    at->line[at->write++] = byte;
}

/* Behind a backslash inside of double quotes. The backslash itself is not the last byte of the line. */
static void unescape(struct rewrite *at)
{
    uint8_t letter = at->line[at->read];
    int byte = letter == 'x' ? hex_byte(at->line + at->read + 1, at->size - at->read - 1) : -1;
    if (byte >= 0) {
        put(at, (uint8_t)byte);
        at->read += 3;
        return;
    }
    uint8_t escape = escape_of_letter(letter);
    put(at, escape != 0 ? escape : letter);
    at->read++;
}

/* From behind an opening quote to behind the closing one. False: there is none. */
static bool unquote(struct rewrite *at, uint8_t quote)
{
    while (at->read < at->size) {
        uint8_t byte = at->line[at->read++];
        bool has_next = at->read < at->size;
        if (byte == quote)
            return true;
        if (byte == '\\' && quote == '"' && has_next) {
            unescape(at);
        } else if (byte == '\\' && quote == '\'' && has_next && at->line[at->read] == '\'') {
            put(at, '\'');
            at->read++;
        } else {
            put(at, byte);
        }
    }
    return false;
}

enum quote_result quote_next_word(struct kvs_slice *word_out, size_t *at_inout, uint8_t *line, size_t size,
                                  enum quote_rule rule)
{
    size_t start = *at_inout;
    while (start < size && is_blank(line[start]))
        start++;
    *at_inout = start;
    if (start == size)
        return QUOTE_END;
    struct rewrite at = {line, size, start, start};
    while (at.read < size && !is_blank(line[at.read])) {
        uint8_t byte = line[at.read++];
        bool opens = (byte == '"' || byte == '\'') && (rule == QUOTE_ANYWHERE || at.read == start + 1);
        if (!opens) {
            put(&at, byte);
            continue;
        }
        if (!unquote(&at, byte) || (at.read < size && !is_blank(line[at.read])))
            return QUOTE_UNBALANCED;
    }
    *word_out = slice_of(line + start, at.write - start);
    *at_inout = at.read;
    return QUOTE_WORD;
}

/* ---- UTF-8 ---- */

/* The length of the UTF-8 sequence of two to four bytes that begins at `at`; 0 where it is none. The second byte's range excludes overlong forms,
 * surrogates and what lies above U+10FFFF. */
static size_t utf8_sequence(const uint8_t *at, size_t rest)
{
    uint8_t low = 0x80, high = 0xBF;
    size_t length;
    if (at[0] >= 0xC2 && at[0] <= 0xDF) {
        length = 2;
    } else if (at[0] >= 0xE0 && at[0] <= 0xEF) {
        length = 3;
        low = at[0] == 0xE0 ? 0xA0 : low;
        high = at[0] == 0xED ? 0x9F : high;
    } else if (at[0] >= 0xF0 && at[0] <= 0xF4) {
        length = 4;
        low = at[0] == 0xF0 ? 0x90 : low;
        high = at[0] == 0xF4 ? 0x8F : high;
    } else {
        return 0;
    }
    if (rest < length || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

bool quote_is_utf8(struct kvs_slice bytes)
{
    const uint8_t *at = bytes.data;
    size_t rest = bytes.size;
    while (rest > 0) {
        size_t length = at[0] < 0x80 ? 1 : utf8_sequence(at, rest);
        if (length == 0)
            return false;
        at += length;
        rest -= length;
    }
    return true;
}

/* The length of the character at `at` if it can be shown as it is: no control character (U+0080 to U+009F are some, too, and a terminal may obey them)
 * and valid UTF-8. Else 0. */
static size_t plain_character(const uint8_t *at, size_t rest)
{
    if (at[0] < 0x80)
        return at[0] >= 0x20 && at[0] != 0x7F;
    if (at[0] == 0xC2 && rest > 1 && at[1] < 0xA0)
        return 0;
    return utf8_sequence(at, rest);
}

/* How many bytes from `at` on are plain ASCII that every form of writing leaves as it is. Most values are nothing else. */
static size_t plain_run(const uint8_t *at, size_t rest)
{
    size_t run = 0;
    while (run < rest && at[run] >= 0x20 && at[run] < 0x7F && at[run] != '\\' && at[run] != '"')
        run++;
    return run;
}

static bool is_plain(struct kvs_slice value)
{
    const uint8_t *at = value.data;
    size_t rest = value.size;
    while (rest > 0) {
        size_t run = plain_run(at, rest);
        size_t length = run > 0 ? run : plain_character(at, rest);
        if (length == 0)
            return false;
        at += length;
        rest -= length;
    }
    return true;
}

/* ---- Quoting ---- */

static bool reads_like_a_reply(struct kvs_slice value)
{
    static const char *const words[] = {"OK", "NOT_FOUND", "END", "PONG", "QUEUED", "ERROR"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (slice_equal(value, slice_of_text(words[i])))
            return true;
    return slice_has_prefix(value, slice_of_text("ERROR "));
}

bool quote_needed_on_line(struct kvs_slice value)
{
    if (value.size == 0)
        return true;
    uint8_t first = *(const uint8_t *)value.data;
    return first == '"' || first == '\'' || !is_plain(value) || reads_like_a_reply(value);
}

bool quote_needed_in_list(struct kvs_slice value)
{
    return quote_needed_on_line(value) || memchr(value.data, ' ', value.size) != NULL;
}

/* One step of writing a value: how many of its bytes are taken, and what they become. */
struct escape {
    size_t taken;
    size_t size;
    uint8_t bytes[4];
};

static struct escape escape_next(const uint8_t *at, size_t rest, bool in_quotes)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = "\nn\rr\tt\\\\\"\"";
    size_t pairs = in_quotes ? 5 : 4;
    for (size_t i = 0; i < pairs; i++)
        if (at[0] == (uint8_t)letters[2 * i])
            return (struct escape){1, 2, {'\\', (uint8_t)letters[2 * i + 1]}};
    struct escape escape = {.taken = plain_character(at, rest)};
    if (escape.taken == 0)
        return (struct escape){1, 4, {'\\', 'x', (uint8_t)hex[at[0] >> 4], (uint8_t)hex[at[0] & 15]}};
    escape.size = escape.taken;
    memcpy(escape.bytes, at, escape.taken);
    return escape;
}

static size_t escaped_size(struct kvs_slice value, bool in_quotes)
{
    const uint8_t *at = value.data;
    size_t size = 0;
    for (size_t done = 0; done < value.size;) {
        size_t run = plain_run(at + done, value.size - done);
        size += run;
        done += run;
        if (done == value.size)
            break;
        struct escape escape = escape_next(at + done, value.size - done, in_quotes);
        size += escape.size;
        done += escape.taken;
    }
    return size;
}

static uint8_t *write_escaped(uint8_t *out, struct kvs_slice value, bool in_quotes)
{
    const uint8_t *at = value.data;
    for (size_t done = 0; done < value.size;) {
        size_t run = plain_run(at + done, value.size - done);
        memcpy(out, at + done, run);
        out += run;
        done += run;
        if (done == value.size)
            break;
        struct escape escape = escape_next(at + done, value.size - done, in_quotes);
        memcpy(out, escape.bytes, escape.size);
        out += escape.size;
        done += escape.taken;
    }
    return out;
}

bool quote_append(struct byte_buffer *buffer, struct kvs_slice value)
{
    size_t size = escaped_size(value, true) + 2, space;
    if (!byte_buffer_reserve(buffer, size))
        return false;
    uint8_t *out = byte_buffer_space(buffer, &space);
    *out++ = '"';
    out = write_escaped(out, value, true);
    *out = '"';
    byte_buffer_commit(buffer, size);
    return true;
}

/* ---- TSV ---- */

bool quote_append_tsv(struct byte_buffer *buffer, struct kvs_slice value)
{
    size_t size = escaped_size(value, false), space;
    if (!byte_buffer_reserve(buffer, size))
        return false;
    write_escaped(byte_buffer_space(buffer, &space), value, false);
    byte_buffer_commit(buffer, size);
    return true;
}

bool quote_decode_tsv(size_t *size_out, uint8_t *data, size_t size)
{
    struct rewrite at = {data, size, 0, 0};
    while (at.read < size) {
        uint8_t byte = data[at.read++];
        if (byte != '\\') {
            put(&at, byte);
            continue;
        }
        if (at.read == size)
            return false;
        uint8_t letter = data[at.read];
        if (letter == 'x' ? hex_byte(data + at.read + 1, size - at.read - 1) < 0 : escape_of_letter(letter) == 0)
            return false;
        unescape(&at);
    }
    *size_out = at.write;
    return true;
}
