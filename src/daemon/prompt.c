/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/prompt.h"

#include "base/error.h"
#include "base/log.h"
#include "daemon/pins.h"
#include "wire/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX (WIRE_HEADER_SIZE + 4096)
#define HELPER_FD_FLOOR 10

typedef struct {
  DaemonCall *call;
  DaemonPromptDone done;
} Waiter;

struct DaemonPrompt {
  DaemonToken *token;
  pid_t pid;
  int fd;
  GSource *io;
  GPtrArray *waiters; /* Waiter */
  guint8 answer[ANSWER_MAX];
  gsize length;
};

static void
prompt_free(DaemonPrompt *prompt)
{
  if (prompt->token->prompt == prompt)
    prompt->token->prompt = NULL;
  daemon_io_remove(&prompt->io);
  if (prompt->fd >= 0)
    close(prompt->fd);
  if (prompt->pid) {
    kill(-prompt->pid, SIGKILL); /* its group: pinentry too */
    daemon_spawn_reap(prompt->pid, NULL);
  }
  base_wipe(prompt->answer, sizeof prompt->answer);
  g_ptr_array_unref(prompt->waiters);
  daemon_token_unref(prompt->token);
  g_free(prompt);
}

static void
prompt_end(DaemonPrompt *prompt, gboolean already, const GError *error)
{
  g_autoptr(GPtrArray) waiters = g_ptr_array_ref(prompt->waiters);
  g_autoptr(DaemonToken) token = daemon_token_ref(prompt->token);
  for (guint i = 0; i < waiters->len; i++)
    daemon_call_on_gone(((Waiter *)waiters->pdata[i])->call, NULL, NULL);
  prompt_free(prompt);
  for (guint i = 0; i < waiters->len; i++) {
    Waiter *waiter = waiters->pdata[i];
    waiter->done(waiter->call, token, already, error);
  }
}

static void
login_done(gpointer user_data, gboolean already, const GError *error)
{
  prompt_end(user_data, already, error);
}

static void
take_answer(DaemonPrompt *prompt, const WireHeader *header)
{
  const guint8 *body = prompt->answer + WIRE_HEADER_SIZE;
  DaemonToken *token = prompt->token;
  g_autoptr(GError) error = NULL;
  if (header->kind != WIRE_OK) {
    wire_error_unpack(body, header->length, &error);
    prompt_end(prompt, FALSE, error);
    return;
  }
  BaseSecret *pin = base_secret_new_from(body, header->length);
  base_wipe(prompt->answer, sizeof prompt->answer);
  daemon_io_remove(&prompt->io); /* who comes while the PIN is checked shares the outcome */
  daemon_login_try(token, pin, FALSE, login_done, prompt);
}

