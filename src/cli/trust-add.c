/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/path.h"
#include "cli/root.h"
#include "cli/verbs.h"
#include "trust/distrust.h"
#include "wire/json.h"

#include <string.h>

#define FILE_MAX ((gsize)16 * 1024 * 1024)

static char *
meaning_of(const BaseCert *root)
{
  g_autofree char *addresses = cli_join(root->addresses, ", ", "its holder");
  switch (trust_root_fit(root)) {
  case TRUST_FIT_ROOT:
    return g_strdup("A CA's root: every mail certificate that it issues, or a CA below it, will "
                    "be trusted, for any address.");
  case TRUST_FIT_SELF:
    return g_strdup_printf("A certificate that is signed by itself, not a CA's: it will be its own "
                           "anchor, and only signatures made with it, by %s, are trusted.",
                           addresses);
  case TRUST_FIT_INTERMEDIATE:
    return g_strdup_printf("A CA's certificate, but not a root: it completes chains; trust comes "
                           "only from its root, which is to be found by its issuer, %s.",
                           root->issuer);
  case TRUST_FIT_NOT:
  default:
    return g_strdup("Not a CA's certificate.");
  }
}

/* (nullable) */
static const char *
warning_of(const BaseCert *root)
{
  if (!trust_root_is_for_mail(root))
    return "Careful: by its own words this certificate is not for mail (for servers, say): mail "
           "certificates below it will not be trusted.";
  if (root->not_after < g_get_real_time() / G_USEC_PER_SEC)
    return "Careful: it has expired, so nothing will be trusted by it.";
  return NULL;
}

static void
show(const Cli *cli, const BaseCert *root)
{
  g_autofree char *until = cli_day(root->not_after);
  g_autofree char *subject = g_strconcat("Subject      ", root->subject, NULL);
  g_autofree char *meaning = meaning_of(root);
  const char *warning = warning_of(root);
  cli_root_wrap(cli, "", subject);
  cli_say(cli, "Fingerprint  %s", root->fingerprint);
  cli_say(cli, "Until        %s", until);
  cli_root_wrap(cli, "", meaning);
  if (warning)
    cli_root_wrap(cli, "", warning);
}

static gboolean
may_add(Cli *cli, const char *file, guint count, GError **error)
{
  if (cli->yes)
    return TRUE;
  if (!cli_terminal_available(cli)) {
    base_error_set(error, SIGNET_ERROR_REFUSED,
                   "nothing is trusted without a yes: compare the fingerprint with what its owner "
                   "says it is, then");
    base_error_suggest(error, "signet", "trust", "add", file, "--yes", NULL);
    return FALSE;
  }
  if (cli_terminal_confirm(cli, count == 1 ? "Trust it for mail?" : "Trust them for mail?"))
    return TRUE;
  return base_error_set(error, SIGNET_ERROR_CANCELLED, "nothing was added");
}

static gboolean
add(Cli *cli, const BaseCert *root, const TrustRoot *there, char **ret_path, gboolean *ret_added,
    GError **error)
{
  *ret_added = !there || there->distrusted;
  *ret_path = there ? g_strdup(there->path) : trust_root_path(root);
  if (there && there->distrusted) {
    g_autofree char *own = base_path_config();
    /* What the machine's keeper distrusts is not ours to undo: trust_add_root() says so. */
    if (!g_str_has_prefix(there->distrusted, own))
      return trust_add_root(root, error);
    if (!trust_distrust_drop(root->fingerprint, error))
      return FALSE;
    cli_say(cli, "Trusted again: %s (%s)", cli_root_name(root), there->origin);
    return TRUE;
  }
  if (there) {
    g_autofree char *origin = cli_root_origin(there->origin);
    cli_say(cli, "Already trusted: %s (%s)", cli_root_name(root), origin);
    return TRUE;
  }
  if (!trust_add_root(root, error))
    return FALSE;
  cli_say(cli, "Added: %s", cli_root_name(root));
  return TRUE;
}

/* All or none: one that cannot be a root refuses the file before anything is asked. */
static gboolean
check_all(const GPtrArray *certs, GError **error)
{
  for (guint i = 0; i < certs->len; i++) {
    const BaseCert *root = g_ptr_array_index(certs, i);
    if (trust_root_fit(root) == TRUST_FIT_NOT)
      return base_error_set(error, SIGNET_ERROR_REFUSED,
                            "%s is no CA's certificate: trust comes from the CA that issued it, "
                            "%s; add that one's",
                            root->subject, root->issuer);
  }
  return TRUE;
}

static guint
show_new(const Cli *cli, const GPtrArray *certs, const GPtrArray *roots)
{
  guint count = 0;
  for (guint i = 0; i < certs->len; i++) {
    const BaseCert *root = g_ptr_array_index(certs, i);
    const TrustRoot *there = cli_root_find(roots, root->fingerprint);
    if (there && !there->distrusted)
      continue;
    show(cli, root);
    cli_say(cli, "%s", "");
    count++;
  }
  return count;
}

static gboolean
run(Cli *cli, GError **error)
{
  const char *file = cli_argument(cli, 0);
  g_autoptr(GBytes) bytes = base_path_read(file, FILE_MAX, error);
  g_autoptr(GPtrArray) certs = bytes ? base_cert_read_all(bytes, file, error) : NULL;
  g_autoptr(TrustStore) store = certs && check_all(certs, error) ? trust_store_new(error) : NULL;
  if (!store)
    return FALSE;
  g_autoptr(GPtrArray) roots = trust_store_list(store);
  guint count = show_new(cli, certs, roots);
  if (count && !may_add(cli, file, count, error))
    return FALSE;
  g_autoptr(WireJson) list = json_array();
  for (guint i = 0; i < certs->len; i++) {
    const BaseCert *root = g_ptr_array_index(certs, i);
    g_autofree char *path = NULL;
    gboolean added;
    if (!add(cli, root, cli_root_find(roots, root->fingerprint), &path, &added, error))
      return FALSE;
    json_t *object = cli_json_cert(root);
    json_object_set_new(object, "added", json_boolean(added));
    json_object_set_new(object, "path", cli_json_text(path));
    json_object_set_new(object, "warning", cli_json_text(warning_of(root)));
    json_array_append_new(list, object);
  }
  return cli_json(cli, json_pack("{s:O}", "roots", list), error);
}

const CliVerb cli_trust_add = {
  .group = "trust",
  .name = "add",
  .arguments = "FILE",
  .min_arguments = 1,
  .max_arguments = 1,
  .help = "trust a CA for mail",
  .more =
      "FILE is PEM, DER or .p7b, and holds the root's certificate. Shows whose it is and asks;\n"
      "without a terminal it takes --yes. Whoever holds a root's key can speak for any\n"
      "address: compare the fingerprint with what the CA itself says, by another way.",
  .example = "signet trust add company-ca.pem",
  .run = run,
};
