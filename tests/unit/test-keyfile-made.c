/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "keyfile-craft.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <string.h>

/* PKCS #12 and PKCS #8 that no command here writes. */

static World *world;

/* ---- several, nested, junk ---- */

static void
test_three_keys(void)
{
  static const char *const names[] = { "alice", "bob", "ed" };
  Bags *keys = sk_PKCS12_SAFEBAG_new_null();
  Bags *certs = sk_PKCS12_SAFEBAG_new_null();
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
    sk_PKCS12_SAFEBAG_push(keys, craft_key_bag(world, names[i], "Secret1", 100 + (int)i));
    sk_PKCS12_SAFEBAG_push(certs, craft_cert_bag(world, names[i]));
    PKCS12_add_friendlyname_utf8(sk_PKCS12_SAFEBAG_value(certs, (int)i), names[i], -1);
  }
  sk_PKCS12_SAFEBAG_push(keys, craft_key_bag(world, "bob", "Secret1", 1)); /* once more */
  Safes *safes = NULL;
  PKCS12_add_safe(&safes, keys, -1, 0, NULL);
  PKCS12_add_safe(&safes, certs, NID_aes_128_cbc, 77, "Secret1");
  craft_save(world, "three.p12", safes, "Secret1");
  sk_PKCS12_SAFEBAG_pop_free(keys, PKCS12_SAFEBAG_free);
  sk_PKCS12_SAFEBAG_pop_free(certs, PKCS12_SAFEBAG_free);
  g_autoptr(KeyfileContents) contents =
      world_expect(world, "three.p12", "Secret1", "alice bob ed", "alice bob ed");
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) /* named by their certificates */
    g_assert_cmpstr(((KeyfileItem *)contents->items->pdata[i])->label, ==, names[i]);
}

static void
test_junk(void)
{
  Bags *inner = sk_PKCS12_SAFEBAG_new_null();
  sk_PKCS12_SAFEBAG_push(inner, craft_cert_bag(world, "ca"));
  sk_PKCS12_SAFEBAG_push(inner, craft_open_key_bag(world, "bob"));
  Bags *bags = sk_PKCS12_SAFEBAG_new_null();
  sk_PKCS12_SAFEBAG_push(bags, craft_key_bag(world, "alice", "Secret1", 10));
  sk_PKCS12_SAFEBAG_push(bags, craft_key_bag(world, "ed", "Other", 10));
  sk_PKCS12_SAFEBAG_push(bags, craft_nested_bag(inner, 3));
  sk_PKCS12_SAFEBAG_push(bags, craft_nested_bag(inner, 1));
  PKCS12_add_secret(&bags, NID_id_smime_aa, (const guint8 *)"secret", 6);
  sk_PKCS12_SAFEBAG_push(bags, craft_unknown_bag());
  X509_CRL *crl = craft_crl();
  sk_PKCS12_SAFEBAG_push(bags, PKCS12_SAFEBAG_create_crl(crl));
  X509_CRL_free(crl);
  Safes *safes = NULL;
  PKCS12_add_safe(&safes, bags, -1, 0, NULL);
  craft_save(world, "junk.p12", safes, "Secret1");
  sk_PKCS12_SAFEBAG_pop_free(inner, PKCS12_SAFEBAG_free);
  sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
  g_autoptr(KeyfileContents) contents =
      world_expect(world, "junk.p12", "Secret1", "alice bob", "ca");
  world_expect_skipped(contents, "a secret*");
  world_expect_skipped(contents, "something of an unknown kind (1.2.3.4)");
  world_expect_skipped(contents, "a certificate revocation list");
  world_expect_skipped(contents, "a private key: it has another passphrase*");
  g_assert_cmpuint(contents->skipped->len, ==, 4);
}

static void
test_deep(void)
{
  static const int depths[] = { 9, 20, 31, 2000 };
  Bags *inner = sk_PKCS12_SAFEBAG_new_null();
  sk_PKCS12_SAFEBAG_push(inner, craft_cert_bag(world, "ca"));
  for (gsize i = 0; i < G_N_ELEMENTS(depths); i++) {
    g_autoptr(GBytes) deep = craft_nested_safe(inner, depths[i]);
    g_autoptr(GBytes) file = craft_pfx(deep, "Secret1");
    world_save(world, "deep.p12", g_bytes_get_data(file, NULL), g_bytes_get_size(file));
    g_autoptr(GError) error = NULL;
    g_assert_null(world_read(world, "deep.p12", "Secret1", &error));
    g_assert_true(g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE) ||
                  g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT));
  }
  sk_PKCS12_SAFEBAG_pop_free(inner, PKCS12_SAFEBAG_free);
}

