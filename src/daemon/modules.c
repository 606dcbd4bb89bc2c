/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/modules.h"

#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "daemon/token.h"
#include "daemon/tokenjson.h"
#include "daemon/tokens.h"
#include "wire/limits.h"

#include <string.h>
#include <unistd.h>

#define MODULES_MAX 64
/* SoftHSM 2.6.1 stumbles when several processes open the same store at the same moment. */
#define STAGGER_MS 100

/* What ListModules tells of one profile or path. */
typedef struct {
  char *name;
  char *path; /* (nullable) */
  char *description;
  char *package;
  const char *state; /* off, missing; NULL: ask the host */
  DaemonHost *host;  /* (nullable) */
  BaseProfile *profile;
} Module;

static void
module_free(gpointer data)
{
  Module *module = data;
  g_free(module->name);
  g_free(module->path);
  g_free(module->description);
  g_free(module->package);
  base_profile_free(module->profile);
  g_free(module);
}

/* Modules that lead back to signet or to all other modules are never tokens of their own. */
static gboolean
is_forbidden(const char *path)
{
  static const char *const names[] = { "p11-kit-proxy", "p11-kit-client", "signet-pkcs11",
                                       "libp11-kit", "p11-kit-trust" };
  g_autofree char *name = g_path_get_basename(path);
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
    if (g_str_has_prefix(name, names[i]))
      return TRUE;
  return FALSE;
}

static Module *
module_new(Daemon *daemon, const char *name, const char *path, const BaseProfile *profile)
{
  Module *module = g_new0(Module, 1);
  module->name = g_strdup(name);
  module->path = g_strdup(path);
  module->description = g_strdup(profile->description);
  module->package = g_strdup(profile->package);
  g_ptr_array_add(daemon->modules, module);
  return module;
}

static BaseProfile *
profile_copy(const BaseProfile *from)
{
  BaseProfile *copy = g_memdup2(from, sizeof *from);
  copy->name = g_strdup(from->name);
  copy->description = g_strdup(from->description);
  copy->files = g_strdupv(from->files);
  copy->package = g_strdup(from->package);
  copy->init = g_strdup(from->init);
  copy->environment = g_strdupv(from->environment);
  copy->pin_scope = g_strdup(from->pin_scope);
  copy->oaep = g_strdupv(from->oaep);
  copy->wrap = g_strdup(from->wrap);
  return copy;
}

static DaemonHost *
start_host(Daemon *daemon, const char *name, const char *path, const BaseProfile *profile,
           const char *softhsm_config)
{
  DaemonHostSpec spec = { .name = g_strdup(name),
                          .module = g_strdup(path),
                          .profile = profile_copy(profile) };
  if (softhsm_config) {
    char *environment[] = { g_strconcat("SOFTHSM2_CONF=", softhsm_config, NULL), NULL };
    spec.environment = g_strdupv(environment);
    g_free(environment[0]);
    spec.folder = daemon_softhsm_folder(softhsm_config);
    spec.embedded = strcmp(name, DAEMON_SOFT) == 0;
    guint others = 0;
    for (guint i = 0; i < daemon->hosts->len; i++)
      others += ((DaemonHost *)daemon->hosts->pdata[i])->spec.folder != NULL;
    spec.start_after = others * STAGGER_MS;
  }
  return daemon_host_new(daemon, &spec);
}

static void
start_softhsm(Daemon *daemon, const char *path, const BaseProfile *profile)
{
  g_autofree char *own = daemon_softhsm_own_config();
  g_autofree char *embedded = daemon_softhsm_embedded_config();
  gboolean same = own && strcmp(own, embedded) == 0;
  gboolean has_embedded = g_file_test(embedded, G_FILE_TEST_EXISTS);

  Module *soft = module_new(daemon, DAEMON_SOFT, path, profile);
  g_free(soft->description);
  soft->description = g_strdup("signet's own soft tokens");
  soft->profile = profile_copy(profile);
  if (has_embedded)
    soft->host = start_host(daemon, DAEMON_SOFT, path, profile, embedded);
  else
    soft->state = "off";
  Module *module = module_new(daemon, profile->name, path, profile);
  if (own && !same && access(own, R_OK) == 0)
    module->host = start_host(daemon, profile->name, path, profile, own);
  else
    module->state = "off";
}

