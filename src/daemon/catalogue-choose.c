/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "daemon/catalogue-internal.h"

#include <string.h>

/* Which key and certificate an operation uses, and why not the others. */

typedef struct {
  DaemonCatalogue *catalogue;
  BaseUse use;
  gint64 now;
  const DaemonCert *wanted; /* (nullable) named by fingerprint */
  char *address;            /* (nullable) that is asked for: certificates that bear it go first */
  GPtrArray *reasons;       /* one line for each that cannot */
  GPtrArray *ties;       /* (element-type DaemonCert): other people's, as good as the chosen one */
  const DaemonKey *away; /* (nullable) of a certificate that fits: its token is not here */
  gboolean hindered;     /* another that fits has a key that is here and cannot, or is lost */
} Choosing;

typedef enum { OBSTACLE_CERTIFICATE, OBSTACLE_KEY, OBSTACLE_AWAY } Obstacle;

static const char *
use_words(BaseUse use)
{
  return use == BASE_USE_SIGN ? "sign mail" : "receive sealed mail";
}

static char *
reason_of_use(const DaemonCert *cert, BaseUse use)
{
  if (use == BASE_USE_ENCRYPT && cert->kind == BASE_KEY_ED25519)
    return g_strdup("Ed25519 cannot receive sealed mail");
  if (cert->use & BASE_USE_CA)
    return g_strdup("a certification authority's");
  if (cert->use & use)
    return NULL;
  if (use == BASE_USE_ENCRYPT && (cert->use & BASE_USE_SIGN))
    return g_strdup("for signing only");
  if (use == BASE_USE_SIGN && (cert->use & BASE_USE_ENCRYPT))
    return g_strdup("for encryption only");
  if (cert->use & BASE_USE_AUTH)
    return g_strdup("for authentication only");
  return g_strdup("not for mail");
}

static gboolean
bears_address(const Choosing *choosing, const DaemonCert *cert)
{
  const DaemonKey *key = g_hash_table_lookup(choosing->catalogue->keys, cert->key);
  const char *const *given = (const char *const *)key->given_addresses;
  return g_strv_contains((const char *const *)cert->addresses, choosing->address) ||
         (given && g_strv_contains(given, choosing->address));
}

/* The ID has it by another certificate, of the same person. */
static gboolean
person_has_address(const Choosing *choosing, const DaemonCert *cert)
{
  const DaemonKey *own = g_hash_table_lookup(choosing->catalogue->keys, cert->key);
  for (guint i = 0; i < own->id->keys->len; i++) {
    const DaemonKey *key = g_ptr_array_index(own->id->keys, i);
    for (guint j = 0; j < key->certs->len; j++) {
      const DaemonCert *other = g_ptr_array_index(key->certs, j);
      if (bears_address(choosing, other) && daemon_catalogue_same_person(cert, other))
        return TRUE;
    }
  }
  return FALSE;
}

/* A signature by it would not be good: readers compare the addresses. */
static char *
reason_of_address(const Choosing *choosing, const DaemonCert *cert)
{
  if (!choosing->address || cert == choosing->wanted || !cert->addresses[0] ||
      bears_address(choosing, cert))
    return NULL;
  if (choosing->use == BASE_USE_ENCRYPT && person_has_address(choosing, cert))
    return NULL;
  return g_strdup_printf("for %s%s, not for %s", cert->addresses[0],
                         cert->addresses[1] ? " and others" : "", choosing->address);
}

static char *
reason_of_time(const DaemonCert *cert, gint64 now)
{
  g_autofree char *from = daemon_catalogue_day(cert->not_before);
  g_autofree char *until = daemon_catalogue_day(cert->not_after);
  if (now > cert->not_after)
    return g_strdup_printf("expired on %s", until);
  return now < cert->not_before ? g_strdup_printf("not valid before %s", from) : NULL;
}

static guint32
needed_flag(const DaemonKey *key, BaseUse use)
{
  return use == BASE_USE_SIGN ? WIRE_KEY_SIGN : daemon_catalogue_decrypt_flag(key->kind);
}

