/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* signet: libsignet, a connection and an open key (a key channel) per client. The token has been
 * unlocked; a client that would need a PIN, or gets no channel, fails. */

#include "peer.h"

#include <signet/signet.h>

#include <openssl/sha.h>
#include <openssl/x509.h>
#include <string.h>

typedef struct {
  SignetClient *client;
  SignetKeyHandle *key;
  gboolean rsa;
} Handle;

static void
handle_free(gpointer data)
{
  Handle *handle = data;

  signet_key_close(handle->key);
  signet_client_free(handle->client);
  g_free(handle);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Handle, handle_free)

static gboolean
load(const PeerTarget *target G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
  return TRUE;
}

/* signet names a key by the SHA-256 of its SubjectPublicKeyInfo. */
static char *
key_name(const PeerTarget *target)
{
  const guint8 *der = target->certificate;
  X509 *certificate = d2i_X509(NULL, &der, (long)target->certificate_len);
  guint8 *info = NULL;
  int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &info);
  char *name = g_compute_checksum_for_data(G_CHECKSUM_SHA256, info, (gsize)len);

  OPENSSL_free(info);
  X509_free(certificate);
  return name;
}

static gpointer
open_key(const PeerTarget *target, GError **error)
{
  g_autoptr(Handle) handle = g_new0(Handle, 1);
  g_autofree char *name = key_name(target);

  handle->rsa = target->rsa;
  handle->client = signet_client_connect(NULL, SIGNET_CONNECT_NO_AUTOSTART, error);
  if (!handle->client)
    return NULL;
  signet_client_set_ask(handle->client, FALSE, NULL, NULL);
  handle->key = signet_key_open(handle->client, name, SIGNET_CAN_SIGN, error);
  if (!handle->key)
    return NULL;
  if (!signet_key_has_channel(handle->key)) {
    peer_fail(error, "the key got no channel");
    return NULL;
  }
  return g_steal_pointer(&handle);
}

static gboolean
sign(gpointer client, const guint8 *digest, guint8 *signature, gsize *ret_len, GError **error)
{
  Handle *handle = client;
  SignetOperation operation = {
    .mechanism = handle->rsa ? SIGNET_RSA_PKCS1 : SIGNET_ECDSA,
    .hash = "sha256",
    .data = digest,
    .data_length = PEER_DIGEST_SIZE,
  };
  g_autoptr(GBytes) bytes = signet_key_operate(handle->key, SIGNET_CAN_SIGN, &operation, error);

  if (!bytes)
    return FALSE;
  gsize len;
  const guint8 *data = g_bytes_get_data(bytes, &len);
  if (len > PEER_MAX_SIGNATURE)
    return peer_fail(error, "a signature of %zu bytes", len);
  memcpy(signature, data, len);
  *ret_len = len;
  return TRUE;
}

static void
unload(void)
{
}

const Peer peer_signet = { "signet", load, open_key, sign, handle_free, unload };
