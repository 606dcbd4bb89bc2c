/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-daemon-catalogue-lib.h"

#include <signet/error.h>

#include <string.h>

/* Which certificate an operation uses, and why not another. */

#define ALICE "alice@example.org"
#define BOB "bob@example.org"

static gboolean
choose(DaemonCatalogue *catalogue, BaseUse use, const char *id, const char *address,
       DaemonChoice *ret_choice, GError **error)
{
  return daemon_catalogue_choose(
      catalogue, &(DaemonWish){ .use = use, .id = id, .address = address, .now = TEST_NOW },
      ret_choice, error);
}

static void
assert_chosen(DaemonCatalogue *catalogue, BaseUse use, GBytes *der)
{
  g_autofree char *fingerprint = test_fingerprint(der);
  g_autoptr(GError) error = NULL;
  DaemonChoice choice = { 0 };
  gboolean chosen = choose(catalogue, use, NULL, ALICE, &choice, &error);
  g_assert_no_error(error);
  g_assert_true(chosen);
  g_assert_cmpstr(choice.cert->fingerprint, ==, fingerprint);
  g_assert_cmpstr(choice.key->name, ==, choice.cert->key);
}

/* The one candidate's reason. */
static void
assert_reason(DaemonCatalogue *catalogue, BaseUse use, const char *reason)
{
  g_autoptr(GError) error = NULL;
  DaemonChoice choice;
  g_assert_false(choose(catalogue, use, NULL, ALICE, &choice, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NONE_USABLE);
  char **candidates = signet_error_get_details(error)->candidates;
  g_assert_cmpuint(g_strv_length(candidates), ==, 1);
  if (!strstr(candidates[0], reason))
    g_error("\"%s\" does not say \"%s\"", candidates[0], reason);
}

static DaemonCatalogue *
with_one(EVP_PKEY *key, const TestCert *wanted)
{
  DaemonCatalogue *catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_id(objects, key, wanted);
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  return catalogue;
}

static void
test_split(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  GBytes *sign = test_add_id(objects, test_rsa(0),
                             &(TestCert){ .addresses = ALICE, .key_usage = "digitalSignature" });
  GBytes *seal = test_add_id(objects, test_rsa(1),
                             &(TestCert){ .addresses = ALICE, .key_usage = "keyEncipherment" });
  g_bytes_ref(sign);
  g_bytes_ref(seal);
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  g_assert_cmpuint(daemon_catalogue_ids(catalogue)->len, ==, 1);
  assert_chosen(catalogue, BASE_USE_SIGN, sign);
  assert_chosen(catalogue, BASE_USE_ENCRYPT, seal);
  g_bytes_unref(sign);
  g_bytes_unref(seal);
}

static void
test_newest(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE, .from = -90, .until = 90 });
  g_autoptr(GBytes) best = g_bytes_ref(test_add_id(
      objects, test_rsa(1), &(TestCert){ .addresses = ALICE, .from = -20, .until = 20 }));
  test_add_id(objects, test_rsa(2), &(TestCert){ .addresses = ALICE, .from = 5, .until = 200 });
  test_add_id(
      objects, test_rsa(3),
      &(TestCert){ .addresses = ALICE, .from = -1, .until = 99, .extended_usage = "clientAuth" });
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  assert_chosen(catalogue, BASE_USE_SIGN, best);
  assert_chosen(catalogue, BASE_USE_ENCRYPT, best);
}

