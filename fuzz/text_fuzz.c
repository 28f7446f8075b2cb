/* text_fuzz.c -- arbitrary bytes as a new connection's first lines, as words, as values and as TSV fields.
 *
 * Role      However the stream is cut, the requests found are the same, and are read back after they were written again; a value that is quoted comes back byte for byte; a value that is sent bare is
 *           read as one word; a TSV field comes back; what decodes as TSV survives another round.
 * Format    Input: one byte that seeds the cutting, then the stream.
 * Failure   Aborts on the first difference.
 */

#include "pieces.h"

#include <strings.h>

static bool find_opening(const void *context, enum protocol_opening *opening_out, struct kvs_slice verb)
{
    static const char *const verbs[] = {
        [PROTOCOL_OPENS_RESP] = "SET", [PROTOCOL_OPENS_TEXT] = "GET", [PROTOCOL_OPENS_NOTHING] = "PING"};
    (void)context;
    for (size_t i = 0; i < 3; i++) {
        if (verb.size == strlen(verbs[i]) && strncasecmp(verb.data, verbs[i], verb.size) == 0) {
            *opening_out = (enum protocol_opening)i;
            return true;
        }
    }
    return false;
}

/* The one word that a piece of text must be. */
static void check_word(struct byte_buffer *text, struct kvs_slice expected, enum quote_rule rule)
{
    struct kvs_slice word;
    size_t at = 0;
    enum quote_result result = quote_next_word(&word, &at, byte_buffer_data(text), byte_buffer_size(text), rule);
    KVS_ASSERT(result == QUOTE_WORD && at == byte_buffer_size(text));
    KVS_ASSERT(slice_equal(word, expected));
    byte_buffer_consume(text, byte_buffer_size(text));
}

static void check_quoting(struct kvs_slice value)
{
    struct byte_buffer text;
    byte_buffer_init(&text);
    for (int rule = QUOTE_AT_START; rule <= QUOTE_ANYWHERE; rule++) {
        if (!quote_append(&text, value))
            abort();
        KVS_ASSERT(quote_is_utf8(slice_of(byte_buffer_data(&text), byte_buffer_size(&text))));
        check_word(&text, value, (enum quote_rule)rule);
    }
    if (!quote_needed_in_list(value)) {
        KVS_ASSERT(!quote_needed_on_line(value) && quote_is_utf8(value));
        pieces_receive(&text, value.data, value.size);
        check_word(&text, value, QUOTE_AT_START);
    }
    byte_buffer_fini(&text);
}

/* Encode, decode, compare. */
static void check_tsv(struct kvs_slice value)
{
    struct byte_buffer text;
    size_t size;
    byte_buffer_init(&text);
    if (!quote_append_tsv(&text, value))
        abort();
    KVS_ASSERT(quote_decode_tsv(&size, byte_buffer_data(&text), byte_buffer_size(&text)));
    KVS_ASSERT(slice_equal(slice_of(byte_buffer_data(&text), size), value));
    byte_buffer_fini(&text);
}

/* Any bytes as a field: if they decode at all, the result survives. */
static void check_tsv_field(const uint8_t *data, size_t size)
{
    struct byte_buffer field;
    size_t decoded;
    byte_buffer_init(&field);
    pieces_receive(&field, data, size);
    if (quote_decode_tsv(&decoded, byte_buffer_data(&field), size))
        check_tsv(slice_of(byte_buffer_data(&field), decoded));
    byte_buffer_fini(&field);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct protocol_commands commands = {find_opening, NULL};
    if (size < 2 || size > 4096)
        return 0;
    struct kvs_slice value = slice_of(data + 1, size - 1);
    for (int protocol = REQUEST_UNDECIDED; protocol <= REQUEST_TEXT; protocol++)
        pieces_check(&commands, (enum request_protocol)protocol, value, data[0]);
    check_quoting(value);
    check_tsv(value);
    check_tsv_field(data + 1, size - 1);
    return 0;
}
