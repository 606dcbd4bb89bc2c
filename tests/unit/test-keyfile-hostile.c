/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "keyfile-craft.h"
#include "keyfile/reader.h"

#include <string.h>
#include <time.h>

/* Files that are cut, damaged, or ask for more than they should. */

static World *world;

/* Of this process: what else the machine does is not its fault. */
static double
cpu_ms(void)
{
  return (double)clock() * 1000 / CLOCKS_PER_SEC;
}

/* ---- cut and damaged ---- */

typedef struct {
  const char *make; /* to "whole" */
  const char *passphrase;
  gboolean guarded; /* a MAC: what can be read at all is as it was */
} Sample;

static const Sample samples[] = {
  { "openssl pkcs12 -export -inkey alice.key -in alice.pem -certfile ca.pem -iter 1 -name A "
    "-passout pass:x -out whole",
    "x", TRUE },
  { "openssl pkcs12 -export -legacy -inkey bob.key -in bob.pem -iter 1 -passout pass:x -out whole",
    "x", TRUE },
  { "openssl pkcs12 -export -inkey bob.key -in bob.pem -iter 1 -nomac -keypbe NONE -certpbe NONE "
    "-passout pass: -out whole",
    NULL, FALSE },
  { "openssl pkcs8 -topk8 -in bob.key -iter 1 -passout pass:x -out whole", "x", FALSE },
  { "openssl pkey -traditional -in bob.key -aes128 -passout pass:x -out whole", "x", FALSE },
  { "openssl crl2pkcs7 -nocrl -certfile bob.pem -certfile ca.pem -outform DER -out whole", NULL,
    FALSE },
  { "openssl pkey -in alice.key -outform DER -out whole", NULL, FALSE },
};

static const KeyfileLimits small = { 1000, 1000, 5000, 1 << 20 };

static KeyfileContents *
read_bytes(const guint8 *bytes, gsize length, const char *passphrase)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) file = g_bytes_new(bytes, length);
  g_autoptr(BaseSecret) secret =
      passphrase ? base_secret_new_from(passphrase, strlen(passphrase)) : NULL;
  KeyfileContents *contents =
      keyfile_read_within(&small, world->library, file, "whole", secret, &error);
  g_assert_true((contents == NULL) == (error != NULL));
  g_autoptr(KeyfileSight) sight = keyfile_look(file);
  if (!sight->format)
    g_assert_false(sight->has_keys || sight->certificates->len);
  return contents;
}

/* No key and no certificate that was not there; a file may lose some. */
static void
expect_among(const KeyfileContents *whole, const KeyfileContents *contents)
{
  for (guint i = 0; contents && i < contents->items->len; i++) {
    const KeyfileItem *item = contents->items->pdata[i];
    gboolean found = FALSE;
    for (guint j = 0; j < whole->items->len; j++) {
      const KeyfileItem *other = whole->items->pdata[j];
      found = found || (other->kind == item->kind && g_bytes_equal(other->bytes, item->bytes));
    }
    g_assert_true(found);
  }
}

static KeyfileContents *
load_sample(const Sample *sample, GBytes **ret_file)
{
  world_run(world, "%s", sample->make);
  *ret_file = world_load(world, "whole");
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(*ret_file, &length);
  KeyfileContents *whole = read_bytes(bytes, length, sample->passphrase);
  g_assert_nonnull(whole);
  return whole;
}

static void
test_cut(void)
{
  for (gsize i = 0; i < G_N_ELEMENTS(samples); i++) {
    g_autoptr(GBytes) file = NULL;
    g_autoptr(KeyfileContents) whole = load_sample(&samples[i], &file);
    gsize length = 0;
    const guint8 *bytes = g_bytes_get_data(file, &length);
    /* Text may lose its last line break. */
    gsize needed = bytes[0] == 0x30 ? length : length - 1;
    for (gsize n = 0; n < length; n++) {
      g_autoptr(KeyfileContents) contents = read_bytes(bytes, n, samples[i].passphrase);
      if (n < needed && bytes[0] == 0x30)
        g_assert_null(contents);
      expect_among(whole, contents);
    }
  }
}

static void
test_flipped(void)
{
  const int rounds = g_test_thorough() ? 20000 : 700;
  for (gsize i = 0; i < G_N_ELEMENTS(samples); i++) {
    g_autoptr(GBytes) file = NULL;
    g_autoptr(KeyfileContents) whole = load_sample(&samples[i], &file);
    gsize length = 0;
    g_autofree guint8 *bytes = g_memdup2(g_bytes_get_data(file, NULL), g_bytes_get_size(file));
    length = g_bytes_get_size(file);
    for (int n = 0; n < rounds; n++) {
      gsize at = (gsize)g_test_rand_int_range(0, (gint32)length);
      guint8 was = bytes[at];
      bytes[at] = (guint8)(n % 2 ? was ^ (1 << g_test_rand_int_range(0, 8))
                                 : g_test_rand_int_range(0, 256));
      g_autoptr(KeyfileContents) contents = read_bytes(bytes, length, samples[i].passphrase);
      if (samples[i].guarded)
        expect_among(whole, contents);
      bytes[at] = was;
    }
  }
}

