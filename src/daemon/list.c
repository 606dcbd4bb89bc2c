/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/list.h"

#include <stdlib.h>
#include <string.h>

/* All empty lists are this one; it has no room and is never written to. */
static DaemonList empty;

DaemonList *
daemon_list_new(void)
{
  return &empty;
}

/* The room is the next power of two, or more where something was removed. */
void
daemon_list_add(DaemonList **list, gpointer item)
{
  guint len = (*list)->len;
  if ((len & (len - 1)) == 0) {
    gsize size = sizeof(DaemonList) + MAX(2 * (gsize)len, 1) * sizeof(gpointer);
    *list = g_realloc(*list == &empty ? NULL : *list, size);
  }
  (*list)->pdata[len] = item;
  (*list)->len = len + 1;
}

void
daemon_list_remove(DaemonList *list, gconstpointer item)
{
  for (guint i = 0; i < list->len; i++)
    if (list->pdata[i] == item) {
      memmove(&list->pdata[i], &list->pdata[i + 1], (list->len - i - 1) * sizeof(gpointer));
      list->len--;
      return;
    }
}

void
daemon_list_sort(DaemonList *list, GCompareFunc compare)
{
  if (list->len > 1)
    qsort(list->pdata, list->len, sizeof(gpointer), compare);
}

void
daemon_list_clear(DaemonList **list, GDestroyNotify free_item)
{
  daemon_list_free(*list, free_item);
  *list = &empty;
}

void
daemon_list_free(DaemonList *list, GDestroyNotify free_item)
{
  if (list == &empty)
    return;
  for (guint i = 0; free_item && i < list->len; i++)
    free_item(list->pdata[i]);
  g_free(list);
}
