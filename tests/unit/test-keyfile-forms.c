/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "keyfile-world.h"

#include <openssl/pem.h>
#include <string.h>

/* PEM, DER, PKCS #7 and PKCS #8: what CAs, openssl and Windows hand out. */

static World *world;

static void
save_text(const char *file, const char *text)
{
  world_save(world, file, text, strlen(text));
}

static char *
load_text(const char *file)
{
  g_autoptr(GBytes) bytes = world_load(world, file);
  return g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
}

/* ---- keys ---- */

static void
test_plain_keys(void)
{
  static const char *const names[] = { "alice", "bob", "ed" };
  static const char *const commands[] = { "pkcs8 -topk8 -nocrypt -outform PEM",
                                          "pkcs8 -topk8 -nocrypt -outform DER",
                                          "pkey -traditional -outform PEM",
                                          "pkey -outform DER" /* traditional, too */ };
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
    for (gsize j = 0; j < G_N_ELEMENTS(commands); j++) {
      if (strcmp(names[i], "ed") == 0 && j == 2) /* there is no such form */
        continue;
      world_run(world, "openssl %s -in %s.key -out plain.key", commands[j], names[i]);
      g_autoptr(KeyfileContents) contents = world_expect(world, "plain.key", NULL, names[i], "");
      g_autoptr(KeyfileContents) given = world_expect(world, "plain.key", "x", names[i], "");
    }
}

static void
test_sealed_pkcs8(void)
{
  static const char *const options[] = {
    "-v2 aes-256-cbc",
    "-v2 aes-256-cbc -v2prf hmacWithSHA512",
    "-v2 des3 -v2prf hmacWithSHA1",
    "-v2 aria-256-cbc",
    "-scrypt",
    "-v1 PBE-SHA1-3DES",
    "-v1 PBE-SHA1-RC2-40 -provider legacy -provider default",
    "-v1 PBE-MD5-DES -provider legacy -provider default",
    "-v2 rc2 -provider legacy -provider default",
  };
  for (gsize i = 0; i < G_N_ELEMENTS(options); i++)
    for (int der = 0; der < 2; der++) {
      world_run(world,
                "openssl pkcs8 -topk8 -in alice.key %s -passout pass:Secret1 -outform %s -out p8",
                options[i], der ? "DER" : "PEM");
      g_autoptr(KeyfileContents) contents = world_expect(world, "p8", "Secret1", "alice", "");
      g_assert_cmpstr(contents->format, ==, der ? "PKCS #8" : "PEM");
      world_expect_error(world, "p8", "wrong", SIGNET_ERROR_PIN_INCORRECT, "*passphrase*");
      world_expect_error(world, "p8", NULL, SIGNET_ERROR_PIN_REQUIRED, "*passphrase*");
    }
}

static void
test_sealed_traditional(void)
{
  static const char *const ciphers[] = { "-des3", "-aes128", "-aes256", "-camellia256",
                                         "-des -provider legacy -provider default" };
  for (gsize i = 0; i < G_N_ELEMENTS(ciphers); i++) {
    world_run(world, "openssl pkey -traditional -in alice.key %s -passout pass:Secret1 -out a.key",
              ciphers[i]);
    world_run(world, "openssl pkey -traditional -in bob.key %s -passout pass:Secret1 -out b.key",
              ciphers[i]);
    g_autoptr(KeyfileContents) rsa = world_expect(world, "a.key", "Secret1", "alice", "");
    g_autoptr(KeyfileContents) ec = world_expect(world, "b.key", "Secret1", "bob", "");
    world_expect_error(world, "a.key", "wrong", SIGNET_ERROR_PIN_INCORRECT, "*passphrase*");
    world_expect_error(world, "b.key", NULL, SIGNET_ERROR_PIN_REQUIRED, "*passphrase*");
  }
}

static void
test_gnutls_pkcs8(void)
{
  if (!world_has("certtool"))
    return;
  world_run(world, "certtool --to-p8 --load-privkey alice.key --password Secret1 --outfile g.p8");
  g_autoptr(KeyfileContents) contents = world_expect(world, "g.p8", "Secret1", "alice", "");
}

