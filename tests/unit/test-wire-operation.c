/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/limits.h"
#include "wire/operation.h"

#include <signet/error.h>

#include <string.h>

static guint8 bytes[WIRE_SIGN_DATA_MAX + 1];

typedef struct {
  WireOperation operation; /* data and label are taken from `bytes` */
  int code;                /* -1: fine */
} Case;

static const Case cases[] = {
  { { WIRE_SIGN, WIRE_RSA_PKCS1, WIRE_SHA256, .data_length = 32 }, -1 },
  { { WIRE_SIGN, WIRE_RSA_PKCS1, WIRE_SHA256, .data_length = 31 }, SIGNET_ERROR_USAGE },
  { { WIRE_SIGN, WIRE_RSA_PKCS1, WIRE_HASH_NONE, .data_length = 51 }, -1 },
  { { WIRE_SIGN, WIRE_RSA_PKCS1, WIRE_HASH_NONE, .data_length = 0 }, SIGNET_ERROR_USAGE },
  { { WIRE_SIGN, WIRE_RSA_PKCS1, WIRE_HASH_NONE, .data_length = 129 }, SIGNET_ERROR_USAGE },
  { { WIRE_SIGN, WIRE_RSA_PKCS1, (WireHash)99, .data_length = 32 }, SIGNET_ERROR_USAGE },
  { { WIRE_DECRYPT, WIRE_RSA_PKCS1, .wanted = 32, .data_length = 256 }, -1 },
  { { WIRE_DECRYPT, WIRE_RSA_PKCS1, .wanted = 0, .data_length = 256 }, SIGNET_ERROR_USAGE },
  { { WIRE_DECRYPT, WIRE_RSA_PKCS1, .wanted = 65, .data_length = 256 }, SIGNET_ERROR_TOO_LARGE },
  { { WIRE_DECRYPT, WIRE_RSA_PKCS1, .wanted = 32, .data_length = 0 }, SIGNET_ERROR_USAGE },
  { { WIRE_DECRYPT, WIRE_RSA_PKCS1, .wanted = 32, .data_length = WIRE_CIPHERTEXT_MAX }, -1 },
  { { WIRE_DECRYPT, WIRE_RSA_PKCS1, .wanted = 32, .data_length = WIRE_CIPHERTEXT_MAX + 1 },
    SIGNET_ERROR_TOO_LARGE },
  { { WIRE_SIGN, WIRE_RSA_PSS, WIRE_SHA512, WIRE_SHA512, .salt = 64, .data_length = 64 }, -1 },
  { { WIRE_SIGN, WIRE_RSA_PSS, WIRE_SHA512, WIRE_HASH_NONE, .salt = 64, .data_length = 64 },
    SIGNET_ERROR_USAGE },
  { { WIRE_SIGN, WIRE_RSA_PSS, WIRE_SHA512, WIRE_SHA512, .salt = 513, .data_length = 64 },
    SIGNET_ERROR_TOO_LARGE },
  { { WIRE_SIGN, WIRE_RSA_PSS, WIRE_HASH_NONE, WIRE_SHA256, .data_length = 32 },
    SIGNET_ERROR_USAGE },
  { { WIRE_DECRYPT, WIRE_RSA_PSS, WIRE_SHA256, WIRE_SHA256, .data_length = 32 },
    SIGNET_ERROR_USAGE },
  { { WIRE_DECRYPT, WIRE_RSA_OAEP, WIRE_SHA1, WIRE_SHA1, .label_length = WIRE_LABEL_MAX,
      .data_length = 256 },
    -1 },
  { { WIRE_DECRYPT, WIRE_RSA_OAEP, WIRE_SHA1, WIRE_SHA1, .label_length = WIRE_LABEL_MAX + 1,
      .data_length = 256 },
    SIGNET_ERROR_TOO_LARGE },
  { { WIRE_DECRYPT, WIRE_RSA_OAEP, WIRE_SHA1, WIRE_HASH_NONE, .data_length = 256 },
    SIGNET_ERROR_USAGE },
  { { WIRE_SIGN, WIRE_RSA_OAEP, WIRE_SHA1, WIRE_SHA1, .data_length = 20 }, SIGNET_ERROR_USAGE },
  { { WIRE_SIGN, WIRE_ECDSA, .data_length = 20 }, -1 },
  { { WIRE_SIGN, WIRE_ECDSA, .data_length = 19 }, SIGNET_ERROR_USAGE },
  { { WIRE_SIGN, WIRE_ECDSA, .data_length = 65 }, SIGNET_ERROR_TOO_LARGE },
  { { WIRE_SIGN, WIRE_EDDSA, .data_length = 0 }, -1 },
  { { WIRE_SIGN, WIRE_EDDSA, .data_length = WIRE_SIGN_DATA_MAX }, -1 },
  { { WIRE_SIGN, WIRE_EDDSA, .data_length = WIRE_SIGN_DATA_MAX + 1 }, SIGNET_ERROR_TOO_LARGE },
  { { WIRE_DERIVE, WIRE_ECDH, .data_length = 65 }, -1 },
  { { WIRE_DERIVE, WIRE_ECDH, .data_length = 64 }, SIGNET_ERROR_USAGE },
  { { WIRE_DERIVE, WIRE_ECDH, .data_length = 0 }, SIGNET_ERROR_USAGE },
  { { WIRE_DERIVE, WIRE_ECDH, .data_length = WIRE_POINT_MAX + 1 }, SIGNET_ERROR_TOO_LARGE },
  { { WIRE_SIGN, WIRE_ECDH, .data_length = 65 }, SIGNET_ERROR_USAGE },
  { { (WireVerb)0, WIRE_ECDSA, .data_length = 32 }, SIGNET_ERROR_USAGE },
  { { (WireVerb)200, WIRE_ECDSA, .data_length = 32 }, SIGNET_ERROR_USAGE },
  { { WIRE_SIGN, (WireMechanism)0, .data_length = 32 }, SIGNET_ERROR_USAGE },
  { { WIRE_SIGN, (WireMechanism)77, .data_length = 32 }, SIGNET_ERROR_USAGE },
};

