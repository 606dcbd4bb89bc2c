/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "keyfile-world.h"

#include <string.h>

/* PKCS #12 as the programs that people have write it. */

static World *world;

#define EXPORT "openssl pkcs12 -export -inkey alice.key -in alice.pem -certfile ca.pem "

/* ---- openssl ---- */

static const struct {
  const char *name;
  const char *options;
} openssl_files[] = {
  { "new", "" },
  { "old", "-legacy" },
  { "3des", "-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1" },
  { "2des", "-legacy -keypbe PBE-SHA1-2DES -certpbe PBE-SHA1-2DES" },
  { "rc2-128", "-legacy -keypbe PBE-SHA1-RC2-128 -certpbe PBE-SHA1-RC2-128" },
  { "rc4-128", "-legacy -keypbe PBE-SHA1-RC4-128 -certpbe PBE-SHA1-RC4-128" },
  { "rc4-40", "-legacy -keypbe PBE-SHA1-RC4-40 -certpbe PBE-SHA1-RC4-40" },
  { "pbes1-md5-des", "-legacy -keypbe PBE-MD5-DES -certpbe PBE-MD5-DES" },
  { "pbes1-sha1-des", "-legacy -keypbe PBE-SHA1-DES -certpbe PBE-SHA1-DES" },
  { "pbes1-md5-rc2", "-legacy -keypbe PBE-MD5-RC2-64 -certpbe PBE-MD5-RC2-64" },
  { "aes-128", "-keypbe AES-128-CBC -certpbe AES-192-CBC" },
  { "pbes2-3des", "-keypbe DES-EDE3-CBC -certpbe DES-EDE3-CBC" },
  { "camellia", "-keypbe CAMELLIA-256-CBC -certpbe CAMELLIA-256-CBC" },
  { "mac-sha384", "-macalg sha384" },
  { "mac-sha512", "-macalg sha512" },
  { "mac-sha3", "-macalg sha3-256" },
  { "mac-md5", "-macalg md5" },
  { "one-round", "-iter 1 -nomaciter" },
  { "rounds", "-iter 100000" },
  { "open-certificates", "-certpbe NONE" },
  { "mac-only", "-keypbe NONE -certpbe NONE" },
};

static void
test_openssl(void)
{
  for (gsize i = 0; i < G_N_ELEMENTS(openssl_files); i++) {
    g_autofree char *file = g_strdup_printf("%s.p12", openssl_files[i].name);
    world_run(world, EXPORT "%s -name 'Alice (2024)' -passout pass:Secret1 -out %s",
              openssl_files[i].options, file);
    g_autoptr(KeyfileContents) contents = world_expect(world, file, "Secret1", "alice", "alice ca");
    const KeyfileItem *key = contents->items->pdata[0];
    g_assert_cmpstr(contents->format, ==, "PKCS #12");
    g_assert_cmpstr(key->label, ==, "Alice (2024)");
    g_assert_cmpuint(contents->skipped->len, ==, 0);
    world_expect_error(world, file, "secret1", SIGNET_ERROR_PIN_INCORRECT, "*passphrase*");
    world_expect_error(world, file, NULL, SIGNET_ERROR_PIN_REQUIRED, "*passphrase*");
    world_expect_error(world, file, "", SIGNET_ERROR_PIN_REQUIRED, "*passphrase*");
  }
}

static void
test_no_mac(void)
{
  static const char *const options[] = { "", "-legacy", "-certpbe NONE" };
  for (gsize i = 0; i < G_N_ELEMENTS(options); i++) {
    world_run(world, EXPORT "%s -nomac -passout pass:Secret1 -out nomac.p12", options[i]);
    g_autoptr(KeyfileContents) contents =
        world_expect(world, "nomac.p12", "Secret1", "alice", "alice ca");
    world_expect_skipped(contents, "no integrity check*");
    world_expect_error(world, "nomac.p12", "wrong", SIGNET_ERROR_PIN_INCORRECT, "*passphrase*");
    world_expect_error(world, "nomac.p12", NULL, SIGNET_ERROR_PIN_REQUIRED, "*passphrase*");
  }
}

