/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/cli.h"
#include "wire/json.h"
#include "wire/line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* To a descriptor that is not standard output, or before anything is in stdio's buffer. */
static gboolean
write_line(int fd, const char *text)
{
  g_autofree char *line = g_strconcat(text, "\n", NULL);
  gsize length = strlen(line);
  for (gsize at = 0; at < length;) {
    ssize_t done = write(fd, line + at, length - at);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return FALSE;
    at += (gsize)done;
  }
  return TRUE;
}

gboolean
cli_output_is_stdout(const Cli *cli)
{
  if (!cli->args)
    return FALSE;
  const char *output = cli_text(cli, "output");
  return output ? strcmp(output, "-") == 0 : cli->verb && cli->verb->message;
}

static int
json_descriptor(const Cli *cli)
{
  if (cli->json_fd >= 0)
    return cli->json_fd;
  return cli_output_is_stdout(cli) ? STDERR_FILENO : STDOUT_FILENO;
}

/* "signet: …" on standard error. */
static void
print_remark(const char *safe)
{
  g_autofree char *line = g_strconcat("signet: ", safe, NULL);
  g_autofree char *wrapped = cli_wrapped(line, cli_columns(STDERR_FILENO));
  fprintf(stderr, "%s\n", wrapped);
}

static void G_GNUC_PRINTF(1, 0) print_wrapped(const char *format, va_list args)
{
  g_autofree char *text = g_strdup_vprintf(format, args);
  g_autofree char *wrapped = cli_wrapped(text, cli_columns(STDOUT_FILENO));
  puts(wrapped);
}

void
cli_print_wrapped(const char *format, ...)
{
  va_list args;
  va_start(args, format);
  print_wrapped(format, args);
  va_end(args);
}

void
cli_say(const Cli *cli, const char *format, ...)
{
  if (cli->json || cli->quiet)
    return;
  va_list args;
  va_start(args, format);
  print_wrapped(format, args);
  va_end(args);
}

void
cli_note(const Cli *cli, const char *format, ...)
{
  if (cli->json || cli->quiet)
    return;
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_autofree char *safe = cli_safe(text);
  print_remark(safe);
}

void
cli_status(const Cli *cli, const char *format, ...)
{
  if (cli->status_fd < 0)
    return;
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_autofree char *safe = cli_safe(text);
  write_line(cli->status_fd, safe);
}

static gboolean
print_json(Cli *cli, const json_t *object, GError **error)
{
  int fd = json_descriptor(cli);
  gsize length;
  char *text = wire_json_text(object, &length);
  gboolean written = text && write_line(fd, text);
  int saved = errno;
  if (text)
    wire_text_free(text, length);
  if (!written)
    return base_error_set_errno(error, saved, "cannot write the JSON result to descriptor %d", fd);
  cli->printed_json = TRUE;
  return TRUE;
}

gboolean
cli_json(Cli *cli, json_t *object, GError **error)
{
  g_autoptr(WireJson) owned = object;
  return !cli->json || print_json(cli, owned, error);
}

/* ---- errors ---- */

static void
report_json(Cli *cli, const GError *error)
{
  const SignetErrorDetails *details = signet_error_get_details(error);
  const char *name = error->domain == SIGNET_ERROR ? base_error_name(error->code) : "Failed";
  g_autoptr(WireJson) object = json_object();
  wire_json_set_text(object, "error", name);
  wire_json_set_text(object, "message", error->message);
  if (details && details->tries_left >= 0)
    json_object_set_new(object, "tries_left", json_integer(details->tries_left));
  if (details && details->token)
    wire_json_set_text(object, "token", details->token);
  if (details && details->candidates)
    wire_json_set_strv(object, "candidates", details->candidates);
  if (details && details->try_command)
    wire_json_set_strv(object, "try", details->try_command);
  print_json(cli, object, NULL);
}

/* A word as a shell takes it, quoted only where it must be. */
static char *
shell_word(const char *word)
{
  gboolean plain = *word != '\0';
  for (const char *at = word; plain && *at; at++)
    plain = g_ascii_isalnum(*at) || strchr("-_./:@%+=,", *at) != NULL;
  /* A label comes from a card: what is copied into a shell must not run. */
  return plain ? g_strdup(word) : g_shell_quote(word);
}

void
cli_report_error(Cli *cli, const GError *error)
{
  if (cli->json && !cli->printed_json) {
    report_json(cli, error);
    return;
  }
  const SignetErrorDetails *details = signet_error_get_details(error);
  g_autofree char *message = cli_safe(error->message);
  print_remark(message);
  for (int i = 0; details && details->candidates && details->candidates[i]; i++) {
    g_autofree char *candidate = cli_safe(details->candidates[i]);
    fprintf(stderr, "  %s\n", candidate);
  }
  if (!details || !details->try_command)
    return;
  fputs("Try:", stderr);
  for (int i = 0; details->try_command[i]; i++) {
    g_autofree char *safe = cli_safe(details->try_command[i]);
    g_autofree char *word = shell_word(safe);
    fprintf(stderr, " %s", word);
  }
  fputc('\n', stderr);
}
