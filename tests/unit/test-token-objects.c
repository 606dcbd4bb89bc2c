/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is listed, made, stored and removed. */
#include "token-harness.h"

#include <string.h>

static WireObject *
find_key(GPtrArray *objects, const char *name)
{
  for (guint i = 0; i < objects->len; i++) {
    WireObject *object = objects->pdata[i];
    if (object->kind == WIRE_OBJECT_KEY && g_str_equal(object->key, name))
      return object;
  }
  return NULL;
}

static GPtrArray *
list(Host *host)
{
  g_autoptr(GError) error = NULL;
  GPtrArray *objects = host_objects(host, &error);
  g_assert_no_error(error);
  return objects;
}

static gboolean
store(Host *host, GBytes *der, GError **error)
{
  g_auto(WirePacker) body = { 0 };
  gsize length = 0;
  gconstpointer bytes = g_bytes_get_data(der, &length);
  host_pack_token(host, &body);
  wire_pack_bytes(&body, bytes, length);
  wire_pack_text(&body, "certificate");
  wire_pack_bytes(&body, NULL, 0);
  g_autoptr(GBytes) answer = host_ask(host, WIRE_HOST_STORE_CERTIFICATE, &body, -1, error);
  return answer != NULL;
}

static gboolean
take_away(Host *host, const char *key, const char *fingerprint, guint32 *ret_count, GError **error)
{
  g_auto(WirePacker) body = { 0 };
  WireReader reader;
  host_pack_token(host, &body);
  wire_pack_text(&body, key);
  wire_pack_text(&body, fingerprint);
  g_autoptr(GBytes) answer = host_ask(host, WIRE_HOST_REMOVE, &body, -1, error);
  if (!answer)
    return FALSE;
  wire_reader_start(&reader, g_bytes_get_data(answer, NULL), g_bytes_get_size(answer));
  *ret_count = wire_read_u32(&reader);
  return wire_reader_done(&reader, "count", error);
}

static void
test_keys_are_listed_locked_and_unlocked(void)
{
  static const char *const kinds[] = { "rsa:2048", "ec:p256", "ec:p384", "ec:p521", "ed25519" };
  g_autoptr(GPtrArray) made = g_ptr_array_new_with_free_func((GDestroyNotify)wire_object_free);
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
    g_ptr_array_add(made, host_generate(host, kinds[i], "a label", WIRE_KEY_SIGN, NULL));
  for (int locked = 0; locked < 2; locked++) {
    g_autoptr(GPtrArray) objects = list(host);
    g_assert_cmpuint(host_count(objects, WIRE_OBJECT_KEY), ==, G_N_ELEMENTS(kinds));
    for (guint i = 0; i < made->len; i++) {
      WireObject *wanted = made->pdata[i];
      WireObject *found = find_key(objects, wanted->key);
      g_assert_nonnull(found);
      g_assert_cmpstr(found->key_kind, ==, kinds[i]);
      g_assert_cmpstr(found->label, ==, "a label");
      g_assert_true(g_bytes_equal(found->id, wanted->id));
      g_assert_true(g_bytes_equal(found->bytes, wanted->bytes));
      g_assert_true(found->flags & WIRE_KEY_SIGN);
      g_assert_false(found->flags & WIRE_KEY_DECRYPT);
    }
    g_assert_true(host_logout(host, NULL));
  }
}

static void
test_label_with_any_bytes_is_text(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(WireObject) made = host_generate(host, "ec:p256", "Ünï\ncode", WIRE_KEY_SIGN, NULL);
  g_autoptr(GPtrArray) objects = list(host);
  g_assert_cmpstr(find_key(objects, made->key)->label, ==, "Ünï?code");
}

static void
test_certificate_is_stored_once_beside_its_key(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_autoptr(WireObject) made = host_generate(host, "rsa:2048", "key", WIRE_KEY_SIGN, NULL);
  EVP_PKEY *public = object_key(made);
  g_autoptr(GBytes) der = self_signed(public, "alice");
  EVP_PKEY_free(public);

  for (int i = 0; i < 2; i++) {
    g_assert_true(store(host, der, &error));
    g_autoptr(GPtrArray) objects = list(host);
    g_assert_cmpuint(host_count(objects, WIRE_OBJECT_CERTIFICATE), ==, 1);
    WireObject *certificate = objects->pdata[objects->len - 1];
    g_assert_cmpint(certificate->kind, ==, WIRE_OBJECT_CERTIFICATE);
    g_assert_cmpstr(certificate->key, ==, made->key);
    g_assert_true(g_bytes_equal(certificate->id, made->id));
    g_assert_true(g_bytes_equal(certificate->bytes, der));
  }
}

