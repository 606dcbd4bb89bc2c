/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer-certs.h"
#include "transfer/transfer.h"

static EVP_PKEY *alice, *bob, *curve, *authority, *root;

/* ---- contents of a file, as the transfer process tells them ---- */

static void
item_free(gpointer data)
{
  SignetTransferItem *item = data;
  g_free(item->key);
  g_free(item->label);
  g_free(item->kind);
  g_clear_pointer(&item->bytes, g_bytes_unref);
  g_free(item);
}

static SignetTransferContents *
contents_new(void)
{
  SignetTransferContents *contents = g_new0(SignetTransferContents, 1);
  contents->format = g_strdup("PKCS #12");
  contents->items = g_ptr_array_new_with_free_func(item_free);
  return contents;
}

static void
contents_free(SignetTransferContents *contents)
{
  g_free(contents->format);
  g_ptr_array_unref(contents->items);
  g_strfreev(contents->skipped);
  g_free(contents);
}

static void
add_key(SignetTransferContents *contents, EVP_PKEY *key, const char *label)
{
  SignetTransferItem *item = g_new0(SignetTransferItem, 1);
  item->index = contents->items->len;
  item->is_key = TRUE;
  item->key = cert_key_name(key);
  item->label = g_strdup(label);
  item->kind = g_strdup("rsa:2048");
  g_ptr_array_add(contents->items, item);
}

static void
add_certificate(SignetTransferContents *contents, const CertRecipe *recipe)
{
  SignetTransferItem *item = g_new0(SignetTransferItem, 1);
  item->index = contents->items->len;
  item->key = cert_key_name(recipe->key);
  item->kind = g_strdup("other");
  item->bytes = cert_new(recipe);
  g_ptr_array_add(contents->items, item);
}

static TransferPlan *
plan_of(SignetTransferContents *contents)
{
  g_autoptr(GError) error = NULL;
  TransferPlan *plan = transfer_plan_new(contents, NULL, &error);
  g_assert_no_error(error);
  contents_free(contents);
  return plan;
}

static TransferKey *
key_of(const TransferPlan *plan, EVP_PKEY *pkey)
{
  g_autofree char *name = cert_key_name(pkey);
  for (guint i = 0; i < plan->keys->len; i++) {
    TransferKey *key = g_ptr_array_index(plan->keys, i);
    if (g_str_equal(key->key, name))
      return key;
  }
  g_assert_not_reached();
}

static const CertRecipe ca_recipe = {
  .name = "CA", .issuer = "Root", .ca = TRUE, .usage = "keyCertSign"
};

static void
add_ca(SignetTransferContents *contents)
{
  CertRecipe recipe = ca_recipe;
  recipe.key = authority;
  recipe.issuer_key = root;
  add_certificate(contents, &recipe);
}

static CertRecipe
leaf(EVP_PKEY *key, const char *address)
{
  return (CertRecipe){ .key = key,
                       .name = "Alice",
                       .issuer = "CA",
                       .issuer_key = authority,
                       .address = address,
                       .usage = "digitalSignature,keyEncipherment" };
}

/* ---- tests ---- */

static void
key_certificate_and_chain_belong_together(void)
{
  SignetTransferContents *contents = contents_new();
  CertRecipe own = leaf(alice, "alice@example.org");
  CertRecipe top = { .key = root, .name = "Root", .ca = TRUE };
  add_certificate(contents, &top);
  add_ca(contents);
  add_certificate(contents, &own);
  add_key(contents, alice, "my key");
  g_autoptr(TransferPlan) plan = plan_of(contents);
  g_assert_cmpuint(plan->keys->len, ==, 1);
  const TransferKey *key = key_of(plan, alice);
  g_assert_cmpuint(key->certificates->len, ==, 1);
  g_assert_cmpuint(key->index, ==, 3);
  g_assert_cmpstr(transfer_key_called(key), ==, "alice@example.org");
  g_assert_true(transfer_key_has_address(key));
  g_assert_cmpuint(plan->alone->len, ==, 0);
  g_autoptr(GPtrArray) chain = transfer_plan_chain(plan, g_ptr_array_index(key->certificates, 0));
  g_assert_cmpuint(chain->len, ==, 2); /* and the root */
  g_assert_cmpuint(plan->skipped->len, ==, 0);
}