static void
test_reasons(void)
{
  g_autoptr(EVP_PKEY) ec = test_ec();
  g_autoptr(EVP_PKEY) ed25519 = test_ed25519();
  const struct {
    EVP_PKEY *key;
    TestCert cert;
    BaseUse use;
    const char *reason;
  } table[] = {
    { test_rsa(0), { .from = -300, .until = -1 }, BASE_USE_SIGN, "expired on 2026-09-20" },
    { test_rsa(0), { .from = -300, .until = -1 }, BASE_USE_ENCRYPT, "expired on 2026-09-20" },
    { test_rsa(0), { .from = 1, .until = 9 }, BASE_USE_SIGN, "not valid before 2026-09-22" },
    { test_rsa(0), { .extended_usage = "clientAuth" }, BASE_USE_SIGN, "for authentication only" },
    { test_rsa(0), { .extended_usage = "clientAuth" }, BASE_USE_ENCRYPT, "for authentication" },
    { test_rsa(0), { .extended_usage = "codeSigning" }, BASE_USE_SIGN, "not for mail" },
    { test_rsa(0), { .key_usage = "keyEncipherment" }, BASE_USE_SIGN, "for encryption only" },
    { test_rsa(0), { .key_usage = "digitalSignature" }, BASE_USE_ENCRYPT, "for signing only" },
    { ec, { .key_usage = "digitalSignature,keyEncipherment" }, BASE_USE_ENCRYPT, "for signing" },
    { ed25519, { .key_usage = NULL }, BASE_USE_ENCRYPT, "Ed25519 cannot receive sealed mail" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    TestCert wanted = table[i].cert;
    wanted.addresses = ALICE;
    g_autoptr(DaemonCatalogue) catalogue = with_one(table[i].key, &wanted);
    assert_reason(catalogue, table[i].use, table[i].reason);
  }
}

static void
test_usable(void)
{
  g_autoptr(EVP_PKEY) ec = test_ec();
  g_autoptr(EVP_PKEY) ed25519 = test_ed25519();
  const struct {
    EVP_PKEY *key;
    const char *key_usage;
    BaseUse use;
  } table[] = {
    { test_rsa(0), NULL, BASE_USE_SIGN },
    { test_rsa(0), NULL, BASE_USE_ENCRYPT },
    { test_rsa(0), "nonRepudiation", BASE_USE_SIGN },
    { ec, NULL, BASE_USE_ENCRYPT },
    { ec, "keyAgreement", BASE_USE_ENCRYPT },
    { ed25519, NULL, BASE_USE_SIGN },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    TestCert wanted = { .addresses = ALICE, .key_usage = table[i].key_usage };
    g_autoptr(DaemonCatalogue) catalogue = with_one(table[i].key, &wanted);
    DaemonChoice choice;
    g_assert_true(choose(catalogue, table[i].use, NULL, ALICE, &choice, NULL));
    g_assert_nonnull(choice.location);
  }
}

/* The one obstacle is the token that is not here: what else does not fit need not be told. */
static void
assert_away(DaemonCatalogue *catalogue)
{
  g_autoptr(GError) error = NULL;
  DaemonChoice choice;
  g_assert_false(choose(catalogue, BASE_USE_SIGN, NULL, ALICE, &choice, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE);
  const SignetErrorDetails *details = signet_error_get_details(error);
  g_autoptr(GDateTime) now = g_date_time_new_now_local();
  g_autofree char *day = g_date_time_format(now, "last seen on \"Card\" on %Y-");
  g_assert_nonnull(strstr(error->message, day));
  g_assert_cmpstr(details->token, ==, "Card");
  g_assert_null(details->candidates);
  g_assert_cmpstr(details->try_command[1], ==, "token");
}

static void
test_away_among_others(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE, .from = -90, .until = -9 });
  test_add_id(objects, test_rsa(1), &(TestCert){ .addresses = ALICE });
  test_add_id(objects, test_rsa(2),
              &(TestCert){ .addresses = ALICE, .key_usage = "keyEncipherment" });
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  test_remove(catalogue, 1);
  assert_away(catalogue);

  /* One that fits has its key here, and cannot: what to do is not only to insert the card. */
  objects = test_objects();
  test_add_id(objects, test_rsa(3), &(TestCert){ .addresses = ALICE });
  ((WireObject *)g_ptr_array_index(objects, 0))->flags = WIRE_KEY_DECRYPT;
  test_insert(catalogue, 2, "Spare", "C3D4", objects);
  g_autoptr(GError) error = NULL;
  DaemonChoice choice;
  g_assert_false(choose(catalogue, BASE_USE_SIGN, NULL, ALICE, &choice, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NONE_USABLE);
  g_assert_cmpuint(g_strv_length(signet_error_get_details(error)->candidates), ==, 4);
}

static void
test_away(void)
{
  g_autoptr(DaemonCatalogue) catalogue = with_one(test_rsa(0), &(TestCert){ .addresses = ALICE });
  test_remove(catalogue, 1);
  assert_away(catalogue);
  /* Sealing to oneself needs no key; the mail is opened when the card is back. */
  DaemonChoice choice;
  g_assert_true(choose(catalogue, BASE_USE_ENCRYPT, NULL, ALICE, &choice, NULL));
  g_assert_null(choice.location);
  g_autoptr(GError) error = NULL;
  g_assert_null(daemon_catalogue_locate(catalogue, choice.key, WIRE_KEY_DECRYPT, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE);
  g_assert_cmpstr(signet_error_get_details(error)->token, ==, "Card");
}

static void
test_key_cannot(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE });
  ((WireObject *)g_ptr_array_index(objects, 0))->flags = WIRE_KEY_SIGN;
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  assert_reason(catalogue, BASE_USE_ENCRYPT, "its key on \"Card\" cannot decrypt");

  g_autoptr(DaemonCatalogue) bare = daemon_catalogue_new();
  objects = test_objects();
  test_add_key(objects, test_rsa(0), ALICE, TEST_BOTH);
  test_insert(bare, 1, "Card", "A1B2", objects);
  assert_reason(bare, BASE_USE_SIGN, "it has no certificate yet");
}

