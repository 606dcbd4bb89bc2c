/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/ber.h"
#include "cms/flow.h"
#include "cms/message.h"
#include "cms/sign.h"

#include <openssl/crypto.h>
#include <string.h>

/* A signed message while its content passes: a head, the content, and a tail, whose length the
 * head says. The tail holds the signature, which comes last:
 *
 *   RSA, Ed25519: the signature's length is known before, so all lengths are.
 *   ECDSA: it varies by some bytes. Content up to CMS_SIGN_HELD_MAX is held back until it is
 *     signed; of longer content only the three outer lengths are left open (BER).
 *   length not known: all of them are left open, and the content comes in pieces. */

typedef struct {
  const guint8 *head; /* version and digests */
  gsize head_length;
  const guint8 *type; /* of the content */
  gsize type_length;
  const guint8 *tail; /* certificates and signers */
  gsize tail_length;
} Parts;

typedef struct {
  BaseSink sink;
  CmsSigning *signing;
  CmsHashing *hashing;
  gboolean detached;
  BaseSink *out; /* the caller's */
  gint64 length; /* of the content; -1: not known */
  gint64 passed;
  gsize tail_length; /* the head says; 0: left open */
  gboolean hold;     /* the head waits for the signature */
  guint8 *held;      /* content that waits too, or is not yet a whole piece */
  gsize held_length;
  gsize room;
} Signer;

/* ---- the parts of a SignedData ---- */

static gsize
element_length(const guint8 *at, const guint8 *end, gsize *ret_header)
{
  const guint8 *content = at;
  long length = 0;
  int tag = 0;
  int class = 0;
  if (ASN1_get_object(&content, &length, &tag, &class, end - at) & 0x80)
    return 0;
  *ret_header = (gsize)(content - at);
  return *ret_header + (gsize)length;
}

/* Of our own encoding without content: SEQUENCE { version, SET, SEQUENCE { type }, … } */
static Parts
split(GBytes *body)
{
  gsize size = 0;
  gsize header = 0;
  const guint8 *at = g_bytes_get_data(body, &size);
  const guint8 *end = at + size;
  g_assert(element_length(at, end, &header) == size);
  Parts parts = { .head = at + header };
  at += header;
  at += element_length(at, end, &header);
  at += element_length(at, end, &header);
  parts.head_length = (gsize)(at - parts.head);
  gsize encapsulated = element_length(at, end, &header);
  parts.type = at + header;
  parts.type_length = encapsulated - header;
  parts.tail = at + encapsulated;
  parts.tail_length = (gsize)(end - parts.tail);
  return parts;
}

static GBytes *
encode(const CmsAsnSigned *data, GError **error)
{
  GBytes *body = cms_asn_encode(data, ASN1_ITEM_rptr(CmsAsnSigned));
  if (!body)
    base_error_set(error, SIGNET_ERROR_FAILED, "cannot encode the signed message");
  return body;
}

/* ---- head and tail ---- */

static gint64
wrapped(gint64 length)
{
  guint8 header[16];
  return length + cms_ber_header(header, 0, TRUE, V_ASN1_SEQUENCE, length);
}

static void
put_header(GByteArray *array, guint8 tag_class, guint32 tag, gint64 length)
{
  guint8 header[16];
  guint n =
      cms_ber_header(header, tag_class, tag != V_ASN1_OCTET_STRING || length < 0, tag, length);
  g_byte_array_append(array, header, n);
}

static gboolean
write_head(Signer *self, const Parts *parts, GError **error)
{
  static const guint8 signed_oid[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                       0xf7, 0x0d, 0x01, 0x07, 0x02 };
  g_autoptr(GByteArray) array = g_byte_array_new();
  gint64 octets = self->length;
  gint64 explicit = octets < 0 ? -1 : wrapped(octets);
  gint64 encapsulated = octets < 0 ? -1 : (gint64)parts->type_length + wrapped(explicit);
  gint64 data = -1;
  gint64 inner = -1;
  gint64 outer = -1;
  if (self->tail_length > 0) {
    data = (gint64)(parts->head_length + self->tail_length) + wrapped(encapsulated);
    inner = wrapped(data);
    outer = (gint64)sizeof signed_oid + wrapped(inner);
  }
  put_header(array, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, outer);
  g_byte_array_append(array, signed_oid, sizeof signed_oid);
  put_header(array, V_ASN1_CONTEXT_SPECIFIC >> 6, 0, inner);
  put_header(array, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, data);
  g_byte_array_append(array, parts->head, (guint)parts->head_length);
  put_header(array, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, encapsulated);
  g_byte_array_append(array, parts->type, (guint)parts->type_length);
  put_header(array, V_ASN1_CONTEXT_SPECIFIC >> 6, 0, explicit);
  put_header(array, V_ASN1_UNIVERSAL, V_ASN1_OCTET_STRING, octets);
  return base_sink_write(self->out, array->data, array->len, error);
}

/* The marks that end what has no length. */
static gboolean
write_marks(Signer *self, gsize n, GError **error)
{
  static const guint8 marks[6];
  return base_sink_write(self->out, marks, 2 * n, error);
}

static gboolean
write_piece(Signer *self, const guint8 *bytes, gsize length, GError **error)
{
  guint8 header[16];
  guint n = cms_ber_header(header, V_ASN1_UNIVERSAL, FALSE, V_ASN1_OCTET_STRING, (gint64)length);
  return base_sink_write(self->out, header, n, error) &&
         base_sink_write(self->out, bytes, length, error);
}

/* ---- content ---- */

static void
hold(Signer *self, const guint8 *bytes, gsize length)
{
  memcpy(self->held + self->held_length, bytes, length);
  self->held_length += length;
}

