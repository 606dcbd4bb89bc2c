/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define WIDTH_MAX 1000

static const char *const codes[] = {
  [CLI_PLAIN] = "", [CLI_BOLD] = "1",   [CLI_DIM] = "2",
  [CLI_RED] = "31", [CLI_GREEN] = "32", [CLI_YELLOW] = "33",
};

static gboolean
wants_colour(int fd)
{
  const char *no_color = g_getenv("NO_COLOR");
  return !(no_color && *no_color) && g_strcmp0(g_getenv("TERM"), "dumb") != 0 && isatty(fd);
}

char *
cli_styled(int stream_fd, CliStyle style, const char *text)
{
  if (style == CLI_PLAIN || !wants_colour(stream_fd))
    return g_strdup(text);
  return g_strdup_printf("\033[%sm%s\033[0m", codes[style], text);
}

const char *
cli_next_char(const char *text)
{
  return text + g_utf8_skip[*(const guint8 *)text];
}

/* Labels, names and headers come from tokens and strangers: an escape sequence in
 * one must not reach the terminal. Format characters (Unicode Cf) could turn the
 * reading direction round and make an address look like another. */
char *
cli_safe(const char *text)
{
  GString *safe = g_string_new(NULL);
  const char *end = text ? text + strlen(text) : NULL;
  while (text && text < end) {
    gunichar c = g_utf8_get_char_validated(text, end - text);
    if (c == (gunichar)-1 || c == (gunichar)-2) {
      g_string_append_printf(safe, "\\x%02x", (guint8)*text++);
      continue;
    }
    GUnicodeType type = g_unichar_type(c);
    if (type == G_UNICODE_CONTROL || type == G_UNICODE_FORMAT || type == G_UNICODE_LINE_SEPARATOR ||
        type == G_UNICODE_PARAGRAPH_SEPARATOR)
      g_string_append_printf(safe, c < 0x80 ? "\\x%02x" : "\\u%04x", c);
    else
      g_string_append_unichar(safe, c);
    text = cli_next_char(text);
  }
  return g_string_free(safe, FALSE);
}

int
cli_columns(int fd)
{
  struct winsize size;
  if (!isatty(fd))
    return 0;
  const char *columns = g_getenv("COLUMNS");
  guint64 chosen;
  if (columns && g_ascii_string_to_unsigned(columns, 10, 1, WIDTH_MAX, &chosen, NULL))
    return (int)chosen;
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return size.ws_col;
  return 80;
}

int
cli_width(const char *text)
{
  int width = 0;
  for (; *text; text = cli_next_char(text)) {
    gunichar c = g_utf8_get_char(text);
    if (c >= ' ' && c < 0x7f) /* nearly all, and the tables are slow */
      width++;
    else if (!g_unichar_iszerowidth(c))
      width += g_unichar_iswide(c) ? 2 : 1;
  }
  return width;
}

static void
append_wrapped(GString *to, const char *line, int columns)
{
  g_auto(GStrv) words = g_strsplit(line, " ", -1);
  int column = 0;
  for (int i = 0; words[i]; i++) {
    int width = cli_width(words[i]);
    gboolean breaks = i > 0 && column + 1 + width > columns;
    g_string_append_printf(to, "%s%s", breaks ? "\n  " : i ? " " : "", words[i]);
    column = (breaks ? 2 : column + (i > 0)) + width;
  }
}

char *
cli_wrapped(const char *text, int columns)
{
  GString *wrapped = g_string_new(NULL);
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (int i = 0; lines[i]; i++) {
    if (i)
      g_string_append_c(wrapped, '\n');
    if (columns <= 0 || lines[i][0] == ' ' || strchr(lines[i], '\033') ||
        cli_width(lines[i]) <= columns)
      g_string_append(wrapped, lines[i]);
    else
      append_wrapped(wrapped, lines[i], columns);
  }
  return g_string_free(wrapped, FALSE);
}

/* By the C library: a GDateTime looks the time zone up anew each time, which in a list of a
 * thousand IDs is three thousand system calls. */
static gboolean
local_time(gint64 seconds, struct tm *ret_parts)
{
  const time_t when = (time_t)seconds;
  return seconds != 0 && localtime_r(&when, ret_parts) != NULL;
}

char *
cli_day(gint64 seconds)
{
  char text[64];
  struct tm parts;
  gboolean told = local_time(seconds, &parts) && strftime(text, sizeof text, "%Y-%m-%d", &parts);
  return g_strdup(told ? text : "-");
}

char *
cli_moment(gint64 seconds)
{
  char text[64];
  struct tm parts;
  gboolean told =
      local_time(seconds, &parts) && strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts);
  return g_strdup(told ? text : "-");
}

char *
cli_join(char *const *words, const char *between, const char *none)
{
  if (!words || !words[0])
    return g_strdup(none);
  GString *all = g_string_new(NULL);
  for (int i = 0; words[i]; i++) {
    g_autofree char *safe = cli_safe(words[i]);
    g_string_append_printf(all, "%s%s", i ? between : "", safe);
  }
  return g_string_free(all, FALSE);
}
