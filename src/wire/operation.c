/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/operation.h"

#include "base/error.h"
#include "wire/limits.h"

#include <string.h>

/* DigestInfo for SHA-512 has 83 bytes; a foreign one may be a little longer. */
#define DIGEST_INFO_MAX 128
#define SALT_MAX 512
#define SESSION_KEY_MAX 64

static const struct {
  WireHash hash;
  gsize length;
  const char *name;
  const char *other_name; /* as OpenSSL prints it */
} hash_table[] = {
  { WIRE_SHA1, 20, "sha1", "SHA-1" },        { WIRE_SHA224, 28, "sha224", "SHA2-224" },
  { WIRE_SHA256, 32, "sha256", "SHA2-256" }, { WIRE_SHA384, 48, "sha384", "SHA2-384" },
  { WIRE_SHA512, 64, "sha512", "SHA2-512" },
};

/* Which verbs a mechanism does, as a mask of 1 << WireVerb. */
static const struct {
  WireMechanism mechanism;
  guint verbs;
  const char *name;
} mechanism_table[] = {
  { WIRE_RSA_PKCS1, 1u << WIRE_SIGN | 1u << WIRE_DECRYPT, "rsa-pkcs1" },
  { WIRE_RSA_PSS, 1u << WIRE_SIGN, "rsa-pss" },
  { WIRE_RSA_OAEP, 1u << WIRE_DECRYPT, "rsa-oaep" },
  { WIRE_ECDSA, 1u << WIRE_SIGN, "ecdsa" },
  { WIRE_EDDSA, 1u << WIRE_SIGN, "eddsa" },
  { WIRE_ECDH, 1u << WIRE_DERIVE, "ecdh" },
};

gsize
wire_hash_length(WireHash hash)
{
  for (gsize i = 0; i < G_N_ELEMENTS(hash_table); i++)
    if (hash_table[i].hash == hash)
      return hash_table[i].length;
  return 0;
}

const char *
wire_hash_name(WireHash hash)
{
  for (gsize i = 0; i < G_N_ELEMENTS(hash_table); i++)
    if (hash_table[i].hash == hash)
      return hash_table[i].name;
  return "none";
}

WireHash
wire_hash_from_name(const char *name)
{
  for (gsize i = 0; name && i < G_N_ELEMENTS(hash_table); i++)
    if (g_ascii_strcasecmp(hash_table[i].name, name) == 0 ||
        g_ascii_strcasecmp(hash_table[i].other_name, name) == 0)
      return hash_table[i].hash;
  return WIRE_HASH_NONE;
}

const char *
wire_mechanism_name(WireMechanism mechanism)
{
  for (gsize i = 0; i < G_N_ELEMENTS(mechanism_table); i++)
    if (mechanism_table[i].mechanism == mechanism)
      return mechanism_table[i].name;
  return "unknown";
}

gboolean
wire_mechanism_from_name(const char *name, WireMechanism *ret_mechanism)
{
  for (gsize i = 0; name && i < G_N_ELEMENTS(mechanism_table); i++)
    if (strcmp(mechanism_table[i].name, name) == 0) {
      *ret_mechanism = mechanism_table[i].mechanism;
      return TRUE;
    }
  return FALSE;
}

const char *
wire_verb_name(WireVerb verb)
{
  static const char *const names[] = { "?", "sign", "decrypt", "derive" };
  return verb < G_N_ELEMENTS(names) ? names[verb] : names[0];
}

void
wire_operation_pack(const WireOperation *operation, WirePacker *packer)
{
  wire_pack_u8(packer, (guint8)operation->verb);
  wire_pack_u8(packer, (guint8)operation->mechanism);
  wire_pack_u8(packer, (guint8)operation->hash);
  wire_pack_u8(packer, (guint8)operation->mgf_hash);
  wire_pack_u32(packer, operation->salt);
  wire_pack_u32(packer, operation->wanted);
  wire_pack_bytes(packer, operation->label, operation->label_length);
  wire_pack_bytes(packer, operation->data, operation->data_length);
}

