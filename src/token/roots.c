/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define CRYPTOKI_NSS_VENDOR_DEFINED 1

#include "token/roots.h"

#include "base/log.h"
#include "token/attribute.h"
#include "token/watchdog.h"

#include <errno.h>
#include <openssl/asn1.h>
#include <p11-kit/pkcs11x.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROOTS_MS 30000
#define NAME_MAX_BYTES 4096
#define HASH_MAX 64
#define DATE_MAX 64
#define EXIT_NONE 1

/* What a module says of a certificate: an NSS trust object (p11-kit's pkcs11x.h). It names it by issuer
 * and serial number, and by its SHA-1 where it has one. */
typedef struct {
  GBytes *issuer;
  GBytes *serial;
  GBytes *sha1; /* (nullable) */
  CK_ULONG email;
} Trust;

static void
trust_free(Trust *trust)
{
  if (!trust)
    return;
  g_clear_pointer(&trust->issuer, g_bytes_unref);
  g_clear_pointer(&trust->serial, g_bytes_unref);
  g_clear_pointer(&trust->sha1, g_bytes_unref);
  g_free(trust);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Trust, trust_free)

typedef struct {
  GHashTable *trusts; /* issuer -> GPtrArray of Trust: those of all tokens */
  GHashTable *seen;   /* DER of what was found */
  GPtrArray *found;   /* (element-type BaseCert) */
  GArray *limits;     /* (element-type gint64), one for each found: see limit_of() */
} Roots;

typedef CK_RV (*Look)(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                      Roots *roots);

static CK_RV
look_at_trust(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, Roots *roots)
{
  g_autoptr(Trust) trust = g_new0(Trust, 1);
  CK_ATTRIBUTE email = { CKA_TRUST_EMAIL_PROTECTION, &trust->email, sizeof trust->email };

  CK_RV rv = token_attributes_read(token, session, object, &email, 1);
  if (rv != CKR_OK)
    return rv;
  if (email.ulValueLen != sizeof trust->email) /* it says nothing about mail */
    return CKR_OK;
  trust->issuer = token_attribute_bytes(token, session, object, CKA_ISSUER, NAME_MAX_BYTES);
  trust->serial = token_attribute_bytes(token, session, object, CKA_SERIAL_NUMBER, NAME_MAX_BYTES);
  trust->sha1 = token_attribute_bytes(token, session, object, CKA_CERT_SHA1_HASH, HASH_MAX);
  if (!trust->issuer || !trust->serial)
    return CKR_OK;
  GPtrArray *same = g_hash_table_lookup(roots->trusts, trust->issuer);
  if (!same) {
    same = g_ptr_array_new_with_free_func((GDestroyNotify)trust_free);
    g_hash_table_insert(roots->trusts, trust->issuer, same);
  }
  g_ptr_array_add(same, g_steal_pointer(&trust));
  return CKR_OK;
}

static gboolean
is_about(const Trust *trust, GBytes *serial, GBytes *sha1)
{
  return g_bytes_equal(trust->serial, serial) &&
         (!trust->sha1 || !g_bytes_get_size(trust->sha1) || g_bytes_equal(trust->sha1, sha1));
}

static GBytes *
sha1_of(GBytes *der)
{
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA1);
  guint8 digest[20];
  gsize length = sizeof digest;
  gsize size = 0;
  gconstpointer bytes = g_bytes_get_data(der, &size);

  g_checksum_update(sum, bytes, (gssize)size);
  g_checksum_get_digest(sum, digest, &length);
  return g_bytes_new(digest, length);
}

/* One token's "not trusted" outweighs another's "trusted". */
static gboolean
is_trusted(const Roots *roots, GBytes *issuer, GBytes *serial, GBytes *der)
{
  GPtrArray *same = g_hash_table_lookup(roots->trusts, issuer);
  g_autoptr(GBytes) sha1 = sha1_of(der);
  gboolean trusted = FALSE;

  for (guint i = 0; same && i < same->len; i++) {
    Trust *trust = same->pdata[i];
    if (!is_about(trust, serial, sha1))
      continue;
    if (trust->email == CKT_NSS_NOT_TRUSTED)
      return FALSE;
    trusted |= trust->email == CKT_NSS_TRUSTED_DELEGATOR;
  }
  return trusted;
}

/* Mozilla withdraws a root in steps: it stays trusted for what it issued before a day, a UTCTime
 * without its tag, or CK_FALSE for no day. 0: none; one that cannot be read is the earliest. */
