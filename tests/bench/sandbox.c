/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox.h"

#include "processes.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const folders[] = { "run",   "data",  "config", "state",
                                       "cache", "gnupg", "tmp",    "tokens" };

static char **
make_environment(const BenchSandbox *sandbox)
{
  static const char *const places[][2] = {
    { "HOME", "" },
    { "TMPDIR", "tmp" }, /* gnupg-pkcs11-scd puts its socket there */
    { "XDG_RUNTIME_DIR", "run" },
    { "XDG_DATA_HOME", "data" },
    { "XDG_CONFIG_HOME", "config" },
    { "XDG_STATE_HOME", "state" },
    { "XDG_CACHE_HOME", "cache" },
    { "GNUPGHOME", "gnupg" },
    { "SOFTHSM2_CONF", "softhsm2.conf" },
  };
  char **env = g_environ_setenv(NULL, "PATH", g_getenv("PATH"), TRUE);

  env = g_environ_setenv(env, "LC_ALL", "C.UTF-8", TRUE);
  for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
    g_autofree char *path = bench_sandbox_path(sandbox, places[i][1]);
    env = g_environ_setenv(env, places[i][0], path, TRUE);
  }
  return env;
}

static gboolean
make_folders(const BenchSandbox *sandbox, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS(folders); i++) {
    g_autofree char *path = bench_sandbox_path(sandbox, folders[i]);
    if (g_mkdir(path, 0700) != 0) {
      g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "cannot make %s: %s", path,
                  g_strerror(errno));
      return FALSE;
    }
  }
  g_autofree char *config = g_strdup_printf("directories.tokendir = %s/tokens\n"
                                            "objectstore.backend = file\n"
                                            "log.level = ERROR\n",
                                            sandbox->dir);
  return bench_sandbox_write(sandbox, "softhsm2.conf", config, error);
}

BenchSandbox *
bench_sandbox_new(const char *programs, const char *signet, GError **error)
{
  g_autoptr(BenchSandbox) sandbox = g_new0(BenchSandbox, 1);

  sandbox->programs = g_strdup(programs);
  sandbox->signet = g_strdup(signet);
  sandbox->pids = g_array_new(FALSE, FALSE, sizeof(GPid));
  sandbox->others = g_array_new(FALSE, FALSE, sizeof(pid_t));
  /* Socket paths have 107 bytes: keep ours short. */
  sandbox->dir = g_dir_make_tmp("bench-XXXXXX", error);
  if (!sandbox->dir || !make_folders(sandbox, error))
    return NULL;
  sandbox->env = make_environment(sandbox);
  return g_steal_pointer(&sandbox);
}

static void
remove_tree(const char *path)
{
  if (!g_file_test(path, G_FILE_TEST_IS_SYMLINK) && g_file_test(path, G_FILE_TEST_IS_DIR)) {
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
      g_autofree char *child = g_build_filename(path, name, NULL);
      remove_tree(child);
    }
  }
  g_remove(path);
}

static void
end_child(GPid pid)
{
  kill(pid, SIGTERM);
  for (guint i = 0; i < 200; i++) {
    if (waitpid(pid, NULL, WNOHANG) != 0)
      return;
    g_usleep(10 * 1000);
  }
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}

void
bench_sandbox_free(BenchSandbox *sandbox)
{
  if (!sandbox)
    return;
  for (guint i = sandbox->pids->len; i > 0; i--)
    end_child(g_array_index(sandbox->pids, GPid, i - 1));
  bench_sandbox_end_adopted(sandbox);
  if (sandbox->dir && !g_getenv("BENCH_KEEP"))
    remove_tree(sandbox->dir);
  g_array_unref(sandbox->pids);
  g_array_unref(sandbox->others);
  g_strfreev(sandbox->env);
  g_free(sandbox->dir);
  g_free(sandbox->programs);
  g_free(sandbox->signet);
  g_free(sandbox);
}

char *
bench_sandbox_path(const BenchSandbox *sandbox, const char *name)
{
  return *name ? g_build_filename(sandbox->dir, name, NULL) : g_strdup(sandbox->dir);
}

char *
bench_sandbox_program(const BenchSandbox *sandbox, const char *name)
{
  return g_build_filename(sandbox->programs, name, NULL);
}

char *
bench_sandbox_signet(const BenchSandbox *sandbox, const char *name)
{
  return sandbox->signet ? g_build_filename(sandbox->signet, name, NULL) : NULL;
}

