/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cert.h"

#include "base/error.h"
#include "base/text.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#define CERTS_MAX 1000
#define ADDRESSES_MAX 100
#define ADDRESS_MAX 254 /* RFC 5321 4.5.3.1.3, without the angle brackets */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIO, BIO_free_all)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PKCS7, PKCS7_free)

/* ---- addresses and hex ---- */

/* Host names, IDN as UTF-8, and address literals in brackets; nothing that ends an address
 * in a list or a header. */
static gboolean
is_domain(const char *text)
{
  if (!*text || *text == '.' || g_str_has_suffix(text, ".") || strstr(text, ".."))
    return FALSE;
  for (; *text; text++)
    if (!g_ascii_isalnum(*text) && (guchar)*text < 0x80 && !strchr("-._[]:", *text))
      return FALSE;
  return TRUE;
}

/* RFC 5321 4.1.2: only a quoted local part may have an @ or a comma of its own. It ends where its quotes do:
 * what came behind would be a second address to whoever reads it in a header. */
static gboolean
is_local(const char *local)
{
  if (*local != '"')
    return !strpbrk(local, "@,;:()\"");
  const char *at = local + 1;
  for (; *at && *at != '"'; at++)
    if (*at == '\\' && at[1])
      at++;
  return at[0] == '"' && at[1] == '\0';
}

char *
base_address_normal(const char *address)
{
  const char *at = address ? strrchr(address, '@') : NULL;
  if (!at || at == address || strlen(address) > ADDRESS_MAX || !g_utf8_validate(address, -1, NULL))
    return NULL;
  for (const char *c = address; *c; c += g_utf8_skip[(guchar)*c])
    if ((guchar)*c <= ' ' || *c == '<' || *c == '>' || !base_text_is_plain(g_utf8_get_char(c)) ||
        g_unichar_isspace(g_utf8_get_char(c)))
      return NULL;
  g_autofree char *local = g_strndup(address, (gsize)(at - address));
  if (!is_local(local) || !is_domain(at + 1))
    return NULL;
  g_autofree char *domain = g_ascii_strdown(at + 1, -1);
  return g_strconcat(local, "@", domain, NULL);
}

gboolean
base_address_equal(const char *a, const char *b)
{
  g_autofree char *one = base_address_normal(a);
  g_autofree char *other = base_address_normal(b);
  return one && other && strcmp(one, other) == 0;
}

char *
base_hex(gconstpointer bytes, gsize length)
{
  static const char digits[] = "0123456789abcdef";
  const guint8 *at = bytes;
  char *text = g_malloc(length * 2 + 1);
  for (gsize i = 0; i < length; i++) {
    text[2 * i] = digits[at[i] >> 4];
    text[2 * i + 1] = digits[at[i] & 15];
  }
  text[length * 2] = '\0';
  return text;
}

GBytes *
base_unhex(const char *text)
{
  gsize length = text ? strlen(text) : 1;
  if (length % 2)
    return NULL;
  g_autofree guint8 *bytes = g_malloc(length / 2 + 1);
  for (gsize i = 0; i < length; i += 2) {
    int high = g_ascii_xdigit_value(text[i]);
    int low = g_ascii_xdigit_value(text[i + 1]);
    if (high < 0 || low < 0)
      return NULL;
    bytes[i / 2] = (guint8)(high << 4 | low);
  }
  return g_bytes_new_take(g_steal_pointer(&bytes), length / 2);
}

/* GLib's, which cannot fail: a misconfigured OpenSSL must not give keys wrong names. */
static char *
hash_hex(gconstpointer bytes, gsize length)
{
  return g_compute_checksum_for_data(G_CHECKSUM_SHA256, bytes, length);
}

/* ---- keys ---- */

char *
base_key_name(gconstpointer spki, gsize length)
{
  return hash_hex(spki, length);
}

char *
base_key_name_of(EVP_PKEY *key)
{
  guint8 *der = NULL;
  int length = i2d_PUBKEY(key, &der);
  if (length <= 0)
    return NULL;
  char *name = hash_hex(der, (gsize)length);
  OPENSSL_free(der);
  return name;
}

static const struct {
  BaseKeyKind kind;
  int bits;
  const char *text;
  const char *group; /* as OpenSSL names it */
} kind_table[] = {
  { BASE_KEY_RSA, 2048, "rsa:2048", NULL },
  { BASE_KEY_RSA, 3072, "rsa:3072", NULL },
  { BASE_KEY_RSA, 4096, "rsa:4096", NULL },
  { BASE_KEY_EC_P256, 256, "ec:p256", "prime256v1" },
  { BASE_KEY_EC_P384, 384, "ec:p384", "secp384r1" },
  { BASE_KEY_EC_P521, 521, "ec:p521", "secp521r1" },
  { BASE_KEY_ED25519, 256, "ed25519", NULL },
};

