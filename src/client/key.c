/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/key.h"

#include "base/error.h"
#include "client/client.h"
#include "wire/limits.h"

#include <string.h>

/* The public enumeration and the wire's are one. */
G_STATIC_ASSERT((int)SIGNET_RSA_PKCS1 == (int)WIRE_RSA_PKCS1);
G_STATIC_ASSERT((int)SIGNET_RSA_PSS == (int)WIRE_RSA_PSS);
G_STATIC_ASSERT((int)SIGNET_RSA_OAEP == (int)WIRE_RSA_OAEP);
G_STATIC_ASSERT((int)SIGNET_ECDSA == (int)WIRE_ECDSA);
G_STATIC_ASSERT((int)SIGNET_EDDSA == (int)WIRE_EDDSA);
G_STATIC_ASSERT((int)SIGNET_ECDH == (int)WIRE_ECDH);

#define ED25519_SIGNATURE_SIZE 64
#define ECDSA_SIGNATURE_MIN 8   /* SEQUENCE of two INTEGERs of one byte */
#define ECDSA_SIGNATURE_MAX 142 /* P-521 */
#define RSA_MODULUS_MIN 64

static gboolean
read_hash(const char *name, WireHash fallback, WireHash *ret_hash, GError **error)
{
  WireHash hash = name ? wire_hash_from_name(name) : fallback;
  if (name && hash == WIRE_HASH_NONE)
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED, "unknown hash \"%.20s\"", name);
  *ret_hash = hash;
  return TRUE;
}

gboolean
client_operation_read(SignetCan what, const SignetOperation *operation,
                      WireOperation *ret_operation, GError **error)
{
  WireOperation wire = { .mechanism = (WireMechanism)operation->mechanism,
                         .label = operation->label,
                         .label_length = operation->label_length,
                         .data = operation->data,
                         .data_length = operation->data_length };
  gboolean oaep = operation->mechanism == SIGNET_RSA_OAEP;
  wire.verb = what == SIGNET_CAN_SIGN     ? WIRE_SIGN
              : what == SIGNET_CAN_DERIVE ? WIRE_DERIVE
                                          : WIRE_DECRYPT;
  /* RFC 8017 A.2.1: the default hash of OAEP is SHA-1. */
  if (!read_hash(operation->hash, oaep ? WIRE_SHA1 : WIRE_HASH_NONE, &wire.hash, error) ||
      !read_hash(operation->mgf_hash, wire.hash, &wire.mgf_hash, error))
    return FALSE;
  if (operation->mechanism == SIGNET_RSA_PSS)
    wire.salt = operation->salt_length < 0 ? (guint32)wire_hash_length(wire.hash)
                                           : (guint32)operation->salt_length;
  if (operation->mechanism == SIGNET_RSA_PKCS1 && wire.verb == WIRE_DECRYPT)
    wire.wanted = (guint32)MIN(operation->wanted, G_MAXUINT32);
  if (wire.label_length > WIRE_LABEL_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "an OAEP label is longer than %d bytes",
                          WIRE_LABEL_MAX);
  if (!wire_operation_check(&wire, error))
    return FALSE;
  *ret_operation = wire;
  return TRUE;
}

static gboolean
length_fits(const WireOperation *operation, gsize length)
{
  switch (operation->mechanism) {
  case WIRE_EDDSA:
    return length == ED25519_SIGNATURE_SIZE;
  case WIRE_ECDSA:
    return length >= ECDSA_SIGNATURE_MIN && length <= ECDSA_SIGNATURE_MAX;
  case WIRE_ECDH: /* x of a point of the peer's form 04||X||Y: as long as X */
    return length == (operation->data_length - 1) / 2;
  case WIRE_RSA_OAEP:
    return length < operation->data_length;
  case WIRE_RSA_PKCS1:
    if (operation->verb == WIRE_DECRYPT)
      return length == operation->wanted;
    return length >= RSA_MODULUS_MIN && length <= WIRE_CIPHERTEXT_MAX;
  case WIRE_RSA_PSS:
    return length >= RSA_MODULUS_MIN && length <= WIRE_CIPHERTEXT_MAX;
  }
  return FALSE;
}

typedef struct {
  gsize length;
  guint8 bytes[];
} Wiped;

static void
wiped_free(gpointer data)
{
  Wiped *wiped = data;
  base_wipe(wiped->bytes, wiped->length);
  g_free(wiped);
}

static GBytes *
wiped_bytes(gconstpointer bytes, gsize length)
{
  Wiped *wiped = g_malloc(sizeof *wiped + length);
  wiped->length = length;
  if (length)
    memcpy(wiped->bytes, bytes, length);
  return g_bytes_new_with_free_func(wiped->bytes, length, wiped_free, wiped);
}

