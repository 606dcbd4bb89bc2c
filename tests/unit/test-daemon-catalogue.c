/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-daemon-catalogue-lib.h"

#include <signet/error.h>

#include <string.h>

/* What is one ID, and what is one device. */

#define ALICE "alice@example.org"

static DaemonId *
only_id(DaemonCatalogue *catalogue)
{
  const GPtrArray *ids = daemon_catalogue_ids(catalogue);
  g_assert_cmpuint(ids->len, ==, 1);
  return g_ptr_array_index(ids, 0);
}

static DaemonKey *
key_of(DaemonCatalogue *catalogue, EVP_PKEY *pkey)
{
  g_autofree char *name = test_key_name(pkey);
  return daemon_catalogue_key(catalogue, name);
}

static void
test_renewed_same_key(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE, .from = -400, .until = -30 });
  X509 *renewed = test_x509(test_rsa(0), &(TestCert){ .addresses = ALICE });
  g_autoptr(GBytes) der = test_der(renewed);
  X509_free(renewed);
  test_add_cert(objects, der, "renewed");
  test_insert(catalogue, 1, "Card", "A1B2", objects);

  DaemonId *id = only_id(catalogue);
  g_assert_cmpstr(id->id, ==, ALICE);
  g_assert_cmpstr(id->name, ==, "Alice");
  g_assert_cmpuint(id->keys->len, ==, 1);
  DaemonKey *key = g_ptr_array_index(id->keys, 0);
  g_assert_cmpuint(key->certs->len, ==, 2);
  g_autofree char *newest = test_fingerprint(der);
  g_assert_cmpstr(((DaemonCert *)g_ptr_array_index(key->certs, 0))->fingerprint, ==, newest);
}

static void
test_renewed_new_key(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE, .from = -400, .until = -30 });
  test_add_id(objects, test_rsa(1), &(TestCert){ .addresses = "alice@EXAMPLE.org" });
  test_insert(catalogue, 1, "Card", "A1B2", objects);

  DaemonId *id = only_id(catalogue);
  g_assert_cmpuint(id->keys->len, ==, 2);
  g_autofree char *newest = test_key_name(test_rsa(1));
  g_assert_cmpstr(((DaemonKey *)g_ptr_array_index(id->keys, 0))->name, ==, newest);
}

static void
test_several_addresses(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = "a@x.org,b@x.org" });
  test_add_id(objects, test_rsa(1), &(TestCert){ .addresses = "b@x.org,c@x.org" });
  test_add_id(objects, test_rsa(2), &(TestCert){ .addresses = "d@x.org", .subject = "Dora" });
  test_insert(catalogue, 1, "Card", "A1B2", objects);

  g_assert_cmpuint(daemon_catalogue_ids(catalogue)->len, ==, 2);
  DaemonId *id = daemon_catalogue_find_address(catalogue, "c@X.org");
  g_assert_nonnull(id);
  g_assert_true(id == daemon_catalogue_find_address(catalogue, "a@x.org"));
  g_assert_cmpuint(g_strv_length(id->addresses), ==, 3);
  g_assert_true(id != daemon_catalogue_find_address(catalogue, "d@x.org"));
  g_assert_null(daemon_catalogue_find_address(catalogue, "A@x.org"));
}