static gint64
limit_of(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
  g_autoptr(GBytes) value =
      token_attribute_bytes(token, session, object, CKA_NSS_EMAIL_DISTRUST_AFTER, DATE_MAX);
  gsize length = 0;
  const char *text = value ? g_bytes_get_data(value, &length) : NULL;
  if (length <= sizeof(CK_BBOOL))
    return 0;
  g_autofree char *date = g_strndup(text, length);
  ASN1_TIME *time = ASN1_TIME_new();
  struct tm parts = { 0 };
  gboolean good = time && ASN1_TIME_set_string(time, date) && ASN1_TIME_to_tm(time, &parts);
  ASN1_TIME_free(time);
  return good ? MAX((gint64)timegm(&parts), 1) : 1;
}

static CK_RV
look_at_certificate(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, Roots *roots)
{
  g_autoptr(GBytes) der =
      token_attribute_bytes(token, session, object, CKA_VALUE, WIRE_CERTIFICATE_MAX);
  g_autoptr(GBytes) issuer =
      token_attribute_bytes(token, session, object, CKA_ISSUER, NAME_MAX_BYTES);
  g_autoptr(GBytes) serial =
      token_attribute_bytes(token, session, object, CKA_SERIAL_NUMBER, NAME_MAX_BYTES);

  if (!der || !issuer || !serial || !g_bytes_get_size(der) ||
      g_hash_table_contains(roots->seen, der) || !is_trusted(roots, issuer, serial, der))
    return CKR_OK;
  BaseCert *cert = base_cert_new(der, NULL);
  if (!cert) /* what OpenSSL cannot read it cannot use */
    return CKR_OK;
  g_hash_table_add(roots->seen, cert->der);
  g_ptr_array_add(roots->found, cert);
  gint64 limit = limit_of(token, session, object);
  g_array_append_val(roots->limits, limit);
  return CKR_OK;
}

static CK_RV
look_through(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_CLASS class, Look look,
             Roots *roots)
{
  CK_ATTRIBUTE template = { CKA_CLASS, &class, sizeof class };
  g_autoptr(GArray) handles = NULL;
  CK_RV rv = token_find_all(token, session, &template, 1, &handles);

  for (guint i = 0; rv == CKR_OK && i < handles->len; i++)
    rv = look(token, session, g_array_index(handles, CK_OBJECT_HANDLE, i), roots);
  return rv;
}

static gboolean
look_on_all(GPtrArray *tokens, CK_OBJECT_CLASS class, Look look, Roots *roots, GError **error)
{
  for (guint i = 0; i < tokens->len; i++) {
    Token *token = tokens->pdata[i];
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    if (!token_session_borrow(token, base_deadline_in(ROOTS_MS), &session, error))
      return FALSE;
    CK_RV rv = look_through(token, session, class, look, roots);
    token_session_return(token, session);
    g_autofree char *label = token_label(token);
    if (rv != CKR_OK)
      return token_rv_set(error, rv, "the certificates of \"%s\" cannot be read", label);
  }
  return TRUE;
}

static gboolean
print(const Roots *roots, GError **error)
{
  gboolean ok = TRUE;
  for (guint i = 0; ok && i < roots->found->len; i++) {
    const BaseCert *cert = roots->found->pdata[i];
    g_autofree char *pem = base_cert_to_pem(cert);
    gint64 limit = g_array_index(roots->limits, gint64, i);
    if (limit)
      ok = printf("# distrust-after %" G_GINT64_FORMAT "\n", limit) >= 0;
    ok = printf("# %s\n%s", cert->subject, pem) >= 0 && ok;
  }
  ok = fflush(stdout) == 0 && ok;
  return ok || base_error_set_errno(error, errno, "cannot write the certificates");
}

static gboolean
run(const char *path, Roots *roots, GError **error)
{
  TokenModule *module = token_module_load(path, base_profile_default(path), NULL, error);
  if (!module || !token_slots_poll(module, error))
    return FALSE;
  g_autoptr(GPtrArray) tokens = token_slots_list(module);
  return look_on_all(tokens, CKO_NSS_TRUST, look_at_trust, roots, error) &&
         look_on_all(tokens, CKO_CERTIFICATE, look_at_certificate, roots, error) &&
         print(roots, error);
}

void
token_roots_run(const char *path)
{
  Roots roots = { g_hash_table_new_full(g_bytes_hash, g_bytes_equal, NULL,
                                        (GDestroyNotify)g_ptr_array_unref),
                  g_hash_table_new(g_bytes_hash, g_bytes_equal),
                  g_ptr_array_new_with_free_func((GDestroyNotify)base_cert_free),
                  g_array_new(FALSE, FALSE, sizeof(gint64)) };
  g_autoptr(GError) error = NULL;

  token_watchdog_start();
  token_watch_arm(token_watch_new(), base_deadline_in(ROOTS_MS));
  if (run(path, &roots, &error))
    _exit(0);
  base_log("%s", error->message);
  _exit(EXIT_NONE);
}