DaemonHost *
daemon_modules_soft_host(Daemon *daemon, GError **error)
{
  for (guint i = 0; i < daemon->modules->len; i++) {
    Module *module = daemon->modules->pdata[i];
    if (strcmp(module->name, DAEMON_SOFT) != 0)
      continue;
    if (!daemon_softhsm_make(error))
      return NULL;
    if (!module->host) {
      g_autofree char *config = daemon_softhsm_embedded_config();
      module->host = start_host(daemon, DAEMON_SOFT, module->path, module->profile, config);
      module->state = NULL;
    }
    return module->host;
  }
  base_error_set(error, SIGNET_ERROR_NOT_FOUND,
                 "SoftHSM is not installed; install the package softhsm2");
  return NULL;
}

static void
start_profile(Daemon *daemon, const BaseProfile *profile, char *const *off)
{
  g_autofree char *path = base_profile_find_module(profile);
  if (g_strv_contains((const char *const *)off, profile->name)) {
    module_new(daemon, profile->name, path, profile)->state = "off";
  } else if (!path) {
    module_new(daemon, profile->name, NULL, profile)->state = "missing";
  } else if (is_forbidden(path)) {
    base_log("%s is no module for tokens: left out", path);
  } else if (daemon_softhsm_is(path)) {
    start_softhsm(daemon, path, profile);
  } else {
    Module *module = module_new(daemon, profile->name, path, profile);
    module->host = start_host(daemon, profile->name, path, profile, NULL);
  }
}

static gboolean
path_known(Daemon *daemon, const char *path)
{
  for (guint i = 0; i < daemon->modules->len; i++)
    if (g_strcmp0(((Module *)daemon->modules->pdata[i])->path, path) == 0)
      return TRUE;
  return FALSE;
}

static Module *
start_path(Daemon *daemon, const char *path)
{
  g_autoptr(BaseProfile) profile = base_profile_default(path);
  Module *module = module_new(daemon, profile->name, path, profile);
  module->host = start_host(daemon, profile->name, path, profile, NULL);
  return module;
}

/* Said in the log and by Status: a person looks there, not into the log. */
static void
add_problem(Daemon *daemon, char *problem)
{
  base_log("%s", problem);
  g_ptr_array_add(daemon->problems, problem);
}

void
daemon_modules_start(Daemon *daemon)
{
  g_auto(GStrv) problems = NULL;
  g_auto(GStrv) off = base_config_list(daemon->config, "modules", "off");
  g_auto(GStrv) added = base_config_list(daemon->config, "modules", "add");
  g_autoptr(GPtrArray) profiles = base_profile_load_all(&problems);

  for (char **problem = problems; problem && *problem; problem++)
    add_problem(daemon, g_strdup(*problem));
  for (guint i = 0; i < profiles->len && daemon->modules->len < MODULES_MAX; i++)
    start_profile(daemon, profiles->pdata[i], off);
  for (char **path = added; *path && daemon->modules->len < MODULES_MAX; path++) {
    if (!g_path_is_absolute(*path) || is_forbidden(*path))
      add_problem(daemon, g_strdup_printf("the module %s in the settings is left out: it must be "
                                          "an absolute path, and none of signet's own",
                                          *path));
    else if (!path_known(daemon, *path))
      start_path(daemon, *path);
  }
}

void
daemon_modules_free(Daemon *daemon)
{
  g_ptr_array_unref(daemon->modules);
  g_ptr_array_unref(daemon->problems);
}

GPtrArray *
daemon_modules_new(void)
{
  return g_ptr_array_new_with_free_func(module_free);
}

static const char *
module_state(const Module *module)
{
  if (module->state)
    return module->state;
  return module->host && module->host->state != DAEMON_HOST_DOWN ? "loaded" : "failed";
}

