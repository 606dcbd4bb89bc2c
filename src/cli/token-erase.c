/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/secret.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

/* ---- what would die ---- */

static const SignetId *
find_id(GPtrArray *ids, const char *name)
{
  for (guint i = 0; i < ids->len; i++) {
    const SignetId *id = ids->pdata[i];
    if (strcmp(id->id, name) == 0)
      return id;
  }
  return NULL;
}

static gboolean
lies_on(const SignetKey *key, const char *label)
{
  return g_strv_contains((const char *const *)key->tokens, label);
}

/* One line for each key that is on the token; the last copies say so. */
static GPtrArray *
doomed_lines(Cli *cli, const SignetToken *token, char *const *on_it, GError **error)
{
  g_autoptr(GPtrArray) ids = signet_id_list(cli->client, FALSE, error);
  if (!ids)
    return NULL;
  GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
  for (int i = 0; on_it && on_it[i]; i++) {
    const SignetId *id = find_id(ids, on_it[i]);
    for (guint k = 0; id && k < id->keys->len; k++) {
      const SignetKey *key = id->keys->pdata[k];
      if (!lies_on(key, token->label))
        continue;
      gboolean last = g_strv_length(key->tokens) + g_strv_length(key->absent) == 1;
      gboolean opens = (key->can & (SIGNET_CAN_DECRYPT | SIGNET_CAN_DERIVE)) != 0;
      g_ptr_array_add(lines, g_strdup_printf("%s: its %s key%s", id->id, key->kind,
                                             !last   ? ", also on another token"
                                             : opens ? ", the ONLY COPY: mail sealed to it is lost"
                                                     : ", the only copy"));
    }
  }
  g_ptr_array_add(lines, NULL);
  return lines;
}

/* ---- the question ---- */

/* Of a token that has none, the label: the same rule is signetd's. */
static const char *
serial_of(const SignetToken *token)
{
  return *token->serial ? token->serial : token->label;
}

static gboolean
refuse(const SignetToken *token, GPtrArray *lines, GError **error)
{
  base_error_set(error, SIGNET_ERROR_REFUSED,
                 "erasing \"%s\" destroys all that is on it: give its serial number", token->label);
  if (error && *error && lines->len > 1)
    base_error_details(*error)->candidates = g_strdupv((char **)lines->pdata);
  base_error_suggest(error, "signet", "token", "erase", token->label, "--serial", serial_of(token),
                     NULL);
  return FALSE;
}

/* The serial that the person typed, or gave; NULL with an error. */
static char *
ask_serial(Cli *cli, const SignetToken *token, GPtrArray *lines, GError **error)
{
  const char *given = cli_text(cli, "serial");
  if (given)
    return g_strdup(given);
  if (!cli_terminal_available(cli)) {
    refuse(token, lines, error);
    return NULL;
  }
  g_autofree char *label = cli_safe(token->label);
  fprintf(stderr, "This destroys everything on token \"%s\", and there is no way back:\n", label);
  for (guint i = 0; i + 1 < lines->len; i++) {
    g_autofree char *line = cli_safe(lines->pdata[i]);
    fprintf(stderr, "  %s\n", line);
  }
  if (lines->len <= 1)
    fprintf(stderr, "  no key that signet knows of\n");
  g_autofree char *serial = cli_safe(serial_of(token));
  g_autofree char *prompt = g_strdup_printf("Type its serial number, %s, to erase it: ", serial);
  return cli_terminal_answer(prompt, error);
}

static gboolean
erase(Cli *cli, const SignetToken *token, const char *serial, char ***ret_removed, GError **error)
{
  g_autofree char *label = cli_safe(token->label);
  const char *from = !token->soft && cli_flag(cli, "so-pin-fd") ? "so-pin-fd" : "pin-fd";
  g_autofree char *prompt =
      g_strdup_printf("%s of token \"%s\", to erase it", token->soft ? "PIN" : "SO PIN", label);
  g_autoptr(BaseSecret) pin = cli_pin_get(cli, from, prompt, FALSE, error);
  if (!pin)
    return FALSE;
  const char *text = base_secret_text(pin);
  const SignetTokenErase wish = { .token = token->uri,
                                  .serial = serial,
                                  .so_pin = token->soft ? NULL : text,
                                  .pin = token->soft ? text : NULL };
  return signet_token_erase(cli->client, &wish, ret_removed, error);
}

static gboolean
run(Cli *cli, GError **error)
{
  const char *name = cli_token_name(cli);
  g_auto(GStrv) ids = NULL;
  g_auto(GStrv) removed = NULL;
  if (!name)
    return base_error_set(error, SIGNET_ERROR_USAGE, "`signet token erase` needs TOKEN");
  if (!cli_connect(cli, error))
    return FALSE;
  g_autoptr(SignetToken) token = signet_token_describe(cli->client, name, NULL, &ids, error);
  g_autoptr(GPtrArray) lines = token ? doomed_lines(cli, token, ids, error) : NULL;
  if (!lines)
    return FALSE;
  g_autofree char *serial = ask_serial(cli, token, lines, error);
  if (!serial)
    return FALSE;
  g_autofree char *wanted = g_strstrip(g_strdup(serial_of(token)));
  if (!*wanted || strcmp(g_strstrip(serial), wanted) != 0)
    return base_error_set(error, SIGNET_ERROR_REFUSED,
                          "\"%s\" is not the serial number of \"%s\": nothing was erased", serial,
                          token->label);
  if (!erase(cli, token, serial, &removed, error))
    return FALSE;
  g_autofree char *label = cli_safe(token->label);
  cli_say(cli, token->soft ? "Token \"%s\" is gone." : "Token \"%s\" is empty.", label);
  for (int i = 0; removed && removed[i]; i++) {
    g_autofree char *line = cli_safe(removed[i]);
    cli_say(cli, "Erased: %s", line);
  }
  return cli_json(cli,
                  json_pack("{s:o, s:b, s:o}", "token", cli_json_text(token->label), "erased", 1,
                            "removed", cli_json_strv(removed)),
                  error);
}

static const CliOption options[] = {
  { "serial", 0, CLI_TEXT, "S", "the token's serial number, as proof that you mean it" },
  { 0 },
};

const CliVerb cli_token_erase = {
  .group = "token",
  .name = "erase",
  .arguments = "TOKEN",
  .max_arguments = 1,
  .help = "destroy everything on a token",
  .more = "Lists what dies and wants the token's serial number typed, or --serial.\n"
          "--so-pin-fd N (or --pin-fd): one line, the SO PIN. A soft token: --pin-fd, its PIN.",
  .example = "signet token erase \"old card\" --serial 00a1b2c3",
  .options = options,
  .run = run,
};
