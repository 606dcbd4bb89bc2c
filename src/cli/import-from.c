/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `signet import --from`: what another program keeps. */
#include "base/error.h"
#include "base/secret.h"
#include "cli/import.h"

#include <stdio.h>
#include <string.h>

/* What can be chosen from: profiles, or single keys. */
typedef struct {
  char *line; /* for a person */
  const TransferPlace *place;
  const TransferHolding *holding; /* (nullable) */
  gboolean chosen;
} Candidate;

static void
candidate_free(gpointer data)
{
  Candidate *candidate = data;
  g_free(candidate->line);
  g_free(candidate);
}

static void
add_candidate(GPtrArray *all, const TransferPlace *place, const TransferHolding *holding)
{
  Candidate *candidate = g_new0(Candidate, 1);
  candidate->place = place;
  candidate->holding = holding;
  if (holding) {
    g_autofree char *addresses = cli_join(holding->addresses, ", ", "no address");
    candidate->line =
        g_strdup_printf("%s: %s (%s)", addresses, holding->name, holding->fingerprint);
  } else {
    candidate->line = g_strdup(place->path);
  }
  g_ptr_array_add(all, candidate);
}

/* ---- what there is ---- */

static gboolean
is_wanted(const Cli *cli, const TransferHolding *holding)
{
  gboolean any = FALSE;
  for (int i = 0; i < cli_count(cli); i++) {
    g_autofree char *address = base_address_normal(cli_argument(cli, i));
    if (address && g_strv_contains((const char *const *)holding->addresses, address))
      return TRUE;
    any |= address != NULL;
  }
  return !any;
}

/* `holdings` keeps what the candidates borrow. */
static gboolean
list_place(const Cli *cli, const TransferPlace *place, GPtrArray *holdings, GPtrArray *all,
           GError **error)
{
  if (place->kind == TRANSFER_NSS) {
    add_candidate(all, place, NULL);
    return TRUE;
  }
  g_autoptr(GPtrArray) found = place->kind == TRANSFER_GPGSM
                                   ? transfer_gpgsm_list(place->path, error)
                                   : transfer_smime_keys_list(place->path, error);
  while (found && found->len) {
    TransferHolding *holding = g_ptr_array_steal_index(found, 0);
    g_ptr_array_add(holdings, holding);
    if (is_wanted(cli, holding))
      add_candidate(all, place, holding);
  }
  return found != NULL;
}

/* The argument that is a folder, if any; an address is none. */
static gboolean
find_folder(const Cli *cli, const char *from, const char **ret_folder, GError **error)
{
  gboolean keys_have_names = g_str_equal(from, "gpgsm") || g_str_equal(from, "smime_keys");
  for (int i = 0; i < cli_count(cli); i++) {
    const char *word = cli_argument(cli, i);
    g_autofree char *address = base_address_normal(word);
    gboolean is_folder = g_file_test(word, G_FILE_TEST_IS_DIR);
    if (!is_folder && address && keys_have_names)
      continue;
    if (!is_folder)
      return base_error_set(error, SIGNET_ERROR_NOT_FOUND, "%s is no folder", word);
    if (*ret_folder)
      return base_error_set(error, SIGNET_ERROR_USAGE, "--from takes one folder at a time");
    *ret_folder = word;
  }
  return TRUE;
}

/* ---- choosing ---- */

static gboolean
ambiguous(const char *from, const GPtrArray *all, GError **error)
{
  g_autoptr(GPtrArray) lines = g_ptr_array_new();
  g_autoptr(GError) failed = NULL;
  for (guint i = 0; i < all->len; i++)
    g_ptr_array_add(lines, ((Candidate *)g_ptr_array_index(all, i))->line);
  g_ptr_array_add(lines, NULL);
  const Candidate *first = g_ptr_array_index(all, 0);
  base_error_set(&failed, SIGNET_ERROR_AMBIGUOUS, "%s has %u %s; name one, or take --all", from,
                 all->len, first->holding ? "IDs" : "profiles");
  base_error_details(failed)->candidates = g_strdupv((char **)lines->pdata);
  base_error_suggest(&failed, "signet", "import", "--from", from, "--all", NULL);
  g_propagate_error(error, g_steal_pointer(&failed));
  return FALSE;
}

static void
choose_all(GPtrArray *all)
{
  for (guint i = 0; i < all->len; i++)
    ((Candidate *)g_ptr_array_index(all, i))->chosen = TRUE;
}