static void
test_default(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  DaemonChoice choice;
  g_autoptr(GError) nothing = NULL;
  g_assert_false(choose(catalogue, BASE_USE_SIGN, NULL, NULL, &choice, &nothing));
  g_assert_error(nothing, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND);

  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE });
  test_add_id(objects, test_rsa(1),
              &(TestCert){ .addresses = BOB, .key_usage = "digitalSignature" });
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  g_autoptr(GError) ambiguous = NULL;
  g_assert_false(choose(catalogue, BASE_USE_SIGN, NULL, NULL, &choice, &ambiguous));
  g_assert_error(ambiguous, SIGNET_ERROR, SIGNET_ERROR_AMBIGUOUS);
  g_assert_true(choose(catalogue, BASE_USE_ENCRYPT, NULL, NULL, &choice, NULL));
  g_assert_cmpstr(choice.id->id, ==, ALICE);

  g_assert_true(daemon_catalogue_set_default(catalogue, BOB, NULL));
  g_assert_true(choose(catalogue, BASE_USE_SIGN, NULL, NULL, &choice, NULL));
  g_assert_cmpstr(choice.id->id, ==, BOB);
  g_assert_true(choice.id->is_default);
  /* The default is taken at its word: never another one in silence. */
  g_autoptr(GError) unusable = NULL;
  g_assert_false(choose(catalogue, BASE_USE_ENCRYPT, NULL, NULL, &choice, &unusable));
  g_assert_error(unusable, SIGNET_ERROR, SIGNET_ERROR_NONE_USABLE);
  g_autoptr(GError) stranger = NULL;
  g_assert_false(choose(catalogue, BASE_USE_SIGN, NULL, "eve@example.org", &choice, &stranger));
  g_assert_error(stranger, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND);
}

/* ---- one address, two people ---- */

#define INFO "info@example.org"

static void
assert_ties(DaemonCatalogue *catalogue, const char *address, const char *name)
{
  g_autoptr(GError) error = NULL;
  DaemonChoice choice;
  g_assert_false(choose(catalogue, BASE_USE_SIGN, NULL, address, &choice, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_AMBIGUOUS);
  const SignetErrorDetails *details = signet_error_get_details(error);
  g_assert_cmpuint(g_strv_length(details->candidates), ==, 2);
  g_assert_true(g_str_has_prefix(details->candidates[0], name));
  g_assert_cmpstr(details->try_command[2], ==, "default");
}

static void
assert_signer(DaemonCatalogue *catalogue, const char *id, const char *address, GBytes *der)
{
  g_autofree char *fingerprint = test_fingerprint(der);
  DaemonChoice choice = { 0 };
  g_assert_true(choose(catalogue, BASE_USE_SIGN, id, address, &choice, NULL));
  g_assert_cmpstr(choice.cert->fingerprint, ==, fingerprint);
}

static void
test_two_people(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  g_autoptr(GBytes) alice = g_bytes_ref(test_add_id(
      objects, test_rsa(0),
      &(TestCert){ .subject = "Alice Example", .addresses = INFO "," ALICE, .from = -20 }));
  g_autoptr(GBytes) bob = g_bytes_ref(test_add_id(
      objects, test_rsa(1), &(TestCert){ .subject = "Bob Builder", .addresses = INFO "," BOB }));
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  g_assert_cmpuint(daemon_catalogue_ids(catalogue)->len, ==, 1);
  assert_ties(catalogue, INFO, "Bob Builder");
  assert_signer(catalogue, NULL, ALICE, alice); /* of the newer one it is not the address */
  assert_signer(catalogue, NULL, BOB, bob);
  g_autofree char *fingerprint = test_fingerprint(alice);
  assert_signer(catalogue, fingerprint, NULL, alice);
  g_assert_true(daemon_catalogue_set_default(catalogue, fingerprint, NULL));
  assert_signer(catalogue, NULL, INFO, alice);
  assert_signer(catalogue, NULL, BOB, bob);
}

/* Never with the other's in silence, be it the only one that is here. */
static void
test_two_people_one_away(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0),
              &(TestCert){ .subject = "Alice Example", .addresses = INFO "," ALICE });
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  objects = test_objects();
  g_autoptr(GBytes) bob = g_bytes_ref(test_add_id(
      objects, test_rsa(1), &(TestCert){ .subject = "Bob Builder", .addresses = INFO "," BOB }));
  test_insert(catalogue, 2, "Other", "C3D4", objects);
  test_remove(catalogue, 1);
  assert_away(catalogue);
  assert_signer(catalogue, NULL, BOB, bob);
  assert_signer(catalogue, NULL, INFO, bob);
}

