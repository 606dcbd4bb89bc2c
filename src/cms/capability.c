/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/capability.h"

#include "cms/algorithm.h"
#include "cms/cipher.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)

#define LIST_MAX 200 /* algorithms in one list */

/* Signatures, content, keys: within each kind the best first (RFC 8551 2.5.2). */
static const int general_table[] = {
  NID_ED25519,     NID_ecdsa_with_SHA256, NID_sha256WithRSAEncryption,
  NID_aes_256_gcm, NID_aes_128_gcm,       NID_aes_192_gcm,
  NID_aes_256_cbc, NID_aes_192_cbc,       NID_aes_128_cbc,
};

static void
free_list(X509_ALGORS *list)
{
  sk_X509_ALGOR_pop_free(list, X509_ALGOR_free);
}

/* `packed` is taken. */
static gboolean
push(X509_ALGORS *list, int nid, ASN1_STRING *packed)
{
  X509_ALGOR *algorithm = X509_ALGOR_new();
  if (algorithm &&
      X509_ALGOR_set0(algorithm, OBJ_nid2obj(nid), packed ? V_ASN1_SEQUENCE : V_ASN1_UNDEF, packed))
    packed = NULL;
  if (!packed && algorithm && sk_X509_ALGOR_push(list, algorithm) > 0)
    return TRUE;
  ASN1_STRING_free(packed);
  X509_ALGOR_free(algorithm);
  return FALSE;
}

/* With the parameters that we ourselves would write (RFC 3560 4: their DER is the capability). */
static gboolean
push_oaep(X509_ALGORS *list)
{
  RSA_OAEP_PARAMS *params = RSA_OAEP_PARAMS_new();
  X509_ALGOR *hash = X509_ALGOR_new();
  ASN1_STRING *mgf = NULL;
  ASN1_STRING *packed = NULL;
  params->hashFunc = X509_ALGOR_new();
  params->maskGenFunc = X509_ALGOR_new();
  X509_ALGOR_set_md(params->hashFunc, EVP_sha256());
  X509_ALGOR_set_md(hash, EVP_sha256());
  ASN1_item_pack(hash, ASN1_ITEM_rptr(X509_ALGOR), &mgf);
  X509_ALGOR_set0(params->maskGenFunc, OBJ_nid2obj(NID_mgf1), V_ASN1_SEQUENCE, mgf);
  ASN1_item_pack(params, ASN1_ITEM_rptr(RSA_OAEP_PARAMS), &packed);
  X509_ALGOR_free(hash);
  RSA_OAEP_PARAMS_free(params);
  return packed && push(list, NID_rsaesOaep, packed);
}

/* RFC 5753 7.1.4: the scheme, with the wrap as its parameter. */
static gboolean
push_agreement(X509_ALGORS *list, int scheme, int wrap_nid)
{
  X509_ALGOR *wrap = X509_ALGOR_new();
  ASN1_STRING *packed = NULL;
  X509_ALGOR_set0(wrap, OBJ_nid2obj(wrap_nid), V_ASN1_UNDEF, NULL);
  ASN1_item_pack(wrap, ASN1_ITEM_rptr(X509_ALGOR), &packed);
  X509_ALGOR_free(wrap);
  return packed && push(list, scheme, packed);
}

static gboolean
push_keys(X509_ALGORS *list, BaseKeyKind encryption)
{
  switch (encryption) {
  case BASE_KEY_RSA:
    return push_oaep(list);
  case BASE_KEY_EC_P256:
  case BASE_KEY_EC_P384:
  case BASE_KEY_EC_P521:
    return push_agreement(list, NID_dhSinglePass_stdDH_sha256kdf_scheme, NID_id_aes256_wrap) &&
           push_agreement(list, NID_dhSinglePass_stdDH_sha256kdf_scheme, NID_id_aes128_wrap);
  case BASE_KEY_ED25519:
  case BASE_KEY_OTHER:
    break;
  }
  return TRUE;
}

int
cms_capability_der(BaseKeyKind encryption, guint8 **ret_der)
{
  X509_ALGORS *list = sk_X509_ALGOR_new_null();
  gboolean good = list != NULL;
  for (gsize i = 0; good && i < G_N_ELEMENTS(general_table); i++)
    good = push(list, general_table[i], NULL);
  int length = good && push_keys(list, encryption) ? i2d_X509_ALGORS(list, ret_der) : 0;
  free_list(list);
  return MAX(length, 0);
}

/* ---- reading ---- */

static void
add_cipher(GPtrArray *names, const X509_ALGOR *algorithm)
{
  const CmsCipher *cipher = cms_cipher_of_algorithm(algorithm);
  if (cipher && !cipher->old &&
      !g_ptr_array_find_with_equal_func(names, cipher->name, g_str_equal, NULL))
    g_ptr_array_add(names, g_strdup(cipher->name));
}

char **
cms_capability_ciphers(const guint8 *der, gsize length)
{
  const guint8 *at = der;
  X509_ALGORS *list = length > G_MAXINT ? NULL : d2i_X509_ALGORS(NULL, &at, (long)length);
  if (!list || at != der + length || sk_X509_ALGOR_num(list) > LIST_MAX) {
    ERR_clear_error();
    free_list(list);
    return NULL;
  }
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  for (int i = 0; i < sk_X509_ALGOR_num(list); i++)
    add_cipher(names, sk_X509_ALGOR_value(list, i));
  free_list(list);
  if (names->len == 0)
    return NULL;
  g_ptr_array_add(names, NULL);
  return (char **)g_ptr_array_steal(names, NULL);
}

char **
cms_capability_of_certificate(const BaseCert *certificate)
{
  g_autoptr(X509) x509 = base_cert_to_x509(certificate, NULL);
  int at = x509 ? X509_get_ext_by_NID(x509, NID_SMIMECapabilities, -1) : -1;
  if (at < 0)
    return NULL;
  const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(x509, at));
  return cms_capability_ciphers(ASN1_STRING_get0_data(value), (gsize)ASN1_STRING_length(value));
}
