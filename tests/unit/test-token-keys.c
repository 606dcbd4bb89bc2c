/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on real keys of each kind, confirmed by OpenSSL. */
#include "token-harness.h"

#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <string.h>

#define ALL_FLAGS (WIRE_KEY_SIGN | WIRE_KEY_DECRYPT | WIRE_KEY_DERIVE)
#define KEY_MAX 64

static void
assert_equal(GBytes *bytes, const guint8 *expected, gsize length)
{
  g_autoptr(GBytes) wanted = g_bytes_new(expected, length);
  g_assert_true(g_bytes_equal(bytes, wanted));
}

static WireObject *
make(Host *host, const char *kind)
{
  g_autoptr(GError) error = NULL;
  WireObject *object = host_generate(host, kind, "key", ALL_FLAGS, &error);
  g_assert_no_error(error);
  g_assert_nonnull(object);
  return object;
}

static gboolean
verifies(const WireObject *object, const WireOperation *operation, GBytes *signature)
{
  EVP_PKEY *key = object_key(object);
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(signature, &length);
  gboolean ok = EVP_PKEY_verify_init(ctx) == 1;

  if (operation->mechanism == WIRE_RSA_PSS) {
    ok = ok && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, (int)operation->salt) == 1 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, wire_hash_name(operation->mgf_hash), NULL) == 1;
  }
  if (operation->hash != WIRE_HASH_NONE)
    ok = ok && EVP_PKEY_CTX_set_signature_md(
                   ctx, EVP_get_digestbyname(wire_hash_name(operation->hash))) == 1;
  ok = ok && EVP_PKEY_verify(ctx, bytes, length, operation->data, operation->data_length) == 1;
  EVP_PKEY_CTX_free(ctx);
  EVP_PKEY_free(key);
  return ok;
}

static void
sign_and_verify(Host *host, const WireObject *object, WireMechanism mechanism, WireHash hash,
                guint32 salt)
{
  guint8 digest[64];
  g_autoptr(GError) error = NULL;
  WireOperation operation = { .verb = WIRE_SIGN,
                              .mechanism = mechanism,
                              .hash = hash,
                              .mgf_hash = hash,
                              .salt = salt,
                              .data = digest,
                              .data_length = wire_hash_length(hash) };
  RAND_bytes(digest, sizeof digest);
  g_autoptr(GBytes) signature = host_operate(host, object->key, &operation, "", &error);
  g_assert_no_error(error);
  g_assert_true(verifies(object, &operation, signature));
  digest[0] ^= 1;
  g_assert_false(verifies(object, &operation, signature));
}

static void
test_rsa_signs(void)
{
  static const WireHash hashes[] = { WIRE_SHA1, WIRE_SHA224, WIRE_SHA256, WIRE_SHA384,
                                     WIRE_SHA512 };
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(WireObject) object = make(host, "rsa:2048");
  g_assert_cmpstr(object->key_kind, ==, "rsa:2048");
  g_assert_cmpuint(g_bytes_get_size(object->id), ==, 20);
  g_assert_true(object->flags & WIRE_KEY_SENSITIVE);
  g_assert_false(object->flags & WIRE_KEY_EXTRACTABLE);
  for (gsize i = 0; i < G_N_ELEMENTS(hashes); i++) {
    sign_and_verify(host, object, WIRE_RSA_PKCS1, hashes[i], 0);
    sign_and_verify(host, object, WIRE_RSA_PSS, hashes[i], (guint32)wire_hash_length(hashes[i]));
  }
}

static void
test_ec_signs(void)
{
  static const char *const kinds[] = { "ec:p256", "ec:p384", "ec:p521" };
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
    g_autoptr(WireObject) object = make(host, kinds[i]);
    g_assert_cmpstr(object->key_kind, ==, kinds[i]);
    for (int n = 0; n < 20; n++) /* short r and s turn up */
      sign_and_verify(host, object, WIRE_ECDSA, n % 2 ? WIRE_SHA256 : WIRE_SHA512, 0);
  }
}

static void
test_ed25519_signs(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_autoptr(WireObject) object = make(host, "ed25519");
  g_autofree guint8 *message = g_malloc(WIRE_SIGN_DATA_MAX);
  static const gsize sizes[] = { 1, 64, 5000, WIRE_SIGN_DATA_MAX };

  RAND_bytes(message, WIRE_SIGN_DATA_MAX);
  g_assert_cmpstr(object->key_kind, ==, "ed25519");
  for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
    WireOperation operation = {
      .verb = WIRE_SIGN, .mechanism = WIRE_EDDSA, .data = message, .data_length = sizes[i]
    };
    g_autoptr(GBytes) signature = host_operate(host, object->key, &operation, "", &error);
    g_assert_no_error(error);
    EVP_PKEY *key = object_key(object);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    g_assert_cmpint(EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key), ==, 1);
    g_assert_cmpint(EVP_DigestVerify(ctx, g_bytes_get_data(signature, NULL),
                                     g_bytes_get_size(signature), message, sizes[i]),
                    ==, 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
  }
}

