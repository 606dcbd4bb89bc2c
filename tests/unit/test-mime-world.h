/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Mails made by hand, and opened with software keys. */

#include "mime/opened.h"
#include "test-cms-soft.h"

BaseInput *world_input(const void *bytes, gsize length);
BaseInput *world_text(const char *text);

/* Entities in CRLF form; each takes one. */
char *world_sign(const SoftKey *key, const char *entity);   /* multipart/signed */
char *world_opaque(const SoftKey *key, const char *entity); /* application/pkcs7-mime */
char *world_seal(const SoftKey *key, const char *entity, const char *cipher);
char *world_with(const char *headers, char *entity); /* takes `entity` */

/* With that key, if any; the error is the caller's. */
MimeOpened *world_open(BaseInput *input, MimeDepth depth, const SoftKey *key, GError **error);

MimeLayer *world_layer(const MimeOpened *opened, guint n);
CmsSignatureState world_state(const MimeLayer *layer);
char *world_mail(MimeOpened *opened);    /* as write_mail() gives it */
char *world_content(MimeOpened *opened); /* as write_content() gives it */
gboolean world_notes(const MimeOpened *opened, const char *what);
