/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Private keys: which kinds there are for mail and tokens, and whether one is whole. */

#include "base/error.h"
#include "keyfile/reader.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#define RSA_BITS_MIN 1024
#define RSA_BITS_MAX 16384
/* OpenSSL refuses larger exponents with large moduli, and tokens with any. */
#define RSA_EXPONENT_BITS_MAX 64
/* PKCS #8 of RSA 16384 takes 9.3 KB. Decoding costs more than the bytes are long. */
#define KEY_DER_MAX (16 * 1024)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BN_CTX, BN_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIGNUM, BN_clear_free)

/* ---- whole? ---- */

typedef struct {
  BIGNUM *n, *e, *d, *p, *q, *dp, *dq, *qinv;
} Numbers;

static void
numbers_clear(Numbers *numbers)
{
  BIGNUM *all[] = { numbers->n, numbers->e,  numbers->d,  numbers->p,
                    numbers->q, numbers->dp, numbers->dq, numbers->qinv };
  for (gsize i = 0; i < G_N_ELEMENTS(all); i++)
    BN_clear_free(all[i]);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Numbers, numbers_clear)

static gboolean
numbers_get(const EVP_PKEY *pkey, Numbers *numbers)
{
  return EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &numbers->n) &&
         EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &numbers->e) &&
         EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_D, &numbers->d) &&
         EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_FACTOR1, &numbers->p) &&
         EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_FACTOR2, &numbers->q) &&
         EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_EXPONENT1, &numbers->dp) &&
         EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_EXPONENT2, &numbers->dq) &&
         EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, &numbers->qinv);
}

/* d·e = 1 (mod prime-1), and d = exponent (mod prime-1). */
static gboolean
exponent_fits(const Numbers *numbers, const BIGNUM *prime, const BIGNUM *exponent, BN_CTX *context)
{
  g_autoptr(BIGNUM) order = BN_secure_new();
  g_autoptr(BIGNUM) result = BN_secure_new();
  return order && result && BN_sub(order, prime, BN_value_one()) && !BN_is_zero(order) &&
         BN_mod_mul(result, numbers->d, numbers->e, order, context) && BN_is_one(result) &&
         BN_mod(result, numbers->d, order, context) && BN_cmp(result, exponent) == 0;
}

/* Not EVP_PKEY_check(): its primality tests take a minute at 16384 bits, and what tells a damaged
 * key is the arithmetic between its numbers. Trying the key would not do: OpenSSL goes round
 * damaged CRT numbers, where a token would not. */
static gboolean
rsa_is_whole(const EVP_PKEY *pkey)
{
  g_auto(Numbers) numbers = { 0 };
  g_autoptr(BN_CTX) context = BN_CTX_secure_new();
  g_autoptr(BIGNUM) result = BN_secure_new();
  if (!context || !result || !numbers_get(pkey, &numbers))
    return FALSE;
  if (!BN_is_odd(numbers.e) || BN_is_one(numbers.e) || !BN_is_odd(numbers.p) ||
      !BN_is_odd(numbers.q))
    return FALSE;
  return BN_mul(result, numbers.p, numbers.q, context) && BN_cmp(result, numbers.n) == 0 &&
         exponent_fits(&numbers, numbers.p, numbers.dp, context) &&
         exponent_fits(&numbers, numbers.q, numbers.dq, context) &&
         BN_mod_mul(result, numbers.q, numbers.qinv, numbers.p, context) && BN_is_one(result);
}

static gboolean
is_whole(KeyfileReader *reader, EVP_PKEY *pkey)
{
  if (EVP_PKEY_is_a(pkey, "RSA"))
    return rsa_is_whole(pkey);
  g_autoptr(EVP_PKEY_CTX) context = EVP_PKEY_CTX_new_from_pkey(reader->library, pkey, NULL);
  return context && EVP_PKEY_check(context) == 1;
}

/* ---- which kind? ---- */

static char *
kind_of(EVP_PKEY *pkey)
{
  static const struct {
    BaseKeyKind kind;
    const char *group;
  } groups[] = { { BASE_KEY_EC_P256, "prime256v1" },
                 { BASE_KEY_EC_P384, "secp384r1" },
                 { BASE_KEY_EC_P521, "secp521r1" } };
  char group[64] = "";
  if (EVP_PKEY_is_a(pkey, "RSA"))
    return base_key_kind_text(BASE_KEY_RSA, EVP_PKEY_get_bits(pkey));
  if (EVP_PKEY_is_a(pkey, "ED25519"))
    return base_key_kind_text(BASE_KEY_ED25519, 256);
  EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS(groups); i++)
    if (g_strcmp0(groups[i].group, group) == 0)
      return base_key_kind_text(groups[i].kind, 0);
  return g_strdup("other");
}

