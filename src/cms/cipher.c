/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/cipher.h"

#include "base/error.h"

#include <openssl/evp.h>
#include <string.h>

static const CmsCipher cipher_table[] = {
  { NID_aes_128_cbc, "aes-128-cbc", 16, 16, FALSE, FALSE },
  { NID_aes_192_cbc, "aes-192-cbc", 24, 16, FALSE, FALSE },
  { NID_aes_256_cbc, "aes-256-cbc", 32, 16, FALSE, FALSE },
  { NID_aes_128_gcm, "aes-128-gcm", 16, 0, TRUE, FALSE },
  { NID_aes_192_gcm, "aes-192-gcm", 24, 0, TRUE, FALSE },
  { NID_aes_256_gcm, "aes-256-gcm", 32, 0, TRUE, FALSE },
  { NID_camellia_128_cbc, "camellia-128-cbc", 16, 16, FALSE, TRUE },
  { NID_camellia_192_cbc, "camellia-192-cbc", 24, 16, FALSE, TRUE },
  { NID_camellia_256_cbc, "camellia-256-cbc", 32, 16, FALSE, TRUE },
  { NID_des_ede3_cbc, "des-ede3-cbc", 24, 8, FALSE, TRUE },
};

const CmsCipher *
cms_cipher_of_name(const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS(cipher_table); i++)
    if (!cipher_table[i].old && strcmp(cipher_table[i].name, name) == 0)
      return &cipher_table[i];
  return NULL;
}

const CmsCipher *
cms_cipher_of_algorithm(const X509_ALGOR *algorithm)
{
  int nid = OBJ_obj2nid(algorithm->algorithm);
  for (gsize i = 0; i < G_N_ELEMENTS(cipher_table); i++)
    if (cipher_table[i].nid == nid)
      return &cipher_table[i];
  return NULL;
}

const EVP_CIPHER *
cms_cipher_evp(const CmsCipher *cipher)
{
  return EVP_get_cipherbynid(cipher->nid);
}

gboolean
cms_cipher_check(const char *cipher, GError **error)
{
  return cms_cipher_of_name(cipher) ||
         base_error_set(error, SIGNET_ERROR_USAGE,
                        "no such cipher: %s; there are aes-128-cbc, aes-192-cbc, aes-256-cbc, "
                        "aes-128-gcm, aes-192-gcm, aes-256-gcm",
                        cipher);
}
