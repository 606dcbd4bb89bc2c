/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/host.h"

#include <string.h>

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static WireToken *
token_again(const WireToken *token)
{
  g_auto(WirePacker) packer = { 0 };
  WireReader reader;
  wire_token_pack(token, &packer);
  wire_reader_start(&reader, packer.bytes, packer.length);
  WireToken *again = wire_token_unpack(&reader);
  g_assert_true(again == NULL || wire_reader_done(&reader, "the token", NULL));
  return again;
}

static WireObject *
object_again(const WireObject *object)
{
  g_auto(WirePacker) packer = { 0 };
  WireReader reader;
  wire_object_pack(object, &packer);
  wire_reader_start(&reader, packer.bytes, packer.length);
  return wire_object_unpack(&reader);
}

static void
token_round_trips(void)
{
  WireToken token = {
    .slot = 3, .generation = 9, .flags = WIRE_TOKEN_LOGGED_IN, .min_pin = 4, .max_pin = 255
  };
  token.label = (char *)(gintptr) "Alice";
  token.uri = (char *)(gintptr) "pkcs11:token=Alice";
  g_autoptr(WireToken) again = token_again(&token);
  g_assert_cmpuint(again->slot, ==, 3);
  g_assert_cmpuint(again->generation, ==, 9);
  g_assert_cmpuint(again->flags, ==, WIRE_TOKEN_LOGGED_IN);
  g_assert_cmpuint(again->max_pin, ==, 255);
  g_assert_cmpstr(again->label, ==, "Alice");
  g_assert_cmpstr(again->uri, ==, "pkcs11:token=Alice");
  g_assert_cmpstr(again->serial, ==, "");
  wire_token_free(NULL);
}

static void
object_round_trips(void)
{
  g_autoptr(GBytes) id = g_bytes_new("\1\2", 2);
  const WireObject object = { .kind = WIRE_OBJECT_KEY,
                              .key = (char *)(gintptr)KEY,
                              .id = id,
                              .flags = WIRE_KEY_SIGN,
                              .key_kind = (char *)(gintptr) "rsa:2048" };
  g_autoptr(WireObject) again = object_again(&object);
  g_assert_cmpstr(again->key, ==, KEY);
  g_assert_cmpstr(again->label, ==, "");
  g_assert_true(g_bytes_equal(again->id, id));
  g_assert_cmpuint(g_bytes_get_size(again->bytes), ==, 0);
  g_assert_cmpstr(again->key_kind, ==, "rsa:2048");
  wire_object_free(NULL);
}

/* A module's label can be anything: the record must stay readable. */
static void
odd_labels_spoil_no_record(void)
{
  g_autofree char *odd = g_strnfill(2000, '\xff');
  g_autofree char *umlauts = g_strnfill(2000, '\xbc');
  for (gsize i = 0; i < 2000; i += 2)
    umlauts[i] = '\xc3';
  const WireObject object = { .kind = WIRE_OBJECT_CERTIFICATE, .label = odd };
  g_autoptr(WireObject) again = object_again(&object);
  g_assert_nonnull(again);
  g_assert_true(g_utf8_validate(again->label, -1, NULL));
  g_assert_cmpuint(strlen(again->label), ==, 1023); /* 341 replacement characters */
  const WireToken token = { .label = umlauts };
  g_autoptr(WireToken) other = token_again(&token);
  g_assert_cmpuint(strlen(other->label), ==, 1024);
}

static void
bad_records_are_refused(void)
{
  const WireObject kinds[] = {
    { .kind = (WireObjectKind)0 },
    { .kind = (WireObjectKind)3 },
    { .kind = WIRE_OBJECT_KEY, .key = (char *)(gintptr) "abc" },
    { .kind = WIRE_OBJECT_KEY, .key = (char *)(gintptr) "X" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
    g_assert_null(object_again(&kinds[i]));
}

static void
cut_off_records_are_refused(void)
{
  g_auto(WirePacker) token = { 0 };
  g_auto(WirePacker) object = { 0 };
  wire_token_pack(&(WireToken){ .label = (char *)(gintptr) "x" }, &token);
  wire_object_pack(&(WireObject){ .kind = WIRE_OBJECT_KEY, .key = (char *)(gintptr)KEY }, &object);
  WireReader reader;
  for (gsize cut = 0; cut < token.length; cut++) {
    wire_reader_start(&reader, token.bytes, cut);
    g_assert_null(wire_token_unpack(&reader));
  }
  for (gsize cut = 0; cut < object.length; cut++) {
    wire_reader_start(&reader, object.bytes, cut);
    g_assert_null(wire_object_unpack(&reader));
  }
}

static void
kinds_have_names(void)
{
  g_assert_cmpstr(wire_host_kind_name(WIRE_HOST_HELLO), ==, "hello");
  g_assert_cmpstr(wire_host_kind_name(WIRE_HOST_OPERATE), ==, "operate");
  g_assert_cmpstr(wire_host_kind_name(WIRE_HOST_ABILITIES), ==, "abilities");
  g_assert_cmpstr(wire_host_kind_name(WIRE_HOST_CHANGED), ==, "changed");
  g_assert_cmpstr(wire_host_kind_name(WIRE_HOST_CHANNEL_CLOSED), ==, "channel-closed");
  static const guint16 unknown[] = { 0, WIRE_HOST_ABILITIES + 1, 0xff, WIRE_HOST_CHANNEL_CLOSED + 1,
                                     0xffff };
  for (gsize i = 0; i < G_N_ELEMENTS(unknown); i++)
    g_assert_cmpstr(wire_host_kind_name(unknown[i]), ==, "?");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/wire/host/token-round-trips", token_round_trips);
  g_test_add_func("/wire/host/object-round-trips", object_round_trips);
  g_test_add_func("/wire/host/odd-labels-spoil-no-record", odd_labels_spoil_no_record);
  g_test_add_func("/wire/host/bad-records-are-refused", bad_records_are_refused);
  g_test_add_func("/wire/host/cut-off-records-are-refused", cut_off_records_are_refused);
  g_test_add_func("/wire/host/kinds-have-names", kinds_have_names);
  return g_test_run();
}
