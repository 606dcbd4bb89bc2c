/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys from files onto a SoftHSM: they work there, lie there once, and no half of one stays. */
#include "token-transfer-harness.h"

#include <string.h>
#include <unistd.h>

#define ALL_FLAGS (WIRE_KEY_SIGN | WIRE_KEY_DECRYPT | WIRE_KEY_DERIVE)

static WireObject *
import(Transfer *transfer, EVP_PKEY *key, guint32 flags, gboolean *ret_existed)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *pem = key_pem(key, NULL);
  g_autoptr(Contents) contents = transfer_read(transfer, pem, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(contents->items->len, ==, 1);
  WireObject *object = transfer_store(transfer, 0, "imported", NULL, flags, ret_existed, &error);
  g_assert_no_error(error);
  return object;
}

static gboolean
verifies(EVP_PKEY *key, const guint8 *data, gsize length, GBytes *signature)
{
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
  gsize size = 0;
  const guint8 *bytes = g_bytes_get_data(signature, &size);
  gboolean good = EVP_PKEY_verify_init(ctx) == 1 &&
                  EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
                  EVP_PKEY_verify(ctx, bytes, size, data, length) == 1;
  EVP_PKEY_CTX_free(ctx);
  return good;
}

static gboolean
verifies_message(EVP_PKEY *key, const guint8 *data, gsize length, GBytes *signature)
{
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  gsize size = 0;
  const guint8 *bytes = g_bytes_get_data(signature, &size);
  gboolean good = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
                  EVP_DigestVerify(ctx, bytes, size, data, length) == 1;
  EVP_MD_CTX_free(ctx);
  return good;
}

/* The other process, signetd's host, sees the key and signs with it. */
static void
assert_host_signs(Host *host, const WireObject *object, EVP_PKEY *key, WireMechanism mechanism)
{
  static const guint8 digest[32] = { 4, 7, 1, 1 };
  g_autoptr(GError) error = NULL;
  WireOperation operation = { .verb = WIRE_SIGN,
                              .mechanism = mechanism,
                              .hash = mechanism == WIRE_EDDSA ? WIRE_HASH_NONE : WIRE_SHA256,
                              .data = digest,
                              .data_length = sizeof digest };
  g_autoptr(GPtrArray) objects = host_objects(host, &error);
  g_assert_no_error(error);
  g_autoptr(GBytes) signature = host_operate(host, object->key, &operation, "", &error);
  g_assert_no_error(error);
  g_assert_true(mechanism == WIRE_EDDSA ? verifies_message(key, digest, sizeof digest, signature)
                                        : verifies(key, digest, sizeof digest, signature));
}

static void
test_keys_work_on_the_token(void)
{
  static const struct {
    const char *kind;
    const char *text;
    WireMechanism mechanism;
  } rows[] = { { "rsa", "rsa:2048", WIRE_RSA_PKCS1 },
               { "P-256", "ec:p256", WIRE_ECDSA },
               { "P-384", "ec:p384", WIRE_ECDSA },
               { "P-521", "ec:p521", WIRE_ECDSA },
               { "ED25519", "ed25519", WIRE_EDDSA } };
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(Transfer) transfer = transfer_new_bound(host);
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    gboolean existed = TRUE;
    EVP_PKEY *key = key_new(rows[i].kind);
    g_autoptr(WireObject) object =
        import(transfer, key, ALL_FLAGS | WIRE_KEY_EXTRACTABLE, &existed);
    g_autofree char *name = base_key_name_of(key);
    g_assert_false(existed);
    g_assert_cmpstr(object->key, ==, name);
    g_assert_cmpstr(object->key_kind, ==, rows[i].text);
    g_assert_cmpstr(object->label, ==, "imported");
    g_assert_cmpuint(g_bytes_get_size(object->id), ==, 20);
    g_assert_true(object->flags & WIRE_KEY_SIGN);
    g_assert_true(object->flags & WIRE_KEY_SENSITIVE);
    g_assert_true(object->flags & WIRE_KEY_EXTRACTABLE);
    g_assert_false(object->flags & WIRE_KEY_LOCAL);
    assert_host_signs(host, object, key, rows[i].mechanism);
    EVP_PKEY_free(key);
  }
}

