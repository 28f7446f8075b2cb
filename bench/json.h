/* json.h -- JSON lines, one flat object each. */
#ifndef KVS_BENCH_JSON_H
#define KVS_BENCH_JSON_H

#include <stdbool.h>
#include <stdio.h>

/* fields  written to the object so far */
struct json {
    FILE *out;
    unsigned fields;
};

/* Begin an object; out is borrowed until json_end. */
struct json json_begin(FILE *out);

/* Add a field. Names are plain; text is escaped. A NaN is written as null. */
void json_text(struct json *json, const char *name, const char *text);
void json_number(struct json *json, const char *name, double number);
void json_bool(struct json *json, const char *name, bool value);

/* End the object and the line. */
void json_end(struct json *json);

#endif
