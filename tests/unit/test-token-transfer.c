/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process that opens files with keys: what it answers, and how it ends. */
#include "token-transfer-harness.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOW_ITERATIONS 9999999 /* some seconds of PBKDF2 */
#define SOON_MS 1000

static void
test_end_of_channel_ends_it(void)
{
  Transfer *idle = transfer_new(NULL);
  transfer_close(idle);
  g_assert_cmpint(transfer_wait(idle, SOON_MS), ==, 0);
  transfer_free(idle);
}

/* An EncryptedPrivateKeyInfo that nothing opens, and that takes long to find out. */
static char *
slow_pem(void)
{
  static const guint8 sealed[256] = { 1 };
  BIO *bio = BIO_new(BIO_s_mem());
  X509_ALGOR *algorithm =
      PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), SLOW_ITERATIONS, NULL, 16, NULL, NID_hmacWithSHA512);
  X509_SIG *file = X509_SIG_new();
  X509_ALGOR *its = NULL;
  ASN1_OCTET_STRING *digest = NULL;
  char *text = NULL;

  X509_SIG_getm(file, &its, &digest);
  X509_ALGOR_copy(its, algorithm);
  ASN1_OCTET_STRING_set(digest, sealed, sizeof sealed);
  PEM_write_bio_PKCS8(bio, file);
  long length = BIO_get_mem_data(bio, &text);
  char *pem = g_strndup(text, (gsize)length);
  X509_ALGOR_free(algorithm);
  X509_SIG_free(file);
  BIO_free(bio);
  return pem;
}

