/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#define GAP 2
#define FLEXIBLE_MIN 8

typedef struct {
  CliStyle style;
  char **cells;
} Row;

struct CliTable {
  guint n_columns;
  int flexible;
  char **headings;
  GPtrArray *rows; /* (element-type Row) */
};

static void
row_free(gpointer data)
{
  Row *row = data;
  g_strfreev(row->cells);
  g_free(row);
}

CliTable *
cli_table_new(const char *const *headings, int flexible)
{
  CliTable *table = g_new0(CliTable, 1);
  table->headings = g_strdupv((char **)(guintptr)headings);
  table->n_columns = g_strv_length(table->headings);
  table->flexible = flexible;
  table->rows = g_ptr_array_new_with_free_func(row_free);
  return table;
}

void
cli_table_free(CliTable *table)
{
  if (!table)
    return;
  g_strfreev(table->headings);
  g_ptr_array_unref(table->rows);
  g_free(table);
}

void
cli_table_row(CliTable *table, CliStyle style, ...)
{
  Row *row = g_new0(Row, 1);
  row->style = style;
  row->cells = g_new0(char *, table->n_columns + 1);
  va_list cells;
  va_start(cells, style);
  for (guint i = 0; i < table->n_columns; i++) {
    const char *cell = va_arg(cells, const char *);
    g_assert(cell);
    row->cells[i] = cli_safe(cell);
  }
  va_end(cells);
  g_ptr_array_add(table->rows, row);
}

/* From the flexible column first, then from whichever is widest. */
static void
shrink(int *widths, int n, int flexible, int excess)
{
  while (excess > 0) {
    int from = flexible;
    if (from < 0 || widths[from] <= FLEXIBLE_MIN) {
      from = 0;
      for (int c = 1; c < n; c++)
        if (widths[c] > widths[from])
          from = c;
    }
    if (widths[from] <= FLEXIBLE_MIN)
      return;
    widths[from]--;
    excess--;
  }
}

static int *
column_widths(const CliTable *table)
{
  int *widths = g_new0(int, table->n_columns);
  int total = 0;
  for (guint c = 0; c < table->n_columns; c++) {
    widths[c] = cli_width(table->headings[c]);
    for (guint r = 0; r < table->rows->len; r++) {
      const Row *row = g_ptr_array_index(table->rows, r);
      widths[c] = MAX(widths[c], cli_width(row->cells[c]));
    }
    total += widths[c] + (c ? GAP : 0);
  }
  int columns = cli_columns(1);
  if (columns)
    shrink(widths, (int)table->n_columns, table->flexible, total - columns);
  return widths;
}

/* Cut to `width` columns, the last of them an ellipsis. */
static char *
fit(const char *text, int width)
{
  if (cli_width(text) <= width)
    return g_strdup(text);
  const char *end = text;
  int used = 0;
  for (;;) {
    gunichar c = g_utf8_get_char(end);
    int wide = g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
    if (used + wide > width - 1)
      break;
    used += wide;
    end = cli_next_char(end);
  }
  g_autofree char *start = g_strndup(text, (gsize)(end - text));
  return g_strconcat(start, "…", NULL);
}

static void
print_cells(char *const *cells, const int *widths, guint n, CliStyle style)
{
  g_autoptr(GString) line = g_string_new(NULL);
  for (guint c = 0; c < n; c++) {
    g_autofree char *cell = fit(cells[c], widths[c]);
    g_string_append(line, cell);
    if (c + 1 < n)
      g_string_append_printf(line, "%*s", widths[c] - cli_width(cell) + GAP, "");
  }
  while (line->len && line->str[line->len - 1] == ' ')
    g_string_truncate(line, line->len - 1);
  g_autofree char *styled = cli_styled(1, style, line->str);
  puts(styled);
}

void
cli_table_print(const CliTable *table)
{
  g_autofree int *widths = column_widths(table);
  print_cells(table->headings, widths, table->n_columns, CLI_BOLD);
  for (guint r = 0; r < table->rows->len; r++) {
    const Row *row = g_ptr_array_index(table->rows, r);
    print_cells(row->cells, widths, table->n_columns, row->style);
  }
}