static void
test_no_certificate(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  g_autoptr(EVP_PKEY) unknown = test_ec();
  GPtrArray *objects = test_objects();
  test_add_key(objects, test_rsa(0), "bob@Example.org", TEST_BOTH);
  test_add_key(objects, test_rsa(1), "Private key", TEST_BOTH);
  test_add_key(objects, unknown, "Private key", TEST_BOTH);
  test_insert(catalogue, 1, "Card", "A1B2", objects);

  const GPtrArray *ids = daemon_catalogue_ids(catalogue);
  g_assert_cmpuint(ids->len, ==, 3);
  g_assert_nonnull(daemon_catalogue_find_address(catalogue, "bob@example.org"));
  /* Two keys called alike are two people until something says otherwise; each can be named. */
  for (guint i = 0; i < ids->len; i++) {
    DaemonId *id = g_ptr_array_index(ids, i);
    g_assert_true(daemon_catalogue_find_id(catalogue, id->id, NULL, NULL) == id);
  }
  g_autofree char *name = test_key_name(test_rsa(1));
  const char *const addresses[] = { "carol@example.org", "c@example.org", NULL };
  daemon_catalogue_name_key(catalogue, name, addresses, "Carol");
  DaemonId *carol = daemon_catalogue_find_address(catalogue, "c@example.org");
  g_assert_cmpstr(carol->id, ==, "carol@example.org");
  g_assert_cmpstr(carol->name, ==, "Carol");
}

static void
test_no_address(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  TestCert sign = { .subject = "DOE,JANE,123", .key_usage = "nonRepudiation" };
  TestCert login = { .subject = "DOE,JANE,123", .extended_usage = "clientAuth" };
  test_add_id(objects, test_rsa(0), &sign);
  test_add_id(objects, test_rsa(1), &login);
  test_insert(catalogue, 1, "eID", "A1B2", objects);
  DaemonId *id = only_id(catalogue);
  g_assert_cmpuint(id->keys->len, ==, 2);
  g_autofree char *name = test_key_name(test_rsa(0));
  daemon_catalogue_name_key(catalogue, name, (const char *const[]){ ALICE, NULL }, NULL);
  g_assert_cmpstr(only_id(catalogue)->id, ==, ALICE);
}

static void
test_two_views(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  for (guint host = 1; host <= 2; host++) {
    GPtrArray *objects = test_objects();
    test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE, .serial = 7 });
    test_insert(catalogue, host, host == 1 ? "Card" : "Card (PIV)", "A1B2", objects);
  }
  g_assert_cmpuint(daemon_catalogue_devices(catalogue)->len, ==, 1);
  DaemonKey *key = key_of(catalogue, test_rsa(0));
  g_assert_cmpuint(key->locations->len, ==, 2);
  g_assert_cmpuint(daemon_catalogue_copies(key), ==, 1);
  g_assert_cmpuint(only_id(catalogue)->keys->len, ==, 1);
  g_assert_true(daemon_catalogue_find_device(catalogue, "Card", NULL) ==
                daemon_catalogue_find_device(catalogue, "Card (PIV)", NULL));

  g_autoptr(GPtrArray) events = daemon_catalogue_take_events(catalogue);
  g_assert_cmpuint(events->len, ==, 1);
  g_assert_cmpstr(((DaemonCatalogueEvent *)g_ptr_array_index(events, 0))->event, ==, "in");
  test_remove(catalogue, 1);
  g_autoptr(GPtrArray) none = daemon_catalogue_take_events(catalogue);
  g_assert_cmpuint(none->len, ==, 0);
  daemon_catalogue_drop_host(catalogue, 2);
  g_autoptr(GPtrArray) out = daemon_catalogue_take_events(catalogue);
  g_assert_cmpuint(out->len, ==, 1);
  g_assert_cmpstr(((DaemonCatalogueEvent *)g_ptr_array_index(out, 0))->event, ==, "out");
}

static void
test_replica(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  for (guint host = 1; host <= 2; host++) {
    GPtrArray *objects = test_objects();
    test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE, .serial = 7 });
    test_insert(catalogue, host, host == 1 ? "Card" : "Spare", host == 1 ? "A1B2" : "C3D4",
                objects);
  }
  g_assert_cmpuint(daemon_catalogue_devices(catalogue)->len, ==, 2);
  DaemonKey *key = key_of(catalogue, test_rsa(0));
  g_assert_cmpuint(daemon_catalogue_copies(key), ==, 2);
  test_remove(catalogue, 1);
  key = key_of(catalogue, test_rsa(0));
  g_assert_cmpuint(daemon_catalogue_copies(key), ==, 1);
  g_autofree char *away = daemon_catalogue_last_seen(key);
  g_assert_cmpstr(away, ==, "\"Card\"");
}

