/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/import.h"

#include <string.h>
#include <unistd.h>

#define CUT_MIN 20
#define LINES_MAX 5 /* of what is left out; a profile may hold hundreds of roots */

char *
cli_import_shell_path(const char *path)
{
  const char *home = g_get_home_dir();
  gsize length = strlen(home);
  gboolean below = length > 1 && strncmp(path, home, length) == 0 && path[length] == '/';
  const char *rest = below ? path + length + 1 : path;
  gboolean plain = *rest != '\0' && *rest != '-';
  for (const char *at = rest; plain && *at; at++)
    plain = g_ascii_isalnum(*at) || strchr("-_./:@%+=,", *at) != NULL;
  g_autofree char *word = plain ? g_strdup(rest) : g_shell_quote(rest);
  return g_strconcat(below ? "~/" : "", word, NULL);
}

/* A line that names what came from outside, cut where the terminal ends. */
static void
say_cut(const Cli *cli, const char *before, const char *text)
{
  g_autofree char *safe = cli_safe(text);
  int columns = cli_columns(STDOUT_FILENO);
  int left = columns ? MAX(columns - cli_width(before), CUT_MIN) : G_MAXINT;
  if (cli_width(safe) <= left) {
    cli_say(cli, "%s%s", before, safe);
    return;
  }
  const char *end = safe;
  int used = 1; /* the … */
  while (*end) {
    used += g_unichar_iswide(g_utf8_get_char(end)) ? 2 : 1;
    if (used > left)
      break;
    end = cli_next_char(end);
  }
  cli_say(cli, "%s%.*s…", before, (int)(end - safe), safe);
}

/* The name in a subject as RFC 2253 writes it. */
static char *
name_in(const char *subject)
{
  const char *name = g_str_has_prefix(subject, "CN=") ? subject : strstr(subject, ",CN=");
  if (!name)
    return g_strdup(subject);
  name += *name == ',' ? 4 : 3;
  g_autoptr(GString) plain = g_string_new(NULL);
  for (; *name && *name != ','; name++) {
    if (*name == '\\' && name[1])
      name++;
    g_string_append_c(plain, *name);
  }
  return g_strdup(plain->str);
}

static void
show_certificate(const Cli *cli, const BaseCert *certificate)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autofree char *until = cli_day(certificate->not_after);
  g_autofree char *from = cli_day(certificate->not_before);
  g_autofree char *issuer =
      certificate->self_signed ? g_strdup("itself") : name_in(certificate->issuer);
  g_autofree char *line =
      now < certificate->not_before
          ? g_strdup_printf("certificate from %s until %s, by %s", from, until, issuer)
          : g_strdup_printf("certificate until %s%s, by %s", until,
                            certificate->not_after < now ? " (expired: for old mail)" : "", issuer);
  say_cut(cli, "    ", line);
}

static void
add_addresses(const TransferKey *key, GPtrArray *all)
{
  for (guint i = 0; i < key->certificates->len; i++) {
    const BaseCert *certificate = g_ptr_array_index(key->certificates, i);
    for (int a = 0; certificate->addresses[a]; a++)
      if (!g_ptr_array_find_with_equal_func(all, certificate->addresses[a], g_str_equal, NULL))
        g_ptr_array_add(all, certificate->addresses[a]);
  }
}

static char *
addresses_of(const TransferKey *key)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new();
  add_addresses(key, all);
  g_ptr_array_add(all, NULL);
  return cli_join((char *const *)all->pdata, ", ", "no address");
}

static void
show_key(const Cli *cli, const TransferKey *key)
{
  const char *name = key->label;
  if (key->certificates->len) {
    const BaseCert *newest = g_ptr_array_index(key->certificates, 0);
    name = newest->common_name ? newest->common_name : name;
  }
  g_autofree char *addresses = addresses_of(key);
  g_autofree char *start = g_strdup_printf("  key %s: ", key->kind);
  g_autofree char *whose =
      name && *name ? g_strdup_printf("%s (%s)", addresses, name) : g_strdup(addresses);
  say_cut(cli, start, whose);
  for (guint i = 0; i < key->certificates->len; i++)
    show_certificate(cli, g_ptr_array_index(key->certificates, i));
  if (!key->certificates->len)
    cli_say(cli, "    no certificate for it here");
}