static void
helper_io(int fd, GIOCondition condition G_GNUC_UNUSED, gpointer user_data)
{
  DaemonPrompt *prompt = user_data;
  g_autoptr(GError) error = NULL;
  WireHeader header = { 0 };
  ssize_t got =
      recv(fd, prompt->answer + prompt->length, ANSWER_MAX - prompt->length, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (got > 0) {
    prompt->length += (gsize)got;
    if (prompt->length < WIRE_HEADER_SIZE)
      return;
    if (wire_header_unpack(prompt->answer, &header, &error) &&
        header.length <= ANSWER_MAX - WIRE_HEADER_SIZE) {
      if (prompt->length >= WIRE_HEADER_SIZE + (gsize)header.length)
        take_answer(prompt, &header);
      return;
    }
  }
  g_clear_error(&error);
  base_error_set(&error, SIGNET_ERROR_PIN_REQUIRED,
                 "nobody could be asked for the PIN of \"%s\": pinentry ended",
                 daemon_token_label(prompt->token));
  prompt_end(prompt, FALSE, error);
}

/* The client left; the last one takes the question with it. */
static void
waiter_gone(DaemonCall *call, gpointer user_data)
{
  DaemonPrompt *prompt = user_data;
  g_autoptr(GError) error = NULL;
  for (guint i = 0; i < prompt->waiters->len; i++) {
    Waiter *waiter = prompt->waiters->pdata[i];
    if (waiter->call == call) {
      g_ptr_array_remove_index(prompt->waiters, i);
      break;
    }
  }
  base_error_set(&error, SIGNET_ERROR_CANCELLED, "the client left");
  daemon_call_fail(call, error);
  if (prompt->waiters->len == 0 && prompt->io)
    prompt_free(prompt);
}

static void
add_waiter(DaemonPrompt *prompt, DaemonCall *call, DaemonPromptDone done)
{
  Waiter *waiter = g_new0(Waiter, 1);
  waiter->call = call;
  waiter->done = done;
  g_ptr_array_add(prompt->waiters, waiter);
  daemon_call_on_gone(call, waiter_gone, prompt);
}

static char *
describe(DaemonToken *token, const char *program, const char *operation)
{
  guint32 flags = token->record->flags;
  int left = daemon_token_tries_left(token);
  g_autofree char *tries = left > 0 ? g_strdup_printf("\n%d tries left.", left) : g_strdup("");
  const char *warning = flags & WIRE_TOKEN_USER_FINAL_TRY
                            ? "\nThis is the LAST try: a wrong PIN blocks the token."
                        : flags & WIRE_TOKEN_USER_COUNT_LOW ? "\nA wrong PIN was typed before."
                                                            : "";
  return g_strdup_printf("PIN of \"%s\" (%s %s)\nfor %s%s%s%s%s", daemon_token_label(token),
                         token->record->manufacturer, token->record->serial, program,
                         operation && *operation ? ": " : "", operation ? operation : "",
                         left > 1 ? tries : "", warning);
}

static const char *
member(const json_t *interaction, const char *name)
{
  const char *text = json_string_value(json_object_get(interaction, name));
  return text && strlen(text) <= WIRE_NAME_MAX ? text : "";
}

static void
pack_question(DaemonCall *call, DaemonToken *token, const json_t *interaction, const char *pinentry,
              WirePacker *body)
{
  g_autofree char *description =
      describe(token, daemon_call_program(call), member(interaction, "operation"));
  const char *fields[DAEMON_ASK_FIELDS] = {
    [DAEMON_ASK_PROGRAM] = pinentry,
    [DAEMON_ASK_DISPLAY] = member(interaction, "display"),
    [DAEMON_ASK_WAYLAND] = member(interaction, "wayland_display"),
    [DAEMON_ASK_XAUTHORITY] = member(interaction, "xauthority"),
    [DAEMON_ASK_TTY] = member(interaction, "tty"),
    [DAEMON_ASK_TERM] = member(interaction, "term"),
    [DAEMON_ASK_LOCALE] = member(interaction, "locale"),
    [DAEMON_ASK_DESCRIPTION] = description,
    [DAEMON_ASK_PROMPT] = "PIN:",
  };
  for (int i = 0; i < DAEMON_ASK_FIELDS; i++)
    wire_pack_text(body, fields[i]);
}

static gboolean
spawn_helper(DaemonPrompt *prompt, GError **error)
{
  int pair[2];
  char program[4096];
  ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  if (length <= 0)
    return base_error_set_errno(error, errno, "cannot find signetd's own program");
  program[length] = '\0';
  char option[] = "--ask-pin";
  char *argv[] = { program, option, NULL };
  g_auto(GStrv) environment = daemon_spawn_environment();
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    return base_error_set_errno(error, errno, "cannot make a socket pair");
  int child = fcntl(pair[1], F_DUPFD_CLOEXEC, HELPER_FD_FLOOR);
  close(pair[1]);
  prompt->fd = pair[0];
  gboolean done = child >= 0 && daemon_spawn(argv, environment, child, &prompt->pid, error);
  if (child >= 0)
    close(child);
  return done;
}

static char *
pinentry_program(Daemon *daemon, GError **error)
{
  const char *chosen = base_config_text(daemon->config, "pin", "pinentry");
  char *path =
      chosen && *chosen ? g_find_program_in_path(chosen) : g_find_program_in_path("pinentry");
  if (!path)
    base_error_set(error, SIGNET_ERROR_PIN_REQUIRED,
                   "the token is locked, and there is no pinentry program to ask for its PIN; "
                   "install pinentry");
  return path;
}

static DaemonPrompt *
prompt_new(DaemonCall *call, DaemonToken *token, const json_t *interaction, GError **error)
{
  g_auto(WirePacker) body = { 0 };
  guint8 packed[WIRE_HEADER_SIZE];
  g_autofree char *pinentry = pinentry_program(token->daemon, error);
  if (!pinentry)
    return NULL;
  DaemonPrompt *prompt = g_new0(DaemonPrompt, 1);
  prompt->token = daemon_token_ref(token);
  prompt->fd = -1;
  prompt->waiters = g_ptr_array_new_with_free_func(g_free);
  if (!spawn_helper(prompt, error)) {
    prompt_free(prompt);
    return NULL;
  }
  pack_question(call, token, interaction, pinentry, &body);
  const WireHeader header = { .length = (guint32)body.length, .serial = 1, .kind = 1 };
  wire_header_pack(&header, packed);
  /* A fresh socket pair takes far more than these few kilobytes at once. */
  DaemonQueue queue;
  daemon_queue_init(&queue);
  daemon_queue_add_frame(&queue, packed, sizeof packed, body.bytes, body.length, -1);
  daemon_queue_write(&queue, prompt->fd);
  daemon_queue_clear(&queue);
  prompt->io = daemon_io_add(prompt->fd, G_IO_IN, helper_io, prompt);
  token->prompt = prompt;
  return prompt;
}

void
daemon_prompt_unlock(DaemonCall *call, DaemonToken *token, const json_t *interaction,
                     DaemonPromptDone done)
{
  g_autoptr(GError) error = NULL;
  if (!token->prompt && !prompt_new(call, token, interaction, &error)) {
    done(call, token, FALSE, error);
    return;
  }
  add_waiter(token->prompt, call, done);
}

void
daemon_prompt_token_gone(DaemonToken *token)
{
  g_autoptr(GError) error = NULL;
  if (!token->prompt || !token->prompt->io)
    return; /* while the PIN is checked, the login's own error tells */
  base_error_set(&error, SIGNET_ERROR_TOKEN_GONE, "the token \"%s\" was removed",
                 daemon_token_label(token));
  prompt_end(token->prompt, FALSE, error);
}