GBytes *
client_result_new(const WireOperation *operation, gconstpointer bytes, gsize length, GError **error)
{
  if (!length_fits(operation, length)) {
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the answer to a %s %s cannot have %zu bytes",
                   wire_mechanism_name(operation->mechanism), wire_verb_name(operation->verb),
                   length);
    return NULL;
  }
  return operation->verb == WIRE_SIGN ? g_bytes_new(bytes, length) : wiped_bytes(bytes, length);
}

static void
set_hashes(json_t *parameters, const WireOperation *operation)
{
  if (operation->hash != WIRE_HASH_NONE)
    wire_json_set_text(parameters, "hash", wire_hash_name(operation->hash));
  if (operation->mgf_hash != WIRE_HASH_NONE)
    wire_json_set_text(parameters, "mgf_hash", wire_hash_name(operation->mgf_hash));
}

static json_t *
sign_parameters(const WireOperation *operation)
{
  json_t *parameters = json_object();
  wire_json_set_text(parameters, "mechanism", wire_mechanism_name(operation->mechanism));
  set_hashes(parameters, operation);
  if (operation->mechanism == WIRE_RSA_PSS)
    json_object_set_new(parameters, "salt_length", json_integer(operation->salt));
  wire_json_set_base64(parameters, "data", operation->data, operation->data_length);
  return parameters;
}

static json_t *
decrypt_parameters(const WireOperation *operation)
{
  json_t *parameters = json_object();
  wire_json_set_text(parameters, "mechanism", wire_mechanism_name(operation->mechanism));
  set_hashes(parameters, operation);
  if (operation->mechanism == WIRE_RSA_PKCS1)
    json_object_set_new(parameters, "length", json_integer(operation->wanted));
  if (operation->label_length)
    wire_json_set_base64(parameters, "label", operation->label, operation->label_length);
  wire_json_set_base64(parameters, "data", operation->data, operation->data_length);
  return parameters;
}

static json_t *
derive_parameters(const WireOperation *operation)
{
  json_t *parameters = json_object();
  wire_json_set_base64(parameters, "peer", operation->data, operation->data_length);
  return parameters;
}

static const struct {
  const char *method;
  json_t *(*parameters)(const WireOperation *operation);
  const char *result;
} methods[] = {
  [WIRE_SIGN] = { "org.signet.Key.Sign", sign_parameters, "signature" },
  [WIRE_DECRYPT] = { "org.signet.Key.Decrypt", decrypt_parameters, "data" },
  [WIRE_DERIVE] = { "org.signet.Key.Derive", derive_parameters, "secret" },
};

GBytes *
client_key_call(SignetClient *client, const char *key, const WireOperation *operation,
                GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  g_autoptr(GBytes) bytes = NULL;
  json_t *parameters = methods[operation->verb].parameters(operation);
  wire_json_set_text(parameters, "key", key);
  ClientCall call = { .method = methods[operation->verb].method,
                      .parameters = parameters,
                      .flags = CLIENT_REPEATABLE | CLIENT_UNLOCKS | CLIENT_TAKES_PIN,
                      .operation = wire_verb_name(operation->verb) };
  if (!client_call(client, &call, &reply, error))
    return NULL;
  if (!wire_json_get_base64(reply, methods[operation->verb].result, FALSE, WIRE_CIPHERTEXT_MAX,
                            &bytes, NULL)) {
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "signetd's answer has no \"%s\"",
                   methods[operation->verb].result);
    return NULL;
  }
  return client_result_new(operation, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes),
                           error);
}

static GBytes *
operate(SignetClient *client, const char *key, SignetCan what, const SignetOperation *operation,
        GError **error)
{
  WireOperation wire = { 0 };
  if (!client_operation_read(what, operation, &wire, error))
    return NULL;
  return client_key_call(client, key, &wire, error);
}

GBytes *
signet_key_sign(SignetClient *client, const char *key, const SignetOperation *operation,
                GError **error)
{
  return operate(client, key, SIGNET_CAN_SIGN, operation, error);
}

GBytes *
signet_key_decrypt(SignetClient *client, const char *key, const SignetOperation *operation,
                   GError **error)
{
  return operate(client, key, SIGNET_CAN_DECRYPT, operation, error);
}

GBytes *
signet_key_derive(SignetClient *client, const char *key, const SignetOperation *operation,
                  GError **error)
{
  return operate(client, key, SIGNET_CAN_DERIVE, operation, error);
}
