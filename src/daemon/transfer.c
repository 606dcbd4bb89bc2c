/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transfer.h"

#include "base/error.h"
#include "base/log.h"
#include "daemon/pins.h"
#include "wire/limits.h"
#include "wire/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRANSFERS_MAX 8
#define TRANSFERS_PER_PROCESS 4 /* so that one program leaves room for the others */
/* The process ends itself at a deadline; signetd only where that failed. */
#define GRACE_MS 500
#define END_POLL_MS 200
#define BIND_SERIAL 1
#define ANSWER_MAX (16 * 1024) /* an error with its text */
/* A module that lists a token while another process writes there may fail (SoftHSM 2.6.1). */
#define FINISH_TRIES 4
#define FINISH_AGAIN_MS 200
#define TURN_MS 20

typedef struct {
  Daemon *daemon;
  DaemonCall *call; /* NULL: it was answered */
  pid_t client;
  DaemonToken *token; /* (nullable) */
  GError *reason;     /* (nullable) why it was killed */
  gboolean tried;     /* the PIN was sent, and what came of it is not booked yet */
  guint failures;     /* of that PIN, before */
  gboolean started;   /* from then on its end frees this */
  pid_t pid;          /* 0: none */
  int pidfd; /* -1: this kernel (before 5.3), or valgrind, has none: looked at now and then */
  GSource *end;
  guint end_timer;
  int fd; /* our end; -1: the client has it */
  GSource *io;
  guint8 *answer;
  gsize length;
  guint timer;
} Transfer;

static void
let_go(Transfer *self)
{
  daemon_io_remove(&self->io);
  if (self->fd >= 0)
    close(self->fd);
  self->fd = -1;
}

static void
transfer_free(gpointer data)
{
  Transfer *self = data;
  let_go(self);
  daemon_io_remove(&self->end);
  daemon_timer_clear(&self->timer);
  daemon_timer_clear(&self->end_timer);
  if (self->pid) {
    kill(self->pid, SIGKILL);
    waitpid(self->pid, NULL, WNOHANG);
  }
  if (self->pidfd >= 0)
    close(self->pidfd);
  g_clear_pointer(&self->token, daemon_token_unref);
  g_clear_error(&self->reason);
  g_free(self->answer);
  g_free(self);
}

/* Its end is told by the kernel, later. */
static void
transfer_kill(Transfer *self, GError *reason /* taken */)
{
  if (self->reason)
    g_error_free(reason);
  else
    self->reason = reason;
  if (self->pid)
    kill(self->pid, SIGKILL);
}

/* ---- the answer to Open ---- */

static void
fail(Transfer *self, const GError *error)
{
  DaemonCall *call = g_steal_pointer(&self->call);
  let_go(self);
  if (call)
    daemon_call_fail(call, error);
  if (!self->started)
    g_ptr_array_remove_fast(self->daemon->transfers, self);
}

static gboolean
overdue(gpointer user_data)
{
  Transfer *self = user_data;
  GError *error = NULL;
  self->timer = 0;
  base_error_set(&error, SIGNET_ERROR_TIMEOUT, "the process that opens files did not answer");
  transfer_kill(self, error);
  return G_SOURCE_REMOVE;
}

static void
hand_over(Transfer *self)
{
  DaemonCall *call = g_steal_pointer(&self->call);
  int fd = self->fd;
  self->fd = -1;
  daemon_io_remove(&self->io);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  daemon_timer_set(&self->timer, WIRE_TRANSFER_LIFE_MS + GRACE_MS, overdue, self);
  if (self->token)
    daemon_token_used(self->token);
  json_t *reply = json_object();
  wire_json_set_text(reply, "token", self->token ? daemon_token_label(self->token) : NULL);
  daemon_call_reply_fd(call, reply, fd); /* a client that left closes it, and the process ends */
}

/* A PIN that failed, or may have, is not used again: the token is locked. */
static void
book(Transfer *self, const GError *error, GError **ret_error)
{
  DaemonToken *token = self->token;
  DaemonPins *pins = token->daemon->pins;
  self->tried = FALSE;
  daemon_login_book(token, token->identity, token->pin, error, ret_error);
  if (!error || daemon_pins_failures(pins, token->identity) <= self->failures)
    return;
  base_log("%s is locked: its PIN did not serve to open a transfer", daemon_token_label(token));
  daemon_login_lock(token, NULL, NULL);
  if (token->present)
    daemon_tokens_list(token->host); /* its warning flags */
}

