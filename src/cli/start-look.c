/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cert.h"
#include "base/error.h"
#include "cli/start.h"

#include <string.h>

gboolean
cli_start_look(Start *start, GError **error)
{
  g_autoptr(GPtrArray) tokens = signet_token_list(start->cli->client, error);
  g_autoptr(GPtrArray) ids = tokens ? signet_id_list(start->cli->client, TRUE, error) : NULL;
  if (!ids)
    return FALSE;
  g_clear_pointer(&start->tokens, g_ptr_array_unref);
  g_clear_pointer(&start->ids, g_ptr_array_unref);
  start->tokens = g_steal_pointer(&tokens);
  start->ids = g_steal_pointer(&ids);
  return TRUE;
}

const SignetId *
cli_start_find(const Start *start, const char *name)
{
  for (guint i = 0; i < start->ids->len; i++) {
    const SignetId *id = start->ids->pdata[i];
    if (strcmp(id->id, name) == 0)
      return id;
    for (int a = 0; id->addresses && id->addresses[a]; a++)
      if (base_address_equal(id->addresses[a], name))
        return id;
  }
  return NULL;
}

static gboolean
is_valid_now(const SignetCertificate *certificate)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  return certificate->not_before <= now && now <= certificate->not_after;
}

static guint
uses_here(const SignetId *id, gint64 *ret_until)
{
  guint uses = 0;
  for (guint k = 0; k < id->keys->len; k++) {
    const SignetKey *key = id->keys->pdata[k];
    for (guint c = 0; key->tokens[0] && c < key->certificates->len; c++) {
      const SignetCertificate *certificate = key->certificates->pdata[c];
      if (!is_valid_now(certificate))
        continue;
      uses |= certificate->use;
      *ret_until = MAX(*ret_until, certificate->not_after);
    }
  }
  return uses;
}

gboolean
cli_start_signs(const SignetId *id)
{
  gint64 until = 0;
  return (uses_here(id, &until) & SIGNET_USE_SIGN) != 0;
}

/* ---- what is there ---- */

/* SoftHSM shows an empty slot always: no card, and nothing that a person put there. */
gboolean
cli_start_is_blank(const SignetToken *token)
{
  return token->state == SIGNET_TOKEN_BLANK && g_strcmp0(token->profile, "softhsm") != 0;
}

static gboolean
is_on(const SignetId *id, const char *label)
{
  for (guint k = 0; k < id->keys->len; k++) {
    const SignetKey *key = id->keys->pdata[k];
    if (g_strv_contains((const char *const *)key->tokens, label))
      return TRUE;
  }
  return FALSE;
}

static const char *
plain_words(guint uses)
{
  if ((uses & SIGNET_USE_SIGN) && (uses & SIGNET_USE_ENCRYPT))
    return "signs and opens mail";
  if (uses & SIGNET_USE_SIGN)
    return "signs mail";
  if (uses & SIGNET_USE_ENCRYPT)
    return "opens mail";
  return uses & SIGNET_USE_AUTH ? "logs in to computers and sites, not for mail" : "not for mail";
}

static void
explain_id(const Start *start, const SignetId *id)
{
  gint64 until = 0;
  guint uses = uses_here(id, &until);
  g_autofree char *name = cli_safe(id->id);
  g_autofree char *day = cli_day(until);
  gboolean bare = TRUE;
  for (guint k = 0; k < id->keys->len; k++)
    bare &= ((const SignetKey *)id->keys->pdata[k])->certificates->len == 0;
  if (bare)
    cli_say(start->cli, "    %s: a key, no certificate yet", name);
  else if (!uses)
    cli_say(start->cli, "    %s: its certificates have expired; old mail can be opened", name);
  else
    cli_say(start->cli, "    %s: %s, until %s", name, plain_words(uses), day);
}

static void
explain_token(const Start *start, const SignetToken *token)
{
  g_autofree char *label = cli_safe(token->label);
  g_autofree char *model = cli_safe(*token->model ? token->model : token->manufacturer);
  g_autofree char *slot = cli_safe(token->slot);
  guint found = 0;
  if (cli_start_is_blank(token)) {
    cli_say(start->cli, "  A blank token in %s: it can be made ready.", slot);
    return;
  }
  if (token->state != SIGNET_TOKEN_PRESENT)
    return;
  cli_say(start->cli,
          token->soft ? "  Token \"%s\", a soft one on this computer:" : "  Token \"%s\" (%s):",
          label, model);
  for (guint i = 0; i < start->ids->len; i++)
    if (is_on(start->ids->pdata[i], token->label)) {
      explain_id(start, start->ids->pdata[i]);
      found++;
    }
  if (!found)
    cli_say(start->cli, "    nothing for mail%s",
            token->locked ? " that shows without its PIN" : "; room for a digital ID");
}

void
cli_start_explain(const Start *start)
{
  guint here = 0;
  for (guint i = 0; i < start->tokens->len; i++) {
    const SignetToken *token = start->tokens->pdata[i];
    here += token->state == SIGNET_TOKEN_PRESENT || cli_start_is_blank(token);
  }
  if (!here)
    cli_say(start->cli, "No card, USB key or soft token is here.");
  else
    cli_say(start->cli, "Here now:");
  for (guint i = 0; i < start->tokens->len; i++)
    explain_token(start, start->tokens->pdata[i]);
}

