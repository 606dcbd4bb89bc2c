/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "transfer/transfer.h"

#include <string.h>

static void
key_free(gpointer data)
{
  TransferKey *key = data;
  g_free(key->key);
  g_free(key->kind);
  g_free(key->label);
  g_ptr_array_unref(key->certificates);
  g_free(key);
}

static void
cert_free(gpointer data)
{
  base_cert_free(data);
}

static TransferPlan *
plan_new(const char *format)
{
  TransferPlan *plan = g_new0(TransferPlan, 1);
  plan->format = g_strdup(format);
  plan->keys = g_ptr_array_new_with_free_func(key_free);
  plan->alone = g_ptr_array_new_with_free_func(cert_free);
  plan->issuers = g_ptr_array_new_with_free_func(cert_free);
  plan->roots = g_ptr_array_new_with_free_func(cert_free);
  plan->skipped = g_ptr_array_new_with_free_func(g_free);
  return plan;
}

void
transfer_plan_free(TransferPlan *plan)
{
  if (!plan)
    return;
  g_free(plan->format);
  g_ptr_array_unref(plan->keys);
  g_ptr_array_unref(plan->alone);
  g_ptr_array_unref(plan->issuers);
  g_ptr_array_unref(plan->roots);
  g_ptr_array_unref(plan->skipped);
  g_free(plan);
}

/* ---- making one ---- */

static TransferKey *
find_key(const TransferPlan *plan, const char *name)
{
  for (guint i = 0; i < plan->keys->len; i++) {
    TransferKey *key = g_ptr_array_index(plan->keys, i);
    if (strcmp(key->key, name) == 0)
      return key;
  }
  return NULL;
}

static void
add_key(TransferPlan *plan, const SignetTransferItem *item)
{
  if (find_key(plan, item->key))
    return;
  TransferKey *key = g_new0(TransferKey, 1);
  key->index = item->index;
  key->key = g_strdup(item->key);
  key->kind = g_strdup(item->kind);
  key->label = item->label && *item->label ? g_strdup(item->label) : NULL;
  key->certificates = g_ptr_array_new_with_free_func(cert_free);
  g_ptr_array_add(plan->keys, key);
}

static gboolean
has_certificate(const GPtrArray *certificates, const BaseCert *certificate)
{
  for (guint i = 0; i < certificates->len; i++) {
    const BaseCert *other = g_ptr_array_index(certificates, i);
    if (strcmp(other->fingerprint, certificate->fingerprint) == 0)
      return TRUE;
  }
  return FALSE;
}

/* OpenSSL's tool makes self-signed certificates of people that say CA as well. */
static gboolean
is_of_ca(const BaseCert *certificate)
{
  gboolean for_mail = (certificate->use & (BASE_USE_SIGN | BASE_USE_ENCRYPT)) != 0;
  return (certificate->use & BASE_USE_CA) && !(for_mail && certificate->addresses[0]);
}

/* Takes the certificate. */
static void
add_certificate(TransferPlan *plan, BaseCert *certificate)
{
  TransferKey *key = find_key(plan, certificate->key);
  gboolean is_issuer = is_of_ca(certificate);
  GPtrArray *to = key                        ? key->certificates
                  : !is_issuer               ? plan->alone
                  : certificate->self_signed ? plan->roots
                                             : plan->issuers;
  if (has_certificate(to, certificate))
    base_cert_free(certificate);
  else
    g_ptr_array_add(to, certificate);
}

static gboolean
is_issuer_of_any(const BaseCert *root, const GPtrArray *certificates)
{
  for (guint i = 0; i < certificates->len; i++) {
    const BaseCert *certificate = g_ptr_array_index(certificates, i);
    if (g_bytes_equal(certificate->issuer_der, root->subject_der))
      return TRUE;
  }
  return FALSE;
}

/* A root is kept with what it certified: mail does not carry it along, but a person may want to
 * trust it. A profile's hundred others stay where they are. */
static void
sort_out_roots(TransferPlan *plan)
{
  while (plan->roots->len) {
    BaseCert *root = g_ptr_array_steal_index(plan->roots, 0);
    gboolean wanted = is_issuer_of_any(root, plan->issuers) || is_issuer_of_any(root, plan->alone);
    for (guint i = 0; !wanted && i < plan->keys->len; i++)
      wanted = is_issuer_of_any(root, ((TransferKey *)plan->keys->pdata[i])->certificates);
    if (wanted) {
      g_ptr_array_add(plan->issuers, root);
      continue;
    }
    g_ptr_array_add(
        plan->skipped,
        g_strdup_printf("the root %s, which certified none of the others", root->subject));
    base_cert_free(root);
  }
}

