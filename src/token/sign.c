/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/der.h"
#include "token/operate.h"

#include <string.h>

#define ECDSA_RAW_MAX 132
#define ED25519_SIGNATURE 64
#define PREFIX_MAX 19
#define PKCS1_OVERHEAD 11 /* RFC 8017 9.2 */
#define DIGEST_INFO_MAX 160

/* DigestInfo up to the digest; RFC 8017 9.2, note 1. */
static const struct {
  WireHash hash;
  guint8 length;
  guint8 bytes[PREFIX_MAX];
} prefix_table[] = {
  { WIRE_SHA1,
    15,
    { 0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14 } },
  { WIRE_SHA224,
    19,
    { 0x30, 0x2d, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x04,
      0x05, 0x00, 0x04, 0x1c } },
  { WIRE_SHA256,
    19,
    { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
      0x05, 0x00, 0x04, 0x20 } },
  { WIRE_SHA384,
    19,
    { 0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02,
      0x05, 0x00, 0x04, 0x30 } },
  { WIRE_SHA512,
    19,
    { 0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03,
      0x05, 0x00, 0x04, 0x40 } },
};

static gsize
digest_info(const WireOperation *operation, guint8 out[DIGEST_INFO_MAX])
{
  gsize used = 0;
  for (gsize i = 0; i < G_N_ELEMENTS(prefix_table); i++)
    if (prefix_table[i].hash == operation->hash) {
      used = prefix_table[i].length;
      memcpy(out, prefix_table[i].bytes, used);
    }
  if (operation->data_length > DIGEST_INFO_MAX - used)
    return 0;
  memcpy(out + used, operation->data, operation->data_length);
  return used + operation->data_length;
}

/* C_SignInit, the PIN where the key wants one, C_Sign, and nothing between. */
static CK_RV
sign(TokenRun *run, CK_MECHANISM *mechanism, const guint8 *data, gsize length, guint8 *out,
     CK_ULONG *out_length)
{
  CK_FUNCTION_LIST *f = run->ask->token->module->f;
  CK_ULONG room = *out_length;
  CK_RV rv = f->C_SignInit(run->session, mechanism, run->handle);

  if (rv == CKR_OK)
    rv = token_context_login(run);
  if (rv == CKR_OK)
    rv = f->C_Sign(run->session, token_input(data), length, out, out_length);
  return rv == CKR_OK && *out_length > room ? CKR_FUNCTION_FAILED : rv;
}

static CK_RV
sign_rsa(TokenRun *run, CK_MECHANISM *mechanism, const guint8 *data, gsize length)
{
  CK_ULONG out = TOKEN_RESULT_MAX;
  CK_RV rv = sign(run, mechanism, data, length, run->result, &out);
  if (rv == CKR_OK && out != run->ask->key->modulus_length)
    return CKR_FUNCTION_FAILED;
  run->length = out;
  return rv;
}

static CK_RV
sign_pkcs1(TokenRun *run)
{
  CK_MECHANISM mechanism = { CKM_RSA_PKCS, NULL, 0 };
  guint8 info[DIGEST_INFO_MAX];
  gsize length = digest_info(run->ask->operation, info);

  if (!length || length + PKCS1_OVERHEAD > run->ask->key->modulus_length)
    return CKR_DATA_LEN_RANGE;
  return sign_rsa(run, &mechanism, info, length);
}

static CK_RV
sign_pss(TokenRun *run)
{
  const WireOperation *operation = run->ask->operation;
  CK_RSA_PKCS_PSS_PARAMS params = { token_hash_mechanism(operation->hash),
                                    token_hash_mgf(operation->mgf_hash), operation->salt };
  CK_MECHANISM mechanism = { CKM_RSA_PKCS_PSS, &params, sizeof params };

  if (operation->salt + operation->data_length + 2 > run->ask->key->modulus_length)
    return CKR_DATA_LEN_RANGE; /* RFC 8017 9.1.1 step 3 */
  return sign_rsa(run, &mechanism, operation->data, operation->data_length);
}

static CK_RV
sign_ecdsa(TokenRun *run)
{
  const WireOperation *operation = run->ask->operation;
  CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
  guint8 raw[ECDSA_RAW_MAX];
  CK_ULONG out = sizeof raw;
  gsize field = run->ask->key->field_length;
  /* FIPS 186-4 6.4: the leftmost bits count. Cards differ in whether they cut a long digest
   * themselves; for our curves the order has as many bytes as the field. */
  gsize length = MIN(operation->data_length, field);

  CK_RV rv = sign(run, &mechanism, operation->data, length, raw, &out);
  if (rv != CKR_OK)
    return rv;
  run->length = out == 2 * field ? token_ecdsa_der(raw, out, run->result) : 0;
  return run->length ? CKR_OK : CKR_FUNCTION_FAILED;
}

static CK_RV
sign_eddsa(TokenRun *run)
{
  const WireOperation *operation = run->ask->operation;
  CK_MECHANISM mechanism = { CKM_EDDSA, NULL, 0 };
  CK_ULONG out = TOKEN_RESULT_MAX;

  CK_RV rv = sign(run, &mechanism, operation->data, operation->data_length, run->result, &out);
  if (rv == CKR_OK && out != ED25519_SIGNATURE)
    return CKR_FUNCTION_FAILED;
  run->length = out;
  return rv;
}

CK_RV
token_sign(TokenRun *run)
{
  switch (run->ask->operation->mechanism) {
  case WIRE_RSA_PKCS1:
    return sign_pkcs1(run);
  case WIRE_RSA_PSS:
    return sign_pss(run);
  case WIRE_ECDSA:
    return sign_ecdsa(run);
  case WIRE_EDDSA:
    return sign_eddsa(run);
  default:
    return CKR_MECHANISM_INVALID;
  }
}
