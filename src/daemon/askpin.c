/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The helper process that talks to pinentry, which may block for as long as a person
 * likes. It ends with its one answer, or when the broker kills it. */
#include "base/error.h"
#include "base/secret.h"
#include "daemon/prompt.h"
#include "wire/limits.h"

#include <assuan.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHANNEL_FD 3
#define QUESTION_MS 10000

typedef struct {
  char *fields[DAEMON_ASK_FIELDS];
} Question;

static gboolean
read_question(WireChannel *channel, Question *question, GError **error)
{
  WireReader reader;
  if (!wire_channel_receive(channel, NULL, base_deadline_in(QUESTION_MS), error))
    return FALSE;
  wire_reader_start(&reader, channel->bytes, channel->header.length);
  for (int i = 0; i < DAEMON_ASK_FIELDS; i++)
    question->fields[i] = wire_read_text(&reader, 8 * WIRE_NAME_MAX);
  return wire_reader_done(&reader, "the question", error);
}

/* The Assuan protocol: a line's percent sign and control bytes are written %XX. */
static char *
escaped(const char *text)
{
  GString *line = g_string_new(NULL);
  for (; *text; text++) {
    if (*text == '%' || (guchar)*text < 0x20)
      g_string_append_printf(line, "%%%02X", (guint)(guchar)*text);
    else
      g_string_append_c(line, *text);
  }
  return g_string_free(line, FALSE);
}

static gpg_error_t
say(assuan_context_t context, const char *command, const char *value)
{
  g_autofree char *clean = escaped(value);
  g_autofree char *line = g_strconcat(command, clean, NULL);
  if (strlen(line) >= ASSUAN_LINELENGTH - 2)
    line[ASSUAN_LINELENGTH - 3] = '\0';
  return assuan_transact(context, line, NULL, NULL, NULL, NULL, NULL, NULL);
}

/* An option that pinentry does not know is no reason not to ask. */
static void
say_option(assuan_context_t context, const char *name, const char *value)
{
  if (!*value)
    return;
  g_autofree char *command = g_strconcat("OPTION ", name, "=", NULL);
  say(context, command, value);
}

typedef struct {
  BaseSecret *pin;
  gsize length;
} Taken;

static gpg_error_t
take_data(void *opaque, const void *bytes, size_t length)
{
  Taken *taken = opaque;
  if (taken->length + length > WIRE_PIN_MAX)
    return gpg_error(GPG_ERR_TOO_LARGE);
  if (length)
    memcpy(base_secret_bytes(taken->pin) + taken->length, bytes, length);
  taken->length += length;
  return 0;
}

static gboolean
failed(gpg_error_t code, const char *pinentry, GError **error)
{
  if (gpg_err_code(code) == GPG_ERR_CANCELED || gpg_err_code(code) == GPG_ERR_FULLY_CANCELED)
    return base_error_set(error, SIGNET_ERROR_CANCELLED, "the PIN was not typed: cancelled");
  if (gpg_err_code(code) == GPG_ERR_TIMEOUT)
    return base_error_set(error, SIGNET_ERROR_CANCELLED, "the PIN was not typed in time");
  return base_error_set(error, SIGNET_ERROR_PIN_REQUIRED, "the PIN cannot be asked for: %s: %s",
                        pinentry, gpg_strerror(code));
}

static void
set_surroundings(const Question *question)
{
  static const struct {
    int field;
    const char *variable;
  } variables[] = { { DAEMON_ASK_DISPLAY, "DISPLAY" },
                    { DAEMON_ASK_WAYLAND, "WAYLAND_DISPLAY" },
                    { DAEMON_ASK_XAUTHORITY, "XAUTHORITY" },
                    { DAEMON_ASK_TTY, "GPG_TTY" },
                    { DAEMON_ASK_TERM, "TERM" },
                    { DAEMON_ASK_LOCALE, "LC_ALL" } };
  for (gsize i = 0; i < G_N_ELEMENTS(variables); i++)
    if (*question->fields[variables[i].field])
      setenv(variables[i].variable, question->fields[variables[i].field], 1);
}

static gboolean
ask(assuan_context_t context, const Question *question, BaseSecret **ret_pin, GError **error)
{
  char *const *fields = question->fields;
  g_autoptr(BaseSecret) pin = base_secret_new(WIRE_PIN_MAX);
  Taken taken = { pin, 0 };

  say_option(context, "ttyname", fields[DAEMON_ASK_TTY]);
  say_option(context, "ttytype", fields[DAEMON_ASK_TERM]);
  say_option(context, "display", fields[DAEMON_ASK_DISPLAY]);
  say_option(context, "lc-ctype", fields[DAEMON_ASK_LOCALE]);
  say_option(context, "lc-messages", fields[DAEMON_ASK_LOCALE]);
  say(context, "SETTITLE ", "signet");
  say(context, "SETDESC ", fields[DAEMON_ASK_DESCRIPTION]);
  say(context, "SETPROMPT ", fields[DAEMON_ASK_PROMPT]);
  gpg_error_t code = assuan_transact(context, "GETPIN", take_data, &taken, NULL, NULL, NULL, NULL);
  if (code)
    return failed(code, fields[DAEMON_ASK_PROGRAM], error);
  base_secret_truncate(pin, taken.length);
  *ret_pin = g_steal_pointer(&pin);
  return TRUE;
}

static gboolean
ask_pinentry(const Question *question, BaseSecret **ret_pin, GError **error)
{
  const char *program = question->fields[DAEMON_ASK_PROGRAM];
  g_autofree char *name = g_path_get_basename(program);
  const char *argv[] = { name, NULL };
  assuan_fd_t none[] = { ASSUAN_INVALID_FD };
  assuan_context_t context = NULL;

  set_surroundings(question);
  gpg_error_t code = assuan_new(&context);
  if (code)
    return failed(code, program, error);
  /* What passes through its line buffer is wiped when the command is over. */
  assuan_begin_confidential(context);
  code = assuan_pipe_connect(context, program, argv, none, NULL, NULL, 0);
  gboolean done = code ? failed(code, program, error) : ask(context, question, ret_pin, error);
  assuan_release(context);
  return done;
}

int
daemon_askpin_main(void)
{
  g_auto(WireChannel) channel = { .fd = -1 };
  g_autoptr(BaseSecret) pin = NULL;
  g_autoptr(GError) error = NULL;
  Question question = { { NULL } };

  wire_channel_start(&channel, CHANNEL_FD);
  gboolean done =
      read_question(&channel, &question, &error) && ask_pinentry(&question, &pin, &error);
  g_autoptr(GBytes) said = done ? NULL : wire_error_pack(error);
  const WireHeader header = {
    .length = (guint32)(done ? base_secret_length(pin) : g_bytes_get_size(said)),
    .serial = 1,
    .kind = done ? WIRE_OK : WIRE_ERROR,
  };
  gconstpointer body = done ? base_secret_bytes(pin) : g_bytes_get_data(said, NULL);
  wire_channel_send(&channel, &header, body, base_deadline_in(QUESTION_MS), NULL);
  for (int i = 0; i < DAEMON_ASK_FIELDS; i++)
    g_free(question.fields[i]);
  return done ? 0 : 1;
}