static gboolean
check_rsa(EVP_PKEY *pkey, GError **error)
{
  int bits = EVP_PKEY_get_bits(pkey);
  g_autoptr(BIGNUM) e = NULL;
  BIGNUM *read = NULL;
  if (bits < RSA_BITS_MIN)
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "an RSA key of %d bits: too weak for anything (below %d)", bits,
                          RSA_BITS_MIN);
  if (bits > RSA_BITS_MAX)
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "an RSA key of %d bits: larger than %d, which nothing can use", bits,
                          RSA_BITS_MAX);
  if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_FACTOR3, &read)) {
    BN_clear_free(read);
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "an RSA key of more than two primes: no token takes one");
  }
  ERR_clear_error();
  if (!EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &read))
    return base_error_set_openssl(error, SIGNET_ERROR_BAD_INPUT, "a damaged RSA key");
  e = read;
  if (BN_num_bits(e) > RSA_EXPONENT_BITS_MAX)
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "an RSA key with a public exponent of more than %d bits",
                          RSA_EXPONENT_BITS_MAX);
  return TRUE;
}

/* By its algorithm, before OpenSSL computes anything with numbers of whatever size (the public
 * part of a DSA key, say). */
static gboolean
check_algorithm(const X509_ALGOR *algorithm, GError **error)
{
  const ASN1_OBJECT *object = NULL;
  const void *parameter = NULL;
  int type = V_ASN1_UNDEF;
  char name[80] = "";
  X509_ALGOR_get0(&object, &type, &parameter, algorithm);
  int nid = OBJ_obj2nid(object);
  if (nid == NID_rsaEncryption || nid == NID_ED25519)
    return TRUE;
  if (nid == NID_X9_62_id_ecPublicKey && type == V_ASN1_OBJECT) {
    int curve = OBJ_obj2nid(parameter);
    if (curve == NID_X9_62_prime256v1 || curve == NID_secp384r1 || curve == NID_secp521r1)
      return TRUE;
    OBJ_obj2txt(name, sizeof name, parameter, 0);
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "a key of the curve %s: there are P-256, P-384, P-521 and Ed25519 here",
                          name);
  }
  if (nid == NID_X9_62_id_ecPublicKey)
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "an EC key whose curve is spelled out instead of named");
  OBJ_obj2txt(name, sizeof name, object, 0);
  return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                        "a key of the kind %s, which signet has no use for",
                        nid == NID_dsa ? "DSA" : name);
}

static EVP_PKEY *
make(KeyfileReader *reader, const PKCS8_PRIV_KEY_INFO *key, GError **error)
{
  const X509_ALGOR *algorithm = NULL;
  int length = 0;
  if (!PKCS8_pkey_get0(NULL, NULL, &length, &algorithm, key)) {
    base_error_set_openssl(error, SIGNET_ERROR_BAD_INPUT, "a damaged private key");
    return NULL;
  }
  if (!check_algorithm(algorithm, error))
    return NULL;
  if (length > KEY_DER_MAX) {
    base_error_set(error, SIGNET_ERROR_UNSUPPORTED, "a key of %d bytes: larger than %d", length,
                   KEY_DER_MAX);
    return NULL;
  }
  ERR_clear_error();
  g_autoptr(EVP_PKEY) pkey = EVP_PKCS82PKEY_ex(key, reader->library, NULL);
  if (!pkey) {
    base_error_set_openssl(error, SIGNET_ERROR_BAD_INPUT, "a damaged private key");
    return NULL;
  }
  if (EVP_PKEY_is_a(pkey, "RSA") && !check_rsa(pkey, error))
    return NULL;
  if (!is_whole(reader, pkey)) {
    ERR_clear_error();
    base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                   "a damaged private key: its parts do not belong together");
    return NULL;
  }
  return g_steal_pointer(&pkey);
}

/* ---- into the contents ---- */

static void
keep(KeyfileReader *reader, EVP_PKEY *pkey, const char *label)
{
  guint8 *spki = NULL;
  int length = i2d_PUBKEY(pkey, &spki);
  g_autoptr(GBytes) bytes = g_bytes_new(spki, length > 0 ? (gsize)length : 0);
  OPENSSL_free(spki);
  g_autofree char *name = base_key_name(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
  /* Certificates are known by their fingerprints: another hash, of other bytes. */
  if (!g_hash_table_add(reader->known, g_strdup(name)))
    return;
  KeyfileItem *item = g_new0(KeyfileItem, 1);
  item->kind = KEYFILE_KEY;
  item->key = g_steal_pointer(&name);
  item->label = keyfile_reader_label(label);
  item->key_kind = kind_of(pkey);
  item->bytes = g_steal_pointer(&bytes);
  EVP_PKEY_up_ref(pkey);
  item->pkey = pkey;
  g_ptr_array_add(reader->contents->items, item);
}

gboolean
keyfile_reader_add_key(KeyfileReader *reader, const PKCS8_PRIV_KEY_INFO *key, const char *label,
                       GError **error)
{
  g_autoptr(GError) reason = NULL;
  if (!keyfile_reader_count(reader, error))
    return FALSE;
  if (reader->sight) {
    reader->sight->has_keys = TRUE;
    return TRUE;
  }
  g_autoptr(EVP_PKEY) pkey = make(reader, key, &reason);
  if (pkey) {
    keep(reader, pkey, label);
    return TRUE;
  }
  g_autofree char *shown = keyfile_reader_label(label);
  if (shown)
    keyfile_reader_skip(reader, (SignetError)reason->code, "\"%s\": %s", shown, reason->message);
  else
    keyfile_reader_skip(reader, (SignetError)reason->code, "%s", reason->message);
  return TRUE;
}
