/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cipher.h"

#include "base/error.h"
#include "cli/signer.h"
#include "contacts/seen.h"

#include <string.h>

#define DEFAULT_CIPHER "aes-256-cbc"

/* Best first: those that tell whether a message was altered, where the key is as long. */
static const char *const order[] = { "aes-256-gcm", "aes-256-cbc", "aes-192-gcm",
                                     "aes-192-cbc", "aes-128-gcm", "aes-128-cbc" };

gboolean
cli_cipher_settle(Cli *cli, CliCipher *cipher, GError **error)
{
  g_autoptr(GError) failed = NULL;
  g_autofree char *name = NULL;
  if (!cli_mail_setting(cli, "cipher", &name, error))
    return FALSE;
  gboolean option = cli_text(cli, "cipher") != NULL;
  if (!name)
    return TRUE;
  if (cms_cipher_check(name, &failed)) {
    cipher->name = g_steal_pointer(&name);
    cipher->reason = option ? "option" : "setting";
    return TRUE;
  }
  if (!option)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the setting cipher=%s in [mail]: %s",
                          name, failed->message);
  g_propagate_error(error, g_steal_pointer(&failed));
  return FALSE;
}

/* Of whom nothing is known, CBC is expected: every S/MIME program of today reads it (RFC 8551 2.7). */
static gboolean
reads(char *const *ciphers, const char *name)
{
  return ciphers ? g_strv_contains((const char *const *)ciphers, name)
                 : g_str_has_suffix(name, "-cbc");
}

static gboolean
all_read(const GPtrArray *known, const char *name)
{
  for (guint i = 0; i < known->len; i++)
    if (!reads(g_ptr_array_index(known, i), name))
      return FALSE;
  return TRUE;
}

static void
free_ciphers(gpointer ciphers)
{
  g_strfreev(ciphers);
}

/* What each of the others reads (NULL: not known); signet itself reads all. */
static GPtrArray *
look_up(const CliRecipients *recipients)
{
  GPtrArray *known = g_ptr_array_new_with_free_func(free_ciphers);
  for (guint i = 0; i < recipients->certificates->len; i++) {
    const BaseCert *certificate = g_ptr_array_index(recipients->certificates, i);
    if (!cli_recipients_is_own(recipients, certificate))
      g_ptr_array_add(known, contacts_seen_ciphers(certificate));
  }
  return known;
}

static gboolean
any_known(const GPtrArray *known)
{
  for (guint i = 0; i < known->len; i++)
    if (g_ptr_array_index(known, i))
      return TRUE;
  return FALSE;
}

void
cli_cipher_choose(CliCipher *cipher, const CliRecipients *recipients)
{
  if (cipher->name)
    return;
  g_autoptr(GPtrArray) known = look_up(recipients);
  cipher->reason = "default";
  if (!any_known(known)) {
    cipher->name = g_strdup(DEFAULT_CIPHER);
    return;
  }
  for (gsize i = 0; i < G_N_ELEMENTS(order) && !cipher->name; i++)
    if (all_read(known, order[i]))
      cipher->name = g_strdup(order[i]);
  if (cipher->name)
    cipher->reason = "capabilities";
  else /* nothing that all read, or below what is safe: never that */
    cipher->name = g_strdup(DEFAULT_CIPHER);
}

void
cli_cipher_clear(CliCipher *cipher)
{
  g_clear_pointer(&cipher->name, g_free);
}
