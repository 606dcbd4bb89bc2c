/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* DER read in one pass through a window of 64 KiB. */

#include <glib.h>

#define TRUST_WINDOW (64 * 1024)

typedef struct {
  int fd; /* -1: `bytes` */
  const guint8 *bytes;
  goffset length;
  goffset at; /* where the reader is */
  /* (nullable): gets what is left behind, from `passed` on, in large pieces */
  gboolean (*pass)(gconstpointer bytes, gsize length, gpointer data);
  gpointer data;
  goffset passed;
  guint8 *buffer; /* of a file */
  goffset from;   /* what is in it */
  gsize have;
} TrustWindow;

/* An element: definite length, short form of tag. */
typedef struct {
  guint8 tag;
  gsize head;
  goffset length; /* without the head */
} TrustElement;

void trust_window_clear(TrustWindow *window);
/* (nullable) the next `length` bytes, to look at; NULL where there are no more so many, or it is over
 * TRUST_WINDOW. */
const guint8 *trust_window_see(TrustWindow *window, gsize length);
/* The rest of what was left behind so far. */
gboolean trust_window_flush(TrustWindow *window);
gboolean trust_window_skip(TrustWindow *window, goffset length);
/* FALSE: no DER, or beyond `end`. */
gboolean trust_window_element(TrustWindow *window, goffset end, TrustElement *ret_element);
/* The same, in bytes. */
gboolean trust_element_read(const guint8 *bytes, gsize length, TrustElement *ret_element);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TrustWindow, trust_window_clear)