static void
bound(Transfer *self, const GError *error)
{
  g_autoptr(GError) told = NULL;
  if (self->tried && self->token)
    book(self, error, &told);
  else if (error)
    told = g_error_copy(error);
  if (!told) {
    hand_over(self);
    return;
  }
  transfer_kill(self, g_error_copy(told));
  fail(self, told);
}

/* ---- the process ---- */

static gboolean
read_answer(Transfer *self, GError **error)
{
  WireHeader header;
  WireReader reader;
  if (!wire_header_unpack(self->answer, &header, NULL) || header.serial != BIND_SERIAL ||
      self->length != WIRE_HEADER_SIZE + (gsize)header.length ||
      (header.kind != WIRE_OK && header.kind != WIRE_ERROR))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the process that opens files answers nonsense");
  if (header.kind == WIRE_ERROR) {
    wire_error_unpack(self->answer + WIRE_HEADER_SIZE, header.length, error);
    return FALSE;
  }
  wire_reader_start(&reader, self->answer + WIRE_HEADER_SIZE, header.length);
  return wire_reader_done(&reader, "the answer of the process that opens files", error);
}

static gboolean
is_whole(const Transfer *self)
{
  WireHeader header;
  if (self->length < WIRE_HEADER_SIZE)
    return FALSE;
  return !wire_header_unpack(self->answer, &header, NULL) ||
         header.length > ANSWER_MAX - WIRE_HEADER_SIZE ||
         self->length >= WIRE_HEADER_SIZE + (gsize)header.length;
}