/* ---- bombs ---- */

static void
expect_refused(GBytes *file, const char *number)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSecret) secret = base_secret_new_from("x", 1);
  double start = cpu_ms();
  g_autoptr(KeyfileContents) contents =
      keyfile_read(world->library, file, "bomb.p12", secret, &error);
  double ms = cpu_ms() - start;
  g_assert_null(contents);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
  g_assert_nonnull(strstr(error->message, "bomb.p12"));
  if (!strstr(error->message, number))
    g_error("%s: not in: %s", number, error->message);
  g_test_message("%.2f ms: %s", ms, error->message);
  g_assert_cmpfloat(ms, <, 50);
}

static X509_ALGOR *
pbkdf2(int iterations)
{
  return PKCS5_pbe2_set(EVP_aes_256_cbc(), iterations, NULL, 0);
}

static X509_ALGOR *
pkcs12_pbe(int iterations)
{
  return PKCS5_pbe_set(NID_pbe_WithSHA1And3_Key_TripleDES_CBC, iterations, NULL, 8);
}

static void
test_key_bombs(void)
{
  static const guint8 iv[16] = { 0 };
  g_autoptr(GBytes) most = craft_sealed(pbkdf2(G_MAXINT));
  expect_refused(most, "2147483647");
  g_autoptr(GBytes) more = craft_sealed(pbkdf2(KEYFILE_ITERATIONS_MAX + 1));
  expect_refused(more, "10000001");
  g_autoptr(GBytes) old = craft_sealed(pkcs12_pbe(KEYFILE_ITERATIONS_MAX + 1));
  expect_refused(old, "10000001");
  g_autoptr(GBytes) memory = craft_sealed(craft_scrypt_algorithm(iv, 1 << 22, 8, 1));
  expect_refused(memory, "268435456");
  g_autoptr(GBytes) wide = craft_sealed(craft_scrypt_algorithm(iv, 2, G_MAXUINT64 / 2, 1));
  expect_refused(wide, "268435456");
  g_autoptr(GBytes) lanes = craft_sealed(craft_scrypt_algorithm(iv, 1 << 14, 8, 1 << 20));
  expect_refused(lanes, "137438953472");
  g_autoptr(GBytes) all = craft_sealed(craft_scrypt_algorithm(iv, 1 << 14, 8, G_MAXUINT64));
  expect_refused(all, "10000000");
}

static GBytes *
bomb_p12(X509_ALGOR *algorithm, int mac_iterations)
{
  Bags *bags = sk_PKCS12_SAFEBAG_new_null();
  g_autoptr(GBytes) sealed = craft_sealed(algorithm);
  const guint8 *at = g_bytes_get_data(sealed, NULL);
  X509_SIG *sig = d2i_X509_SIG(NULL, &at, (long)g_bytes_get_size(sealed));
  sk_PKCS12_SAFEBAG_push(bags, PKCS12_SAFEBAG_create0_pkcs8(sig));
  Safes *safes = NULL;
  PKCS12_add_safe(&safes, bags, -1, 0, NULL);
  PKCS12 *p12 = PKCS12_add_safes(safes, 0);
  if (mac_iterations > 0)
    g_assert_true(PKCS12_setup_mac(p12, mac_iterations, NULL, 0, EVP_sha256()));
  guint8 *der = NULL;
  int length = i2d_PKCS12(p12, &der);
  GBytes *file = g_bytes_new(der, (gsize)length);
  OPENSSL_free(der);
  PKCS12_free(p12);
  sk_PKCS7_pop_free(safes, PKCS7_free);
  sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
  return file;
}

static void
test_p12_bombs(void)
{
  g_autoptr(GBytes) mac = bomb_p12(pbkdf2(1), KEYFILE_ITERATIONS_MAX + 1);
  expect_refused(mac, "10000001");
  g_autoptr(GBytes) key = bomb_p12(pbkdf2(KEYFILE_ITERATIONS_MAX + 1), 0);
  expect_refused(key, "10000001");
}

static void
test_bad_parameters(void)
{
  static const guint8 iv[16] = { 0 };
  GBytes *files[] = { craft_sealed(craft_scrypt_algorithm(iv, 0, 8, 1)),
                      craft_sealed(craft_scrypt_algorithm(iv, 3, 8, 1)),
                      craft_sealed(craft_scrypt_algorithm(iv, 2, 0, 0)) };
  for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(BaseSecret) secret = base_secret_new_from("x", 1);
    g_assert_null(keyfile_read(world->library, files[i], "file", secret, &error));
    g_assert_true(g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT) ||
                  g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_UNSUPPORTED));
    g_bytes_unref(files[i]);
  }
}

