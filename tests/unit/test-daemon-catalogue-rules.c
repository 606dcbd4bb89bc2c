/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-daemon-catalogue-lib.h"

#include <signet/error.h>

#include <string.h>

/* The cards that people have in their hands, and what is made of them. */

#define ALICE "alice@example.org"
#define DOE "DOE.JANE.1234567890"
#define EXPIRED 300
/* Far above what was measured (10 ms), for machines that are busy or slow. */
#define SOON_US (2 * G_USEC_PER_SEC)

static gboolean
choose(DaemonCatalogue *catalogue, BaseUse use, const char *address, DaemonChoice *ret_choice,
       GError **error)
{
  return daemon_catalogue_choose(catalogue,
                                 &(DaemonWish){ .use = use, .address = address, .now = TEST_NOW },
                                 ret_choice, error);
}

static void
assert_key(DaemonCatalogue *catalogue, BaseUse use, const char *address, EVP_PKEY *pkey)
{
  DaemonChoice choice = { 0 };
  g_autoptr(GError) error = NULL;
  g_autofree char *name = test_key_name(pkey);
  choose(catalogue, use, address, &choice, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(choice.key->name, ==, name);
}

static gboolean
mentions(char **lines, const char *text)
{
  for (; lines && *lines; lines++)
    if (strstr(*lines, text))
      return TRUE;
  return FALSE;
}

/* ---- a card with four certificates ---- */

typedef struct {
  DaemonCatalogue *catalogue;
  EVP_PKEY *sign;
  EVP_PKEY *seal;
} Cac;

/* As a US Common Access Card has them: for logging in (newest, without an address), for signatures,
 * for sealed mail, and for opening doors (of the card, not the person). */
static Cac
cac_new(gint64 sign_until)
{
  Cac cac = { daemon_catalogue_new(), test_rsa(1), test_rsa(2) };
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0),
              &(TestCert){ .subject = DOE,
                           .key_usage = "digitalSignature",
                           .extended_usage = "clientAuth,msSmartcardLogin",
                           .from = -1,
                           .until = 400 });
  test_add_id(objects, cac.sign,
              &(TestCert){ .subject = DOE,
                           .addresses = "jane.doe@mail.mil",
                           .key_usage = "digitalSignature,nonRepudiation",
                           .from = -100,
                           .until = sign_until });
  test_add_id(objects, cac.seal,
              &(TestCert){ .subject = DOE,
                           .addresses = "jane.doe@mail.mil",
                           .key_usage = "keyEncipherment" });
  test_add_id(objects, test_rsa(3),
              &(TestCert){ .subject = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
                           .key_usage = "digitalSignature",
                           .extended_usage = "2.16.840.1.101.3.6.8" });
  test_insert(cac.catalogue, 1, "CAC", "A1B2", objects);
  return cac;
}

static void
test_cac(void)
{
  Cac cac = cac_new(365);
  const char *names[] = { "jane.doe@mail.mil", NULL };
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
    assert_key(cac.catalogue, BASE_USE_SIGN, names[i], cac.sign);
    assert_key(cac.catalogue, BASE_USE_ENCRYPT, names[i], cac.seal);
  }
  /* Jane is one person with three keys; the door's key is the card's own. */
  g_assert_cmpuint(daemon_catalogue_ids(cac.catalogue)->len, ==, 2);
  const DaemonId *jane = daemon_catalogue_find_address(cac.catalogue, "jane.doe@mail.mil");
  g_assert_cmpuint(jane->keys->len, ==, 3);
  g_assert_cmpstr(jane->name, ==, DOE);
  daemon_catalogue_free(cac.catalogue);
}

static void
test_cac_authentication_never_signs(void)
{
  Cac cac = cac_new(-1); /* the certificate for signatures has expired */
  g_autoptr(GError) error = NULL;
  DaemonChoice choice;
  g_assert_false(choose(cac.catalogue, BASE_USE_SIGN, "jane.doe@mail.mil", &choice, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NONE_USABLE);
  char **candidates = signet_error_get_details(error)->candidates;
  g_assert_true(mentions(candidates, "expired on"));
  g_assert_true(mentions(candidates, "for authentication only"));
  g_assert_true(mentions(candidates, "for encryption only"));
  daemon_catalogue_free(cac.catalogue);
}

/* Two people of one name: who logs in with the third certificate cannot be known. */
static void
test_namesakes(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = "a1@example.org" });
  test_add_id(objects, test_rsa(1), &(TestCert){ .addresses = "a2@example.org" });
  test_add_id(objects, test_rsa(2), &(TestCert){ .extended_usage = "clientAuth" });
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  g_assert_cmpuint(daemon_catalogue_ids(catalogue)->len, ==, 3);
}

/* ---- addresses ---- */

