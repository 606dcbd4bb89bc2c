/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One source of keys or certificates: looked at, shown, stored, checked, told. */
#include "base/error.h"
#include "cli/import.h"
#include "keyfile/keyfile.h"

#include <stdio.h>
#include <string.h>

#define TRIES 3 /* for a person; a program gives the right one */

void
cli_import_start(CliImport *import, Cli *cli)
{
  *import = (CliImport){
    .cli = cli,
    .label = cli_text(cli, "label"),
    .never_export = cli_flag(cli, "never-export"),
    .shred = cli_flag(cli, "shred"),
    .keys = g_ptr_array_new_with_free_func(g_free),
    .imported = json_array(),
    .failed = json_array(),
  };
}

void
cli_import_clear(CliImport *import)
{
  g_free(import->token);
  g_free(import->token_label);
  g_free(import->first_id);
  base_secret_free(import->passphrase);
  base_secret_free(import->line);
  g_clear_pointer(&import->keys, g_ptr_array_unref);
  json_decref(import->imported);
  json_decref(import->failed);
  g_clear_error(&import->error);
}

/* ---- passphrases ---- */

static gboolean
wants_passphrase(const GError *error)
{
  return g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED) ||
         g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT);
}

/* Opened with `passphrase` (NULL: without): it is remembered for the next. */
static gboolean
attempt(CliImport *import, const CliImportAsk *ask, const BaseSecret *passphrase,
        BaseSecret **ret_passphrase, GError **error)
{
  g_clear_error(error); /* of the attempt before */
  if (!ask->try(passphrase, ask->user_data, error))
    return FALSE;
  *ret_passphrase = base_secret_copy(passphrase);
  if (passphrase && passphrase != import->passphrase) {
    base_secret_free(import->passphrase);
    import->passphrase = base_secret_copy(passphrase);
  }
  return TRUE;
}

static gboolean
attempt_line(CliImport *import, const CliImportAsk *ask, BaseSecret **ret_passphrase,
             GError **error)
{
  if (!import->line)
    import->line = cli_pin_get(import->cli, "passphrase-fd", ask->what, FALSE, error);
  if (!import->line || !attempt(import, ask, import->line, ret_passphrase, error))
    return FALSE;
  g_clear_pointer(&import->line, base_secret_free);
  return TRUE;
}

static gboolean
attempt_typed(CliImport *import, const CliImportAsk *ask, BaseSecret **ret_passphrase,
              GError **error)
{
  g_autofree char *prompt = cli_safe(ask->what);
  for (int i = 1;; i++) {
    g_autoptr(GError) failed = NULL;
    g_autoptr(BaseSecret) typed = cli_pin_get(import->cli, "passphrase-fd", prompt, FALSE, error);
    if (!typed)
      return FALSE;
    if (attempt(import, ask, typed, ret_passphrase, &failed))
      return TRUE;
    if (i >= TRIES || !wants_passphrase(failed)) {
      g_propagate_error(error, g_steal_pointer(&failed));
      return FALSE;
    }
    cli_note(import->cli, "%s", failed->message);
  }
}

/* Deriving a key takes half a second with some programs' files, so what is likely comes first. */
gboolean
cli_import_with_passphrase(CliImport *import, const CliImportAsk *ask, BaseSecret **ret_passphrase,
                           GError **error)
{
  gboolean from_fd = cli_flag(import->cli, "passphrase-fd");
  gboolean line_first = from_fd && ask->encrypted && (import->line || !import->passphrase);
  g_autoptr(GError) failed = NULL;
  g_autoptr(GError) line_failed = NULL;
  if (ask->encrypted && import->passphrase &&
      attempt(import, ask, import->passphrase, ret_passphrase, &failed))
    return TRUE;
  if (line_first && attempt_line(import, ask, ret_passphrase, &line_failed))
    return TRUE;
  if (attempt(import, ask, NULL, ret_passphrase, &failed))
    return TRUE;
  if (wants_passphrase(failed) && !ask->encrypted && import->passphrase &&
      attempt(import, ask, import->passphrase, ret_passphrase, &failed))
    return TRUE;
  if (wants_passphrase(failed) && !line_first)
    return from_fd ? attempt_line(import, ask, ret_passphrase, error)
                   : attempt_typed(import, ask, ret_passphrase, error);
  g_propagate_error(error, line_failed ? g_steal_pointer(&line_failed) : g_steal_pointer(&failed));
  return FALSE;
}