char *
base_key_kind_text(BaseKeyKind kind, int bits)
{
  if (kind == BASE_KEY_RSA)
    return g_strdup_printf("rsa:%d", bits);
  for (gsize i = 0; i < G_N_ELEMENTS(kind_table); i++)
    if (kind_table[i].kind == kind)
      return g_strdup(kind_table[i].text);
  return g_strdup("other");
}

gboolean
base_key_kind_parse(const char *text, BaseKeyKind *ret_kind, int *ret_bits, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS(kind_table); i++)
    if (g_ascii_strcasecmp(kind_table[i].text, text) == 0) {
      *ret_kind = kind_table[i].kind;
      *ret_bits = kind_table[i].bits;
      return TRUE;
    }
  return base_error_set(
      error, SIGNET_ERROR_USAGE,
      "no such kind of key: %s; there are rsa:2048, rsa:3072, rsa:4096, ec:p256, ec:p384, ed25519",
      text);
}

static BaseKeyKind
kind_of(EVP_PKEY *key)
{
  char group[64] = "";
  if (EVP_PKEY_is_a(key, "RSA"))
    return BASE_KEY_RSA;
  if (EVP_PKEY_is_a(key, "ED25519"))
    return BASE_KEY_ED25519;
  if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, NULL))
    for (gsize i = 0; i < G_N_ELEMENTS(kind_table); i++)
      if (kind_table[i].group && strcmp(kind_table[i].group, group) == 0)
        return kind_table[i].kind;
  return BASE_KEY_OTHER;
}

/* ---- facts of a certificate ---- */

/* (nullable) where a value is not what its type says. */
static char *
print_name(const X509_NAME *name, unsigned long flags)
{
  g_autoptr(BIO) out = BIO_new(BIO_s_mem());
  char *text = NULL;
  if (!out || X509_NAME_print_ex(out, name, 0, flags) < 0)
    return NULL;
  long length = BIO_get_mem_data(out, &text);
  return length > 0 ? base_text_shown(text, length) : g_strdup("");
}

static char *
name_text(const X509_NAME *name)
{
  /* UTF-8 as it stands; the separators of RFC 2253 are escaped. */
  const unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
  char *text = print_name(name, flags);
  if (!text) /* byte by byte, those beyond ASCII escaped: shown in full all the same */
    text = print_name(name, (XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_UTF8_CONVERT) |
                                ASN1_STRFLGS_IGNORE_TYPE);
  return text ? text : g_strdup("?");
}

static char *
common_name(const X509_NAME *name)
{
  guint8 *utf8 = NULL;
  int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0)
    return NULL;
  int length = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
  if (length < 0)
    return NULL;
  char *text = base_text_shown((const char *)utf8, length);
  OPENSSL_free(utf8);
  return text;
}

static void
add_address(GPtrArray *addresses, const ASN1_STRING *value)
{
  gsize length = (gsize)ASN1_STRING_length(value);
  const char *text = (const char *)ASN1_STRING_get0_data(value);
  if (length == 0 || length > ADDRESS_MAX || addresses->len >= ADDRESSES_MAX ||
      memchr(text, '\0', length)) /* alice@example.org\0.evil.com names nobody */
    return;
  g_autofree char *copy = g_strndup(text, length);
  g_autofree char *normal = base_address_normal(copy);
  if (normal && !g_ptr_array_find_with_equal_func(addresses, normal, g_str_equal, NULL))
    g_ptr_array_add(addresses, g_steal_pointer(&normal));
}

static char **
addresses_of(X509 *x509)
{
  g_autoptr(GPtrArray) addresses = g_ptr_array_new();
  GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
  for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_EMAIL)
      add_address(addresses, name->d.rfc822Name);
  }
  GENERAL_NAMES_free(names);
  const X509_NAME *subject = X509_get_subject_name(x509);
  for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_pkcs9_emailAddress, at)) >= 0;)
    add_address(addresses, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  g_ptr_array_add(addresses, NULL);
  return (char **)g_ptr_array_free(g_steal_pointer(&addresses), FALSE);
}

static gboolean
time_of(const ASN1_TIME *time, gint64 *ret_seconds)
{
  struct tm parts = { 0 };
  if (!ASN1_TIME_to_tm(time, &parts))
    return FALSE;
  *ret_seconds = timegm(&parts);
  return TRUE;
}

