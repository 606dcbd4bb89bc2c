/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/ber.h"
#include "cms/cipher.h"
#include "cms/flow.h"
#include "cms/message.h"
#include "cms/sealto.h"

#include <openssl/err.h>
#include <string.h>

/* Sealing needs no private key, so OpenSSL's CMS makes content key, recipients and algorithm, and sets the
 * cipher up: AuthEnvelopedData for GCM. The content, which it would hold whole, goes through that cipher
 * here, between the parts that OpenSSL encoded. */

#define ROOM (32 * 1024) /* also the chunk of a message whose length is not known */
#define BLOCK_MAX 16
#define TAG_MAX 16
#define GCM_LENGTH_MAX ((G_GINT64_CONSTANT(1) << 36) - 32) /* SP 800-38D 5.2.1.1, in bytes */

typedef struct {
  BaseSink sink;
  BaseSink *out;
  const CmsCipher *cipher;
  CMS_ContentInfo *cms;
  BIO *chain;              /* of OpenSSL, holds the context */
  EVP_CIPHER_CTX *context; /* borrowed of it */
  guint8 *head;            /* of OpenSSL: a whole message without content, DER */
  CmsMessage message;      /* borrowed of it */
  const guint8 *info;      /* in it: EncryptedContentInfo's members, behind its header */
  gsize prefix_length;     /* of what stands before EncryptedContentInfo */
  gsize info_length;
  guint tag_length; /* GCM */
  gint64 length;    /* -1: not known */
  gint64 taken;
  gboolean begun;
  gsize used; /* of room */
  guint8 room[ROOM + BLOCK_MAX];
} Seal;

/* ---- the head ---- */

/* Finds EncryptedContentInfo in what OpenSSL made: the first SEQUENCE of the body. */
static gboolean
find_info(Seal *seal)
{
  const guint8 *at = seal->message.body;
  const guint8 *end = at + seal->message.length;
  long length = 0;
  int tag = 0;
  int class = 0;
  if (ASN1_get_object(&at, &length, &tag, &class, end - at) != V_ASN1_CONSTRUCTED)
    return FALSE;
  seal->message.body = at;
  while (at < end) {
    const guint8 *begin = at;
    if (ASN1_get_object(&at, &length, &tag, &class, end - at) & 0x81)
      return FALSE;
    if (class == V_ASN1_UNIVERSAL && tag == V_ASN1_SEQUENCE) {
      seal->prefix_length = (gsize)(begin - seal->message.body);
      seal->info = at;
      seal->info_length = (gsize)length;
      return TRUE;
    }
    at += length;
  }
  return FALSE;
}

static gboolean
read_tag_length(Seal *seal)
{
  const guint8 *at = seal->info;
  const guint8 *end = at + seal->info_length;
  long length = 0;
  int tag = 0;
  int class = 0;
  gint64 wanted = 12; /* RFC 5084 3.2 */
  if (ASN1_get_object(&at, &length, &tag, &class, end - at) & 0x80)
    return FALSE;
  at += length;
  g_autoptr(CmsAsnGcm) gcm = NULL;
  X509_ALGOR *algorithm = cms_asn_decode(at, (gsize)(end - at), ASN1_ITEM_rptr(X509_ALGOR));
  if (algorithm && algorithm->parameter && algorithm->parameter->type == V_ASN1_SEQUENCE) {
    const ASN1_STRING *der = algorithm->parameter->value.sequence;
    gcm = cms_asn_decode(ASN1_STRING_get0_data(der), (gsize)ASN1_STRING_length(der),
                         ASN1_ITEM_rptr(CmsAsnGcm));
  }
  X509_ALGOR_free(algorithm);
  if (!gcm || (gcm->tag_length && !ASN1_INTEGER_get_int64(&wanted, gcm->tag_length)) ||
      wanted < 12 || wanted > TAG_MAX)
    return FALSE;
  seal->tag_length = (guint)wanted;
  return TRUE;
}

static gboolean
make_head(Seal *seal, GError **error)
{
  /* Detached: no content is kept, and the chain ends nowhere. */
  seal->chain = CMS_dataInit(seal->cms, NULL);
  if (!seal->chain || BIO_get_cipher_ctx(seal->chain, &seal->context) != 1)
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot seal the message");
  int length = i2d_CMS_ContentInfo(seal->cms, &seal->head);
  if (length <= 0)
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot seal the message");
  g_autoptr(GBytes) head = g_bytes_new_static(seal->head, (gsize)length);
  if (!cms_message_open(head, &seal->message, error))
    return FALSE;
  return (find_info(seal) && (!seal->cipher->gcm || read_tag_length(seal))) ||
         base_error_set(error, SIGNET_ERROR_FAILED, "cannot seal the message");
}