/* ---- looking ---- */

typedef struct {
  SignetTransfer *transfer;
  const TransferSource *source;
  TransferPlan *plan;
} Look;

static gboolean
try_look(const BaseSecret *passphrase, gpointer user_data, GError **error)
{
  Look *look = user_data;
  look->plan = transfer_look(look->transfer, look->source, passphrase, error);
  return look->plan != NULL;
}

static TransferPlan *
look_at(CliImport *import, const TransferSource *source, BaseSecret **ret_passphrase,
        GError **error)
{
  g_autoptr(SignetTransfer) transfer = signet_transfer_open(import->cli->client, NULL, error);
  if (!transfer)
    return NULL;
  Look look = { transfer, source, NULL };
  g_autofree char *what =
      g_strdup_printf(source->folder ? "Primary password of %s" : "Passphrase of %s", source->name);
  g_autoptr(KeyfileSight) sight = source->bytes ? keyfile_look(source->bytes) : NULL;
  const CliImportAsk ask = { .what = what,
                             .encrypted = sight && sight->encrypted && !source->passphrase,
                             .try = try_look,
                             .user_data = &look };
  return cli_import_with_passphrase(import, &ask, ret_passphrase, error) ? look.plan : NULL;
}

/* ---- one source ---- */

static void
remember(CliImport *import, const TransferOutcome *outcome)
{
  for (guint i = 0; i < outcome->keys->len; i++) {
    const TransferDone *done = g_ptr_array_index(outcome->keys, i);
    g_ptr_array_add(import->keys, g_strdup(done->key));
    if (import->first_id && (import->first_certified || !done->certificates))
      continue;
    g_free(import->first_id);
    import->first_id = g_strdup(done->id);
    import->first_certified = done->certificates > 0;
  }
}

static gboolean
refuse_to_shred(const TransferSource *source, const char *why, const GPtrArray *lines,
                GError **error)
{
  return base_error_set(error, SIGNET_ERROR_REFUSED, "%s is left as it is: %s%s%s", source->name,
                        why, (const char *)g_ptr_array_index(lines, 0),
                        lines->len > 1 ? ", and more" : "");
}

/* All is stored and was found there, or this is not called. */
static gboolean
shred(CliImport *import, const TransferSource *source, const TransferPlan *plan,
      const TransferOutcome *outcome, json_t *object, GError **error)
{
  if (!import->shred)
    return TRUE;
  if (outcome->keep->len)
    return refuse_to_shred(source, "", outcome->keep, error);
  if (outcome->notes->len)
    return refuse_to_shred(source, "it holds something that was not imported: ", outcome->notes,
                           error);
  if (plan->n_unread)
    return refuse_to_shred(source, "not all of it could be read: ", plan->skipped, error);
  if (!transfer_shred(source, error))
    return FALSE;
  json_object_set_new(object, "shredded", json_true());
  json_object_set_new(object, "holds_key", json_false());
  g_autofree char *name = cli_safe(source->name);
  cli_say(import->cli,
          "%s was overwritten and removed. Flash storage, snapshots and backups may\n"
          "still have copies of it.",
          name);
  return TRUE;
}

static void
tell_still_there(const CliImport *import, const TransferSource *source,
                 const TransferOutcome *outcome)
{
  if (import->shred || !source->path)
    return;
  if (outcome->keep->len) {
    cli_say(import->cli, "The file still holds the private key: keep it in a safe place.");
    return;
  }
  g_autofree char *path = cli_import_shell_path(source->path);
  cli_say(import->cli,
          "The file still holds the private key: keep it in a safe place as a backup, or\n"
          "remove it: signet import --shred %s",
          path);
}

/* What to call a key that no certificate and no program named. */
static char *
file_label(const TransferSource *source)
{
  g_autofree char *base = source->path ? g_path_get_basename(source->path) : NULL;
  char *dot = base ? strrchr(base, '.') : NULL;
  if (dot && dot != base)
    *dot = '\0';
  return base && g_utf8_validate(base, -1, NULL) ? g_steal_pointer(&base) : NULL;
}