static void
add_blank_serials(DaemonCatalogue *catalogue, guint host, const char *serial, EVP_PKEY *second)
{
  g_autoptr(GPtrArray) tokens = test_tokens();
  test_add_token(tokens, 0, "tpm", serial, 0);
  test_add_token(tokens, 1, "tpm", serial, 0);
  daemon_catalogue_set_tokens(catalogue, host, "tpm2", NULL, tokens);
  for (guint32 slot = 0; slot < 2; slot++) {
    g_autoptr(GPtrArray) objects = test_objects();
    test_add_key(objects, slot ? second : test_rsa(0), "key", TEST_BOTH);
    daemon_catalogue_set_objects(catalogue, host, slot, 1, objects, TRUE);
  }
}

static void
test_blank_serials(void)
{
  const char *const serials[] = { "", "0000000000000000", "    ", "Card 3" };
  for (gsize i = 0; i < G_N_ELEMENTS(serials); i++) {
    g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
    add_blank_serials(catalogue, 1, serials[i], test_rsa(1));
    g_assert_cmpuint(daemon_catalogue_devices(catalogue)->len, ==, 2);
    g_autoptr(GError) error = NULL;
    g_assert_null(daemon_catalogue_find_device(catalogue, "tpm", &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_AMBIGUOUS);

    /* The same tokens through a second module: recognised by label and key. */
    add_blank_serials(catalogue, 2, serials[i], test_rsa(1));
    g_assert_cmpuint(daemon_catalogue_devices(catalogue)->len, ==, 2);
    g_assert_cmpuint(daemon_catalogue_copies(key_of(catalogue, test_rsa(0))), ==, 1);

    /* Gone, and back again with another second token in its place. */
    daemon_catalogue_drop_host(catalogue, 1);
    daemon_catalogue_drop_host(catalogue, 2);
    add_blank_serials(catalogue, 1, serials[i], test_rsa(2));
    g_assert_cmpuint(daemon_catalogue_devices(catalogue)->len, ==, 3);
    g_assert_cmpuint(key_of(catalogue, test_rsa(1))->locations->len, ==, 0);
    g_assert_cmpuint(key_of(catalogue, test_rsa(0))->seen->len, ==, 1);
  }
}

static void
test_uninitialised(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  g_autoptr(GPtrArray) tokens = test_tokens();
  test_add_token(tokens, 0, "", "", 0)->flags = 0;
  daemon_catalogue_set_tokens(catalogue, 1, "acme", NULL, tokens);
  DaemonDevice *device = daemon_catalogue_find_device(catalogue, "Reader 0", NULL);
  g_assert_nonnull(device);
  g_assert_cmpint(daemon_catalogue_device_state(device), ==, DAEMON_DEVICE_BLANK);
  g_assert_false(daemon_catalogue_device_locked(device));
  test_remove(catalogue, 1);
  g_assert_cmpuint(daemon_catalogue_devices(catalogue)->len, ==, 0);
}

static void
test_locked_hides_keys(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  g_autoptr(GPtrArray) tokens = test_tokens();
  test_add_token(tokens, 0, "Soft", "A1B2", WIRE_TOKEN_LOGIN_REQUIRED);
  daemon_catalogue_set_tokens(catalogue, 1, "softhsm", NULL, tokens);
  g_autoptr(GPtrArray) all = test_objects();
  test_add_id(all, test_rsa(0), &(TestCert){ .addresses = ALICE });
  test_add_key(all, test_rsa(1), "bob@example.org", TEST_BOTH);
  g_autoptr(GPtrArray) shown = test_objects();
  WireObject *certificate = g_ptr_array_index(all, 1);
  test_add_cert(shown, certificate->bytes, "certificate");

  daemon_catalogue_set_objects(catalogue, 1, 0, 1, shown, FALSE);
  DaemonKey *key = key_of(catalogue, test_rsa(0));
  g_assert_true(((DaemonLocation *)g_ptr_array_index(key->locations, 0))->presumed);
  g_assert_cmpuint(daemon_catalogue_copies(key), ==, 0);
  DaemonChoice choice;
  g_assert_true(daemon_catalogue_choose(
      catalogue,
      &(DaemonWish){ .use = BASE_USE_SIGN, .id = NULL, .address = ALICE, .now = TEST_NOW }, &choice,
      NULL));

  daemon_catalogue_set_logged_in(catalogue, 1, 0, 1, TRUE);
  daemon_catalogue_set_objects(catalogue, 1, 0, 1, all, TRUE);
  key = key_of(catalogue, test_rsa(0));
  g_assert_false(((DaemonLocation *)g_ptr_array_index(key->locations, 0))->presumed);
  g_assert_cmpuint(daemon_catalogue_ids(catalogue)->len, ==, 2);

  /* Locked again: nothing of what was seen is taken for gone. */
  daemon_catalogue_set_logged_in(catalogue, 1, 0, 1, FALSE);
  daemon_catalogue_set_objects(catalogue, 1, 0, 1, shown, FALSE);
  g_assert_cmpuint(key_of(catalogue, test_rsa(1))->locations->len, ==, 1);
  g_assert_true(
      daemon_catalogue_device_locked(daemon_catalogue_find_device(catalogue, "Soft", NULL)));

  /* Searched with login and not there: gone, though remembered. */
  daemon_catalogue_set_logged_in(catalogue, 1, 0, 1, TRUE);
  daemon_catalogue_set_objects(catalogue, 1, 0, 1, shown, TRUE);
  g_assert_cmpuint(key_of(catalogue, test_rsa(1))->locations->len, ==, 0);
  daemon_catalogue_set_objects(catalogue, 1, 0, 1, shown, FALSE);
  g_assert_cmpuint(key_of(catalogue, test_rsa(1))->locations->len, ==, 0);
}

static void
test_token_names(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  g_autoptr(GPtrArray) tokens = test_tokens();
  test_add_token(tokens, 0, "Card", "A1B2", 0);
  test_add_token(tokens, 1, "Card", "C3D4", 0);
  daemon_catalogue_set_tokens(catalogue, 1, "acme", NULL, tokens);
  g_autoptr(GError) ambiguous = NULL;
  g_assert_null(daemon_catalogue_find_device(catalogue, "Card", &ambiguous));
  g_assert_error(ambiguous, SIGNET_ERROR, SIGNET_ERROR_AMBIGUOUS);
  g_assert_cmpuint(g_strv_length(signet_error_get_details(ambiguous)->candidates), ==, 2);
  DaemonDevice *second = daemon_catalogue_find_device(catalogue, "C3D4", NULL);
  g_assert_cmpstr(second->serial, ==, "C3D4");
  g_assert_true(daemon_catalogue_find_device(catalogue, "pkcs11:token=Card;serial=C3D4", NULL) ==
                second);
  g_autoptr(GError) missing = NULL;
  g_assert_null(daemon_catalogue_find_device(catalogue, "Nothing", &missing));
  g_assert_error(missing, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND);
  const char *const malformed[] = {
    "pkcs11:token=%zz", "pkcs11:token=%4", "pkcs11:token=%",
    "pkcs11:token",     "pkcs11:a",        "pkcs11:token=A;token=B"
  };
  for (gsize i = 0; i < G_N_ELEMENTS(malformed); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_null(daemon_catalogue_find_device(catalogue, malformed[i], &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
  }
  const char *const fitting[] = {
    "PKCS11:serial=C3D4", "pkcs11:serial=%43%33d4;?pin-value=1",
    "pkcs11:;serial=C3D4%20;manufacturer=ACME;model=Card%203;slot-id=7",
    "pkcs11:serial=C3D4?pin-source=%zz"
  };
  g_assert_null(daemon_catalogue_find_device(catalogue, fitting[1], NULL));
  g_assert_true(daemon_catalogue_find_device(catalogue, fitting[0], NULL) == second);
  g_assert_true(daemon_catalogue_find_device(catalogue, fitting[2], NULL) == second);
  g_assert_true(daemon_catalogue_find_device(catalogue, fitting[3], NULL) == second);
  g_assert_null(daemon_catalogue_find_device(catalogue, "pkcs11:serial=C3D4;x-vendor=1", NULL));

  daemon_catalogue_drop_host(catalogue, 1);
  DaemonDevice *away = daemon_catalogue_find_device(catalogue, "A1B2", NULL);
  g_assert_cmpint(daemon_catalogue_device_state(away), ==, DAEMON_DEVICE_ABSENT);
  g_assert_cmpint(away->last_seen, >, 0);
  daemon_catalogue_forget_device(catalogue, away);
  g_assert_null(daemon_catalogue_find_device(catalogue, "A1B2", NULL));
}

static void
test_id_names(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  GBytes *der = test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE });
  g_autofree char *fingerprint = test_fingerprint(der);
  test_add_id(objects, test_rsa(1),
              &(TestCert){ .addresses = "bob@example.org", .subject = "Bob" });
  test_insert(catalogue, 1, "Card", "A1B2", objects);

  DaemonCert *cert = NULL;
  g_autofree char *prefix = g_strndup(fingerprint, 8);
  DaemonId *id = daemon_catalogue_find_id(catalogue, prefix, &cert, NULL);
  g_assert_cmpstr(id->id, ==, ALICE);
  g_assert_cmpstr(cert->fingerprint, ==, fingerprint);
  g_autofree char *upper = g_ascii_strup(prefix, -1);
  g_assert_true(daemon_catalogue_find_id(catalogue, upper, NULL, NULL) == id);
  g_autofree char *shorter = g_strndup(fingerprint, 7);
  g_autoptr(GError) error = NULL;
  g_assert_null(daemon_catalogue_find_id(catalogue, shorter, NULL, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND);

  /* Both keys are called "key". */
  g_autoptr(GError) ambiguous = NULL;
  g_assert_null(daemon_catalogue_find_id(catalogue, "key", NULL, &ambiguous));
  g_assert_error(ambiguous, SIGNET_ERROR, SIGNET_ERROR_AMBIGUOUS);
  g_assert_cmpuint(g_strv_length(signet_error_get_details(ambiguous)->candidates), ==, 2);
  g_assert_cmpstr(daemon_catalogue_find_id(catalogue, "Bob", NULL, NULL)->id, ==,
                  "bob@example.org");

  DaemonLocation *location = g_ptr_array_index(key_of(catalogue, test_rsa(0))->locations, 0);
  g_autoptr(GString) uri = g_string_new("pkcs11:token=Card;object=key;id=");
  for (gsize i = 0; i < 8; i++)
    g_string_append_printf(uri, "%%%02x",
                           ((const guint8 *)g_bytes_get_data(location->id, NULL))[i]);
  g_assert_true(daemon_catalogue_find_id(catalogue, uri->str, NULL, NULL) == id);
  g_autoptr(GError) several = NULL;
  g_assert_null(daemon_catalogue_find_id(catalogue, "pkcs11:token=Card", NULL, &several));
  g_assert_error(several, SIGNET_ERROR, SIGNET_ERROR_AMBIGUOUS);
}

static void
test_unchanged(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  g_autoptr(GPtrArray) objects = test_objects();
  test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE });
  test_insert(catalogue, 1, "Card", "A1B2", g_ptr_array_ref(objects));
  const DaemonId *before = only_id(catalogue);
  g_autoptr(GPtrArray) events = daemon_catalogue_take_events(catalogue);
  daemon_catalogue_set_objects(catalogue, 1, 0, 1, objects, TRUE);
  g_assert_true(only_id(catalogue) == before);
  g_autoptr(GPtrArray) none = daemon_catalogue_take_events(catalogue);
  g_assert_cmpuint(none->len, ==, 0);
  test_add_key(objects, test_rsa(1), "new", TEST_BOTH);
  daemon_catalogue_set_objects(catalogue, 1, 0, 1, objects, TRUE);
  g_autoptr(GPtrArray) one = daemon_catalogue_take_events(catalogue);
  g_assert_cmpuint(one->len, ==, 1);
  g_assert_cmpstr(((DaemonCatalogueEvent *)g_ptr_array_index(one, 0))->event, ==, "changed");
  /* A token that went away meanwhile, and one that never was. */
  daemon_catalogue_set_objects(catalogue, 1, 0, 2, objects, TRUE);
  daemon_catalogue_set_objects(catalogue, 9, 0, 1, objects, TRUE);
}