/* Some device that is not here has it, as far as is known. */
static gboolean
is_away(const DaemonKey *key)
{
  for (guint i = 0; i < key->seen->len; i++)
    if (!((DaemonSeen *)g_ptr_array_index(key->seen, i))->gone)
      return TRUE;
  return FALSE;
}

/* "Card" on 2026-01-02 at 10:11; NULL: nowhere yet */
static char *
last_seen(const DaemonKey *key)
{
  g_autofree char *where = daemon_catalogue_last_seen(key);
  gint64 at = daemon_catalogue_last_seen_at(key);
  g_autoptr(GDateTime) time = at ? g_date_time_new_from_unix_local(at) : NULL;
  g_autofree char *when = time ? g_date_time_format(time, " on %Y-%m-%d at %H:%M") : NULL;
  return *where ? g_strconcat(where, when, NULL) : NULL;
}

/* Sealing to oneself takes only the certificate; the key may be in the drawer. It must be
 * able to open it one day, though. */
static char *
reason_of_key(const Choosing *choosing, const DaemonKey *key, DaemonLocation **ret_location,
              Obstacle *ret_obstacle)
{
  *ret_obstacle = OBSTACLE_KEY;
  guint32 flag = needed_flag(key, choosing->use);
  *ret_location = flag ? daemon_catalogue_locate(choosing->catalogue, key, flag, NULL) : NULL;
  if (*ret_location)
    return NULL;
  if (key->locations->len) {
    const DaemonLocation *location = g_ptr_array_index(key->locations, 0);
    return g_strdup_printf("its key on \"%s\" cannot %s", location->view->token->label,
                           choosing->use == BASE_USE_SIGN ? "sign" : "decrypt");
  }
  g_autoptr(GError) error = NULL;
  daemon_catalogue_locate(choosing->catalogue, key, flag, &error);
  if (g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_DENIED))
    return g_strdup("its token was given up as lost");
  if (choosing->use == BASE_USE_ENCRYPT && (key->flags & flag))
    return NULL;
  if (choosing->use == BASE_USE_ENCRYPT)
    return g_strdup("its key cannot decrypt");
  if (is_away(key))
    *ret_obstacle = OBSTACLE_AWAY;
  g_autofree char *where = last_seen(key);
  return where ? g_strdup_printf("its key is not on any token now (last seen on %s)", where)
               : g_strdup("its key is not on any token");
}

static char *
reason_against(const Choosing *choosing, const DaemonKey *key, const DaemonCert *cert,
               DaemonLocation **ret_location, Obstacle *ret_obstacle)
{
  char *reason = reason_of_use(cert, choosing->use);
  *ret_obstacle = OBSTACLE_CERTIFICATE;
  if (!reason)
    reason = reason_of_address(choosing, cert);
  if (!reason)
    reason = reason_of_time(cert, choosing->now);
  return reason ? reason : reason_of_key(choosing, key, ret_location, ret_obstacle);
}

/* ---- one ID ---- */

/* Stable: those of one key to the front. */
static void
prefer_key(GPtrArray *certs, const char *key)
{
  guint n = 0;
  for (guint i = 0; key && i < certs->len; i++)
    if (strcmp(((DaemonCert *)g_ptr_array_index(certs, i))->key, key) == 0)
      g_ptr_array_insert(certs, (gint)n++, g_ptr_array_steal_index(certs, i));
}

/* Stable, too: an ID can have several addresses, and a certificate some of them. */
static void
prefer_address(const Choosing *choosing, GPtrArray *certs)
{
  guint n = 0;
  for (guint i = 0; choosing->address && i < certs->len; i++)
    if (bears_address(choosing, g_ptr_array_index(certs, i)))
      g_ptr_array_insert(certs, (gint)n++, g_ptr_array_steal_index(certs, i));
}

