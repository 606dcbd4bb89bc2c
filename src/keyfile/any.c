/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyfile/any.h"

#include "keyfile/der.h"
#include "keyfile/pbe.h"
#include "keyfile/pem.h"
#include "keyfile/pkcs12.h"
#include "keyfile/wiped.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <string.h>

#define TEXT_PROBE 512  /* a text has no zero byte this early */
#define BASE64_PROBE 64 /* and base64 nothing else */
#define DER_MIN 40      /* an Ed25519 key takes 48 */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_SIG, X509_SIG_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CMS_ContentInfo, CMS_ContentInfo_free)

static gboolean
skip(KeyfileReader *reader, GError **error, const char *what)
{
  keyfile_reader_skip(reader, SIGNET_ERROR_BAD_INPUT, "%s", what);
  return keyfile_reader_count(reader, error);
}

/* ---- what a piece of DER holds ---- */

typedef struct {
  const guint8 *bytes;
  gsize length;
  const char *label; /* (nullable): friendly name */
} Piece;

static gboolean
read_certificates(KeyfileReader *reader, const Piece *piece, GError **error)
{
  const guint8 *at = piece->bytes;
  gsize left = piece->length;
  KeyfileElement element;
  while (keyfile_der_tell(at, left) == KEYFILE_DER_CERTIFICATE &&
         keyfile_der_first(at, left, &element) && element.whole <= left) {
    if (!keyfile_reader_add_certificate(reader, at, element.whole, piece->label, error))
      return FALSE;
    at += element.whole;
    left -= element.whole;
  }
  while (left > 0 && (*at == 0 || g_ascii_isspace(*at))) {
    at++;
    left--;
  }
  if (left > 0)
    keyfile_reader_skip(reader, SIGNET_ERROR_BAD_INPUT, "%zu bytes after the last certificate",
                        left);
  return TRUE;
}

static gboolean
read_pkcs12(KeyfileReader *reader, const Piece *piece, GError **error)
{
  return keyfile_pkcs12_read(reader, piece->bytes, piece->length, error);
}

static gboolean
read_pkcs8(KeyfileReader *reader, const Piece *piece, GError **error)
{
  const guint8 *at = piece->bytes;
  g_autoptr(PKCS8_PRIV_KEY_INFO) key = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)piece->length);
  ERR_clear_error();
  return key ? keyfile_reader_add_key(reader, key, piece->label, error)
             : skip(reader, error, "a damaged private key");
}

static gboolean
read_sealed(KeyfileReader *reader, const Piece *piece, GError **error)
{
  const guint8 *at = piece->bytes;
  const X509_ALGOR *algorithm = NULL;
  const ASN1_OCTET_STRING *sealed = NULL;
  g_autoptr(X509_SIG) sig = d2i_X509_SIG(NULL, &at, (long)piece->length);
  g_autoptr(GBytes) plain = NULL;
  ERR_clear_error();
  if (!sig)
    return skip(reader, error, "a damaged encrypted private key");
  X509_SIG_get0(sig, &algorithm, &sealed);
  if (!keyfile_reader_open(reader, "a private key", algorithm, sealed, &plain, error))
    return FALSE;
  if (!plain)
    return keyfile_reader_count(reader, error);
  Piece inner = { g_bytes_get_data(plain, NULL), g_bytes_get_size(plain), piece->label };
  return read_pkcs8(reader, &inner, error);
}

/* Turned into PKCS #8, so that there is one way to make a key. Takes `parameter`. */
static gboolean
read_traditional(KeyfileReader *reader, const Piece *piece, ASN1_OBJECT *algorithm, int type,
                 void *parameter, GError **error)
{
  g_autoptr(PKCS8_PRIV_KEY_INFO) key = PKCS8_PRIV_KEY_INFO_new();
  guint8 *copy = OPENSSL_memdup(piece->bytes, piece->length);
  if (!key || !copy ||
      !PKCS8_pkey_set0(key, algorithm, 0, type, parameter, copy, (int)piece->length)) {
    OPENSSL_clear_free(copy, piece->length);
    return skip(reader, error, "a damaged private key");
  }
  return keyfile_reader_add_key(reader, key, piece->label, error);
}

