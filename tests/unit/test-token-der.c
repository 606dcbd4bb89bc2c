/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hand-made DER against OpenSSL's, and against cut and changed bytes. */
#include "token-harness.h"
#include "token/der.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <string.h>

static GBytes *
spki_of(EVP_PKEY *key)
{
  guint8 *der = NULL;
  int length = i2d_PUBKEY(key, &der);
  GBytes *bytes = g_bytes_new(der, (gsize)length);
  OPENSSL_free(der);
  return bytes;
}

static GBytes *
number_of(EVP_PKEY *key, const char *name)
{
  BIGNUM *number = NULL;
  guint8 bytes[1024];
  g_assert_cmpint(EVP_PKEY_get_bn_param(key, name, &number), ==, 1);
  int length = BN_bn2bin(number, bytes);
  BN_free(number);
  return g_bytes_new(bytes, (gsize)length);
}

static void
test_rsa_as_openssl(void)
{
  static const guint bits[] = { 1024, 2048, 2050, 3072 };
  for (gsize i = 0; i < G_N_ELEMENTS(bits); i++) {
    EVP_PKEY *key = EVP_RSA_gen(bits[i]);
    gsize n_length = 0, e_length = 0;
    TokenSpki facts;
    g_autoptr(GBytes) n = number_of(key, OSSL_PKEY_PARAM_RSA_N);
    g_autoptr(GBytes) e = number_of(key, OSSL_PKEY_PARAM_RSA_E);
    const guint8 *modulus = g_bytes_get_data(n, &n_length);
    const guint8 *exponent = g_bytes_get_data(e, &e_length);
    g_autoptr(GBytes) wanted = spki_of(key);
    g_autoptr(GBytes) made = token_spki_rsa(modulus, n_length, exponent, e_length);
    g_assert_true(g_bytes_equal(made, wanted));
    g_assert_true(token_spki_read(made, &facts));
    g_assert_cmpint(facts.kind, ==, BASE_KEY_RSA);
    g_assert_cmpint(facts.bits, ==, (int)bits[i]);
    g_assert_cmpuint(facts.modulus_length, ==, (bits[i] + 7) / 8);
    EVP_PKEY_free(key);
  }
}

static void
test_rsa_absurd_is_none(void)
{
  guint8 zeros[4096] = { 0 };
  guint8 ones[4096];
  memset(ones, 0xff, sizeof ones);
  g_assert_null(token_spki_rsa(zeros, 256, ones, 3));
  g_assert_null(token_spki_rsa(ones, 256, zeros, 3));
  g_assert_null(token_spki_rsa(ones, 0, ones, 3));
  g_assert_null(token_spki_rsa(ones, 4096, ones, 3));
  g_assert_null(token_spki_rsa(ones, 256, ones, 100));
}

static void
test_ec_point_in_each_form(void)
{
  static const struct {
    const char *name;
    BaseKeyKind kind;
  } curves[] = { { "P-256", BASE_KEY_EC_P256 },
                 { "P-384", BASE_KEY_EC_P384 },
                 { "P-521", BASE_KEY_EC_P521 } };
  for (gsize i = 0; i < G_N_ELEMENTS(curves); i++) {
    EVP_PKEY *key = EVP_EC_gen(curves[i].name);
    guint8 *point = NULL, wrapped[256] = { 0x04 };
    gsize length = EVP_PKEY_get1_encoded_public_key(key, &point), head = 1, oid_length = 0;
    const guint8 *oid = token_curve_oid(curves[i].kind, &oid_length);
    g_autoptr(GBytes) wanted = spki_of(key);
    if (length > 127)
      wrapped[head++] = 0x81;
    wrapped[head++] = (guint8)length;
    memcpy(wrapped + head, point, length);
    g_autoptr(GBytes) raw = token_spki_ec(oid, oid_length, point, length);
    g_autoptr(GBytes) octets = token_spki_ec(oid, oid_length, wrapped, head + length);
    g_assert_true(g_bytes_equal(raw, wanted));
    g_assert_true(g_bytes_equal(octets, wanted));
    for (gsize cut = 0; cut < head + length; cut++)
      if (cut != length || point[0] != wrapped[0]) {
        g_autoptr(GBytes) none = token_spki_ec(oid, oid_length, wrapped, cut);
        g_assert_true(!none || cut == length);
      }
    OPENSSL_free(point);
    EVP_PKEY_free(key);
  }
}