static GPtrArray *
certs_of(const Choosing *choosing, const DaemonId *id)
{
  gpointer first = (gpointer)(gintptr)choosing->wanted;
  GPtrArray *certs = g_ptr_array_new();
  for (guint i = 0; i < id->keys->len; i++) {
    const DaemonKey *key = g_ptr_array_index(id->keys, i);
    for (guint j = 0; j < key->certs->len; j++)
      g_ptr_array_add(certs, g_ptr_array_index(key->certs, j));
  }
  g_ptr_array_sort(certs, daemon_catalogue_compare_certs);
  prefer_key(certs, choosing->catalogue->default_key);
  prefer_address(choosing, certs);
  if (first && g_ptr_array_remove(certs, first))
    g_ptr_array_insert(certs, 0, first);
  return certs;
}

/* ---- one address, two people ---- */

/* An address that two people have (info@…) makes one ID of them: whose key it shall be is not for
 * us to say, unless the person did. */
static gboolean
may_tie(const Choosing *choosing, const DaemonCert *chosen, const DaemonCert *cert)
{
  if (chosen == choosing->wanted || strcmp(chosen->key, cert->key) == 0 ||
      g_strcmp0(chosen->key, choosing->catalogue->default_key) == 0)
    return FALSE;
  if (choosing->address && bears_address(choosing, chosen) && !bears_address(choosing, cert))
    return FALSE;
  return !daemon_catalogue_same_person(chosen, cert);
}

static void
add_keys_without_certificate(const Choosing *choosing, const DaemonId *id)
{
  for (guint i = 0; i < id->keys->len; i++) {
    const DaemonKey *key = g_ptr_array_index(id->keys, i);
    if (!key->certs->len)
      g_ptr_array_add(choosing->reasons, g_strdup_printf("%s, key %.16s: it has no certificate yet",
                                                         id->id, key->name));
  }
}

static void
note_obstacle(Choosing *choosing, const DaemonId *id, const DaemonCert *cert, const char *reason,
              Obstacle obstacle)
{
  if (obstacle == OBSTACLE_AWAY && !choosing->away)
    choosing->away = g_hash_table_lookup(choosing->catalogue->keys, cert->key);
  choosing->hindered = choosing->hindered || obstacle == OBSTACLE_KEY;
  g_ptr_array_add(choosing->reasons,
                  g_strdup_printf("%s, certificate %.16s: %s", id->id, cert->fingerprint, reason));
}

static gboolean
choose_in_id(Choosing *choosing, DaemonId *id, DaemonChoice *ret_choice)
{
  g_autoptr(GPtrArray) certs = certs_of(choosing, id);
  DaemonChoice choice = { 0 };
  for (guint i = 0; i < certs->len; i++) {
    DaemonCert *cert = g_ptr_array_index(certs, i);
    DaemonKey *key = g_hash_table_lookup(choosing->catalogue->keys, cert->key);
    DaemonLocation *location = NULL;
    Obstacle obstacle;
    if (choice.cert && !may_tie(choosing, choice.cert, cert))
      continue;
    g_autofree char *reason = reason_against(choosing, key, cert, &location, &obstacle);
    if (reason)
      note_obstacle(choosing, id, cert, reason, obstacle);
    else if (choice.cert)
      g_ptr_array_add(choosing->ties, cert);
    else
      choice = (DaemonChoice){ .id = id, .key = key, .cert = cert, .location = location };
  }
  if (!choice.cert) {
    add_keys_without_certificate(choosing, id);
    return FALSE;
  }
  *ret_choice = choice;
  return TRUE;
}

static char *
describe_cert(const DaemonCert *cert)
{
  return g_strdup_printf("%s, certificate %.16s", cert->name ? cert->name : cert->subject,
                         cert->fingerprint);
}

