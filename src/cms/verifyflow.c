/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/ber.h"
#include "cms/flow.h"
#include "cms/verify.h"

#include <openssl/err.h>
#include <string.h>

/* The depths of a signed message (RFC 5652 3 and 5.1), and what is done at them:
 *
 *   0  ContentInfo SEQUENCE
 *   1    contentType OID, [0]                              looked at
 *   2      SignedData SEQUENCE
 *   3        version, digestAlgorithms, encapContentInfo,
 *            certificates, crls, signerInfos
 *   4          an algorithm | eContentType, [0] | a certificate | a SignerInfo
 *   5              eContent OCTET STRING                   hashed and passed on
 *
 * From depth 2 on everything but the [0] around eContent is held as it stood, and decoded at the
 * end by the templates that whole messages use. The two SEQUENCEs that eContent is taken out of
 * are held with indefinite lengths, since theirs no longer fit. */

#define TYPE_MAX 64 /* bytes of an OID */

typedef enum {
  PART_VERSION,
  PART_DIGESTS,
  PART_CONTENT,
  PART_CERTIFICATES,
  PART_CRLS,
  PART_SIGNERS,
} Part;

#define LEVELS 6

typedef struct {
  BaseSink sink;
  CmsHashing *hashing;
  GPtrArray *extra; /* (nullable) */
  CmsVerified *result;
  /* detached */
  CmsAsnSigned *data;
  /* with its content */
  CmsBer *ber;
  BaseSink *out; /* (nullable) the caller's */
  GByteArray *held;
  guint elements;         /* in `held` */
  guint children[LEVELS]; /* of the innermost element of each depth - 1, so far */
  guint8 type[TYPE_MAX];
  gsize type_length;
  guint depth; /* of what began last */
  Part part;
  gboolean in_content;
  gboolean has_content;
  gsize algorithm; /* where in `held` it begins */
  guint known;     /* hashes that are announced */
  gboolean strange;
} Verifier;

static gboolean
malformed(GError **error)
{
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the signed message is malformed");
}

static gboolean
not_cms(GError **error)
{
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                        "not a CMS message: it does not begin with a content type");
}

/* ---- holding what is not content ---- */

static gboolean
hold(Verifier *self, const guint8 *bytes, gsize length, GError **error)
{
  if (length > CMS_STRUCTURE_MAX - (gsize)self->held->len)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                          "the message has more than %d MiB besides its content",
                          CMS_STRUCTURE_MAX / 1024 / 1024);
  g_byte_array_append(self->held, bytes, (guint)length);
  return TRUE;
}

static gboolean
is_opened_up(const Verifier *self, guint depth)
{
  return depth == 2 || (depth == 3 && self->part == PART_CONTENT);
}

static gboolean
hold_begin(Verifier *self, const CmsBerElement *element, GError **error)
{
  static const guint8 indefinite[] = { V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED, 0x80 };
  if (++self->elements > CMS_ELEMENTS_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                          "the message has more than %d parts besides its content",
                          CMS_ELEMENTS_MAX);
  if (is_opened_up(self, element->depth))
    return hold(self, indefinite, sizeof indefinite, error);
  return hold(self, element->header, element->header_length, error);
}

static gboolean
hold_end(Verifier *self, const CmsBerElement *element, GError **error)
{
  static const guint8 mark[2];
  return (element->length >= 0 && !is_opened_up(self, element->depth)) ||
         hold(self, mark, sizeof mark, error);
}

/* ---- beginnings, by depth ---- */

static gboolean
begin_info(const CmsBerElement *element, guint index, GError **error)
{
  gboolean good = index == 0 ? cms_ber_is(element, CMS_BER_UNIVERSAL, V_ASN1_OBJECT, FALSE)
                             : index == 1 && cms_ber_is(element, CMS_BER_CONTEXT, 0, TRUE);
  return good || not_cms(error);
}

static gboolean
begin_part(Verifier *self, const CmsBerElement *element, guint index, GError **error)
{
  static const struct {
    guint8 tag_class;
    guint32 tag;
    gboolean constructed;
  } first_table[] = {
    [PART_VERSION] = { CMS_BER_UNIVERSAL, V_ASN1_INTEGER, FALSE },
    [PART_DIGESTS] = { CMS_BER_UNIVERSAL, V_ASN1_SET, TRUE },
    [PART_CONTENT] = { CMS_BER_UNIVERSAL, V_ASN1_SEQUENCE, TRUE },
  };
  if (index < G_N_ELEMENTS(first_table)) {
    self->part = (Part)index;
    return cms_ber_is(element, first_table[index].tag_class, first_table[index].tag,
                      first_table[index].constructed) ||
           malformed(error);
  }
  /* Their order is the decoder's to check. */
  if (cms_ber_is(element, CMS_BER_CONTEXT, 0, TRUE))
    self->part = PART_CERTIFICATES;
  else if (cms_ber_is(element, CMS_BER_CONTEXT, 1, TRUE))
    self->part = PART_CRLS;
  else if (cms_ber_is(element, CMS_BER_UNIVERSAL, V_ASN1_SET, TRUE))
    self->part = PART_SIGNERS;
  else
    return malformed(error);
  return TRUE;
}

