/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "test-cms-soft.h"

#include <glib/gstdio.h>
#include <openssl/cms.h>
#include <openssl/rand.h>
#include <string.h>

/* Sealing as it comes: openssl(1), gpgsm and we ourselves open it; both of them seal, we open. */

static GBytes *
random_bytes(gsize length)
{
  guint8 *bytes = g_malloc(length + 1);
  g_assert_cmpint(RAND_bytes(bytes, (int)length), ==, 1);
  return g_bytes_new_take(bytes, length);
}

static BaseSink *
seal_start(const SoftKey *key, const char *cipher, gint64 length, BaseSink *out, GError **error)
{
  g_autoptr(GPtrArray) recipients = g_ptr_array_new();
  g_ptr_array_add(recipients, key->cert);
  CmsSealing sealing = { recipients, cipher, FALSE, length };
  return cms_seal_new(&sealing, out, error);
}

static GBytes *
seal(const SoftKey *key, const char *cipher, GBytes *content, gboolean known, gsize step)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSink) memory = base_sink_to_memory(G_MAXINT);
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(content, &length);
  g_autoptr(BaseSink) sink = seal_start(key, cipher, known ? (gint64)length : -1, memory, &error);
  g_assert_no_error(error);
  for (gsize at = 0; at < length;) {
    gsize want = step ? step : (gsize)g_test_rand_int_range(1, 3000);
    gsize take = MIN(want, length - at);
    g_assert_true(base_sink_write(sink, bytes + at, take, &error));
    at += take;
  }
  g_assert_true(base_sink_finish(sink, &error));
  g_assert_no_error(error);
  return base_sink_memory_bytes(memory);
}

static void
assert_opens(const SoftKey *key, GBytes *message, GBytes *content)
{
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(GError) error = NULL;
  g_ptr_array_add(token->keys, (SoftKey *)(guintptr)key);
  g_autoptr(CmsOpened) opened = cms_decrypt_with(&token->vtable, message, &error);
  g_assert_no_error(error);
  g_assert_true(g_bytes_equal(opened->content, content));
}

/* ---- ours, theirs to open ---- */

static const char *const cipher_table[] = { "aes-128-cbc", "aes-192-cbc", "aes-256-cbc",
                                            "aes-128-gcm", "aes-192-gcm", "aes-256-gcm" };

/* DER is one way of encoding: decoded and encoded again it is the same. */
static void
assert_der(GBytes *message)
{
  const guint8 *bytes = g_bytes_get_data(message, NULL);
  const guint8 *at = bytes;
  guint8 *der = NULL;
  CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)g_bytes_get_size(message));
  g_assert_nonnull(cms);
  int length = i2d_CMS_ContentInfo(cms, &der);
  soft_assert_bytes(message, der, (gsize)length);
  OPENSSL_free(der);
  CMS_ContentInfo_free(cms);
}

static void
test_openssl(gconstpointer data)
{
  static const gsize sizes[] = { 0, 1, 15, 16, 17, 100, 32767, 32768, 32769, 65536, 150001 };
  const char *kind = data;
  g_autoptr(SoftKey) key = soft_key_simple(kind);
  soft_write_key(key, "key");
  for (gsize c = 0; c < G_N_ELEMENTS(cipher_table); c++)
    for (gsize i = c % 2; i < G_N_ELEMENTS(sizes); i += 2)
      for (int known = 0; known < 2; known++) {
        g_autoptr(GBytes) content = random_bytes(sizes[i]);
        g_autoptr(GBytes) message = seal(key, cipher_table[c], content, known, 0);
        g_autofree char *path = soft_write("sealed", message);
        if (known)
          assert_der(message);
        assert_opens(key, message, content);
        g_assert_cmpint(soft_run(NULL, "openssl cms -decrypt -binary -inform DER -in sealed "
                                       "-inkey key.pem -recip key.crt -out opened"),
                        ==, 0);
        g_autoptr(GBytes) opened = soft_read("opened");
        g_assert_true(g_bytes_equal(opened, content));
      }
}

/* Chunks do not tell how the content came: lengths of the message are the same. */
static void
test_pieces(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("rsa:2048");
  g_autoptr(GBytes) content = random_bytes(100000);
  for (int known = 0; known < 2; known++)
    for (gsize c = 2; c < 6; c += 3) {
      gsize length = 0;
      static const gsize steps[] = { 100000, 0, 1, 16, 65536 };
      for (gsize i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autoptr(GBytes) message = seal(key, cipher_table[c], content, known, steps[i]);
        g_assert_true(length == 0 || length == g_bytes_get_size(message));
        length = g_bytes_get_size(message);
        assert_opens(key, message, content);
      }
    }
}

