/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/sign.h"

#include "base/error.h"
#include "cms/attribute.h"
#include "cms/message.h"
#include "cms/receipt.h"

#include <openssl/err.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)

struct CmsSigning {
  CmsKeys keys;
  char *key;
  X509 *certificate;
  GPtrArray *certificates; /* (element-type GBytes) the signer's first, each once */
  CmsScheming scheming;
  BaseKeyKind encryption;  /* see CmsAttributesWanted */
  X509 *preferred;         /* (nullable) */
  GBytes *receipt_request; /* (nullable) */
  int content_type;        /* NID */
  GBytes *original;        /* (nullable) of a receipt */
};

/* ---- what the key can do ---- */

const char *
cms_signer_hash(const CmsSigner *signer)
{
  switch (signer->kind) {
  case BASE_KEY_ED25519: /* RFC 8419 3.1 */
    return "sha512";
  case BASE_KEY_EC_P384:
    return signer->hash ? signer->hash : "sha384";
  case BASE_KEY_EC_P521:
    return signer->hash ? signer->hash : "sha512";
  default:
    return signer->hash ? signer->hash : "sha256";
  }
}

static gboolean
choose_scheming(const CmsSigner *signer, CmsScheming *scheming, GError **error)
{
  const char *name = cms_signer_hash(signer);
  const CmsHash *hash = cms_hash_of_name(name);
  if (!hash || (hash->nid != NID_sha256 && hash->nid != NID_sha384 && hash->nid != NID_sha512))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "cannot sign with the hash %s; there are sha256, sha384 and sha512",
                          name);
  if (signer->pss && signer->kind != BASE_KEY_RSA)
    return base_error_set(error, SIGNET_ERROR_USAGE, "PSS is for RSA keys, and this is none");
  *scheming = (CmsScheming){ CMS_ECDSA, hash, NULL, 0 };
  switch (signer->kind) {
  case BASE_KEY_RSA:
    scheming->scheme = signer->pss ? CMS_RSA_PSS : CMS_RSA_PKCS1;
    scheming->mgf_hash = hash;
    scheming->salt_length = EVP_MD_get_size(cms_hash_md(hash));
    return TRUE;
  case BASE_KEY_EC_P256:
  case BASE_KEY_EC_P384:
  case BASE_KEY_EC_P521:
    return TRUE;
  case BASE_KEY_ED25519:
    scheming->scheme = CMS_EDDSA;
    return TRUE;
  case BASE_KEY_OTHER:
    break;
  }
  return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                        "signet cannot sign with this kind of key");
}

/* ---- the signature ---- */

static GBytes *
ask_key(const CmsSigning *signing, GBytes *attributes, GBytes *digest, GError **error)
{
  static const SignetMechanism mechanisms[] = {
    [CMS_RSA_PKCS1] = SIGNET_RSA_PKCS1,
    [CMS_RSA_PSS] = SIGNET_RSA_PSS,
    [CMS_ECDSA] = SIGNET_ECDSA,
    [CMS_EDDSA] = SIGNET_EDDSA,
  };
  const CmsScheming *scheming = &signing->scheming;
  gboolean whole = scheming->scheme == CMS_EDDSA;
  SignetOperation operation = {
    .mechanism = mechanisms[scheming->scheme],
    .hash = whole ? NULL : scheming->hash->name,
    .salt_length = scheming->salt_length,
  };
  operation.data = g_bytes_get_data(whole ? attributes : digest, &operation.data_length);
  if (scheming->scheme == CMS_RSA_PSS)
    operation.mgf_hash = scheming->mgf_hash->name;
  return signing->keys.sign(signing->keys.data, signing->key, &operation, error);
}

/* Signs, and checks with the certificate what the token gave: a wrong certificate beside
 * the key, or a token that errs, must not become a message nobody can verify. */
static gboolean
sign_attributes(const CmsSigning *signing, CmsAsnSigner *info, GError **error)
{
  const CmsScheming *scheming = &signing->scheming;
  g_autoptr(GBytes) attributes = cms_asn_attributes_der(info->signed_attributes, TRUE);
  if (!attributes)
    return base_error_set(error, SIGNET_ERROR_FAILED, "cannot encode the signed attributes");
  g_autoptr(GBytes) digest = cms_hash_digest(scheming->hash, g_bytes_get_data(attributes, NULL),
                                             g_bytes_get_size(attributes));
  if (!digest)
    return base_error_set(error, SIGNET_ERROR_FAILED, "cannot hash the signed attributes");
  g_autoptr(GBytes) signature = ask_key(signing, attributes, digest, error);
  if (!signature)
    return FALSE;
  ASN1_OCTET_STRING_set(info->signature, g_bytes_get_data(signature, NULL),
                        (int)g_bytes_get_size(signature));
  EVP_PKEY *key = X509_get0_pubkey(signing->certificate);
  if (!key || !cms_scheming_verify(scheming, key, attributes, digest, info->signature))
    return base_error_set(error, SIGNET_ERROR_FAILED,
                          "the token's signature does not fit the certificate; nothing was signed. "
                          "Is it the certificate of this key?");
  return TRUE;
}