static gboolean
check_count(const Verifier *self, guint index, GError **error)
{
  static const struct {
    guint max;
    const char *what;
  } table[] = {
    [PART_DIGESTS] = { CMS_SIGNERS_MAX, "hashes" },
    [PART_CERTIFICATES] = { CMS_CERTIFICATES_MAX, "certificates" },
    [PART_CRLS] = { CMS_CERTIFICATES_MAX, "revocation lists" },
    [PART_SIGNERS] = { CMS_SIGNERS_MAX, "signers" },
  };
  return index < table[self->part].max ||
         base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the message has over %u %s",
                        table[self->part].max, table[self->part].what);
}

static gboolean
begin_member(Verifier *self, const CmsBerElement *element, guint index, GError **error)
{
  if (self->part != PART_CONTENT) {
    self->algorithm = self->held->len;
    return check_count(self, index, error);
  }
  if (index == 0)
    return cms_ber_is(element, CMS_BER_UNIVERSAL, V_ASN1_OBJECT, FALSE) || malformed(error);
  self->in_content = self->has_content = TRUE;
  return (index == 1 && cms_ber_is(element, CMS_BER_CONTEXT, 0, TRUE)) || malformed(error);
}

/* One OCTET STRING, or one of several (X.690 8.7.3). */
static gboolean
begin_content(const CmsBerElement *element, guint index, GError **error)
{
  gboolean octets = element->tag_class == CMS_BER_UNIVERSAL && element->tag == V_ASN1_OCTET_STRING;
  return (octets && (element->depth > 5 || index == 0)) || malformed(error);
}

static gboolean
on_begin(gpointer data, const CmsBerElement *element, GError **error)
{
  Verifier *self = data;
  guint depth = element->depth;
  guint index = depth < LEVELS ? self->children[depth]++ : 0;
  if (depth + 1 < LEVELS)
    self->children[depth + 1] = 0;
  self->depth = depth;
  if (self->in_content)
    return begin_content(element, index, error);
  if (depth == 1)
    return begin_info(element, index, error);
  if (depth == 0)
    return cms_ber_is(element, CMS_BER_UNIVERSAL, V_ASN1_SEQUENCE, TRUE) || not_cms(error);
  if (depth == 2 && (index > 0 || !cms_ber_is(element, CMS_BER_UNIVERSAL, V_ASN1_SEQUENCE, TRUE)))
    return malformed(error);
  if (depth == 3 && !begin_part(self, element, index, error))
    return FALSE;
  if (depth == 4 && !begin_member(self, element, index, error))
    return FALSE;
  return self->in_content || hold_begin(self, element, error);
}

/* ---- bytes ---- */

static gboolean
on_bytes(gpointer data, const guint8 *bytes, gsize length, GError **error)
{
  Verifier *self = data;
  if (self->in_content)
    return cms_hashing_push(self->hashing, bytes, length, error) &&
           (!self->out || base_sink_write(self->out, bytes, length, error));
  if (self->depth > 1)
    return hold(self, bytes, length, error);
  if (length > TYPE_MAX - self->type_length)
    return malformed(error);
  memcpy(self->type + self->type_length, bytes, length);
  self->type_length += length;
  return TRUE;
}

/* ---- ends ---- */

static gboolean
check_type(const Verifier *self, GError **error)
{
  guint8 der[TYPE_MAX + 2] = { V_ASN1_OBJECT, (guint8)self->type_length };
  const guint8 *at = der;
  CmsMessage message = { 0 };
  memcpy(der + 2, self->type, self->type_length);
  ASN1_OBJECT *type = d2i_ASN1_OBJECT(NULL, &at, (long)self->type_length + 2);
  if (!type) {
    ERR_clear_error();
    return not_cms(error);
  }
  message.nid = OBJ_obj2nid(type);
  OBJ_obj2txt(message.oid, sizeof message.oid, type, 1);
  ASN1_OBJECT_free(type);
  if (message.nid == NID_pkcs7_signed)
    return TRUE;
  g_autofree char *name = cms_message_type_name(&message);
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "not signed: this is %s", name);
}

static gboolean
end_algorithm(Verifier *self, GError **error)
{
  X509_ALGOR *algorithm =
      cms_asn_decode(self->held->data + self->algorithm, self->held->len - self->algorithm,
                     ASN1_ITEM_rptr(X509_ALGOR));
  if (!algorithm)
    return malformed(error);
  const CmsHash *hash = cms_hash_of_algorithm(algorithm);
  X509_ALGOR_free(algorithm);
  if (!hash) {
    self->strange = TRUE;
    return TRUE;
  }
  self->known++;
  return cms_hashing_add(self->hashing, hash, error);
}

