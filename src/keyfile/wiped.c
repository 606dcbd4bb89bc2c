/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyfile/wiped.h"

#include "base/secret.h"

typedef struct {
  guint8 *bytes;
  gsize length;
} Wiped;

static void
wiped_free(gpointer data)
{
  Wiped *wiped = data;
  base_wipe(wiped->bytes, wiped->length);
  g_free(wiped->bytes);
  g_free(wiped);
}

GBytes *
keyfile_wiped_new(guint8 *bytes, gsize length)
{
  Wiped *wiped = g_new0(Wiped, 1);
  wiped->bytes = bytes;
  wiped->length = length;
  return g_bytes_new_with_free_func(bytes, length, wiped_free, wiped);
}