static void
test_uses_are_those_wanted(void)
{
  static const struct {
    const char *kind;
    guint32 wanted;
    guint32 got;
  } rows[] = {
    { "rsa", WIRE_KEY_DECRYPT, WIRE_KEY_DECRYPT },   { "rsa", WIRE_KEY_SIGN, WIRE_KEY_SIGN },
    { "P-256", WIRE_KEY_DERIVE, WIRE_KEY_DERIVE },   { "P-256", WIRE_KEY_DECRYPT, WIRE_KEY_DERIVE },
    { "P-256", 0, WIRE_KEY_SIGN | WIRE_KEY_DERIVE }, { "rsa", 0, WIRE_KEY_SIGN | WIRE_KEY_DECRYPT },
  };
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(Transfer) transfer = transfer_new_bound(host);
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    gboolean existed = TRUE;
    EVP_PKEY *key = key_new(rows[i].kind);
    g_autoptr(WireObject) object = import(transfer, key, rows[i].wanted, &existed);
    g_assert_cmphex(object->flags & ALL_FLAGS, ==, rows[i].got);
    g_assert_false(object->flags & WIRE_KEY_EXTRACTABLE);
    EVP_PKEY_free(key);
  }
}

static guint
count_files(Host *host)
{
  g_autofree char *tokens = g_build_filename(host->folder, "tokens", NULL);
  g_autoptr(GDir) outer = g_dir_open(tokens, 0, NULL);
  const char *name = NULL;
  guint count = 0;
  while ((name = g_dir_read_name(outer))) {
    g_autofree char *path = g_build_filename(tokens, name, NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    while (dir && (name = g_dir_read_name(dir)))
      count += g_str_has_suffix(name, ".object") && !g_str_equal(name, "token.object");
  }
  return count;
}

static void
test_same_key_again_is_written_once(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  EVP_PKEY *key = key_new("P-256");
  gboolean existed = TRUE;
  for (int i = 0; i < 2; i++) {
    g_autoptr(Transfer) transfer = transfer_new_bound(host);
    g_autoptr(WireObject) first = import(transfer, key, ALL_FLAGS, &existed);
    g_assert_cmpint(existed, ==, i > 0);
    g_autoptr(WireObject) again = import(transfer, key, ALL_FLAGS, &existed);
    g_assert_true(existed);
    g_assert_cmpstr(first->key, ==, again->key);
    g_assert_true(g_bytes_equal(first->id, again->id));
    g_assert_cmpuint(count_files(host), ==, 2);
  }
  EVP_PKEY_free(key);
}

static void
test_taken_id_is_refused_or_avoided(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(Transfer) transfer = transfer_new_bound(host);
  g_autoptr(GError) error = NULL;
  gboolean existed = TRUE;
  EVP_PKEY *one = key_new("P-256");
  EVP_PKEY *two = key_new("P-256");
  g_autoptr(WireObject) first = import(transfer, one, ALL_FLAGS, &existed);
  g_autofree char *pem = key_pem(two, NULL);
  g_autoptr(Contents) contents = transfer_read(transfer, pem, NULL, &error);
  g_assert_no_error(error);
  g_assert_null(transfer_store(transfer, 0, "two", first->id, ALL_FLAGS, &existed, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_REFUSED);
  g_clear_error(&error);
  g_assert_cmpuint(count_files(host), ==, 2);
  g_autoptr(GBytes) own = g_bytes_new_static("\x01\x02", 2);
  g_autoptr(WireObject) second =
      transfer_store(transfer, 0, "two", own, ALL_FLAGS, &existed, &error);
  g_assert_no_error(error);
  g_assert_true(g_bytes_equal(second->id, own));
  EVP_PKEY_free(one);
  EVP_PKEY_free(two);
}

static void
store_certificate(Host *host, EVP_PKEY *key, gconstpointer id, gsize id_length)
{
  g_auto(WirePacker) body = { 0 };
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) der = self_signed(key, "alice");
  host_pack_token(host, &body);
  wire_pack_bytes(&body, g_bytes_get_data(der, NULL), g_bytes_get_size(der));
  wire_pack_text(&body, "alice");
  wire_pack_bytes(&body, id, id_length);
  g_autoptr(GBytes) stored = host_ask(host, WIRE_HOST_STORE_CERTIFICATE, &body, -1, &error);
  g_assert_no_error(error);
}

/* The id that the key would get is another one's. */
static void
test_usual_id_in_use_is_avoided(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(Transfer) transfer = transfer_new_bound(host);
  gboolean existed = TRUE;
  EVP_PKEY *key = key_new("P-256");
  EVP_PKEY *other = key_new("P-256");
  guint8 *point = NULL;
  guint8 digest[20];
  gsize length = EVP_PKEY_get1_encoded_public_key(key, &point);

  g_assert_cmpint(EVP_Digest(point, length, digest, NULL, EVP_sha1(), NULL), ==, 1);
  store_certificate(host, other, digest, sizeof digest);
  g_autoptr(WireObject) object = import(transfer, key, ALL_FLAGS, &existed);
  g_assert_false(existed);
  g_assert_cmpuint(g_bytes_get_size(object->id), ==, 20);
  g_assert_cmpint(memcmp(g_bytes_get_data(object->id, NULL), digest, 20), !=, 0);
  assert_host_signs(host, object, key, WIRE_ECDSA);
  OPENSSL_free(point);
  EVP_PKEY_free(key);
  EVP_PKEY_free(other);
}

/* A certificate came first, with an id of its own: the key is put beside it. */
static void
test_certificate_lends_its_id(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(Transfer) transfer = transfer_new_bound(host);
  gboolean existed = TRUE;
  EVP_PKEY *key = key_new("P-256");
  g_autoptr(GBytes) id = g_bytes_new_static("seven", 5);
  store_certificate(host, key, "seven", 5);
  g_autoptr(WireObject) object = import(transfer, key, ALL_FLAGS, &existed);
  g_assert_true(g_bytes_equal(object->id, id));
  EVP_PKEY_free(key);
}

/* Two processes on one token, turn by turn: SoftHSM 2.6.1 does not bear a list while another process writes, and
 * signetd asks for none then (daemon_transfers_bound). */
static void
test_host_lists_between(void)
{
  enum { KEYS = 5 };
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(Transfer) transfer = transfer_new_bound(host);
  g_autoptr(GError) error = NULL;

  for (guint i = 0; i < KEYS; i++) {
    gboolean existed = TRUE;
    EVP_PKEY *key = key_new("P-256");
    g_autoptr(GPtrArray) before = host_objects(host, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(host_count(before, WIRE_OBJECT_KEY), ==, i);
    g_autoptr(WireObject) object = import(transfer, key, ALL_FLAGS, &existed);
    g_assert_false(existed);
    EVP_PKEY_free(key);
  }
  g_autoptr(GPtrArray) objects = host_objects(host, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(host_count(objects, WIRE_OBJECT_KEY), ==, KEYS);
}

/* ---- a module that fails ---- */

static guint
count_keys(Host *host)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) objects = host_objects(host, &error);
  g_assert_no_error(error);
  return host_count(objects, WIRE_OBJECT_KEY);
}

static void
test_create_that_stumbles_is_repeated(void)
{
  static const char *const faults[] = { "create-general-error", "create-private-general-error",
                                        "create-private-lost-answer" };
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_faulty();
  g_autoptr(Transfer) transfer = transfer_new_bound(host);
  for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
    gboolean existed = TRUE;
    EVP_PKEY *key = key_new("P-256");
    host_fault(faults[i]);
    g_autoptr(WireObject) object = import(transfer, key, ALL_FLAGS, &existed);
    g_assert_false(existed);
    g_assert_cmpuint(count_files(host), ==, 2 * (i + 1));
    EVP_PKEY_free(key);
  }
}