static gboolean
check_tie(const Choosing *choosing, const DaemonChoice *choice, GError **error)
{
  if (!choosing->ties->len)
    return TRUE;
  base_error_set(error, SIGNET_ERROR_AMBIGUOUS,
                 "certificates of several people can %s as %s: name one by its fingerprint, or "
                 "make it the default",
                 use_words(choosing->use), choosing->address ? choosing->address : choice->id->id);
  g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
  g_ptr_array_add(lines, describe_cert(choice->cert));
  for (guint i = 0; i < choosing->ties->len; i++)
    g_ptr_array_add(lines, describe_cert(g_ptr_array_index(choosing->ties, i)));
  daemon_catalogue_set_candidates(error, lines);
  g_autofree char *prefix = g_strndup(choice->cert->fingerprint, 16);
  base_error_suggest(error, "signet", "id", "default", prefix, NULL);
  return FALSE;
}

static const char *
bare_reason(const char *line)
{
  const char *colon = strstr(line, ": ");
  return colon ? colon + 2 : line;
}

/* Nothing is wrong with the ID but that its token is not here. */
static gboolean
set_away(const Choosing *choosing, const DaemonId *id, GError **error)
{
  g_autofree char *where = last_seen(choosing->away);
  base_error_set(error, SIGNET_ERROR_TOKEN_GONE,
                 "the key of %s that can %s is on no token that is here now; it was last seen on "
                 "%s: insert it",
                 id->id, use_words(choosing->use), where);
  base_error_name_token(error, daemon_catalogue_token_label(choosing->away, NULL));
  base_error_suggest(error, "signet", "token", "list", NULL);
  return FALSE;
}

static gboolean
set_none_usable(const Choosing *choosing, const DaemonId *id, GError **error)
{
  if (id && choosing->away && !choosing->hindered)
    return set_away(choosing, id, error);
  const GPtrArray *reasons = choosing->reasons;
  if (id && reasons->len == 1)
    base_error_set(error, SIGNET_ERROR_NONE_USABLE, "%s cannot %s: %s", id->id,
                   use_words(choosing->use), bare_reason(g_ptr_array_index(reasons, 0)));
  else
    base_error_set(error, SIGNET_ERROR_NONE_USABLE, "no certificate of %s can %s",
                   id ? id->id : "any ID", use_words(choosing->use));
  daemon_catalogue_set_candidates(error, choosing->reasons);
  const DaemonKey *key = id ? g_ptr_array_index(id->keys, 0) : NULL;
  if (key && !key->certs->len)
    base_error_suggest(error, "signet", "id", "request", id->id, NULL);
  else if (id)
    base_error_suggest(error, "signet", "id", "show", id->id, NULL);
  return FALSE;
}

/* ---- without a name ---- */

static gboolean
set_which_one(const GPtrArray *usable, BaseUse use, GError **error)
{
  base_error_set(error, SIGNET_ERROR_AMBIGUOUS,
                 "%u IDs can %s and none is the default: name one, or set the default", usable->len,
                 use_words(use));
  g_autoptr(GPtrArray) lines = g_ptr_array_new();
  for (guint i = 0; i < usable->len; i++)
    g_ptr_array_add(lines, (gpointer)(gintptr)((DaemonId *)g_ptr_array_index(usable, i))->id);
  daemon_catalogue_set_candidates(error, lines);
  base_error_suggest(error, "signet", "id", "default", g_ptr_array_index(lines, 0), NULL);
  return FALSE;
}

static gboolean
choose_only(Choosing *choosing, DaemonChoice *ret_choice, GError **error)
{
  const GPtrArray *ids = choosing->catalogue->ids;
  if (!ids->len) {
    base_error_set(error, SIGNET_ERROR_NOT_FOUND, "there is no digital ID here yet");
    base_error_suggest(error, "signet", "id", "new", "ADDRESS", NULL);
    return FALSE;
  }
  g_autoptr(GPtrArray) usable = g_ptr_array_new();
  DaemonChoice choice = { 0 };
  for (guint i = 0; i < ids->len; i++)
    if (choose_in_id(choosing, g_ptr_array_index(ids, i), &choice))
      g_ptr_array_add(usable, g_ptr_array_index(ids, i));
  if (usable->len > 1)
    return set_which_one(usable, choosing->use, error);
  if (!usable->len)
    return set_none_usable(choosing, ids->len == 1 ? g_ptr_array_index(ids, 0) : NULL, error);
  if (!check_tie(choosing, &choice, error))
    return FALSE;
  *ret_choice = choice;
  return TRUE;
}

