/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "transfer/transfer.h"

#include <string.h>

#define LABEL_MAX 200

static void
done_free(gpointer data)
{
  TransferDone *done = data;
  g_free(done->key);
  g_free(done->kind);
  g_free(done->token);
  g_free(done->id);
  g_strfreev(done->addresses);
  g_free(done);
}

static TransferOutcome *
outcome_new(void)
{
  TransferOutcome *outcome = g_new0(TransferOutcome, 1);
  outcome->keys = g_ptr_array_new_with_free_func(done_free);
  outcome->chain = g_ptr_array_new_with_free_func(g_free);
  outcome->notes = g_ptr_array_new_with_free_func(g_free);
  outcome->keep = g_ptr_array_new_with_free_func(g_free);
  return outcome;
}

void
transfer_outcome_free(TransferOutcome *outcome)
{
  if (!outcome)
    return;
  g_ptr_array_unref(outcome->keys);
  g_ptr_array_unref(outcome->chain);
  g_ptr_array_unref(outcome->notes);
  g_ptr_array_unref(outcome->keep);
  g_free(outcome);
}

static TransferDone *
outcome_key(TransferOutcome *outcome, const char *key)
{
  for (guint i = 0; i < outcome->keys->len; i++) {
    TransferDone *done = g_ptr_array_index(outcome->keys, i);
    if (strcmp(done->key, key) == 0)
      return done;
  }
  TransferDone *done = g_new0(TransferDone, 1);
  done->key = g_strdup(key);
  done->addresses = g_new0(char *, 1);
  g_ptr_array_add(outcome->keys, done);
  return done;
}

/* ---- looking ---- */

static SignetTransferContents *
read_source(SignetTransfer *transfer, const TransferSource *source, const BaseSecret *passphrase,
            GError **error)
{
  const BaseSecret *secret = passphrase ? passphrase : source->passphrase;
  const char *text = secret ? base_secret_text(secret) : NULL;
  return source->folder ? signet_transfer_read_nss(transfer, source->folder, text, error)
                        : signet_transfer_read(transfer, source->bytes, source->name, text, error);
}

TransferPlan *
transfer_look(SignetTransfer *transfer, const TransferSource *source, const BaseSecret *passphrase,
              GError **error)
{
  g_autoptr(SignetTransferContents) contents = read_source(transfer, source, passphrase, error);
  return contents ? transfer_plan_new(contents, source->certificates, error) : NULL;
}

/* ---- keys ---- */

/* At most so long that every token takes it, cut between characters. */
static char *
label_of(const TransferKey *key, const TransferWish *wish)
{
  const char *label = wish->label ? wish->label : transfer_key_called(key);
  if (!label)
    label = wish->fallback;
  const char *end;
  g_utf8_validate_len(label ? label : "", label ? MIN(strlen(label), LABEL_MAX) : 0, &end);
  return label ? g_strndup(label, (gsize)(end - label)) : NULL;
}

static const SignetTransferItem *
find_item(const SignetTransferContents *contents, const TransferKey *key)
{
  for (guint i = 0; i < contents->items->len; i++) {
    const SignetTransferItem *item = g_ptr_array_index(contents->items, i);
    if (item->is_key && strcmp(item->key, key->key) == 0)
      return item;
  }
  return NULL;
}

static gboolean
store_key(SignetTransfer *transfer, const SignetTransferContents *contents, const TransferKey *key,
          const TransferWish *wish, gboolean *ret_existed, GError **error)
{
  const SignetTransferItem *item = find_item(contents, key);
  g_autofree char *label = label_of(key, wish);
  if (!item)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the file changed while it was imported; try again");
  const SignetTransferStore store = {
    .index = item->index,
    .label = label,
    .can = key->can,
    .never_export = wish->never_export,
  };
  return signet_transfer_store(transfer, &store, ret_existed, error);
}

