/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* A load per core before the run from which on the figures deserve a warning. */
#define BUSY 0.4

struct BenchTable {
  char *title;
  GPtrArray *rows; /* of char ** */
  GPtrArray *notes;
};

BenchTable *
bench_table_new(const char *title)
{
  BenchTable *table = g_new0(BenchTable, 1);

  table->title = g_strdup(title);
  table->rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
  table->notes = g_ptr_array_new_with_free_func(g_free);
  return table;
}

void
bench_table_free(BenchTable *table)
{
  if (!table)
    return;
  g_free(table->title);
  g_ptr_array_unref(table->rows);
  g_ptr_array_unref(table->notes);
  g_free(table);
}

void
bench_table_row(BenchTable *table, const char *const *cells)
{
  g_ptr_array_add(table->rows, g_strdupv((char **)(gintptr)cells));
}

void
bench_table_rowv(BenchTable *table, const char *cell, ...)
{
  g_autoptr(GPtrArray) cells = g_ptr_array_new();
  va_list args;

  va_start(args, cell);
  for (; cell; cell = va_arg(args, const char *))
    g_ptr_array_add(cells, (gpointer)(gintptr)cell);
  va_end(args);
  g_ptr_array_add(cells, NULL);
  bench_table_row(table, (const char *const *)cells->pdata);
}

void
bench_table_note(BenchTable *table, const char *format, ...)
{
  va_list args;

  va_start(args, format);
  g_ptr_array_add(table->notes, g_strdup_vprintf(format, args));
  va_end(args);
}

static glong
column_width(const BenchTable *table, guint column)
{
  glong width = 0;

  for (guint i = 0; i < table->rows->len; i++) {
    char **cells = g_ptr_array_index(table->rows, i);
    if (column < g_strv_length(cells))
      width = MAX(width, g_utf8_strlen(cells[column], -1));
  }
  return width;
}

static void
print_row(const BenchTable *table, char **cells)
{
  g_autoptr(GString) line = g_string_new(NULL);

  for (guint i = 0; cells[i]; i++) {
    int pad = (int)(column_width(table, i) - g_utf8_strlen(cells[i], -1));
    if (i == 0)
      g_string_append_printf(line, "  %s%*s", cells[i], pad, "");
    else
      g_string_append_printf(line, "  %*s%s", pad, "", cells[i]);
  }
  printf("%s\n", g_strchomp(line->str));
}

void
bench_table_print(const BenchTable *table)
{
  bench_progress("%s", "");
  printf("\n%s\n\n", table->title);
  for (guint i = 0; i < table->rows->len; i++)
    print_row(table, g_ptr_array_index(table->rows, i));
  for (guint i = 0; i < table->notes->len; i++)
    printf("%s  %s\n", i == 0 ? "\n" : "", (const char *)g_ptr_array_index(table->notes, i));
  fflush(stdout);
}

void
bench_progress(const char *format, ...)
{
  va_list args;

  if (!isatty(STDERR_FILENO))
    return;
  va_start(args, format);
  fputs("\r\033[K", stderr);
  vfprintf(stderr, format, args);
  va_end(args);
}

static json_t *
cpu_model(void)
{
  g_autofree char *info = NULL;

  if (!g_file_get_contents("/proc/cpuinfo", &info, NULL, NULL))
    return json_null();
  const char *name = strstr(info, "model name");
  const char *colon = name ? strchr(name, ':') : NULL;
  return colon ? json_stringn(colon + 2, strcspn(colon + 2, "\n")) : json_null();
}

void
bench_report_load(void)
{
  double load = 0;

  if (getloadavg(&load, 1) == 1 && load > g_get_num_processors() * BUSY)
    printf("This machine is busy (load %.1f on %u cores): the figures below are off.\n", load,
           g_get_num_processors());
}

json_t *
bench_report_machine(void)
{
  g_autoptr(GDateTime) now = g_date_time_new_now_utc();
  g_autofree char *when = g_date_time_format_iso8601(now);
  struct utsname system;
  double load = 0;

  getloadavg(&load, 1);
  uname(&system);
  return json_pack("{s:s, s:s, s:s, s:o, s:i, s:f}", "when", when, "system", system.sysname,
                   "release", system.release, "cpu", cpu_model(), "cores",
                   (int)g_get_num_processors(), "load_before", load);
}