static gboolean
has_smartcard_logon(X509 *x509)
{
  gboolean found = FALSE;
  EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(x509, NID_ext_key_usage, NULL, NULL);
  for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++)
    found = found || OBJ_obj2nid(sk_ASN1_OBJECT_value(usages, i)) == NID_ms_smartcard_login;
  EXTENDED_KEY_USAGE_free(usages);
  return found;
}

static guint
use_of(X509 *x509, BaseKeyKind kind)
{
  /* Both calls give all ones when the extension is absent: everything allowed. */
  guint32 key_usage = X509_get_key_usage(x509);
  guint32 extended = X509_get_extended_key_usage(x509);
  gboolean restricted = extended != G_MAXUINT32;
  gboolean mail = (extended & (XKU_SMIME | XKU_ANYEKU)) != 0;
  guint use = 0;

  if (mail && (key_usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) && kind != BASE_KEY_OTHER)
    use |= BASE_USE_SIGN;
  if (mail && kind == BASE_KEY_RSA && (key_usage & KU_KEY_ENCIPHERMENT))
    use |= BASE_USE_ENCRYPT;
  if (mail && kind >= BASE_KEY_EC_P256 && kind <= BASE_KEY_EC_P521 &&
      (key_usage & KU_KEY_AGREEMENT))
    use |= BASE_USE_ENCRYPT;
  /* RFC 5280 4.2.1.12 names these two as what fits clientAuth. */
  if (restricted && (key_usage & (KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT)) &&
      ((extended & XKU_SSL_CLIENT) || has_smartcard_logon(x509)))
    use |= BASE_USE_AUTH;
  if (X509_check_ca(x509) == 1)
    use |= BASE_USE_CA;
  return use;
}

static gboolean
is_self_signed(X509 *x509)
{
  return X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)) == 0 &&
         X509_self_signed(x509, 1) == 1;
}

static GBytes *
name_der(const X509_NAME *name)
{
  const guint8 *der = NULL;
  size_t length = 0;
  X509_NAME_get0_der((X509_NAME *)(gintptr)name, &der, &length);
  return g_bytes_new(der, length);
}

/* Issuer Name DER, then the serial's INTEGER DER: what RecipientInfo carries. */
static char *
issuer_serial(GBytes *issuer, const ASN1_INTEGER *serial)
{
  guint8 *der = NULL;
  int length = i2d_ASN1_INTEGER(serial, &der);
  g_autoptr(GByteArray) both = g_byte_array_new();
  g_byte_array_append(both, g_bytes_get_data(issuer, NULL), (guint)g_bytes_get_size(issuer));
  if (length > 0)
    g_byte_array_append(both, der, (guint)length);
  OPENSSL_free(der);
  return hash_hex(both->data, both->len);
}

static char *
serial_hex(const ASN1_INTEGER *serial)
{
  BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
  char *text = number ? BN_bn2hex(number) : NULL;
  char *copy = text ? g_ascii_strdown(text, -1) : g_strdup("0");
  OPENSSL_free(text);
  BN_free(number);
  return copy;
}

static gboolean
fill_key(BaseCert *cert, X509 *x509, GError **error)
{
  guint8 *spki = NULL;
  int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509), &spki);
  if (length <= 0)
    return base_error_set_openssl(error, SIGNET_ERROR_BAD_INPUT, "a certificate has no public key");
  cert->key = base_key_name(spki, (gsize)length);
  OPENSSL_free(spki);
  EVP_PKEY *key = X509_get0_pubkey(x509); /* NULL: an algorithm that OpenSSL does not know */
  cert->kind = key ? kind_of(key) : BASE_KEY_OTHER;
  cert->bits = key ? EVP_PKEY_get_bits(key) : 0;
  ERR_clear_error();
  return TRUE;
}

