/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* open-many SEALED.der PLAIN COUNT: opens one CMS message again and again through
 * the running daemon and counts what comes back. Anything but the plain content
 * or an error is garbage, and ends with status 1. */

#include "base/error.h"
#include "base/path.h"
#include "cms/cms.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX (1024 * 1024)

typedef struct {
  guint opened;
  guint garbage;
  guint failed;
  GHashTable *reasons; /* name of the error -> how often */
} Counts;

static void
open_once(SignetClient *client, GBytes *sealed, GBytes *plain, Counts *counts)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CmsOpened) opened = cms_decrypt(client, sealed, &error);
  if (!opened) {
    const char *name = base_error_name(error->code);
    gpointer before = g_hash_table_lookup(counts->reasons, name);
    g_hash_table_insert(counts->reasons, (gpointer)(gintptr)name,
                        GUINT_TO_POINTER(GPOINTER_TO_UINT(before) + 1));
    counts->failed++;
  } else if (g_bytes_equal(opened->content, plain)) {
    counts->opened++;
  } else {
    counts->garbage++;
  }
}

int
main(int argc, char **argv)
{
  g_autoptr(GError) error = NULL;
  Counts counts = { 0 };

  if (argc != 4)
    return 2;
  wire_json_start();
  g_autoptr(GBytes) sealed = base_path_read(argv[1], FILE_MAX, &error);
  g_autoptr(GBytes) plain = sealed ? base_path_read(argv[2], FILE_MAX, &error) : NULL;
  g_autoptr(SignetClient) client =
      plain ? signet_client_connect(NULL, SIGNET_CONNECT_DEFAULT, &error) : NULL;
  if (!client) {
    fprintf(stderr, "open-many: %s\n", error->message);
    return 2;
  }
  signet_client_set_ask(client, FALSE, NULL, NULL);
  counts.reasons = g_hash_table_new(g_str_hash, g_str_equal);
  for (int left = atoi(argv[3]); left > 0; left--) // NOLINT(cert-err34-c): a test's own argument
    open_once(client, sealed, plain, &counts);

  printf("opened %u garbage %u failed %u", counts.opened, counts.garbage, counts.failed);
  GHashTableIter iter;
  gpointer name = NULL;
  gpointer often = NULL;
  g_hash_table_iter_init(&iter, counts.reasons);
  while (g_hash_table_iter_next(&iter, &name, &often))
    printf(" %s %u", (const char *)name, GPOINTER_TO_UINT(often));
  printf("\n");
  g_hash_table_unref(counts.reasons);
  return counts.garbage ? 1 : 0;
}