/* ---- what is wanted ---- */

char *
cli_start_ask(const Start *start, const char *question, const char *fallback, GError **error)
{
  if (!start->asks) {
    base_error_set(error, SIGNET_ERROR_USAGE, "nobody is there to answer: %s", question);
    base_error_suggest(error, "signet", "start", "--help", NULL);
    return NULL;
  }
  g_autofree char *prompt = fallback && *fallback ? g_strdup_printf("%s [%s]: ", question, fallback)
                                                  : g_strdup_printf("%s: ", question);
  char *answer = cli_terminal_answer(prompt, error);
  if (answer && !*g_strstrip(answer) && fallback) {
    g_free(answer);
    answer = g_strdup(fallback);
  }
  return answer;
}

/* The options say it; FALSE without an error: they do not. */
static gboolean
decide_by_options(Start *start, GError **error)
{
  const char *use = cli_text(start->cli, "use");
  const char *new = cli_text(start->cli, "new");
  const char *file = cli_text(start->cli, "import");
  if (!!use + !!new + !!file > 1)
    return base_error_set(error, SIGNET_ERROR_USAGE, "one of --use, --new and --import, not more");
  if (use) {
    const SignetId *id = cli_start_find(start, use);
    start->way = START_USE;
    start->id = g_strdup(id ? id->id : use);
  } else if (new) {
    start->way = START_NEW;
    start->id = base_address_normal(new);
    if (!start->id)
      return base_error_set(error, SIGNET_ERROR_USAGE, "\"%s\" is no mail address", new);
  } else if (file) {
    start->way = START_IMPORT;
    start->file = g_strdup(file);
  }
  return use || new || file;
}

static GPtrArray *
signing_ids(const Start *start)
{
  GPtrArray *found = g_ptr_array_new();
  for (guint i = 0; i < start->ids->len; i++)
    if (cli_start_signs(start->ids->pdata[i]))
      g_ptr_array_add(found, start->ids->pdata[i]);
  return found;
}

/* Nobody to ask: only what cannot be meant otherwise. */
static gboolean
decide_alone(Start *start, const GPtrArray *usable, GError **error)
{
  if (usable->len == 1) {
    start->way = START_USE;
    start->id = g_strdup(((const SignetId *)usable->pdata[0])->id);
    return TRUE;
  }
  base_error_set(error, SIGNET_ERROR_USAGE,
                 usable->len ? "several IDs are here, and nobody to ask: name one with --use ID"
                             : "no ID is here, and nobody to ask: --new ADDRESS makes one, "
                               "--import FILE takes one");
  if (!usable->len)
    base_error_suggest(error, "signet", "start", "--new", "you@example.org", "--soft", NULL);
  return FALSE;
}

static gboolean
take_choice(Start *start, const GPtrArray *usable, guint choice, GError **error)
{
  if (choice < usable->len) {
    start->way = START_USE;
    start->id = g_strdup(((const SignetId *)usable->pdata[choice])->id);
    return TRUE;
  }
  if (choice == usable->len) {
    g_autofree char *answer = cli_start_ask(start, "Your mail address", NULL, error);
    start->way = START_NEW;
    start->id = answer ? base_address_normal(answer) : NULL;
    return start->id || (answer && base_error_set(error, SIGNET_ERROR_USAGE,
                                                  "\"%s\" is no mail address", answer));
  }
  if (choice == usable->len + 1) {
    start->way = START_IMPORT;
    start->file = cli_start_ask(start, "The file (.p12, .pfx, .pem, …)", NULL, error);
    return start->file != NULL;
  }
  start->way = START_NOTHING;
  return TRUE;
}

#define MENU_MAX 20

static gboolean
decide_by_asking(Start *start, const GPtrArray *usable, GError **error)
{
  guint shown = MIN(usable->len, MENU_MAX);
  guint n = 0;
  cli_say(start->cli, "\nWhat would you like to do?");
  for (guint i = 0; i < shown; i++) {
    g_autofree char *name = cli_safe(((const SignetId *)usable->pdata[i])->id);
    cli_say(start->cli, "  %u  use %s", ++n, name);
  }
  cli_say(start->cli, "  %u  make a new digital ID", ++n);
  cli_say(start->cli, "  %u  import a file that a CA or an administrator gave you", ++n);
  cli_say(start->cli, "  %u  nothing now", ++n);
  g_autofree char *answer = cli_start_ask(start, "Number", "1", error);
  guint64 number = 0;
  if (!answer)
    return FALSE;
  if (!g_ascii_string_to_unsigned(answer, 10, 1, n, &number, NULL))
    return base_error_set(error, SIGNET_ERROR_CANCELLED, "\"%s\" is none of 1 to %u", answer, n);
  g_autoptr(GPtrArray) offered = g_ptr_array_new();
  for (guint i = 0; i < shown; i++)
    g_ptr_array_add(offered, usable->pdata[i]);
  return take_choice(start, offered, (guint)number - 1, error);
}

gboolean
cli_start_decide(Start *start, GError **error)
{
  GError *failed = NULL;
  if (decide_by_options(start, &failed))
    return TRUE;
  if (failed) {
    g_propagate_error(error, failed);
    return FALSE;
  }
  g_autoptr(GPtrArray) usable = signing_ids(start);
  return start->asks ? decide_by_asking(start, usable, error) : decide_alone(start, usable, error);
}