static json_t *
module_json(Daemon *daemon, const Module *module)
{
  const DaemonHost *host = module->host;
  int tokens = 0;
  for (guint i = 0; host && i < daemon->tokens->len; i++) {
    const DaemonToken *token = daemon->tokens->pdata[i];
    tokens += token->host == host && (token->record->flags & WIRE_TOKEN_INITIALIZED);
  }
  json_t *json = json_object();
  wire_json_set_text(json, "name", module->name);
  wire_json_set_text(json, "path", module->path);
  wire_json_set_text(json, "description",
                     module->description ? module->description
                     : host              ? host->description
                                         : NULL);
  wire_json_set_text(json, "version", host ? host->version : NULL);
  json_object_set_new(json, "tokens", json_integer(tokens));
  wire_json_set_text(json, "state", module_state(module));
  wire_json_set_text(json, "problem", host ? host->problem : NULL);
  wire_json_set_text(json, "package", module->package);
  json_t *parameters = json_object();
  json_object_set_new(parameters, "module", json);
  return parameters;
}

static json_t *
next_module(Daemon *daemon, gpointer state, GError **error G_GNUC_UNUSED)
{
  guint *index = state;
  if (*index >= daemon->modules->len)
    return NULL;
  return module_json(daemon, daemon->modules->pdata[(*index)++]);
}

void
daemon_modules_list(DaemonCall *call)
{
  daemon_call_stream(call, next_module, g_new0(guint, 1), g_free);
}

typedef struct {
  DaemonCall *call;
  guint index; /* of the module */
} Adding;

/* Its first enumeration is over, well or badly. */
static gboolean
added(gpointer user_data)
{
  Adding *adding = user_data;
  Daemon *daemon = daemon_call_daemon(adding->call);
  Module *module = daemon->modules->pdata[adding->index];
  g_autoptr(GError) error = NULL;

  if (!module->host->settled && g_get_monotonic_time() < module->host->settle_until)
    return G_SOURCE_CONTINUE;
  if (module->host->state == DAEMON_HOST_DOWN) {
    base_error_set(&error, SIGNET_ERROR_TOKEN_DOWN, "%s is no PKCS#11 module that works: %s",
                   module->path, module->host->problem);
    module->state = "off";
    daemon_timer_clear(&module->host->start_timer);
    daemon_call_fail(adding->call, error);
  } else if (!base_config_add_to_list("modules", "add", module->path, &error)) {
    daemon_call_fail(adding->call, error);
  } else {
    daemon_call_reply(adding->call, module_json(daemon, module));
  }
  g_free(adding);
  return G_SOURCE_REMOVE;
}

static gboolean
check_path(Daemon *daemon, const char *path, GError **error)
{
  if (!g_path_is_absolute(path))
    return base_error_set(error, SIGNET_ERROR_USAGE, "the path of a module must be absolute: %s",
                          path);
  if (!g_file_test(path, G_FILE_TEST_IS_REGULAR))
    return base_error_set(error, SIGNET_ERROR_NOT_FOUND, "there is no file %s", path);
  if (is_forbidden(path))
    return base_error_set(error, SIGNET_ERROR_REFUSED,
                          "%s shows other modules' tokens again; add those modules", path);
  if (path_known(daemon, path))
    return base_error_set(error, SIGNET_ERROR_USAGE, "%s is in use already", path);
  if (daemon->modules->len >= MODULES_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "there are %d modules already",
                          MODULES_MAX);
  return TRUE;
}

void
daemon_module_add(DaemonCall *call)
{
  Daemon *daemon = daemon_call_daemon(call);
  g_autoptr(GError) error = NULL;
  const char *path = NULL;
  if (!wire_json_get_text(daemon_call_parameters(call), "path", FALSE, WIRE_NAME_MAX, &path,
                          &error) ||
      !check_path(daemon, path, &error)) {
    daemon_call_fail(call, error);
    return;
  }
  Adding *adding = g_new0(Adding, 1);
  adding->call = call;
  adding->index = daemon->modules->len;
  start_path(daemon, path);
  g_timeout_add(20, added, adding);
}