static void
test_open(void)
{
  world_run(world, EXPORT "-nomac -keypbe NONE -certpbe NONE -passout pass: -out open.p12");
  g_autoptr(KeyfileContents) none = world_expect(world, "open.p12", NULL, "alice", "alice ca");
  g_autoptr(KeyfileContents) any = world_expect(world, "open.p12", "any", "alice", "alice ca");
}

static void
test_certificates_only(void)
{
  world_run(world, "openssl pkcs12 -export -nokeys -in alice.pem -certfile ca.pem "
                   "-passout pass:Secret1 -out certs.p12");
  g_autoptr(KeyfileContents) contents = world_expect(world, "certs.p12", "Secret1", "", "alice ca");
}

static void
test_empty_passphrase(void)
{
  static const char *const options[] = { "", "-legacy", "-nomac" };
  for (gsize i = 0; i < G_N_ELEMENTS(options); i++) {
    world_run(world, EXPORT "%s -passout pass: -out empty.p12", options[i]);
    g_autoptr(KeyfileContents) none = world_expect(world, "empty.p12", NULL, "alice", "alice ca");
    g_autoptr(KeyfileContents) empty = world_expect(world, "empty.p12", "", "alice", "alice ca");
    world_expect_error(world, "empty.p12", "x", SIGNET_ERROR_PIN_INCORRECT, "*passphrase*");
  }
}

/* ---- passphrases beyond ASCII ---- */

#define UMLAUTS        \
  "Gr\xc3\xbc\xc3\x9f" \
  "e\xc2\xa7" /* Grüße§ */
#define UMLAUTS_LATIN1 \
  "Gr\xfc\xdf"         \
  "e\xa7"
/* The bytes of UMLAUTS, each a character. */
#define UMLAUTS_TWICE                  \
  "Gr\xc3\x83\xc2\xbc\xc3\x83\xc2\x9f" \
  "e\xc3\x82\xc2\xa7"
#define ASTRAL "\xe2\x82\xac\xf0\x9f\x94\x91" /* € and a key, beyond the BMP */

static void
test_utf8(void)
{
  static const char *const options[] = { "", "-legacy", "-nomac" };
  static const char *const passphrases[] = { UMLAUTS, ASTRAL };
  for (gsize i = 0; i < G_N_ELEMENTS(options); i++)
    for (gsize j = 0; j < G_N_ELEMENTS(passphrases); j++) {
      world_run(world, EXPORT "%s -passout 'pass:%s' -out utf8.p12", options[i], passphrases[j]);
      g_autoptr(KeyfileContents) contents =
          world_expect(world, "utf8.p12", passphrases[j], "alice", "alice ca");
      world_expect_error(world, "utf8.p12", "Grusse", SIGNET_ERROR_PIN_INCORRECT, "*");
    }
}

/* OpenSSL before 1.1.0 widened the terminal's bytes, whatever they meant. */
static void
test_old_bytes(void)
{
  world_run(world, EXPORT "-legacy -passout 'pass:" UMLAUTS_TWICE "' -out bytes.p12");
  g_autoptr(KeyfileContents) contents =
      world_expect(world, "bytes.p12", UMLAUTS, "alice", "alice ca");
}

/* A terminal in Latin-1, read on one in UTF-8. */
static void
test_latin1(void)
{
  static const char *const options[] = { "", "-legacy", "-nomac" };
  world_save(world, "pass", UMLAUTS_LATIN1, strlen(UMLAUTS_LATIN1));
  for (gsize i = 0; i < G_N_ELEMENTS(options); i++) {
    world_run(world, EXPORT "%s -passout file:pass -out latin1.p12", options[i]);
    g_autoptr(KeyfileContents) there =
        world_expect(world, "latin1.p12", UMLAUTS_LATIN1, "alice", "alice ca");
    g_autoptr(KeyfileContents) here =
        world_expect(world, "latin1.p12", UMLAUTS, "alice", "alice ca");
  }
}

/* ---- other programs ---- */

/* Each asks for some 600,000 rounds: what a wrong passphrase costs is seen once. */
static void
expect_one_wrong(const char *file)
{
  static gboolean seen = FALSE;
  gint64 start = g_get_monotonic_time();
  if (seen)
    return;
  seen = TRUE;
  world_expect_error(world, file, "wrong", SIGNET_ERROR_PIN_INCORRECT, "*passphrase*");
  g_test_message("a wrong passphrase for %s: %" G_GINT64_FORMAT " ms", file,
                 (g_get_monotonic_time() - start) / 1000);
}