/* ---- writing ---- */

static gboolean
put_header(Seal *seal, guint8 tag_class, gboolean constructed, guint32 tag, gint64 length,
           GError **error)
{
  guint8 header[16];
  guint n = cms_ber_header(header, tag_class, constructed, tag, length);
  return base_sink_write(seal->out, header, n, error);
}

static gint64
header_size(gint64 length)
{
  guint8 header[16];
  return length < 0 ? 2 : (gint64)cms_ber_header(header, 0, TRUE, V_ASN1_SEQUENCE, length);
}

/* Of the three SEQUENCEs and the [0] around them; all -1 when the content's is not known. */
typedef struct {
  gint64 content;
  gint64 info;
  gint64 body;
  gint64 tagged;
  gint64 whole;
} Lengths;

static Lengths
lengths_of(const Seal *seal, gint64 type_length)
{
  Lengths lengths = { -1, -1, -1, -1, -1 };
  if (seal->length < 0)
    return lengths;
  gint64 block = (gint64)seal->cipher->iv_length;
  lengths.content = seal->cipher->gcm ? seal->length : (seal->length / block + 1) * block;
  lengths.info = (gint64)seal->info_length + header_size(lengths.content) + lengths.content;
  lengths.body = (gint64)seal->prefix_length + header_size(lengths.info) + lengths.info +
                 (seal->cipher->gcm ? 2 + (gint64)seal->tag_length : 0);
  lengths.tagged = header_size(lengths.body) + lengths.body;
  lengths.whole = type_length + header_size(lengths.tagged) + lengths.tagged;
  return lengths;
}

static gboolean
put_head(Seal *seal, GError **error)
{
  guint8 *type = NULL;
  int type_length = i2d_ASN1_OBJECT(OBJ_nid2obj(seal->message.nid), &type);
  Lengths lengths = lengths_of(seal, type_length);
  gboolean good = put_header(seal, V_ASN1_UNIVERSAL, TRUE, V_ASN1_SEQUENCE, lengths.whole, error) &&
                  base_sink_write(seal->out, type, (gsize)type_length, error) &&
                  put_header(seal, 2, TRUE, 0, lengths.tagged, error) &&
                  put_header(seal, V_ASN1_UNIVERSAL, TRUE, V_ASN1_SEQUENCE, lengths.body, error) &&
                  base_sink_write(seal->out, seal->message.body, seal->prefix_length, error) &&
                  put_header(seal, V_ASN1_UNIVERSAL, TRUE, V_ASN1_SEQUENCE, lengths.info, error) &&
                  base_sink_write(seal->out, seal->info, seal->info_length, error) &&
                  put_header(seal, 2, seal->length < 0, 0, lengths.content, error);
  OPENSSL_free(type);
  seal->begun = TRUE;
  return good;
}

static gboolean
put_chunk(Seal *seal, gsize length, GError **error)
{
  return length == 0 ||
         ((seal->length >= 0 ||
           put_header(seal, V_ASN1_UNIVERSAL, FALSE, V_ASN1_OCTET_STRING, (gint64)length, error)) &&
          base_sink_write(seal->out, seal->room, length, error));
}

/* Chunks are of one size, however the content came. */
static gboolean
put_whole_chunks(Seal *seal, GError **error)
{
  if (seal->used < ROOM)
    return TRUE;
  if (!put_chunk(seal, ROOM, error))
    return FALSE;
  seal->used -= ROOM;
  memmove(seal->room, seal->room + ROOM, seal->used);
  return TRUE;
}

static gboolean
failed(GError **error)
{
  return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot seal the message");
}

static gboolean
put_tag(Seal *seal, GError **error)
{
  guint8 tag[TAG_MAX];
  if (!seal->cipher->gcm)
    return TRUE;
  if (EVP_CIPHER_CTX_ctrl(seal->context, EVP_CTRL_AEAD_GET_TAG, (int)seal->tag_length, tag) != 1)
    return failed(error);
  return put_header(seal, V_ASN1_UNIVERSAL, FALSE, V_ASN1_OCTET_STRING, (gint64)seal->tag_length,
                    error) &&
         base_sink_write(seal->out, tag, seal->tag_length, error);
}

