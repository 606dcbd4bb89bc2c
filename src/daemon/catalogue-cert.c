/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "daemon/catalogue-internal.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <string.h>

#define MATCHES_MAX 16 /* keys that one recipient may mean */

void
daemon_catalogue_name_free(gpointer data)
{
  CatalogueName *name = data;
  g_bytes_unref(name->der);
  g_free(name->text);
  g_free(name);
}

static CatalogueName *
share_name(DaemonCatalogue *catalogue, GBytes *der, const char *text)
{
  CatalogueName *name = g_hash_table_lookup(catalogue->names, der);
  if (!name) {
    name = g_new0(CatalogueName, 1);
    name->der = g_bytes_ref(der);
    name->text = g_strdup(text);
    g_hash_table_insert(catalogue->names, name->der, name);
  }
  name->users++;
  return name;
}

static void
unshare_name(DaemonCatalogue *catalogue, GBytes *der)
{
  CatalogueName *name = g_hash_table_lookup(catalogue->names, der);
  if (name && --name->users == 0)
    g_hash_table_remove(catalogue->names, der);
}

static char **
bounded_strv(char **strv)
{
  guint n = MIN(g_strv_length(strv), DAEMON_CATALOGUE_ADDRESSES_MAX);
  char **copy = g_new0(char *, n + 1);
  for (guint i = 0; i < n; i++)
    copy[i] = g_strdup(strv[i]);
  return copy;
}

/* Only issuers are looked for by Name; a thousand persons' need no DER of theirs. */
static void
set_subject(DaemonCatalogue *catalogue, DaemonCert *cert, const BaseCert *facts)
{
  if (!(facts->use & BASE_USE_CA)) {
    cert->subject = g_strdup(facts->subject);
    return;
  }
  CatalogueName *subject = share_name(catalogue, facts->subject_der, facts->subject);
  cert->subject = subject->text;
  cert->subject_der = subject->der;
}

static DaemonCert *
cert_from_facts(DaemonCatalogue *catalogue, GBytes *der, const BaseCert *facts)
{
  DaemonCert *cert = g_new0(DaemonCert, 1);
  CatalogueName *issuer = share_name(catalogue, facts->issuer_der, facts->issuer);
  cert->der = g_bytes_ref(der);
  cert->issuer = issuer->text;
  cert->issuer_der = issuer->der;
  g_strlcpy(cert->fingerprint, facts->fingerprint, sizeof cert->fingerprint);
  g_strlcpy(cert->key, facts->key, sizeof cert->key);
  g_strlcpy(cert->issuer_serial, facts->issuer_serial, sizeof cert->issuer_serial);
  cert->serial = g_strdup(facts->serial);
  cert->name = g_strdup(facts->common_name);
  cert->addresses = bounded_strv(facts->addresses);
  cert->subject_key_id = g_strdup(facts->subject_key_id);
  cert->not_before = facts->not_before;
  cert->not_after = facts->not_after;
  cert->kind = facts->kind;
  cert->bits = facts->bits;
  cert->use = facts->use;
  set_subject(catalogue, cert, facts);
  cert->self_signed = facts->self_signed;
  return cert;
}

DaemonCert *
daemon_catalogue_add_cert(DaemonCatalogue *catalogue, GBytes *der, GError **error)
{
  gsize length;
  const void *bytes = g_bytes_get_data(der, &length);
  guint8 digest[SHA256_DIGEST_LENGTH];
  SHA256(bytes, length, digest);
  g_autofree char *fingerprint = base_hex(digest, sizeof digest);
  DaemonCert *cert = g_hash_table_lookup(catalogue->certs, fingerprint);
  if (cert)
    return cert;
  if (g_hash_table_size(catalogue->certs) >= DAEMON_CATALOGUE_CERTS_MAX ||
      catalogue->der_bytes + length > DAEMON_CATALOGUE_DER_MAX) {
    base_error_set(error, SIGNET_ERROR_TOO_LARGE, "too many certificates (at most %d)",
                   DAEMON_CATALOGUE_CERTS_MAX);
    return NULL;
  }
  g_autoptr(BaseCert) facts = base_cert_new(der, error);
  if (!facts)
    return NULL;
  cert = cert_from_facts(catalogue, der, facts);
  catalogue->der_bytes += length;
  g_hash_table_insert(catalogue->certs, cert->fingerprint, cert);
  daemon_catalogue_touch(catalogue);
  return cert;
}

