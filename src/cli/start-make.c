/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cert.h"
#include "base/error.h"
#include "cli/issue.h"
#include "cli/start.h"

#include <stdio.h>
#include <string.h>

#define SOFT_LABEL "signet"
#define DAYS "365"

/* ---- the token ---- */

static gboolean
takes_keys(const SignetToken *token)
{
  return token->state == SIGNET_TOKEN_PRESENT && !token->read_only && !token->lost;
}

static const SignetToken *
blank_token(const Start *start)
{
  for (guint i = 0; i < start->tokens->len; i++) {
    const SignetToken *token = start->tokens->pdata[i];
    if (cli_start_is_blank(token))
      return token;
  }
  return NULL;
}

static GPtrArray *
writable_tokens(const Start *start)
{
  GPtrArray *found = g_ptr_array_new();
  for (guint i = 0; i < start->tokens->len; i++)
    if (takes_keys(start->tokens->pdata[i]))
      g_ptr_array_add(found, start->tokens->pdata[i]);
  return found;
}

static gboolean
ask_token(Start *start, const GPtrArray *usable, GError **error)
{
  guint n = usable->len;
  cli_say(start->cli, "\nWhere shall the key be made? It stays there.");
  for (guint i = 0; i < usable->len; i++) {
    g_autofree char *label = cli_safe(((const SignetToken *)usable->pdata[i])->label);
    cli_say(start->cli, "  %u  token \"%s\"", i + 1, label);
  }
  cli_say(start->cli, "  %u  a new soft token on this computer", n + 1);
  g_autofree char *answer = cli_start_ask(start, "Number", "1", error);
  guint64 number = 0;
  if (!answer)
    return FALSE;
  if (!g_ascii_string_to_unsigned(answer, 10, 1, n + 1, &number, NULL))
    return base_error_set(error, SIGNET_ERROR_CANCELLED, "\"%s\" is none of 1 to %u", answer,
                          n + 1);
  start->soft = number > n;
  if (number <= n)
    start->token = g_strdup(((const SignetToken *)usable->pdata[number - 1])->label);
  return TRUE;
}

static gboolean
choose_token(Start *start, GError **error)
{
  g_autoptr(GPtrArray) usable = writable_tokens(start);
  start->token = g_strdup(cli_text(start->cli, "token"));
  if (start->token)
    return TRUE;
  if (cli_flag(start->cli, "soft")) {
    /* One that an earlier run made is taken up again. */
    for (guint i = 0; i < usable->len && !start->token; i++) {
      const SignetToken *token = usable->pdata[i];
      if (token->soft && strcmp(token->label, SOFT_LABEL) == 0)
        start->token = g_strdup(token->label);
    }
    start->soft = start->token == NULL;
    return TRUE;
  }
  if (usable->len == 0) {
    start->soft = blank_token(start) == NULL;
    return TRUE;
  }
  if (start->asks)
    return ask_token(start, usable, error);
  if (usable->len == 1) {
    start->token = g_strdup(((const SignetToken *)usable->pdata[0])->label);
    return TRUE;
  }
  return base_error_set(error, SIGNET_ERROR_AMBIGUOUS,
                        "%u tokens could hold the ID: name one with --token T, or --soft",
                        usable->len);
}

/* A blank token, or a new soft one. Unlocked afterwards, so that its PIN is not asked for at once. */
static gboolean
make_token(Start *start, GError **error)
{
  const SignetToken *blank = start->soft ? NULL : blank_token(start);
  if (!start->soft && !blank)
    return base_error_set(error, SIGNET_ERROR_NOT_FOUND, "there is no token to make ready");
  cli_say(start->cli, start->soft ? "\nA soft token is made on this computer. Choose a PIN for it."
                                  : "\nThe blank token is made ready. Choose a PIN for it.");
  g_autoptr(BaseSecret) pin =
      cli_pin_get(start->cli, "pin-fd", "New PIN for token \"" SOFT_LABEL "\"", TRUE, error);
  if (!pin)
    return FALSE;
  SignetTokenInit init = { .label = SOFT_LABEL,
                           .pin = base_secret_text(pin),
                           .soft = start->soft,
                           .token = blank && *blank->uri ? blank->uri : NULL };
  g_autoptr(SignetToken) token =
      signet_token_init(start->cli->client, &init, start->soft ? NULL : &start->so_pin, error);
  if (!token)
    return FALSE;
  if (!start->cli->json)
    cli_start_tell_so_pin(start, stdout);
  start->token = g_strdup(token->label);
  return signet_token_unlock(start->cli->client, token->uri, base_secret_text(pin), FALSE, NULL,
                             error);
}

