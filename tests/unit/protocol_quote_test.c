/* protocol_quote_test.c -- words, quotes, UTF-8 and TSV fields. */

#include "protocol/quote.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* The words of a line as "[a][b]", or "unbalanced". */
static void split(char *out, size_t out_size, const char *line, enum quote_rule rule)
{
    uint8_t copy[256];
    size_t size = strlen(line), at = 0, length = 0;
    memcpy(copy, line, size);
    struct kvs_slice word;
    enum quote_result result;
    out[0] = '\0';
    while ((result = quote_next_word(&word, &at, copy, size, rule)) == QUOTE_WORD)
        length += (size_t)snprintf(out + length, out_size - length, "[%.*s]", (int)word.size, (const char *)word.data);
    if (result == QUOTE_UNBALANCED)
        snprintf(out, out_size, "unbalanced");
}

struct split_case {
    const char *line;
    const char *at_start;
    const char *anywhere;
};

/* A person types JSON, quotes and blanks; each must arrive as typed. */
static void quote_words_follow_the_rules_of_text_and_of_redis(void **state)
{
    (void)state;
    static const struct split_case cases[] = {
        {"", "", ""},
        {" \t ", "", ""},
        {"PUT hello world", "[PUT][hello][world]", "[PUT][hello][world]"},
        {"  a \t b  ", "[a][b]", "[a][b]"},
        {"PUT motto \"carpe diem\"", "[PUT][motto][carpe diem]", "[PUT][motto][carpe diem]"},
        {"PUT k {\"a\":1}", "[PUT][k][{\"a\":1}]", "unbalanced"},
        {"PUT k it's", "[PUT][k][it's]", "unbalanced"},
        {"a\"b\"", "[a\"b\"]", "[ab]"},
        {"\"\"", "[]", "[]"},
        {"'' x", "[][x]", "[][x]"},
        {"'it\\'s' ", "[it's]", "[it's]"},
        {"'a\\nb'", "[a\\nb]", "[a\\nb]"},
        {"\"\\x41\\x6a\\q\\\\\\\"\"", "[Ajq\\\"]", "[Ajq\\\"]"},
        {"\"\\x4\"", "[x4]", "[x4]"},
        {"\"\\n\\r\\t\\b\\a\"", "[\n\r\t\b\a]", "[\n\r\t\b\a]"},
        {"\"a\"b", "unbalanced", "unbalanced"},
        {"\"a", "unbalanced", "unbalanced"},
        {"\"a\\\"", "unbalanced", "unbalanced"},
        {"'a", "unbalanced", "unbalanced"},
        {"\"a\\", "unbalanced", "unbalanced"},
        {"a\\nb", "[a\\nb]", "[a\\nb]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char found[256];
        split(found, sizeof found, cases[i].line, QUOTE_AT_START);
        assert_string_equal(found, cases[i].at_start);
        split(found, sizeof found, cases[i].line, QUOTE_ANYWHERE);
        assert_string_equal(found, cases[i].anywhere);
    }
}

/* Bad UTF-8 shown as text would garble a terminal; good UTF-8 quoted would be unreadable. */
static void quote_utf8_accepts_exactly_what_unicode_allows(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        bool valid;
    } cases[] = {
        {"", true},
        {"plain", true},
        {"\xC3\xA9", true},
        {"\xE2\x82\xAC", true},
        {"\xF0\x9F\x98\x80", true},
        {"\xF4\x8F\xBF\xBF", true},
        {"\xF4\x90\x80\x80", false},
        {"\xC0\x80", false},
        {"\xC1\xBF", false},
        {"\xE0\x9F\xBF", false},
        {"\xED\xA0\x80", false},
        {"\xF0\x8F\xBF\xBF", false},
        {"\x80", false},
        {"\xC3", false},
        {"\xE2\x82", false},
        {"\xE2\x82(", false},
        {"\xFF", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(quote_is_utf8(slice_of_text(cases[i].bytes)), cases[i].valid);
}

/* A program that parses replies must never take a value for a reply. */
static void quote_needed_for_what_a_reader_could_mistake(void **state)
{
    (void)state;
    static const char *const mistaken[] = {"",    "OK", "NOT_FOUND", "END",  "ERROR", "ERROR x", "PONG",
                                           "\"a", "'a", "a\nb",      "a\tb", "\x7F",  "\xFF",    "\xC2\x9B"};
    static const char *const bare[] = {"world", "carpe diem", " a ",       "ok",       "OK then",  "ERRORS",
                                       "a\"b",  "it's",       "{\"a\":1}", "\xC3\xA9", "\xC2\xA0", "\\n"};
    for (size_t i = 0; i < sizeof mistaken / sizeof mistaken[0]; i++) {
        assert_true(quote_needed_on_line(slice_of_text(mistaken[i])));
        assert_true(quote_needed_in_list(slice_of_text(mistaken[i])));
    }
    assert_true(quote_needed_on_line(slice_of("a\0b", 3)));
    for (size_t i = 0; i < sizeof bare / sizeof bare[0]; i++) {
        assert_false(quote_needed_on_line(slice_of_text(bare[i])));
        assert_int_equal(quote_needed_in_list(slice_of_text(bare[i])), strchr(bare[i], ' ') != NULL);
    }
}

/* The quoted form is read by other programs: it is fixed. */
static void quote_append_golden(void **state)
{
    (void)state;
    struct byte_buffer buffer;
    byte_buffer_init(&buffer);
    assert_true(quote_append(&buffer, slice_of("a\0\n\r\t\\\"'\x7F\xC3\xA9\xC3\xC2\x85 b", 16)));
    static const char quoted[] = "\"a\\x00\\n\\r\\t\\\\\\\"'\\x7f\xC3\xA9\\xc3\\xc2\\x85 b\"";
    assert_int_equal(byte_buffer_size(&buffer), sizeof quoted - 1);
    assert_memory_equal(byte_buffer_data(&buffer), quoted, sizeof quoted - 1);
    byte_buffer_consume(&buffer, byte_buffer_size(&buffer));
    assert_true(quote_append_tsv(&buffer, slice_of("a\t\"\\\n\x01 b", 8)));
    static const char field[] = "a\\t\"\\\\\\n\\x01 b";
    assert_int_equal(byte_buffer_size(&buffer), sizeof field - 1);
    assert_memory_equal(byte_buffer_data(&buffer), field, sizeof field - 1);
    byte_buffer_fini(&buffer);
}

static uint32_t random_next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Mostly bytes that mean something to the rules. */
static size_t random_bytes(uint8_t *out, size_t limit, uint32_t *seed)
{
    static const uint8_t special[] = "\"'\\xnrtba0f \t\n\r\v\f\0\x7F\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xFF";
    size_t size = random_next(seed) % limit;
    for (size_t i = 0; i < size; i++)
        out[i] =
            random_next(seed) % 4 == 0 ? (uint8_t)random_next(seed) : special[random_next(seed) % (sizeof special - 1)];
    return size;
}

/* Any value that a server sends quoted must come back byte for byte, under both rules. */
static void quote_random_bytes_survive_quoting(void **state)
{
    (void)state;
    uint32_t seed = 42;
    struct byte_buffer buffer;
    byte_buffer_init(&buffer);
    for (int round = 0; round < 50000; round++) {
        uint8_t value[40];
        size_t size = random_bytes(value, sizeof value, &seed), at = 0;
        enum quote_rule rule = round % 2 == 0 ? QUOTE_AT_START : QUOTE_ANYWHERE;
        assert_true(quote_append(&buffer, slice_of(value, size)));
        assert_false(memchr(byte_buffer_data(&buffer), '\n', byte_buffer_size(&buffer)) != NULL);
        assert_true(quote_is_utf8(slice_of(byte_buffer_data(&buffer), byte_buffer_size(&buffer))));
        struct kvs_slice word;
        assert_int_equal(quote_next_word(&word, &at, byte_buffer_data(&buffer), byte_buffer_size(&buffer), rule),
                         QUOTE_WORD);
        assert_int_equal(at, byte_buffer_size(&buffer));
        assert_int_equal(word.size, size);
        assert_memory_equal(word.data, value, size);
        byte_buffer_consume(&buffer, byte_buffer_size(&buffer));
    }
    byte_buffer_fini(&buffer);
}

/* A word that is sent bare must be read as one word again, and as itself. */
static void quote_random_bytes_not_quoted_are_one_word(void **state)
{
    (void)state;
    uint32_t seed = 43;
    int bare = 0;
    for (int round = 0; round < 200000; round++) {
        uint8_t value[6], copy[6];
        size_t size = random_bytes(value, sizeof value, &seed), at = 0;
        if (quote_needed_in_list(slice_of(value, size)))
            continue;
        bare++;
        memcpy(copy, value, size);
        struct kvs_slice word;
        assert_int_equal(quote_next_word(&word, &at, copy, size, QUOTE_AT_START), QUOTE_WORD);
        assert_int_equal(at, size);
        assert_true(slice_equal(word, slice_of(value, size)));
    }
    assert_true(bare > 1000);
}

/* Exported data must import as it was, whatever its bytes. */
static void quote_tsv_random_bytes_survive(void **state)
{
    (void)state;
    uint32_t seed = 44;
    struct byte_buffer buffer;
    byte_buffer_init(&buffer);
    for (int round = 0; round < 50000; round++) {
        uint8_t value[40];
        size_t size = random_bytes(value, sizeof value, &seed), decoded;
        assert_true(quote_append_tsv(&buffer, slice_of(value, size)));
        assert_false(byte_buffer_size(&buffer) > 0 &&
                     memchr(byte_buffer_data(&buffer), '\t', byte_buffer_size(&buffer)) != NULL);
        assert_true(quote_decode_tsv(&decoded, byte_buffer_data(&buffer), byte_buffer_size(&buffer)));
        assert_true(slice_equal(slice_of(byte_buffer_data(&buffer), decoded), slice_of(value, size)));
        byte_buffer_consume(&buffer, byte_buffer_size(&buffer));
    }
    byte_buffer_fini(&buffer);
}

/* A damaged file must be reported, not loaded as something else. */
static void quote_tsv_bad_escapes_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"\\", "a\\", "\\q", "\\x", "\\x4", "\\xg1", "\\x4g"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t copy[8];
        size_t size = strlen(bad[i]), decoded = 99;
        memcpy(copy, bad[i], size);
        assert_false(quote_decode_tsv(&decoded, copy, size));
        assert_int_equal(decoded, 99);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quote_words_follow_the_rules_of_text_and_of_redis),
        cmocka_unit_test(quote_utf8_accepts_exactly_what_unicode_allows),
        cmocka_unit_test(quote_needed_for_what_a_reader_could_mistake),
        cmocka_unit_test(quote_append_golden),
        cmocka_unit_test(quote_random_bytes_survive_quoting),
        cmocka_unit_test(quote_random_bytes_not_quoted_are_one_word),
        cmocka_unit_test(quote_tsv_random_bytes_survive),
        cmocka_unit_test(quote_tsv_bad_escapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
