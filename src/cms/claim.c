/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/claim.h"

#include "base/error.h"

#include <string.h>

#define NAMED_MAX 3 /* recipients named in an error */
/* Keys of ours that are tried: a message that names one five hundred times must not keep a card
 * busy for minutes, nor its person touching it. */
#define ATTEMPTS_MAX 16

struct CmsClaims {
  CmsKeys keys;
  CmsRecipients *recipients;
  GPtrArray *matches; /* (element-type SignetMatch) */
  guint next;
  const SignetMatch *tried[ATTEMPTS_MAX];
  guint attempts;
  const SignetMatch *away;
  GError *first;
};

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
  if (match->token)
    base_error_name_token(error, match->token);
  return FALSE;
}

CmsClaims *
cms_claims_new(const CmsKeys *keys, CmsRecipients *recipients, GError **error)
{
  g_autoptr(CmsClaims) claims = g_new0(CmsClaims, 1);
  claims->keys = *keys;
  claims->recipients = recipients;
  if (recipients->entries->len == 0) {
    not_for_us(recipients, error);
    return NULL;
  }
  claims->matches = find_matches(keys, recipients, error);
  return claims->matches ? g_steal_pointer(&claims) : NULL;
}

void
cms_claims_free(CmsClaims *claims)
{
  if (!claims)
    return;
  cms_recipients_free(claims->recipients);
  g_clear_pointer(&claims->matches, g_ptr_array_unref);
  g_clear_error(&claims->first);
  g_free(claims);
}

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

/* The same key with the same certificate may lie on two tokens; it opens no more on the second. */
static gboolean
was_tried(const CmsClaims *claims, const SignetMatch *match)
{
  for (guint i = 0; i < claims->attempts; i++)
    if (claims->tried[i]->index == match->index && strcmp(claims->tried[i]->key, match->key) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
is_usable(const CmsClaims *claims, const SignetMatch *match)
{
  return match->index < claims->recipients->entries->len && match->present &&
         !was_tried(claims, match);
}

static const CmsRecipient *
recipient_of(const CmsClaims *claims, const SignetMatch *match)
{
  return &g_array_index(claims->recipients->entries, CmsRecipient, match->index);
}

static const SignetMatch *
next_match(CmsClaims *claims)
{
  while (claims->next < claims->matches->len && claims->attempts < ATTEMPTS_MAX) {
    const SignetMatch *match = g_ptr_array_index(claims->matches, claims->next++);
    if (is_usable(claims, match))
      return claims->tried[claims->attempts++] = match;
    if (!match->present && match->index < claims->recipients->entries->len && !claims->away)
      claims->away = match;
  }
  return NULL;
}

BaseSecret *
cms_claims_next(CmsClaims *claims, gsize wanted, GError **error)
{
  for (const SignetMatch *match = next_match(claims); match; match = next_match(claims)) {
    g_autoptr(GError) problem = NULL;
    BaseSecret *key =
        cms_recipient_open(recipient_of(claims, match), &claims->keys, match, wanted, &problem);
    if (key)
      return key;
    if (!worth_another(problem)) {
      g_propagate_error(error, g_steal_pointer(&problem));
      return NULL;
    }
    cms_claims_refuse(claims, g_steal_pointer(&problem));
  }
  if (claims->first)
    g_propagate_error(error, g_steal_pointer(&claims->first));
  else if (claims->away)
    key_away(claims->away, error);
  else
    not_for_us(claims->recipients, error);
  return NULL;
}

const SignetMatch *
cms_claims_match(const CmsClaims *claims)
{
  return claims->attempts ? claims->tried[claims->attempts - 1] : NULL;
}

gboolean
cms_claims_settled(const CmsClaims *claims)
{
  const SignetMatch *match = cms_claims_match(claims);
  if (match && cms_recipient_proves(recipient_of(claims, match)))
    return TRUE;
  for (guint i = claims->next; i < claims->matches->len && claims->attempts < ATTEMPTS_MAX; i++)
    if (is_usable(claims, g_ptr_array_index(claims->matches, i)))
      return FALSE;
  return TRUE;
}

void
cms_claims_refuse(CmsClaims *claims, GError *problem)
{
  if (claims->first)
    g_error_free(problem);
  else
    claims->first = problem;
}
