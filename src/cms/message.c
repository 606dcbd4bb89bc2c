/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/message.h"

#include "base/error.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <string.h>

/* An OCTET STRING this long is content, not structure: chunks of a streamed message are
 * 1,000 bytes and more, keys, digests and nonces less than this (an RSA key of 16,384 bits is
 * 2,048, but there are few of those). */
#define CONTENT_CHUNK 256

/* ---- bounds ---- */

typedef struct {
  const guint8 *end[CMS_DEPTH_MAX]; /* NULL: of indefinite length */
  const guint8 *limit;              /* of the innermost definite one */
  int depth;
  gsize elements;
  gsize content;
} Walk;

static void
walk_limit(Walk *walk, const guint8 *whole_end)
{
  walk->limit = whole_end;
  for (int i = walk->depth - 1; i >= 0; i--)
    if (walk->end[i]) {
      walk->limit = walk->end[i];
      return;
    }
}

static gboolean
walk_enter(Walk *walk, const guint8 *end, GError **error)
{
  if (walk->depth == CMS_DEPTH_MAX)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the message is nested more than %d levels deep", CMS_DEPTH_MAX);
  walk->end[walk->depth++] = end;
  if (end)
    walk->limit = end;
  return TRUE;
}

static gboolean
walk_element(Walk *walk, const guint8 **at, gsize offset, GError **error)
{
  long length = 0;
  int tag = 0;
  int class = 0;
  int flags = ASN1_get_object(at, &length, &tag, &class, walk->limit - *at);
  if (flags & 0x80) {
    ERR_clear_error();
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "not a CMS message, or cut short: no ASN.1 element at byte %zu", offset);
  }
  if (flags & V_ASN1_CONSTRUCTED) {
    walk->elements++;
    return walk_enter(walk, flags & 1 ? NULL : *at + length, error);
  }
  gboolean octets = (class == V_ASN1_UNIVERSAL && tag == V_ASN1_OCTET_STRING) ||
                    (class == V_ASN1_CONTEXT_SPECIFIC && tag == 0);
  if (octets && length >= CONTENT_CHUNK)
    walk->content += (gsize)length;
  else
    walk->elements++;
  *at += length;
  return TRUE;
}

/* Leaves what is complete; an end-of-contents mark is two zero bytes. */
static void
walk_leave(Walk *walk, const guint8 **at, const guint8 *whole_end)
{
  while (walk->depth > 0) {
    const guint8 *end = walk->end[walk->depth - 1];
    if (end ? *at < end : walk->limit - *at < 2 || (*at)[0] || (*at)[1])
      return;
    if (!end)
      *at += 2;
    walk->depth--;
    walk_limit(walk, whole_end);
  }
}

static gboolean
check_bounds(const guint8 *bytes, gsize length, GError **error)
{
  Walk walk = { .limit = bytes + length };
  const guint8 *at = bytes;
  do {
    if (!walk_element(&walk, &at, (gsize)(at - bytes), error))
      return FALSE;
    walk_leave(&walk, &at, bytes + length);
    gsize structure = (gsize)(at - bytes) - walk.content;
    if (walk.elements > CMS_ELEMENTS_MAX || structure > CMS_STRUCTURE_MAX)
      return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                            "the message has more than %d parts or %d MiB besides its content",
                            CMS_ELEMENTS_MAX, CMS_STRUCTURE_MAX / 1024 / 1024);
  } while (walk.depth > 0);
  if (at != bytes + length)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "%zu bytes follow the end of the CMS message",
                          (gsize)(bytes + length - at));
  return TRUE;
}

/* ---- ContentInfo ---- */

static gboolean
enter(const guint8 **at, const guint8 *end, int want_tag, int want_class, gboolean *ret_indefinite)
{
  long length = 0;
  int tag = 0;
  int class = 0;
  int flags = ASN1_get_object(at, &length, &tag, &class, end - *at);
  if ((flags & 0x80) || !(flags & V_ASN1_CONSTRUCTED) || tag != want_tag || class != want_class) {
    ERR_clear_error();
    return FALSE;
  }
  *ret_indefinite = flags & 1;
  return TRUE;
}