static gboolean
store(CliImport *import, const TransferSource *source, const TransferPlan *plan,
      const BaseSecret *passphrase, GError **error)
{
  if (!cli_import_choose_token(import, plan, error))
    return FALSE;
  g_autofree char *fallback = file_label(source);
  const TransferWish wish = { .fallback = fallback,
                              .token = import->token,
                              .token_label = import->token_label,
                              .label = import->label,
                              .never_export = import->never_export,
                              .passphrase = passphrase };
  g_autoptr(CliSpinner) spinner = cli_spinner_start(import->cli, "storing the keys");
  g_autoptr(TransferOutcome) outcome =
      transfer_import(import->cli->client, source, plan, &wish, error);
  g_clear_pointer(&spinner, cli_spinner_stop);
  if (!outcome)
    return FALSE;
  json_t *object = cli_import_json(source->name, plan, outcome);
  json_object_set_new(object, "holds_key", json_boolean(source->path != NULL));
  json_object_set_new(object, "shredded", json_false());
  json_array_append_new(import->imported, object);
  remember(import, outcome);
  cli_import_show_outcome(import->cli, outcome);
  tell_still_there(import, source, outcome);
  return shred(import, source, plan, outcome, object, error);
}

static gboolean
join(CliImport *import, const char *name, const TransferPlan *plan, GError **error)
{
  g_autoptr(TransferOutcome) outcome =
      transfer_join(import->cli->client, name, plan, cli_text(import->cli, "token"), error);
  if (!outcome)
    return FALSE;
  json_t *object = cli_import_json(name, plan, outcome);
  json_object_set_new(object, "holds_key", json_false());
  json_object_set_new(object, "shredded", json_false());
  json_array_append_new(import->imported, object);
  remember(import, outcome);
  cli_import_show_outcome(import->cli, outcome);
  return TRUE;
}

gboolean
cli_import_source(CliImport *import, const TransferSource *source, GError **error)
{
  g_autoptr(BaseSecret) passphrase = NULL;
  g_autoptr(TransferPlan) plan = look_at(import, source, &passphrase, error);
  if (!plan)
    return FALSE;
  if (source->folder) /* other people's certificates are in there, too */
    g_ptr_array_set_size(plan->alone, 0);
  if (source->folder && !plan->keys->len)
    return base_error_set(error, SIGNET_ERROR_NOT_FOUND, "%s: no key of yours is in there",
                          source->name);
  cli_import_show_plan(import->cli, source, plan);
  fflush(stdout); /* before a PIN is asked for */
  return plan->keys->len ? store(import, source, plan, passphrase, error)
                         : join(import, source->name, plan, error);
}

/* ---- files ---- */

typedef struct {
  char *name;
  TransferPlan *plan;
} Later;

static void
later_free(gpointer data)
{
  Later *later = data;
  g_free(later->name);
  transfer_plan_free(later->plan);
  g_free(later);
}

GPtrArray *
cli_import_later_new(void)
{
  return g_ptr_array_new_with_free_func(later_free);
}

gboolean
cli_import_file(CliImport *import, const char *path, GPtrArray *later, GError **error)
{
  g_autoptr(TransferSource) source = transfer_source_file(path, error);
  if (!source)
    return FALSE;
  g_autoptr(KeyfileSight) sight = keyfile_look(source->bytes);
  if (!sight->format)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "%s: neither keys nor certificates are in it (PKCS #12, PKCS #8, PEM, "
                          "DER or .p7b)",
                          source->name);
  if (sight->has_keys)
    return cli_connect(import->cli, error) && cli_import_source(import, source, error);
  if (import->shred)
    cli_note(import->cli, "%s holds no key; it is not shredded", source->name);
  Later *one = g_new0(Later, 1);
  one->name = g_strdup(source->name);
  one->plan = transfer_plan_of_certificates(sight->format, sight->certificates);
  g_ptr_array_add(later, one);
  return TRUE;
}

void
cli_import_join_later(CliImport *import, GPtrArray *later)
{
  for (guint i = 0; i < later->len; i++) {
    const Later *one = g_ptr_array_index(later, i);
    GError *failed = NULL;
    if (!cli_connect(import->cli, &failed) || !join(import, one->name, one->plan, &failed))
      cli_import_failed(import, one->name, failed);
  }
}

/* The first is told at the end, as the error of the run. */
void
cli_import_failed(CliImport *import, const char *name, GError *error)
{
  const char *code = error->domain == SIGNET_ERROR ? base_error_name(error->code) : "Failed";
  json_array_append_new(import->failed,
                        json_pack("{s:o, s:s, s:o}", "file", cli_json_text(name), "error", code,
                                  "message", cli_json_text(error->message)));
  if (!import->error) {
    import->error = error;
    return;
  }
  cli_note(import->cli, "%s", error->message);
  g_error_free(error);
}
