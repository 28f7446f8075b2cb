/* table.h -- a table of texts, shown aligned for a terminal or as Markdown.
 *
 * Failure   Without memory a table shows fewer cells; it never stops a benchmark.
 */
#ifndef KVS_BENCH_TABLE_H
#define KVS_BENCH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum table_style { TABLE_TEXT, TABLE_MARKDOWN };

/* text_columns  leading columns that are aligned to the left; all others hold numbers
 * cells         row by row, the headings first; owned */
struct table {
    size_t columns;
    size_t text_columns;
    size_t cell_count;
    char **cells;
};

/* A table without cells. */
struct table table_of(size_t columns, size_t text_columns);
void table_fini(struct table *table);

/* Append a cell, copied; rows fill by themselves. */
void table_add(struct table *table, const char *text);

void table_print(const struct table *table, FILE *out, enum table_style style);

#endif
