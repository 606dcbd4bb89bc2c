/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/verbs.h"

#include <stdio.h>

static void
field(const char *name, const char *value)
{
  g_autofree char *safe = cli_safe(value);
  if (*safe)
    printf("  %-13s%s\n", name, safe);
}

static char *
words_of(json_t *array)
{
  g_autoptr(GString) text = g_string_new(NULL);
  gsize i;
  json_t *word;
  json_array_foreach(array, i, word)
      g_string_append_printf(text, "%s%s", i ? ", " : "", json_string_value(word));
  json_decref(array);
  return g_strdup(text->len ? text->str : "nothing");
}

static void
print_certificate(const SignetCertificate *certificate)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autofree char *from = cli_day(certificate->not_before);
  g_autofree char *to = cli_day(certificate->not_after);
  const char *state = certificate->not_after < now    ? " (expired)"
                      : certificate->not_before > now ? " (not yet)"
                                                      : "";
  g_autofree char *dates = g_strdup_printf("%s to %s%s", from, to, state);
  g_autofree char *uses = words_of(cli_json_uses(certificate->use));
  g_autofree char *addresses = cli_join(certificate->addresses, ", ", "none");
  field("Certificate", certificate->fingerprint);
  field("Subject", certificate->subject);
  field("Issuer", certificate->self_signed ? "itself (self-signed)" : certificate->issuer);
  field("Serial", certificate->serial);
  field("Addresses", addresses);
  field("Valid", dates);
  field("For", uses);
}

static void
print_key(const SignetKey *key)
{
  g_autofree char *tokens = cli_join(key->tokens, ", ", "none that is here");
  g_autofree char *absent = cli_join(key->absent, ", ", "");
  g_autofree char *can = words_of(cli_json_abilities(key->can));
  g_autofree char *kind = cli_safe(key->kind);
  printf("Key %s\n", kind);
  field("Public key", key->key);
  field("On", tokens);
  field("Away", absent);
  field("Can", can);
  field("Backup",
        key->extractable ? "the token can wrap it" : "not possible: it cannot leave its token");
  if (key->always_authenticate)
    field("PIN", "asked for at each use");
  for (guint i = 0; i < key->certificates->len; i++)
    print_certificate(g_ptr_array_index(key->certificates, i));
  if (key->certificates->len == 0)
    field("Certificate", "none yet: signet id request, then signet id install");
}

static gboolean
run(Cli *cli, GError **error)
{
  if (!cli_connect(cli, error))
    return FALSE;
  g_autoptr(SignetId) id = signet_id_describe(cli->client, cli_argument(cli, 0), FALSE, error);
  if (!id)
    return FALSE;
  if (cli->json)
    return cli_json(cli, cli_json_id(id), error);
  g_autofree char *name = cli_safe(id->id);
  g_autofree char *title = cli_styled(1, CLI_BOLD, name);
  g_autofree char *person = cli_safe(id->name);
  g_autofree char *addresses = cli_join(id->addresses, ", ", "none");
  printf("%s%s\n", title, id->is_default ? " (default)" : "");
  field("Name", person);
  field("Addresses", addresses);
  for (guint i = 0; i < id->keys->len; i++)
    print_key(g_ptr_array_index(id->keys, i));
  return TRUE;
}

const CliVerb cli_id_show = {
  .group = "id",
  .name = "show",
  .arguments = "ID",
  .min_arguments = 1,
  .max_arguments = 1,
  .help = "say all about an ID: keys, certificates, tokens",
  .example = "signet id show alice@example.org",
  .run = run,
};