static gboolean
fill_signer(const CmsSigning *signing, CmsAsnSigner *info, GBytes *digest, GError **error)
{
  PKCS7_ISSUER_AND_SERIAL *name = PKCS7_ISSUER_AND_SERIAL_new();
  info->sid->type = CMS_ASN_ISSUER_SERIAL;
  info->sid->d.issuer_serial = name;
  ASN1_INTEGER_free(name->serial);
  name->serial = ASN1_INTEGER_dup(X509_get0_serialNumber(signing->certificate));
  if (!name->serial || !X509_NAME_set(&name->issuer, X509_get_issuer_name(signing->certificate)) ||
      !ASN1_INTEGER_set(info->version, 1))
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot name the signer");
  X509_ALGOR_set_md(info->digest, cms_hash_md(signing->scheming.hash));
  if (!cms_scheming_write(&signing->scheming, info->algorithm, error))
    return FALSE;
  CmsAttributesWanted wanted = {
    .signer = signing->certificate,
    .encryption = signing->encryption,
    .preferred = signing->preferred,
    .content_type = signing->content_type,
    .digest = digest,
    .now = g_get_real_time() / G_USEC_PER_SEC,
    .receipt_request = signing->receipt_request,
    .original = signing->original,
  };
  info->signed_attributes = cms_attribute_make(&wanted, error);
  return info->signed_attributes != NULL;
}

/* ---- the message around it ---- */

static gboolean
add_certificates(const CmsSigning *signing, CmsAsnSigned *data)
{
  data->certificates = sk_ASN1_TYPE_new_null();
  for (guint i = 0; data->certificates && i < signing->certificates->len; i++) {
    GBytes *der = g_ptr_array_index(signing->certificates, i);
    ASN1_TYPE *any = ASN1_TYPE_new();
    ASN1_STRING *string = ASN1_STRING_type_new(V_ASN1_SEQUENCE);
    if (!any || !string ||
        !ASN1_STRING_set(string, g_bytes_get_data(der, NULL), (int)g_bytes_get_size(der)))
      return FALSE;
    ASN1_TYPE_set(any, V_ASN1_SEQUENCE, string);
    if (sk_ASN1_TYPE_push(data->certificates, any) <= 0)
      return FALSE;
  }
  return data->certificates != NULL;
}

static CmsAsnSigned *
unsigned_data(const CmsSigning *signing, GBytes *content_digest, GError **error)
{
  g_autoptr(CmsAsnSigned) data = CmsAsnSigned_new();
  X509_ALGOR *digest = X509_ALGOR_new();
  CmsAsnSigner *info = CmsAsnSigner_new();
  sk_X509_ALGOR_push(data->digests, digest);
  sk_CmsAsnSigner_push(data->signers, info);
  X509_ALGOR_set_md(digest, cms_hash_md(signing->scheming.hash));
  data->encapsulated->type = OBJ_nid2obj(signing->content_type);
  /* RFC 5652 5.1: version 1 with X.509 certificates, id-data and issuers and serials only, 3 with
   * other content */
  long version = signing->content_type == NID_pkcs7_data ? 1 : 3;
  if (!ASN1_INTEGER_set(data->version, version) || !add_certificates(signing, data)) {
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot make the signed message");
    return NULL;
  }
  return fill_signer(signing, info, content_digest, error) ? g_steal_pointer(&data) : NULL;
}

CmsAsnSigned *
cms_signing_sign(const CmsSigning *signing, GBytes *digest, GError **error)
{
  g_autoptr(CmsAsnSigned) data = unsigned_data(signing, digest, error);
  if (!data || !sign_attributes(signing, sk_CmsAsnSigner_value(data->signers, 0), error))
    return NULL;
  return g_steal_pointer(&data);
}

CmsAsnSigned *
cms_signing_draft(const CmsSigning *signing, gboolean *ret_exact, GError **error)
{
  static const guint8 zeros[EVP_MAX_MD_SIZE];
  gsize size = (gsize)EVP_MD_get_size(cms_hash_md(signing->scheming.hash));
  g_autoptr(GBytes) digest = g_bytes_new_static(zeros, size);
  g_autoptr(CmsAsnSigned) data = unsigned_data(signing, digest, error);
  if (!data)
    return NULL;
  /* RSA: as long as the modulus (RFC 8017 8.1.1); Ed25519: 64 bytes (RFC 8032 5.1.6). */
  int length = EVP_PKEY_get_size(X509_get0_pubkey(signing->certificate));
  g_autofree guint8 *signature = g_malloc0((gsize)length);
  ASN1_OCTET_STRING_set(sk_CmsAsnSigner_value(data->signers, 0)->signature, signature, length);
  *ret_exact = signing->scheming.scheme != CMS_ECDSA;
  return g_steal_pointer(&data);
}

/* ---- begin and end ---- */