/* A key that this token does not take leaves the others; all of them refused is the error of the first. */
static gboolean
store_keys(SignetTransfer *transfer, const SignetTransferContents *contents,
           const TransferPlan *plan, const TransferWish *wish, TransferOutcome *outcome,
           GError **error)
{
  g_autoptr(GError) refused = NULL;
  for (guint i = 0; i < plan->keys->len; i++) {
    const TransferKey *key = g_ptr_array_index(plan->keys, i);
    g_autoptr(GError) failed = NULL;
    gboolean existed = FALSE;
    if (store_key(transfer, contents, key, wish, &existed, &failed)) {
      TransferDone *done = outcome_key(outcome, key->key);
      done->existed = existed;
      done->kind = g_strdup(key->kind);
      done->token = g_strdup(wish->token_label);
      continue;
    }
    if (!g_error_matches(failed, SIGNET_ERROR, SIGNET_ERROR_UNSUPPORTED)) {
      g_propagate_error(error, g_steal_pointer(&failed));
      return FALSE;
    }
    const char *called = transfer_key_called(key);
    g_ptr_array_add(outcome->notes, g_strdup_printf("%s (%s): %s", called ? called : key->key,
                                                    key->kind, failed->message));
    if (!refused)
      refused = g_steal_pointer(&failed);
  }
  if (!outcome->keys->len && refused)
    g_propagate_error(error, g_steal_pointer(&refused));
  return outcome->keys->len > 0;
}

/* ---- certificates ---- */

static gboolean
put_issuers(SignetClient *client, const TransferPlan *plan, const BaseCert *leaf, const char *token,
            TransferOutcome *outcome, GError **error)
{
  g_autoptr(GPtrArray) chain = transfer_plan_chain(plan, leaf);
  for (guint i = 0; i < chain->len; i++) {
    const BaseCert *issuer = g_ptr_array_index(chain, i);
    if (g_ptr_array_find_with_equal_func(outcome->chain, issuer->subject, g_str_equal, NULL))
      continue;
    g_autoptr(SignetStored) stored =
        signet_id_put_certificate(client, issuer->der, TRUE, token, error);
    if (!stored)
      return FALSE;
    g_ptr_array_add(outcome->chain, g_strdup(issuer->subject));
  }
  return TRUE;
}

static gboolean
put_leaf(SignetClient *client, const BaseCert *certificate, const char *token, TransferDone *done,
         GError **error)
{
  g_autoptr(SignetStored) stored =
      signet_id_put_certificate(client, certificate->der, FALSE, token, error);
  if (!stored)
    return FALSE;
  done->certificates++;
  if (stored->kept)
    done->kept++;
  return TRUE;
}

static gboolean
put_certificates(SignetClient *client, const TransferPlan *plan, const char *token,
                 TransferOutcome *outcome, GError **error)
{
  for (guint i = 0; i < plan->keys->len; i++) {
    const TransferKey *key = g_ptr_array_index(plan->keys, i);
    TransferDone *done = NULL;
    for (guint k = 0; k < outcome->keys->len && !done; k++) {
      TransferDone *one = g_ptr_array_index(outcome->keys, k);
      done = strcmp(one->key, key->key) == 0 ? one : NULL;
    }
    /* Leaves first: should it break off, the ID works, and is whole after the next try. */
    for (guint c = 0; done && c < key->certificates->len; c++)
      if (!put_leaf(client, g_ptr_array_index(key->certificates, c), token, done, error))
        return FALSE;
  }
  for (guint i = 0; i < plan->keys->len; i++) {
    const TransferKey *key = g_ptr_array_index(plan->keys, i);
    for (guint c = 0; c < key->certificates->len; c++)
      if (!put_issuers(client, plan, g_ptr_array_index(key->certificates, c), token, outcome,
                       error))
        return FALSE;
  }
  return TRUE;
}

/* Those whose key is not in the file. *ret_missing (transfer full): the subject of one whose key is nowhere. */
static gboolean
put_alone(SignetClient *client, const TransferPlan *plan, const char *token,
          TransferOutcome *outcome, GError **error)
{
  for (guint i = 0; i < plan->alone->len; i++) {
    const BaseCert *certificate = g_ptr_array_index(plan->alone, i);
    g_autoptr(GError) failed = NULL;
    g_autoptr(SignetStored) stored =
        signet_id_put_certificate(client, certificate->der, FALSE, token, &failed);
    if (stored) {
      TransferDone *done = outcome_key(outcome, certificate->key);
      done->certificates++;
      done->existed = TRUE;
      done->kept += stored->kept ? 1 : 0;
      if (!done->token)
        done->token = g_strdup(stored->token);
      if (!done->kind)
        done->kind = base_key_kind_text(certificate->kind, certificate->bits);
      if (!put_issuers(client, plan, certificate, stored->token, outcome, error))
        return FALSE;
      continue;
    }
    if (!g_error_matches(failed, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND)) {
      g_propagate_error(error, g_steal_pointer(&failed));
      return FALSE;
    }
    g_ptr_array_add(outcome->notes, g_strdup_printf("the certificate of %s: its key is not here",
                                                    certificate->subject));
  }
  return TRUE;
}