/* An address that a newer certificate has no more: it seals to oneself, and signs nothing good. */
static void
test_address_dropped(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0),
              &(TestCert){ .addresses = ALICE "," INFO, .from = -90, .until = -9 });
  g_autoptr(GBytes) newer =
      g_bytes_ref(test_add_id(objects, test_rsa(1), &(TestCert){ .addresses = ALICE }));
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  assert_chosen(catalogue, BASE_USE_SIGN, newer);
  DaemonChoice choice;
  g_autoptr(GError) error = NULL;
  g_assert_false(choose(catalogue, BASE_USE_SIGN, NULL, INFO, &choice, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NONE_USABLE);
  g_assert_nonnull(strstr(signet_error_get_details(error)->candidates[1],
                          "for alice@example.org, not for info@example.org"));
  g_autofree char *fingerprint = test_fingerprint(newer);
  g_assert_true(choose(catalogue, BASE_USE_ENCRYPT, NULL, INFO, &choice, NULL));
  g_assert_cmpstr(choice.cert->fingerprint, ==, fingerprint);
  assert_signer(catalogue, fingerprint, NULL, newer);
}

static void
test_one_person(void)
{
  static const char *const names[] = { "EXAMPLE.ALICE.M.1234567890", ALICE,
                                       "Dr. Alice M. Example" };
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
    GPtrArray *objects = test_objects();
    test_add_id(objects, test_rsa(0),
                &(TestCert){ .subject = "Alice Example", .addresses = ALICE, .from = -20 });
    g_autoptr(GBytes) newest = g_bytes_ref(
        test_add_id(objects, test_rsa(1), &(TestCert){ .subject = names[i], .addresses = ALICE }));
    test_insert(catalogue, 1, "Card", "A1B2", objects);
    assert_chosen(catalogue, BASE_USE_SIGN, newest);
  }
}

static void
test_no_id(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE });
  test_add_id(objects, test_rsa(1),
              &(TestCert){ .subject = "Bob", .addresses = BOB, .key_usage = "keyEncipherment" });
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  g_autoptr(GError) error = NULL;
  DaemonChoice choice;
  g_assert_false(choose(catalogue, BASE_USE_SIGN, NULL, "eve@example.org", &choice, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND);
  char **candidates = signet_error_get_details(error)->candidates;
  g_assert_cmpuint(g_strv_length(candidates), ==, 2);
  g_assert_nonnull(strstr(candidates[0], "can sign mail, but is not for eve@example.org"));
  g_assert_nonnull(strstr(candidates[1], "cannot sign mail: for encryption only"));
}

/* ---- recipients ---- */

static GArray *
find_by_issuer(DaemonCatalogue *catalogue, GBytes *der)
{
  g_autoptr(BaseCert) facts = base_cert_new(der, NULL);
  DaemonRecipient recipients[] = { { .issuer = facts->issuer_der, .serial = (char *)"1234" },
                                   { .issuer = facts->issuer_der, .serial = facts->serial } };
  return daemon_catalogue_find_recipients(catalogue, recipients, 2);
}

