/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The tables of messages, and what was to be reached: ratios of medians of one run. */

#include "messages.h"
#include "processes.h"
#include "report.h"

#define MEMORY_BAR (16 * 1024) /* KiB, at any size */

static const char *const programs[N_MESSAGE_PROGRAMS] = { "signet", "openssl cms", "gpgsm" };

/* A size, looked at by one clock. */
typedef struct {
  const MessageSize *size;
  MessageClock clock;
} View;

static double
median(const View *view, MessageRow row, MessageProgram program)
{
  return bench_median(view->size->cells[row][program].times[view->clock]);
}

static double
best(const MessageCell *cell, MessageClock clock)
{
  GArray *times = cell->times[clock];

  bench_median(times); /* sorts */
  return times->len ? g_array_index(times, double, 0) : 0;
}

/* The faster of the others; 0: none gave a figure. */
static double
fastest_other(const View *view, MessageRow row)
{
  double openssl = median(view, row, MESSAGE_OPENSSL);
  double gpgsm = median(view, row, MESSAGE_GPGSM);

  if (openssl <= 0 || gpgsm <= 0)
    return MAX(openssl, gpgsm);
  return MIN(openssl, gpgsm);
}

/* Milliseconds that signet may take at most; 0: nothing to hold it against. */
static double
time_bar(const View *view, MessageRow row)
{
  double hash = median(view, MESSAGE_HASH, 0), copy = median(view, MESSAGE_COPY, 0);
  double decode = median(view, MESSAGE_DECODE, 0);
  double plain = median(view, MESSAGE_DECRYPT_CBC, MESSAGE_SIGNET);

  if (!view->size->barred)
    return 0;
  switch (row) {
  case MESSAGE_SIGN:
  case MESSAGE_VERIFY:
    return hash > 0 && copy > 0 ? 3 * hash + copy : 0;
  case MESSAGE_VERIFY_OPAQUE:
  case MESSAGE_VERIFY_STREAMED:
    return fastest_other(view, row) / 3;
  case MESSAGE_ENCRYPT_CBC:
  case MESSAGE_ENCRYPT_GCM:
    return median(view, row, MESSAGE_OPENSSL);
  case MESSAGE_DECRYPT_CBC:
  case MESSAGE_DECRYPT_GCM:
  case MESSAGE_DECRYPT_CBC_STREAMED:
  case MESSAGE_DECRYPT_GCM_STREAMED:
    return fastest_other(view, row) / 4;
  case MESSAGE_DECRYPT_MAIL:
    return decode > 0 && plain > 0 ? 1.5 * (decode + plain) : 0;
  case MESSAGE_HASH:
  case MESSAGE_COPY:
  case MESSAGE_DECODE:
  case N_MESSAGE_ROWS:
  default:
    return 0;
  }
}

static char *
milliseconds(double time)
{
  return g_strdup_printf("%.*f", time < 100 ? 1 : 0, time);
}

static char *
time_text(const MessageCell *cell, MessageClock clock)
{
  double middle = bench_median(cell->times[clock]);

  if (cell->times[clock]->len == 0)
    return g_strdup(cell->argv ? "fails" : "-");
  g_autofree char *first = milliseconds(best(cell, clock));
  g_autofree char *second = milliseconds(middle);
  return g_strconcat(first, " / ", second, NULL);
}

static char *
memory_text(const MessageCell *cell)
{
  return cell->times[MESSAGE_ELAPSED]->len ? g_strdup_printf("%.1f", (double)cell->peak / 1024)
                                           : g_strdup("");
}

static const char *
word(gboolean met)
{
  return met ? "met" : "MISSED";
}

static gboolean
memory_met(const MessageCell *cell)
{
  return cell->peak <= MEMORY_BAR;
}

static void
add_cells(GPtrArray *cells, const View *view, MessageRow row)
{
  for (MessageProgram program = 0; program < N_MESSAGE_PROGRAMS; program++) {
    const MessageCell *cell = &view->size->cells[row][program];
    gboolean none = row >= MESSAGE_FIRST_LIMIT && program > 0;
    g_ptr_array_add(cells, none ? g_strdup("") : time_text(cell, view->clock));
    if (view->clock == MESSAGE_ELAPSED)
      g_ptr_array_add(cells, memory_text(cell));
  }
}

static void
print_row(BenchTable *table, const View *view, MessageRow row)
{
  const MessageCell *signet = &view->size->cells[row][MESSAGE_SIGNET];
  double bar = time_bar(view, row), time = median(view, row, MESSAGE_SIGNET);
  gboolean known = time > 0 && row < MESSAGE_FIRST_LIMIT;
  g_autoptr(GPtrArray) cells = g_ptr_array_new_with_free_func(g_free);

  g_ptr_array_add(cells, g_strdup(message_rows[row].name));
  add_cells(cells, view, row);
  if (view->size->barred) {
    g_ptr_array_add(cells, bar > 0 ? milliseconds(bar) : g_strdup(""));
    g_ptr_array_add(cells, g_strdup(known && bar > 0 ? word(time <= bar) : ""));
  }
  if (view->clock == MESSAGE_ELAPSED)
    g_ptr_array_add(cells, g_strdup(known ? word(memory_met(signet)) : ""));
  g_ptr_array_add(cells, NULL);
  bench_table_row(table, (const char *const *)cells->pdata);
}

