/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/ber.h"
#include "cms/flow.h"
#include "cms/info.h"
#include "cms/recipient.h"

#include <openssl/err.h>
#include <string.h>

/* Looking inside without holding the content. By depth (RFC 5652 3, 5.1, 6.1; RFC 5083 2.1):
 *
 *   0 ContentInfo  1 contentType, [0]  2 SignedData, EnvelopedData or AuthEnvelopedData
 *   3 … and, the first SEQUENCE of each of them, what describes the content
 *   4 of that: … and [0], the content
 *
 * Recipients, of which there may be thousands, are read one by one. All else but the content is held as it
 * stood, except that the SEQUENCEs around that get indefinite lengths, and is
 * decoded at the end like a message without content. Of other types nothing is held. */

#define TYPE_MAX 64

static const guint8 sequence_mark[] = { V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED, 0x80 };
static const guint8 set_mark[] = { V_ASN1_SET | V_ASN1_CONSTRUCTED, 0x80 };
static const guint8 end_mark[] = { 0, 0 };

typedef struct {
  BaseSink sink;
  CmsBer *ber;
  GByteArray *type; /* contentType with its header */
  CmsMessage message;
  GByteArray *held;
  guint elements;
  guint depth; /* of what began last */
  gboolean known;
  gboolean holds; /* of this type the structure is held */
  gboolean in_recipients;
  gsize recipient;       /* where in `held` it begins */
  GPtrArray *recipients; /* (element-type char) */
  guint others;          /* recipients that are none of ours to tell */
  const CmsBerElement
      *list;     /* (nullable) at depth 3, of a signed message: signers or certificates */
  guint members; /* of it, so far */
  gboolean info_seen;
  gboolean info_open;
  gboolean content_open;
  gboolean has_content;
  guint64 content_length;
  CmsInfo *result;
} Looker;

static gboolean
not_cms(GError **error)
{
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                        "not a CMS message: it does not begin with a content type");
}

static gboolean
hold(Looker *self, const guint8 *bytes, gsize length, GError **error)
{
  if (!self->holds)
    return TRUE;
  if (self->elements > CMS_ELEMENTS_MAX || length > CMS_STRUCTURE_MAX - (gsize)self->held->len)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                          "the message has more than %d parts or %d MiB besides its content",
                          CMS_ELEMENTS_MAX, CMS_STRUCTURE_MAX / 1024 / 1024);
  g_byte_array_append(self->held, bytes, (guint)length);
  return TRUE;
}

/* ---- the content type ---- */

static gboolean
begin_info(Looker *self, const CmsBerElement *element, GError **error)
{
  if (element->depth == 0)
    return cms_ber_is(element, CMS_BER_UNIVERSAL, V_ASN1_SEQUENCE, TRUE) || not_cms(error);
  if (self->type->len > 0)
    return (self->known && cms_ber_is(element, CMS_BER_CONTEXT, 0, TRUE)) || not_cms(error);
  if (!cms_ber_is(element, CMS_BER_UNIVERSAL, V_ASN1_OBJECT, FALSE) || element->length > TYPE_MAX)
    return not_cms(error);
  g_byte_array_append(self->type, element->header, element->header_length);
  return TRUE;
}

static gboolean
end_type(Looker *self, GError **error)
{
  const guint8 *at = self->type->data;
  ASN1_OBJECT *type = d2i_ASN1_OBJECT(NULL, &at, (long)self->type->len);
  if (!type) {
    ERR_clear_error();
    return not_cms(error);
  }
  self->message.nid = OBJ_obj2nid(type);
  OBJ_obj2txt(self->message.oid, sizeof self->message.oid, type, 1);
  ASN1_OBJECT_free(type);
  self->known = TRUE;
  self->holds = self->message.nid == NID_pkcs7_signed || self->message.nid == NID_pkcs7_enveloped ||
                self->message.nid == NID_id_smime_ct_authEnvelopedData;
  return TRUE;
}

/* ---- recipients ---- */