static void
test_several_addresses(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = "a@x.org,b@x.org,c@x.org" });
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  assert_key(catalogue, BASE_USE_SIGN, "a@x.org", test_rsa(0));
  assert_key(catalogue, BASE_USE_SIGN, "c@X.ORG", test_rsa(0));
  assert_key(catalogue, BASE_USE_ENCRYPT, "b@x.org", test_rsa(0));
}

static void
test_tied_address(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0), &(TestCert){ .subject = DOE, .key_usage = "nonRepudiation" });
  test_insert(catalogue, 1, "eID", "A1B2", objects);
  g_autoptr(GError) error = NULL;
  DaemonChoice choice;
  g_assert_false(choose(catalogue, BASE_USE_SIGN, ALICE, &choice, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND);
  g_autofree char *name = test_key_name(test_rsa(0));
  daemon_catalogue_name_key(catalogue, name, (const char *const[]){ ALICE, NULL }, NULL);
  assert_key(catalogue, BASE_USE_SIGN, ALICE, test_rsa(0));
  test_remove(catalogue, 1); /* the tie outlives the card's absence */
  g_assert_nonnull(daemon_catalogue_find_address(catalogue, ALICE));
  daemon_catalogue_name_key(catalogue, name, (const char *const[]){ NULL }, NULL);
  g_assert_null(daemon_catalogue_find_address(catalogue, ALICE));
}

/* ---- ties ---- */

/* Two keys for one address are one ID, and the newer one signs, until the person says otherwise. */
static void
test_default_key(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  g_autoptr(GBytes) older = g_bytes_ref(test_add_id(
      objects, test_rsa(0), &(TestCert){ .addresses = ALICE, .from = -50, .until = 300 }));
  test_add_id(objects, test_rsa(1), &(TestCert){ .addresses = ALICE, .from = -20, .until = 300 });
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  assert_key(catalogue, BASE_USE_SIGN, ALICE, test_rsa(1));
  g_autofree char *fingerprint = test_fingerprint(older);
  g_assert_true(daemon_catalogue_set_default(catalogue, fingerprint, NULL));
  assert_key(catalogue, BASE_USE_SIGN, ALICE, test_rsa(0));
  assert_key(catalogue, BASE_USE_ENCRYPT, NULL, test_rsa(0));

  g_autofree char *folder = g_dir_make_tmp("signet-catalogue-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(folder, "catalogue", NULL);
  g_autoptr(DaemonCatalogue) again = daemon_catalogue_new();
  g_assert_true(daemon_catalogue_save(catalogue, path, NULL));
  daemon_catalogue_load(again, path);
  GPtrArray *same = test_objects();
  test_add_key(same, test_rsa(0), "key", TEST_BOTH);
  test_add_key(same, test_rsa(1), "key", TEST_BOTH);
  test_insert(again, 1, "Card", "A1B2", same);
  assert_key(again, BASE_USE_SIGN, ALICE, test_rsa(0));
  g_assert_cmpint(remove(path), ==, 0);
  g_assert_cmpint(remove(folder), ==, 0);

  g_assert_true(daemon_catalogue_set_default(catalogue, ALICE, NULL));
  assert_key(catalogue, BASE_USE_SIGN, ALICE, test_rsa(1));
}

static void
test_two_people(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE, .subject = "Team" });
  test_add_id(objects, test_rsa(1), &(TestCert){ .addresses = "b@example.org", .subject = "Team" });
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  DaemonChoice choice;
  g_autoptr(GError) nobody = NULL;
  g_assert_false(choose(catalogue, BASE_USE_SIGN, NULL, &choice, &nobody));
  g_assert_error(nobody, SIGNET_ERROR, SIGNET_ERROR_AMBIGUOUS);
  g_assert_true(mentions(signet_error_get_details(nobody)->candidates, ALICE));
  g_assert_true(mentions(signet_error_get_details(nobody)->candidates, "b@example.org"));
  g_autoptr(GError) both = NULL;
  g_assert_null(daemon_catalogue_find_id(catalogue, "Team", NULL, &both));
  g_assert_error(both, SIGNET_ERROR, SIGNET_ERROR_AMBIGUOUS);
  g_assert_cmpuint(g_strv_length(signet_error_get_details(both)->candidates), ==, 2);
  g_assert_true(daemon_catalogue_set_default(catalogue, "b@example.org", NULL));
  assert_key(catalogue, BASE_USE_SIGN, NULL, test_rsa(1));
}

/* ---- chains ---- */

