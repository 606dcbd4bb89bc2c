/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/split.h"

#include "base/error.h"
#include "cms/ber.h"

#include <openssl/err.h>
#include <openssl/objects.h>

/* Where the parts lie (RFC 5652 3, 6.1; RFC 5083 2.1), by depth:
 *
 *   0 ContentInfo  1 contentType, [0]  2 EnvelopedData or AuthEnvelopedData
 *   3 version, [0] originatorInfo, SET of recipients, SEQUENCE EncryptedContentInfo, the rest
 *   4 of EncryptedContentInfo: contentType, algorithm, [0] encryptedContent
 *
 * The order and kind of the others are the decoder's business. */
#define DEPTH_BODY 2
#define DEPTH_MEMBER 3
#define DEPTH_CONTENT 4

#define OID_MAX 64
#define RECIPIENT_MAX (1024 * 1024) /* one RecipientInfo: some thousand keys of one agreement */

/* The two SEQUENCEs around the content get indefinite lengths: theirs counted the content. */
static const guint8 sequence_mark[] = { 0x30, 0x80 };
static const guint8 end_mark[] = { 0x00, 0x00 };
static const guint8 version[] = { 0x02, 0x01, 0x00 };
static const guint8 no_recipients[] = { 0x31, 0x00 };
static const guint8 no_tag[] = { 0x04, 0x00 };

struct CmsSplit {
  const CmsSplitEvents *events;
  gpointer data;
  CmsBer *ber;
  GByteArray *type;      /* contentType with its header */
  GByteArray *structure; /* the body without recipients and content */
  GByteArray *recipient; /* one of them */
  gsize gathered;        /* of both, in all */
  guint info_at;         /* where EncryptedContentInfo begins in the structure */
  guint parts;           /* elements in all */
  CmsMessage message;
  gboolean type_known;
  gboolean body_seen;
  gboolean recipients_seen;
  gboolean recipients_open;
  gboolean info_seen;
  gboolean info_open;
  gboolean content_seen;
  gboolean content_open;
};

static gboolean
malformed(GError **error)
{
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the sealed message is malformed");
}

static gboolean
gather(CmsSplit *split, const guint8 *bytes, gsize length, GError **error)
{
  /* Decoded, an element takes many times its bytes: this bounds memory, CMS_BER_ELEMENTS_MAX time. */
  if (split->parts > CMS_ELEMENTS_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                          "the message has more than %d parts besides its content",
                          CMS_ELEMENTS_MAX);
  if (length > CMS_STRUCTURE_MAX - split->gathered)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                          "the message has more than %d MiB besides its content",
                          CMS_STRUCTURE_MAX / 1024 / 1024);
  if (split->recipients_open && length > RECIPIENT_MAX - split->recipient->len)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                          "one recipient of the message takes more than %d MiB",
                          RECIPIENT_MAX / 1024 / 1024);
  split->gathered += length;
  g_byte_array_append(split->recipients_open ? split->recipient : split->structure, bytes,
                      (guint)length);
  return TRUE;
}

/* ---- ContentInfo ---- */

static gboolean
begin_info(CmsSplit *split, const CmsBerElement *element, GError **error)
{
  gboolean good = FALSE;
  if (element->depth == 0)
    good = cms_ber_is(element, CMS_BER_UNIVERSAL, V_ASN1_SEQUENCE, TRUE);
  else if (split->type->len == 0) {
    good =
        cms_ber_is(element, CMS_BER_UNIVERSAL, V_ASN1_OBJECT, FALSE) && element->length <= OID_MAX;
    g_byte_array_append(split->type, element->header, element->header_length);
  } else
    good = split->type_known && !split->body_seen && cms_ber_is(element, CMS_BER_CONTEXT, 0, TRUE);
  return good || base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                                "not a CMS message: it does not begin with a content type");
}

static gboolean
end_type(CmsSplit *split, GError **error)
{
  CmsMessage *message = &split->message;
  const guint8 *at = split->type->data;
  ASN1_OBJECT *type = d2i_ASN1_OBJECT(NULL, &at, (long)split->type->len);
  if (!type) {
    ERR_clear_error();
    return malformed(error);
  }
  message->nid = OBJ_obj2nid(type);
  OBJ_obj2txt(message->oid, sizeof message->oid, type, 1);
  ASN1_OBJECT_free(type);
  split->type_known = TRUE;
  if (message->nid == NID_pkcs7_enveloped || message->nid == NID_id_smime_ct_authEnvelopedData)
    return TRUE;
  g_autofree char *name = cms_message_type_name(message);
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "not sealed: this is %s", name);
}

/* ---- the body ---- */

static gboolean
begin_body(CmsSplit *split, const CmsBerElement *element, GError **error)
{
  if (split->body_seen || !cms_ber_is(element, CMS_BER_UNIVERSAL, V_ASN1_SEQUENCE, TRUE))
    return malformed(error);
  split->body_seen = TRUE;
  return gather(split, sequence_mark, sizeof sequence_mark, error);
}

