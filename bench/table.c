#include "bench/table.h"

#include <stdlib.h>
#include <string.h>

struct table table_of(size_t columns, size_t text_columns)
{
    return (struct table){columns, text_columns, 0, NULL};
}

void table_fini(struct table *table)
{
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct table){0};
}

void table_add(struct table *table, const char *text)
{
    char **cells = realloc(table->cells, (table->cell_count + 1) * sizeof *cells);
    if (cells == NULL)
        return;
    table->cells = cells;
    cells[table->cell_count] = strdup(text);
    if (cells[table->cell_count] != NULL)
        table->cell_count++;
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t width = 3;
    for (size_t i = column; i < table->cell_count; i += table->columns) {
        size_t bytes = strlen(table->cells[i]);
        width = bytes > width ? bytes : width;
    }
    return width;
}

/* The line below the headings. */
static void print_rule(const struct table *table, FILE *out, enum table_style style)
{
    for (size_t column = 0; column < table->columns; column++) {
        size_t width = column_width(table, column);
        bool number = column >= table->text_columns;
        fputs(style == TABLE_MARKDOWN ? "| " : column == 0 ? "" : "  ", out);
        for (size_t i = 0; i < width; i++)
            fputc(style == TABLE_MARKDOWN && number && i == width - 1 ? ':' : '-', out);
        fputs(style == TABLE_MARKDOWN ? " " : "", out);
    }
    fputs(style == TABLE_MARKDOWN ? "|\n" : "\n", out);
}

static void print_row(const struct table *table, FILE *out, enum table_style style, size_t first)
{
    for (size_t column = 0; column < table->columns; column++) {
        int width = (int)column_width(table, column);
        bool number = column >= table->text_columns;
        fputs(style == TABLE_MARKDOWN ? "| " : column == 0 ? "" : "  ", out);
        fprintf(out, "%*s", number ? width : -width, table->cells[first + column]);
        fputs(style == TABLE_MARKDOWN ? " " : "", out);
    }
    fputs(style == TABLE_MARKDOWN ? "|\n" : "\n", out);
}

void table_print(const struct table *table, FILE *out, enum table_style style)
{
    for (size_t first = 0; first + table->columns <= table->cell_count; first += table->columns) {
        print_row(table, out, style, first);
        if (first == 0)
            print_rule(table, out, style);
    }
}