static gboolean
fill(BaseCert *cert, X509 *x509, GError **error)
{
  if (!fill_key(cert, x509, error))
    return FALSE;
  if (!time_of(X509_get0_notBefore(x509), &cert->not_before) ||
      !time_of(X509_get0_notAfter(x509), &cert->not_after))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "a certificate's dates are malformed");
  const ASN1_OCTET_STRING *key_id = X509_get0_subject_key_id(x509);
  cert->fingerprint = hash_hex(g_bytes_get_data(cert->der, NULL), g_bytes_get_size(cert->der));
  cert->subject = name_text(X509_get_subject_name(x509));
  cert->issuer = name_text(X509_get_issuer_name(x509));
  cert->common_name = common_name(X509_get_subject_name(x509));
  cert->serial = serial_hex(X509_get0_serialNumber(x509));
  cert->addresses = addresses_of(x509);
  cert->subject_der = name_der(X509_get_subject_name(x509));
  cert->issuer_der = name_der(X509_get_issuer_name(x509));
  cert->issuer_serial = issuer_serial(cert->issuer_der, X509_get0_serialNumber(x509));
  if (key_id)
    cert->subject_key_id =
        base_hex(ASN1_STRING_get0_data(key_id), (gsize)ASN1_STRING_length(key_id));
  cert->use = use_of(x509, cert->kind);
  cert->self_signed = is_self_signed(x509);
  ERR_clear_error();
  return TRUE;
}

static X509 *
parse(GBytes *der, GError **error)
{
  gsize length = 0;
  const guint8 *start = g_bytes_get_data(der, &length);
  const guint8 *at = start;
  if (length > BASE_CERT_DER_MAX) {
    base_error_set(error, SIGNET_ERROR_TOO_LARGE, "a certificate of %zu bytes is larger than %d",
                   length, BASE_CERT_DER_MAX);
    return NULL;
  }
  ERR_clear_error(); /* what stands there from before is not our reason */
  g_autoptr(X509) x509 = d2i_X509(NULL, &at, (long)length);
  if (!x509 || (gsize)(at - start) != length) {
    base_error_set_openssl(error, SIGNET_ERROR_BAD_INPUT, "a certificate is malformed");
    return NULL;
  }
  return g_steal_pointer(&x509);
}

BaseCert *
base_cert_new(GBytes *der, GError **error)
{
  g_autoptr(BaseCert) cert = g_new0(BaseCert, 1);
  g_autoptr(X509) x509 = parse(der, error);
  cert->der = g_bytes_ref(der);
  if (!x509 || !fill(cert, x509, error))
    return NULL;
  return g_steal_pointer(&cert);
}

BaseCert *
base_cert_new_from_x509(X509 *x509, GError **error)
{
  g_autoptr(BaseCert) cert = g_new0(BaseCert, 1);
  guint8 *der = NULL;
  ERR_clear_error();
  int length = i2d_X509(x509, &der);
  if (length <= 0) {
    base_error_set_openssl(error, SIGNET_ERROR_BAD_INPUT, "a certificate cannot be encoded");
    return NULL;
  }
  cert->der = g_bytes_new(der, (gsize)length);
  OPENSSL_free(der);
  return fill(cert, x509, error) ? g_steal_pointer(&cert) : NULL;
}

void
base_cert_free(BaseCert *cert)
{
  if (!cert)
    return;
  g_clear_pointer(&cert->der, g_bytes_unref);
  g_free(cert->fingerprint);
  g_free(cert->key);
  g_free(cert->subject);
  g_free(cert->issuer);
  g_free(cert->serial);
  g_free(cert->common_name);
  g_strfreev(cert->addresses);
  g_free(cert->issuer_serial);
  g_free(cert->subject_key_id);
  g_clear_pointer(&cert->subject_der, g_bytes_unref);
  g_clear_pointer(&cert->issuer_der, g_bytes_unref);
  g_free(cert);
}

X509 *
base_cert_to_x509(const BaseCert *cert, GError **error)
{
  return parse(cert->der, error);
}

char *
base_cert_to_pem(const BaseCert *cert)
{
  g_autofree char *base64 =
      g_base64_encode(g_bytes_get_data(cert->der, NULL), g_bytes_get_size(cert->der));
  GString *pem = g_string_new("-----BEGIN CERTIFICATE-----\n");
  for (gsize i = 0, length = strlen(base64); i < length; i += 64)
    g_string_append_printf(pem, "%.64s\n", base64 + i);
  g_string_append(pem, "-----END CERTIFICATE-----\n");
  return g_string_free(pem, FALSE);
}

/* ---- files of certificates ---- */

static gboolean
add_x509(GPtrArray *certs, X509 *x509, GError **error)
{
  if (certs->len >= CERTS_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "more than %d certificates", CERTS_MAX);
  BaseCert *cert = base_cert_new_from_x509(x509, error);
  if (!cert)
    return FALSE;
  g_ptr_array_add(certs, cert);
  return TRUE;
}

static gboolean
malformed(GError **error)
{
  return base_error_set_openssl(error, SIGNET_ERROR_BAD_INPUT, "a certificate is malformed");
}

