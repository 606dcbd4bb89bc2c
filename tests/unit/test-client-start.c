/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Starting the daemon. The program copies itself to a folder as `client` and as `signetd`: the one
 * looks for the other beside itself, as installed programs do. */

#include <signet/client.h>

#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define DAEMON_SECONDS 5

/* ---- as signetd ---- */

static int
listen_at(const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_strlcpy(address.sun_path, path, sizeof address.sun_path);
  unlink(path);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 16) != 0)
    return -1;
  return fd;
}

static void
serve_some(int fd)
{
  static const char answers[] =
      "{\"parameters\":{\"protocol\":1,\"version\":\"0.1.0\"}}\0"
      "{\"parameters\":{\"version\":\"0.1.0\",\"pid\":7,\"started\":1,\"connections\":1,"
      "\"tokens\":0,\"unlocked\":[],\"ids\":0,\"warnings\":[],\"counters\":[]}}";
  char bytes[4096];
  for (;;) {
    int client = accept(fd, NULL, NULL);
    if (recv(client, bytes, sizeof bytes, 0) > 0 &&
        send(client, answers, sizeof answers, MSG_NOSIGNAL) > 0)
      (void)recv(client, bytes, sizeof bytes, 0);
    close(client);
  }
}

/* Like the real one: the lock first, and the parent returns when the socket listens. */
static int
be_signetd(void)
{
  const char *path = g_getenv("SIGNET_SOCKET");
  const char *manner = g_getenv("TEST_MANNER");
  g_autofree char *lock_path = g_strconcat(path, ".lock", NULL);
  g_autofree char *starts = g_strconcat(path, ".starts", NULL);
  char byte = 0;
  int ready[2];
  if (g_strcmp0(manner, "fails") == 0)
    return 3;
  int lock = open(lock_path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (flock(lock, LOCK_EX | LOCK_NB) != 0)
    return 0; /* another one runs */
  int counter = open(starts, O_CREAT | O_WRONLY | O_APPEND, 0600);
  if (write(counter, "x", 1) != 1 || pipe(ready) != 0)
    return 1;
  g_usleep(100000);
  if (fork() > 0) {
    close(ready[1]);
    return read(ready[0], &byte, 1) == 1 ? 0 : 1;
  }
  alarm(DAEMON_SECONDS);
  struct sigaction action;
  sigaction(SIGCHLD, NULL, &action);
  int fd = listen_at(path);
  if (fd < 0 || action.sa_handler != SIG_DFL || write(ready[1], "x", 1) != 1)
    return 1;
  serve_some(fd);
  return 0;
}

/* ---- as the client's process ---- */

static int
be_client(void)
{
  g_autoptr(GError) error = NULL;
  if (g_getenv("TEST_IGNORE_SIGCHLD"))
    signal(SIGCHLD, SIG_IGN);
  SignetClient *client = signet_client_connect(g_getenv("TEST_ADDRESS"), 0, &error);
  if (!client)
    return error->code == SIGNET_ERROR_NO_DAEMON ? 42 : 1;
  SignetStatus *status = signet_daemon_status(client, &error);
  if (!status)
    g_printerr("client: %s\n", error->message);
  gboolean good = status && status->pid == 7;
  signet_status_free(status);
  signet_client_free(client);
  return good ? 0 : 2;
}

/* ---- as the test ---- */

typedef struct {
  char *folder;
  char *client;
  char *address;
} Fixture;

static void
setup(Fixture *fixture)
{
  static const char *const names[] = { "client", "signetd" };
  g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
  fixture->folder = g_dir_make_tmp("signet-start-XXXXXX", NULL);
  for (gsize i = 0; i < 2; i++) {
    g_autofree char *path = g_build_filename(fixture->folder, names[i], NULL);
    g_autofree char *bytes = NULL;
    gsize length = 0;
    g_assert_true(g_file_get_contents(self, &bytes, &length, NULL));
    g_assert_true(g_file_set_contents_full(path, bytes, (gssize)length, G_FILE_SET_CONTENTS_NONE,
                                           0700, NULL));
  }
  fixture->client = g_build_filename(fixture->folder, "client", NULL);
  fixture->address = g_build_filename(fixture->folder, "socket", NULL);
}

static void
teardown(Fixture *fixture)
{
  static const char *const names[] = { "client", "signetd", "socket", "socket.lock",
                                       "socket.starts" };
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *path = g_build_filename(fixture->folder, names[i], NULL);
    unlink(path);
  }
  g_assert_cmpint(rmdir(fixture->folder), ==, 0);
  g_free(fixture->folder);
  g_free(fixture->client);
  g_free(fixture->address);
}

static GPid
spawn_client(const Fixture *fixture, const char *name, const char *value)
{
  const char *argv[] = { fixture->client, NULL };
  g_auto(GStrv) environment = g_get_environ();
  GPid pid = 0;
  environment = g_environ_setenv(environment, "TEST_ADDRESS", fixture->address, TRUE);
  if (name)
    environment = g_environ_setenv(environment, name, value, TRUE);
  g_assert_true(g_spawn_async(NULL, (char **)(gintptr)argv, environment, G_SPAWN_DO_NOT_REAP_CHILD,
                              NULL, NULL, &pid, NULL));
  return pid;
}

static int
wait_status(GPid pid)
{
  int status = 0;
  g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static gsize
starts(const Fixture *fixture)
{
  g_autofree char *path = g_strconcat(fixture->address, ".starts", NULL);
  g_autofree char *bytes = NULL;
  gsize length = 0;
  g_file_get_contents(path, &bytes, &length, NULL);
  return length;
}

static void
test_daemon_is_started(void)
{
  Fixture fixture;
  setup(&fixture);
  g_assert_cmpint(wait_status(spawn_client(&fixture, NULL, NULL)), ==, 0);
  g_assert_cmpint(wait_status(spawn_client(&fixture, NULL, NULL)), ==, 0);
  g_assert_cmpuint(starts(&fixture), ==, 1);
  teardown(&fixture);
}

static void
test_ignored_sigchld_is_fine(void)
{
  Fixture fixture;
  setup(&fixture);
  g_assert_cmpint(wait_status(spawn_client(&fixture, "TEST_IGNORE_SIGCHLD", "1")), ==, 0);
  teardown(&fixture);
}

static void
test_many_at_once_start_one(void)
{
  Fixture fixture;
  GPid pids[8];
  setup(&fixture);
  for (gsize i = 0; i < G_N_ELEMENTS(pids); i++)
    pids[i] = spawn_client(&fixture, NULL, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS(pids); i++)
    g_assert_cmpint(wait_status(pids[i]), ==, 0);
  g_assert_cmpuint(starts(&fixture), ==, 1);
  teardown(&fixture);
}

static void
test_failing_daemon_is_told(void)
{
  Fixture fixture;
  setup(&fixture);
  g_assert_cmpint(wait_status(spawn_client(&fixture, "TEST_MANNER", "fails")), ==, 42);
  teardown(&fixture);
}

int
main(int argc, char **argv)
{
  g_autofree char *name = g_path_get_basename(argv[0]);
  if (g_str_equal(name, "signetd"))
    return be_signetd();
  if (g_str_equal(name, "client"))
    return be_client();
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/client/start/daemon-is-started", test_daemon_is_started);
  g_test_add_func("/client/start/ignored-sigchld-is-fine", test_ignored_sigchld_is_fine);
  g_test_add_func("/client/start/many-at-once-start-one", test_many_at_once_start_one);
  g_test_add_func("/client/start/failing-daemon-is-told", test_failing_daemon_is_told);
  return g_test_run();
}