/* RFC 5652 5.1: the set is there so that a message can be checked in one pass, but it may be
 * empty; then, and when it names what signet does not know, the usual hashes are tried. A signer
 * whose hash was not among them is told as unknown: hashing with all that exist would make every
 * message as slow as the rare wrong one, and openssl refuses these too. */
static gboolean
end_digests(Verifier *self, GError **error)
{
  static const int usual_table[] = { NID_sha256, NID_sha384, NID_sha512, NID_sha1 };
  if (self->known > 0 && !self->strange)
    return TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS(usual_table); i++)
    if (!cms_hashing_add(self->hashing, cms_hash_of_nid(usual_table[i]), error))
      return FALSE;
  return TRUE;
}

static gboolean
on_end(gpointer data, const CmsBerElement *element, GError **error)
{
  Verifier *self = data;
  guint depth = element->depth;
  if (self->in_content) {
    if (depth > 4)
      return TRUE;
    self->in_content = FALSE;
    return self->children[5] == 1 || malformed(error);
  }
  if (depth < 2)
    return (depth == 1 && self->children[1] == 1) ? check_type(self, error) : TRUE;
  if (!hold_end(self, element, error))
    return FALSE;
  if (depth == 4 && self->part == PART_DIGESTS)
    return end_algorithm(self, error);
  return depth != 3 || self->part != PART_DIGESTS || end_digests(self, error);
}

/* ---- the sink ---- */

static gboolean
verifier_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  Verifier *self = (Verifier *)sink;
  return self->ber ? cms_ber_push(self->ber, bytes, length, error)
                   : cms_hashing_push(self->hashing, bytes, length, error);
}

static gboolean
decode(Verifier *self, GError **error)
{
  if (!cms_ber_done(self->ber, error))
    return FALSE;
  if (self->held->len == 0) /* a content type and no content */
    return malformed(error);
  self->data = cms_asn_decode(self->held->data, self->held->len, ASN1_ITEM_rptr(CmsAsnSigned));
  if (!self->data)
    return malformed(error);
  g_clear_pointer(&self->held, g_byte_array_unref);
  if (!self->has_content && sk_CmsAsnSigner_num(self->data->signers) > 0)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the signature is detached: the signed content is needed besides");
  return TRUE;
}

static gboolean
verifier_finish(BaseSink *sink, GError **error)
{
  Verifier *self = (Verifier *)sink;
  if (self->ber && !decode(self, error))
    return FALSE;
  g_autoptr(CmsVerified) verified =
      cms_verify_signers(self->data, self->hashing, self->extra, error);
  if (!verified || (self->out && !base_sink_finish(self->out, error)))
    return FALSE;
  self->result = g_steal_pointer(&verified);
  return TRUE;
}

static void
verifier_free(BaseSink *sink)
{
  Verifier *self = (Verifier *)sink;
  cms_hashing_free(self->hashing);
  if (self->extra)
    g_ptr_array_unref(self->extra);
  cms_verified_free(self->result);
  CmsAsnSigned_free(self->data);
  cms_ber_free(self->ber);
  if (self->held)
    g_byte_array_unref(self->held);
  g_free(self);
}

static Verifier *
verifier_new(CmsHashing *hashing, GPtrArray *extra_certificates)
{
  static const BaseSinkClass klass = { verifier_write, verifier_finish, verifier_free };
  Verifier *self = g_new0(Verifier, 1);
  self->sink.klass = &klass;
  self->hashing = hashing;
  self->extra = extra_certificates ? g_ptr_array_ref(extra_certificates) : NULL;
  return self;
}

BaseSink *
cms_verify_new(GPtrArray *extra_certificates, BaseSink *out)
{
  static const CmsBerEvents events = { on_begin, on_bytes, on_end };
  Verifier *self = verifier_new(cms_hashing_new(), extra_certificates);
  cms_hashing_keep(self->hashing);
  self->ber = cms_ber_new(&events, self);
  self->out = out;
  self->held = g_byte_array_new();
  return &self->sink;
}

BaseSink *
cms_verify_detached_new(GBytes *signature, GPtrArray *extra_certificates, GError **error)
{
  g_autoptr(CmsAsnSigned) data = cms_message_signed(signature, error);
  if (!data)
    return NULL;
  if (data->encapsulated->content) {
    base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                   "the content is in the message already, and was given besides");
    return NULL;
  }
  CmsHashing *hashing = cms_verify_hashing(data, error);
  if (!hashing)
    return NULL;
  Verifier *self = verifier_new(hashing, extra_certificates);
  self->data = g_steal_pointer(&data);
  return &self->sink;
}

CmsVerified *
cms_verify_result(BaseSink *sink, GError **error)
{
  Verifier *self = (Verifier *)sink;
  if (!self->result)
    base_error_set(error, SIGNET_ERROR_FAILED, "the message was not verified to its end");
  return g_steal_pointer(&self->result);
}