gboolean
bench_sandbox_write(const BenchSandbox *sandbox, const char *name, const char *text, GError **error)
{
  g_autofree char *path = bench_sandbox_path(sandbox, name);
  return g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, error);
}

gboolean
bench_sandbox_make_token(const BenchSandbox *sandbox, const char *label, const char *const *keys,
                         GError **error)
{
  const char *const init[] = { "softhsm2-util", "--init-token", "--free",   "--label",  label,
                               "--pin",         BENCH_PIN,      "--so-pin", "12345678", NULL };
  g_autofree char *program = bench_sandbox_program(sandbox, "bench-keys");
  g_autoptr(GPtrArray) argv = g_ptr_array_new();

  if (!bench_sandbox_run(sandbox, init, NULL, NULL, error))
    return FALSE;
  g_ptr_array_add(argv, program);
  g_ptr_array_add(argv, (gpointer)(gintptr)BENCH_SOFTHSM_MODULE);
  g_ptr_array_add(argv, (gpointer)(gintptr)label);
  g_ptr_array_add(argv, sandbox->dir);
  for (guint i = 0; keys[i]; i++)
    g_ptr_array_add(argv, (gpointer)(gintptr)keys[i]);
  g_ptr_array_add(argv, NULL);
  return bench_sandbox_run(sandbox, (const char *const *)argv->pdata, BENCH_PIN "\n", NULL, error);
}

gboolean
bench_sandbox_run(const BenchSandbox *sandbox, const char *const *argv, const char *input,
                  char **ret_output, GError **error)
{
  g_autoptr(GSubprocessLauncher) launcher =
      g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE |
                                G_SUBPROCESS_FLAGS_STDERR_MERGE);
  g_autoptr(GBytes) in = g_bytes_new(input, input ? strlen(input) : 0);
  g_autoptr(GBytes) out = NULL;

  g_subprocess_launcher_set_environ(launcher, sandbox->env);
  g_autoptr(GSubprocess) child = g_subprocess_launcher_spawnv(launcher, argv, error);
  if (!child || !g_subprocess_communicate(child, in, NULL, &out, NULL, error))
    return FALSE;
  g_autofree char *output = g_strndup(g_bytes_get_data(out, NULL), g_bytes_get_size(out));
  if (!g_subprocess_get_successful(child)) {
    g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED, "%s failed: %s", argv[0],
                g_strstrip(output));
    return FALSE;
  }
  if (ret_output)
    *ret_output = g_steal_pointer(&output);
  return TRUE;
}

static void
end_with_parent(gpointer unused G_GNUC_UNUSED)
{
  prctl(PR_SET_PDEATHSIG, SIGTERM);
}

gboolean
bench_sandbox_start(BenchSandbox *sandbox, const char *const *argv, GPid *ret_pid, GError **error)
{
  GSpawnFlags flags = G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL |
                      (g_getenv("BENCH_KEEP") ? 0 : G_SPAWN_STDERR_TO_DEV_NULL);
  GPid pid;

  if (!g_spawn_async(sandbox->dir, (char **)(gintptr)argv, sandbox->env, flags, end_with_parent,
                     NULL, &pid, error))
    return FALSE;
  g_array_append_val(sandbox->pids, pid);
  if (ret_pid)
    *ret_pid = pid;
  return TRUE;
}

void
bench_sandbox_adopt(BenchSandbox *sandbox, pid_t pid)
{
  g_autoptr(GArray) children = bench_process_children(pid);

  g_array_append_val(sandbox->others, pid);
  g_array_append_vals(sandbox->others, children->data, children->len);
}

void
bench_sandbox_end_adopted(BenchSandbox *sandbox)
{
  for (guint i = 0; i < sandbox->others->len; i++)
    bench_process_end(g_array_index(sandbox->others, pid_t, i));
  g_array_set_size(sandbox->others, 0);
  /* A card daemon that lost its agent spins for ever: on both processors, in one run. */
  bench_process_end_orphans("gnupg-pkcs11-sc");
}

gboolean
bench_sandbox_wait_for(const BenchSandbox *sandbox, const char *path, GError **error)
{
  for (guint i = 0; i < 500; i++) {
    if (g_file_test(path, G_FILE_TEST_EXISTS))
      return TRUE;
    g_usleep(10 * 1000);
  }
  g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "%s did not appear in 5 s",
              path + strlen(sandbox->dir) + 1);
  return FALSE;
}