void
daemon_catalogue_drop_cert(DaemonCatalogue *catalogue, DaemonCert *cert)
{
  g_hash_table_remove(catalogue->certs, cert->fingerprint);
  catalogue->der_bytes -= g_bytes_get_size(cert->der);
  if (cert->subject_der)
    unshare_name(catalogue, cert->subject_der);
  else
    g_free((gpointer)(gintptr)cert->subject);
  unshare_name(catalogue, cert->issuer_der);
  g_bytes_unref(cert->der);
  g_free(cert->serial);
  g_free(cert->name);
  g_strfreev(cert->addresses);
  g_free(cert->subject_key_id);
  g_free(cert);
}

gint
daemon_catalogue_compare_certs(gconstpointer a, gconstpointer b)
{
  const DaemonCert *left = *(DaemonCert *const *)a;
  const DaemonCert *right = *(DaemonCert *const *)b;
  if (left->not_before != right->not_before)
    return left->not_before > right->not_before ? -1 : 1;
  if (left->not_after != right->not_after)
    return left->not_after > right->not_after ? -1 : 1;
  return strcmp(left->fingerprint, right->fingerprint);
}

/* Nothing makes issuer and serial, or a subjectKeyIdentifier, unique (renewals share the
 * latter): each index entry is the head of a chain. */
void
daemon_catalogue_index_certs(DaemonCatalogue *catalogue)
{
  g_hash_table_remove_all(catalogue->by_issuer_serial);
  g_hash_table_remove_all(catalogue->by_key_id);
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, catalogue->certs);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    DaemonCert *cert = value;
    cert->next_issuer_serial =
        g_hash_table_lookup(catalogue->by_issuer_serial, cert->issuer_serial);
    g_hash_table_replace(catalogue->by_issuer_serial, cert->issuer_serial, cert);
    if (!cert->subject_key_id)
      continue;
    cert->next_key_id = g_hash_table_lookup(catalogue->by_key_id, cert->subject_key_id);
    g_hash_table_replace(catalogue->by_key_id, cert->subject_key_id, cert);
  }
}

DaemonCert *
daemon_catalogue_cert(DaemonCatalogue *catalogue, const char *fingerprint)
{
  daemon_catalogue_settle(catalogue);
  return g_hash_table_lookup(catalogue->certs, fingerprint);
}

gboolean
daemon_catalogue_keep_cert(DaemonCatalogue *catalogue, GBytes *der, GError **error)
{
  DaemonCert *cert = daemon_catalogue_add_cert(catalogue, der, error);
  if (!cert)
    return FALSE;
  cert->kept = TRUE;
  cert->removed = FALSE;
  catalogue->unsaved = TRUE;
  daemon_catalogue_touch(catalogue);
  return TRUE;
}

void
daemon_catalogue_forget_cert(DaemonCatalogue *catalogue, const char *fingerprint)
{
  DaemonCert *cert = g_hash_table_lookup(catalogue->certs, fingerprint);
  if (!cert)
    return;
  cert->kept = FALSE;
  cert->removed = TRUE;
  for (guint i = 0; i < catalogue->views->len; i++) {
    DaemonView *view = g_ptr_array_index(catalogue->views, i);
    for (guint j = view->certs->len; j-- > 0;)
      if (((CatalogueCertPlace *)g_ptr_array_index(view->certs, j))->cert == cert)
        g_ptr_array_remove_index(view->certs, j);
  }
  catalogue->unsaved = TRUE;
  daemon_catalogue_touch(catalogue);
}

GPtrArray *
daemon_catalogue_cert_views(DaemonCatalogue *catalogue, const DaemonCert *cert)
{
  GPtrArray *views = g_ptr_array_new();
  for (guint i = 0; i < catalogue->views->len; i++) {
    DaemonView *view = g_ptr_array_index(catalogue->views, i);
    for (guint j = 0; j < view->certs->len; j++)
      if (((CatalogueCertPlace *)g_ptr_array_index(view->certs, j))->cert == cert) {
        g_ptr_array_add(views, view);
        break;
      }
  }
  return views;
}

GPtrArray *
daemon_catalogue_device_certs(DaemonCatalogue *catalogue, const DaemonDevice *device)
{
  GPtrArray *certs = g_ptr_array_new();
  for (guint i = 0; i < catalogue->views->len; i++) {
    const DaemonView *view = g_ptr_array_index(catalogue->views, i);
    for (guint j = 0; view->device == device && j < view->certs->len; j++) {
      DaemonCert *cert = ((CatalogueCertPlace *)g_ptr_array_index(view->certs, j))->cert;
      if (!g_ptr_array_find(certs, cert, NULL))
        g_ptr_array_add(certs, cert);
    }
  }
  return certs;
}