/* One reason of one program stands once, however many rows it holds for. */
static void
print_notes(BenchTable *table, const MessageSize *size, MessageProgram program)
{
  g_autoptr(GHashTable) said = g_hash_table_new(g_str_hash, g_str_equal);

  for (MessageRow row = 0; row < MESSAGE_FIRST_LIMIT; row++) {
    const MessageCell *cell = &size->cells[row][program];
    if (cell->failures > 0)
      bench_table_note(table, "%s, %s, failed %u times: %s", message_rows[row].name,
                       programs[program], cell->failures, cell->problem ? cell->problem : "");
    else if (cell->problem && g_hash_table_add(said, cell->problem))
      bench_table_note(table, "-: %s: %s", programs[program], cell->problem);
  }
}

static void
print_heading(BenchTable *table, const View *view)
{
  g_autoptr(GPtrArray) cells = g_ptr_array_new();

  g_ptr_array_add(cells, (gpointer)(gintptr) "");
  for (MessageProgram program = 0; program < N_MESSAGE_PROGRAMS; program++) {
    g_ptr_array_add(cells, (gpointer)(gintptr)programs[program]);
    if (view->clock == MESSAGE_ELAPSED)
      g_ptr_array_add(cells, (gpointer)(gintptr) "MiB");
  }
  if (view->size->barred) {
    g_ptr_array_add(cells, (gpointer)(gintptr) "at most");
    g_ptr_array_add(cells, (gpointer)(gintptr) "time");
  }
  if (view->clock == MESSAGE_ELAPSED)
    g_ptr_array_add(cells, (gpointer)(gintptr) "memory");
  g_ptr_array_add(cells, NULL);
  bench_table_row(table, (const char *const *)cells->pdata);
}

static void
print_view(const View *view, const char *title)
{
  g_autoptr(BenchTable) table = bench_table_new(title);

  print_heading(table, view);
  for (MessageRow row = 0; row < N_MESSAGE_ROWS; row++)
    print_row(table, view, row);
  for (MessageProgram program = 0; view->clock == MESSAGE_ELAPSED && program < N_MESSAGE_PROGRAMS;
       program++)
    print_notes(table, view->size, program);
  bench_table_print(table);
}

void
message_size_print(const MessageSize *size)
{
  g_autofree char *elapsed = g_strdup_printf("%s of text (%" G_GSIZE_FORMAT
                                             " bytes): milliseconds, best / median of %u, and "
                                             "peak memory in MiB",
                                             size->name, size->bytes, size->repeats);
  g_autofree char *processor =
      g_strdup_printf("%s of text: processor time of the same runs", size->name);

  print_view(&(View){ size, MESSAGE_ELAPSED }, elapsed);
  if (size->barred)
    print_view(&(View){ size, MESSAGE_PROCESSOR }, processor);
}

static json_t *
cell_json(const MessageSize *size, MessageRow row, MessageProgram program)
{
  const MessageCell *cell = &size->cells[row][program];

  return json_pack(
      "{s:s, s:s, s:f, s:f, s:f, s:f, s:i, s:I, s:i, s:s?}", "row", message_rows[row].name,
      "program", row >= MESSAGE_FIRST_LIMIT ? "limit" : programs[program], "best",
      best(cell, MESSAGE_ELAPSED), "median", bench_median(cell->times[MESSAGE_ELAPSED]),
      "processor_best", best(cell, MESSAGE_PROCESSOR), "processor_median",
      bench_median(cell->times[MESSAGE_PROCESSOR]), "runs", (int)cell->times[MESSAGE_ELAPSED]->len,
      "peak_kib", (json_int_t)cell->peak, "failures", (int)cell->failures, "problem",
      cell->problem);
}

/* null where there is nothing to hold it against. */
static json_t *
met_json(const MessageSize *size, MessageRow row, MessageClock clock)
{
  View view = { size, clock };
  double bar = time_bar(&view, row), time = median(&view, row, MESSAGE_SIGNET);

  return bar > 0 && time > 0 ? json_boolean(time <= bar) : json_null();
}

static json_t *
bar_json(const MessageSize *size, MessageRow row)
{
  View view = { size, MESSAGE_ELAPSED };
  const MessageCell *cell = &size->cells[row][MESSAGE_SIGNET];
  gboolean ran = cell->times[MESSAGE_ELAPSED]->len > 0;

  return json_pack("{s:s, s:f, s:o, s:o, s:o}", "row", message_rows[row].name, "at_most",
                   time_bar(&view, row), "time_met", met_json(size, row, MESSAGE_ELAPSED),
                   "processor_met", met_json(size, row, MESSAGE_PROCESSOR), "memory_met",
                   ran ? json_boolean(memory_met(cell)) : json_null());
}

json_t *
message_size_json(const MessageSize *size)
{
  json_t *cells = json_array(), *bars = json_array();

  for (MessageRow row = 0; row < N_MESSAGE_ROWS; row++) {
    for (MessageProgram program = 0; program < N_MESSAGE_PROGRAMS; program++) {
      if (row < MESSAGE_FIRST_LIMIT || program == 0)
        json_array_append_new(cells, cell_json(size, row, program));
    }
    if (row < MESSAGE_FIRST_LIMIT)
      json_array_append_new(bars, bar_json(size, row));
  }
  return json_pack("{s:s, s:I, s:o, s:o}", "size", size->name, "bytes", (json_int_t)size->bytes,
                   "figures", cells, "bars", bars);
}