static gsize
encrypt_to(const WireObject *object, int padding, const WireOperation *oaep, const guint8 *key,
           gsize length, guint8 *out)
{
  EVP_PKEY *public = object_key(object);
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(public, NULL);
  gsize out_length = TOKEN_MODULUS_MAX;

  g_assert_cmpint(EVP_PKEY_encrypt_init(ctx), ==, 1);
  g_assert_cmpint(EVP_PKEY_CTX_set_rsa_padding(ctx, padding), ==, 1);
  if (oaep) {
    EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, wire_hash_name(oaep->hash), NULL);
    EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, wire_hash_name(oaep->mgf_hash), NULL);
    if (oaep->label_length)
      EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, OPENSSL_memdup(oaep->label, oaep->label_length),
                                       (int)oaep->label_length);
  }
  g_assert_cmpint(EVP_PKEY_encrypt(ctx, out, &out_length, key, length), ==, 1);
  EVP_PKEY_CTX_free(ctx);
  EVP_PKEY_free(public);
  return out_length;
}

static GBytes *
decrypt(Host *host, const WireObject *object, const guint8 *data, gsize length, guint32 wanted,
        GError **error)
{
  WireOperation operation = { .verb = WIRE_DECRYPT,
                              .mechanism = WIRE_RSA_PKCS1,
                              .wanted = wanted,
                              .data = data,
                              .data_length = length };
  return host_operate(host, object->key, &operation, "", error);
}