/* Each within the bound, all together not. */
static void
test_many(void)
{
  world_run(world, "openssl pkcs8 -topk8 -in bob.key -iter 900 -passout pass:x -out one");
  world_run(world, "sh -c 'for i in 1 2 3 4 5 6; do cat one; done > six'");
  g_autoptr(GBytes) file = world_load(world, "six");
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSecret) secret = base_secret_new_from("x", 1);
  g_assert_null(keyfile_read_within(&small, world->library, file, "six", secret, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
  g_autoptr(KeyfileContents) contents = world_expect(world, "six", "x", "bob", "");
}

/* ---- sizes ---- */

static void
test_items(void)
{
  g_autoptr(GBytes) pem = world_load(world, "bob.pem");
  g_autoptr(GByteArray) many = g_byte_array_new();
  for (int i = 0; i <= KEYFILE_ITEMS_MAX; i++)
    g_byte_array_append(many, g_bytes_get_data(pem, NULL), (guint)g_bytes_get_size(pem));
  world_save(world, "many.pem", many->data, many->len);
  world_expect_error(world, "many.pem", NULL, SIGNET_ERROR_TOO_LARGE, "*1000*");
  g_autoptr(GBytes) file = world_load(world, "many.pem");
  g_autoptr(KeyfileSight) sight = keyfile_look(file);
  g_assert_cmpuint(sight->certificates->len, ==, 1); /* each once */
}

static void
test_size(void)
{
  g_autofree char *text = g_malloc0(KEYFILE_MAX + 1);
  g_autoptr(GBytes) pem = world_load(world, "bob.pem");
  memset(text, '\n', KEYFILE_MAX + 1);
  memcpy(text, g_bytes_get_data(pem, NULL), g_bytes_get_size(pem));
  world_save(world, "large.pem", text, KEYFILE_MAX + 1);
  world_expect_error(world, "large.pem", NULL, SIGNET_ERROR_TOO_LARGE, "*8388608*");
  world_save(world, "fits.pem", text, KEYFILE_MAX);
  g_autoptr(KeyfileContents) contents = world_expect(world, "fits.pem", NULL, "", "bob");
}

/* Blocks without an end: each must not cost a search of the whole file. */
static void
test_endless_blocks(void)
{
  static const char begin[] = "-----BEGIN CERTIFICATE-----\n";
  g_autoptr(GByteArray) text = g_byte_array_new();
  while (text->len < KEYFILE_MAX - sizeof begin)
    g_byte_array_append(text, (const guint8 *)begin, sizeof begin - 1);
  world_save(world, "endless.pem", text->data, text->len);
  double start = cpu_ms();
  world_expect_error(world, "endless.pem", NULL, SIGNET_ERROR_TOO_LARGE, "*1000*");
  g_assert_cmpfloat(cpu_ms() - start, <, 500);
}

/* A number of a megabyte must cost no arithmetic. */
static void
test_huge_rsa(void)
{
  g_autoptr(GByteArray) der = g_byte_array_new();
  const gsize size = 1024 * 1024;
  guint8 outer[] = { 0x30, 0x84, 0, 0, 0, 0, 0x02, 0x01, 0x00 };
  guint8 number[] = { 0x02, 0x83, 0x10, 0x00, 0x00 };
  static const guint8 rest[] = { 2, 1, 3, 2, 1, 3, 2, 1, 3, 2, 1, 3, 2, 1, 3, 2, 1, 3, 2, 1, 3 };
  gsize whole = 3 + sizeof number + size + sizeof rest;
  for (int i = 0; i < 4; i++)
    outer[2 + i] = (guint8)(whole >> (24 - 8 * i));
  g_autofree guint8 *value = g_malloc(size);
  memset(value, 0x55, size);
  g_byte_array_append(der, outer, sizeof outer);
  g_byte_array_append(der, number, sizeof number);
  g_byte_array_append(der, value, (guint)size);
  g_byte_array_append(der, rest, sizeof rest);
  world_save(world, "huge.key", der->data, der->len);
  double start = cpu_ms();
  world_expect_error(world, "huge.key", NULL, SIGNET_ERROR_UNSUPPORTED, "*larger than*");
  g_assert_cmpfloat(cpu_ms() - start, <, 500);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  world = world_new();
  g_test_add_func("/keyfile/hostile/each-length-fails-cleanly", test_cut);
  g_test_add_func("/keyfile/hostile/flipped-bytes-fail-cleanly", test_flipped);
  g_test_add_func("/keyfile/hostile/key-iterations-are-bounded", test_key_bombs);
  g_test_add_func("/keyfile/hostile/p12-iterations-are-bounded", test_p12_bombs);
  g_test_add_func("/keyfile/hostile/bad-parameters-are-refused", test_bad_parameters);
  g_test_add_func("/keyfile/hostile/many-derivations-are-bounded", test_many);
  g_test_add_func("/keyfile/hostile/many-items-are-bounded", test_items);
  g_test_add_func("/keyfile/hostile/size-is-bounded", test_size);
  g_test_add_func("/keyfile/hostile/endless-blocks-cost-nothing", test_endless_blocks);
  g_test_add_func("/keyfile/hostile/huge-rsa-costs-nothing", test_huge_rsa);
  int failed = g_test_run();
  world_free(world);
  return failed;
}