/* ---- the sink ---- */

static gboolean
longer_than_said(const Seal *seal, gsize more, GError **error)
{
  gint64 limit = seal->length >= 0   ? seal->length
                 : seal->cipher->gcm ? GCM_LENGTH_MAX
                                     : G_MAXINT64 - ROOM;
  if (more <= (guint64)(limit - seal->taken))
    return FALSE;
  if (seal->length < 0)
    base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the content is more than %s can seal",
                   seal->cipher->name);
  else
    base_error_set(error, SIGNET_ERROR_IO, "the content grew while it was sealed");
  return TRUE;
}

static gboolean
seal_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  Seal *seal = (Seal *)sink;
  const guint8 *at = bytes;
  if (longer_than_said(seal, length, error) || (!seal->begun && !put_head(seal, error)))
    return FALSE;
  seal->taken += (gint64)length;
  while (length > 0) {
    gsize take = MIN(length, ROOM - seal->used);
    int done = 0;
    if (EVP_EncryptUpdate(seal->context, seal->room + seal->used, &done, at, (int)take) != 1)
      return failed(error);
    seal->used += (gsize)done;
    if (!put_whole_chunks(seal, error))
      return FALSE;
    at += take;
    length -= take;
  }
  return TRUE;
}

static gboolean
seal_finish(BaseSink *sink, GError **error)
{
  /* content, EncryptedContentInfo */
  static const guint8 inner_marks[4];
  /* body, [0], ContentInfo */
  static const guint8 outer_marks[6];
  Seal *seal = (Seal *)sink;
  gboolean marked = seal->length < 0;
  int done = 0;
  if (!marked && seal->taken != seal->length)
    return base_error_set(error, SIGNET_ERROR_IO, "the content shrank while it was sealed");
  if (!seal->begun && !put_head(seal, error))
    return FALSE;
  if (EVP_EncryptFinal_ex(seal->context, seal->room + seal->used, &done) != 1)
    return failed(error);
  seal->used += (gsize)done;
  return put_whole_chunks(seal, error) && put_chunk(seal, seal->used, error) &&
         (!marked || base_sink_write(seal->out, inner_marks, sizeof inner_marks, error)) &&
         put_tag(seal, error) &&
         (!marked || base_sink_write(seal->out, outer_marks, sizeof outer_marks, error)) &&
         base_sink_finish(seal->out, error);
}

static void
seal_free(BaseSink *sink)
{
  Seal *seal = (Seal *)sink;
  BIO_free_all(seal->chain);
  CMS_ContentInfo_free(seal->cms);
  OPENSSL_free(seal->head);
  g_free(seal);
}

static gboolean
check_length(const CmsCipher *cipher, gint64 length, GError **error)
{
  gint64 most = cipher->gcm ? GCM_LENGTH_MAX : G_MAXINT64 - 2 * CMS_STRUCTURE_MAX;
  return length <= most || base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                                          "the content is more than %s can seal", cipher->name);
}

BaseSink *
cms_seal_new(const CmsSealing *sealing, BaseSink *out, GError **error)
{
  static const BaseSinkClass klass = { seal_write, seal_finish, seal_free };
  const CmsCipher *known = cms_cipher_of_name(sealing->cipher);
  if (!cms_cipher_check(sealing->cipher, error) || !check_length(known, sealing->length, error))
    return NULL;
  if (sealing->recipients->len == 0) {
    base_error_set(error, SIGNET_ERROR_USAGE, "nobody to seal to");
    return NULL;
  }
  Seal *seal = g_new0(Seal, 1);
  g_autoptr(BaseSink) sink = &seal->sink;
  seal->sink.klass = &klass;
  seal->out = out;
  seal->cipher = known;
  seal->length = MAX(sealing->length, -1);
  seal->cms =
      CMS_encrypt(NULL, NULL, cms_cipher_evp(known), CMS_PARTIAL | CMS_BINARY | CMS_DETACHED);
  if (!seal->cms) {
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot begin sealing with %s", known->name);
    return NULL;
  }
  if (!cms_sealto_add_all(seal->cms, sealing, error) || !make_head(seal, error))
    return NULL;
  return g_steal_pointer(&sink);
}