static void
test_end_in_the_middle_ends_it(void)
{
  g_autofree char *pem = slow_pem();
  g_auto(WirePacker) body = { 0 };
  g_autoptr(GError) error = NULL;
  Transfer *busy = transfer_new(NULL);

  g_assert_true(transfer_data(busy, pem, strlen(pem), NULL));
  wire_pack_text(&body, "slow.pem");
  wire_pack_u8(&body, TRUE);
  wire_pack_text(&body, "secret");
  WireHeader header = { (guint32)body.length, 99, WIRE_TRANSFER_READ, 0 };
  g_assert_true(
      wire_channel_send(&busy->channel, &header, body.bytes, base_deadline_in(1000), NULL));
  g_assert_false(wire_channel_receive(&busy->channel, NULL, base_deadline_in(200), &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TIMEOUT); /* it is at it */
  transfer_close(busy);
  g_assert_cmpint(transfer_wait(busy, SOON_MS), ==, 0);
  transfer_free(busy);
}

static void
test_deadline_ends_it(void)
{
  g_autofree char *pem = slow_pem();
  g_auto(WirePacker) body = { 0 };
  Transfer *busy = transfer_new(NULL);

  g_assert_true(transfer_data(busy, pem, strlen(pem), NULL));
  wire_pack_text(&body, "slow.pem");
  wire_pack_u8(&body, TRUE);
  wire_pack_text(&body, "secret");
  WireHeader header = { (guint32)body.length, 99, WIRE_TRANSFER_READ, 50 };
  g_assert_true(
      wire_channel_send(&busy->channel, &header, body.bytes, base_deadline_in(1000), NULL));
  g_assert_cmpint(transfer_wait(busy, 3000), ==, 75); /* TOKEN_EXIT_DEADLINE */
  transfer_free(busy);
}

static void
test_no_dump_is_made(void)
{
  g_autoptr(Transfer) transfer = transfer_new(NULL);
  g_autofree char *limits = g_strdup_printf("/proc/%d/limits", (int)transfer->pid);
  g_autofree char *memory = g_strdup_printf("/proc/%d/mem", (int)transfer->pid);
  g_autofree char *text = NULL;
  struct stat info;

  g_assert_true(transfer_data(transfer, "x", 1, NULL)); /* it is up */
  g_assert_true(g_file_get_contents(limits, &text, NULL, NULL));
  const char *line = strstr(text, "Max core file size");
  g_assert_nonnull(line);
  g_assert_true(g_regex_match_simple("^Max core file size +0 +0 ", line, 0, 0));
  if (getuid() == 0) /* proc(5): root's are root's either way */
    return;
  g_assert_cmpint(stat(memory, &info), ==, 0);
  g_assert_cmpuint(info.st_uid, ==, 0); /* not dumpable */
}

static void
test_looking_only_stores_nothing(void)
{
  g_autoptr(Transfer) transfer = transfer_new(NULL);
  g_autoptr(GError) error = NULL;
  EVP_PKEY *key = key_new("P-256");
  g_autofree char *pem = key_pem(key, NULL);
  g_autofree char *name = base_key_name_of(key);
  gboolean existed = FALSE;

  g_autoptr(Contents) contents = transfer_read(transfer, pem, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(contents->items->len, ==, 1);
  WireItem *item = contents->items->pdata[0];
  g_assert_cmpint(item->kind, ==, WIRE_ITEM_KEY);
  g_assert_cmpstr(item->key, ==, name);
  g_assert_cmpstr(item->key_kind, ==, "ec:p256");
  g_assert_null(transfer_store(transfer, 0, "", NULL, 0, &existed, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
  g_clear_error(&error);
  const WireToken token = { .serial = (char *)(gintptr) "",
                            .label = (char *)(gintptr) "a",
                            .manufacturer = (char *)(gintptr) "",
                            .model = (char *)(gintptr) "" };
  g_assert_false(transfer_bind(transfer, &token, TEST_PIN, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
  EVP_PKEY_free(key);
}

static void
test_passphrase_is_asked_for_without_sending_again(void)
{
  g_autoptr(Transfer) transfer = transfer_new(NULL);
  g_autoptr(GError) error = NULL;
  EVP_PKEY *key = key_new("P-256");
  g_autofree char *pem = key_pem(key, "geheim");

  g_assert_null(transfer_read(transfer, pem, NULL, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED);
  g_clear_error(&error);
  g_assert_null(transfer_read(transfer, NULL, "falsch", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT);
  g_clear_error(&error);
  g_autoptr(Contents) contents = transfer_read(transfer, NULL, "geheim", &error);
  g_assert_no_error(error);
  g_assert_cmpuint(contents->items->len, ==, 1);
  /* or sending it again */
  g_assert_null(transfer_read(transfer, pem, "falsch", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT);
  g_clear_error(&error);
  g_autoptr(Contents) again = transfer_read(transfer, pem, "geheim", &error);
  g_assert_no_error(error);
  g_assert_cmpuint(again->items->len, ==, 1);
  EVP_PKEY_free(key);
}

static void
test_file_in_parts_and_the_next_one(void)
{
  g_autoptr(Transfer) transfer = transfer_new(NULL);
  g_autoptr(GError) error = NULL;
  EVP_PKEY *one = key_new("P-256");
  EVP_PKEY *two = key_new("P-384");
  g_autofree char *first = key_pem(one, NULL);
  g_autofree char *second = key_pem(two, NULL);
  g_autofree char *both = g_strconcat(first, second, NULL);

  for (gsize at = 0; at < strlen(both); at += 7)
    g_assert_true(transfer_data(transfer, both + at, MIN(7, strlen(both) - at), NULL));
  g_autoptr(Contents) contents = transfer_read(transfer, NULL, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(contents->items->len, ==, 2);
  g_assert_null(transfer_read(transfer, "no key at all\n", NULL, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_clear_error(&error);
  g_autoptr(Contents) next = transfer_read(transfer, second, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(next->items->len, ==, 1);
  EVP_PKEY_free(one);
  EVP_PKEY_free(two);
}

static void
test_too_long_file_is_refused(void)
{
  g_autoptr(Transfer) transfer = transfer_new(NULL);
  g_autoptr(GError) error = NULL;
  g_autofree guint8 *part = g_malloc0(WIRE_TRANSFER_PART_MAX);
  guint sent = 0;
  while (transfer_data(transfer, part, WIRE_TRANSFER_PART_MAX, &error))
    g_assert_cmpuint(++sent, <=, WIRE_TRANSFER_FILE_MAX / WIRE_TRANSFER_PART_MAX);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
  g_assert_cmpuint(sent, ==, WIRE_TRANSFER_FILE_MAX / WIRE_TRANSFER_PART_MAX);
}

static void
test_unknown_and_malformed_requests_are_bad_input(void)
{
  g_autoptr(Transfer) transfer = transfer_new(NULL);
  static const guint16 kinds[] = { 1,
                                   0x1ff,
                                   WIRE_TRANSFER_BIND,
                                   WIRE_TRANSFER_DATA,
                                   WIRE_TRANSFER_READ,
                                   WIRE_TRANSFER_READ_NSS,
                                   WIRE_TRANSFER_STORE,
                                   WIRE_TRANSFER_STORE + 1 };
  for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
    g_autoptr(GError) error = NULL;
    g_auto(WirePacker) body = { 0 };
    wire_pack_u32(&body, 0xffffffff);
    g_assert_null(transfer_ask(transfer, kinds[i], &body, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  }
}

static void
test_token_that_is_not_there_is_gone(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(Transfer) transfer = transfer_new(host);
  g_autoptr(GError) error = NULL;
  g_autoptr(WireToken) token = host_token(host);
  token->serial[0] = (char)(token->serial[0] == '0' ? '1' : '0');
  g_assert_false(transfer_bind(transfer, token, TEST_PIN, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/token/transfer/end-of-channel-ends", test_end_of_channel_ends_it);
  g_test_add_func("/token/transfer/end-in-the-middle-ends", test_end_in_the_middle_ends_it);
  g_test_add_func("/token/transfer/deadline-ends", test_deadline_ends_it);
  g_test_add_func("/token/transfer/no-dump", test_no_dump_is_made);
  g_test_add_func("/token/transfer/looking-only-stores-nothing", test_looking_only_stores_nothing);
  g_test_add_func("/token/transfer/passphrase-asked-for",
                  test_passphrase_is_asked_for_without_sending_again);
  g_test_add_func("/token/transfer/file-in-parts", test_file_in_parts_and_the_next_one);
  g_test_add_func("/token/transfer/too-long-refused", test_too_long_file_is_refused);
  g_test_add_func("/token/transfer/malformed-bad-input",
                  test_unknown_and_malformed_requests_are_bad_input);
  g_test_add_func("/token/transfer/absent-token-gone", test_token_that_is_not_there_is_gone);
  return g_test_run();
}
