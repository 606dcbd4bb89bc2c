/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/roots.h"

#include "base/config.h"
#include "base/error.h"
#include "base/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIMIT_LINE "# distrust-after "
#define RUN_MS 15000
#define CACHE_FILE "mail-roots"
#define PROGRAM "signet-token"
/* A module that failed is not asked again at each mail. */
#define RETRY_SECONDS 3600
/* p11-kit's module reads files that change beside it. */
#define CHANGING_SECONDS (24 * 3600)

/* Mozilla's list, by whatever package. p11-kit's own module is not here: on Debian it gives the TLS
 * bundle as trusted for everything (trust(1) lists 144 roots for mail, and the same 144 for
 * servers), which is the very list that must not count. Where a distribution has real trust bits
 * in it, it installs it under the name libnssckbi.so. */
static const char *const places[] = {
  "/usr/lib/" SIGNET_MULTIARCH "/nss/libnssckbi.so",
  "/usr/lib/" SIGNET_MULTIARCH "/libnssckbi.so",
  "/usr/lib64/nss/libnssckbi.so",
  "/usr/lib64/libnssckbi.so",
  "/usr/lib/nss/libnssckbi.so",
  "/usr/lib/libnssckbi.so",
  "/usr/lib/thunderbird/libnssckbi.so",
  "/usr/lib64/thunderbird/libnssckbi.so",
  "/opt/thunderbird/libnssckbi.so",
};

static gint64
now(void)
{
  return g_get_real_time() / G_USEC_PER_SEC;
}

static gboolean
is_changing(const char *module)
{
  g_autofree char *name = g_path_get_basename(module);
  return strstr(name, "p11-kit") != NULL;
}

static char *
origin_of(const TrustCacheHead *head)
{
  g_autofree char *name = g_path_get_basename(head->module);
  const char *shown = strcmp(name, "libnssckbi.so") == 0 ? "NSS"
                      : is_changing(name)                ? "p11-kit"
                                                         : name;
  g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(head->date);
  g_autofree char *day = date ? g_date_time_format(date, "%Y-%m-%d") : g_strdup("?");
  return g_strdup_printf("%s, %s", shown, day);
}

/* ---- the module ---- */

typedef struct {
  const char *path; /* NULL: none is there */
  char *stamp;
  gint64 date;
} Module;

static void
module_clear(Module *module)
{
  g_free(module->stamp);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Module, module_clear)

static gboolean
look_at(const char *path, Module *module)
{
  struct stat info;
  if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
    return FALSE;
  module->path = path;
  module->date = info.st_mtim.tv_sec;
  module->stamp =
      g_strdup_printf("%" G_GINT64_FORMAT ".%09ld %" G_GINT64_FORMAT, (gint64)info.st_mtim.tv_sec,
                      info.st_mtim.tv_nsec, (gint64)info.st_size);
  return TRUE;
}

static void
find_module(const char *chosen, Module *module)
{
  if (chosen && look_at(chosen, module))
    return;
  for (gsize i = 0; !chosen && i < G_N_ELEMENTS(places); i++)
    if (look_at(places[i], module))
      return;
}

static gboolean
is_one_of(const char *path, const char *chosen)
{
  if (chosen)
    return strcmp(path, chosen) == 0;
  for (gsize i = 0; i < G_N_ELEMENTS(places); i++)
    if (strcmp(path, places[i]) == 0)
      return TRUE;
  return FALSE;
}

/* ---- the kept list ---- */

static char *
cache_path(void)
{
  g_autofree char *state = base_path_state();
  return g_build_filename(state, CACHE_FILE, NULL);
}

/* Whom it names is trusted: nobody else may have written it. */
static GBytes *
map_own(const char *path)
{
  struct stat info;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0)
    return NULL;
  gboolean own = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid() &&
                 !(info.st_mode & (S_IWGRP | S_IWOTH));
  g_autoptr(GMappedFile) file = own ? g_mapped_file_new_from_fd(fd, FALSE, NULL) : NULL;
  close(fd);
  return file ? g_mapped_file_get_bytes(file) : NULL;
}

/* (nullable) NULL where there is none, it is damaged, not ours, or of a module that is not wanted
 * (any more). */
static TrustCache *
load(const char *chosen)
{
  g_autofree char *path = cache_path();
  g_autoptr(GBytes) bytes = map_own(path);
  g_autoptr(TrustCache) cache = bytes ? trust_cache_parse(bytes, NULL) : NULL;
  if (!cache || !is_one_of(trust_cache_head(cache)->module, chosen))
    return NULL;
  return g_steal_pointer(&cache);
}

static gboolean
is_current(const TrustCache *cache, const Module *module)
{
  const TrustCacheHead *head = trust_cache_head(cache);
  gint64 age = now() - head->made;
  if (strcmp(head->module, module->path) != 0 || strcmp(head->stamp, module->stamp) != 0)
    return FALSE;
  if (head->problem)
    return age >= 0 && age < RETRY_SECONDS;
  return !is_changing(head->module) || (age >= 0 && age < CHANGING_SECONDS);
}

/* A list that cannot be kept serves this once. */
static void
keep(GBytes *bytes)
{
  g_autofree char *path = cache_path();
  g_autofree char *folder = g_path_get_dirname(path);
  if (base_path_make_folder(folder, NULL))
    base_path_write(path, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), 0600, NULL);
}