/* ---- by name ---- */

static char *
why_not(const Choosing *choosing, DaemonId *id, const char *address)
{
  g_autoptr(GPtrArray) reasons = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GPtrArray) ties = g_ptr_array_new();
  Choosing own = *choosing;
  DaemonChoice choice;
  own.reasons = reasons;
  own.ties = ties;
  if (choose_in_id(&own, id, &choice))
    return g_strdup_printf("%s: can %s, but is not for %s", id->id, use_words(own.use), address);
  g_autofree char *where = own.away ? last_seen(own.away) : NULL;
  if (where)
    return g_strdup_printf("%s: is not for %s, and its key is away (last seen on %s)", id->id,
                           address, where);
  return g_strdup_printf("%s: is not for %s, and cannot %s: %s", id->id, address,
                         use_words(own.use), bare_reason(g_ptr_array_index(reasons, 0)));
}

static void
set_no_id(const Choosing *choosing, const char *address, GError **error)
{
  const GPtrArray *ids = choosing->catalogue->ids;
  g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < ids->len; i++) /* beyond the first few only the number counts */
    g_ptr_array_add(lines, i < DAEMON_CATALOGUE_CANDIDATES_MAX
                               ? why_not(choosing, g_ptr_array_index(ids, i), address)
                               : g_strdup(""));
  base_error_set(error, SIGNET_ERROR_NOT_FOUND, "there is no ID for %s", address);
  daemon_catalogue_set_candidates(error, lines);
  base_error_suggest(error, "signet", "id", "new", address, NULL);
}

static gboolean
find_named(Choosing *choosing, const DaemonWish *wish, DaemonId **ret_id, GError **error)
{
  DaemonId *id = NULL;
  if (wish->id) {
    DaemonCert *cert = NULL;
    id = daemon_catalogue_find_id(choosing->catalogue, wish->id, &cert, error);
    choosing->wanted = cert;
    choosing->address = daemon_catalogue_find_address(choosing->catalogue, wish->id)
                            ? base_address_normal(wish->id)
                            : NULL;
  } else if (wish->address) {
    id = daemon_catalogue_find_address(choosing->catalogue, wish->address);
    if (!id)
      set_no_id(choosing, wish->address, error);
    choosing->address = base_address_normal(wish->address);
  } else {
    *ret_id = daemon_catalogue_default_id(choosing->catalogue);
    return TRUE;
  }
  *ret_id = id;
  return id != NULL;
}

static gboolean
choose(Choosing *choosing, const DaemonWish *wish, DaemonChoice *ret_choice, GError **error)
{
  DaemonId *id = NULL;
  DaemonChoice choice;
  if (!find_named(choosing, wish, &id, error))
    return FALSE;
  if (!id)
    return choose_only(choosing, ret_choice, error);
  if (!choose_in_id(choosing, id, &choice))
    return set_none_usable(choosing, id, error);
  if (!check_tie(choosing, &choice, error))
    return FALSE;
  *ret_choice = choice;
  return TRUE;
}

gboolean
daemon_catalogue_choose(DaemonCatalogue *catalogue, const DaemonWish *wish,
                        DaemonChoice *ret_choice, GError **error)
{
  daemon_catalogue_settle(catalogue);
  g_autoptr(GPtrArray) reasons = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GPtrArray) ties = g_ptr_array_new();
  Choosing choosing = {
    .catalogue = catalogue, .use = wish->use, .now = wish->now, .reasons = reasons, .ties = ties
  };
  gboolean chosen = choose(&choosing, wish, ret_choice, error);
  g_free(choosing.address);
  return chosen;
}
