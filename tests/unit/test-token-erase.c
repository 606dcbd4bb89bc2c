/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What cannot be undone: a key sealed, a token erased. And the SO PIN that guards the latter. */
#include "token-harness.h"

#include <glib/gstdio.h>
#include <string.h>

static WireObject *
make(Host *host, guint32 flags)
{
  g_autoptr(GError) error = NULL;
  WireObject *object = host_generate(host, "ec:p256", "key", flags, &error);
  g_assert_no_error(error);
  return object;
}

static gboolean
ask(Host *host, guint16 kind, const char *first, const char *second, guint32 *ret_number,
    GError **error)
{
  g_auto(WirePacker) body = { 0 };
  WireReader reader;
  gsize length = 0;

  host_pack_token(host, &body);
  wire_pack_text(&body, first);
  if (second)
    wire_pack_text(&body, second);
  g_autoptr(GBytes) answer = host_ask(host, kind, &body, -1, error);
  if (!answer)
    return FALSE;
  gconstpointer bytes = g_bytes_get_data(answer, &length);
  wire_reader_start(&reader, bytes, length);
  if (length == 4)
    *ret_number = wire_read_u32(&reader);
  else if (length == 1)
    *ret_number = wire_read_u8(&reader);
  g_assert_true(wire_reader_done(&reader, "answer", NULL));
  return TRUE;
}

static guint32
flags_of(Host *host, const char *key)
{
  g_autoptr(GPtrArray) objects = host_objects(host, NULL);
  for (guint i = 0; i < objects->len; i++) {
    WireObject *object = objects->pdata[i];
    if (object->kind == WIRE_OBJECT_KEY && g_str_equal(object->key, key))
      return object->flags;
  }
  g_assert_not_reached();
}

static void
test_sealed_key_stays_sealed(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_autoptr(WireObject) object = make(host, WIRE_KEY_SIGN | WIRE_KEY_EXTRACTABLE);
  guint32 changed = 99;

  g_assert_true(flags_of(host, object->key) & WIRE_KEY_EXTRACTABLE);
  g_assert_true(ask(host, WIRE_HOST_SEAL_KEY, object->key, NULL, &changed, &error));
  g_assert_cmpuint(changed, ==, 1);
  g_assert_false(flags_of(host, object->key) & WIRE_KEY_EXTRACTABLE);
  g_assert_true(ask(host, WIRE_HOST_SEAL_KEY, object->key, NULL, &changed, &error));
  g_assert_cmpuint(changed, ==, 0);
}