/* Takes in what is there. FALSE: no more will come. */
static gboolean
receive(Transfer *self)
{
  while (self->length < ANSWER_MAX) {
    ssize_t got =
        recv(self->fd, self->answer + self->length, ANSWER_MAX - self->length, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return got < 0 && errno == EAGAIN;
    self->length += (gsize)got;
  }
  return TRUE;
}

static void
answered(int fd G_GNUC_UNUSED, GIOCondition condition G_GNUC_UNUSED, gpointer user_data)
{
  Transfer *self = user_data;
  g_autoptr(GError) error = NULL;
  gboolean open = receive(self);
  if (is_whole(self)) {
    read_answer(self, &error);
    bound(self, error);
  } else if (!open) {
    daemon_io_remove(&self->io); /* its end says the rest */
  }
}

/* What a wrong or half-known PIN comes to is booked even when the token was locked meanwhile. */
static void
end_unanswered(Transfer *self)
{
  g_autoptr(GError) error = NULL;
  if (!self->reason && self->fd >= 0 && self->token && (receive(self), is_whole(self)))
    read_answer(self, &error);
  if (!error && !self->reason)
    base_error_set(&error, SIGNET_ERROR_FAILED,
                   "the process that opens files ended before it was ready; see signetd's log");
  if (self->reason && self->reason->code == SIGNET_ERROR_PIN_REQUIRED && self->tried &&
      self->token) {
    g_autoptr(GError) unknown = g_error_new_literal(SIGNET_ERROR, SIGNET_ERROR_FAILED, "");
    g_autoptr(GError) booked = NULL;
    book(self, unknown, &booked);
  }
  bound(self, self->reason ? self->reason : error);
}

/* FALSE: it runs still. */
static gboolean
look_at_end(Transfer *self)
{
  int status = 0;
  if (waitpid(self->pid, &status, WNOHANG) == 0)
    return FALSE;
  if (!self->reason && WIFSIGNALED(status))
    base_log("process %d, which opened files, ended by signal %d", (int)self->pid,
             WTERMSIG(status));
  self->pid = 0;
  if (self->call)
    end_unanswered(self);
  DaemonToken *token = self->token;
  if (token && token->present && !token->away)
    daemon_token_refresh(token, NULL, NULL);
  g_ptr_array_remove_fast(self->daemon->transfers, self);
  return TRUE;
}

static void
ended(int fd G_GNUC_UNUSED, GIOCondition condition G_GNUC_UNUSED, gpointer user_data)
{
  look_at_end(user_data);
}

static gboolean
end_poll(gpointer user_data)
{
  Transfer *self = user_data;
  self->end_timer = 0;
  if (!look_at_end(self))
    daemon_timer_set(&self->end_timer, END_POLL_MS, end_poll, self);
  return G_SOURCE_REMOVE;
}

static gboolean
start(Transfer *self, GError **error)
{
  if (!daemon_spawn_transfer(self->token ? &self->token->host->spec : NULL, &self->pid, &self->fd,
                             error))
    return FALSE;
  self->started = TRUE;
  self->pidfd = (int)syscall(SYS_pidfd_open, self->pid, 0);
  if (self->pidfd >= 0)
    self->end = daemon_io_add(self->pidfd, G_IO_IN, ended, self);
  else
    daemon_timer_set(&self->end_timer, END_POLL_MS, end_poll, self);
  daemon_count(self->daemon, "transfers", 1);
  return TRUE;
}

static gboolean
send_bind(Transfer *self, guint deadline_ms, GError **error)
{
  const WireToken *record = self->token->record;
  BaseSecret *pin = self->token->pin;
  g_auto(WirePacker) body = { 0 };
  guint8 packed[WIRE_HEADER_SIZE];
  DaemonQueue out;
  wire_pack_text(&body, record->serial);
  wire_pack_text(&body, record->label);
  wire_pack_text(&body, record->manufacturer);
  wire_pack_text(&body, record->model);
  wire_pack_bytes(&body, pin ? base_secret_bytes(pin) : NULL, pin ? base_secret_length(pin) : 0);
  const WireHeader header = { .length = (guint32)body.length,
                              .serial = BIND_SERIAL,
                              .kind = WIRE_TRANSFER_BIND,
                              .deadline = deadline_ms };
  wire_header_pack(&header, packed);
  daemon_queue_init(&out);
  daemon_queue_add_frame(&out, packed, sizeof packed, body.bytes, body.length, -1);
  daemon_queue_write(&out, self->fd);
  gboolean sent = out.bytes == 0; /* so small a frame always fits into an empty socket */
  daemon_queue_clear(&out);
  return sent || base_error_set(error, SIGNET_ERROR_FAILED,
                                "the process that opens files takes no request");
}

static void
start_bound(Transfer *self)
{
  g_autoptr(GError) error = NULL;
  DaemonToken *token = self->token;
  guint deadline =
      token->host->spec.profile->start_ms + daemon_token_deadline(token, WIRE_HOST_LOGIN);
  if (!start(self, &error)) {
    fail(self, error);
    return;
  }
  self->answer = g_malloc(ANSWER_MAX);
  if (token->pin) {
    self->tried = TRUE;
    self->failures = daemon_pins_failures(token->daemon->pins, token->identity);
    daemon_pins_attempt(token->daemon->pins, token->identity);
    daemon_count(token->daemon, "logins", 1);
  }
  if (!send_bind(self, deadline, &error)) {
    bound(self, error);
    return;
  }
  self->io = daemon_io_add(self->fd, G_IO_IN, answered, self);
  daemon_timer_set(&self->timer, deadline + GRACE_MS, overdue, self);
}

/* The cached PIN is about to be tried by another process. */
static gboolean
check_pin(DaemonToken *token, GError **error)
{
  guint32 flags = token->record->flags;
  if (!(flags & WIRE_TOKEN_LOGIN_REQUIRED) || (flags & WIRE_TOKEN_PROTECTED_PATH))
    return TRUE;
  if (token->pin && !(flags & (WIRE_TOKEN_USER_FINAL_TRY | WIRE_TOKEN_USER_LOCKED)))
    return daemon_login_check_pin(token, token->identity, token->pin, FALSE, error);
  daemon_login_lock(token, NULL, NULL); /* so that a person is asked for it */
  daemon_login_required(token, error);
  return FALSE;
}

/* A PIN that another process is trying may turn out wrong: a second would spend another try. */
static gboolean
is_tried_now(const Transfer *self)
{
  const GPtrArray *all = self->daemon->transfers;
  for (guint i = 0; i < all->len; i++) {
    const Transfer *other = all->pdata[i];
    if (other != self && other->tried && strcmp(other->token->identity, self->token->identity) == 0)
      return TRUE;
  }
  return FALSE;
}

static void logged_in(gpointer user_data, const GError *error);

static gboolean
take_turn(gpointer user_data)
{
  Transfer *self = user_data;
  self->timer = 0;
  daemon_token_login(self->token, logged_in, self);
  return G_SOURCE_REMOVE;
}

static void
logged_in(gpointer user_data, const GError *error)
{
  Transfer *self = user_data;
  g_autoptr(GError) refused = NULL;
  if (error)
    fail(self, error);
  else if (is_tried_now(self))
    daemon_timer_set(&self->timer, TURN_MS, take_turn, self);
  else if (!check_pin(self->token, &refused))
    fail(self, refused);
  else
    start_bound(self);
}

/* ---- the methods ---- */

static gboolean
find_token(Transfer *self, GError **error)
{
  const char *name = NULL;
  if (!wire_json_get_text(daemon_call_parameters(self->call), "token", TRUE, WIRE_NAME_MAX, &name,
                          error))
    return FALSE;
  if (!name)
    return TRUE;
  self->token = daemon_token_find(self->daemon, name, error);
  if (!self->token)
    return FALSE;
  if (!(self->token->record->flags & WIRE_TOKEN_INITIALIZED))
    return base_error_set(error, SIGNET_ERROR_PIN_NOT_SET,
                          "the token in %s is blank: initialise it first",
                          self->token->record->slot_description);
  return TRUE;
}

static gboolean
check_room(DaemonCall *call, GError **error)
{
  const GPtrArray *all = daemon_call_daemon(call)->transfers;
  guint own = 0;
  for (guint i = 0; i < all->len; i++)
    own += ((const Transfer *)all->pdata[i])->client == daemon_call_process(call);
  if (own >= TRANSFERS_PER_PROCESS)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                          "this program has %u files open already; close one first", own);
  if (all->len >= TRANSFERS_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                          "%u files are being opened already; wait until one is done", all->len);
  return TRUE;
}