/* ---- the key ---- */

/* What losing the token means is said before the key is there. */
static gboolean
settle_backup(Start *start, GError **error)
{
  g_autoptr(SignetAbilities) can = NULL;
  g_autoptr(SignetToken) token =
      signet_token_describe(start->cli->client, start->token, &can, NULL, error);
  if (!token)
    return FALSE;
  if (can->wrap || cli_flag(start->cli, "no-backup")) {
    cli_say(start->cli, can->wrap ? "The key can be backed up from this token later."
                                  : "No backup: losing the token loses the mail sealed to it.");
    return TRUE;
  }
  cli_say(start->cli,
          "\nA key made on \"%s\" can never leave it, not even for a backup:\n"
          "losing the token would lose all mail that is sealed to it.",
          start->token);
  if (!start->asks) {
    base_error_set(error, SIGNET_ERROR_REFUSED,
                   "a key made on \"%s\" can never be backed up: say that you accept that",
                   start->token);
    base_error_suggest(error, "signet", "start", "--new", start->id, "--no-backup", NULL);
    return FALSE;
  }
  return cli_terminal_confirm(start->cli, "Make it there all the same?") ||
         base_error_set(error, SIGNET_ERROR_CANCELLED, "no key was made");
}

static gboolean
make_key(Start *start, GError **error)
{
  const char *name = cli_text(start->cli, "name");
  const char *kind = cli_text(start->cli, "key");
  g_autofree char *asked = NULL;
  if (!name && start->asks) {
    asked = cli_start_ask(start, "Your name, as people shall see it (may be empty)", "", error);
    if (!asked)
      return FALSE;
    name = *asked ? asked : NULL;
  }
  GPtrArray *words = g_ptr_array_new();
  const char *const plain[] = { "id", "new", "--no-backup", "--token", start->token };
  for (gsize i = 0; i < G_N_ELEMENTS(plain); i++)
    g_ptr_array_add(words, (gpointer)(guintptr)plain[i]);
  const char *const more[] = { name ? "--name" : NULL, name, kind ? "--key" : NULL, kind };
  for (gsize i = 0; i < G_N_ELEMENTS(more); i++)
    if (more[i])
      g_ptr_array_add(words, (gpointer)(guintptr)more[i]);
  g_ptr_array_add(words, (gpointer)(guintptr) "--");
  g_ptr_array_add(words, start->id);
  g_ptr_array_add(words, NULL);
  gboolean done = cli_run(start->cli, (const char *const *)words->pdata, NULL, error);
  g_ptr_array_unref(words);
  if (done)
    cli_say(start->cli, "The key is made, on token \"%s\".", start->token);
  return done;
}

/* ---- the certificate ---- */

static const SignetKey *
key_without_certificate(const SignetId *id)
{
  for (guint k = 0; k < id->keys->len; k++) {
    const SignetKey *key = id->keys->pdata[k];
    if (key->certificates->len == 0 && key->tokens[0] && key->public_key)
      return key;
  }
  return NULL;
}