static void
test_seal_of_unknown_or_locked_key_fails(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_autoptr(WireObject) object = make(host, WIRE_KEY_SIGN | WIRE_KEY_EXTRACTABLE);
  g_autofree char *other = g_strnfill(64, 'a');
  guint32 changed = 0;

  g_assert_false(ask(host, WIRE_HOST_SEAL_KEY, other, NULL, &changed, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND);
  g_clear_error(&error);
  g_assert_true(host_logout(host, NULL));
  g_assert_false(ask(host, WIRE_HOST_SEAL_KEY, object->key, NULL, &changed, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED);
}

static void
test_seal_that_does_nothing_is_told(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_faulty();
  g_autoptr(GError) error = NULL;
  g_autoptr(WireObject) object = make(host, WIRE_KEY_SIGN | WIRE_KEY_EXTRACTABLE);
  guint32 changed = 0;

  host_fault("set-ignored");
  g_assert_false(ask(host, WIRE_HOST_SEAL_KEY, object->key, NULL, &changed, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_UNSUPPORTED);
  g_clear_error(&error);
  host_fault("set-general-error"); /* once */
  g_assert_true(ask(host, WIRE_HOST_SEAL_KEY, object->key, NULL, &changed, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(changed, ==, 1);
}

static void
test_so_pin_changes(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  guint32 none = 0;

  g_assert_false(ask(host, WIRE_HOST_SET_SO_PIN, "11111111", "22222222", &none, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT);
  g_clear_error(&error);
  g_assert_false(ask(host, WIRE_HOST_SET_SO_PIN, TEST_SO_PIN, "1", &none, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REFUSED);
  g_clear_error(&error);
  g_assert_true(ask(host, WIRE_HOST_SET_SO_PIN, TEST_SO_PIN, "22222222", &none, &error));
  g_assert_no_error(error);
  g_assert_false(host_login(host, TRUE, TEST_SO_PIN, NULL));
  g_assert_true(host_login(host, TRUE, "22222222", NULL));
  g_assert_true(host_login(host, FALSE, TEST_PIN, NULL)); /* the user's is what it was */
}

static void
test_erase_leaves_empty_token_of_that_name(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_autoptr(WireObject) object = make(host, WIRE_KEY_SIGN);
  g_autoptr(WireToken) before = host_token(host);
  guint32 count = 0;

  g_assert_true(ask(host, WIRE_HOST_ERASE, TEST_SO_PIN, NULL, &count, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(count, ==, 2);
  g_assert_null(host_token(host)); /* of the former generation */
  g_assert_false(ask(host, WIRE_HOST_ERASE, TEST_SO_PIN, NULL, &count, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE);
  g_clear_error(&error);

  g_autoptr(GPtrArray) tokens = host_tokens(host);
  WireToken *after = NULL;
  for (guint i = 0; i < tokens->len; i++)
    if (g_str_equal(((WireToken *)tokens->pdata[i])->label, before->label))
      after = tokens->pdata[i];
  g_assert_nonnull(after);
  g_assert_cmpuint(after->generation, >, before->generation);
  g_assert_true(after->flags & WIRE_TOKEN_INITIALIZED);
  g_assert_false(after->flags & WIRE_TOKEN_USER_PIN_SET);
  g_assert_false(after->flags & WIRE_TOKEN_LOGGED_IN);
  host->slot = after->slot;
  host->generation = after->generation;
  g_autoptr(GPtrArray) objects = host_objects(host, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(objects->len, ==, 0);
  guint32 none = 0;
  g_assert_true(ask(host, WIRE_HOST_INIT_PIN, TEST_SO_PIN, "654321", &none, &error));
  g_assert_no_error(error);
  g_assert_true(host_login(host, FALSE, "654321", &error));
  g_autoptr(WireObject) again = make(host, WIRE_KEY_SIGN);
  g_assert_nonnull(again);
}

static void
test_erase_with_wrong_pin_destroys_nothing(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_autoptr(WireObject) object = make(host, WIRE_KEY_SIGN);
  guint32 count = 0;

  g_assert_false(ask(host, WIRE_HOST_ERASE, "11111111", NULL, &count, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT);
  g_clear_error(&error);
  g_assert_true(host_login(host, FALSE, TEST_PIN, &error));
  g_assert_no_error(error);
  g_autoptr(GPtrArray) objects = host_objects(host, &error);
  g_assert_cmpuint(host_count(objects, WIRE_OBJECT_KEY), ==, 1);
}

/* The other card may well have the same SO PIN: its maker's. */
static void
test_erase_spares_card_that_came_in_between(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_faulty();
  g_autoptr(GError) error = NULL;
  g_autofree char *tried = g_strconcat(g_getenv("FAULTY_CONTROL"), ".C_InitToken", NULL);
  guint32 count = 0;

  g_assert_true(g_file_test(tried, G_FILE_TEST_EXISTS) ? g_unlink(tried) == 0 : TRUE);
  host_fault("swapped-after-so-login");
  g_assert_false(ask(host, WIRE_HOST_ERASE, TEST_SO_PIN, NULL, &count, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE);
  g_assert_false(g_file_test(tried, G_FILE_TEST_EXISTS));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/token/erase/sealed-stays-sealed", test_sealed_key_stays_sealed);
  g_test_add_func("/token/erase/seal-of-unknown-fails", test_seal_of_unknown_or_locked_key_fails);
  g_test_add_func("/token/erase/seal-that-does-nothing-told", test_seal_that_does_nothing_is_told);
  g_test_add_func("/token/erase/so-pin-changes", test_so_pin_changes);
  g_test_add_func("/token/erase/erased-is-empty", test_erase_leaves_empty_token_of_that_name);
  g_test_add_func("/token/erase/wrong-pin-destroys-nothing",
                  test_erase_with_wrong_pin_destroys_nothing);
  g_test_add_func("/token/erase/card-that-came-in-between-spared",
                  test_erase_spares_card_that_came_in_between);
  return g_test_run();
}