static void
test_forgotten_key(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE });
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  g_autofree char *name = test_key_name(test_rsa(0));
  daemon_catalogue_forget_key(catalogue, name,
                              daemon_catalogue_find_device(catalogue, "Card", NULL));
  g_assert_null(daemon_catalogue_key(catalogue, name));
  g_assert_cmpuint(daemon_catalogue_ids(catalogue)->len, ==, 0);
}

static void
test_claimed_abilities(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  g_autoptr(EVP_PKEY) ec = test_ec();
  g_autoptr(EVP_PKEY) ed25519 = test_ed25519();
  GPtrArray *objects = test_objects();
  test_add_key(objects, test_rsa(0), "rsa", TEST_BOTH);
  test_add_key(objects, ec, "ec", TEST_BOTH);
  test_add_key(objects, ed25519, "ed25519", TEST_BOTH);
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  g_assert_cmpuint(key_of(catalogue, test_rsa(0))->flags, ==, WIRE_KEY_SIGN | WIRE_KEY_DECRYPT);
  g_assert_cmpuint(key_of(catalogue, ec)->flags, ==, WIRE_KEY_SIGN | WIRE_KEY_DERIVE);
  g_assert_cmpuint(key_of(catalogue, ed25519)->flags, ==, WIRE_KEY_SIGN);
  g_assert_nonnull(key_of(catalogue, ec)->spki);
}