static void
open_transfer(DaemonCall *call)
{
  Daemon *daemon = daemon_call_daemon(call);
  g_autoptr(GError) error = NULL;
  if (!check_room(call, &error)) {
    daemon_call_fail(call, error);
    return;
  }
  Transfer *self = g_new0(Transfer, 1);
  self->daemon = daemon;
  self->call = call;
  self->client = daemon_call_process(call);
  self->fd = self->pidfd = -1;
  g_ptr_array_add(daemon->transfers, self);
  gboolean found = find_token(self, &error);
  if (found && self->token)
    daemon_token_login(self->token, logged_in, self);
  else if (found && start(self, &error))
    hand_over(self);
  else
    fail(self, error);
}

typedef struct {
  DaemonCall *call;
  DaemonToken *token;
  guint tries;
  guint timer;
} Finish;

static gboolean finish_read(gpointer user_data);

static void
finish_done(gpointer user_data, const GError *error)
{
  Finish *self = user_data;
  if (error && ++self->tries < FINISH_TRIES && self->token->present) {
    daemon_timer_set(&self->timer, FINISH_AGAIN_MS, finish_read, self);
    return;
  }
  if (error)
    daemon_call_fail(self->call, error);
  else
    daemon_call_reply(self->call, NULL);
  daemon_token_unref(self->token);
  g_free(self);
}

static gboolean
finish_read(gpointer user_data)
{
  Finish *self = user_data;
  self->timer = 0;
  daemon_token_refresh(self->token, finish_done, self);
  return G_SOURCE_REMOVE;
}

static void
finish_transfer(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  const char *name = NULL;
  DaemonToken *token = NULL;
  if (wire_json_get_text(daemon_call_parameters(call), "token", FALSE, WIRE_NAME_MAX, &name,
                         &error))
    token = daemon_token_find(daemon_call_daemon(call), name, &error);
  if (!token) {
    daemon_call_fail(call, error);
    return;
  }
  Finish *self = g_new0(Finish, 1);
  self->call = call;
  self->token = token;
  finish_read(self);
}

gboolean
daemon_transfers_bound(const DaemonToken *token)
{
  const GPtrArray *all = token->daemon->transfers;
  for (guint i = 0; i < all->len; i++) {
    const Transfer *self = all->pdata[i];
    if (self->token == token && self->pid)
      return TRUE;
  }
  return FALSE;
}

void
daemon_transfers_end(DaemonToken *token)
{
  GPtrArray *all = token->daemon->transfers;
  for (guint i = 0; i < all->len; i++) {
    Transfer *self = all->pdata[i];
    GError *error = NULL;
    if (self->token != token || !self->pid)
      continue;
    if (token->present)
      daemon_login_required(token, &error);
    else
      base_error_set(&error, SIGNET_ERROR_TOKEN_GONE, "the token \"%s\" was removed",
                     daemon_token_label(token));
    transfer_kill(self, error);
  }
}

GPtrArray *
daemon_transfers_new(void)
{
  return g_ptr_array_new_with_free_func(transfer_free);
}

void
daemon_transfers_free(Daemon *daemon)
{
  for (guint i = 0; i < daemon->transfers->len; i++) {
    Transfer *self = daemon->transfers->pdata[i];
    DaemonCall *call = g_steal_pointer(&self->call);
    if (call)
      daemon_call_fail_with(call, SIGNET_ERROR_TOKEN_GONE, "signetd ends");
  }
  g_ptr_array_unref(daemon->transfers);
}

const DaemonMethod daemon_transfer_methods[] = {
  { "org.signet.Transfer.Open", open_transfer, DAEMON_METHOD_SETTLED },
  { "org.signet.Transfer.Finish", finish_transfer, DAEMON_METHOD_SETTLED },
  { NULL, NULL, 0 },
};
