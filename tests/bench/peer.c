/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "peer.h"

#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

const Peer *
peer_find(const char *name)
{
  static const Peer *const all[] = { &peer_pkcs11,    &peer_libp11,  &peer_libp11_lookup,
                                     &peer_gpg_agent, &peer_gpg_scd, &peer_signet };

  for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
    if (g_str_equal(all[i]->name, name))
      return all[i];
  }
  return NULL;
}

void
peer_digest_info(const guint8 *digest, guint8 info[static PEER_DIGEST_INFO_SIZE])
{
  static const guint8 prefix[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                   0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };

  memcpy(info, prefix, sizeof prefix);
  memcpy(info + sizeof prefix, digest, PEER_DIGEST_SIZE);
}

static EVP_PKEY *
public_key(const guint8 *certificate, gsize len)
{
  X509 *x509 = d2i_X509(NULL, &certificate, (long)len);
  EVP_PKEY *key = x509 ? X509_get_pubkey(x509) : NULL;

  X509_free(x509);
  return key;
}

gboolean
peer_is_rsa(const guint8 *certificate, gsize len)
{
  EVP_PKEY *key = public_key(certificate, len);
  gboolean rsa = key && EVP_PKEY_is_a(key, "RSA");

  EVP_PKEY_free(key);
  return rsa;
}

/* PKCS#11's r || s as the DER that OpenSSL verifies; the length, with *ret_der from OpenSSL. */
static gsize
ecdsa_to_der(const guint8 *raw, gsize len, guint8 **ret_der)
{
  ECDSA_SIG *pair = ECDSA_SIG_new();

  ECDSA_SIG_set0(pair, BN_bin2bn(raw, (int)len / 2, NULL),
                 BN_bin2bn(raw + len / 2, (int)len / 2, NULL));
  int der_len = i2d_ECDSA_SIG(pair, ret_der);
  ECDSA_SIG_free(pair);
  return (gsize)MAX(der_len, 0);
}

gboolean
peer_verify(const PeerTarget *target, const guint8 *digest, const guint8 *signature, gsize len)
{
  EVP_PKEY *key = public_key(target->certificate, target->certificate_len);
  EVP_PKEY_CTX *context = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
  guint8 *der = NULL;
  gsize der_len = !target->rsa && len == 64 ? ecdsa_to_der(signature, len, &der) : 0;
  gboolean good = context && EVP_PKEY_verify_init(context) == 1 &&
                  (!target->rsa || EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1) &&
                  EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1 &&
                  EVP_PKEY_verify(context, der ? der : signature, der ? der_len : len, digest,
                                  PEER_DIGEST_SIZE) == 1;

  OPENSSL_free(der);
  EVP_PKEY_CTX_free(context);
  EVP_PKEY_free(key);
  return good;
}

gboolean
peer_fail(GError **error, const char *format, ...)
{
  va_list args;

  va_start(args, format);
  g_autofree char *message = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, message);
  return FALSE;
}