/* Steps into (or over) one element; FALSE at the end or on malformed DER. */
static gboolean
step(const guint8 **at, const guint8 *end, gboolean into, int *ret_tag)
{
  const guint8 *next = *at;
  long length;
  int tag, class;
  if (end <= next || (ASN1_get_object(&next, &length, &tag, &class, end - next) & 0x80) != 0)
    return FALSE;
  *ret_tag = tag | class;
  *at = into ? next : next + length;
  return TRUE;
}

/* RFC 5280 4.1: TBSCertificate has version [0] (optional), serialNumber, signature, issuer,
 * validity, subject, subjectPublicKeyInfo. OpenSSL would decode the key too, at 100 us each. */
GBytes *
daemon_catalogue_cert_spki(const DaemonCert *cert)
{
  gsize length;
  int tag;
  const guint8 *start = g_bytes_get_data(cert->der, &length);
  const guint8 *at = start;
  const guint8 *end = start + length;
  if (!step(&at, end, TRUE, &tag) || !step(&at, end, TRUE, &tag) || !step(&at, end, FALSE, &tag))
    return NULL;
  for (int skip = tag == V_ASN1_CONTEXT_SPECIFIC ? 5 : 4; skip > 0; skip--)
    if (!step(&at, end, FALSE, &tag))
      return NULL;
  const guint8 *spki = at;
  if (!step(&at, end, FALSE, &tag))
    return NULL;
  g_autofree char *name = base_key_name(spki, (gsize)(at - spki));
  if (strcmp(name, cert->key) != 0)
    return NULL;
  return g_bytes_new_from_bytes(cert->der, (gsize)(spki - start), (gsize)(at - spki));
}

/* ---- chain ---- */

static gboolean
signed_by(const DaemonCert *cert, const DaemonCert *issuer)
{
  gsize length;
  const guint8 *at = g_bytes_get_data(cert->der, &length);
  X509 *subject = d2i_X509(NULL, &at, (long)length);
  at = g_bytes_get_data(issuer->der, &length);
  X509 *signer = d2i_X509(NULL, &at, (long)length);
  EVP_PKEY *key = signer ? X509_get0_pubkey(signer) : NULL;
  gboolean good = subject && key && X509_verify(subject, key) == 1;
  X509_free(subject);
  X509_free(signer);
  return good;
}

/* Several CA certificates may bear one name (a CA's new key, cross certificates): the
 * signature decides, the newest first. */
static DaemonCert *
find_issuer(DaemonCatalogue *catalogue, const DaemonCert *cert)
{
  g_autoptr(GPtrArray) issuers = g_ptr_array_new();
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, catalogue->certs);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    DaemonCert *other = value;
    /* Names are shared, so equal ones are the same pointer. */
    if (other != cert && other->subject_der == cert->issuer_der && (other->use & BASE_USE_CA) &&
        !other->removed)
      g_ptr_array_add(issuers, other);
  }
  g_ptr_array_sort(issuers, daemon_catalogue_compare_certs);
  for (guint i = 0; i < issuers->len && i < DAEMON_CATALOGUE_CHAIN_MAX; i++)
    if (signed_by(cert, g_ptr_array_index(issuers, i)))
      return g_ptr_array_index(issuers, i);
  return NULL;
}

GPtrArray *
daemon_catalogue_chain(DaemonCatalogue *catalogue, const DaemonCert *cert)
{
  daemon_catalogue_settle(catalogue);
  GPtrArray *chain = g_ptr_array_new();
  while (!cert->self_signed && chain->len < DAEMON_CATALOGUE_CHAIN_MAX) {
    DaemonCert *issuer = find_issuer(catalogue, cert);
    /* Two cross-signed CAs would go round for ever. */
    if (!issuer || issuer->self_signed || g_ptr_array_find(chain, issuer, NULL))
      break;
    g_ptr_array_add(chain, issuer);
    cert = issuer;
  }
  return chain;
}

