#include "bench/json.h"

#include <math.h>

static void begin_field(struct json *json, const char *name)
{
    fprintf(json->out, "%s\"%s\":", json->fields++ == 0 ? "" : ",", name);
}

struct json json_begin(FILE *out)
{
    fputc('{', out);
    return (struct json){out, 0};
}

void json_text(struct json *json, const char *name, const char *text)
{
    begin_field(json, name);
    fputc('"', json->out);
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '"' || byte == '\\')
            fprintf(json->out, "\\%c", byte);
        else if (byte < ' ')
            fprintf(json->out, "\\u%04x", byte);
        else
            fputc(byte, json->out);
    }
    fputc('"', json->out);
}

void json_number(struct json *json, const char *name, double number)
{
    begin_field(json, name);
    if (isfinite(number))
        fprintf(json->out, "%.10g", number);
    else
        fputs("null", json->out);
}

void json_bool(struct json *json, const char *name, bool value)
{
    begin_field(json, name);
    fputs(value ? "true" : "false", json->out);
}

void json_end(struct json *json)
{
    fputs("}\n", json->out);
}
