/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/claim.h"

#include "base/error.h"

#include <string.h>

#define NAMED_MAX 3 /* recipients named in an error */
/* Keys of ours that are tried: a message that names one five hundred times must not keep a card
 * busy for minutes, nor its person touching it. */
#define ATTEMPTS_MAX 16

#define BATCH 250 /* recipients that are held until the catalogue is asked about them */
/* Entries that name a key of ours and are kept: of those that are here, and of those that are away */
#define KEPT_MAX 64

struct CmsClaims {
  CmsKeys keys;
  CmsRecipients *batch;      /* not asked about yet */
  CmsRecipients *recipients; /* that name a key of ours */
  GPtrArray *matches;        /* (element-type SignetMatch), of `recipients` */
  guint kept[2];             /* of them: away, present */
  GPtrArray *named;          /* (element-type char) the first of all, as text */
  guint total;
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
not_for_us(const CmsClaims *claims, GError **error)
{
  g_autoptr(GString) who = g_string_new(NULL);
  for (guint i = 0; i < claims->named->len; i++)
    g_string_append_printf(who, "%s%s", i ? "; " : "",
                           (const char *)g_ptr_array_index(claims->named, i));
  if (claims->total > claims->named->len)
    g_string_append_printf(who, "; and %u more", claims->total - claims->named->len);
  if (claims->total == 0)
    return base_error_set(error, SIGNET_ERROR_CANNOT_DECRYPT,
                          "cannot decrypt: the message is sealed for nobody with a certificate");
  return base_error_set(error, SIGNET_ERROR_CANNOT_DECRYPT,
                        "cannot decrypt: sealed for %s; none of your IDs", who->str);
}

/* The words of org.signet.Id's `problem`: here no one needs to insert anything. */
static gboolean
key_hindered(const SignetMatch *match, const char *token, GError **error)
{
  const char *who = match->id ? match->id : "yours";
  if (strcmp(match->problem, "lost") == 0) {
    base_error_set(error, SIGNET_ERROR_DENIED,
                   "the key of %s that opens this is on \"%s\", which was given up as lost: it is "
                   "not used",
                   who, token);
    base_error_suggest(error, "signet", "token", "lost", token, "--found", NULL);
  } else if (strcmp(match->problem, "unable") == 0) {
    base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                   "the key of %s that this is sealed for is on \"%s\", where it may not decrypt",
                   who, token);
    base_error_suggest(error, "signet", "token", "show", token, NULL);
  } else {
    base_error_set(
        error, SIGNET_ERROR_CANNOT_DECRYPT,
        "cannot decrypt: the key of %s that opens this was on \"%s\" and was removed from "
        "it",
        who, token);
  }
  base_error_name_token(error, token);
  return FALSE;
}

static gboolean
key_away(const SignetMatch *match, GError **error)
{
  const char *token = match->token ? match->token : "?";
  if (match->problem)
    return key_hindered(match, token, error);
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
cms_claims_new(const CmsKeys *keys)
{
  CmsClaims *claims = g_new0(CmsClaims, 1);
  claims->keys = *keys;
  claims->batch = cms_recipients_new(NULL);
  claims->recipients = cms_recipients_new(NULL);
  claims->matches = g_ptr_array_new_with_free_func((GDestroyNotify)signet_match_free);
  claims->named = g_ptr_array_new_with_free_func(g_free);
  return claims;
}

static void
name_first(CmsClaims *claims)
{
  const GArray *entries = claims->batch->entries;
  for (guint i = 0; i < entries->len && claims->named->len < NAMED_MAX; i++)
    g_ptr_array_add(claims->named, cms_recipient_text(&g_array_index(entries, CmsRecipient, i)));
}

/* `places`: where entries of the batch went already, plus one. Takes the match. */
static void
keep(CmsClaims *claims, SignetMatch *match, guint *places)
{
  guint *kept = &claims->kept[match->present ? 1 : 0];
  gsize index = match->index;
  if (index >= claims->batch->entries->len || *kept >= KEPT_MAX) {
    signet_match_free(match);
    return;
  }
  ++*kept;
  if (places[index] == 0)
    places[index] = 1 + cms_recipients_move(claims->batch, (guint)index, claims->recipients);
  match->index = places[index] - 1;
  g_ptr_array_add(claims->matches, match);
}

/* Asks about what was gathered, and keeps what is ours of it. */
static gboolean
settle_batch(CmsClaims *claims, GError **error)
{
  guint n = claims->batch->entries->len;
  if (n == 0)
    return TRUE;
  g_autoptr(GPtrArray) matches = find_matches(&claims->keys, claims->batch, error);
  if (!matches)
    return FALSE;
  name_first(claims);
  claims->total += n;
  g_autofree guint *places = g_new0(guint, n);
  gsize count = 0;
  g_autofree gpointer *all = g_ptr_array_steal(matches, &count);
  for (gsize i = 0; i < count; i++)
    keep(claims, all[i], places);
  cms_recipients_free(claims->batch);
  claims->batch = cms_recipients_new(NULL);
  return TRUE;
}

gboolean
cms_claims_add(CmsClaims *claims, const guint8 *bytes, gsize length, GError **error)
{
  cms_recipients_add(claims->batch, bytes, length);
  return claims->batch->entries->len < BATCH || settle_batch(claims, error);
}

/* Those that are here first, as within each batch. */
static int
compare_presence(gconstpointer a, gconstpointer b)
{
  const SignetMatch *one = *(const SignetMatch *const *)a;
  const SignetMatch *other = *(const SignetMatch *const *)b;
  return (other->present != 0) - (one->present != 0);
}

gboolean
cms_claims_ready(CmsClaims *claims, GError **error)
{
  if (!settle_batch(claims, error))
    return FALSE;
  if (claims->total == 0)
    return not_for_us(claims, error);
  g_ptr_array_sort(claims->matches, compare_presence); /* which is stable */
  return TRUE;
}

void
cms_claims_free(CmsClaims *claims)
{
  if (!claims)
    return;
  cms_recipients_free(claims->batch);
  cms_recipients_free(claims->recipients);
  g_ptr_array_unref(claims->matches);
  g_ptr_array_unref(claims->named);
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
    if (!match->present && match->index < claims->recipients->entries->len &&
        (!claims->away || (claims->away->problem && !match->problem)))
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
    not_for_us(claims, error);
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