static void
store_fails(Transfer *transfer, EVP_PKEY *key, const char *fault, int code)
{
  g_autoptr(GError) error = NULL;
  gboolean existed = TRUE;
  g_autofree char *pem = key_pem(key, NULL);
  g_autoptr(Contents) contents = transfer_read(transfer, pem, NULL, &error);
  g_assert_no_error(error);
  host_fault(fault);
  g_assert_null(transfer_store(transfer, 0, "", NULL, ALL_FLAGS, &existed, &error));
  host_fault("");
  g_test_message("%s", error->message);
  g_assert_error(error, SIGNET_ERROR, code);
}

static void
test_refused_key_leaves_nothing(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_faulty();
  g_autoptr(Transfer) transfer = transfer_new_bound(host);
  EVP_PKEY *key = key_new("rsa");
  store_fails(transfer, key, "create-private-refused", SIGNET_ERROR_UNSUPPORTED);
  g_assert_cmpuint(count_files(host), ==, 0);
  store_fails(transfer, key, "create-full", SIGNET_ERROR_FAILED);
  g_assert_cmpuint(count_files(host), ==, 0);
  store_fails(transfer, key, "bad-signature", SIGNET_ERROR_FAILED);
  g_assert_cmpuint(count_files(host), ==, 0);
  EVP_PKEY_free(key);
}

