/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyfile/keyfile.h"

void
keyfile_contents_free(KeyfileContents *contents)
{
  if (!contents)
    return;
  g_clear_pointer(&contents->items, g_ptr_array_unref);
  g_clear_pointer(&contents->skipped, g_ptr_array_unref);
  g_free(contents);
}

void
keyfile_sight_free(KeyfileSight *sight)
{
  if (!sight)
    return;
  g_clear_pointer(&sight->certificates, g_ptr_array_unref);
  g_free(sight);
}