static void
test_useless_keys(void)
{
  static const struct {
    const char *make;
    const char *pattern;
  } keys[] = {
    { "openssl genpkey -algorithm X25519 -out u.key", "*X25519*" },
    { "openssl genpkey -algorithm ED448 -out u.key", "*ED448*" },
    { "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:768 -out u.key", "*768 bits*" },
    { "openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:1024 -out u.key",
      "*rsassaPss*" },
    { "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_primes:3 "
      "-out u.key",
      "*two primes*" },
    { "openssl ecparam -name secp256k1 -genkey -out u.key", "*secp256k1*" },
    { "openssl ecparam -name brainpoolP256r1 -genkey -noout -out u.key", "*brainpoolP256r1*" },
    { "openssl ecparam -name prime256v1 -genkey -param_enc explicit -noout -out u.key",
      "*spelled out*" },
    { "openssl genpkey -genparam -algorithm DSA -pkeyopt dsa_paramgen_bits:1024 -out u.key",
      "*DSA parameters*" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
    world_run(world, "%s", keys[i].make);
    world_expect_error(world, "u.key", NULL,
                       strstr(keys[i].pattern, "param") ? SIGNET_ERROR_BAD_INPUT
                                                        : SIGNET_ERROR_UNSUPPORTED,
                       keys[i].pattern);
    world_run(world, "sh -c 'cat u.key bob.pem bob.key > mixed.pem'");
    g_autoptr(KeyfileContents) contents = world_expect(world, "mixed.pem", NULL, "bob", "bob");
    world_expect_skipped(contents, keys[i].pattern);
  }
}

static void
test_dsa(void)
{
  world_run(world, "openssl genpkey -genparam -algorithm DSA -pkeyopt dsa_paramgen_bits:1024 "
                   "-out dsa.par");
  world_run(world, "openssl genpkey -paramfile dsa.par -out dsa.key");
  world_run(world, "openssl pkey -in dsa.key -traditional -out dsa.old");
  world_expect_error(world, "dsa.key", NULL, SIGNET_ERROR_UNSUPPORTED, "*DSA*");
  world_expect_error(world, "dsa.old", NULL, SIGNET_ERROR_BAD_INPUT, "*DSA*");
}

/* ---- mixes ---- */

static void
test_mix(void)
{
  world_run(world, "openssl pkcs12 -export -inkey alice.key -in alice.pem -certfile ca.pem "
                   "-name 'Alice A' -passout pass:Secret1 -out alice.p12");
  world_run(world, "openssl pkcs12 -in alice.p12 -passin pass:Secret1 -passout pass:Secret1 "
                   "-out bags.pem");
  world_run(world,
            "openssl pkey -traditional -in bob.key -aes128 -passout pass:Secret1 -out b.key");
  world_run(world, "openssl x509 -in bob.pem -trustout -addtrust emailProtection -out trusted.pem");
  world_run(world, "openssl req -new -key bob.key -subj /CN=Bob -out bob.csr");
  world_run(world, "openssl pkey -in bob.key -pubout -out bob.pub");
  world_run(world, "openssl ecparam -name prime256v1 -out ec.par");
  world_run(world, "sh -c 'openssl x509 -in ed.pem -text > ed.text; cat bags.pem ec.par b.key "
                   "trusted.pem bob.csr bob.pub bob.pem ed.text ed.key ed.key > mix.pem'");
  g_autofree char *mix = load_text("mix.pem");
  g_auto(GStrv) lines = g_strsplit(mix, "\n", -1);
  g_autofree char *crlf = g_strjoinv("\r\n", lines);
  g_autofree char *junk = g_strconcat("Dear Alice,\n-----BEGIN ---\n\n", crlf, "\nBye", NULL);
  save_text("junk.pem", junk);
  g_autoptr(KeyfileContents) contents =
      world_expect(world, "junk.pem", "Secret1", "alice bob ed", "alice ca bob ed");
  g_assert_cmpstr(contents->format, ==, "PEM");
  g_assert_cmpstr(((KeyfileItem *)contents->items->pdata[0])->label, ==, "Alice A");
  world_expect_skipped(contents, "a certificate request");
  world_expect_skipped(contents, "a public key");
  g_assert_cmpuint(contents->skipped->len, ==, 2);
}

static void
test_two_passphrases(void)
{
  world_run(world, "openssl pkcs8 -topk8 -in alice.key -passout pass:One -out one.key");
  world_run(world, "openssl pkey -traditional -aes128 -in bob.key -passout pass:Two -out two.key");
  world_run(world, "sh -c 'cat one.key two.key alice.pem > two.pem'");
  g_autoptr(KeyfileContents) one = world_expect(world, "two.pem", "One", "alice", "alice");
  world_expect_skipped(one, "a private key: it has another passphrase*");
  g_autoptr(KeyfileContents) two = world_expect(world, "two.pem", "Two", "bob", "alice");
  world_expect_error(world, "two.pem", "Three", SIGNET_ERROR_PIN_INCORRECT, "*passphrase*");
  world_expect_error(world, "two.pem", NULL, SIGNET_ERROR_PIN_REQUIRED, "*passphrase*");
}

static void
test_broken_blocks(void)
{
  g_autofree char *pem = load_text("bob.pem");
  g_autofree char *key = load_text("bob.key");
  g_autofree char *cut = g_strconcat(pem, "-----BEGIN CERTIFICATE-----\nMIIB\n", key, NULL);
  save_text("cut.pem", cut);
  g_autoptr(KeyfileContents) contents = world_expect(world, "cut.pem", NULL, "bob", "bob");
  world_expect_skipped(contents, "a damaged*CERTIFICATE*");
  pem[100] = '!';
  save_text("bad.pem", pem);
  world_expect_error(world, "bad.pem", NULL, SIGNET_ERROR_BAD_INPUT, "*damaged*");
  key[strlen(key) / 2] = '\0';
  save_text("half.pem", key);
  world_expect_error(world, "half.pem", NULL, SIGNET_ERROR_BAD_INPUT, "*damaged*");
}

static void
test_utf16(void)
{
  g_autofree char *pem = load_text("bob.pem");
  gsize length = 0;
  g_autofree char *wide = g_convert(pem, -1, "UTF-16", "UTF-8", NULL, &length, NULL);
  world_save(world, "wide.pem", wide, length);
  g_autoptr(KeyfileContents) contents = world_expect(world, "wide.pem", NULL, "", "bob");
}

/* ---- certificates ---- */

static void
test_der_certificates(void)
{
  world_run(world, "openssl x509 -in alice.pem -outform DER -out alice.cer");
  world_run(world, "openssl x509 -in ca.pem -outform DER -out ca.cer");
  world_run(world, "sh -c 'cat alice.cer ca.cer alice.cer > row.cer; echo >> row.cer; "
                   "cat row.cer > tail.cer; echo tail >> tail.cer'");
  g_autoptr(KeyfileContents) one = world_expect(world, "alice.cer", NULL, "", "alice");
  g_autoptr(KeyfileContents) row = world_expect(world, "row.cer", NULL, "", "alice ca");
  g_assert_cmpstr(row->format, ==, "DER certificate");
  g_assert_cmpuint(row->skipped->len, ==, 0);
  g_autoptr(KeyfileContents) tail = world_expect(world, "tail.cer", NULL, "", "alice ca");
  world_expect_skipped(tail, "*after the last certificate");
}

static void
test_pkcs7(void)
{
  world_run(world, "openssl crl2pkcs7 -nocrl -certfile alice.pem -certfile ca.pem -out c.p7b");
  world_run(world, "openssl pkcs7 -in c.p7b -outform DER -out der.p7b");
  world_run(world, "openssl base64 -in der.p7b -out base64.p7b");
  world_run(world, "sh -c 'sed s/PKCS7/CMS/ c.p7b > cms.p7b; base64 -w0 der.p7b > line.p7b'");
  world_run(world, "openssl cms -sign -signer alice.pem -inkey alice.key -certfile ca.pem "
                   "-in ca.pem -binary -outform DER -out mail.p7s");
  static const char *const files[] = { "c.p7b",   "der.p7b",  "base64.p7b",
                                       "cms.p7b", "line.p7b", "mail.p7s" };
  for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
    g_autoptr(KeyfileContents) contents = world_expect(world, files[i], NULL, "", "alice ca");
    g_assert_cmpuint(contents->skipped->len, ==, 0);
  }
  world_run(world, "openssl cms -encrypt -in ca.pem -outform DER -out mail.p7m alice.pem");
  world_expect_error(world, "mail.p7m", NULL, SIGNET_ERROR_BAD_INPUT, "*encrypted*");
}