static void
test_remembered_abilities(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  guint32 whole = WIRE_KEY_SIGN | WIRE_KEY_DECRYPT | WIRE_KEY_EXTRACTABLE | WIRE_KEY_ALWAYS_AUTH;
  GPtrArray *objects = test_objects();
  test_add_key(objects, test_rsa(0), "key", whole);
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  /* Locked, the host knows the public key only, and guesses. */
  g_autoptr(GPtrArray) guessed = test_objects();
  test_add_key(guessed, test_rsa(0), "key", WIRE_KEY_SIGN);
  daemon_catalogue_set_logged_in(catalogue, 1, 0, 1, FALSE);
  daemon_catalogue_set_objects(catalogue, 1, 0, 1, guessed, FALSE);
  g_assert_cmpuint(key_of(catalogue, test_rsa(0))->flags, ==, whole);
  const DaemonKey *before = key_of(catalogue, test_rsa(0));
  g_autoptr(GPtrArray) events = daemon_catalogue_take_events(catalogue);
  daemon_catalogue_set_objects(catalogue, 1, 0, 1, guessed, FALSE);
  g_autoptr(GPtrArray) none = daemon_catalogue_take_events(catalogue);
  g_assert_cmpuint(none->len, ==, 0);
  g_assert_true(key_of(catalogue, test_rsa(0)) == before);
  /* Unlocked it is the truth, less of it included. */
  daemon_catalogue_set_objects(catalogue, 1, 0, 1, guessed, TRUE);
  g_assert_cmpuint(key_of(catalogue, test_rsa(0))->flags, ==, WIRE_KEY_SIGN);
}

