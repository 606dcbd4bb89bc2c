/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A sealed message as it comes, parted: the sealed content flows on, the structure around it (a few
 * kilobytes, at most CMS_STRUCTURE_MAX) is gathered and handed over as a message without content, for
 * OpenSSL's decoder to take apart. */

#include "cms/message.h"

typedef struct {
  /* Each RecipientInfo, as it stood; there may be thousands, and they are not gathered. */
  gboolean (*recipient)(gpointer data, const guint8 *bytes, gsize length, GError **error);
  /* All else that comes before the content; an AuthEnvelopedData has an empty tag here. */
  gboolean (*head)(gpointer data, const CmsMessage *head, GError **error);
  gboolean (*content)(gpointer data, const guint8 *bytes, gsize length, GError **error);
} CmsSplitEvents;

typedef struct CmsSplit CmsSplit;

CmsSplit *cms_split_new(const CmsSplitEvents *events, gpointer data);
void cms_split_free(CmsSplit *split);
/* BAD_INPUT for what is no sealed message, TOO_LARGE, UNSUPPORTED without content, and the
 * errors of the events */
gboolean cms_split_push(CmsSplit *split, const guint8 *bytes, gsize length, GError **error);
/* The message without content and recipients: what came after the content is in it. */
gboolean cms_split_done(CmsSplit *split, CmsMessage *ret_tail, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsSplit, cms_split_free)