static void
renewals_are_with_their_key_newest_first(void)
{
  SignetTransferContents *contents = contents_new();
  CertRecipe old = leaf(alice, "alice@example.org");
  CertRecipe newer = leaf(alice, "alice@example.org");
  CertRecipe newest = leaf(alice, "a.example@example.org");
  newer.from = "20230101000000Z";
  newest.from = "20250101000000Z";
  add_key(contents, alice, NULL);
  add_certificate(contents, &newer);
  add_certificate(contents, &old);
  add_certificate(contents, &newest);
  g_autoptr(TransferPlan) plan = plan_of(contents);
  const TransferKey *key = key_of(plan, alice);
  g_assert_cmpuint(key->certificates->len, ==, 3);
  const BaseCert *first = g_ptr_array_index(key->certificates, 0);
  g_assert_cmpstr(first->addresses[0], ==, "a.example@example.org");
}

static void
several_keys_have_their_own(void)
{
  SignetTransferContents *contents = contents_new();
  CertRecipe one = leaf(alice, "alice@example.org");
  CertRecipe other = leaf(bob, "bob@example.org");
  add_key(contents, alice, NULL);
  add_key(contents, bob, NULL);
  add_key(contents, curve, "lonely");
  add_certificate(contents, &other);
  add_certificate(contents, &one);
  g_autoptr(TransferPlan) plan = plan_of(contents);
  g_assert_cmpstr(transfer_key_called(key_of(plan, alice)), ==, "alice@example.org");
  g_assert_cmpstr(transfer_key_called(key_of(plan, bob)), ==, "bob@example.org");
  g_assert_cmpstr(transfer_key_called(key_of(plan, curve)), ==, "lonely");
  g_assert_cmpuint(key_of(plan, curve)->can, ==, 0);
  g_assert_false(transfer_key_has_address(key_of(plan, curve)));
}

static void
usages_say_what_a_key_can(void)
{
  static const struct {
    const char *usage[2];
    gboolean ec;
    guint can;
  } cases[] = {
    { { "digitalSignature", NULL }, FALSE, SIGNET_CAN_SIGN },
    { { "nonRepudiation", NULL }, FALSE, SIGNET_CAN_SIGN },
    { { "keyEncipherment", NULL }, FALSE, SIGNET_CAN_DECRYPT },
    { { "keyEncipherment", "digitalSignature" }, FALSE, SIGNET_CAN_SIGN | SIGNET_CAN_DECRYPT },
    { { "keyAgreement", NULL }, TRUE, SIGNET_CAN_DERIVE },
    { { "digitalSignature,keyAgreement", NULL }, TRUE, SIGNET_CAN_SIGN | SIGNET_CAN_DERIVE },
    { { NULL, NULL }, FALSE, SIGNET_CAN_SIGN | SIGNET_CAN_DECRYPT },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    SignetTransferContents *contents = contents_new();
    EVP_PKEY *pkey = cases[i].ec ? curve : alice;
    add_key(contents, pkey, NULL);
    for (int c = 0; c < 2 && (c == 0 || cases[i].usage[c]); c++) {
      CertRecipe recipe = leaf(pkey, "alice@example.org");
      recipe.usage = cases[i].usage[c];
      add_certificate(contents, &recipe);
    }
    g_autoptr(TransferPlan) plan = plan_of(contents);
    g_assert_cmpuint(key_of(plan, pkey)->can, ==, cases[i].can);
  }
}

static void
same_twice_counts_once(void)
{
  SignetTransferContents *contents = contents_new();
  CertRecipe own = leaf(alice, "alice@example.org");
  add_key(contents, alice, NULL);
  add_key(contents, alice, "again");
  add_certificate(contents, &own);
  SignetTransferItem *copy = g_new0(SignetTransferItem, 1);
  const SignetTransferItem *first = g_ptr_array_index(contents->items, 2);
  copy->key = g_strdup(first->key);
  copy->kind = g_strdup(first->kind);
  copy->bytes = g_bytes_ref(first->bytes);
  g_ptr_array_add(contents->items, copy);
  g_autoptr(TransferPlan) plan = plan_of(contents);
  g_assert_cmpuint(plan->keys->len, ==, 1);
  g_assert_cmpuint(key_of(plan, alice)->certificates->len, ==, 1);
}

static void
another_persons_certificate_is_alone(void)
{
  SignetTransferContents *contents = contents_new();
  CertRecipe own = leaf(alice, "alice@example.org");
  CertRecipe other = leaf(bob, "bob@example.org");
  add_key(contents, alice, NULL);
  add_certificate(contents, &own);
  add_certificate(contents, &other);
  g_autoptr(TransferPlan) plan = plan_of(contents);
  g_assert_cmpuint(plan->alone->len, ==, 1);
  g_assert_cmpuint(key_of(plan, alice)->certificates->len, ==, 1);
}