gboolean
wire_operation_unpack(WireReader *reader, WireOperation *ret_operation, GError **error)
{
  WireOperation operation = { 0 };
  operation.verb = wire_read_u8(reader);
  operation.mechanism = wire_read_u8(reader);
  operation.hash = wire_read_u8(reader);
  operation.mgf_hash = wire_read_u8(reader);
  operation.salt = wire_read_u32(reader);
  operation.wanted = wire_read_u32(reader);
  operation.label = wire_read_bytes(reader, WIRE_LABEL_MAX, &operation.label_length);
  operation.data = wire_read_bytes(reader, WIRE_SIGN_DATA_MAX, &operation.data_length);
  if (!wire_reader_done(reader, "the operation", error) || !wire_operation_check(&operation, error))
    return FALSE;
  *ret_operation = operation;
  return TRUE;
}

static gboolean
check_mechanism(const WireOperation *operation, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS(mechanism_table); i++)
    if (mechanism_table[i].mechanism == operation->mechanism && operation->verb >= WIRE_SIGN &&
        operation->verb <= WIRE_DERIVE && (mechanism_table[i].verbs & 1u << operation->verb))
      return TRUE;
  return base_error_set(error, SIGNET_ERROR_USAGE, "%s does not %s",
                        wire_mechanism_name(operation->mechanism), wire_verb_name(operation->verb));
}

static gboolean
check_digest(const WireOperation *operation, gboolean may_be_ready, GError **error)
{
  gsize length = wire_hash_length(operation->hash);
  if (operation->hash == WIRE_HASH_NONE && may_be_ready) {
    if (operation->data_length >= 1 && operation->data_length <= DIGEST_INFO_MAX)
      return TRUE;
    return base_error_set(error, SIGNET_ERROR_USAGE, "a DigestInfo has 1 to %d bytes, not %zu",
                          DIGEST_INFO_MAX, operation->data_length);
  }
  if (!length)
    return base_error_set(error, SIGNET_ERROR_USAGE, "%s needs a hash: sha256, sha384 or sha512",
                          wire_mechanism_name(operation->mechanism));
  if (operation->data_length != length)
    return base_error_set(error, SIGNET_ERROR_USAGE, "a %s digest has %zu bytes, not %zu",
                          wire_hash_name(operation->hash), length, operation->data_length);
  return TRUE;
}

static gboolean
check_range(const char *what, gsize value, gsize min, gsize max, GError **error)
{
  if (value >= min && value <= max)
    return TRUE;
  return base_error_set(error, value > max ? SIGNET_ERROR_TOO_LARGE : SIGNET_ERROR_USAGE,
                        "%s must have %zu to %zu bytes, not %zu", what, min, max, value);
}

/* SEC 1 2.3.3: 04||X||Y, both as long as the field. */
static gboolean
check_point(const WireOperation *operation, GError **error)
{
  if (!check_range("the peer's point", operation->data_length, 3, WIRE_POINT_MAX, error))
    return FALSE;
  if (operation->data[0] == 4 && operation->data_length % 2)
    return TRUE;
  return base_error_set(error, SIGNET_ERROR_USAGE, "the peer's point must be uncompressed");
}

gboolean
wire_operation_check(const WireOperation *operation, GError **error)
{
  if (!check_mechanism(operation, error))
    return FALSE;
  if (operation->verb == WIRE_DECRYPT &&
      !check_range("the ciphertext", operation->data_length, 1, WIRE_CIPHERTEXT_MAX, error))
    return FALSE;
  switch (operation->mechanism) {
  case WIRE_RSA_PKCS1:
    if (operation->verb == WIRE_DECRYPT)
      return check_range("the wanted session key", operation->wanted, 1, SESSION_KEY_MAX, error);
    return check_digest(operation, TRUE, error);
  case WIRE_RSA_PSS:
    if (!wire_hash_length(operation->mgf_hash))
      return base_error_set(error, SIGNET_ERROR_USAGE, "rsa-pss needs a hash for its mask");
    return check_range("the salt", operation->salt, 0, SALT_MAX, error) &&
           check_digest(operation, FALSE, error);
  case WIRE_RSA_OAEP:
    if (!wire_hash_length(operation->hash) || !wire_hash_length(operation->mgf_hash))
      return base_error_set(error, SIGNET_ERROR_USAGE, "rsa-oaep needs its two hashes");
    return check_range("the label", operation->label_length, 0, WIRE_LABEL_MAX, error);
  case WIRE_ECDSA: /* a token truncates the digest itself, so its kind does not matter */
    return check_range("the digest", operation->data_length, 20, 64, error);
  case WIRE_EDDSA:
    return check_range("the message", operation->data_length, 0, WIRE_SIGN_DATA_MAX, error);
  case WIRE_ECDH:
    return check_point(operation, error);
  }
  return FALSE;
}