static void
test_missing_issuer(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  g_autoptr(EVP_PKEY) root_key = test_ec();
  g_autoptr(EVP_PKEY) middle_key = test_ec();
  TestCert ca = { .subject = "Root", .ca = TRUE, .key_usage = "keyCertSign" };
  g_autoptr(X509) root = test_x509(root_key, &ca);
  ca.subject = "Middle";
  ca.issuer = root;
  ca.issuer_key = root_key;
  g_autoptr(X509) middle = test_x509(middle_key, &ca);
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0),
              &(TestCert){ .addresses = ALICE, .issuer = middle, .issuer_key = middle_key });
  g_autoptr(GBytes) der = test_der(root);
  test_add_cert(objects, der, "CA"); /* the one in between is nowhere */
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  DaemonChoice choice = { 0 };
  g_assert_true(choose(catalogue, BASE_USE_SIGN, ALICE, &choice, NULL));
  g_autoptr(GPtrArray) none = daemon_catalogue_chain(catalogue, choice.cert);
  g_assert_cmpuint(none->len, ==, 0);

  g_autoptr(GBytes) kept = test_der(middle); /* until it is kept for a card that takes none */
  g_assert_true(daemon_catalogue_keep_cert(catalogue, kept, NULL));
  g_assert_true(choose(catalogue, BASE_USE_SIGN, ALICE, &choice, NULL));
  g_autoptr(GPtrArray) chain = daemon_catalogue_chain(catalogue, choice.cert);
  g_assert_cmpuint(chain->len, ==, 1);
}

static void
test_self_signed(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE });
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  assert_key(catalogue, BASE_USE_SIGN, ALICE, test_rsa(0));
  DaemonChoice choice = { 0 };
  g_assert_true(choose(catalogue, BASE_USE_SIGN, ALICE, &choice, NULL));
  g_assert_true(choice.cert->self_signed);
  g_autoptr(GPtrArray) chain = daemon_catalogue_chain(catalogue, choice.cert);
  g_assert_cmpuint(chain->len, ==, 0);
}

/* ---- years of certificates ---- */

static void
test_many_expired(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  g_autoptr(GPtrArray) ders = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  for (int i = 0; i < EXPIRED; i++) {
    g_autoptr(EVP_PKEY) key = test_ec();
    TestCert wanted = { .addresses = ALICE, .from = -4000 + i, .until = -3000 + i };
    g_ptr_array_add(ders, g_bytes_ref(test_add_id(objects, key, &wanted)));
  }
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  g_autofree DaemonRecipient *recipients = g_new0(DaemonRecipient, EXPIRED);
  g_autoptr(GPtrArray) facts = g_ptr_array_new_with_free_func((GDestroyNotify)base_cert_free);
  for (guint i = 0; i < EXPIRED; i++) {
    BaseCert *cert = base_cert_new(ders->pdata[i], NULL);
    g_ptr_array_add(facts, cert);
    recipients[i] = (DaemonRecipient){ .issuer = cert->issuer_der, .serial = cert->serial };
  }
  gint64 start = g_get_monotonic_time();
  const GPtrArray *ids = daemon_catalogue_ids(catalogue);
  g_assert_cmpuint(ids->len, ==, 1);
  g_autoptr(WireJson) json = daemon_catalogue_id_json(ids->pdata[0], TRUE);
  g_autofree char *text = json_dumps(json, JSON_COMPACT);
  gint64 listed = g_get_monotonic_time();
  g_autoptr(GArray) matches = daemon_catalogue_find_recipients(catalogue, recipients, EXPIRED);
  gint64 found = g_get_monotonic_time();
  g_assert_cmpuint(matches->len, ==, EXPIRED);
  DaemonChoice choice;
  g_autoptr(GError) error = NULL;
  g_assert_false(choose(catalogue, BASE_USE_SIGN, ALICE, &choice, &error));
  gint64 refused = g_get_monotonic_time();
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NONE_USABLE);
  /* Not 300 lines: a person reads the first ones. */
  g_assert_cmpuint(g_strv_length(signet_error_get_details(error)->candidates), <=,
                   DAEMON_CATALOGUE_CANDIDATES_MAX + 1);
  g_test_message("%d expired certificates: listed in %d us, found in %d us, refused in %d us",
                 EXPIRED, (int)(listed - start), (int)(found - listed), (int)(refused - found));
  g_assert_cmpint(listed - start, <, SOON_US);
  g_assert_cmpint(found - listed, <, SOON_US);
  g_assert_cmpint(refused - found, <, SOON_US);
}

/* ---- absent and lost tokens ---- */

static DaemonCatalogue *
with_card(void)
{
  DaemonCatalogue *catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE });
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  return catalogue;
}

