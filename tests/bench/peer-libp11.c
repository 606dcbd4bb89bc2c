/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* libp11 in process: one context and one key for all threads, as its documentation has it, and
 * an EVP_PKEY_CTX per thread. "libp11-lookup" finds the key anew for every signature, which is
 * what its OpenSSL engine does for each key it loads. */

#include "peer.h"

#include <libp11.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

static PKCS11_CTX *context;
static PKCS11_SLOT *slots;
static unsigned int n_slots;
static PKCS11_SLOT *slot;
static EVP_PKEY *key;

static gboolean
fail(GError **error, const char *what)
{
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());

  ERR_clear_error();
  return peer_fail(error, "%s: %s", what, reason ? reason : "no reason given");
}

static EVP_PKEY *
find_key(const char *label)
{
  PKCS11_KEY *keys;
  unsigned int count;

  if (PKCS11_enumerate_keys(slot->token, &keys, &count) != 0)
    return NULL;
  for (unsigned int i = 0; i < count; i++) {
    if (g_strcmp0(keys[i].label, label) == 0)
      return PKCS11_get_private_key(&keys[i]);
  }
  return NULL;
}

static gboolean
load(const PeerTarget *target, GError **error)
{
  context = PKCS11_CTX_new();
  if (PKCS11_CTX_load(context, target->module) != 0)
    return fail(error, "PKCS11_CTX_load");
  if (PKCS11_enumerate_slots(context, &slots, &n_slots) != 0)
    return fail(error, "PKCS11_enumerate_slots");
  for (unsigned int i = 0; i < n_slots && !slot; i++) {
    if (slots[i].token && g_strcmp0(slots[i].token->label, target->token) == 0)
      slot = &slots[i];
  }
  if (!slot)
    return peer_fail(error, "no token \"%s\"", target->token);
  if (PKCS11_login(slot, 0, target->pin) != 0)
    return fail(error, "PKCS11_login");
  key = find_key(target->key);
  return key || fail(error, "PKCS11_enumerate_keys");
}

static gpointer
open_context(const PeerTarget *target, GError **error)
{
  EVP_PKEY_CTX *signer = EVP_PKEY_CTX_new(key, NULL);

  if (signer && EVP_PKEY_sign_init(signer) == 1 &&
      (!target->rsa || EVP_PKEY_CTX_set_rsa_padding(signer, RSA_PKCS1_PADDING) == 1) &&
      EVP_PKEY_CTX_set_signature_md(signer, EVP_sha256()) == 1)
    return signer;
  EVP_PKEY_CTX_free(signer);
  fail(error, "EVP_PKEY_sign_init");
  return NULL;
}

static gboolean
sign(gpointer client, const guint8 *digest, guint8 *signature, gsize *ret_len, GError **error)
{
  *ret_len = PEER_MAX_SIGNATURE;
  return EVP_PKEY_sign(client, signature, ret_len, digest, PEER_DIGEST_SIZE) == 1 ||
         fail(error, "EVP_PKEY_sign");
}

static void
close_context(gpointer client)
{
  EVP_PKEY_CTX_free(client);
}

static void
unload(void)
{
  EVP_PKEY_free(key);
  PKCS11_release_all_slots(context, slots, n_slots);
  PKCS11_CTX_unload(context);
  PKCS11_CTX_free(context);
}

const Peer peer_libp11 = { "libp11", load, open_context, sign, close_context, unload };

static const PeerTarget *lookup_target;

static gpointer
open_lookup(const PeerTarget *target, GError **error G_GNUC_UNUSED)
{
  lookup_target = target;
  return &lookup_target;
}

static gboolean
sign_lookup(gpointer client G_GNUC_UNUSED, const guint8 *digest, guint8 *signature, gsize *ret_len,
            GError **error)
{
  EVP_PKEY_free(key);
  key = find_key(lookup_target->key);
  if (!key)
    return fail(error, "PKCS11_enumerate_keys");
  gpointer signer = open_context(lookup_target, error);
  gboolean signed_ = signer && sign(signer, digest, signature, ret_len, error);
  EVP_PKEY_CTX_free(signer);
  return signed_;
}

static void
close_lookup(gpointer client G_GNUC_UNUSED)
{
}

const Peer peer_libp11_lookup = { "libp11-lookup", load,         open_lookup,
                                  sign_lookup,     close_lookup, unload };