/* ---- what the daemon sees now ---- */

static const SignetKey *
find_signet_key(GPtrArray *ids, const char *name, const SignetId **ret_id)
{
  for (guint i = 0; i < ids->len; i++) {
    const SignetId *id = g_ptr_array_index(ids, i);
    for (guint k = 0; k < id->keys->len; k++) {
      const SignetKey *key = g_ptr_array_index(id->keys, k);
      if (strcmp(key->key, name) == 0) {
        *ret_id = id;
        return key;
      }
    }
  }
  return NULL;
}

static gboolean
is_whole(const SignetKey *key, const TransferDone *done)
{
  return key && key->certificates->len >= done->certificates &&
         (!done->token || (key->tokens && key->tokens[0]));
}

/* What a file's key may do: by its certificates, else all that its kind can. */
static guint
abilities_of(const TransferKey *key)
{
  if (key->can)
    return key->can;
  if (g_str_has_prefix(key->kind, "rsa:"))
    return SIGNET_CAN_SIGN | SIGNET_CAN_DECRYPT;
  return g_str_has_prefix(key->kind, "ec:") ? SIGNET_CAN_SIGN | SIGNET_CAN_DERIVE : SIGNET_CAN_SIGN;
}

static void
keep_for(TransferOutcome *outcome, const TransferKey *key, const char *reason)
{
  const char *called = transfer_key_called(key);
  g_ptr_array_add(outcome->keep,
                  g_strdup_printf("%s (%s): %s", called ? called : key->key, key->kind, reason));
}

/* One that was there before, or that the token took in its own way, may do less than the file's; and one that
 * wants the PIN for each use was not proved to work: such a file is not to be destroyed. */
static void
note_doubts(const TransferPlan *plan, const SignetKey *key, TransferOutcome *outcome)
{
  for (guint i = 0; i < plan->keys->len; i++) {
    const TransferKey *of_file = g_ptr_array_index(plan->keys, i);
    if (strcmp(of_file->key, key->key) != 0)
      continue;
    guint missing = abilities_of(of_file) & ~key->can;
    if (missing & SIGNET_CAN_SIGN)
      keep_for(outcome, of_file, "the key on the token may not sign");
    else if (missing)
      keep_for(outcome, of_file, "the key on the token may not open mail");
    if (key->always_authenticate)
      keep_for(outcome, of_file,
               "not tried yet, since the token wants the PIN for each use of the key");
  }
}

static gboolean
verify(SignetClient *client, const TransferPlan *plan, TransferOutcome *outcome, GError **error)
{
  g_autoptr(GPtrArray) ids = signet_id_list(client, FALSE, error);
  if (!ids)
    return FALSE;
  for (guint i = 0; i < outcome->keys->len; i++) {
    TransferDone *done = g_ptr_array_index(outcome->keys, i);
    const SignetId *id = NULL;
    const SignetKey *key = find_signet_key(ids, done->key, &id);
    if (!is_whole(key, done))
      return base_error_set(error, SIGNET_ERROR_FAILED,
                            "the key was stored on token \"%s\", but is not found there with its "
                            "certificates; try again",
                            done->token);
    note_doubts(plan, key, outcome);
    g_free(done->id);
    done->id = g_strdup(id->id);
    g_strfreev(done->addresses);
    done->addresses = g_strdupv(id->addresses);
  }
  return TRUE;
}