static gboolean
begins_recipients(const Looker *self, const CmsBerElement *element)
{
  return self->message.nid != NID_pkcs7_signed && !self->info_seen &&
         cms_ber_is(element, CMS_BER_UNIVERSAL, V_ASN1_SET, TRUE);
}

static void
take_recipient(Looker *self)
{
  g_autoptr(CmsRecipients) recipients = cms_recipients_new(NULL);
  cms_recipients_add(recipients, self->held->data + self->recipient,
                     self->held->len - self->recipient);
  g_byte_array_set_size(self->held, (guint)self->recipient);
  for (guint i = 0; i < recipients->entries->len; i++) {
    const CmsRecipient *one = &g_array_index(recipients->entries, CmsRecipient, i);
    g_autofree char *algorithm = cms_recipient_algorithm(one);
    g_autofree char *who = cms_recipient_text(one);
    g_ptr_array_add(self->recipients, g_strdup_printf("%s, %s", algorithm, who));
  }
  self->others += recipients->others;
}

static void
move_recipients(Looker *self)
{
  if (self->others)
    g_ptr_array_add(
        self->recipients,
        g_strdup_printf("%u with a password, a shared key or of an unknown kind", self->others));
  g_ptr_array_unref(self->result->recipients);
  self->result->recipients = g_steal_pointer(&self->recipients);
}

/* ---- signers and certificates ---- */

/* Too many are refused before they are gathered. */
static gboolean
count_member(Looker *self, GError **error)
{
  gboolean signers = self->list && cms_ber_is(self->list, CMS_BER_UNIVERSAL, V_ASN1_SET, TRUE);
  gboolean certificates = self->list && cms_ber_is(self->list, CMS_BER_CONTEXT, 0, TRUE);
  guint max = signers ? CMS_SIGNERS_MAX : CMS_CERTIFICATES_MAX;
  return !(signers || certificates) || ++self->members <= max ||
         base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the message has over %u %s", max,
                        signers ? "signers" : "certificates");
}

static gboolean
begin_member(Looker *self, const CmsBerElement *element, GError **error)
{
  if (element->depth == 3) {
    self->in_recipients = begins_recipients(self, element);
    self->list = self->message.nid == NID_pkcs7_signed && self->info_seen ? element : NULL;
    self->members = 0;
  }
  if (element->depth != 4)
    return TRUE;
  self->recipient = self->held->len;
  return count_member(self, error);
}

/* ---- elements ---- */

static gboolean
begin(gpointer data, const CmsBerElement *element, GError **error)
{
  Looker *self = data;
  guint depth = self->depth = element->depth;
  if (self->content_open)
    return TRUE;
  if (depth < 2)
    return begin_info(self, element, error);
  gboolean sequence = cms_ber_is(element, CMS_BER_UNIVERSAL, V_ASN1_SEQUENCE, TRUE);
  if (depth == 3 && sequence && !self->info_seen)
    self->info_seen = self->info_open = TRUE;
  if (depth == 4 && self->info_open && element->tag_class == CMS_BER_CONTEXT && element->tag == 0) {
    self->content_open = self->has_content = TRUE;
    return TRUE;
  }
  if (!begin_member(self, element, error))
    return FALSE;
  self->elements++;
  if (depth == 2 ? sequence : depth == 3 && self->info_open)
    return hold(self, sequence_mark, sizeof sequence_mark, error);
  if (depth == 3 && self->in_recipients)
    return hold(self, set_mark, sizeof set_mark, error);
  return hold(self, element->header, element->header_length, error);
}

static gboolean
bytes(gpointer data, const guint8 *piece, gsize length, GError **error)
{
  Looker *self = data;
  if (self->content_open || !self->holds)
    self->content_length += self->depth > 1 ? length : 0;
  if (self->content_open)
    return TRUE;
  if (self->depth > 1)
    return hold(self, piece, length, error);
  g_byte_array_append(self->type, piece, (guint)length);
  return TRUE;
}