/* Pieces all of one size, however the content came: small ones would cost their headers. */
static gboolean
write_pieces(Signer *self, const guint8 *bytes, gsize length, GError **error)
{
  while (length > 0) {
    gsize n = MIN(length, self->room - self->held_length);
    if (n == self->room) {
      if (!write_piece(self, bytes, n, error))
        return FALSE;
    } else {
      hold(self, bytes, n);
    }
    bytes += n;
    length -= n;
    if (self->held_length == self->room) {
      if (!write_piece(self, self->held, self->held_length, error))
        return FALSE;
      self->held_length = 0;
    }
  }
  return TRUE;
}

static gboolean
signer_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  Signer *self = (Signer *)sink;
  if (self->length >= 0 && (guint64)length > (guint64)(self->length - self->passed))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the content to sign is longer than the %" G_GINT64_FORMAT
                          " bytes that it had",
                          self->length);
  self->passed += (gint64)length;
  if (!cms_hashing_push(self->hashing, bytes, length, error))
    return FALSE;
  if (self->detached)
    return TRUE;
  if (self->hold) {
    hold(self, bytes, length);
    return TRUE;
  }
  return self->length < 0 ? write_pieces(self, bytes, length, error)
                          : base_sink_write(self->out, bytes, length, error);
}

/* ---- the end ---- */

static gboolean
finish_detached(Signer *self, const CmsAsnSigned *data, GError **error)
{
  g_autoptr(GBytes) message =
      cms_message_wrap(NID_pkcs7_signed, data, ASN1_ITEM_rptr(CmsAsnSigned));
  if (!message)
    return base_error_set(error, SIGNET_ERROR_FAILED, "cannot encode the signed message");
  return base_sink_write(self->out, g_bytes_get_data(message, NULL), g_bytes_get_size(message),
                         error);
}

static gboolean
finish_content(Signer *self, const Parts *parts, GError **error)
{
  if (self->hold) {
    self->tail_length = parts->tail_length;
    return write_head(self, parts, error) &&
           base_sink_write(self->out, self->held, self->held_length, error);
  }
  if (self->length >= 0)
    return TRUE;
  if (self->held_length > 0 && !write_piece(self, self->held, self->held_length, error))
    return FALSE;
  return write_marks(self, 3, error);
}

static gboolean
finish_opaque(Signer *self, const CmsAsnSigned *data, GError **error)
{
  g_autoptr(GBytes) body = encode(data, error);
  if (!body)
    return FALSE;
  Parts parts = split(body);
  if (self->tail_length > 0 && self->tail_length != parts.tail_length)
    return base_error_set(error, SIGNET_ERROR_FAILED,
                          "the signature has another length than keys of its kind make");
  return finish_content(self, &parts, error) &&
         base_sink_write(self->out, parts.tail, parts.tail_length, error) &&
         (self->tail_length > 0 || write_marks(self, 3, error));
}

static gboolean
signer_finish(BaseSink *sink, GError **error)
{
  Signer *self = (Signer *)sink;
  if (self->length >= 0 && self->passed != self->length)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the content to sign ended after %" G_GINT64_FORMAT
                          " of %" G_GINT64_FORMAT " bytes",
                          self->passed, self->length);
  GBytes *digest = cms_hashing_digest(self->hashing, cms_signing_hash(self->signing));
  if (!digest)
    return base_error_set(error, SIGNET_ERROR_FAILED, "cannot hash the content");
  g_autoptr(CmsAsnSigned) data = cms_signing_sign(self->signing, digest, error);
  if (!data)
    return FALSE;
  return (self->detached ? finish_detached(self, data, error) : finish_opaque(self, data, error)) &&
         base_sink_finish(self->out, error);
}

static void
signer_free(BaseSink *sink)
{
  Signer *self = (Signer *)sink;
  cms_signing_free(self->signing);
  cms_hashing_free(self->hashing);
  if (self->held)
    OPENSSL_cleanse(self->held, self->room);
  g_free(self->held);
  g_free(self);
}

/* ---- the beginning ---- */

static gboolean
begin_opaque(Signer *self, GError **error)
{
  gboolean exact = FALSE;
  g_autoptr(CmsAsnSigned) draft = cms_signing_draft(self->signing, &exact, error);
  g_autoptr(GBytes) body = draft ? encode(draft, error) : NULL;
  if (!body)
    return FALSE;
  self->hold = self->length >= 0 && self->length <= CMS_SIGN_HELD_MAX && !exact;
  if (self->hold || self->length < 0) {
    self->room = self->hold ? (gsize)self->length : BASE_FLOW_PIECE;
    self->held = g_malloc(self->room);
  }
  if (self->hold)
    return TRUE;
  Parts parts = split(body);
  if (self->length >= 0 && exact)
    self->tail_length = parts.tail_length;
  return write_head(self, &parts, error);
}

BaseSink *
cms_sign_new_with(const CmsKeys *keys, const CmsSigner *signer, gboolean detached, gint64 length,
                  BaseSink *out, GError **error)
{
  static const BaseSinkClass klass = { signer_write, signer_finish, signer_free };
  g_autoptr(CmsSigning) signing = cms_signing_new(keys, signer, error);
  g_autoptr(CmsHashing) hashing = cms_hashing_new();
  if (!signing || !cms_hashing_add(hashing, cms_signing_hash(signing), error))
    return NULL;
  Signer *self = g_new0(Signer, 1);
  self->sink.klass = &klass;
  self->signing = g_steal_pointer(&signing);
  self->hashing = g_steal_pointer(&hashing);
  self->detached = detached;
  self->out = out;
  self->length = length < 0 ? -1 : length;
  if (!detached && !begin_opaque(self, error)) {
    signer_free(&self->sink);
    return NULL;
  }
  return &self->sink;
}