static X509 *
read_certificate(GBytes *der, GError **error)
{
  X509 *x509 =
      cms_asn_decode(g_bytes_get_data(der, NULL), g_bytes_get_size(der), ASN1_ITEM_rptr(X509));
  if (!x509 || !X509_get0_pubkey(x509)) {
    ERR_clear_error();
    g_clear_pointer(&x509, X509_free);
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the signer's certificate is malformed");
  }
  return x509;
}

/* Where answers shall be sealed to: what is said of it in the attributes. */
static gboolean
settle_encryption(CmsSigning *signing, const CmsSigner *signer, GError **error)
{
  GBytes *other = signer->encryption_certificate;
  gboolean own = !other || g_bytes_equal(other, signer->certificate);
  signing->encryption = BASE_KEY_OTHER;
  g_autoptr(BaseCert) facts = base_cert_new(own ? signer->certificate : other, error);
  if (!facts)
    return FALSE;
  if (!own || facts->use & BASE_USE_ENCRYPT)
    signing->encryption = facts->kind;
  if (!own)
    signing->preferred = read_certificate(other, error);
  return own || signing->preferred;
}

static void
add_once(GPtrArray *all, GBytes *der)
{
  if (!g_ptr_array_find_with_equal_func(all, der, g_bytes_equal, NULL))
    g_ptr_array_add(all, g_bytes_ref(der));
}

/* The signer's, the chain's and the one to seal to, without copies of one another. */
static GPtrArray *
collect_certificates(const CmsSigner *signer)
{
  GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  g_ptr_array_add(all, g_bytes_ref(signer->certificate));
  for (guint i = 0; signer->chain && i < signer->chain->len; i++)
    add_once(all, g_ptr_array_index(signer->chain, i));
  if (signer->encryption_certificate)
    add_once(all, signer->encryption_certificate);
  return all;
}

CmsSigning *
cms_signing_new(const CmsKeys *keys, const CmsSigner *signer, GError **error)
{
  CmsScheming scheming;
  if (!choose_scheming(signer, &scheming, error))
    return NULL;
  g_autoptr(X509) certificate = read_certificate(signer->certificate, error);
  if (!certificate)
    return NULL;
  g_autoptr(CmsSigning) signing = g_new0(CmsSigning, 1);
  signing->keys = *keys;
  signing->key = g_strdup(signer->key);
  signing->certificate = g_steal_pointer(&certificate);
  signing->certificates = collect_certificates(signer);
  signing->scheming = scheming;
  signing->content_type = NID_pkcs7_data;
  if (!settle_encryption(signing, signer, error))
    return NULL;
  if (signer->receipts_to && *signer->receipts_to) {
    /* Once: what the draft was as long as must be what is signed. */
    signing->receipt_request = cms_receipt_request_der(signer->receipts_to, error);
    if (!signing->receipt_request)
      return NULL;
  }
  return g_steal_pointer(&signing);
}

void
cms_signing_be_receipt(CmsSigning *signing, GBytes *original)
{
  signing->content_type = NID_id_smime_ct_receipt;
  signing->original = g_bytes_ref(original);
  /* RFC 2634 2.5: nobody asks for a receipt of a receipt. */
  g_clear_pointer(&signing->receipt_request, g_bytes_unref);
}

void
cms_signing_free(CmsSigning *signing)
{
  if (!signing)
    return;
  g_free(signing->key);
  X509_free(signing->certificate);
  X509_free(signing->preferred);
  g_clear_pointer(&signing->receipt_request, g_bytes_unref);
  g_clear_pointer(&signing->original, g_bytes_unref);
  g_clear_pointer(&signing->certificates, g_ptr_array_unref);
  g_free(signing);
}

const CmsHash *
cms_signing_hash(const CmsSigning *signing)
{
  return signing->scheming.hash;
}

/* ---- whole messages ---- */

static gboolean
add_content(CmsAsnSigned *data, GBytes *content, GError **error)
{
  data->encapsulated->content = ASN1_OCTET_STRING_new();
  return ASN1_OCTET_STRING_set(data->encapsulated->content, g_bytes_get_data(content, NULL),
                               (int)g_bytes_get_size(content)) ||
         base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot hold the content");
}

GBytes *
cms_signing_whole(const CmsSigning *signing, GBytes *content, gboolean detached, GError **error)
{
  g_autoptr(GBytes) digest = cms_hash_digest(
      signing->scheming.hash, g_bytes_get_data(content, NULL), g_bytes_get_size(content));
  if (!digest) {
    base_error_set(error, SIGNET_ERROR_FAILED, "cannot hash the content");
    return NULL;
  }
  g_autoptr(CmsAsnSigned) data = cms_signing_sign(signing, digest, error);
  if (!data || (!detached && !add_content(data, content, error)))
    return NULL;
  GBytes *message = cms_message_wrap(NID_pkcs7_signed, data, ASN1_ITEM_rptr(CmsAsnSigned));
  if (!message)
    base_error_set(error, SIGNET_ERROR_FAILED, "cannot encode the signed message");
  return message;
}