static gboolean
end(gpointer data, const CmsBerElement *element, GError **error)
{
  Looker *self = data;
  guint depth = element->depth;
  if (self->content_open) {
    self->content_open = depth != 4;
    return TRUE;
  }
  if (depth < 2)
    return depth == 0 || self->known || end_type(self, error);
  gboolean opened_up = depth == 2 || (depth == 3 && (self->info_open || self->in_recipients));
  if (depth == 3)
    self->info_open = FALSE;
  if ((opened_up || element->length < 0) && !hold(self, end_mark, sizeof end_mark, error))
    return FALSE;
  if (depth == 4 && self->in_recipients && self->holds)
    take_recipient(self);
  return TRUE;
}

/* ---- the sink ---- */

static gboolean
looker_write(BaseSink *sink, gconstpointer piece, gsize length, GError **error)
{
  return cms_ber_push(((Looker *)sink)->ber, piece, length, error);
}

static gboolean
looker_finish(BaseSink *sink, GError **error)
{
  Looker *self = (Looker *)sink;
  if (!cms_ber_done(self->ber, error))
    return FALSE;
  if (!self->known)
    return not_cms(error);
  self->message.body = self->held->data;
  self->message.length = self->held->len;
  self->result = cms_info_of(&self->message, error);
  if (!self->result)
    return FALSE;
  if (self->has_content)
    self->result->detached = FALSE;
  self->result->content_length = self->content_length;
  move_recipients(self);
  return TRUE;
}

static void
looker_free(BaseSink *sink)
{
  Looker *self = (Looker *)sink;
  cms_ber_free(self->ber);
  g_byte_array_unref(self->type);
  g_byte_array_unref(self->held);
  if (self->recipients)
    g_ptr_array_unref(self->recipients);
  cms_info_free(self->result);
  g_free(self);
}

BaseSink *
cms_info_new(void)
{
  static const BaseSinkClass klass = { looker_write, looker_finish, looker_free };
  static const CmsBerEvents events = { begin, bytes, end };
  Looker *self = g_new0(Looker, 1);
  self->sink.klass = &klass;
  self->ber = cms_ber_new(&events, self);
  self->type = g_byte_array_new();
  self->held = g_byte_array_new();
  self->recipients = g_ptr_array_new_with_free_func(g_free);
  return &self->sink;
}

CmsInfo *
cms_info_result(BaseSink *sink, GError **error)
{
  Looker *self = (Looker *)sink;
  if (!self->result)
    base_error_set(error, SIGNET_ERROR_FAILED, "the message was not looked at to its end");
  return g_steal_pointer(&self->result);
}

CmsInfo *
cms_info(GBytes *message, GError **error)
{
  g_autoptr(BaseSink) sink = cms_info_new();
  gsize length = 0;
  gconstpointer data = g_bytes_get_data(message, &length);
  if (!base_sink_write(sink, data, length, error) || !base_sink_finish(sink, error))
    return NULL;
  return cms_info_result(sink, error);
}

/* ---- the first bytes ---- */

/* Behind the identifier and length octets at `at`; 0: not there. */
static gsize
behind_header(const guint8 *head, gsize length, gsize at, guint8 tag)
{
  if (length < at + 2 || head[at] != tag)
    return 0;
  return at + 2 + (head[at + 1] > 0x80 ? head[at + 1] & 0x7f : 0u);
}

CmsType
cms_type_of(const guint8 *head, gsize length)
{
  gsize at = behind_header(head, length, 0, V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED);
  const guint8 *type_at = head + at;
  ASN1_OBJECT *type = NULL;
  if (at && behind_header(head, length, at, V_ASN1_OBJECT))
    type = d2i_ASN1_OBJECT(NULL, &type_at, (long)(length - at));
  int nid = type ? OBJ_obj2nid(type) : NID_undef;
  ASN1_OBJECT_free(type);
  ERR_clear_error();
  return nid == NID_pkcs7_signed                    ? CMS_TYPE_SIGNED
         : nid == NID_pkcs7_enveloped               ? CMS_TYPE_ENVELOPED
         : nid == NID_id_smime_ct_authEnvelopedData ? CMS_TYPE_AUTH_ENVELOPED
                                                    : CMS_TYPE_OTHER;
}