static gboolean
open_info(const guint8 *at, const guint8 *end, CmsMessage *message)
{
  gboolean outer = FALSE;
  gboolean inner = FALSE;
  if (!enter(&at, end, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL, &outer))
    return FALSE;
  ASN1_OBJECT *type = d2i_ASN1_OBJECT(NULL, &at, end - at);
  if (!type) {
    ERR_clear_error();
    return FALSE;
  }
  message->nid = OBJ_obj2nid(type);
  OBJ_obj2txt(message->oid, sizeof message->oid, type, 1);
  ASN1_OBJECT_free(type);
  if (!enter(&at, end, 0, V_ASN1_CONTEXT_SPECIFIC, &inner))
    return FALSE;
  gsize marks = (outer ? 2u : 0u) + (inner ? 2u : 0u);
  if ((gsize)(end - at) < marks)
    return FALSE;
  message->body = at;
  message->length = (gsize)(end - at) - marks;
  return TRUE;
}

gboolean
cms_message_open(GBytes *message, CmsMessage *ret_message, GError **error)
{
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(message, &length);
  CmsMessage opened = { 0 };
  if (length == 0)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the message is empty");
  if (length > CMS_CONTENT_MAX + CMS_STRUCTURE_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the message is over %zu MiB",
                          CMS_CONTENT_MAX / 1024 / 1024);
  if (!check_bounds(bytes, length, error))
    return FALSE;
  if (!open_info(bytes, bytes + length, &opened))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "not a CMS message: it does not begin with a content type");
  *ret_message = opened;
  return TRUE;
}

CmsAsnSigned *
cms_message_signed(GBytes *message, GError **error)
{
  CmsMessage opened = { 0 };
  if (!cms_message_open(message, &opened, error))
    return NULL;
  if (opened.nid != NID_pkcs7_signed) {
    g_autofree char *name = cms_message_type_name(&opened);
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "not signed: this is %s", name);
    return NULL;
  }
  CmsAsnSigned *signed_data =
      cms_asn_decode(opened.body, opened.length, ASN1_ITEM_rptr(CmsAsnSigned));
  if (!signed_data)
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the signed message is malformed");
  return signed_data;
}