static gint
newest_first(gconstpointer a, gconstpointer b)
{
  const BaseCert *one = *(const BaseCert *const *)a;
  const BaseCert *other = *(const BaseCert *const *)b;
  if (one->not_before != other->not_before)
    return one->not_before > other->not_before ? -1 : 1;
  return strcmp(one->fingerprint, other->fingerprint);
}

/* All that its certificates allow, so that each of them stays of use. One that is for authentication is a
 * signature, too. */
static guint
abilities(const TransferKey *key)
{
  guint can = 0;
  for (guint i = 0; i < key->certificates->len; i++) {
    const BaseCert *certificate = g_ptr_array_index(key->certificates, i);
    gboolean is_rsa = certificate->kind == BASE_KEY_RSA;
    if (certificate->use & (BASE_USE_SIGN | BASE_USE_AUTH | BASE_USE_CA))
      can |= SIGNET_CAN_SIGN;
    if (certificate->use & BASE_USE_ENCRYPT)
      can |= is_rsa ? SIGNET_CAN_DECRYPT : SIGNET_CAN_DERIVE;
  }
  return can;
}

static void
settle(TransferPlan *plan)
{
  for (guint i = 0; i < plan->keys->len; i++) {
    TransferKey *key = g_ptr_array_index(plan->keys, i);
    g_ptr_array_sort(key->certificates, newest_first);
    key->can = abilities(key);
  }
  g_ptr_array_sort(plan->alone, newest_first);
  sort_out_roots(plan);
}

static gboolean
add_der(TransferPlan *plan, GBytes *der, GError **error)
{
  BaseCert *certificate = base_cert_new(der, error);
  if (certificate)
    add_certificate(plan, certificate);
  return certificate != NULL;
}

TransferPlan *
transfer_plan_new(const SignetTransferContents *contents, const GPtrArray *more, GError **error)
{
  g_autoptr(TransferPlan) plan = plan_new(contents->format);
  for (int i = 0; contents->skipped && contents->skipped[i]; i++)
    g_ptr_array_add(plan->skipped, g_strdup(contents->skipped[i]));
  plan->n_unread = plan->skipped->len;
  for (guint i = 0; i < contents->items->len; i++) {
    const SignetTransferItem *item = g_ptr_array_index(contents->items, i);
    if (item->is_key)
      add_key(plan, item);
  }
  for (guint i = 0; i < contents->items->len; i++) {
    const SignetTransferItem *item = g_ptr_array_index(contents->items, i);
    if (!item->is_key && !add_der(plan, item->bytes, error))
      return NULL;
  }
  for (guint i = 0; more && i < more->len; i++)
    if (!add_der(plan, g_ptr_array_index(more, i), error))
      return NULL;
  settle(plan);
  return g_steal_pointer(&plan);
}

TransferPlan *
transfer_plan_of_certificates(const char *format, GPtrArray *certificates)
{
  TransferPlan *plan = plan_new(format);
  while (certificates->len)
    add_certificate(plan, g_ptr_array_steal_index(certificates, 0));
  settle(plan);
  return plan;
}

/* ---- asking it ---- */

/* Every one of that name: a CA's renewed certificate and a cross-certificate may both be needed. */
static void
add_issuers(const TransferPlan *plan, const BaseCert *certificate, GPtrArray *chain)
{
  for (guint i = 0; i < plan->issuers->len; i++) {
    BaseCert *issuer = g_ptr_array_index(plan->issuers, i);
    if (g_bytes_equal(issuer->subject_der, certificate->issuer_der) &&
        !g_ptr_array_find(chain, issuer, NULL)) /* two CAs that certified each other make a ring */
      g_ptr_array_add(chain, issuer);
  }
}

GPtrArray *
transfer_plan_chain(const TransferPlan *plan, const BaseCert *leaf)
{
  GPtrArray *chain = g_ptr_array_new();
  add_issuers(plan, leaf, chain);
  for (guint i = 0; i < chain->len; i++)
    add_issuers(plan, g_ptr_array_index(chain, i), chain);
  return chain;
}

gboolean
transfer_key_has_address(const TransferKey *key)
{
  for (guint i = 0; i < key->certificates->len; i++) {
    const BaseCert *certificate = g_ptr_array_index(key->certificates, i);
    if (certificate->addresses[0])
      return TRUE;
  }
  return FALSE;
}

const char *
transfer_key_called(const TransferKey *key)
{
  for (guint i = 0; i < key->certificates->len; i++) {
    const BaseCert *certificate = g_ptr_array_index(key->certificates, i);
    if (certificate->addresses[0])
      return certificate->addresses[0];
  }
  for (guint i = 0; i < key->certificates->len; i++) {
    const BaseCert *certificate = g_ptr_array_index(key->certificates, i);
    if (certificate->common_name)
      return certificate->common_name;
  }
  return key->label;
}
