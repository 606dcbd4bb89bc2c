/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/recipient.h"

#include "base/error.h"
#include "cms/algorithm.h"
#include "cms/message.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RSA_OAEP_PARAMS, RSA_OAEP_PARAMS_free)

/* [1], constructed: a KeyAgreeRecipientInfo */
#define AGREEMENT_OCTET (V_ASN1_CONTEXT_SPECIFIC | V_ASN1_CONSTRUCTED | CMS_ASN_AGREEMENT_TAG)
#define LABEL_MAX 1024 /* of OAEP, as the socket has it */

static void
recipient_clear(CmsRecipient *recipient)
{
  CmsAsnTransport_free(recipient->transport);
}

static void
add_transport(CmsRecipients *recipients, const guint8 *bytes, gsize length)
{
  CmsRecipient recipient = { cms_asn_decode(bytes, length, ASN1_ITEM_rptr(CmsAsnTransport)), NULL,
                             NULL };
  if (recipient.transport)
    g_array_append_val(recipients->entries, recipient);
  else
    recipients->others++;
}

static void
add_agreement(CmsRecipients *recipients, const guint8 *bytes, gsize length)
{
  CmsAsnAgreement *agreement = cms_asn_decode(bytes, length, ASN1_ITEM_rptr(CmsAsnAgreementTagged));
  if (!agreement) {
    recipients->others++;
    return;
  }
  g_ptr_array_add(recipients->agreements, agreement);
  for (int i = 0; i < sk_CmsAsnAgreementKey_num(agreement->keys); i++) {
    CmsRecipient recipient = { NULL, agreement, sk_CmsAsnAgreementKey_value(agreement->keys, i) };
    g_array_append_val(recipients->entries, recipient);
  }
}

void
cms_recipients_add(CmsRecipients *recipients, const guint8 *bytes, gsize length)
{
  if (length > 0 && bytes[0] == (V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED))
    add_transport(recipients, bytes, length);
  else if (length > 0 && bytes[0] == AGREEMENT_OCTET)
    add_agreement(recipients, bytes, length);
  else
    recipients->others++;
}

CmsRecipients *
cms_recipients_new(const CmsAnys *anys)
{
  CmsRecipients *recipients = g_new0(CmsRecipients, 1);
  recipients->entries = g_array_new(FALSE, FALSE, sizeof(CmsRecipient));
  g_array_set_clear_func(recipients->entries, (GDestroyNotify)recipient_clear);
  recipients->agreements = g_ptr_array_new_with_free_func((GDestroyNotify)CmsAsnAgreement_free);
  for (int i = 0; anys && i < sk_ASN1_TYPE_num(anys); i++) {
    const guint8 *bytes = NULL;
    gsize length = 0;
    if (!cms_asn_any(sk_ASN1_TYPE_value(anys, i), &bytes, &length))
      length = 0;
    cms_recipients_add(recipients, bytes, length);
  }
  return recipients;
}

guint
cms_recipients_move(CmsRecipients *from, guint index, CmsRecipients *to)
{
  CmsRecipient *entry = &g_array_index(from->entries, CmsRecipient, index);
  guint at = 0;
  g_array_append_val(to->entries, *entry);
  entry->transport = NULL;
  /* Its other keys stay where they are, and keep what `to` owns now. */
  if (entry->agreement && g_ptr_array_find(from->agreements, entry->agreement, &at))
    g_ptr_array_add(to->agreements, g_ptr_array_steal_index_fast(from->agreements, at));
  return to->entries->len - 1;
}

void
cms_recipients_free(CmsRecipients *recipients)
{
  if (!recipients)
    return;
  g_array_unref(recipients->entries);
  g_ptr_array_unref(recipients->agreements);
  g_free(recipients);
}

/* Either kind's identifier as issuer and serial, or key id. */
static void
identifier(const CmsRecipient *recipient, const PKCS7_ISSUER_AND_SERIAL **ret_issuer_serial,
           const ASN1_OCTET_STRING **ret_key_id)
{
  *ret_issuer_serial = NULL;
  *ret_key_id = NULL;
  if (recipient->transport) {
    const CmsAsnIdentifier *rid = recipient->transport->rid;
    if (rid->type == CMS_ASN_ISSUER_SERIAL)
      *ret_issuer_serial = rid->d.issuer_serial;
    else
      *ret_key_id = rid->d.key_id;
    return;
  }
  const CmsAsnAgreementIdentifier *rid = recipient->key->rid;
  if (rid->type == CMS_ASN_ISSUER_SERIAL)
    *ret_issuer_serial = rid->d.issuer_serial;
  else
    *ret_key_id = rid->d.key_id->key_id;
}

char *
cms_recipient_text(const CmsRecipient *recipient)
{
  const PKCS7_ISSUER_AND_SERIAL *issuer_serial = NULL;
  const ASN1_OCTET_STRING *key_id = NULL;
  identifier(recipient, &issuer_serial, &key_id);
  return cms_message_name_text(issuer_serial, key_id);
}

char *
cms_recipient_algorithm(const CmsRecipient *recipient)
{
  if (recipient->agreement)
    return g_strdup("EC");
  switch (OBJ_obj2nid(recipient->transport->algorithm->algorithm)) {
  case NID_rsaEncryption:
    return g_strdup("RSA");
  case NID_rsaesOaep:
    return g_strdup("RSA-OAEP");
  default:
    return cms_oid_text(recipient->transport->algorithm->algorithm);
  }
}

