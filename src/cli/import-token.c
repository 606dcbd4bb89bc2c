/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where imported keys go. */
#include "base/error.h"
#include "base/secret.h"
#include "cli/import.h"

#include <stdio.h>
#include <string.h>

#define SOFT_LABEL "signet"

static void
choose(CliImport *import, const SignetToken *token)
{
  g_free(import->token);
  g_free(import->token_label);
  import->token = g_strdup(token->uri);
  import->token_label = g_strdup(token->label);
}

static gboolean
choose_named(CliImport *import, const char *name, GError **error)
{
  g_autoptr(SignetToken) token =
      signet_token_describe(import->cli->client, name, NULL, NULL, error);
  if (!token)
    return FALSE;
  if (token->read_only)
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "token \"%s\" is read-only: it takes no keys", token->label);
  choose(import, token);
  return TRUE;
}

/* What it can do is not known of every token before its first use. */
static gboolean
takes_keys(const CliImport *import, const SignetToken *token)
{
  if (token->state != SIGNET_TOKEN_PRESENT || token->read_only || token->lost ||
      !token->user_pin.set)
    return FALSE;
  SignetAbilities *abilities = NULL;
  g_autoptr(SignetToken) again =
      signet_token_describe(import->cli->client, token->uri, &abilities, NULL, NULL);
  gboolean can =
      !abilities || abilities->write || !abilities->mechanisms || !abilities->mechanisms[0];
  signet_abilities_free(abilities);
  return can;
}

static gboolean
ambiguous(const CliImport *import, const GPtrArray *fit, GError **error)
{
  g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < fit->len; i++) {
    const SignetToken *token = g_ptr_array_index(fit, i);
    g_ptr_array_add(lines, g_strdup_printf("%s (%s %s, serial %s)", token->label,
                                           token->manufacturer, token->model, token->serial));
  }
  g_ptr_array_add(lines, NULL);
  const char *file = cli_argument(import->cli, 0);
  g_autoptr(GError) failed = NULL;
  base_error_set(&failed, SIGNET_ERROR_AMBIGUOUS,
                 "the keys could go on %u tokens; name one with --token", fit->len);
  base_error_details(failed)->candidates = g_strdupv((char **)lines->pdata);
  base_error_suggest(&failed, "signet", "import", "--token",
                     ((const SignetToken *)g_ptr_array_index(fit, 0))->label, file ? file : "FILE",
                     NULL);
  g_propagate_error(error, g_steal_pointer(&failed));
  return FALSE;
}

/* Unlocked with the PIN that was just chosen, so that it is not asked for twice. */
static gboolean
make_soft(CliImport *import, GError **error)
{
  Cli *cli = import->cli;
  cli_say(cli,
          "There is no token to put the keys on, so a soft token \"%s\" is made on\nthis computer.",
          SOFT_LABEL);
  fflush(stdout);
  g_autoptr(BaseSecret) pin =
      cli_pin_get(cli, "pin-fd", "New PIN for the soft token \"" SOFT_LABEL "\"", TRUE, error);
  if (!pin)
    return FALSE;
  if (base_secret_length(pin) == 0)
    return base_error_set(error, SIGNET_ERROR_PIN_REFUSED,
                          "the new PIN is empty; give the token a PIN");
  SignetTokenInit init = { .label = SOFT_LABEL, .pin = base_secret_text(pin), .soft = TRUE };
  g_autoptr(SignetToken) token = signet_token_init(cli->client, &init, NULL, error);
  if (!token ||
      !signet_token_unlock(cli->client, token->uri, base_secret_text(pin), FALSE, NULL, error))
    return FALSE;
  choose(import, token);
  import->token_made = TRUE;
  return TRUE;
}

