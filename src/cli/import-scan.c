/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `signet import --scan`: what this computer has, and the command that imports each. */
#include "base/error.h"
#include "cli/import.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_US (100 * 1000)
#define FIRST_US (300 * 1000) /* what is done sooner shows nothing */

typedef struct {
  gint64 next;
  gboolean drawn;
} Progress;

static void
progress(guint n_files, gpointer user_data)
{
  Progress *shown = user_data;
  gint64 now = g_get_monotonic_time();
  if (now < shown->next)
    return;
  shown->next = now + PROGRESS_US;
  shown->drawn = TRUE;
  fprintf(stderr, "\r\033[K%u files looked at…", n_files);
}

static gboolean
shows_progress(const Cli *cli)
{
  return !cli->quiet && !cli->json && isatty(STDERR_FILENO) &&
         g_strcmp0(g_getenv("TERM"), "dumb") != 0;
}

static json_t *
json_command(const TransferPlace *place)
{
  return place->from ? json_pack("[s, s, s, s, o]", "signet", "import", "--from", place->from,
                                 cli_json_text(place->path))
                     : json_pack("[s, s, o]", "signet", "import", cli_json_text(place->path));
}

static json_t *
json_place(const TransferPlace *place)
{
  static const char *const kinds[] = { "file", "nss", "gpgsm", "smime_keys" };
  json_t *object = json_object();
  json_object_set_new(object, "kind", json_string(kinds[place->kind]));
  json_object_set_new(object, "path", cli_json_text(place->path));
  json_object_set_new(object, "what", cli_json_text(place->what));
  json_object_set_new(object, "has_keys", json_boolean(place->has_keys));
  json_object_set_new(object, "encrypted", json_boolean(place->encrypted));
  json_object_set_new(object, "about", cli_json_text(place->about));
  json_object_set_new(object, "command", json_command(place));
  return object;
}

static char *
what_of(const TransferPlace *place)
{
  const char *more = place->kind != TRANSFER_FILE ? ""
                     : !place->has_keys           ? ", no key"
                     : place->encrypted           ? ", with a passphrase"
                                                  : ", a key without a passphrase";
  return g_strconcat(place->what, more, NULL);
}

static void
print_place(const Cli *cli, const TransferPlace *place)
{
  g_autofree char *what = what_of(place);
  g_autofree char *path = cli_import_shell_path(place->path);
  g_autofree char *safe = cli_safe(path);
  g_autofree char *about = cli_safe(place->about);
  g_autofree char *styled = cli_styled(STDOUT_FILENO, CLI_BOLD, what);
  cli_say(cli, "%s%s%s", styled, *about ? ": " : "", about);
  /* Never cut: it is there to be copied. */
  cli_say(cli, "    signet import %s%s%s%s", place->from ? "--from " : "",
          place->from ? place->from : "", place->from ? " " : "", safe);
}

static void
print_found(const Cli *cli, const TransferFound *found, gint64 took)
{
  for (guint i = 0; i < found->places->len; i++)
    print_place(cli, g_ptr_array_index(found->places, i));
  if (!found->places->len)
    cli_say(cli, "No ID was found that could be imported.");
  cli_say(cli, "%u files looked at in %.1f s%s.", found->n_files, (double)took / G_USEC_PER_SEC,
          found->cut ? ", then it stopped at its limit: name a folder to see more" : "");
  if (found->n_unreadable)
    cli_say(cli, "%u files or folders cannot be read.", found->n_unreadable);
}

static TransferFound *
look(const Cli *cli, GError **error)
{
  g_autoptr(GPtrArray) folders = g_ptr_array_new();
  for (int i = 0; i < cli_count(cli); i++)
    g_ptr_array_add(folders, (gpointer)(guintptr)cli_argument(cli, i));
  if (!folders->len)
    g_ptr_array_add(folders, (gpointer)(guintptr)g_get_home_dir());
  g_ptr_array_add(folders, NULL);
  Progress shown = { .next = g_get_monotonic_time() + FIRST_US };
  TransferFound *found = transfer_scan((const char *const *)folders->pdata,
                                       shows_progress(cli) ? progress : NULL, &shown, error);
  if (shown.drawn)
    fputs("\r\033[K", stderr);
  if (found && !cli_count(cli))
    transfer_found_add_usual(found);
  return found;
}

gboolean
cli_import_scan(Cli *cli, GError **error)
{
  gint64 start = g_get_monotonic_time();
  g_autoptr(TransferFound) found = look(cli, error);
  if (!found)
    return FALSE;
  print_found(cli, found, g_get_monotonic_time() - start);
  json_t *places = json_array();
  for (guint i = 0; i < found->places->len; i++)
    json_array_append_new(places, json_place(g_ptr_array_index(found->places, i)));
  return cli_json(cli,
                  json_pack("{s:o, s:i, s:i, s:b}", "places", places, "files", (int)found->n_files,
                            "unreadable", (int)found->n_unreadable, "cut", found->cut),
                  error);
}
