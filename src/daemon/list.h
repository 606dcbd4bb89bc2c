/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A list of pointers as small as what is in it, for the four that each of thousands of keys
 * has: a GPtrArray with one element takes 190 bytes. Read like one (`len`, g_ptr_array_index). */

#include <glib.h>

typedef struct {
  guint len;
  gpointer pdata[];
} DaemonList;

DaemonList *daemon_list_new(void);
void daemon_list_add(DaemonList **list, gpointer item);
/* Keeps the order of the others. */
void daemon_list_remove(DaemonList *list, gconstpointer item);
/* `compare` as that of a GPtrArray. */
void daemon_list_sort(DaemonList *list, GCompareFunc compare);
/* Empties it; `free_item` may be NULL. */
void daemon_list_clear(DaemonList **list, GDestroyNotify free_item);
void daemon_list_free(DaemonList *list, GDestroyNotify free_item);