static void
test_recipients_expired(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  /* A serial with its high bit set: the INTEGER has a leading zero byte. */
  GBytes *old = test_add_id(
      objects, test_rsa(0),
      &(TestCert){ .addresses = ALICE, .from = -400, .until = -30, .serial = 0x89abcdef });
  g_autoptr(GBytes) der = g_bytes_ref(old);
  test_add_id(objects, test_rsa(1), &(TestCert){ .addresses = ALICE });
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  g_autoptr(GArray) matches = find_by_issuer(catalogue, der);
  g_assert_cmpuint(matches->len, ==, 1);
  DaemonMatch *match = &g_array_index(matches, DaemonMatch, 0);
  g_assert_cmpuint(match->index, ==, 1);
  g_assert_nonnull(match->location);
  g_assert_cmpstr(match->key->id->id, ==, ALICE);

  /* Removed by the person: not shown, yet old mail still finds its key. */
  g_autofree char *fingerprint = test_fingerprint(der);
  daemon_catalogue_forget_cert(catalogue, fingerprint);
  g_autofree char *key = test_key_name(test_rsa(0));
  g_assert_cmpuint(daemon_catalogue_key(catalogue, key)->certs->len, ==, 0);
  g_autoptr(GArray) still = find_by_issuer(catalogue, der);
  g_assert_cmpuint(still->len, ==, 1);

  test_remove(catalogue, 1);
  g_autoptr(GArray) away = find_by_issuer(catalogue, der);
  g_assert_null(g_array_index(away, DaemonMatch, 0).location);
}

static void
assert_problem(DaemonCatalogue *catalogue, const char *problem)
{
  g_autofree char *name = test_key_name(test_rsa(0));
  const DaemonKey *key = daemon_catalogue_key(catalogue, name);
  const char *token;
  g_assert_null(daemon_catalogue_locate(catalogue, key, WIRE_KEY_DECRYPT, NULL));
  g_assert_cmpstr(daemon_catalogue_problem(key, &token), ==, problem);
  g_assert_cmpstr(token, ==, "Card");
}

static void
test_problems_are_told_apart(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  g_autoptr(GPtrArray) unable = test_objects();
  g_autoptr(GBytes) der =
      g_bytes_ref(test_add_id(unable, test_rsa(0), &(TestCert){ .addresses = ALICE }));
  for (guint i = 0; i < unable->len; i++)
    ((WireObject *)g_ptr_array_index(unable, i))->flags &= ~(guint32)WIRE_KEY_DECRYPT;
  test_insert(catalogue, 1, "Card", "A1B2", g_steal_pointer(&unable));
  assert_problem(catalogue, "unable");
  test_remove(catalogue, 1);
  assert_problem(catalogue, NULL);
  DaemonDevice *card = daemon_catalogue_find_device(catalogue, "Card", NULL);
  daemon_catalogue_set_lost(catalogue, card, TRUE);
  assert_problem(catalogue, "lost");
  daemon_catalogue_set_lost(catalogue, card, FALSE);
  /* Back, with its certificate and without its key. */
  GPtrArray *objects = test_objects();
  test_add_cert(objects, der, "Alice");
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  assert_problem(catalogue, "removed");
}

static void
test_recipients_by_key_id(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  g_autoptr(EVP_PKEY) ec = test_ec();
  GPtrArray *away = test_objects();
  g_autoptr(GBytes) first = g_bytes_ref(test_add_id(away, ec, &(TestCert){ .addresses = BOB }));
  test_insert(catalogue, 1, "Old", "C3D4", away);
  test_remove(catalogue, 1);
  GPtrArray *objects = test_objects();
  g_autoptr(GBytes) second =
      g_bytes_ref(test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE }));
  test_insert(catalogue, 2, "Card", "A1B2", objects);

  g_autoptr(BaseCert) bob = base_cert_new(first, NULL);
  g_autoptr(BaseCert) alice = base_cert_new(second, NULL);
  g_autofree char *upper = g_ascii_strup(alice->subject_key_id, -1);
  DaemonRecipient recipients[] = { { .key_id = bob->subject_key_id },
                                   { .key_id = (char *)"00" },
                                   { .key_id = upper },
                                   { .issuer = bob->issuer_der, .serial = (char *)"not hex" },
                                   { 0 } };
  g_autoptr(GArray) matches = daemon_catalogue_find_recipients(catalogue, recipients, 5);
  g_assert_cmpuint(matches->len, ==, 2);
  /* What is here comes first, whatever the order in the message. */
  g_assert_cmpuint(g_array_index(matches, DaemonMatch, 0).index, ==, 2);
  g_assert_cmpuint(g_array_index(matches, DaemonMatch, 1).index, ==, 0);
  g_assert_null(g_array_index(matches, DaemonMatch, 1).location);
}

/* ---- chain ---- */