static void
chain_of_several_and_ring_end(void)
{
  SignetTransferContents *contents = contents_new();
  CertRecipe own = leaf(alice, "alice@example.org");
  CertRecipe renewed = ca_recipe;
  CertRecipe cross = {
    .key = root, .name = "Root", .issuer = "CA", .issuer_key = authority, .ca = TRUE
  };
  renewed.key = authority;
  renewed.issuer_key = root;
  renewed.from = "20240101000000Z";
  add_certificate(contents, &own);
  add_ca(contents);
  add_certificate(contents, &renewed);
  add_certificate(contents, &cross);
  add_key(contents, alice, NULL);
  g_autoptr(TransferPlan) plan = plan_of(contents);
  g_assert_cmpuint(plan->issuers->len, ==, 3);
  g_autoptr(GPtrArray) chain =
      transfer_plan_chain(plan, g_ptr_array_index(key_of(plan, alice)->certificates, 0));
  g_assert_cmpuint(chain->len, ==, 3);
  const BaseCert *last = g_ptr_array_index(chain, 2);
  g_assert_cmpstr(last->common_name, ==, "Root");
}

static void
certificates_alone_are_sorted_by_what_they_are(void)
{
  g_autoptr(GPtrArray) certificates = g_ptr_array_new();
  CertRecipe own = leaf(alice, "alice@example.org");
  CertRecipe top = { .key = root, .name = "Root", .ca = TRUE };
  CertRecipe ca = ca_recipe;
  ca.key = authority;
  ca.issuer_key = root;
  const CertRecipe *recipes[] = { &top, &own, &ca };
  for (gsize i = 0; i < G_N_ELEMENTS(recipes); i++) {
    g_autoptr(GBytes) der = cert_new(recipes[i]);
    g_ptr_array_add(certificates, base_cert_new(der, NULL));
  }
  g_autoptr(TransferPlan) plan = transfer_plan_of_certificates("PKCS #7", certificates);
  g_assert_cmpuint(certificates->len, ==, 0);
  g_assert_cmpuint(plan->keys->len, ==, 0);
  g_assert_cmpuint(plan->alone->len, ==, 1);
  g_assert_cmpuint(plan->issuers->len, ==, 2);
  g_assert_cmpuint(plan->skipped->len, ==, 0);
  g_assert_cmpstr(plan->format, ==, "PKCS #7");
}

static void
certificates_from_beside_join(void)
{
  SignetTransferContents *contents = contents_new();
  CertRecipe own = leaf(alice, "alice@example.org");
  g_autoptr(GPtrArray) more = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  g_autoptr(GError) error = NULL;
  add_key(contents, alice, NULL);
  g_ptr_array_add(more, cert_new(&own));
  g_autoptr(TransferPlan) plan = transfer_plan_new(contents, more, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(key_of(plan, alice)->certificates->len, ==, 1);
  g_ptr_array_add(more, g_bytes_new("no certificate", 14));
  g_assert_null(transfer_plan_new(contents, more, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  contents_free(contents);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  alice = cert_key_new("rsa:2048");
  bob = cert_key_new("ec:p256");
  curve = cert_key_new("ec:p256");
  authority = cert_key_new("ec:p256");
  root = cert_key_new("ec:p256");
#define T(path, function) g_test_add_func("/transfer/plan/" path, function)
  T("a-file-belongs-together", key_certificate_and_chain_belong_together);
  T("renewals-newest-first", renewals_are_with_their_key_newest_first);
  T("several-keys-have-their-own", several_keys_have_their_own);
  T("usage-says-what-a-key-can", usages_say_what_a_key_can);
  T("twice-counts-once", same_twice_counts_once);
  T("another-persons-is-alone", another_persons_certificate_is_alone);
  T("chain-of-several-ends", chain_of_several_and_ring_end);
  T("certificates-alone-are-sorted", certificates_alone_are_sorted_by_what_they_are);
  T("from-beside-they-join", certificates_from_beside_join);
#undef T
  int status = g_test_run();
  EVP_PKEY *keys[] = { alice, bob, curve, authority, root };
  for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
    EVP_PKEY_free(keys[i]);
  return status;
}
