/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz-keys.h"

#include "base/error.h"

#include <glib/gstdio.h>
#include <stdlib.h>

#define PIECE_MAX 64

static GBytes *
any_key(gpointer data, const char *key, const SignetOperation *operation, GError **error)
{
  static const guint8 zeros[64] = { 0 };
  gsize wanted = operation->wanted ? operation->wanted : 32;
  (void)data;
  (void)key;
  if (wanted > sizeof zeros || (operation->data_length && !operation->data)) {
    base_error_set(error, SIGNET_ERROR_CANNOT_DECRYPT, "no");
    return NULL;
  }
  return g_bytes_new_static(zeros, wanted);
}

static GPtrArray *
any_match(gpointer data, const SignetRecipient *recipients, gsize n, GError **error)
{
  static const char *const kinds[] = { "rsa:2048", "ec:p256", "ec:p384" };
  GPtrArray *matches = g_ptr_array_new_with_free_func((GDestroyNotify)signet_match_free);
  (void)recipients;
  (void)error;
  for (gsize i = 0; n > 0 && i <= *(const guint8 *)data % G_N_ELEMENTS(kinds); i++) {
    SignetMatch *match = g_new0(SignetMatch, 1);
    match->index = (guint)(i % n);
    match->key = g_strdup_printf("%zu", i);
    match->kind = g_strdup(kinds[i]);
    match->present = TRUE;
    g_ptr_array_add(matches, match);
  }
  return matches;
}

CmsKeys
fuzz_keys(guint8 *way)
{
  return (CmsKeys){ way, any_key, any_key, any_key, any_match };
}

gsize
fuzz_piece(guint32 *state, gsize left)
{
  if (!*state)
    return left;
  *state =
      *state * 1664525u + 1013904223u; /* Numerical Recipes' generator; its high bits are good */
  if (!*state)
    *state = 1;
  return MIN(left, 1 + (*state >> 16) % PIECE_MAX);
}

gboolean
fuzz_push(BaseSink *sink, const guint8 *bytes, gsize length, guint32 state, GError **error)
{
  for (gsize at = 0; at < length;) {
    gsize n = fuzz_piece(&state, length - at);
    if (!base_sink_write(sink, bytes + at, n, error))
      return FALSE;
    at += n;
  }
  return base_sink_finish(sink, error);
}

void
fuzz_home(const char *settings)
{
  static const char *const places[] = { "HOME",           "XDG_CONFIG_HOME", "XDG_DATA_HOME",
                                        "XDG_STATE_HOME", "XDG_CACHE_HOME",  "XDG_RUNTIME_DIR" };
  g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
  g_autofree char *home = g_strconcat(self, ".home", NULL);
  g_autofree char *folder = g_build_filename(home, "signet", NULL);
  g_autofree char *file = g_build_filename(folder, "signet.conf", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS(places); i++)
    g_setenv(places[i], home, TRUE);
  if (g_mkdir_with_parents(folder, 0700) != 0 || !g_file_set_contents(file, settings, -1, NULL))
    abort();
}