static void
test_chain(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  g_autoptr(EVP_PKEY) root_key = test_ec();
  g_autoptr(EVP_PKEY) middle_key = test_ec();
  g_autoptr(EVP_PKEY) other_key = test_ec();
  TestCert root_cert = { .subject = "Root", .ca = TRUE, .key_usage = "keyCertSign" };
  g_autoptr(X509) root = test_x509(root_key, &root_cert);
  TestCert middle_cert = root_cert;
  middle_cert.subject = "Middle";
  middle_cert.issuer = root;
  middle_cert.issuer_key = root_key;
  g_autoptr(X509) middle = test_x509(middle_key, &middle_cert);
  /* The same name, newer, another key: only the signature tells them apart. */
  middle_cert.from = -1;
  middle_cert.until = 500;
  g_autoptr(X509) impostor = test_x509(other_key, &middle_cert);

  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0),
              &(TestCert){ .addresses = ALICE, .issuer = middle, .issuer_key = middle_key });
  X509 *const issuers[] = { root, middle, impostor };
  for (gsize i = 0; i < G_N_ELEMENTS(issuers); i++) {
    g_autoptr(GBytes) der = test_der(issuers[i]);
    test_add_cert(objects, der, "CA");
  }
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  g_assert_cmpuint(daemon_catalogue_ids(catalogue)->len, ==, 1);
  DaemonChoice choice;
  g_assert_true(choose(catalogue, BASE_USE_SIGN, NULL, ALICE, &choice, NULL));
  g_autoptr(GPtrArray) chain = daemon_catalogue_chain(catalogue, choice.cert);
  g_assert_cmpuint(chain->len, ==, 1);
  g_autofree char *key = test_key_name(middle_key);
  g_assert_cmpstr(((DaemonCert *)g_ptr_array_index(chain, 0))->key, ==, key);

  /* CA certificates go with their token; the person's own stays known. */
  test_remove(catalogue, 1);
  g_assert_cmpuint(daemon_catalogue_counts(catalogue).certificates, ==, 1);
}

static void
test_kept_certificate(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_key(objects, test_rsa(0), ALICE, TEST_BOTH);
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  g_autoptr(X509) x509 = test_x509(test_rsa(0), &(TestCert){ .addresses = ALICE });
  g_autoptr(GBytes) der = test_der(x509);
  g_assert_true(daemon_catalogue_keep_cert(catalogue, der, NULL));
  assert_chosen(catalogue, BASE_USE_SIGN, der);
  g_autofree char *fingerprint = test_fingerprint(der);
  g_autoptr(GPtrArray) views =
      daemon_catalogue_cert_views(catalogue, daemon_catalogue_cert(catalogue, fingerprint));
  g_assert_cmpuint(views->len, ==, 0);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/daemon/catalogue-choose/split-one-id-each-its-own", test_split);
  g_test_add_func("/daemon/catalogue-choose/several-newest-usable", test_newest);
  g_test_add_func("/daemon/catalogue-choose/unusable-reason", test_reasons);
  g_test_add_func("/daemon/catalogue-choose/usable-chosen", test_usable);
  g_test_add_func("/daemon/catalogue-choose/away-named", test_away);
  g_test_add_func("/daemon/catalogue-choose/away-among-others-named", test_away_among_others);
  g_test_add_func("/daemon/catalogue-choose/key-cannot-reason", test_key_cannot);
  g_test_add_func("/daemon/catalogue-choose/two-people-asked", test_two_people);
  g_test_add_func("/daemon/catalogue-choose/two-people-one-away-refused", test_two_people_one_away);
  g_test_add_func("/daemon/catalogue-choose/address-dropped-refused", test_address_dropped);
  g_test_add_func("/daemon/catalogue-choose/one-person-newest", test_one_person);
  g_test_add_func("/daemon/catalogue-choose/no-id-reasons", test_no_id);
  g_test_add_func("/daemon/catalogue-choose/no-name-default", test_default);
  g_test_add_func("/daemon/catalogue-choose/problems-are-told-apart", test_problems_are_told_apart);
  g_test_add_func("/daemon/catalogue-choose/expired-recipient-found", test_recipients_expired);
  g_test_add_func("/daemon/catalogue-choose/recipient-key-id-found", test_recipients_by_key_id);
  g_test_add_func("/daemon/catalogue-choose/chain-by-signature", test_chain);
  g_test_add_func("/daemon/catalogue-choose/kept-certificate-used", test_kept_certificate);
  return g_test_run();
}