static gboolean
read_rsa(KeyfileReader *reader, const Piece *piece, GError **error)
{
  return read_traditional(reader, piece, OBJ_nid2obj(NID_rsaEncryption), V_ASN1_NULL, NULL, error);
}

/* RFC 5915: version, octets, [0] parameters, [1] public key. */
static ASN1_OBJECT *
ec_curve(const Piece *piece)
{
  KeyfileElement all, part;
  if (!keyfile_der_first(piece->bytes, piece->length, &all))
    return NULL;
  const guint8 *end = all.value + all.length;
  for (const guint8 *at = all.value; at < end && keyfile_der_first(at, (gsize)(end - at), &part);
       at = part.value + part.length)
    if (part.tag == 0xa0) {
      const guint8 *der = part.value;
      return d2i_ASN1_OBJECT(NULL, &der, (long)part.length);
    }
  return NULL;
}

static gboolean
read_ec(KeyfileReader *reader, const Piece *piece, GError **error)
{
  ASN1_OBJECT *curve = reader->sight ? NULL : ec_curve(piece);
  ERR_clear_error();
  /* Without one: check_algorithm() says what is wrong with it. */
  return read_traditional(reader, piece, OBJ_nid2obj(NID_X9_62_id_ecPublicKey),
                          curve ? V_ASN1_OBJECT : V_ASN1_UNDEF, curve, error);
}

static gboolean
read_pkcs7(KeyfileReader *reader, const Piece *piece, GError **error)
{
  const guint8 *at = piece->bytes;
  CMS_ContentInfo *empty = CMS_ContentInfo_new_ex(reader->library, NULL);
  CMS_ContentInfo *read = d2i_CMS_ContentInfo(&empty, &at, (long)piece->length);
  g_autoptr(CMS_ContentInfo) cms = read ? read : empty;
  ERR_clear_error();
  if (!read)
    return skip(reader, error, "a damaged PKCS #7 structure");
  if (OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed)
    return skip(reader, error, "an encrypted or other PKCS #7 message");
  STACK_OF(X509) *certs = CMS_get1_certs(cms);
  gboolean ok = TRUE;
  for (int i = 0; ok && i < sk_X509_num(certs); i++)
    ok = keyfile_reader_add_x509(reader, sk_X509_value(certs, i), piece->label, error);
  sk_X509_pop_free(certs, X509_free);
  ERR_clear_error();
  return ok;
}

typedef gboolean (*Read)(KeyfileReader *reader, const Piece *piece, GError **error);

static const struct {
  KeyfileDer kind;
  const char *format;
  Read read;
  const char *what; /* it is no use to us */
} kinds[] = {
  { KEYFILE_DER_CERTIFICATE, "DER certificate", read_certificates, NULL },
  { KEYFILE_DER_PKCS12, "PKCS #12", read_pkcs12, NULL },
  { KEYFILE_DER_PKCS8, "PKCS #8", read_pkcs8, NULL },
  { KEYFILE_DER_PKCS8_SEALED, "PKCS #8", read_sealed, NULL },
  { KEYFILE_DER_RSA_KEY, "RSA private key", read_rsa, NULL },
  { KEYFILE_DER_EC_KEY, "EC private key", read_ec, NULL },
  { KEYFILE_DER_PKCS7, "PKCS #7", read_pkcs7, NULL },
  { KEYFILE_DER_REQUEST, NULL, NULL, "a certificate request" },
  { KEYFILE_DER_REVOCATION, NULL, NULL, "a certificate revocation list" },
  { KEYFILE_DER_PUBLIC_KEY, NULL, NULL, "a public key" },
  { KEYFILE_DER_DSA_KEY, NULL, NULL, "a DSA key, which is no use for mail" },
};

static gboolean
read_der(KeyfileReader *reader, const Piece *piece, const char **ret_format, GError **error)
{
  KeyfileDer kind = keyfile_der_tell(piece->bytes, piece->length);
  KeyfileElement element = { 0 };
  if (kind != KEYFILE_DER_NONE && keyfile_der_first(piece->bytes, piece->length, &element) &&
      element.whole > piece->length) {
    keyfile_reader_skip(reader, SIGNET_ERROR_BAD_INPUT,
                        "it is cut short: %zu of %zu bytes are there", piece->length,
                        element.whole);
    return keyfile_reader_count(reader, error);
  }
  for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
    if (kinds[i].kind == kind) {
      *ret_format = kinds[i].format;
      return kinds[i].read ? kinds[i].read(reader, piece, error)
                           : skip(reader, error, kinds[i].what);
    }
  return skip(reader, error, "something damaged or unknown");
}