/* ---- what is none ---- */

static void
test_strangers(void)
{
  world_run(world, "openssl req -new -key bob.key -subj /CN=Bob -outform DER -out bob.req");
  world_run(world, "openssl req -new -key bob.key -subj /CN=Bob -out bob.csr");
  world_run(world, "openssl pkey -in bob.key -pubout -outform DER -out bob.spki");
  world_run(world, "openssl rsa -in alice.key -RSAPublicKey_out -out alice.pub");
  world_run(world, "sh -c ': > index; openssl ca -gencrl -keyfile ca.key -cert ca.pem "
                   "-config /dev/stdin -out ca.crl -crldays 3 -md sha256 <<E\n[ca]\n"
                   "default_ca=d\n[d]\ndatabase=index\nE'");
  world_run(world, "openssl crl -in ca.crl -outform DER -out der.crl");
  save_text("ssh",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n");
  save_text("ssh.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 alice@example.org\n");
  save_text("pgp", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlIYE\n=abcd\n"
                   "-----END PGP PRIVATE KEY BLOCK-----\n");
  save_text("text", "Dear Alice, here is your certificate.\n");
  save_text("empty", "");
  world_save(world, "java", "\xfe\xed\xfe\xed\0\0\0\2", 8);
  static const struct {
    const char *file;
    const char *pattern;
  } files[] = {
    { "bob.req", "*a certificate request*" },
    { "bob.csr", "*a certificate request*" },
    { "bob.spki", "*a public key*" },
    { "alice.pub", "*a public key*" },
    { "ca.crl", "*revocation list*" },
    { "der.crl", "*revocation list*" },
    { "ssh", "*an SSH key*" },
    { "ssh.pub", "*an SSH key*" },
    { "pgp", "*an OpenPGP key*" },
    { "text", "*no certificate*" },
    { "empty", "*is empty*" },
    { "java", "*keytool*" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
    world_expect_error(world, files[i].file, NULL, SIGNET_ERROR_BAD_INPUT, files[i].pattern);
    g_autoptr(GBytes) bytes = world_load(world, files[i].file);
    g_autoptr(KeyfileSight) sight = keyfile_look(bytes);
    g_assert_null(sight->format);
    g_assert_false(sight->has_keys || sight->encrypted || sight->certificates->len);
  }
}

/* ---- looking ---- */

static void
test_look(void)
{
  static const struct {
    const char *make;
    const char *format;
    gboolean has_keys, encrypted;
    guint certificates;
  } files[] = {
    { "openssl pkcs12 -export -inkey alice.key -in alice.pem -passout pass:x", "PKCS #12", TRUE,
      TRUE, 0 },
    { "openssl pkcs12 -export -inkey alice.key -in alice.pem -passout pass:x -certpbe NONE",
      "PKCS #12", TRUE, TRUE, 1 },
    { "openssl pkcs12 -export -inkey alice.key -in alice.pem -passout pass:x -certpbe NONE "
      "-keypbe NONE -nomac",
      "PKCS #12", TRUE, FALSE, 1 },
    { "openssl pkcs8 -topk8 -in alice.key -passout pass:x", "PEM", TRUE, TRUE, 0 },
    { "openssl pkcs8 -topk8 -in alice.key -passout pass:x -outform DER", "PKCS #8", TRUE, TRUE, 0 },
    { "openssl pkey -traditional -in bob.key -aes128 -passout pass:x", "PEM", TRUE, TRUE, 0 },
    { "openssl pkey -in bob.key", "PEM", TRUE, FALSE, 0 },
    { "openssl pkcs8 -topk8 -nocrypt -in bob.key -outform DER", "PKCS #8", TRUE, FALSE, 0 },
    { "openssl pkey -in bob.key -outform DER", "EC private key", TRUE, FALSE, 0 },
    { "openssl pkey -in alice.key -outform DER", "RSA private key", TRUE, FALSE, 0 },
    { "openssl x509 -in alice.pem", "PEM", FALSE, FALSE, 1 },
    { "openssl x509 -in alice.pem -outform DER", "DER certificate", FALSE, FALSE, 1 },
    { "openssl crl2pkcs7 -nocrl -certfile alice.pem -certfile ca.pem -outform DER", "PKCS #7",
      FALSE, FALSE, 2 },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
    world_run(world, "%s -out look", files[i].make);
    g_autoptr(GBytes) bytes = world_load(world, "look");
    g_autoptr(KeyfileSight) sight = keyfile_look(bytes);
    g_assert_cmpstr(sight->format, ==, files[i].format);
    g_assert_cmpint(sight->has_keys, ==, files[i].has_keys);
    g_assert_cmpint(sight->encrypted, ==, files[i].encrypted);
    g_assert_cmpuint(sight->certificates->len, ==, files[i].certificates);
    if (sight->certificates->len)
      g_assert_nonnull(strstr(((BaseCert *)sight->certificates->pdata[0])->subject, "Alice"));
  }
}

/* The best of many: what else runs on the machine is not measured. */
static double
look_ms(GBytes *bytes)
{
  gint64 best = G_MAXINT64;
  for (int i = 0; i < 100; i++) {
    gint64 start = g_get_monotonic_time();
    keyfile_sight_free(keyfile_look(bytes));
    best = MIN(best, g_get_monotonic_time() - start);
  }
  return (double)best / 1000;
}

static void
test_look_time(void)
{
  static const char *const files[] = { "alice.p12", "alice.pem", "bob.pem", "alice.key" };
  g_autofree char *photo = g_malloc(1024 * 1024);
  for (gsize i = 0; i < 1024 * 1024; i++)
    photo[i] = (char)(i * 2654435761u >> 13);
  world_run(world, "openssl pkcs12 -export -inkey alice.key -in alice.pem -certfile ca.pem "
                   "-passout pass:Secret1 -out alice.p12");
  world_save(world, "photo", photo, 1024 * 1024);
  g_autoptr(GBytes) bytes = world_load(world, "photo");
  g_test_message("a megabyte of something else: %.4f ms", look_ms(bytes));
  memset(photo, 'x', 1024 * 1024);
  g_autoptr(GBytes) text = g_bytes_new_static(photo, 1024 * 1024);
  g_test_message("a megabyte of text: %.4f ms", look_ms(text));
  for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
    g_autoptr(GBytes) file = world_load(world, files[i]);
    double ms = look_ms(file);
    g_test_message("%s, %zu bytes: %.4f ms", files[i], g_bytes_get_size(file), ms);
    g_assert_cmpfloat(ms, <, 20); /* below 1 without sanitizers */
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  world = world_new();
  g_test_add_func("/keyfile/forms/plain-keys-are-read", test_plain_keys);
  g_test_add_func("/keyfile/forms/encrypted-pkcs8-is-read", test_sealed_pkcs8);
  g_test_add_func("/keyfile/forms/encrypted-traditional-is-read", test_sealed_traditional);
  g_test_add_func("/keyfile/forms/gnutls-pkcs8-is-read", test_gnutls_pkcs8);
  g_test_add_func("/keyfile/forms/useless-keys-are-skipped", test_useless_keys);
  g_test_add_func("/keyfile/forms/dsa-is-named", test_dsa);
  g_test_add_func("/keyfile/forms/mixed-pem-is-read", test_mix);
  g_test_add_func("/keyfile/forms/two-passphrases-open-one-each", test_two_passphrases);
  g_test_add_func("/keyfile/forms/broken-blocks-are-skipped", test_broken_blocks);
  g_test_add_func("/keyfile/forms/utf16-is-read", test_utf16);
  g_test_add_func("/keyfile/forms/der-certificates-are-read", test_der_certificates);
  g_test_add_func("/keyfile/forms/pkcs7-is-read", test_pkcs7);
  g_test_add_func("/keyfile/forms/strangers-are-named", test_strangers);
  g_test_add_func("/keyfile/forms/look-tells-what-it-is", test_look);
  g_test_add_func("/keyfile/forms/look-is-quick", test_look_time);
  int failed = g_test_run();
  world_free(world);
  return failed;
}
