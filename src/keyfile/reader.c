/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyfile/reader.h"

#include "base/error.h"
#include "base/text.h"
#include "keyfile/pbe.h"
#include "keyfile/spelling.h"

#include <openssl/err.h>
#include <string.h>

#define LABEL_MAX 128 /* characters; a friendly name is a name */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)

static void
item_free(gpointer data)
{
  KeyfileItem *item = data;
  g_free(item->key);
  g_free(item->label);
  g_free(item->key_kind);
  g_clear_pointer(&item->bytes, g_bytes_unref);
  EVP_PKEY_free(item->pkey);
  g_free(item);
}

static KeyfileReader *
reader_new(const KeyfileLimits *limits)
{
  KeyfileReader *reader = g_new0(KeyfileReader, 1);
  reader->limits = limits;
  reader->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  reader->locked = g_ptr_array_new_with_free_func(g_free);
  return reader;
}

KeyfileReader *
keyfile_reader_new(const KeyfileLimits *limits, OSSL_LIB_CTX *library, const char *name,
                   BaseSecret *passphrase)
{
  KeyfileReader *reader = reader_new(limits);
  reader->library = library;
  reader->name = name;
  reader->given = passphrase && base_secret_length(passphrase) > 0;
  reader->spellings = keyfile_spellings_new(passphrase);
  reader->contents = g_new0(KeyfileContents, 1);
  reader->contents->items = g_ptr_array_new_with_free_func(item_free);
  reader->contents->skipped = g_ptr_array_new_with_free_func(g_free);
  return reader;
}

KeyfileReader *
keyfile_reader_new_look(const KeyfileLimits *limits)
{
  KeyfileReader *reader = reader_new(limits);
  reader->name = "the file";
  reader->sight = g_new0(KeyfileSight, 1);
  reader->sight->certificates = g_ptr_array_new_with_free_func((GDestroyNotify)base_cert_free);
  return reader;
}

void
keyfile_reader_free(KeyfileReader *reader)
{
  if (!reader)
    return;
  g_clear_pointer(&reader->spellings, g_ptr_array_unref);
  g_clear_pointer(&reader->contents, keyfile_contents_free);
  g_clear_pointer(&reader->sight, keyfile_sight_free);
  g_clear_pointer(&reader->known, g_hash_table_unref);
  g_clear_pointer(&reader->locked, g_ptr_array_unref);
  g_clear_error(&reader->trouble);
  g_free(reader);
}

/* ---- bounds ---- */

gboolean
keyfile_reader_count(KeyfileReader *reader, GError **error)
{
  if (++reader->seen > reader->limits->items)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                          "%s holds more than %u keys and certificates", reader->name,
                          reader->limits->items);
  return TRUE;
}

gboolean
keyfile_reader_spend(KeyfileReader *reader, guint64 iterations, GError **error)
{
  if (iterations > reader->limits->iterations)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                          "%s asks for %" G_GUINT64_FORMAT
                          " rounds of key derivation; more than %" G_GUINT64_FORMAT " are refused",
                          reader->name, iterations, reader->limits->iterations);
  if (iterations > reader->limits->work - reader->work)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                          "the parts of %s ask for more than %" G_GUINT64_FORMAT
                          " rounds of key derivation together",
                          reader->name, reader->limits->work);
  reader->work += iterations;
  return TRUE;
}

/* ---- what is left out ---- */

void
keyfile_reader_skip(KeyfileReader *reader, SignetError code, const char *format, ...)
{
  va_list list;
  if (reader->sight)
    return;
  va_start(list, format);
  g_autofree char *line = g_strdup_vprintf(format, list);
  va_end(list);
  if (!reader->trouble)
    base_error_set(&reader->trouble, code, "%s", line);
  g_ptr_array_add(reader->contents->skipped, g_steal_pointer(&line));
}

void
keyfile_reader_note_locked(KeyfileReader *reader, const char *what)
{
  g_ptr_array_add(reader->locked, g_strdup(what));
}

gboolean
keyfile_reader_open(KeyfileReader *reader, const char *what, const X509_ALGOR *algorithm,
                    const ASN1_OCTET_STRING *sealed, GBytes **ret_plain, GError **error)
{
  g_autoptr(GError) reason = NULL;
  *ret_plain = NULL;
  if (reader->sight) {
    reader->sight->encrypted = TRUE;
    reader->sight->has_keys = TRUE;
    return TRUE;
  }
  *ret_plain = keyfile_pbe_open(reader, algorithm, sealed, &reason);
  if (*ret_plain) {
    reader->opened++;
  } else if (g_error_matches(reason, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE)) {
    g_propagate_error(error, g_steal_pointer(&reason));
    return FALSE;
  } else if (g_error_matches(reason, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT)) {
    keyfile_reader_note_locked(reader, what);
  } else {
    keyfile_reader_skip(reader, (SignetError)reason->code, "%s: %s", what, reason->message);
  }
  return TRUE;
}

/* ---- certificates ---- */

char *
keyfile_reader_label(const char *label)
{
  g_autofree char *shown = label && *label ? base_text_shown(label, -1) : NULL;
  return shown ? g_utf8_substring(shown, 0, MIN(g_utf8_strlen(shown, -1), LABEL_MAX)) : NULL;
}

