/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/enveloped.h"

#include "base/error.h"

static CmsEnveloped *
decode(const CmsMessage *message)
{
  CmsEnveloped enveloped = { NULL, NULL, NULL, NULL };
  if (message->nid == NID_pkcs7_enveloped) {
    enveloped.plain =
        cms_asn_decode(message->body, message->length, ASN1_ITEM_rptr(CmsAsnEnveloped));
    if (!enveloped.plain)
      return NULL;
    enveloped.recipients = enveloped.plain->recipients;
    enveloped.encrypted = enveloped.plain->encrypted;
  } else {
    enveloped.auth =
        cms_asn_decode(message->body, message->length, ASN1_ITEM_rptr(CmsAsnAuthEnveloped));
    if (!enveloped.auth)
      return NULL;
    enveloped.recipients = enveloped.auth->recipients;
    enveloped.encrypted = enveloped.auth->encrypted;
  }
  return g_memdup2(&enveloped, sizeof enveloped);
}

CmsEnveloped *
cms_enveloped_new(const CmsMessage *message, GError **error)
{
  if (message->nid != NID_pkcs7_enveloped && message->nid != NID_id_smime_ct_authEnvelopedData) {
    g_autofree char *name = cms_message_type_name(message);
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "not sealed: this is %s", name);
    return NULL;
  }
  CmsEnveloped *enveloped = decode(message);
  if (!enveloped)
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the sealed message is malformed");
  return enveloped;
}

void
cms_enveloped_free(CmsEnveloped *enveloped)
{
  if (!enveloped)
    return;
  CmsAsnEnveloped_free(enveloped->plain);
  CmsAsnAuthEnveloped_free(enveloped->auth);
  g_free(enveloped);
}

/* Ciphers that fell long ago (RFC 8551 B.2): to open them would be to say that they are worth something. */
static const char *
broken_name(int nid)
{
  static const struct {
    int nid;
    const char *name;
  } table[] = {
    { NID_rc2_cbc, "RC2" },   { NID_rc2_40_cbc, "RC2" }, { NID_rc2_64_cbc, "RC2" },
    { NID_rc4, "RC4" },       { NID_des_cbc, "DES" },    { NID_rc5_cbc, "RC5" },
    { NID_idea_cbc, "IDEA" }, { NID_cast5_cbc, "CAST" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
    if (table[i].nid == nid)
      return table[i].name;
  return NULL;
}

static gboolean
unknown_cipher(const X509_ALGOR *algorithm, const CmsCipher *cipher, GError **error)
{
  int nid = OBJ_obj2nid(algorithm->algorithm);
  const char *broken = broken_name(nid);
  g_autofree char *oid = cms_oid_text(algorithm->algorithm);
  if (broken)
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "cannot open the message: it is sealed with %s, which is broken; ask for "
                          "it again, sealed with AES",
                          broken);
  return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                        "cannot open a message sealed with %s (%s)",
                        cipher             ? cipher->name
                        : nid != NID_undef ? OBJ_nid2ln(nid)
                                           : "an unknown cipher",
                        oid);
}

gboolean
cms_enveloped_sealed(const CmsEnveloped *enveloped, CmsSealed *ret_sealed, GError **error)
{
  const X509_ALGOR *algorithm = enveloped->encrypted->cipher;
  const CmsCipher *cipher = cms_cipher_of_algorithm(algorithm);
  gboolean auth = enveloped->auth != NULL;
  if (!cipher || cipher->gcm != auth)
    return unknown_cipher(algorithm, cipher, error);
  *ret_sealed = (CmsSealed){
    .cipher = cipher,
    .algorithm = algorithm,
    .mac = auth ? enveloped->auth->mac : NULL,
    .attributes = auth ? enveloped->auth->attributes : NULL,
  };
  return TRUE;
}