/* ---- PEM ---- */

/* Blocks that hold no DER of ours; a label that begins so. NULL: nothing worth a line. */
static const struct {
  const char *label;
  const char *what;
} foreign[] = {
  { "PGP ", "an OpenPGP key or message" },
  { "OPENSSH ", "an SSH key" },
  { "SSH2 ", "an SSH key" },
  { "EC PARAMETERS", NULL }, /* OpenSSL writes them before a key that has them, too */
  { "DH PARAMETERS", "Diffie-Hellman parameters" },
  { "X9.42 DH PARAMETERS", "Diffie-Hellman parameters" },
  { "DSA PARAMETERS", "DSA parameters" },
  { "ATTRIBUTE CERTIFICATE", "an attribute certificate" },
};

/* Traditional encryption: PEM's own, around the DER. */
static gboolean
open_block(KeyfileReader *reader, const KeyfilePem *pem, GBytes **ret_bytes, GError **error)
{
  g_autoptr(GError) reason = NULL;
  if (!pem->info) {
    *ret_bytes = g_bytes_ref(pem->bytes);
    return TRUE;
  }
  if (reader->sight) {
    reader->sight->encrypted = TRUE;
    reader->sight->has_keys = TRUE;
    return keyfile_reader_count(reader, error);
  }
  *ret_bytes = keyfile_pbe_open_pem(reader, pem->info, pem->bytes, &reason);
  if (*ret_bytes)
    reader->opened++;
  else if (g_error_matches(reason, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT))
    keyfile_reader_note_locked(reader, "a private key");
  else
    keyfile_reader_skip(reader, (SignetError)reason->code, "a private key: %s", reason->message);
  return *ret_bytes != NULL || keyfile_reader_count(reader, error);
}

static gboolean
read_block(KeyfileReader *reader, const KeyfilePem *pem, GError **error)
{
  const char *format = NULL;
  g_autoptr(GBytes) bytes = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS(foreign); i++)
    if (g_str_has_prefix(pem->label, foreign[i].label))
      return foreign[i].what ? skip(reader, error, foreign[i].what)
                             : keyfile_reader_count(reader, error);
  if (!pem->bytes) {
    keyfile_reader_skip(reader, SIGNET_ERROR_BAD_INPUT, "a damaged PEM block (%s)", pem->label);
    return keyfile_reader_count(reader, error);
  }
  if (!open_block(reader, pem, &bytes, error))
    return FALSE;
  Piece piece = { bytes ? g_bytes_get_data(bytes, NULL) : NULL, bytes ? g_bytes_get_size(bytes) : 0,
                  pem->friendly };
  KeyfileElement first;
  if (!bytes)
    return TRUE;
  /* OpenSSL's own: what it is trusted for stands behind the certificate. */
  if (g_str_has_prefix(pem->label, "TRUSTED ") &&
      keyfile_der_first(piece.bytes, piece.length, &first))
    piece.length = MIN(piece.length, first.whole);
  if (keyfile_der_tell(piece.bytes, piece.length) != KEYFILE_DER_NONE)
    return read_der(reader, &piece, &format, error);
  keyfile_reader_skip(reader, SIGNET_ERROR_BAD_INPUT, "a damaged or unknown PEM block (%s)",
                      pem->label);
  return keyfile_reader_count(reader, error);
}

static gboolean
read_pem(KeyfileReader *reader, const char *text, gsize length, gboolean *ret_any, GError **error)
{
  gsize offset = 0;
  for (;;) {
    g_autoptr(KeyfilePem) pem = keyfile_pem_next(text, length, &offset);
    if (!pem)
      return TRUE;
    *ret_any = TRUE;
    reader->format = "PEM";
    if (!read_block(reader, pem, error))
      return FALSE;
  }
}

/* ---- files ---- */