static void
keep_certificate(KeyfileReader *reader, const BaseCert *cert, const char *label)
{
  if (!g_hash_table_add(reader->known, g_strdup(cert->fingerprint)))
    return;
  KeyfileItem *item = g_new0(KeyfileItem, 1);
  item->kind = KEYFILE_CERTIFICATE;
  item->key = g_strdup(cert->key);
  item->label = keyfile_reader_label(label);
  item->key_kind = base_key_kind_text(cert->kind, cert->bits);
  item->bytes = g_bytes_ref(cert->der);
  g_ptr_array_add(reader->contents->items, item);
}

static void
look_at_certificate(KeyfileReader *reader, BaseCert *cert)
{
  if (g_hash_table_add(reader->known, g_strdup(cert->fingerprint)))
    g_ptr_array_add(reader->sight->certificates, cert);
  else
    base_cert_free(cert);
}

gboolean
keyfile_reader_add_certificate(KeyfileReader *reader, const guint8 *der, gsize length,
                               const char *label, GError **error)
{
  const guint8 *at = der;
  g_autoptr(GError) reason = NULL;
  if (!keyfile_reader_count(reader, error))
    return FALSE;
  ERR_clear_error();
  X509 *x509 = X509_new_ex(reader->library, NULL);
  g_autoptr(X509) read = NULL;
  BaseCert *cert = NULL;
  if (length > BASE_CERT_DER_MAX)
    base_error_set(&reason, SIGNET_ERROR_TOO_LARGE, "it has %zu bytes, more than %d", length,
                   BASE_CERT_DER_MAX);
  else if ((read = d2i_X509(&x509, &at, (long)length))) /* frees x509 when it fails */
    cert = base_cert_new_from_x509(read, &reason);
  else
    base_error_set_openssl(&reason, SIGNET_ERROR_BAD_INPUT, "it is damaged");
  if (!read)
    X509_free(x509);
  ERR_clear_error();
  if (!cert) {
    keyfile_reader_skip(reader, (SignetError)reason->code, "a certificate: %s", reason->message);
  } else if (reader->sight) {
    look_at_certificate(reader, cert);
  } else {
    keep_certificate(reader, cert, label);
    base_cert_free(cert);
  }
  return TRUE;
}

gboolean
keyfile_reader_add_x509(KeyfileReader *reader, X509 *x509, const char *label, GError **error)
{
  guint8 *der = NULL;
  int length = i2d_X509(x509, &der);
  gboolean ok =
      keyfile_reader_add_certificate(reader, der, length > 0 ? (gsize)length : 0, label, error);
  OPENSSL_free(der);
  return ok;
}

/* ---- the end ---- */

/* Windows gives the key a GUID and the certificate the name; many give the key none. */
static void
name_keys(GPtrArray *items)
{
  for (guint i = 0; i < items->len; i++) {
    KeyfileItem *key = items->pdata[i];
    for (guint j = 0; key->kind == KEYFILE_KEY && !key->label && j < items->len; j++) {
      const KeyfileItem *other = items->pdata[j];
      if (other->kind == KEYFILE_CERTIFICATE && strcmp(other->key, key->key) == 0)
        key->label = g_strdup(other->label);
    }
  }
}

/* Keys first, else in the order of the file. */
static GPtrArray *
sorted(GPtrArray *items)
{
  GPtrArray *result = g_ptr_array_new_with_free_func(item_free);
  for (KeyfileKind kind = KEYFILE_KEY; kind <= KEYFILE_CERTIFICATE; kind++)
    for (guint i = 0; i < items->len; i++)
      if (((KeyfileItem *)items->pdata[i])->kind == kind)
        g_ptr_array_add(result, items->pdata[i]);
  g_ptr_array_set_free_func(items, NULL);
  return result;
}

static gboolean
check_locked(KeyfileReader *reader, GError **error)
{
  if (reader->locked->len == 0)
    return TRUE;
  if (!reader->given)
    return base_error_set(error, SIGNET_ERROR_PIN_REQUIRED, "%s asks for its passphrase",
                          reader->name);
  if (reader->opened == 0)
    return base_error_set(error, SIGNET_ERROR_PIN_INCORRECT,
                          "this is not the passphrase of %s (or the file is damaged)",
                          reader->name);
  for (guint i = 0; i < reader->locked->len; i++)
    keyfile_reader_skip(reader, SIGNET_ERROR_PIN_INCORRECT,
                        "%s: it has another passphrase than the rest of the file, or is damaged",
                        (const char *)reader->locked->pdata[i]);
  return TRUE;
}

static gboolean
check_found(KeyfileReader *reader, GError **error)
{
  guint more = reader->contents->skipped->len - 1;
  g_autofree char *rest = NULL;
  if (reader->contents->items->len > 0)
    return TRUE;
  if (!reader->trouble)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s holds no key and no certificate",
                          reader->name);
  rest = more > 0 ? g_strdup_printf("; and %u more", more) : g_strdup("");
  return base_error_set(error, (SignetError)reader->trouble->code,
                        "%s holds no key and no certificate to use: %s%s", reader->name,
                        reader->trouble->message, rest);
}

KeyfileContents *
keyfile_reader_finish(KeyfileReader *reader, GError **error)
{
  if (!check_locked(reader, error) || !check_found(reader, error))
    return NULL;
  GPtrArray *items = sorted(reader->contents->items);
  g_ptr_array_unref(reader->contents->items);
  reader->contents->items = items;
  name_keys(items);
  reader->contents->format = reader->format;
  return g_steal_pointer(&reader->contents);
}
