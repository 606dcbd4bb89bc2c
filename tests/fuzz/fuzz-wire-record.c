/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Binary frames and records of hosts and key channels. The first byte chooses the record.
 * What can be read is packed again and must give the same bytes. */

#include "wire/frame.h"
#include "wire/host.h"
#include "wire/limits.h"
#include "wire/operation.h"

#include <signet/error.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static void
same(const WirePacker *packer, const guint8 *data, gsize length)
{
  g_assert_cmpuint(packer->length, ==, length);
  g_assert_cmpint(memcmp(packer->bytes, data, length), ==, 0);
}

static void
try_operation(const guint8 *data, gsize size)
{
  g_auto(WirePacker) packer = { 0 };
  g_autoptr(GError) error = NULL;
  WireOperation operation = { 0 };
  WireReader reader;
  wire_reader_start(&reader, data, size);
  if (wire_operation_unpack(&reader, &operation, &error)) {
    g_assert_cmpuint(operation.data_length, <=, WIRE_SIGN_DATA_MAX);
    wire_operation_pack(&operation, &packer);
    same(&packer, data, size);
  } else {
    g_assert_nonnull(error);
  }
}

static void
try_token(const guint8 *data, gsize size)
{
  g_auto(WirePacker) packer = { 0 };
  WireReader reader;
  wire_reader_start(&reader, data, size);
  g_autoptr(WireToken) token = wire_token_unpack(&reader);
  if (token) {
    wire_token_pack(token, &packer);
    same(&packer, data, (gsize)(reader.at - data));
  }
}

static void
try_objects(const guint8 *data, gsize size)
{
  WireReader reader;
  wire_reader_start(&reader, data, size);
  while (reader.at < reader.end) { /* several, as in an OBJECTS answer */
    g_auto(WirePacker) packer = { 0 };
    const guint8 *start = reader.at;
    g_autoptr(WireObject) object = wire_object_unpack(&reader);
    if (!object)
      return;
    wire_object_pack(object, &packer);
    same(&packer, start, (gsize)(reader.at - start));
  }
}

static void
try_header(const guint8 *data, gsize size)
{
  guint8 bytes[WIRE_HEADER_SIZE];
  WireHeader header = { 0 };
  if (size < WIRE_HEADER_SIZE || !wire_header_unpack(data, &header, NULL))
    return;
  g_assert_cmpuint(header.length, <=, WIRE_FRAME_MAX);
  wire_header_pack(&header, bytes);
  g_assert_cmpint(memcmp(bytes, data, WIRE_HEADER_SIZE), ==, 0);
}

static void
try_error(const guint8 *data, gsize size)
{
  g_autoptr(GError) error = NULL;
  wire_error_unpack(data, size, &error);
  g_assert_true(error && error->domain == SIGNET_ERROR);
  g_autoptr(GBytes) packed = wire_error_pack(error);
  g_assert_nonnull(packed);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
  static void (*const tries[])(const guint8 *, gsize) = { try_operation, try_token, try_objects,
                                                          try_header, try_error };
  if (size)
    tries[data[0] % G_N_ELEMENTS(tries)](data + 1, size - 1);
  return 0;
}