/* ---- gpgsm ---- */

static void
gpgsm_start(const SoftKey *ca)
{
  static const char script[] =
      "exec gpgsm --batch --yes --disable-dirmngr --disable-crl-checks --pinentry-mode loopback "
      "--passphrase-fd 8 8<<<x \"$@\"\n";
  g_autofree char *home = g_build_filename(soft_folder(), "gpg", NULL);
  g_autofree char *config = g_build_filename(home, "gpg-agent.conf", NULL);
  g_autofree char *trust = g_build_filename(home, "trustlist.txt", NULL);
  g_autoptr(GString) line = g_string_new(NULL);
  g_autoptr(GBytes) lines = g_bytes_new_static(script, strlen(script));
  guint8 digest[20];
  unsigned int size = 0;
  g_mkdir(home, 0700);
  g_setenv("GNUPGHOME", home, TRUE);
  X509_digest(ca->x509, EVP_sha1(), digest, &size);
  for (guint i = 0; i < sizeof digest; i++)
    g_string_append_printf(line, "%02X", digest[i]);
  g_string_append(line, " S relax\n");
  g_assert_true(g_file_set_contents(trust, line->str, -1, NULL));
  /* Else the agent measures the machine, and takes as long for each key. */
  g_assert_true(g_file_set_contents(config, "s2k-count 65536\n", -1, NULL));
  g_autofree char *path = soft_write("gpgsm.sh", lines);
  soft_write_key(ca, "ca");
  g_assert_cmpint(soft_run(NULL, "bash gpgsm.sh --import ca.crt"), ==, 0);
}

/* gpgsm 2.2.40 refuses one key in twenty. */
static SoftKey *
gpgsm_key(const SoftKey *ca)
{
  SoftWish wish = { "rsa:2048", "alice@example.org", ca, FALSE, -1, 30 };
  for (guint i = 0; i < 5; i++) {
    g_autoptr(SoftKey) key = soft_key_new(&wish);
    soft_write_key(key, "key");
    g_assert_cmpint(soft_run(NULL, "openssl pkcs12 -export -legacy -inkey key.pem -in key.crt -out "
                                   "key.p12 -passout pass:x"),
                    ==, 0);
    if (soft_run(NULL, "bash gpgsm.sh --import key.p12") == 0)
      return g_steal_pointer(&key);
  }
  return NULL;
}

static void
gpgsm_end(void)
{
  soft_run(NULL, "gpgconf --kill gpg-agent");
  soft_run(NULL, "rm -rf gpg");
}

static void
test_gpgsm(void)
{
  static const gsize sizes[] = { 0, 1, 16, 5000, 100000 };
  SoftWish wish = { "rsa:2048", "ca@example.org", NULL, TRUE, -1, 30 };
  g_autofree char *program = g_find_program_in_path("gpgsm");
  g_autoptr(SoftKey) ca = soft_key_new(&wish);
  if (!program) {
    g_test_skip("no gpgsm");
    return;
  }
  gpgsm_start(ca);
  g_autoptr(SoftKey) key = gpgsm_key(ca);
  g_assert_nonnull(key);
  for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
    g_autoptr(GBytes) content = random_bytes(sizes[i]);
    g_autofree char *path = soft_write("content", content);
    for (int known = 0; known < 2; known++) {
      g_autoptr(GBytes) message =
          seal(key, i % 2 ? "aes-128-cbc" : "aes-256-cbc", content, known, 0);
      g_autofree char *sealed = soft_write("sealed", message);
      g_assert_cmpint(soft_run(NULL, "bash gpgsm.sh -o opened --decrypt sealed"), ==, 0);
      g_autoptr(GBytes) opened = soft_read("opened");
      g_assert_true(g_bytes_equal(opened, content));
    }
    g_assert_cmpint(
        soft_run(NULL, "bash gpgsm.sh -r alice@example.org -o theirs --encrypt content"), ==, 0);
    g_autoptr(GBytes) theirs = soft_read("theirs");
    assert_opens(key, theirs, content);
  }
}

/* ---- NSS's cmsutil ---- */