GBytes *
cms_message_wrap(int nid, gconstpointer body, const ASN1_ITEM *item)
{
  ASN1_OBJECT *type = OBJ_nid2obj(nid);
  int body_length = ASN1_item_i2d((const ASN1_VALUE *)body, NULL, item);
  int type_length = i2d_ASN1_OBJECT(type, NULL);
  if (body_length <= 0 || type_length <= 0)
    return NULL;
  int inner = ASN1_object_size(1, body_length, 0);
  int whole = inner < 0 ? -1 : ASN1_object_size(1, type_length + inner, V_ASN1_SEQUENCE);
  guint8 *der = whole < 0 ? NULL : g_try_malloc((gsize)whole);
  guint8 *at = der;
  if (!der)
    return NULL;
  ASN1_put_object(&at, 1, type_length + inner, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
  i2d_ASN1_OBJECT(type, &at);
  ASN1_put_object(&at, 1, body_length, 0, V_ASN1_CONTEXT_SPECIFIC);
  ASN1_item_i2d((const ASN1_VALUE *)body, &at, item);
  return g_bytes_new_take(der, (gsize)whole);
}

char *
cms_message_type_name(const CmsMessage *message)
{
  switch (message->nid) {
  case NID_pkcs7_data:
    return g_strdup("Data");
  case NID_pkcs7_signed:
    return g_strdup("SignedData");
  case NID_pkcs7_enveloped:
    return g_strdup("EnvelopedData");
  case NID_id_smime_ct_authEnvelopedData:
    return g_strdup("AuthEnvelopedData");
  case NID_pkcs7_digest:
    return g_strdup("DigestedData");
  case NID_pkcs7_encrypted:
    return g_strdup("EncryptedData");
  case NID_id_smime_ct_compressedData:
    return g_strdup("CompressedData");
  default:
    return g_strdup(message->oid);
  }
}

/* ---- certificates ---- */

CmsCertificate *
cms_certificate_new(X509 *x509)
{
  g_autoptr(BaseCert) cert = base_cert_new_from_x509(x509, NULL);
  if (!cert)
    return NULL;
  CmsCertificate *certificate = g_new0(CmsCertificate, 1);
  X509_up_ref(x509);
  certificate->x509 = x509;
  certificate->cert = g_steal_pointer(&cert);
  return certificate;
}

void
cms_certificate_free(CmsCertificate *certificate)
{
  if (!certificate)
    return;
  X509_free(certificate->x509);
  base_cert_free(certificate->cert);
  g_free(certificate);
}

static CmsCertificate *
certificate_of_any(const ASN1_TYPE *any)
{
  const guint8 *bytes = NULL;
  gsize length = 0;
  if (any->type != V_ASN1_SEQUENCE || !cms_asn_any(any, &bytes, &length) ||
      length > BASE_CERT_DER_MAX)
    return NULL;
  X509 *x509 = cms_asn_decode(bytes, length, ASN1_ITEM_rptr(X509));
  CmsCertificate *certificate = x509 ? cms_certificate_new(x509) : NULL;
  X509_free(x509);
  return certificate;
}

GPtrArray *
cms_message_certificates(const CmsAnys *anys, GError **error)
{
  int n = anys ? sk_ASN1_TYPE_num(anys) : 0;
  if (n > CMS_CERTIFICATES_MAX) {
    base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the message has over %d certificates",
                   CMS_CERTIFICATES_MAX);
    return NULL;
  }
  GPtrArray *certificates = g_ptr_array_new_with_free_func((GDestroyNotify)cms_certificate_free);
  for (int i = 0; i < n; i++) {
    CmsCertificate *certificate = certificate_of_any(sk_ASN1_TYPE_value(anys, i));
    if (certificate)
      g_ptr_array_add(certificates, certificate);
  }
  return certificates;
}

GPtrArray *
cms_certificate_facts(GPtrArray *certificates)
{
  GPtrArray *facts = g_ptr_array_new_with_free_func((GDestroyNotify)base_cert_free);
  for (guint i = 0; i < certificates->len; i++) {
    CmsCertificate *certificate = g_ptr_array_index(certificates, i);
    g_ptr_array_add(facts, g_steal_pointer(&certificate->cert));
  }
  return facts;
}

/* ---- names and strings ---- */

char *
cms_serial_hex(const ASN1_INTEGER *serial)
{
  BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
  char *text = number ? BN_bn2hex(number) : NULL;
  char *copy = text ? g_ascii_strdown(text, -1) : g_strdup("0");
  OPENSSL_free(text);
  BN_free(number);
  return copy;
}

static char *
name_text(const X509_NAME *name)
{
  BIO *out = BIO_new(BIO_s_mem());
  char *bytes = NULL;
  /* Control bytes come out escaped, UTF-8 as it is. */
  if (!out || X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0) {
    BIO_free(out);
    return g_strdup("?");
  }
  long length = BIO_get_mem_data(out, &bytes);
  g_autofree char *raw = g_strndup(bytes, length > 0 ? (gsize)length : 0);
  BIO_free(out);
  return g_utf8_make_valid(raw, -1);
}

char *
cms_message_name_text(const PKCS7_ISSUER_AND_SERIAL *issuer_serial, const ASN1_OCTET_STRING *key_id)
{
  if (issuer_serial) {
    g_autofree char *issuer = name_text(issuer_serial->issuer);
    g_autofree char *serial = cms_serial_hex(issuer_serial->serial);
    return g_strdup_printf("issuer %s, serial %s", issuer, serial);
  }
  g_autofree char *hex =
      key_id ? base_hex(ASN1_STRING_get0_data(key_id), (gsize)ASN1_STRING_length(key_id)) : NULL;
  return g_strdup_printf("key id %s", hex ? hex : "?");
}

char *
cms_oid_text(const ASN1_OBJECT *object)
{
  char text[80] = "";
  OBJ_obj2txt(text, sizeof text, object, 1);
  return g_strdup(text);
}