static gboolean
wants_request(Start *start, GError **error)
{
  g_autofree char *answer = NULL;
  start->request = g_strdup(cli_text(start->cli, "csr"));
  if (start->request || cli_flag(start->cli, "self-signed") || !start->asks)
    return TRUE;
  cli_say(start->cli, "\nWho certifies that the key is yours?\n"
                      "  1  yourself: works at once, among people who know you\n"
                      "  2  a CA: a request is written to a file for it");
  answer = cli_start_ask(start, "Number", "1", error);
  if (answer && strcmp(answer, "2") == 0)
    start->request = cli_start_ask(start, "The file for the request", "request.csr", error);
  return answer && (strcmp(answer, "2") != 0 || start->request);
}

static gboolean
certify(Start *start, const SignetId *id, const SignetKey *key, GError **error)
{
  CliSubject subject = { .key = key->key,
                         .public_key = key->public_key,
                         .name = id->name ? id->name : cli_text(start->cli, "name"),
                         .addresses = (const char *const *)id->addresses,
                         .can_decrypt = !g_str_has_prefix(key->kind, "ed25519") };
  gint64 days = cli_number(start->cli, "self-signed", 365);
  g_autoptr(GBytes) der = cli_issue_certificate(start->cli->client, &subject, days, error);
  return der &&
         signet_id_store_certificate(start->cli->client, der, FALSE, NULL, NULL, NULL, NULL, error);
}

static gboolean
make_certificate(Start *start, GError **error)
{
  const SignetId *id = cli_start_find(start, start->id);
  const SignetKey *key = id ? key_without_certificate(id) : NULL;
  if (!key || !wants_request(start, error))
    return id && !key && cli_start_signs(id)
               ? TRUE
               : !key && base_error_set(error, SIGNET_ERROR_FAILED,
                                        "the key of %s is not to be seen on the token", start->id);
  if (!start->request) {
    if (!certify(start, id, key, error))
      return FALSE;
    cli_say(start->cli, "Its self-signed certificate is beside it.");
    return cli_start_look(start, error);
  }
  const char *const words[] = { "id", "request", "-o", start->request, "--", start->id, NULL };
  return cli_run(start->cli, words, NULL, error);
}

gboolean
cli_start_make(Start *start, GError **error)
{
  const SignetId *id = cli_start_find(start, start->id);
  if (id && cli_start_signs(id)) {
    cli_say(start->cli, "%s is here already, and signs.", start->id);
    return TRUE;
  }
  if (!id || !key_without_certificate(id)) {
    if (!choose_token(start, error) || (!start->token && !make_token(start, error)) ||
        !settle_backup(start, error) || !make_key(start, error) || !cli_start_look(start, error))
      return FALSE;
  } else {
    cli_say(start->cli, "The key of %s is here already; it needs its certificate.", start->id);
  }
  return make_certificate(start, error);
}

gboolean
cli_start_import(Start *start, GError **error)
{
  const char *token = cli_text(start->cli, "token");
  const char *const words[] = { "import",
                                token ? "--token" : "--",
                                token ? token : start->file,
                                token ? "--" : NULL,
                                start->file,
                                NULL };
  g_autoptr(GHashTable) before = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < start->ids->len; i++) {
    const SignetId *id = start->ids->pdata[i];
    if (cli_start_signs(id))
      g_hash_table_add(before, g_strdup(id->id));
  }
  if (!cli_run(start->cli, words, NULL, error) || !cli_start_look(start, error))
    return FALSE;
  const char *any = NULL;
  for (guint i = 0; i < start->ids->len && !start->id; i++) {
    const SignetId *id = start->ids->pdata[i];
    if (!cli_start_signs(id))
      continue;
    any = id->id;
    if (!g_hash_table_contains(before, id->id))
      start->id = g_strdup(id->id);
  }
  /* The same file again: its ID was here before. */
  if (!start->id && any && g_hash_table_size(before) == 1)
    start->id = g_strdup(any);
  if (start->id)
    cli_say(start->cli, "Imported: %s.", start->id);
  return start->id ||
         base_error_set(error, SIGNET_ERROR_NONE_USABLE,
                        "%s is imported, but no new ID in it signs mail now: signet id list shows "
                        "what there is",
                        start->file);
}