/* ---- passphrases ---- */

static void
test_missing_passphrase(void)
{
  static const int schemes[] = { NID_pbe_WithSHA1And3_Key_TripleDES_CBC, NID_aes_256_cbc };
  for (gsize i = 0; i < G_N_ELEMENTS(schemes); i++) {
    EVP_PKEY *key = craft_key(world, "bob");
    X509 *x509 = world_x509(world, "bob");
    PKCS12 *p12 = PKCS12_create(NULL, "Bob", key, x509, NULL, schemes[i], schemes[i], 10, -1, 0);
    g_assert_nonnull(p12);
    g_assert_true(PKCS12_set_mac(p12, NULL, 0, NULL, 0, 10, EVP_sha256()));
    craft_save_p12(world, "none.p12", p12);
    EVP_PKEY_free(key);
    X509_free(x509);
    g_autoptr(KeyfileContents) none = world_expect(world, "none.p12", NULL, "bob", "bob");
    g_autoptr(KeyfileContents) empty = world_expect(world, "none.p12", "", "bob", "bob");
    world_expect_error(world, "none.p12", "x", SIGNET_ERROR_PIN_INCORRECT, "*");
  }
}

/* Old NSS: the key derivation of PBES2 got the BMPString. */
static void
test_wide_pbes2(void)
{
  static const char wide[] = "\0S\0e\0c\0r\0e\0t\0\x31\0";
  EVP_PKEY *key = craft_key(world, "bob");
  PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(key);
  X509_SIG *sealed = PKCS8_encrypt(-1, EVP_aes_256_cbc(), wide, sizeof wide, NULL, 0, 10, p8);
  Bags *bags = sk_PKCS12_SAFEBAG_new_null();
  sk_PKCS12_SAFEBAG_push(bags, PKCS12_SAFEBAG_create0_pkcs8(sealed));
  Safes *safes = NULL;
  PKCS12_add_safe(&safes, bags, -1, 0, NULL);
  craft_save(world, "wide.p12", safes, "Secret1");
  sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
  PKCS8_PRIV_KEY_INFO_free(p8);
  EVP_PKEY_free(key);
  g_autoptr(KeyfileContents) contents = world_expect(world, "wide.p12", "Secret1", "bob", "");
}

/* ---- encodings and functions ---- */

static void
test_indefinite(void)
{
  world_run(world, "openssl pkcs12 -export -inkey alice.key -in alice.pem -certfile ca.pem "
                   "-passout pass:Secret1 -out der.p12");
  g_autoptr(GBytes) der = world_load(world, "der.p12");
  g_autoptr(GBytes) ber = craft_indefinite(der);
  world_save(world, "ber.p12", g_bytes_get_data(ber, NULL), g_bytes_get_size(ber));
  g_autoptr(KeyfileContents) contents =
      world_expect(world, "ber.p12", "Secret1", "alice", "alice ca");
  g_autoptr(KeyfileSight) sight = keyfile_look(ber);
  g_assert_cmpstr(sight->format, ==, "PKCS #12");
}

static void
test_pbmac1(void)
{
  static const struct {
    const char *prf, *mac;
    int key_length;
  } macs[] = { { "SHA256", "SHA256", 32 }, { "SHA256", "SHA512", 64 }, { "SHA512", "SHA512", 64 } };
  for (gsize i = 0; i < G_N_ELEMENTS(macs); i++) {
    world_run(world, "openssl pkcs12 -export -inkey bob.key -in bob.pem -nomac "
                     "-passout pass:Secret1 -out nomac.p12");
    g_autoptr(GBytes) plain = world_load(world, "nomac.p12");
    g_autoptr(GBytes) file =
        craft_pbmac1(plain, "Secret1", macs[i].prf, macs[i].mac, macs[i].key_length);
    world_save(world, "pbmac1.p12", g_bytes_get_data(file, NULL), g_bytes_get_size(file));
    g_autoptr(KeyfileContents) contents =
        world_expect(world, "pbmac1.p12", "Secret1", "bob", "bob");
    g_assert_cmpuint(contents->skipped->len, ==, 0);
    world_expect_error(world, "pbmac1.p12", "wrong", SIGNET_ERROR_PIN_INCORRECT, "*");
  }
}