static void
test_crash_half_way_is_completed(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_faulty();
  EVP_PKEY *key = key_new("P-256");
  static const char *const faults[] = { "create-private-crash", "created-private-crash" };
  for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
    Transfer *transfer = transfer_new_bound(host);
    store_fails(transfer, key, faults[i], SIGNET_ERROR_TOKEN_GONE);
    g_assert_cmpint(transfer_wait(transfer, 5000), ==, 128 + 9);
    transfer_free(transfer);
    g_assert_cmpuint(count_files(host), ==, 1 + i);
  }
  for (int again = 0; again < 2; again++) {
    g_autoptr(Transfer) transfer = transfer_new_bound(host);
    gboolean existed = TRUE;
    g_autoptr(WireObject) object = import(transfer, key, ALL_FLAGS, &existed);
    g_assert_cmpuint(count_files(host), ==, 2);
    assert_host_signs(host, object, key, WIRE_ECDSA);
  }
  g_assert_cmpuint(count_keys(host), ==, 1);
  EVP_PKEY_free(key);
}

static void
test_wrong_pin_is_tried_once(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_faulty();
  g_autoptr(Transfer) transfer = transfer_new(host);
  g_autoptr(WireToken) token = host_token(host);
  g_autoptr(GError) error = NULL;
  gsize before = host_calls("C_Login");
  g_assert_false(transfer_bind(transfer, token, "999999", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT);
  g_clear_error(&error);
  g_assert_cmpuint(host_calls("C_Login"), ==, before + 1);
  g_assert_false(transfer_bind(transfer, token, TEST_PIN, &error)); /* one attempt per process */
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
  g_clear_error(&error);
  g_assert_cmpuint(host_calls("C_Login"), ==, before + 1);
  gboolean existed = FALSE;
  g_assert_null(transfer_store(transfer, 0, "", NULL, 0, &existed, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/token/import/keys-work", test_keys_work_on_the_token);
  g_test_add_func("/token/import/uses-as-wanted", test_uses_are_those_wanted);
  g_test_add_func("/token/import/same-key-written-once", test_same_key_again_is_written_once);
  g_test_add_func("/token/import/taken-id-refused", test_taken_id_is_refused_or_avoided);
  g_test_add_func("/token/import/usual-id-in-use-avoided", test_usual_id_in_use_is_avoided);
  g_test_add_func("/token/import/certificate-lends-id", test_certificate_lends_its_id);
  g_test_add_func("/token/import/host-lists-between", test_host_lists_between);
  g_test_add_func("/token/import/stumbling-create-repeated", test_create_that_stumbles_is_repeated);
  g_test_add_func("/token/import/refused-leaves-nothing", test_refused_key_leaves_nothing);
  g_test_add_func("/token/import/crash-completed", test_crash_half_way_is_completed);
  g_test_add_func("/token/import/wrong-pin-once", test_wrong_pin_is_tried_once);
  return g_test_run();
}
