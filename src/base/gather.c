/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/gather.h"

#include "base/secret.h"

#include <string.h>

gboolean
base_gather_flush(BaseGather *gather, GError **error)
{
  gsize length = gather->length;
  gather->length = 0;
  return base_sink_write(gather->next, gather->bytes, length, error);
}

gboolean
base_gather_put(BaseGather *gather, gconstpointer bytes, gsize length, GError **error)
{
  if (length > BASE_GATHER_SIZE - gather->length && !base_gather_flush(gather, error))
    return FALSE;
  if (length >= BASE_GATHER_SIZE)
    return base_sink_write(gather->next, bytes, length, error);
  if (length)
    memcpy(gather->bytes + gather->length, bytes, length);
  gather->length += length;
  return TRUE;
}

gboolean
base_gather_finish(BaseGather *gather, GError **error)
{
  return base_gather_flush(gather, error) && base_sink_finish(gather->next, error);
}

void
base_gather_clear(BaseGather *gather)
{
  base_wipe(gather->bytes, sizeof gather->bytes);
  base_sink_free(gather->next);
}