/* OpenSC shows a card with two PINs as two tokens of one serial. */
static void
test_token_per_pin(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  g_autoptr(GPtrArray) tokens = test_tokens();
  test_add_token(tokens, 0, "eID (User PIN)", "A1B2", WIRE_TOKEN_LOGIN_REQUIRED);
  test_add_token(tokens, 1, "eID (Signature PIN)", "A1B2", WIRE_TOKEN_LOGIN_REQUIRED);
  daemon_catalogue_set_tokens(catalogue, 1, "opensc", NULL, tokens);
  g_assert_cmpuint(daemon_catalogue_devices(catalogue)->len, ==, 1);
  DaemonView *view = daemon_catalogue_find_view(catalogue, "eID (Signature PIN)", NULL);
  g_assert_cmpuint(view->token->slot, ==, 1);
  view = daemon_catalogue_find_view(catalogue, "pkcs11:token=eID%20%28Signature%20PIN%29", NULL);
  g_assert_cmpuint(view->token->slot, ==, 1);
  g_assert_cmpuint(daemon_catalogue_find_view(catalogue, "A1B2", NULL)->token->slot, ==, 0);
  daemon_catalogue_set_logged_in(catalogue, 1, 1, 1, TRUE);
  g_assert_cmpuint(daemon_catalogue_find_view(catalogue, "A1B2", NULL)->token->slot, ==, 1);
  daemon_catalogue_drop_host(catalogue, 1);
  g_autoptr(GError) error = NULL;
  g_assert_null(daemon_catalogue_find_view(catalogue, "A1B2", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE);
}

static void
test_json(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  for (guint host = 1; host <= 2; host++) {
    GPtrArray *objects = test_objects();
    test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE, .serial = 7 });
    test_insert(catalogue, host, "Card", "A1B2", objects);
  }
  GPtrArray *objects = test_objects();
  test_add_key(objects, test_rsa(0), "key", TEST_BOTH);
  test_insert(catalogue, 3, "Old", "C3D4", objects);
  test_remove(catalogue, 3);
  g_autoptr(WireJson) id = daemon_catalogue_id_json(only_id(catalogue), FALSE);
  const json_t *key = json_array_get(json_object_get(id, "keys"), 0);
  g_assert_cmpstr(json_string_value(json_object_get(id, "id")), ==, ALICE);
  g_assert_true(json_is_false(json_object_get(id, "is_default")));
  /* Two views of one card are one token. */
  g_assert_cmpuint(json_array_size(json_object_get(key, "tokens")), ==, 1);
  g_assert_cmpstr(json_string_value(json_array_get(json_object_get(key, "absent"), 0)), ==, "Old");
  g_assert_true(json_is_false(json_object_get(key, "locked")));
  g_assert_true(json_is_null(json_object_get(key, "public_key")));
  const json_t *cert = json_array_get(json_object_get(key, "certificates"), 0);
  g_assert_true(json_is_null(json_object_get(cert, "certificate")));
  g_assert_cmpuint(json_array_size(json_object_get(cert, "use")), ==, 2);
  g_autoptr(WireJson) whole = daemon_catalogue_id_json(only_id(catalogue), TRUE);
  key = json_array_get(json_object_get(whole, "keys"), 0);
  g_autoptr(GBytes) spki = NULL;
  g_assert_true(wire_json_get_base64(key, "public_key", FALSE, 4096, &spki, NULL));
  gsize length;
  gconstpointer bytes = g_bytes_get_data(spki, &length);
  g_autofree char *name = base_key_name(bytes, length);
  g_assert_cmpstr(name, ==, json_string_value(json_object_get(key, "key")));
  cert = json_array_get(json_object_get(key, "certificates"), 0);
  g_assert_true(json_is_string(json_object_get(cert, "certificate")));
}

