/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/root.h"
#include "cli/verbs.h"

#include <string.h>

#define PREFIX_MIN 8

static gboolean
is_fingerprint(const char *name)
{
  return strlen(name) >= PREFIX_MIN && strspn(name, "0123456789abcdef") == strlen(name);
}

typedef enum { BY_FINGERPRINT, BY_NAME, BY_PART, HOW_MANY } How;

static gboolean
matches(const TrustRoot *root, const char *name, How how)
{
  const BaseCert *certificate = root->certificate;
  g_autofree char *folded = g_utf8_casefold(name, -1);
  g_autofree char *own = g_utf8_casefold(cli_root_name(certificate), -1);
  if (how == BY_FINGERPRINT)
    return is_fingerprint(folded) && g_str_has_prefix(certificate->fingerprint, folded);
  if (how == BY_NAME)
    return strcmp(folded, own) == 0 || strcmp(name, certificate->subject) == 0;
  return strstr(own, folded) != NULL;
}

/* Without copies: one root may be in several places, the user's own first. */
static GPtrArray *
find_all(const GPtrArray *roots, const char *name, How how)
{
  GPtrArray *found = g_ptr_array_new();
  for (guint i = 0; i < roots->len; i++) {
    const TrustRoot *root = g_ptr_array_index(roots, i);
    if (matches(root, name, how) && cli_root_find(found, root->certificate->fingerprint) == NULL)
      g_ptr_array_add(found, g_ptr_array_index(roots, i));
  }
  return found;
}

static const TrustRoot *
ambiguous(const char *name, const GPtrArray *found, GError **error)
{
  GError *reason = NULL;
  g_autoptr(GPtrArray) lines = g_ptr_array_new();
  base_error_set(&reason, SIGNET_ERROR_AMBIGUOUS,
                 "%u roots fit \"%s\"; name one by its fingerprint", found->len, name);
  for (guint i = 0; i < found->len; i++) {
    const BaseCert *root = ((const TrustRoot *)g_ptr_array_index(found, i))->certificate;
    g_ptr_array_add(lines, g_strdup_printf("%.16s  %s", root->fingerprint, cli_root_name(root)));
  }
  g_ptr_array_add(lines, NULL);
  base_error_suggest(&reason, "signet", "trust", "list", NULL);
  base_error_details(reason)->candidates =
      (char **)g_ptr_array_free(g_steal_pointer(&lines), FALSE);
  g_propagate_error(error, reason);
  return NULL;
}

static const TrustRoot *
find(const GPtrArray *roots, const char *name, GError **error)
{
  for (How how = BY_FINGERPRINT; how < HOW_MANY; how++) {
    g_autoptr(GPtrArray) found = find_all(roots, name, how);
    if (found->len == 1)
      return g_ptr_array_index(found, 0);
    if (found->len > 1)
      return ambiguous(name, found, error);
  }
  base_error_set(error, SIGNET_ERROR_NOT_FOUND, "no root is trusted by the name or fingerprint %s",
                 name);
  base_error_suggest(error, "signet", "trust", "list", NULL);
  return NULL;
}

/* (nullable) who trusts it still, once the user's own file is gone. */
static const TrustRoot *
other_copy(const GPtrArray *roots, const TrustRoot *removed)
{
  for (guint i = 0; i < roots->len; i++) {
    const TrustRoot *root = g_ptr_array_index(roots, i);
    if (root != removed &&
        strcmp(root->certificate->fingerprint, removed->certificate->fingerprint) == 0)
      return root;
  }
  return NULL;
}

static void
report(Cli *cli, const GPtrArray *roots, const TrustRoot *root, const char *path, gboolean removed)
{
  const char *name = cli_root_name(root->certificate);
  const TrustRoot *still = removed ? other_copy(roots, root) : NULL;
  if (removed) {
    cli_say(cli, "Trusted no more: %s", name);
    cli_say(cli, "Removed: %s", path);
  } else {
    g_autofree char *origin = cli_root_origin(root->origin);
    cli_say(cli, "Distrusted: %s (%s)", name, origin);
    cli_say(cli, "It is listed in %s;\nremove its line there to trust it again.", path);
  }
  if (still)
    cli_note(cli, "it is still trusted through %s; do it again to distrust it there, too",
             still->origin);
}

static gboolean
run(Cli *cli, GError **error)
{
  g_autofree char *path = NULL;
  gboolean removed = FALSE;
  g_autoptr(TrustStore) store = trust_store_new(error);
  if (!store)
    return FALSE;
  g_autoptr(GPtrArray) roots = trust_store_list(store);
  const TrustRoot *root = find(roots, cli_argument(cli, 0), error);
  if (!root)
    return FALSE;
  if (root->distrusted && root->place != TRUST_PLACE_USER) {
    path = g_strdup(root->distrusted);
    cli_say(cli, "Already distrusted, by %s", path);
  } else if (!trust_remove_root(root, &path, &removed, error)) {
    return FALSE;
  } else {
    report(cli, roots, root, path, removed);
  }
  const TrustRoot *still = removed ? other_copy(roots, root) : NULL;
  json_t *object = cli_json_cert(root->certificate);
  json_object_set_new(object, "removed", json_boolean(removed));
  json_object_set_new(object, "distrusted", json_boolean(!removed));
  json_object_set_new(object, "path", cli_json_text(path));
  json_object_set_new(object, "still_trusted_by",
                      cli_json_text(still && !still->distrusted ? still->origin : NULL));
  return cli_json(cli, object, error);
}

const CliVerb cli_trust_remove = {
  .group = "trust",
  .name = "remove",
  .arguments = "FPR|NAME",
  .min_arguments = 1,
  .max_arguments = 1,
  .help = "trust a root no more",
  .more = "Your own file is removed. A root of the machine's or of NSS's, or one that shares its\n"
          "file with others, is put on your list of distrusted ones (trust.d/distrust).\n"
          "NAME: its name as `trust list` shows it, or a part that fits only one.",
  .example = "signet trust remove \"Company CA\"",
  .run = run,
};
