/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/enveloped.h"

#include <openssl/err.h>

#define NAMED_MAX 3 /* recipients named in an error */
/* Keys of ours that are tried: a message that names one five hundred times must not keep a card
 * busy for minutes, nor its person touching it. */
#define ATTEMPTS_MAX 16

/* ---- whose is it ---- */

static GPtrArray *
find_matches(const CmsKeys *keys, const CmsRecipients *recipients, GError **error)
{
  guint n = recipients->entries->len;
  SignetRecipient *asks = g_new0(SignetRecipient, n + 1);
  for (guint i = 0; i < n; i++)
    asks[i] = cms_recipient_ask(&g_array_index(recipients->entries, CmsRecipient, i));
  GPtrArray *matches = keys->find(keys->data, asks, n, error);
  for (guint i = 0; i < n; i++)
    cms_recipient_ask_clear(&asks[i]);
  g_free(asks);
  return matches;
}

static gboolean
not_for_us(const CmsRecipients *recipients, GError **error)
{
  g_autoptr(GString) who = g_string_new(NULL);
  guint n = recipients->entries->len;
  for (guint i = 0; i < n && i < NAMED_MAX; i++) {
    g_autofree char *one = cms_recipient_text(&g_array_index(recipients->entries, CmsRecipient, i));
    g_string_append_printf(who, "%s%s", i ? "; " : "", one);
  }
  if (n > NAMED_MAX)
    g_string_append_printf(who, "; and %u more", n - NAMED_MAX);
  if (n == 0)
    return base_error_set(error, SIGNET_ERROR_CANNOT_DECRYPT,
                          "cannot decrypt: the message is sealed for nobody with a certificate");
  return base_error_set(error, SIGNET_ERROR_CANNOT_DECRYPT,
                        "cannot decrypt: sealed for %s; none of your IDs", who->str);
}

static gboolean
key_away(const SignetMatch *match, GError **error)
{
  const char *token = match->token ? match->token : "?";
  g_autoptr(GDateTime) seen =
      match->last_seen > 0 ? g_date_time_new_from_unix_local(match->last_seen) : NULL;
  g_autofree char *when = seen ? g_date_time_format(seen, ", last seen on %Y-%m-%d") : NULL;
  base_error_set(error, SIGNET_ERROR_TOKEN_GONE,
                 "the key of %s that opens this is on \"%s\", which is not there%s; insert it",
                 match->id ? match->id : "yours", token, when ? when : "");
  if (error && *error && match->token) {
    SignetErrorDetails *details = base_error_details(*error);
    g_free(details->token);
    details->token = g_strdup(match->token);
  }
  return FALSE;
}

/* ---- opening ---- */

/* What may be the fault of this message's entry for this key, so that another of our keys
 * is worth a try. All else (PIN, token, deadline, policy) is told at once: RFC 5652's
 * habit of going on with a random key would turn "token gone" into garbage. */
static gboolean
worth_another(const GError *error)
{
  return g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_UNSUPPORTED) ||
         g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_CANNOT_DECRYPT) ||
         g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
}

static CmsOpened *
open_with(const CmsKeys *keys, const CmsSealed *sealed, const CmsRecipient *recipient,
          const SignetMatch *match, GError **error)
{
  g_autoptr(BaseSecret) key =
      cms_recipient_open(recipient, keys, match, sealed->cipher->key_length, error);
  GBytes *content =
      key ? cms_cipher_open(sealed, base_secret_bytes(key), base_secret_length(key), error) : NULL;
  if (!content)
    return NULL;
  CmsOpened *opened = g_new0(CmsOpened, 1);
  opened->content = content;
  opened->authenticated = sealed->cipher->gcm;
  opened->cipher = g_strdup(sealed->cipher->name);
  opened->key = g_strdup(match->key);
  opened->id = g_strdup(match->id);
  return opened;
}

static CmsOpened *
open_any(const CmsKeys *keys, const CmsSealed *sealed, const CmsRecipients *recipients,
         GPtrArray *matches, GError **error)
{
  g_autoptr(GError) first = NULL;
  const SignetMatch *away = NULL;
  guint attempts = 0;
  for (guint i = 0; i < matches->len && attempts < ATTEMPTS_MAX; i++) {
    const SignetMatch *match = g_ptr_array_index(matches, i);
    g_autoptr(GError) problem = NULL;
    if (match->index >= recipients->entries->len)
      continue;
    if (!match->present) {
      away = away ? away : match;
      continue;
    }
    attempts++;
    CmsOpened *opened =
        open_with(keys, sealed, &g_array_index(recipients->entries, CmsRecipient, match->index),
                  match, &problem);
    if (opened)
      return opened;
    if (!worth_another(problem)) {
      g_propagate_error(error, g_steal_pointer(&problem));
      return NULL;
    }
    if (!first)
      first = g_steal_pointer(&problem);
  }
  if (first)
    g_propagate_error(error, g_steal_pointer(&first));
  else if (away)
    key_away(away, error);
  else
    not_for_us(recipients, error);
  return NULL;
}

CmsOpened *
cms_decrypt_with(const CmsKeys *keys, GBytes *message, GError **error)
{
  CmsMessage opened = { 0 };
  CmsSealed sealed;
  if (!cms_message_open(message, &opened, error))
    return NULL;
  g_autoptr(CmsEnveloped) enveloped = cms_enveloped_new(&opened, error);
  if (!enveloped || !cms_enveloped_sealed(enveloped, &sealed, error))
    return NULL;
  g_autoptr(CmsRecipients) recipients = cms_recipients_new(enveloped->recipients);
  if (recipients->entries->len == 0) {
    not_for_us(recipients, error);
    return NULL;
  }
  g_autoptr(GPtrArray) matches = find_matches(keys, recipients, error);
  return matches ? open_any(keys, &sealed, recipients, matches, error) : NULL;
}

void
cms_opened_free(CmsOpened *opened)
{
  if (!opened)
    return;
  if (opened->content)
    g_bytes_unref(opened->content);
  g_free(opened->cipher);
  g_free(opened->key);
  g_free(opened->id);
  g_free(opened);
}