SignetRecipient
cms_recipient_ask(const CmsRecipient *recipient)
{
  const PKCS7_ISSUER_AND_SERIAL *issuer_serial = NULL;
  const ASN1_OCTET_STRING *key_id = NULL;
  SignetRecipient ask = { NULL, NULL, NULL };
  identifier(recipient, &issuer_serial, &key_id);
  if (issuer_serial) {
    ask.issuer = cms_asn_encode(issuer_serial->issuer, ASN1_ITEM_rptr(X509_NAME));
    ask.serial = cms_serial_hex(issuer_serial->serial);
  } else {
    ask.key_id = base_hex(ASN1_STRING_get0_data(key_id), (gsize)ASN1_STRING_length(key_id));
  }
  return ask;
}

void
cms_recipient_ask_clear(SignetRecipient *ask)
{
  g_clear_pointer(&ask->issuer, g_bytes_unref);
  g_clear_pointer(&ask->serial, g_free);
  g_clear_pointer(&ask->key_id, g_free);
}

/* ---- RSA ---- */

/* MD5 and SHA-3 are no OAEP hashes of any token. */
static gboolean
is_oaep_hash(const CmsHash *hash)
{
  return hash && g_str_has_prefix(hash->name, "sha") && !strchr(hash->name, '-');
}

static gboolean
oaep_label(const RSA_OAEP_PARAMS *params, SignetOperation *operation)
{
  const ASN1_OBJECT *object = NULL;
  const void *value = NULL;
  int type = V_ASN1_UNDEF;
  if (!params->pSourceFunc)
    return TRUE;
  X509_ALGOR_get0(&object, &type, &value, params->pSourceFunc);
  if (OBJ_obj2nid(object) != NID_pSpecified || type != V_ASN1_OCTET_STRING ||
      ASN1_STRING_length(value) > LABEL_MAX)
    return FALSE;
  operation->label = ASN1_STRING_get0_data(value);
  operation->label_length = (gsize)ASN1_STRING_length(value);
  return TRUE;
}

static gboolean
oaep_fill(const RSA_OAEP_PARAMS *params, SignetOperation *operation)
{
  /* Absent: SHA-1 (RFC 4055 4.1) */
  const CmsHash *hash =
      params->hashFunc ? cms_hash_of_algorithm(params->hashFunc) : cms_hash_of_nid(NID_sha1);
  const CmsHash *mgf = cms_hash_of_mgf(params->maskGenFunc);
  if (!is_oaep_hash(hash) || !is_oaep_hash(mgf))
    return FALSE;
  operation->mechanism = SIGNET_RSA_OAEP;
  operation->hash = hash->name;
  operation->mgf_hash = mgf->name;
  return oaep_label(params, operation);
}

static RSA_OAEP_PARAMS *
oaep_read(const X509_ALGOR *algorithm)
{
  const void *value = NULL;
  int type = V_ASN1_UNDEF;
  X509_ALGOR_get0(NULL, &type, &value, algorithm);
  if (type == V_ASN1_UNDEF)
    return RSA_OAEP_PARAMS_new(); /* all defaults */
  if (type != V_ASN1_SEQUENCE)
    return NULL;
  const ASN1_STRING *der = value;
  return cms_asn_decode(ASN1_STRING_get0_data(der), (gsize)ASN1_STRING_length(der),
                        ASN1_ITEM_rptr(RSA_OAEP_PARAMS));
}

static BaseSecret *
secret_of(GBytes *key, gsize wanted, GError **error)
{
  if (g_bytes_get_size(key) != wanted) {
    base_error_set(error, SIGNET_ERROR_CANNOT_DECRYPT,
                   "cannot decrypt: the sealed key does not fit the cipher");
    return NULL;
  }
  return base_secret_new_from(g_bytes_get_data(key, NULL), wanted);
}

static BaseSecret *
transport_open(const CmsRecipient *recipient, const CmsKeys *keys, const SignetMatch *match,
               gsize wanted, GError **error)
{
  const CmsAsnTransport *transport = recipient->transport;
  SignetOperation operation = { .mechanism = SIGNET_RSA_PKCS1, .wanted = wanted };
  g_autoptr(RSA_OAEP_PARAMS) params = NULL;
  int nid = OBJ_obj2nid(transport->algorithm->algorithm);
  if (nid == NID_rsaesOaep) {
    params = oaep_read(transport->algorithm);
    operation.wanted = 0;
    if (!params || !oaep_fill(params, &operation)) {
      base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                     "the RSA-OAEP parameters of this message are unknown or malformed");
      return NULL;
    }
  } else if (nid != NID_rsaEncryption) {
    g_autofree char *oid = cms_oid_text(transport->algorithm->algorithm);
    base_error_set(error, SIGNET_ERROR_UNSUPPORTED, "cannot open a key sealed by the algorithm %s",
                   oid);
    return NULL;
  }
  operation.data = ASN1_STRING_get0_data(transport->key);
  operation.data_length = (gsize)ASN1_STRING_length(transport->key);
  g_autoptr(GBytes) key = keys->decrypt(keys->data, match->key, &operation, error);
  return key ? secret_of(key, wanted, error) : NULL;
}

gboolean
cms_recipient_proves(const CmsRecipient *recipient)
{
  return !recipient->transport ||
         OBJ_obj2nid(recipient->transport->algorithm->algorithm) != NID_rsaEncryption;
}

BaseSecret *
cms_recipient_open(const CmsRecipient *recipient, const CmsKeys *keys, const SignetMatch *match,
                   gsize wanted, GError **error)
{
  return recipient->transport ? transport_open(recipient, keys, match, wanted, error)
                              : cms_agreement_open(recipient, keys, match, wanted, error);
}