/* 128 MiB: beyond what OpenSSL's own reader allows. */
static void
test_scrypt(void)
{
  g_autoptr(GBytes) file = craft_scrypt(world, "bob", "Secret1", 1 << 17, 8, 1);
  world_save(world, "scrypt.p8", g_bytes_get_data(file, NULL), g_bytes_get_size(file));
  g_autoptr(KeyfileContents) contents = world_expect(world, "scrypt.p8", "Secret1", "bob", "");
}

/* ---- an OpenSSL without its legacy provider ---- */

static void
test_no_legacy(void)
{
  OSSL_LIB_CTX *full = world->library;
  world_run(world, "openssl pkcs12 -export -legacy -inkey alice.key -in alice.pem "
                   "-passout pass:Secret1 -out old.p12");
  world_run(world, "openssl pkcs12 -export -legacy -nokeys -in alice.pem "
                   "-passout pass:Secret1 -out oldcerts.p12");
  g_assert_false(
      OSSL_PROVIDER_available(NULL, "legacy")); /* keyfile_library_new() kept to its own */
  world->library = OSSL_LIB_CTX_new();
  OSSL_PROVIDER_load(world->library, "default");
  g_autoptr(KeyfileContents) contents = world_expect(world, "old.p12", "Secret1", "alice", "");
  world_expect_skipped(contents, "an encrypted part: *RC2-40-CBC*legacy provider*");
  world_expect_error(world, "oldcerts.p12", "Secret1", SIGNET_ERROR_UNSUPPORTED, "*legacy*");
  g_clear_pointer(&contents, keyfile_contents_free);
  keyfile_library_free(world->library);
  world->library = full;
}

/* ---- damaged keys ---- */

static void
test_damaged_rsa(void)
{
  static const char *const parts[] = { "n",
                                       "e",
                                       "d",
                                       "rsa-factor1",
                                       "rsa-factor2",
                                       "rsa-exponent1",
                                       "rsa-exponent2",
                                       "rsa-coefficient1" };
  for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
    g_autoptr(GBytes) der = craft_damaged_rsa(world, "alice", parts[i]);
    world_save(world, "damaged.key", g_bytes_get_data(der, NULL), g_bytes_get_size(der));
    world_expect_error(world, "damaged.key", NULL, SIGNET_ERROR_BAD_INPUT, "*damaged*");
  }
}

/* The public key stands there, too. */
static void
test_damaged_ec(void)
{
  world_run(world, "openssl pkcs8 -topk8 -nocrypt -in bob.key -outform DER -out whole.key");
  g_autoptr(GBytes) whole = world_load(world, "whole.key");
  gsize length = 0;
  const guint8 *from = g_bytes_get_data(whole, &length);
  g_autofree guint8 *bytes = g_memdup2(from, length);
  bytes[45] ^= 1; /* of the private value */
  world_save(world, "other.key", bytes, length);
  world_expect_error(world, "other.key", NULL, SIGNET_ERROR_BAD_INPUT, "*damaged*");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  world = world_new();
  g_test_add_func("/keyfile/made/three-keys-are-read-once", test_three_keys);
  g_test_add_func("/keyfile/made/junk-and-nested-bags-are-passed", test_junk);
  g_test_add_func("/keyfile/made/deep-nesting-is-refused", test_deep);
  g_test_add_func("/keyfile/made/missing-passphrase-is-tried", test_missing_passphrase);
  g_test_add_func("/keyfile/made/wide-pbes2-fits", test_wide_pbes2);
  g_test_add_func("/keyfile/made/indefinite-length-is-read", test_indefinite);
  g_test_add_func("/keyfile/made/pbmac1-is-checked", test_pbmac1);
  g_test_add_func("/keyfile/made/scrypt-of-128-mib-is-read", test_scrypt);
  g_test_add_func("/keyfile/made/no-legacy-provider-is-said", test_no_legacy);
  g_test_add_func("/keyfile/made/damaged-rsa-is-refused", test_damaged_rsa);
  g_test_add_func("/keyfile/made/damaged-ec-is-refused", test_damaged_ec);
  int failed = g_test_run();
  world_free(world);
  return failed;
}
