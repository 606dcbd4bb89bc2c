/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/info.h"

#include "base/error.h"
#include "cms/algorithm.h"
#include "cms/enveloped.h"

static gboolean
fill_enveloped(CmsInfo *info, const CmsMessage *message, GError **error)
{
  g_autoptr(CmsEnveloped) enveloped = cms_enveloped_new(message, error);
  if (!enveloped)
    return FALSE;
  const X509_ALGOR *algorithm = enveloped->encrypted->cipher;
  const CmsCipher *cipher = cms_cipher_of_algorithm(algorithm);
  info->type = enveloped->auth ? CMS_TYPE_AUTH_ENVELOPED : CMS_TYPE_ENVELOPED;
  info->cipher = cipher ? g_strdup(cipher->name) : cms_oid_text(algorithm->algorithm);
  info->detached = enveloped->encrypted->content == NULL;
  return TRUE;
}

static char *
signer_line(const CmsAsnSigner *signer)
{
  const CmsHash *hash = cms_hash_of_algorithm(signer->digest);
  gboolean by_key = signer->sid->type == CMS_ASN_KEY_ID;
  g_autofree char *who = cms_message_name_text(by_key ? NULL : signer->sid->d.issuer_serial,
                                               by_key ? signer->sid->d.key_id : NULL);
  g_autofree char *algorithm = NULL;
  g_autofree char *reason = NULL;
  CmsScheming scheming;
  gboolean unknown = FALSE;
  if (hash && cms_scheming_read(signer->algorithm, hash, &scheming, &unknown, &reason))
    algorithm = g_strdup(cms_scheme_name(scheming.scheme));
  else
    algorithm = cms_oid_text(signer->algorithm->algorithm);
  return g_strdup_printf("%s, %s, %s", who, hash ? hash->name : "unknown hash", algorithm);
}

static gboolean
fill_signed(CmsInfo *info, const CmsMessage *message, GError **error)
{
  g_autoptr(CmsAsnSigned) data =
      cms_asn_decode(message->body, message->length, ASN1_ITEM_rptr(CmsAsnSigned));
  if (!data)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the signed message is malformed");
  g_autoptr(GPtrArray) certificates = cms_message_certificates(data->certificates, error);
  if (!certificates)
    return FALSE;
  int signers = sk_CmsAsnSigner_num(data->signers);
  if (signers > CMS_SIGNERS_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the message has over %d signers",
                          CMS_SIGNERS_MAX);
  for (int i = 0; i < signers; i++)
    g_ptr_array_add(info->signers, signer_line(sk_CmsAsnSigner_value(data->signers, i)));
  g_ptr_array_unref(info->certificates);
  info->certificates = cms_certificate_facts(certificates);
  info->type = signers ? CMS_TYPE_SIGNED : CMS_TYPE_CERTIFICATES;
  info->detached = signers && !data->encapsulated->content;
  return TRUE;
}

CmsInfo *
cms_info_of(const CmsMessage *message, GError **error)
{
  g_autoptr(CmsInfo) info = g_new0(CmsInfo, 1);
  info->type = CMS_TYPE_OTHER;
  info->type_name = cms_message_type_name(message);
  info->recipients = g_ptr_array_new_with_free_func(g_free);
  info->signers = g_ptr_array_new_with_free_func(g_free);
  info->certificates = g_ptr_array_new_with_free_func((GDestroyNotify)base_cert_free);
  gboolean good = TRUE;
  if (message->nid == NID_pkcs7_signed)
    good = fill_signed(info, message, error);
  else if (message->nid == NID_pkcs7_enveloped || message->nid == NID_id_smime_ct_authEnvelopedData)
    good = fill_enveloped(info, message, error);
  return good ? g_steal_pointer(&info) : NULL;
}

void
cms_info_free(CmsInfo *info)
{
  if (!info)
    return;
  g_free(info->type_name);
  g_free(info->cipher);
  g_clear_pointer(&info->recipients, g_ptr_array_unref);
  g_clear_pointer(&info->signers, g_ptr_array_unref);
  g_clear_pointer(&info->certificates, g_ptr_array_unref);
  g_free(info);
}