static const struct {
  const char *start;
  gsize length;
  const char *what;
} strangers[] = {
  { "\xfe\xed\xfe\xed", 4, "a Java key store; keytool -importkeystore makes PKCS #12 of it" },
  { "\xce\xce\xce\xce", 4, "a Java key store; keytool -importkeystore makes PKCS #12 of it" },
  { "SQLite format 3", 15, "a database" },
  { "PuTTY-User-Key-File", 19, "an SSH key" },
  { "ssh-", 4, "an SSH key" },
  { "ecdsa-sha2-", 11, "an SSH key" },
  { "\x95", 1, "an OpenPGP key" }, /* RFC 4880 4.2: secret and public keys, old and new style */
  { "\xc5", 1, "an OpenPGP key" },
  { "\x98", 1, "an OpenPGP key" },
  { "\x99", 1, "an OpenPGP key" },
  { "\xc6", 1, "an OpenPGP key" },
};

static gboolean
refuse(KeyfileReader *reader, const guint8 *bytes, gsize length, GError **error)
{
  if (length == 0)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s is empty", reader->name);
  for (gsize i = 0; i < G_N_ELEMENTS(strangers); i++)
    if (length >= strangers[i].length &&
        memcmp(bytes, strangers[i].start, strangers[i].length) == 0)
      return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                            "%s holds no key and no certificate to use: %s", reader->name,
                            strangers[i].what);
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                        "%s holds no key and no certificate in a form that signet knows",
                        reader->name);
}

/* PowerShell writes text as UTF-16. NULL: it is not. What is not ASCII becomes '?'. */
static GBytes *
from_utf16(const guint8 *bytes, gsize length)
{
  gboolean little = length >= 2 && bytes[0] == 0xff && bytes[1] == 0xfe;
  gboolean big = length >= 2 && bytes[0] == 0xfe && bytes[1] == 0xff;
  if (!little && !big)
    return NULL;
  gsize n = length / 2 - 1;
  guint8 *text = g_malloc(n + 1);
  for (gsize i = 0; i < n; i++) {
    guint8 low = bytes[2 + 2 * i + (big ? 1 : 0)];
    guint8 high = bytes[2 + 2 * i + (big ? 0 : 1)];
    text[i] = high == 0 && low < 0x80 ? low : '?';
  }
  return keyfile_wiped_new(text, n);
}

/* DER in base64, as Windows' certificate dialog saves it at times, or a mail's attachment. */
static GBytes *
from_base64(const char *text, gsize length)
{
  for (gsize i = 0; i < MIN(length, BASE64_PROBE); i++)
    if (!g_ascii_isalnum(text[i]) && !g_ascii_isspace(text[i]) && !strchr("+/=", text[i]))
      return NULL;
  return length > DER_MIN && text[0] == 'M' ? keyfile_pem_base64(text, length) : NULL;
}

static gboolean
read_text(KeyfileReader *reader, const guint8 *bytes, gsize length, GError **error)
{
  const char *text = (const char *)bytes;
  gboolean any = FALSE;
  if (length == 0 || memchr(text, 0, MIN(length, TEXT_PROBE)))
    return refuse(reader, bytes, length, error);
  if (!read_pem(reader, text, length, &any, error))
    return FALSE;
  if (any)
    return TRUE;
  g_autoptr(GBytes) der = from_base64(text, length);
  Piece piece = { der ? g_bytes_get_data(der, NULL) : NULL, der ? g_bytes_get_size(der) : 0, NULL };
  if (der && keyfile_der_tell(piece.bytes, piece.length) != KEYFILE_DER_NONE)
    return read_der(reader, &piece, &reader->format, error);
  return refuse(reader, bytes, length, error);
}

gboolean
keyfile_any_read(KeyfileReader *reader, const guint8 *bytes, gsize length, GError **error)
{
  Piece piece = { bytes, length, NULL };
  if (length >= DER_MIN && keyfile_der_tell(bytes, length) != KEYFILE_DER_NONE)
    return read_der(reader, &piece, &reader->format, error);
  g_autoptr(GBytes) narrow = from_utf16(bytes, length);
  if (narrow)
    return read_text(reader, g_bytes_get_data(narrow, NULL), g_bytes_get_size(narrow), error);
  return read_text(reader, bytes, length, error);
}