static gboolean
take_answer(GPtrArray *all, const char *answer, GError **error)
{
  if (g_ascii_strcasecmp(answer, "all") == 0) {
    choose_all(all);
    return TRUE;
  }
  g_auto(GStrv) words = g_strsplit_set(answer, " ,", -1);
  gboolean any = FALSE;
  for (int i = 0; words[i]; i++) {
    guint64 number;
    if (!*words[i])
      continue;
    if (!g_ascii_string_to_unsigned(words[i], 10, 1, all->len, &number, NULL))
      return base_error_set(error, SIGNET_ERROR_USAGE, "\"%s\" is none of 1 to %u", words[i],
                            all->len);
    ((Candidate *)g_ptr_array_index(all, (guint)number - 1))->chosen = TRUE;
    any = TRUE;
  }
  return any || base_error_set(error, SIGNET_ERROR_CANCELLED, "nothing chosen; nothing imported");
}

static gboolean
choose(const Cli *cli, const char *from, GPtrArray *all, GError **error)
{
  if (all->len == 1 || cli_flag(cli, "all") || cli->yes) {
    choose_all(all);
    return TRUE;
  }
  if (!cli_terminal_available(cli) || cli->json)
    return ambiguous(from, all, error);
  for (guint i = 0; i < all->len; i++) {
    g_autofree char *line = cli_safe(((Candidate *)g_ptr_array_index(all, i))->line);
    fprintf(stderr, "%3u  %s\n", i + 1, line);
  }
  g_autofree char *answer = cli_terminal_answer("Which? (numbers, or all) ", error);
  return answer && take_answer(all, answer, error);
}

/* ---- taking it ---- */

typedef struct {
  const TransferHolding *holding;
  TransferSource *source;
} Export;

static gboolean
try_export(const BaseSecret *passphrase, gpointer user_data, GError **error)
{
  Export *export = user_data;
  export->source = transfer_gpgsm_export(export->holding, passphrase, error);
  return export->source != NULL;
}

static TransferSource *
export_gpgsm(CliImport *import, const TransferHolding *holding, GError **error)
{
  Export export = { holding, NULL };
  g_autoptr(BaseSecret) passphrase = NULL;
  g_autofree char *what = g_strdup_printf("gpgsm's passphrase of %s", holding->name);
  const CliImportAsk ask = { .what = what, .try = try_export, .user_data = &export };
  cli_import_with_passphrase(import, &ask, &passphrase, error);
  return export.source;
}

static gboolean
import_candidate(CliImport *import, const Candidate *candidate, GError **error)
{
  g_autoptr(TransferSource) source = NULL;
  if (candidate->place->kind == TRANSFER_NSS)
    source = transfer_source_nss(candidate->place->path);
  else if (candidate->place->kind == TRANSFER_GPGSM)
    source = export_gpgsm(import, candidate->holding, error);
  else
    source = transfer_smime_keys_open(candidate->holding, error);
  return source && cli_import_source(import, source, error);
}

static gboolean
is_empty_profile(const Candidate *candidate, const GError *error)
{
  return candidate->place->kind == TRANSFER_NSS &&
         g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND);
}

/* Of several profiles most are without a key, which is no failure while one has some. */
static void
import_chosen(CliImport *import, const GPtrArray *all)
{
  g_autoptr(GError) empty = NULL;
  for (guint i = 0; i < all->len; i++) {
    const Candidate *candidate = g_ptr_array_index(all, i);
    GError *failed = NULL;
    if (!candidate->chosen || import_candidate(import, candidate, &failed))
      continue;
    if (is_empty_profile(candidate, failed)) {
      g_clear_error(&empty);
      empty = failed;
      continue;
    }
    cli_import_failed(import, candidate->line, failed);
  }
  if (empty && !import->keys->len && !import->error)
    cli_import_failed(import, "--from", g_steal_pointer(&empty));
}

static void
free_holding(gpointer data)
{
  transfer_holding_free(data);
}

gboolean
cli_import_from(CliImport *import, GError **error)
{
  Cli *cli = import->cli;
  const char *from = cli_text(cli, "from");
  const char *folder = NULL;
  if (!find_folder(cli, from, &folder, error))
    return FALSE;
  g_autoptr(GPtrArray) places = transfer_find(from, folder, error);
  g_autoptr(GPtrArray) holdings = g_ptr_array_new_with_free_func(free_holding);
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(candidate_free);
  for (guint i = 0; places && i < places->len; i++)
    if (!list_place(cli, g_ptr_array_index(places, i), holdings, all, error))
      return FALSE;
  if (!places)
    return FALSE;
  if (!all->len)
    return base_error_set(error, SIGNET_ERROR_NOT_FOUND, "%s has no such key", from);
  if (!choose(cli, from, all, error) || !cli_connect(cli, error))
    return FALSE;
  import_chosen(import, all);
  return TRUE;
}