static gboolean
has_key(const TransferPlan *plan, const char *name)
{
  for (guint i = 0; i < plan->keys->len; i++)
    if (strcmp(((const TransferKey *)g_ptr_array_index(plan->keys, i))->key, name) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
holds_any(const GPtrArray *ids, const TransferPlan *plan, const char *token)
{
  for (guint i = 0; i < ids->len; i++) {
    const SignetId *id = g_ptr_array_index(ids, i);
    for (guint k = 0; k < id->keys->len; k++) {
      const SignetKey *key = g_ptr_array_index(id->keys, k);
      if (key->tokens && g_strv_contains((const char *const *)key->tokens, token) &&
          has_key(plan, key->key))
        return TRUE;
    }
  }
  return FALSE;
}

/* An import that is repeated, to finish it or to shred its file, goes where it went; NULL: there is no such
 * token, or more than one. */
static const SignetToken *
holder(const CliImport *import, const TransferPlan *plan, const GPtrArray *fit)
{
  g_autoptr(GPtrArray) ids = signet_id_list(import->cli->client, FALSE, NULL);
  const SignetToken *found = NULL;
  for (guint i = 0; ids && i < fit->len; i++) {
    const SignetToken *token = g_ptr_array_index(fit, i);
    if (!holds_any(ids, plan, token->label))
      continue;
    if (found)
      return NULL;
    found = token;
  }
  return found;
}

/* The token that is here, other than `target`, and has one of the plan's keys, where `target` has it not. */
static const char *
elsewhere(const GPtrArray *ids, const TransferPlan *plan, const char *target,
          const SignetId **ret_id)
{
  for (guint i = 0; i < ids->len; i++) {
    const SignetId *id = g_ptr_array_index(ids, i);
    for (guint k = 0; k < id->keys->len; k++) {
      const SignetKey *key = g_ptr_array_index(id->keys, k);
      const char *const *tokens = (const char *const *)key->tokens;
      if (!tokens || !tokens[0] || !has_key(plan, key->key) ||
          (target && g_strv_contains(tokens, target)))
        continue;
      *ret_id = id;
      return tokens[0];
    }
  }
  return NULL;
}

/* A key that a card has already would get a second life beside it, with less protection maybe: only if that is
 * wanted. `target` NULL: a soft token that is not made yet. */
static gboolean
check_copies(CliImport *import, const TransferPlan *plan, const char *target, GError **error)
{
  Cli *cli = import->cli;
  const char *file = cli_argument(cli, 0);
  const SignetId *id = NULL;
  if (cli->yes)
    return TRUE;
  g_autoptr(GPtrArray) ids = signet_id_list(cli->client, FALSE, error);
  if (!ids)
    return FALSE;
  const char *token = elsewhere(ids, plan, target, &id);
  if (!token)
    return TRUE;
  g_autofree char *question = g_strdup_printf(
      "The key of %s is on token \"%s\" already. Make a second copy of it on \"%s\"?", id->id,
      token, target ? target : SOFT_LABEL);
  if (cli_terminal_confirm(cli, question))
    return TRUE;
  base_error_set(error, SIGNET_ERROR_REFUSED,
                 "the key of %s is on token \"%s\" already: --yes makes a second copy on \"%s\"",
                 id->id, token, target ? target : SOFT_LABEL);
  base_error_suggest(error, "signet", "import", "--yes", file ? file : "FILE",
                     target ? "--token" : NULL, target, NULL);
  return FALSE;
}

static gboolean
choose_fitting(CliImport *import, const TransferPlan *plan, GError **error)
{
  g_autoptr(GPtrArray) tokens = signet_token_list(import->cli->client, error);
  if (!tokens)
    return FALSE;
  g_autoptr(GPtrArray) fit = g_ptr_array_new();
  for (guint i = 0; i < tokens->len; i++)
    if (takes_keys(import, g_ptr_array_index(tokens, i)))
      g_ptr_array_add(fit, g_ptr_array_index(tokens, i));
  if (!fit->len)
    return check_copies(import, plan, NULL, error) && make_soft(import, error);
  const SignetToken *chosen = fit->len > 1 ? holder(import, plan, fit) : g_ptr_array_index(fit, 0);
  if (!chosen)
    return ambiguous(import, fit, error);
  choose(import, chosen);
  return TRUE;
}

gboolean
cli_import_choose_token(CliImport *import, const TransferPlan *plan, GError **error)
{
  const char *named = cli_text(import->cli, "token");
  gboolean settled = import->token && (named || import->token_made);
  if (!settled &&
      !(named ? choose_named(import, named, error) : choose_fitting(import, plan, error)))
    return FALSE;
  return check_copies(import, plan, import->token_label, error);
}