static void
test_nss(void)
{
  SoftWish wish = { "rsa:2048", "alice@example.org", NULL, TRUE, -1, 30 };
  g_autoptr(SoftKey) key = soft_key_new(&wish);
  g_autofree char *cmsutil = g_find_program_in_path("cmsutil");
  g_autofree char *pk12util = g_find_program_in_path("pk12util");
  if (!cmsutil || !pk12util) {
    g_test_skip("no NSS tools");
    return;
  }
  soft_write_key(key, "key");
  soft_run(NULL, "mkdir nss");
  g_assert_cmpint(soft_run(NULL, "certutil -N -d sql:nss --empty-password"), ==, 0);
  g_assert_cmpint(soft_run(NULL, "openssl pkcs12 -export -inkey key.pem -in key.crt -out key.p12 "
                                 "-passout pass:x -name alice"),
                  ==, 0);
  g_assert_cmpint(soft_run(NULL, "pk12util -i key.p12 -d sql:nss -W x"), ==, 0);
  g_assert_cmpint(soft_run(NULL, "certutil -M -n alice -t CTu,CTu,CTu -d sql:nss"), ==, 0);
  for (int known = 0; known < 2; known++) {
    g_autoptr(GBytes) content = random_bytes(70000);
    g_autoptr(GBytes) message = seal(key, "aes-256-cbc", content, known, 0);
    g_autofree char *path = soft_write("sealed", message);
    g_assert_cmpint(soft_run(NULL, "cmsutil -D -d sql:nss -i sealed -o opened"), ==, 0);
    g_autoptr(GBytes) opened = soft_read("opened");
    g_assert_true(g_bytes_equal(opened, content));
    g_autofree char *plain = soft_write("content", content);
    g_assert_cmpint(
        soft_run(NULL, "cmsutil -E -d sql:nss -r alice@example.org -i content -o theirs"), ==, 0);
    g_autoptr(GBytes) theirs = soft_read("theirs");
    assert_opens(key, theirs, content);
  }
  soft_run(NULL, "rm -rf nss");
}

/* ---- what goes wrong ---- */

static void
test_lengths(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  for (gsize c = 2; c < 6; c += 3) {
    g_autoptr(BaseSink) nowhere = base_sink_to_nowhere();
    g_autoptr(GError) grown = NULL;
    g_autoptr(GError) shrunk = NULL;
    g_autoptr(GError) huge = NULL;
    g_autoptr(BaseSink) one = seal_start(key, cipher_table[c], 10, nowhere, NULL);
    g_assert_true(base_sink_write(one, "01234567", 8, NULL));
    g_assert_false(base_sink_write(one, "01234567", 8, &grown));
    g_assert_error(grown, SIGNET_ERROR, SIGNET_ERROR_IO);
    g_autoptr(BaseSink) two = seal_start(key, cipher_table[c], 10, nowhere, NULL);
    g_assert_true(base_sink_write(two, "01234567", 8, NULL));
    g_assert_false(base_sink_finish(two, &shrunk));
    g_assert_error(shrunk, SIGNET_ERROR, SIGNET_ERROR_IO);
    g_assert_null(seal_start(key, cipher_table[c], G_MAXINT64, nowhere, &huge));
    g_assert_error(huge, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
    g_assert_false(nowhere->finished);
  }
}

static void
test_full(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  for (int known = 0; known < 2; known++) {
    g_autoptr(BaseSink) small = base_sink_to_memory(300);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) content = random_bytes(100000);
    g_autoptr(BaseSink) sink = seal_start(key, "aes-256-gcm", known ? 100000 : -1, small, NULL);
    g_assert_false(base_sink_write(sink, g_bytes_get_data(content, NULL), 100000, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_data_func("/cms/seal/rsa-openssl-opens", "rsa:2048", test_openssl);
  g_test_add_data_func("/cms/seal/p256-openssl-opens", "ec:p256", test_openssl);
  g_test_add_func("/cms/seal/any-pieces-open", test_pieces);
  g_test_add_func("/cms/seal/gpgsm-both-ways", test_gpgsm);
  g_test_add_func("/cms/seal/nss-both-ways", test_nss);
  g_test_add_func("/cms/seal/wrong-length-fails", test_lengths);
  g_test_add_func("/cms/seal/full-disk-says-so", test_full);
  int status = g_test_run();
  if (g_getenv("GNUPGHOME"))
    gpgsm_end();
  soft_folder_remove();
  return status;
}