TransferOutcome *
transfer_import(SignetClient *client, const TransferSource *source, const TransferPlan *plan,
                const TransferWish *wish, GError **error)
{
  g_autoptr(TransferOutcome) outcome = outcome_new();
  g_autoptr(SignetTransfer) transfer = signet_transfer_open(client, wish->token, error);
  g_autoptr(SignetTransferContents) contents =
      transfer ? read_source(transfer, source, wish->passphrase, error) : NULL;
  if (!contents || !store_keys(transfer, contents, plan, wish, outcome, error) ||
      !signet_transfer_finish(transfer, error) ||
      !put_certificates(client, plan, wish->token, outcome, error) ||
      !put_alone(client, plan, NULL, outcome, error) || !verify(client, plan, outcome, error))
    return NULL;
  return g_steal_pointer(&outcome);
}

/* ---- certificates only ---- */

/* Issuers alone belong where the certificates are that they issued. */
static gboolean
put_issuers_of_ids(SignetClient *client, const TransferPlan *plan, TransferOutcome *outcome,
                   GError **error)
{
  g_autoptr(GPtrArray) ids = signet_id_list(client, TRUE, error);
  for (guint i = 0; ids && i < ids->len; i++) {
    const SignetId *id = g_ptr_array_index(ids, i);
    for (guint k = 0; k < id->keys->len; k++) {
      const SignetKey *key = g_ptr_array_index(id->keys, k);
      for (guint c = 0; key->tokens && key->tokens[0] && c < key->certificates->len; c++) {
        const SignetCertificate *certificate = g_ptr_array_index(key->certificates, c);
        g_autoptr(BaseCert) leaf = certificate->der ? base_cert_new(certificate->der, NULL) : NULL;
        if (leaf && !put_issuers(client, plan, leaf, key->tokens[0], outcome, error))
          return FALSE;
      }
    }
  }
  return ids != NULL;
}

static gboolean
no_key(const char *name, const TransferPlan *plan, GError **error)
{
  const GPtrArray *all = plan->alone->len ? plan->alone : plan->issuers;
  if (!all->len)
    return base_error_set(error, SIGNET_ERROR_NOT_FOUND,
                          "%s: nothing in it belongs to an ID of yours", name);
  const BaseCert *first = g_ptr_array_index(all, 0);
  if (first->use & BASE_USE_CA)
    return base_error_set(error, SIGNET_ERROR_NOT_FOUND,
                          "%s: only the certificate of a CA, %s, that issued none of yours", name,
                          first->subject);
  return base_error_set(error, SIGNET_ERROR_NOT_FOUND,
                        "%s: only the certificate of %s, whose key is on no token that is here; "
                        "insert that token, or import the file that holds the key",
                        name, first->subject);
}

TransferOutcome *
transfer_join(SignetClient *client, const char *name, const TransferPlan *plan, const char *token,
              GError **error)
{
  g_autoptr(TransferOutcome) outcome = outcome_new();
  if (!put_alone(client, plan, token, outcome, error))
    return NULL;
  if (!outcome->keys->len && plan->issuers->len &&
      !put_issuers_of_ids(client, plan, outcome, error))
    return NULL;
  if (!outcome->keys->len && !outcome->chain->len) {
    no_key(name, plan, error);
    return NULL;
  }
  return verify(client, plan, outcome, error) ? g_steal_pointer(&outcome) : NULL;
}

/* ---- addresses ---- */

gboolean
transfer_tie(SignetClient *client, GPtrArray *keys, const char *const *addresses, char **ret_id,
             GError **error)
{
  g_autoptr(GPtrArray) ids = signet_id_list(client, FALSE, error);
  char *tied = NULL;
  for (guint i = 0; ids && i < keys->len; i++) {
    const SignetId *id = NULL;
    const SignetKey *key = find_signet_key(ids, g_ptr_array_index(keys, i), &id);
    if (!key || id->addresses[0])
      continue;
    const SignetCertificate *newest =
        key->certificates->len ? g_ptr_array_index(key->certificates, 0) : NULL;
    g_free(tied);
    tied = NULL;
    if (!signet_id_set_addresses(client, newest ? newest->fingerprint : id->id, addresses,
                                 newest ? newest->name : id->name, &tied, error))
      return FALSE;
  }
  if (ids)
    *ret_id = tied;
  return ids != NULL;
}