static void
test_garbage_certificate_is_bad_input(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) garbage = g_bytes_new("0\202\001\001garbage", 11);
  g_autoptr(GBytes) empty = g_bytes_new(NULL, 0);
  g_assert_false(store(host, garbage, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_clear_error(&error);
  g_assert_false(store(host, empty, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
}

static void
test_certificate_without_key_lists_no_key(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  EVP_PKEY *public = EVP_EC_gen("P-384");
  g_autoptr(GBytes) der = self_signed(public, "somebody");
  EVP_PKEY_free(public);
  g_assert_true(store(host, der, NULL));
  g_autoptr(GPtrArray) objects = list(host);
  g_assert_cmpuint(host_count(objects, WIRE_OBJECT_KEY), ==, 0);
  g_assert_cmpuint(host_count(objects, WIRE_OBJECT_CERTIFICATE), ==, 1);
}

static void
test_remove_takes_what_is_named(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_autoptr(WireObject) one = host_generate(host, "ec:p256", "one", WIRE_KEY_SIGN, NULL);
  g_autoptr(WireObject) two = host_generate(host, "ec:p256", "two", WIRE_KEY_SIGN, NULL);
  EVP_PKEY *public = object_key(one);
  g_autoptr(GBytes) der = self_signed(public, "alice");
  g_autofree char *fingerprint = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, der);
  guint32 count = 0;
  EVP_PKEY_free(public);
  g_assert_true(store(host, der, NULL));

  g_assert_true(host_logout(host, NULL));
  g_assert_false(take_away(host, one->key, "", &count, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED);
  g_clear_error(&error);
  g_assert_true(host_login(host, FALSE, TEST_PIN, NULL));
  g_assert_true(take_away(host, one->key, "", &count, &error));
  g_assert_cmpuint(count, ==, 2); /* private and public */
  g_autoptr(GPtrArray) left = list(host);
  g_assert_null(find_key(left, one->key));
  g_assert_nonnull(find_key(left, two->key));
  g_assert_cmpuint(host_count(left, WIRE_OBJECT_CERTIFICATE), ==, 1);
  g_assert_true(take_away(host, "", fingerprint, &count, &error));
  g_assert_cmpuint(count, ==, 1);
  g_assert_false(take_away(host, one->key, "", &count, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND);
  g_clear_error(&error);
  g_assert_false(take_away(host, "", "", &count, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
}

static GBytes *
generate_with_id(Host *host, const char *id, GError **error)
{
  g_auto(WirePacker) body = { 0 };
  host_pack_token(host, &body);
  wire_pack_text(&body, "ec:p256");
  wire_pack_text(&body, "label");
  wire_pack_text(&body, id);
  wire_pack_u32(&body, WIRE_KEY_SIGN);
  return host_ask(host, WIRE_HOST_GENERATE, &body, -1, error);
}

static void
test_id_in_use_is_refused(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) first = generate_with_id(host, "id-1", &error);
  g_assert_no_error(error);
  g_assert_null(generate_with_id(host, "id-1", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_REFUSED);
  g_autoptr(GPtrArray) objects = list(host);
  g_assert_cmpuint(objects->len, ==, 1);
}

static void
test_bad_kind_and_locked_make_nothing(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_assert_null(host_generate(host, "dsa:1024", "x", WIRE_KEY_SIGN, &error));
  g_assert_nonnull(error);
  g_clear_error(&error);
  g_assert_true(host_logout(host, NULL));
  g_assert_null(host_generate(host, "ec:p256", "x", WIRE_KEY_SIGN, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED);
  g_autoptr(GPtrArray) objects = list(host);
  g_assert_cmpuint(objects->len, ==, 0);
}

static void
test_abilities_name_what_softhsm_does(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_auto(WirePacker) body = { 0 };
  WireReader reader;
  gboolean has_pss = FALSE;

  host_pack_token(host, &body);
  g_autoptr(GBytes) answer = host_ask(host, WIRE_HOST_ABILITIES, &body, -1, &error);
  g_assert_no_error(error);
  wire_reader_start(&reader, g_bytes_get_data(answer, NULL), g_bytes_get_size(answer));
  for (guint32 n = wire_read_u32(&reader); n; n--) {
    g_autofree char *name = wire_read_text(&reader, 64);
    has_pss |= g_strcmp0(name, "RSA_PKCS_PSS") == 0;
  }
  guint32 able = wire_read_u32(&reader);
  g_assert_true(wire_reader_done(&reader, "abilities", NULL));
  g_assert_true(has_pss);
  g_assert_cmpuint(able & (WIRE_CAN_RSA | WIRE_CAN_EC | WIRE_CAN_PSS | WIRE_CAN_OAEP |
                           WIRE_CAN_ECDH | WIRE_CAN_WRITE),
                   ==,
                   WIRE_CAN_RSA | WIRE_CAN_EC | WIRE_CAN_PSS | WIRE_CAN_OAEP | WIRE_CAN_ECDH |
                       WIRE_CAN_WRITE);
}

static void
test_restarted_host_finds_everything(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(WireObject) made = host_generate(host, "ec:p256", "key", WIRE_KEY_SIGN, NULL);
  host_stop(host);
  host_start(host);
  host_hello(host);
  g_autoptr(GPtrArray) tokens = host_tokens(host);
  for (guint i = 0; i < tokens->len; i++) {
    WireToken *token = tokens->pdata[i];
    if (!(token->flags & WIRE_TOKEN_INITIALIZED))
      continue;
    host->slot = token->slot;
    host->generation = token->generation;
  }
  g_autoptr(GPtrArray) objects = list(host);
  g_assert_nonnull(find_key(objects, made->key));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/token/objects/keys-listed-locked-and-unlocked",
                  test_keys_are_listed_locked_and_unlocked);
  g_test_add_func("/token/objects/odd-label-is-text", test_label_with_any_bytes_is_text);
  g_test_add_func("/token/objects/certificate-stored-once",
                  test_certificate_is_stored_once_beside_its_key);
  g_test_add_func("/token/objects/garbage-certificate-bad-input",
                  test_garbage_certificate_is_bad_input);
  g_test_add_func("/token/objects/foreign-certificate-no-key",
                  test_certificate_without_key_lists_no_key);
  g_test_add_func("/token/objects/remove-takes-what-is-named", test_remove_takes_what_is_named);
  g_test_add_func("/token/objects/id-in-use-refused", test_id_in_use_is_refused);
  g_test_add_func("/token/objects/bad-kind-or-locked-makes-nothing",
                  test_bad_kind_and_locked_make_nothing);
  g_test_add_func("/token/objects/abilities-of-softhsm", test_abilities_name_what_softhsm_does);
  g_test_add_func("/token/objects/restarted-host-finds-everything",
                  test_restarted_host_finds_everything);
  return g_test_run();
}
