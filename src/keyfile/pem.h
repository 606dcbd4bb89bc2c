/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* PEM as it comes: with text around it, CRLF, headers, and in files that end too early. */

#include <glib.h>

typedef struct {
  char *label;    /* "CERTIFICATE" */
  char *info;     /* (nullable): the value of DEK-Info: `bytes` are encrypted with it */
  char *friendly; /* (nullable): friendlyName in OpenSSL's bag attributes before it */
  GBytes *bytes;  /* (nullable): NULL when it is damaged or has no end; wiped at the last unref */
} KeyfilePem;

/* The next block from *offset on, which moves behind it. NULL: no more. */
KeyfilePem *keyfile_pem_next(const char *text, gsize length, gsize *offset);
void keyfile_pem_free(KeyfilePem *pem);

/* NULL when there is anything else than base64 and blanks in it. Wiped at the last unref. */
GBytes *keyfile_pem_base64(const char *text, gsize length);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KeyfilePem, keyfile_pem_free)