static void
test_pkcs1_decrypts_and_rejects_implicitly(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_autoptr(WireObject) object = make(host, "rsa:2048");
  guint8 key[KEY_MAX], out[TOKEN_MODULUS_MAX];

  RAND_bytes(key, sizeof key);
  gsize length = encrypt_to(object, RSA_PKCS1_PADDING, NULL, key, 32, out);
  g_autoptr(GBytes) good = decrypt(host, object, out, length, 32, &error);
  g_assert_no_error(error);
  assert_equal(good, key, 32);

  /* the right padding, another length than wanted: rejected like any other */
  g_autoptr(GBytes) other = decrypt(host, object, out, length, 24, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(g_bytes_get_size(other), ==, 24);
  g_assert_cmpint(memcmp(g_bytes_get_data(other, NULL), key, 24), !=, 0);

  out[length - 1] ^= 1; /* a bad one: an answer all the same, always the same one */
  g_autoptr(GBytes) bad = decrypt(host, object, out, length, 32, &error);
  g_assert_no_error(error);
  g_autoptr(GBytes) again = decrypt(host, object, out, length, 32, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(g_bytes_get_size(bad), ==, 32);
  g_assert_true(g_bytes_equal(bad, again));
  g_assert_cmpint(memcmp(g_bytes_get_data(bad, NULL), key, 32), !=, 0);
  out[length - 1] ^= 3; /* another bad one: another answer */
  g_autoptr(GBytes) third = decrypt(host, object, out, length, 32, &error);
  g_assert_no_error(error);
  g_assert_false(g_bytes_equal(bad, third));
  g_assert_false(host_heard(host, WIRE_HOST_LOGGED_OUT));
}

static void
test_wrong_length_is_bad_input(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_autoptr(WireObject) object = make(host, "rsa:2048");
  guint8 data[300] = { 1 };

  g_assert_null(decrypt(host, object, data, 255, 32, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_clear_error(&error);
  g_assert_null(decrypt(host, object, data, 257, 32, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_clear_error(&error);
  g_assert_null(decrypt(host, object, data, 256, 0, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
}

static void
test_oaep_decrypts(void)
{
  static const struct {
    WireHash hash, mgf;
    const char *label;
  } cases[] = { { WIRE_SHA1, WIRE_SHA1, "" },     { WIRE_SHA256, WIRE_SHA256, "" },
                { WIRE_SHA256, WIRE_SHA1, "" },   { WIRE_SHA384, WIRE_SHA384, "" },
                { WIRE_SHA512, WIRE_SHA512, "" }, { WIRE_SHA1, WIRE_SHA1, "label" } };
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_autoptr(WireObject) object = make(host, "rsa:2048");
  guint8 key[32], out[TOKEN_MODULUS_MAX];

  RAND_bytes(key, sizeof key);
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    WireOperation operation = { .verb = WIRE_DECRYPT,
                                .mechanism = WIRE_RSA_OAEP,
                                .hash = cases[i].hash,
                                .mgf_hash = cases[i].mgf,
                                .label = (const guint8 *)cases[i].label,
                                .label_length = strlen(cases[i].label),
                                .data = out };
    operation.data_length =
        encrypt_to(object, RSA_PKCS1_OAEP_PADDING, &operation, key, sizeof key, out);
    g_autoptr(GBytes) plain = host_operate(host, object->key, &operation, "", &error);
    g_assert_no_error(error);
    assert_equal(plain, key, sizeof key);
    out[operation.data_length - 1] ^= 1;
    g_assert_null(host_operate(host, object->key, &operation, "", &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_CANNOT_DECRYPT);
    g_clear_error(&error);
  }
}

static void
derive_with(Host *host, const char *kind, const char *curve)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(WireObject) object = make(host, kind);
  EVP_PKEY *ours = EVP_EC_gen(curve);
  EVP_PKEY *theirs = object_key(object);
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(ours, NULL);
  guint8 expected[66], *point = NULL;
  gsize length = sizeof expected;

  gsize point_length = EVP_PKEY_get1_encoded_public_key(ours, &point);
  g_assert_cmpint(EVP_PKEY_derive_init(ctx), ==, 1);
  g_assert_cmpint(EVP_PKEY_derive_set_peer(ctx, theirs), ==, 1);
  g_assert_cmpint(EVP_PKEY_derive(ctx, expected, &length), ==, 1);
  WireOperation operation = {
    .verb = WIRE_DERIVE, .mechanism = WIRE_ECDH, .data = point, .data_length = point_length
  };
  g_autoptr(GBytes) secret = host_operate(host, object->key, &operation, "", &error);
  g_assert_no_error(error);
  assert_equal(secret, expected, length);

  point[point_length - 1] ^= 1; /* off the curve */
  g_assert_null(host_operate(host, object->key, &operation, "", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  OPENSSL_free(point);
  EVP_PKEY_CTX_free(ctx);
  EVP_PKEY_free(ours);
  EVP_PKEY_free(theirs);
}

static void
test_ecdh_agrees(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  derive_with(host, "ec:p256", "P-256");
  derive_with(host, "ec:p384", "P-384");
  derive_with(host, "ec:p521", "P-521");
}

static void
test_mechanism_of_another_kind_is_unsupported(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_autoptr(WireObject) object = make(host, "ec:p256");
  guint8 digest[32] = { 1 };
  WireOperation operation = { .verb = WIRE_SIGN,
                              .mechanism = WIRE_RSA_PKCS1,
                              .hash = WIRE_SHA256,
                              .data = digest,
                              .data_length = sizeof digest };
  g_assert_null(host_operate(host, object->key, &operation, "", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_UNSUPPORTED);
}

static void
test_locked_token_wants_pin_then_works_again(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_autoptr(WireObject) object = make(host, "ec:p256");
  guint8 digest[32] = { 1 };
  WireOperation operation = { .verb = WIRE_SIGN,
                              .mechanism = WIRE_ECDSA,
                              .hash = WIRE_SHA256,
                              .data = digest,
                              .data_length = 32 };
  g_assert_true(host_logout(host, NULL));
  g_assert_null(host_operate(host, object->key, &operation, "", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED);
  g_clear_error(&error);
  g_assert_true(host_login(host, FALSE, TEST_PIN, NULL));
  sign_and_verify(host, object, WIRE_ECDSA, WIRE_SHA256, 0); /* the handle is another one now */
}

static void
test_unknown_key_is_not_found(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  guint8 digest[32] = { 1 };
  WireOperation operation = { .verb = WIRE_SIGN,
                              .mechanism = WIRE_ECDSA,
                              .hash = WIRE_SHA256,
                              .data = digest,
                              .data_length = 32 };
  g_autofree char *name = g_strnfill(64, 'a');
  g_assert_null(host_operate(host, name, &operation, "", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/token/keys/rsa-signs", test_rsa_signs);
  g_test_add_func("/token/keys/ec-signs", test_ec_signs);
  g_test_add_func("/token/keys/ed25519-signs", test_ed25519_signs);
  g_test_add_func("/token/keys/pkcs1-decrypts-rejects-implicitly",
                  test_pkcs1_decrypts_and_rejects_implicitly);
  g_test_add_func("/token/keys/wrong-length-bad-input", test_wrong_length_is_bad_input);
  g_test_add_func("/token/keys/oaep-decrypts", test_oaep_decrypts);
  g_test_add_func("/token/keys/ecdh-agrees", test_ecdh_agrees);
  g_test_add_func("/token/keys/other-mechanism-unsupported",
                  test_mechanism_of_another_kind_is_unsupported);
  g_test_add_func("/token/keys/locked-wants-pin-then-works",
                  test_locked_token_wants_pin_then_works_again);
  g_test_add_func("/token/keys/unknown-key-not-found", test_unknown_key_is_not_found);
  return g_test_run();
}