DaemonCert *
daemon_catalogue_root(DaemonCatalogue *catalogue, const DaemonCert *cert)
{
  g_autoptr(GPtrArray) chain = daemon_catalogue_chain(catalogue, cert);
  const DaemonCert *top = chain->len ? g_ptr_array_index(chain, chain->len - 1) : cert;
  DaemonCert *issuer = top->self_signed ? NULL : find_issuer(catalogue, top);
  return issuer && issuer->self_signed ? issuer : NULL;
}

/* ---- recipients ---- */

/* Hex as BaseCert writes it -> the name under which by_issuer_serial knows it. */
static char *
issuer_serial_name(GBytes *issuer, const char *serial)
{
  if (strlen(serial) > 256 ||
      strspn(serial[0] == '-' ? serial + 1 : serial, "0123456789abcdefABCDEF") <
          strlen(serial) - (serial[0] == '-'))
    return NULL;
  BIGNUM *number = NULL;
  BN_hex2bn(&number, serial);
  ASN1_INTEGER *integer = number ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
  BN_free(number);
  guint8 *der = NULL;
  int length = integer ? i2d_ASN1_INTEGER(integer, &der) : -1;
  ASN1_INTEGER_free(integer);
  if (length <= 0)
    return NULL;
  g_autoptr(GByteArray) bytes = g_byte_array_new();
  gsize issuer_length;
  const guint8 *issuer_bytes = g_bytes_get_data(issuer, &issuer_length);
  g_byte_array_append(bytes, issuer_bytes, (guint)issuer_length);
  g_byte_array_append(bytes, der, (guint)length);
  OPENSSL_free(der);
  guint8 digest[SHA256_DIGEST_LENGTH];
  SHA256(bytes->data, bytes->len, digest);
  return base_hex(digest, sizeof digest);
}

/* Matches of one recipient stand together at the end. */
static gboolean
has_room(const GArray *matches, guint index, const DaemonKey *key)
{
  guint n = 0;
  for (guint i = matches->len; i-- > 0; n++) {
    const DaemonMatch *match = &g_array_index(matches, DaemonMatch, i);
    if (match->index != index)
      break;
    if (match->key == key)
      return FALSE;
  }
  return n < MATCHES_MAX;
}

static void
add_match(DaemonCatalogue *catalogue, guint index, DaemonCert *cert, GArray *matches)
{
  DaemonKey *key = g_hash_table_lookup(catalogue->keys, cert->key);
  if (!key || !key->id || !has_room(matches, index, key))
    return;
  DaemonMatch match = { .index = index, .key = key, .cert = cert };
  match.location =
      daemon_catalogue_locate(catalogue, key, daemon_catalogue_decrypt_flag(key->kind), NULL);
  g_array_append_val(matches, match);
}

static void
match_recipient(DaemonCatalogue *catalogue, guint index, const DaemonRecipient *recipient,
                GArray *matches)
{
  if (recipient->issuer && recipient->serial) {
    g_autofree char *name = issuer_serial_name(recipient->issuer, recipient->serial);
    DaemonCert *cert = name ? g_hash_table_lookup(catalogue->by_issuer_serial, name) : NULL;
    for (; cert; cert = cert->next_issuer_serial)
      add_match(catalogue, index, cert, matches);
  }
  if (recipient->key_id) {
    g_autofree char *lower = g_ascii_strdown(recipient->key_id, -1);
    DaemonCert *cert = g_hash_table_lookup(catalogue->by_key_id, lower);
    for (; cert; cert = cert->next_key_id)
      add_match(catalogue, index, cert, matches);
  }
}

static gint
compare_matches(gconstpointer a, gconstpointer b)
{
  const DaemonMatch *left = a;
  const DaemonMatch *right = b;
  if (!left->location != !right->location)
    return left->location ? -1 : 1;
  gboolean left_locked = left->location && daemon_catalogue_view_locked(left->location->view);
  gboolean right_locked = right->location && daemon_catalogue_view_locked(right->location->view);
  if (left_locked != right_locked)
    return left_locked ? 1 : -1;
  if (left->index != right->index)
    return left->index < right->index ? -1 : 1;
  return strcmp(left->key->name, right->key->name);
}

GArray *
daemon_catalogue_find_recipients(DaemonCatalogue *catalogue, const DaemonRecipient *recipients,
                                 gsize n)
{
  daemon_catalogue_settle(catalogue);
  GArray *matches = g_array_new(FALSE, FALSE, sizeof(DaemonMatch));
  for (gsize i = 0; i < n; i++)
    match_recipient(catalogue, (guint)i, &recipients[i], matches);
  g_array_sort(matches, compare_matches);
  return matches;
}