static void
fields_are_checked_against_each_other(void)
{
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    WireOperation operation = cases[i].operation;
    g_autoptr(GError) error = NULL;
    operation.data = operation.label = bytes;
    g_test_message("case %zu", i);
    gboolean fine = wire_operation_check(&operation, &error);
    g_assert_cmpint(error ? error->code : -1, ==, cases[i].code);
    g_assert_true(fine == (cases[i].code == -1));
    g_assert_cmpint(wire_operation_check(&operation, NULL), ==, fine);
  }
}

static void
good_operations_round_trip(void)
{
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    WireOperation in = cases[i].operation;
    WireOperation out = { 0 };
    g_auto(WirePacker) packer = { 0 };
    WireReader reader;
    in.data = in.label = bytes;
    if (cases[i].code != -1)
      continue;
    wire_operation_pack(&in, &packer);
    wire_reader_start(&reader, packer.bytes, packer.length);
    g_assert_true(wire_operation_unpack(&reader, &out, NULL));
    g_assert_cmpint(out.verb, ==, in.verb);
    g_assert_cmpint(out.mechanism, ==, in.mechanism);
    g_assert_cmpint(out.hash, ==, in.hash);
    g_assert_cmpint(out.mgf_hash, ==, in.mgf_hash);
    g_assert_cmpuint(out.salt, ==, in.salt);
    g_assert_cmpuint(out.wanted, ==, in.wanted);
    g_assert_cmpuint(out.label_length, ==, in.label_length);
    g_assert_cmpuint(out.data_length, ==, in.data_length);
    g_assert_cmpint(memcmp(out.data, bytes, out.data_length), ==, 0);
  }
}

static void
damaged_bytes_change_nothing(void)
{
  const WireOperation in = { WIRE_SIGN, WIRE_ECDSA, .label = bytes, .data = bytes,
                             .data_length = 32 };
  g_auto(WirePacker) packer = { 0 };
  wire_operation_pack(&in, &packer);
  for (gsize cut = 0; cut < packer.length; cut++) {
    g_autoptr(GError) error = NULL;
    WireOperation out = { .salt = 42 };
    WireReader reader;
    wire_reader_start(&reader, packer.bytes, cut);
    g_assert_false(wire_operation_unpack(&reader, &out, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
    g_assert_cmpuint(out.salt, ==, 42);
  }
  g_autoptr(GError) error = NULL;
  WireOperation out = { 0 };
  WireReader reader;
  wire_pack_u8(&packer, 0);
  wire_reader_start(&reader, packer.bytes, packer.length);
  g_assert_false(wire_operation_unpack(&reader, &out, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
}

static void
names_are_known_both_ways(void)
{
  static const char *const mechanisms[] = { "rsa-pkcs1", "rsa-pss", "rsa-oaep",
                                            "ecdsa",     "eddsa",   "ecdh" };
  for (gsize i = 0; i < G_N_ELEMENTS(mechanisms); i++) {
    WireMechanism mechanism = 0;
    g_assert_true(wire_mechanism_from_name(mechanisms[i], &mechanism));
    g_assert_cmpstr(wire_mechanism_name(mechanism), ==, mechanisms[i]);
  }
  WireMechanism mechanism = 0;
  g_assert_false(wire_mechanism_from_name("md5", &mechanism));
  g_assert_false(wire_mechanism_from_name(NULL, &mechanism));
  g_assert_cmpint(wire_hash_from_name("sha256"), ==, WIRE_SHA256);
  g_assert_cmpint(wire_hash_from_name("SHA256"), ==, WIRE_SHA256);
  g_assert_cmpint(wire_hash_from_name("SHA2-384"), ==, WIRE_SHA384);
  g_assert_cmpint(wire_hash_from_name("SHA1"), ==, WIRE_SHA1);
  g_assert_cmpint(wire_hash_from_name("SHA-1"), ==, WIRE_SHA1);
  g_assert_cmpint(wire_hash_from_name("md5"), ==, WIRE_HASH_NONE);
  g_assert_cmpint(wire_hash_from_name(NULL), ==, WIRE_HASH_NONE);
  g_assert_cmpuint(wire_hash_length(WIRE_SHA224), ==, 28);
  g_assert_cmpuint(wire_hash_length(WIRE_HASH_NONE), ==, 0);
  g_assert_cmpstr(wire_hash_name(WIRE_SHA512), ==, "sha512");
  g_assert_cmpstr(wire_verb_name(WIRE_DERIVE), ==, "derive");
  g_assert_cmpstr(wire_verb_name((WireVerb)50), ==, "?");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  memset(bytes, 4, sizeof bytes); /* 04: an uncompressed point, too */
  g_test_add_func("/wire/operation/fields-are-checked-against-each-other",
                  fields_are_checked_against_each_other);
  g_test_add_func("/wire/operation/good-operations-round-trip", good_operations_round_trip);
  g_test_add_func("/wire/operation/damaged-bytes-change-nothing", damaged_bytes_change_nothing);
  g_test_add_func("/wire/operation/names-are-known-both-ways", names_are_known_both_ways);
  return g_test_run();
}
