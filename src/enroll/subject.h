/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a certificate for mail is to say: its name and extensions, alike in a PKCS#10 request, a
 * CMP request and a self-signed certificate. */

#include <glib.h>
#include <openssl/x509v3.h>

typedef struct {
  const char *key;              /* its name, 64 hex digits */
  GBytes *public_key;           /* SubjectPublicKeyInfo DER */
  const char *name;             /* (nullable): common name; else the first address */
  const char *const *addresses; /* at least one, but where `subject` is given */
  gboolean can_decrypt;         /* the key may open mail, so its certificate says so */
  GBytes *subject;              /* (nullable): the whole name, DER, in place of `name` */
  gint64 replaces;              /* notBefore of the one it replaces, so that it is newer; or 0 */
} EnrollSubject;

typedef STACK_OF(X509_EXTENSION) EnrollExtensions;

/* Each checked before a key is made: a certificate can hold them. */
gboolean enroll_subject_check(const EnrollSubject *subject, GError **error);
X509_NAME *enroll_subject_name(const EnrollSubject *subject);
EnrollExtensions *enroll_subject_extensions(const EnrollSubject *subject, EVP_PKEY *public_key);
void enroll_extensions_free(EnrollExtensions *extensions);

/* "CN=CA,O=Example", also with / between; a backslash takes the next character as it is. NULL when
 * it is no name. */
X509_NAME *enroll_name_parse(const char *text);
