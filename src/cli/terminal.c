/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/secret.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define ANSWER_MAX 1024

static const int caught_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
static volatile sig_atomic_t caught;

static void
on_signal(int number)
{
  caught = number;
}

static int
open_terminal(void)
{
  return open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

gboolean
cli_terminal_available(const Cli *cli)
{
  if (cli->no_input)
    return FALSE;
  int fd = open_terminal();
  if (fd < 0)
    return FALSE;
  close(fd);
  return TRUE;
}

static void
put(int fd, const char *text)
{
  if (write(fd, text, strlen(text)) < 0)
    return; /* reading from it fails next */
}

/* A line without its newline into `line`; -1: end of file or an error, -2: a signal. `open_to`:
 * the signal mask while it waits; outside of the wait the signals are blocked, so that none can
 * come between looking for it and waiting. NULL: signals do as they always do. */
static gssize
read_line(int fd, char *line, gsize size, const sigset_t *open_to)
{
  gsize length = 0;
  for (;;) {
    char c;
    struct pollfd input = { .fd = fd, .events = POLLIN };
    if (open_to && ppoll(&input, 1, NULL, open_to) < 0 && caught)
      return -2;
    ssize_t got = read(fd, &c, 1);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return length ? (gssize)length : -1;
    if (c == '\n')
      return (gssize)length;
    if (length + 1 < size)
      line[length++] = c;
  }
}

/* The echo is put back before the signal does what it would have done. */
static gssize
read_without_echo(int fd, const char *prompt, char *line, gsize size)
{
  struct sigaction handler = { .sa_handler = on_signal }, before[G_N_ELEMENTS(caught_signals)];
  struct termios saved, silent;
  gboolean is_terminal = tcgetattr(fd, &saved) == 0;
  sigset_t ours, mask;
  caught = 0;
  sigemptyset(&handler.sa_mask);
  sigemptyset(&ours);
  for (gsize i = 0; i < G_N_ELEMENTS(caught_signals); i++)
    sigaddset(&ours, caught_signals[i]);
  pthread_sigmask(SIG_BLOCK, &ours, &mask);
  for (gsize i = 0; i < G_N_ELEMENTS(caught_signals); i++)
    sigaction(caught_signals[i], &handler, &before[i]);
  if (is_terminal) {
    silent = saved;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    silent.c_lflag |= ICANON | ISIG;
    tcsetattr(fd, TCSAFLUSH, &silent);
  }
  /* After the echo is off: what is typed at once must neither show nor be flushed. */
  put(fd, prompt);
  put(fd, ": ");
  gssize length = read_line(fd, line, size, &mask);
  if (is_terminal)
    tcsetattr(fd, TCSAFLUSH, &saved);
  put(fd, "\n");
  for (gsize i = 0; i < G_N_ELEMENTS(caught_signals); i++)
    sigaction(caught_signals[i], &before[i], NULL);
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  return length;
}

BaseSecret *
cli_terminal_secret(const char *prompt, GError **error)
{
  int fd = open_terminal();
  if (fd < 0) {
    base_error_set(error, SIGNET_ERROR_PIN_REQUIRED,
                   "%s: there is no terminal to ask on; use --pin-fd", prompt);
    return NULL;
  }
  cli_spinner_pause();
  char line[ANSWER_MAX];
  gssize length = read_without_echo(fd, prompt, line, sizeof line);
  BaseSecret *secret = length >= 0 ? base_secret_new_from(line, (gsize)length) : NULL;
  base_wipe(line, sizeof line);
  close(fd);
  if (length == -2 && caught == SIGTSTP) {
    raise(SIGTSTP); /* back in the foreground, it is asked again */
    return cli_terminal_secret(prompt, error);
  }
  if (length == -2)
    raise(caught);
  if (!secret)
    base_error_set(error, SIGNET_ERROR_CANCELLED, "no answer: %s", prompt);
  return secret;
}

char *
cli_terminal_answer(const char *prompt, GError **error)
{
  int fd = open_terminal();
  if (fd < 0) {
    base_error_set(error, SIGNET_ERROR_CANCELLED, "there is no terminal to ask on: %s", prompt);
    return NULL;
  }
  cli_spinner_pause();
  caught = 0;
  put(fd, prompt);
  char line[ANSWER_MAX];
  gssize length = read_line(fd, line, sizeof line, NULL);
  close(fd);
  if (length < 0) {
    base_error_set(error, SIGNET_ERROR_CANCELLED, "no answer: %s", prompt);
    return NULL;
  }
  return g_strndup(line, (gsize)length);
}

gboolean
cli_terminal_confirm(const Cli *cli, const char *question)
{
  if (!cli_terminal_available(cli))
    return FALSE;
  g_autofree char *prompt = g_strdup_printf("%s [y/N] ", question);
  g_autofree char *answer = cli_terminal_answer(prompt, NULL);
  return answer && (g_ascii_strcasecmp(answer, "y") == 0 || g_ascii_strcasecmp(answer, "yes") == 0);
}