typedef struct {
  GPtrArray *roots; /* (element-type BaseCert) */
  GArray *limits;   /* (element-type gint64), one for each */
} Answer;

static void
answer_clear(Answer *answer)
{
  g_clear_pointer(&answer->roots, g_ptr_array_unref);
  g_clear_pointer(&answer->limits, g_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Answer, answer_clear)

/* A line "# distrust-after SECONDS" before a certificate: Mozilla's lists keep a root that is
 * being withdrawn for what it issued before. */
static void
read_limits(GBytes *pem, Answer *answer)
{
  gint64 limit = 0;
  g_autofree char *text = g_strndup(g_bytes_get_data(pem, NULL), g_bytes_get_size(pem));
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  answer->limits = g_array_new(FALSE, TRUE, sizeof(gint64));
  for (int i = 0; lines[i]; i++) {
    if (g_str_has_prefix(lines[i], LIMIT_LINE)) {
      /* One that cannot be read must not lift the limit. */
      if (!g_ascii_string_to_signed(lines[i] + strlen(LIMIT_LINE), 10, 1, G_MAXINT64, &limit, NULL))
        limit = 1;
    } else if (g_str_has_prefix(lines[i], "-----BEGIN ")) {
      g_array_append_val(answer->limits, limit);
      limit = 0;
    }
  }
}

static gboolean
ask(const char *program, const char *module, Answer *answer, GError **error)
{
  g_autoptr(GBytes) pem = trust_roots_run(program, module, RUN_MS, error);
  g_auto(Answer) got = { pem ? base_cert_read_all(pem, module, error) : NULL, NULL };
  if (!got.roots)
    return FALSE;
  read_limits(pem, &got);
  if (got.roots->len > TRUST_CACHE_ROOTS_MAX || got.roots->len != got.limits->len)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the roots of %s are malformed or over %d",
                          module, TRUST_CACHE_ROOTS_MAX);
  *answer = got;
  got = (Answer){ NULL, NULL };
  return TRUE;
}

static void
take_old(const TrustCache *old, Answer *answer)
{
  answer->roots = old ? trust_cache_all(old) : g_ptr_array_new();
  answer->limits = g_array_new(FALSE, TRUE, sizeof(gint64));
  for (guint i = 0; i < answer->roots->len; i++) {
    const BaseCert *root = g_ptr_array_index(answer->roots, i);
    gint64 limit = trust_cache_limit(old, root->fingerprint);
    g_array_append_val(answer->limits, limit);
  }
}

/* (nullable) the new list, or the old roots with what went wrong. */
static TrustCache *
refresh(const char *program, const Module *module, const TrustCache *old)
{
  g_autoptr(GError) error = NULL;
  g_auto(Answer) answer = { NULL, NULL };
  TrustCacheHead head = { (char *)(guintptr)module->path, module->stamp, now(), module->date,
                          NULL };
  if (!ask(program, module->path, &answer, &error)) {
    head.problem = error->message;
    head.date = old ? trust_cache_head(old)->date : 0;
    take_old(old, &answer);
  }
  g_autoptr(GBytes) bytes = trust_cache_build(
      &head, answer.roots, (const gint64 *)(gconstpointer)answer.limits->data, NULL);
  if (!bytes)
    return NULL;
  keep(bytes);
  return trust_cache_parse(bytes, NULL);
}

static char *
no_module(const char *chosen)
{
  if (chosen)
    return g_strdup_printf("the module of mail roots that the settings name, %s, is not there",
                           chosen);
  return g_strdup("no list of mail roots is installed (package libnss3)");
}

TrustMailRoots *
trust_mail_roots_new_from(const char *program, const char *chosen)
{
  TrustMailRoots *roots = g_new0(TrustMailRoots, 1);
  g_auto(Module) module = { 0 };
  if (chosen && strcmp(chosen, "off") == 0)
    return roots;
  find_module(chosen, &module);
  g_autoptr(TrustCache) old = load(chosen);
  if (!module.path)
    roots->problem = no_module(chosen);
  if (old && (!module.path || is_current(old, &module)))
    roots->cache = g_steal_pointer(&old);
  else if (module.path)
    roots->cache = refresh(program, &module, old);
  if (!roots->cache)
    return roots;
  const TrustCacheHead *head = trust_cache_head(roots->cache);
  if (head->problem && !roots->problem)
    roots->problem = g_strdup(head->problem);
  if (trust_cache_count(roots->cache))
    roots->origin = origin_of(head);
  return roots;
}

TrustMailRoots *
trust_mail_roots_new(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseConfig) config = base_config_load(&error);
  g_autofree char *program = config ? base_path_program(PROGRAM, &error) : NULL;
  if (program)
    return trust_mail_roots_new_from(program, base_config_text(config, "trust", "mail-roots"));
  TrustMailRoots *none = g_new0(TrustMailRoots, 1);
  none->problem = g_strdup(error->message);
  return none;
}

void
trust_mail_roots_free(TrustMailRoots *roots)
{
  if (!roots)
    return;
  trust_cache_free(roots->cache);
  g_free(roots->origin);
  g_free(roots->problem);
  g_free(roots);
}