static void
show_lines(const Cli *cli, const char *before, const GPtrArray *lines)
{
  for (guint i = 0; i < lines->len && i < LINES_MAX; i++) {
    g_autofree char *start = g_strconcat("  ", before, NULL);
    say_cut(cli, start, g_ptr_array_index(lines, i));
  }
  if (lines->len > LINES_MAX)
    cli_say(cli, "  %sand %u more", before, lines->len - LINES_MAX);
}

void
cli_import_show_plan(const Cli *cli, const TransferSource *source, const TransferPlan *plan)
{
  g_autofree char *name = cli_safe(source->name);
  cli_say(cli, "%s: %s", name, plan->format);
  for (guint i = 0; i < plan->keys->len; i++)
    show_key(cli, g_ptr_array_index(plan->keys, i));
  if (plan->alone->len)
    cli_say(cli, "  %u %s of other keys", plan->alone->len,
            plan->alone->len == 1 ? "certificate" : "certificates");
  if (plan->issuers->len)
    cli_say(cli, "  %u %s of CAs", plan->issuers->len,
            plan->issuers->len == 1 ? "certificate" : "certificates");
  show_lines(cli, "left out: ", plan->skipped);
}

static void
show_done(const Cli *cli, const TransferDone *done)
{
  g_autofree char *id = cli_safe(done->id ? done->id : done->key);
  g_autofree char *token = cli_safe(done->token);
  g_autofree char *with =
      done->certificates ? g_strdup_printf(", with %u %s", done->certificates,
                                           done->certificates == 1 ? "certificate" : "certificates")
                         : g_strdup(", without a certificate");
  cli_say(cli, "%s: %s %s on token \"%s\"%s.", id, done->kind, done->existed ? "was already" : "is",
          token, with);
  if (done->kept)
    cli_say(cli, "  %u of them in signet's own store: the token takes none.", done->kept);
}

void
cli_import_show_outcome(const Cli *cli, const TransferOutcome *outcome)
{
  for (guint i = 0; i < outcome->keys->len; i++)
    show_done(cli, g_ptr_array_index(outcome->keys, i));
  if (outcome->chain->len)
    cli_say(cli, outcome->keys->len ? "  with %u %s of %s above" : "%u %s of %s above your IDs.",
            outcome->chain->len, outcome->chain->len == 1 ? "certificate" : "certificates",
            outcome->chain->len == 1 ? "the CA" : "the CAs");
  show_lines(cli, "not imported: ", outcome->notes);
  show_lines(cli, "keep the file: ", outcome->keep);
}

/* ---- JSON ---- */

static json_t *
json_lines(const GPtrArray *lines)
{
  json_t *array = json_array();
  for (guint i = 0; i < lines->len; i++)
    json_array_append_new(array, cli_json_text(g_ptr_array_index(lines, i)));
  return array;
}

static json_t *
json_done(const TransferDone *done)
{
  json_t *object = json_object();
  json_object_set_new(object, "id", cli_json_text(done->id));
  json_object_set_new(object, "addresses", cli_json_strv(done->addresses));
  json_object_set_new(object, "key", cli_json_text(done->key));
  json_object_set_new(object, "kind", cli_json_text(done->kind));
  json_object_set_new(object, "token", cli_json_text(done->token));
  json_object_set_new(object, "existed", json_boolean(done->existed));
  json_object_set_new(object, "certificates", json_integer(done->certificates));
  json_object_set_new(object, "kept", json_integer(done->kept));
  return object;
}

json_t *
cli_import_json(const char *name, const TransferPlan *plan, const TransferOutcome *outcome)
{
  json_t *object = json_object();
  json_t *keys = json_array();
  for (guint i = 0; i < outcome->keys->len; i++)
    json_array_append_new(keys, json_done(g_ptr_array_index(outcome->keys, i)));
  json_object_set_new(object, "file", cli_json_text(name));
  json_object_set_new(object, "format", cli_json_text(plan->format));
  json_object_set_new(object, "keys", keys);
  json_object_set_new(object, "chain", json_lines(outcome->chain));
  json_object_set_new(object, "left_out", json_lines(plan->skipped));
  json_object_set_new(object, "not_imported", json_lines(outcome->notes));
  json_object_set_new(object, "keep", json_lines(outcome->keep));
  return object;
}