/* Ends the gathered bytes for the head's reader, then goes back to where the content stood. */
static gboolean
tell_head(CmsSplit *split, GError **error)
{
  guint length = split->structure->len;
  gboolean auth = split->message.nid == NID_id_smime_ct_authEnvelopedData;
  if (!gather(split, end_mark, sizeof end_mark, error) ||
      (auth && !gather(split, no_tag, sizeof no_tag, error)) ||
      !gather(split, end_mark, sizeof end_mark, error))
    return FALSE;
  CmsMessage head = split->message;
  head.body = split->structure->data;
  head.length = split->structure->len;
  if (!split->events->head(split->data, &head, error))
    return FALSE;
  /* What comes after the content is read without what came before. */
  g_autoptr(GByteArray) rest = g_byte_array_new();
  g_byte_array_append(rest, sequence_mark, sizeof sequence_mark);
  g_byte_array_append(rest, version, sizeof version);
  g_byte_array_append(rest, no_recipients, sizeof no_recipients);
  g_byte_array_append(rest, split->structure->data + split->info_at, length - split->info_at);
  g_byte_array_unref(split->structure);
  split->structure = g_steal_pointer(&rest);
  return TRUE;
}

static gboolean
begin_recipients(CmsSplit *split, GError **error)
{
  if (!gather(split, no_recipients, sizeof no_recipients, error))
    return FALSE;
  split->recipients_seen = TRUE;
  split->recipients_open = TRUE;
  return TRUE;
}

static gboolean
end_recipient(CmsSplit *split, GError **error)
{
  GByteArray *recipient = split->recipient;
  if (!split->events->recipient(split->data, recipient->data, recipient->len, error))
    return FALSE;
  g_byte_array_set_size(recipient, 0);
  return TRUE;
}

static gboolean
begin_content(CmsSplit *split, GError **error)
{
  if (split->content_seen)
    return malformed(error);
  split->content_seen = TRUE;
  split->content_open = TRUE;
  return tell_head(split, error);
}

static gboolean
begin(gpointer data, const CmsBerElement *element, GError **error)
{
  CmsSplit *split = data;
  if (split->content_open) /* X.690 8.7: a constructed string of strings */
    return (element->tag_class == V_ASN1_UNIVERSAL && element->tag == V_ASN1_OCTET_STRING) ||
           malformed(error);
  if (element->depth < DEPTH_BODY)
    return begin_info(split, element, error);
  if (element->depth == DEPTH_BODY)
    return begin_body(split, element, error);
  if (element->depth == DEPTH_MEMBER && !split->info_seen &&
      cms_ber_is(element, CMS_BER_UNIVERSAL, V_ASN1_SEQUENCE, TRUE)) {
    split->info_seen = TRUE;
    split->info_open = TRUE;
    split->info_at = split->structure->len;
    return gather(split, sequence_mark, sizeof sequence_mark, error);
  }
  if (element->depth == DEPTH_MEMBER && !split->recipients_seen && !split->info_seen &&
      cms_ber_is(element, CMS_BER_UNIVERSAL, V_ASN1_SET, TRUE))
    return begin_recipients(split, error);
  if (element->depth == DEPTH_CONTENT && split->info_open && element->tag_class == 2 &&
      element->tag == 0)
    return begin_content(split, error);
  split->parts++;
  return gather(split, element->header, element->header_length, error);
}

static gboolean
take_bytes(gpointer data, const guint8 *bytes, gsize length, GError **error)
{
  CmsSplit *split = data;
  if (split->content_open)
    return split->events->content(split->data, bytes, length, error);
  if (split->body_seen)
    return gather(split, bytes, length, error);
  g_byte_array_append(split->type, bytes, (guint)length);
  return TRUE;
}

static gboolean
end_member(CmsSplit *split, GError **error)
{
  split->info_open = FALSE;
  if (!split->content_seen)
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "the sealed content is not in the message: it is kept elsewhere");
  return gather(split, end_mark, sizeof end_mark, error);
}

static gboolean
end(gpointer data, const CmsBerElement *element, GError **error)
{
  CmsSplit *split = data;
  if (split->content_open) {
    split->content_open = element->depth != DEPTH_CONTENT;
    return TRUE;
  }
  if (element->depth < DEPTH_BODY)
    return split->type_known || element->depth == 0 || end_type(split, error);
  if (element->depth == DEPTH_MEMBER && split->info_open)
    return end_member(split, error);
  if (element->depth == DEPTH_MEMBER && split->recipients_open) {
    split->recipients_open = FALSE;
    return TRUE;
  }
  gboolean marked = element->depth == DEPTH_BODY || element->length < 0;
  if (marked && !gather(split, end_mark, sizeof end_mark, error))
    return FALSE;
  return element->depth != DEPTH_CONTENT || !split->recipients_open || end_recipient(split, error);
}

/* ---- from outside ---- */

CmsSplit *
cms_split_new(const CmsSplitEvents *events, gpointer data)
{
  static const CmsBerEvents elements = { begin, take_bytes, end };
  CmsSplit *split = g_new0(CmsSplit, 1);
  split->events = events;
  split->data = data;
  split->ber = cms_ber_new(&elements, split);
  split->type = g_byte_array_new();
  split->structure = g_byte_array_new();
  split->recipient = g_byte_array_new();
  return split;
}

void
cms_split_free(CmsSplit *split)
{
  if (!split)
    return;
  cms_ber_free(split->ber);
  g_byte_array_unref(split->type);
  g_byte_array_unref(split->structure);
  g_byte_array_unref(split->recipient);
  g_free(split);
}

gboolean
cms_split_push(CmsSplit *split, const guint8 *bytes, gsize length, GError **error)
{
  return cms_ber_push(split->ber, bytes, length, error);
}

gboolean
cms_split_done(CmsSplit *split, CmsMessage *ret_tail, GError **error)
{
  if (!cms_ber_done(split->ber, error))
    return FALSE;
  if (!split->content_seen)
    return malformed(error);
  *ret_tail = split->message;
  ret_tail->body = split->structure->data;
  ret_tail->length = split->structure->len;
  return TRUE;
}
