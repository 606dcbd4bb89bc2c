/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/verbs.h"

#include <stdio.h>

static void
field(const char *name, const char *value)
{
  g_autofree char *safe = cli_safe(value);
  if (*safe)
    printf("%-14s%s\n", name, safe);
}

static void
print_pin(const char *name, const SignetPin *pin)
{
  g_autoptr(GString) text = g_string_new(!pin->set ? "not set" : pin->blocked ? "blocked" : "set");
  if (pin->set && !pin->blocked && pin->tries_left >= 0)
    g_string_append_printf(text, ", %d tries left", pin->tries_left);
  else if (pin->set && !pin->blocked && pin->final_try)
    g_string_append(text, ", the next wrong one blocks it");
  else if (pin->set && !pin->blocked && pin->count_low)
    g_string_append(text, ", a wrong one was typed lately");
  if (pin->must_change)
    g_string_append(text, ", must be changed");
  field(name, text->str);
}

static void
print_token(const SignetToken *token)
{
  g_autofree char *bold = cli_safe(*token->label ? token->label : "(no label)");
  g_autofree char *title = cli_styled(1, CLI_BOLD, bold);
  printf("%s\n", title);
  field("State", cli_token_state(token));
  field("Lost", token->lost ? "yes: its keys are not used" : NULL);
  field("Problem", token->problem);
  field("Serial", token->serial);
  field("Model", token->model);
  field("Made by", token->manufacturer);
  field("Firmware", token->firmware);
  field("Reader", token->slot);
  field("Module", token->module);
  field("URI", token->uri);
  if (token->state != SIGNET_TOKEN_PRESENT)
    return;
  field("Locked", !token->login_required ? "needs no PIN" : token->locked ? "yes" : "no");
  print_pin("PIN", &token->user_pin);
  print_pin("SO PIN", &token->so_pin);
  if (token->protected_path)
    field("PIN pad", "yes: the PIN is typed on the reader");
}

static const char *
yes_no(gboolean yes)
{
  return yes ? "yes" : "no";
}

static void
print_abilities(const SignetAbilities *can)
{
  g_autofree char *kinds = cli_join(can->generate, ", ", "nothing");
  field("Generates", kinds);
  g_autofree char *rest =
      g_strdup_printf("import %s, wrap %s, PSS %s, OAEP %s, ECDH %s", yes_no(can->write),
                      yes_no(can->wrap), yes_no(can->pss), yes_no(can->oaep), yes_no(can->ecdh));
  field("Can", rest);
}

static json_t *
json_of(const SignetToken *token, const SignetAbilities *can, char *const *ids)
{
  json_t *object = cli_json_token(token);
  json_object_set_new(object, "abilities",
                      json_pack("{s:o, s:b, s:b, s:b, s:b, s:b, s:o}", "generate",
                                cli_json_strv(can->generate), "wrap", can->wrap, "pss", can->pss,
                                "oaep", can->oaep, "ecdh", can->ecdh, "write", can->write,
                                "mechanisms", cli_json_strv(can->mechanisms)));
  json_object_set_new(object, "ids", cli_json_strv(ids));
  return object;
}

static gboolean
run(Cli *cli, GError **error)
{
  const char *name = cli_token_name(cli);
  if (!name)
    return base_error_set(error, SIGNET_ERROR_USAGE, "`signet token show` needs TOKEN");
  g_autoptr(SignetAbilities) can = NULL;
  g_auto(GStrv) ids = NULL;
  if (!cli_connect(cli, error))
    return FALSE;
  g_autoptr(SignetToken) token = signet_token_describe(cli->client, name, &can, &ids, error);
  if (!token)
    return FALSE;
  if (cli->json)
    return cli_json(cli, json_of(token, can, ids), error);
  print_token(token);
  if (token->state == SIGNET_TOKEN_PRESENT)
    print_abilities(can);
  g_autofree char *on_it = cli_join(ids, ", ", "none");
  field("IDs", on_it);
  return TRUE;
}

const CliVerb cli_token_show = {
  .group = "token",
  .name = "show",
  .arguments = "TOKEN",
  .max_arguments = 1,
  .help = "say what a token is, can do and holds",
  .example = "signet token show \"Alice's card\"",
  .run = run,
};