static void
test_gnutls(void)
{
  static const struct {
    const char *options;
    const char *format;
  } files[] = { { "--pkcs-cipher aes-256", "PEM" },
                { "--pkcs-cipher rc2-40 --outder", "PKCS #12" } };
  if (!world_has("certtool"))
    return;
  for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
    world_run(world,
              "certtool --to-p12 --load-privkey alice.key --load-certificate alice.pem "
              "--load-ca-certificate ca.pem --p12-name Alice --password Secret1 %s "
              "--outfile gnutls.p12",
              files[i].options);
    g_autoptr(KeyfileContents) contents =
        world_expect(world, "gnutls.p12", "Secret1", "alice", "alice ca");
    g_assert_cmpstr(contents->format, ==, files[i].format);
    expect_one_wrong("gnutls.p12");
  }
}

/* BER of indefinite length. */
static void
test_nss(void)
{
  static const char *const ciphers[] = { "-c AES-256-CBC -C AES-128-CBC",
                                         "-c 'PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC' "
                                         "-C 'PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC'" };
  if (!world_has("pk12util") || !world_has("certutil"))
    return;
  world_run(world, EXPORT "-name Alice -passout pass:Secret1 -out in.p12");
  world_run(world, "mkdir nss");
  world_save(world, "db", "", 0);
  world_save(world, "p12", UMLAUTS "\n", strlen(UMLAUTS) + 1);
  world_run(world, "certutil -N -d sql:nss --empty-password");
  world_run(world, "pk12util -i in.p12 -d sql:nss -k db -W Secret1");
  for (gsize i = 0; i < G_N_ELEMENTS(ciphers); i++) {
    world_run(world, "pk12util -o nss.p12 -n Alice -d sql:nss -k db -w p12 %s", ciphers[i]);
    g_autoptr(KeyfileContents) contents =
        world_expect(world, "nss.p12", UMLAUTS, "alice", "alice ca");
    g_assert_cmpstr(((KeyfileItem *)contents->items->pdata[0])->label, ==, "Alice");
  }
}

static void
test_java(void)
{
  if (!world_has("keytool"))
    return;
  world_run(world, EXPORT "-name Alice -passout pass:Secret1 -out in.p12");
  world_run(world, "keytool -importkeystore -noprompt -srckeystore in.p12 -srcstoretype pkcs12 "
                   "-srcstorepass Secret1 -destkeystore java.p12 -deststoretype pkcs12 "
                   "-deststorepass Changed2");
  g_autoptr(KeyfileContents) contents =
      world_expect(world, "java.p12", "Changed2", "alice", "alice ca");
  world_expect_error(world, "java.p12", "wrong", SIGNET_ERROR_PIN_INCORRECT, "*");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  world = world_new();
  g_test_add_func("/keyfile/pkcs12/openssl-each-encryption-is-read", test_openssl);
  g_test_add_func("/keyfile/pkcs12/no-mac-is-read-and-said", test_no_mac);
  g_test_add_func("/keyfile/pkcs12/nothing-encrypted-needs-no-passphrase", test_open);
  g_test_add_func("/keyfile/pkcs12/certificates-only-are-read", test_certificates_only);
  g_test_add_func("/keyfile/pkcs12/empty-passphrase-is-tried", test_empty_passphrase);
  g_test_add_func("/keyfile/pkcs12/utf8-passphrase-fits", test_utf8);
  g_test_add_func("/keyfile/pkcs12/old-openssl-bytes-fit", test_old_bytes);
  g_test_add_func("/keyfile/pkcs12/latin1-terminal-fits", test_latin1);
  g_test_add_func("/keyfile/pkcs12/gnutls-is-read", test_gnutls);
  g_test_add_func("/keyfile/pkcs12/nss-ber-is-read", test_nss);
  g_test_add_func("/keyfile/pkcs12/java-is-read", test_java);
  int failed = g_test_run();
  world_free(world);
  return failed;
}
