/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "daemon/broker.h"
#include "wire/limits.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_AT_ONCE (64 * 1024)
#define STREAM_LOW_WATER (64 * 1024)
#define GATHERED (16 * 1024) /* of a stream before it is written: fewer system calls */
#define CLOSING_MS 2000      /* to take the last answer */

static void connection_io(int fd, GIOCondition condition, gpointer user_data);

DaemonConnection *
daemon_connection_new(Daemon *daemon, int fd, pid_t pid, uid_t uid)
{
  DaemonConnection *connection = g_new0(DaemonConnection, 1);
  connection->daemon = daemon;
  connection->fd = fd;
  connection->pid = pid;
  connection->uid = uid;
  connection->last_used = g_get_monotonic_time();
  daemon_queue_init(&connection->out);
  connection->io = daemon_io_add(fd, G_IO_IN, connection_io, connection);
  g_ptr_array_add(daemon->connections, connection);
  return connection;
}

void
daemon_connection_close(DaemonConnection *connection)
{
  Daemon *daemon = connection->daemon;
  g_ptr_array_remove_fast(daemon->connections, connection);
  daemon_io_remove(&connection->io);
  daemon_timer_clear(&connection->half_timer);
  daemon_timer_clear(&connection->next_idle);
  close(connection->fd);
  if (connection->call)
    daemon_call_abandon(connection->call);
  wire_lines_clear(&connection->in);
  daemon_queue_clear(&connection->out);
  g_free(connection);
  daemon_quiet_check(daemon);
}

/* Input is taken only while no request is under way and the answers are read: a client
 * that sends ahead, or never reads, fills its own socket buffer and nothing of ours. */
static gboolean
takes_input(const DaemonConnection *connection)
{
  return !connection->call && !connection->closing && connection->out.bytes < STREAM_LOW_WATER;
}

static void
update_events(DaemonConnection *connection)
{
  GIOCondition events = 0;
  if (connection->out.bytes > 0)
    events |= G_IO_OUT;
  if (takes_input(connection) && !connection->next_idle && !connection->seen_end)
    events |= G_IO_IN;
  daemon_io_want(connection->io, events);
}

static gboolean
half_time_over(gpointer user_data)
{
  DaemonConnection *connection = user_data;
  connection->half_timer = 0;
  if (connection->closing)
    daemon_connection_close(connection);
  else
    daemon_connection_refuse(connection, SIGNET_ERROR_TIMEOUT,
                             "the message was begun but not finished in time");
  return G_SOURCE_REMOVE;
}

/* Writes what goes; FALSE: it was closed. */
static gboolean
flush(DaemonConnection *connection)
{
  if (!daemon_queue_write(&connection->out, connection->fd)) {
    daemon_connection_close(connection);
    return FALSE;
  }
  if (connection->closing && connection->out.bytes == 0) {
    daemon_connection_close(connection);
    return FALSE;
  }
  update_events(connection);
  return TRUE;
}

gboolean
daemon_connection_send(DaemonConnection *connection, const json_t *message, int pass_fd)
{
  gsize length = 0;
  char *text = wire_json_text(message, &length);
  daemon_queue_add(&connection->out, text, length, pass_fd);
  wire_text_free(text, length);
  if (connection->out.bytes > WIRE_QUEUE_MAX) {
    daemon_count(connection->daemon, "clients dropped", 1);
    daemon_connection_close(connection);
    return FALSE;
  }
  if (connection->gathers && connection->out.bytes < GATHERED)
    return TRUE;
  return flush(connection);
}

void
daemon_connection_refuse(DaemonConnection *connection, SignetError code, const char *message)
{
  g_autoptr(GError) error = NULL;
  base_error_set(&error, code, "%s", message);
  g_autoptr(WireJson) reply = wire_json_error(error);
  connection->closing = TRUE;
  daemon_timer_set(&connection->half_timer, CLOSING_MS, half_time_over, connection);
  daemon_connection_send(connection, reply, -1);
}

static void
close_when_written(DaemonConnection *connection)
{
  connection->closing = TRUE;
  daemon_timer_set(&connection->half_timer, CLOSING_MS, half_time_over, connection);
  flush(connection);
}

/* Takes one message out of the buffer, if a whole one is there. */
static void
take_message(DaemonConnection *connection)
{
  g_autoptr(GError) error = NULL;
  json_t *message = NULL;

  if (!wire_lines_take(&connection->in, &message, &error)) {
    daemon_count(connection->daemon, "bad messages", 1);
    daemon_connection_refuse(connection, (SignetError)error->code, error->message);
    return;
  }
  if (!message) {
    if (connection->seen_end)
      close_when_written(connection);
    else if (connection->in.length > 0 && !connection->half_timer)
      daemon_timer_set(&connection->half_timer, WIRE_HALF_MESSAGE_MS, half_time_over, connection);
    return;
  }
  daemon_timer_clear(&connection->half_timer);
  if (connection->in.length == 0)
    wire_lines_clear(&connection->in); /* idle connections hold no buffer */
  connection->last_used = g_get_monotonic_time();
  daemon_call_start(connection, message);
}

static gboolean
next_message(gpointer user_data)
{
  DaemonConnection *connection = user_data;
  connection->next_idle = 0;
  update_events(connection);
  take_message(connection);
  return G_SOURCE_REMOVE;
}

static void
schedule_next(DaemonConnection *connection)
{
  if (takes_input(connection) && !connection->next_idle &&
      (connection->in.length > 0 || connection->seen_end))
    connection->next_idle = g_idle_add_full(G_PRIORITY_DEFAULT, next_message, connection, NULL);
}

/* At most one message per turn of the main loop, so that a client with many of them
 * waits in line with everybody else. */
void
daemon_connection_call_done(DaemonConnection *connection)
{
  connection->call = NULL;
  connection->last_used = g_get_monotonic_time();
  schedule_next(connection);
  update_events(connection);
  daemon_quiet_check(connection->daemon);
}

static void
read_some(DaemonConnection *connection)
{
  static char buffer[READ_AT_ONCE]; /* one for all: idle connections cost no memory */
  ssize_t got = recv(connection->fd, buffer, sizeof buffer, MSG_DONTWAIT);

  if (got < 0 && (errno == EINTR || errno == EAGAIN))
    return;
  if (got < 0) {
    daemon_connection_close(connection);
    return;
  }
  if (got == 0) {
    connection->seen_end = TRUE;
    update_events(connection);
  } else {
    memcpy(wire_lines_room(&connection->in, (gsize)got), buffer, (gsize)got);
    wire_lines_filled(&connection->in, (gsize)got);
    base_wipe(buffer, (gsize)got);
  }
  take_message(connection);
}

static void
connection_io(int fd G_GNUC_UNUSED, GIOCondition condition, gpointer user_data)
{
  DaemonConnection *connection = user_data;

  if (condition & G_IO_OUT) {
    if (!flush(connection))
      return;
    if (connection->call && connection->out.bytes < STREAM_LOW_WATER) {
      daemon_call_pump(connection->call); /* may close it: nothing after this line */
      return;
    }
    if (!connection->half_timer) /* not for the rest of a message that is begun */
      schedule_next(connection);
    update_events(connection);
  }
  if (condition & G_IO_IN)
    read_some(connection);
  else if (condition & (G_IO_HUP | G_IO_ERR))
    daemon_connection_close(connection);
}