/* ---- what was just stored ---- */

static gboolean
add_stored(DaemonCatalogue *catalogue, guint32 slot, GBytes *der)
{
  const WireObject object = {
    .kind = WIRE_OBJECT_CERTIFICATE, .key = (char *)"", .label = (char *)"Alice", .bytes = der
  };
  return daemon_catalogue_add_stored(catalogue, 1, slot, 1, &object);
}

static void
test_stored_is_added(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_key(objects, test_rsa(0), "Alice", TEST_BOTH);
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  g_autoptr(X509) x509 = test_x509(test_rsa(0), &(TestCert){ .addresses = "alice@example.org" });
  g_autoptr(GBytes) der = test_der(x509);
  g_autofree char *fingerprint = test_fingerprint(der);

  g_assert_false(add_stored(catalogue, 7, der)); /* no such token */
  DaemonTaking *taking = daemon_catalogue_take_start(catalogue);
  g_assert_false(add_stored(catalogue, 0, der)); /* that list may be without it */
  daemon_catalogue_take_free(taking);
  g_assert_null(daemon_catalogue_cert(catalogue, fingerprint));

  g_assert_true(add_stored(catalogue, 0, der));
  g_assert_true(add_stored(catalogue, 0, der));
  const DaemonCert *cert = daemon_catalogue_cert(catalogue, fingerprint);
  g_autoptr(GPtrArray) views = daemon_catalogue_cert_views(catalogue, cert);
  g_assert_cmpuint(views->len, ==, 1);
  g_autofree char *name = test_key_name(test_rsa(0));
  const DaemonKey *key = daemon_catalogue_key(catalogue, name);
  g_assert_cmpuint(key->certs->len, ==, 1);
  g_assert_cmpstr(key->id->id, ==, "alice@example.org");

  /* The list that comes later says nothing new. */
  g_autoptr(GPtrArray) events = daemon_catalogue_take_events(catalogue);
  GPtrArray *listed = test_objects();
  test_add_key(listed, test_rsa(0), "Alice", TEST_BOTH);
  test_add_cert(listed, der, "Alice");
  WireObject *stored = g_ptr_array_index(listed, 1);
  g_bytes_unref(stored->id); /* a host gives it that of its key */
  stored->id = g_bytes_ref(((WireObject *)g_ptr_array_index(listed, 0))->id);
  daemon_catalogue_set_objects(catalogue, 1, 0, 1, listed, TRUE);
  g_ptr_array_unref(listed);
  g_autoptr(GPtrArray) none = daemon_catalogue_take_events(catalogue);
  g_assert_cmpuint(none->len, ==, 0);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/daemon/catalogue/renewed-same-key-one-id", test_renewed_same_key);
  g_test_add_func("/daemon/catalogue/renewed-new-key-one-id", test_renewed_new_key);
  g_test_add_func("/daemon/catalogue/several-addresses-one-id", test_several_addresses);
  g_test_add_func("/daemon/catalogue/no-certificate-id-of-label", test_no_certificate);
  g_test_add_func("/daemon/catalogue/no-address-id-of-subject", test_no_address);
  g_test_add_func("/daemon/catalogue/two-views-one-device", test_two_views);
  g_test_add_func("/daemon/catalogue/two-devices-replica", test_replica);
  g_test_add_func("/daemon/catalogue/blank-serials-not-merged", test_blank_serials);
  g_test_add_func("/daemon/catalogue/uninitialised-blank", test_uninitialised);
  g_test_add_func("/daemon/catalogue/locked-keys-presumed", test_locked_hides_keys);
  g_test_add_func("/daemon/catalogue/token-names-resolved", test_token_names);
  g_test_add_func("/daemon/catalogue/id-names-resolved", test_id_names);
  g_test_add_func("/daemon/catalogue/unchanged-not-rebuilt", test_unchanged);
  g_test_add_func("/daemon/catalogue/forgotten-key-gone", test_forgotten_key);
  g_test_add_func("/daemon/catalogue/claimed-abilities-checked", test_claimed_abilities);
  g_test_add_func("/daemon/catalogue/locked-abilities-remembered", test_remembered_abilities);
  g_test_add_func("/daemon/catalogue/token-per-pin-own-view", test_token_per_pin);
  g_test_add_func("/daemon/catalogue/json-as-documented", test_json);
  g_test_add_func("/daemon/catalogue/stored-certificate-needs-no-list", test_stored_is_added);
  return g_test_run();
}