/* A .p7b: SignedData without signers. Its content is OPTIONAL to OpenSSL: `sign` may be NULL. */
static gboolean
add_pkcs7(GPtrArray *certs, const guint8 *der, gsize length, GError **error)
{
  const guint8 *at = der;
  g_autoptr(PKCS7) pkcs7 = d2i_PKCS7(NULL, &at, (long)length);
  if (!pkcs7 || !PKCS7_type_is_signed(pkcs7) || !pkcs7->d.sign)
    return malformed(error);
  ERR_clear_error();
  for (int i = 0; i < sk_X509_num(pkcs7->d.sign->cert); i++)
    if (!add_x509(certs, sk_X509_value(pkcs7->d.sign->cert, i), error))
      return FALSE;
  return TRUE;
}

/* One certificate, or several in a row. `trusted`: OpenSSL's own settings follow each. */
static gboolean
add_der(GPtrArray *certs, const guint8 *der, gsize length, gboolean trusted, GError **error)
{
  const guint8 *at = der;
  do {
    g_autoptr(X509) x509 = d2i_X509(NULL, &at, (long)(length - (gsize)(at - der)));
    if (!x509)
      return malformed(error);
    ERR_clear_error();
    if (!add_x509(certs, x509, error))
      return FALSE;
  } while (!trusted && (gsize)(at - der) < length);
  return TRUE;
}

static gboolean
is_certificate(const guint8 *der, gsize length)
{
  g_autoptr(X509) x509 = d2i_X509(NULL, &der, (long)length);
  ERR_clear_error();
  return x509 != NULL;
}

static gboolean
is_signed_data(const guint8 *der, gsize length)
{
  g_autoptr(PKCS7) pkcs7 = d2i_PKCS7(NULL, &der, (long)length);
  ERR_clear_error();
  return pkcs7 != NULL;
}

static gboolean
add_block(GPtrArray *certs, const char *name, const guint8 *der, gsize length, GError **error)
{
  if (strcmp(name, PEM_STRING_X509_TRUSTED) == 0)
    return add_der(certs, der, length, TRUE, error);
  /* Some write a .p7b between CERTIFICATE lines (RFC 7468 5.2 forbids it). */
  if ((strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_OLD) == 0))
    return is_certificate(der, length) ? add_der(certs, der, length, FALSE, error)
                                       : add_pkcs7(certs, der, length, error);
  if (strcmp(name, PEM_STRING_PKCS7) == 0 || strcmp(name, PEM_STRING_CMS) == 0)
    return add_pkcs7(certs, der, length, error);
  return TRUE; /* a private key, a request: stands beside, is none of ours */
}

static gboolean
add_pem(GPtrArray *certs, BIO *in, GError **error)
{
  char *name = NULL;
  char *header = NULL;
  guint8 *der = NULL;
  long length = 0;
  gboolean good = TRUE;

  while (good && PEM_read_bio(in, &name, &header, &der, &length)) {
    good = add_block(certs, name, der, (gsize)length, error);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(der, (size_t)length); /* may be a private key that stands beside */
  }
  if (good && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
    good = base_error_set_openssl(error, SIGNET_ERROR_BAD_INPUT, "a PEM block is malformed");
  ERR_clear_error();
  return good;
}

GPtrArray *
base_cert_read_all(GBytes *bytes, const char *name, GError **error)
{
  g_autoptr(GPtrArray) certs = g_ptr_array_new_with_free_func((GDestroyNotify)base_cert_free);
  gsize length = 0;
  const guint8 *data = g_bytes_get_data(bytes, &length);
  gboolean pem = length && g_strstr_len((const char *)data, (gssize)length, "-----BEGIN ") != NULL;

  if (length > G_MAXINT) {
    base_error_set(error, SIGNET_ERROR_TOO_LARGE, "%s is too large for a certificate", name);
    return NULL;
  }
  ERR_clear_error();
  g_autoptr(BIO) in = pem ? BIO_new_mem_buf(data, (int)length) : NULL;
  g_autoptr(GError) reason = NULL;
  gboolean good = TRUE;
  if (pem)
    good = add_pem(certs, in, &reason);
  else if (is_certificate(data, length))
    good = add_der(certs, data, length, FALSE, &reason);
  else if (is_signed_data(data, length))
    good = add_pkcs7(certs, data, length, &reason);
  if (!good) {
    g_propagate_prefixed_error(error, g_steal_pointer(&reason), "%s: ", name);
    return NULL;
  }
  if (certs->len == 0) {
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s holds no certificate (PEM, DER or .p7b)",
                   name);
    return NULL;
  }
  return g_steal_pointer(&certs);
}