static void
test_absent_is_listed(void)
{
  g_autoptr(DaemonCatalogue) catalogue = with_card();
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  test_remove(catalogue, 1);
  const GPtrArray *devices = daemon_catalogue_devices(catalogue);
  g_assert_cmpuint(devices->len, ==, 1);
  DaemonDevice *card = devices->pdata[0];
  g_assert_cmpint(daemon_catalogue_device_state(card), ==, DAEMON_DEVICE_ABSENT);
  g_assert_cmpint(card->last_seen, >=, now);
  g_autofree char *name = test_key_name(test_rsa(0));
  const DaemonKey *key = daemon_catalogue_key(catalogue, name);
  g_assert_cmpint(daemon_catalogue_last_seen_at(key), ==, card->last_seen);
  g_autofree char *line = daemon_catalogue_key_line(key);
  g_assert_nonnull(strstr(line, "(rsa:2048) of " ALICE));
  daemon_catalogue_forget_device(catalogue, card);
  g_assert_cmpuint(daemon_catalogue_devices(catalogue)->len, ==, 0);
  g_assert_cmpuint(daemon_catalogue_ids(catalogue)->len, ==, 0);
}

static void
test_lost(void)
{
  g_autoptr(DaemonCatalogue) catalogue = with_card();
  DaemonDevice *card = daemon_catalogue_find_device(catalogue, "Card", NULL);
  g_autofree char *name = test_key_name(test_rsa(0));
  g_autoptr(GError) error = NULL;
  DaemonChoice choice;
  daemon_catalogue_set_lost(catalogue, card, TRUE);
  DaemonKey *key = daemon_catalogue_key(catalogue, name);
  g_assert_cmpuint(key->locations->len, ==, 0);
  g_assert_null(daemon_catalogue_locate(catalogue, key, WIRE_KEY_SIGN, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_DENIED);
  g_assert_cmpstr(signet_error_get_details(error)->token, ==, "Card");
  g_assert_false(choose(catalogue, BASE_USE_SIGN, ALICE, &choice, NULL));
  g_assert_false(choose(catalogue, BASE_USE_ENCRYPT, ALICE, &choice, NULL));
  g_assert_true(daemon_catalogue_only_on(key, card));

  /* A copy of the key on another token goes on. */
  GPtrArray *objects = test_objects();
  test_add_key(objects, test_rsa(0), "copy", TEST_BOTH);
  test_insert(catalogue, 2, "Spare", "C3D4", objects);
  assert_key(catalogue, BASE_USE_SIGN, ALICE, test_rsa(0));
  key = daemon_catalogue_key(catalogue, name);
  card = daemon_catalogue_find_device(catalogue, "Card", NULL);
  g_assert_false(daemon_catalogue_only_on(key, card));
  g_assert_cmpuint(daemon_catalogue_copies(key), ==, 1);
  test_remove(catalogue, 2);

  /* It comes back in another slot, and after a restart: still lost. */
  test_remove(catalogue, 1);
  g_autofree char *folder = g_dir_make_tmp("signet-catalogue-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(folder, "catalogue", NULL);
  g_autoptr(DaemonCatalogue) again = daemon_catalogue_new();
  g_assert_true(daemon_catalogue_save(catalogue, path, NULL));
  daemon_catalogue_load(again, path);
  GPtrArray *back = test_objects();
  test_add_key(back, test_rsa(0), "key", TEST_BOTH);
  test_insert(again, 7, "Card", "A1B2", back);
  card = daemon_catalogue_find_device(again, "Card", NULL);
  g_assert_true(card->lost);
  g_assert_cmpuint(daemon_catalogue_key(again, name)->locations->len, ==, 0);
  daemon_catalogue_set_lost(again, card, FALSE);
  assert_key(again, BASE_USE_SIGN, ALICE, test_rsa(0));
  g_assert_cmpint(remove(path), ==, 0);
  g_assert_cmpint(remove(folder), ==, 0);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/daemon/catalogue-rules/cac-each-its-own", test_cac);
  g_test_add_func("/daemon/catalogue-rules/cac-authentication-never-signs",
                  test_cac_authentication_never_signs);
  g_test_add_func("/daemon/catalogue-rules/namesakes-not-merged", test_namesakes);
  g_test_add_func("/daemon/catalogue-rules/several-addresses-each-works", test_several_addresses);
  g_test_add_func("/daemon/catalogue-rules/no-address-tied-to-one", test_tied_address);
  g_test_add_func("/daemon/catalogue-rules/two-keys-default-decides", test_default_key);
  g_test_add_func("/daemon/catalogue-rules/two-people-default-decides", test_two_people);
  g_test_add_func("/daemon/catalogue-rules/issuer-missing-still-signs", test_missing_issuer);
  g_test_add_func("/daemon/catalogue-rules/self-signed-no-chain", test_self_signed);
  g_test_add_func("/daemon/catalogue-rules/many-expired-quick", test_many_expired);
  g_test_add_func("/daemon/catalogue-rules/absent-listed-until-forgotten", test_absent_is_listed);
  g_test_add_func("/daemon/catalogue-rules/lost-never-used", test_lost);
  return g_test_run();
}