static void
test_ed25519_in_each_form(void)
{
  static const guint8 oid[] = { 0x06, 0x03, 0x2b, 0x65, 0x70 };
  static const guint8 name[] = "\x13\x0c"
                               "edwards25519";
  EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
  guint8 octets[34] = { 0x04, 0x20 }, bits[35] = { 0x03, 0x21, 0x00 };
  gsize length = 32;
  g_autoptr(GBytes) wanted = spki_of(key);

  g_assert_cmpint(EVP_PKEY_get_raw_public_key(key, octets + 2, &length), ==, 1);
  memcpy(bits + 3, octets + 2, 32);
  g_autoptr(GBytes) a = token_spki_ec(oid, sizeof oid, octets, sizeof octets);
  g_autoptr(GBytes) b = token_spki_ec(name, sizeof name - 1, octets + 2, 32);
  g_autoptr(GBytes) c = token_spki_ec(oid, sizeof oid, bits, sizeof bits);
  g_assert_true(g_bytes_equal(a, wanted));
  g_assert_true(g_bytes_equal(b, wanted));
  g_assert_true(g_bytes_equal(c, wanted));
  EVP_PKEY_free(key);
}

static void
test_certificate_key_is_found_or_none(void)
{
  EVP_PKEY *key = EVP_EC_gen("P-256");
  g_autoptr(GBytes) wanted = spki_of(key);
  g_autoptr(GBytes) certificate = self_signed(key, "alice");
  gsize length = 0;
  const guint8 *der = g_bytes_get_data(certificate, &length);
  g_autoptr(GBytes) found = token_spki_of_certificate(der, length);

  g_assert_true(g_bytes_equal(found, wanted));
  for (gsize cut = 0; cut < length; cut++) {
    g_autofree guint8 *part = g_memdup2(der, cut); /* so that a reader beyond its end is caught */
    g_assert_null(token_spki_of_certificate(part, cut));
  }
  for (int i = 0; i < 20000; i++) { /* changed bytes: anything but a crash */
    g_autofree guint8 *changed = g_memdup2(der, length);
    for (int n = g_test_rand_int_range(1, 4); n; n--)
      changed[g_test_rand_int_range(0, (gint32)length)] = (guint8)g_test_rand_int();
    g_autoptr(GBytes) spki = token_spki_of_certificate(changed, length);
  }
  EVP_PKEY_free(key);
}

static void
test_ecdsa_as_openssl(void)
{
  static const gsize halves[] = { 32, 48, 66 };
  for (int i = 0; i < 3000; i++) {
    gsize half = halves[i % 3];
    guint8 raw[132], der[TOKEN_ECDSA_DER_MAX], *wanted = NULL;
    RAND_bytes(raw, sizeof raw);
    memset(raw, 0, (gsize)(i / 3) % 4);         /* r with leading zeros */
    memset(raw + half, 0, (gsize)(i / 12) % 4); /* s too */
    ECDSA_SIG *signature = ECDSA_SIG_new();
    ECDSA_SIG_set0(signature, BN_bin2bn(raw, (int)half, NULL),
                   BN_bin2bn(raw + half, (int)half, NULL));
    int length = i2d_ECDSA_SIG(signature, &wanted);
    gsize made = token_ecdsa_der(raw, 2 * half, der);
    g_assert_cmpuint(made, ==, (gsize)length);
    g_assert_cmpint(memcmp(der, wanted, made), ==, 0);
    OPENSSL_free(wanted);
    ECDSA_SIG_free(signature);
  }
  guint8 zeros[140] = { 0 }, der[TOKEN_ECDSA_DER_MAX];
  g_assert_cmpuint(token_ecdsa_der(zeros, 64, der), ==, 0);
  zeros[3] = zeros[40] = 1;
  g_assert_cmpuint(token_ecdsa_der(zeros, 63, der), ==, 0);
  g_assert_cmpuint(token_ecdsa_der(zeros, 140, der), ==, 0);
  g_assert_cmpuint(token_ecdsa_der(zeros, 0, der), ==, 0);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/token/der/rsa-as-openssl", test_rsa_as_openssl);
  g_test_add_func("/token/der/rsa-absurd-none", test_rsa_absurd_is_none);
  g_test_add_func("/token/der/ec-point-each-form", test_ec_point_in_each_form);
  g_test_add_func("/token/der/ed25519-each-form", test_ed25519_in_each_form);
  g_test_add_func("/token/der/certificate-key-or-none", test_certificate_key_is_found_or_none);
  g_test_add_func("/token/der/ecdsa-as-openssl", test_ecdsa_as_openssl);
  return g_test_run();
}
