/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/host.h"

#include "base/cert.h"
#include "wire/limits.h"

#include <string.h>

#define TEXT_MAX 1024
#define ID_MAX 1024
#define KEY_NAME_LENGTH 64

/* A token's texts can be anything; one bad label must not spoil the whole list, which
 * wire_read_text() would refuse. */
static void
pack_any_text(WirePacker *packer, const char *text)
{
  g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;
  gsize length = valid ? strlen(valid) : 0;
  if (length > TEXT_MAX)
    length = (gsize)(g_utf8_find_prev_char(valid, valid + TEXT_MAX + 1) - valid);
  wire_pack_bytes(packer, valid, length);
}

void
wire_token_pack(const WireToken *token, WirePacker *packer)
{
  const char *const texts[] = {
    token->label,    token->manufacturer,     token->model, token->serial, token->firmware,
    token->hardware, token->slot_description, token->uri
  };
  wire_pack_u32(packer, token->slot);
  wire_pack_u32(packer, token->generation);
  wire_pack_u32(packer, token->flags);
  for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
    pack_any_text(packer, texts[i]);
  wire_pack_u32(packer, token->min_pin);
  wire_pack_u32(packer, token->max_pin);
}

WireToken *
wire_token_unpack(WireReader *reader)
{
  g_autoptr(WireToken) token = g_new0(WireToken, 1);
  char **const texts[] = {
    &token->label,    &token->manufacturer,     &token->model, &token->serial, &token->firmware,
    &token->hardware, &token->slot_description, &token->uri
  };
  token->slot = wire_read_u32(reader);
  token->generation = wire_read_u32(reader);
  token->flags = wire_read_u32(reader);
  for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
    *texts[i] = wire_read_text(reader, TEXT_MAX);
  token->min_pin = wire_read_u32(reader);
  token->max_pin = wire_read_u32(reader);
  return reader->failed ? NULL : g_steal_pointer(&token);
}

void
wire_token_free(WireToken *token)
{
  if (!token)
    return;
  g_free(token->label);
  g_free(token->manufacturer);
  g_free(token->model);
  g_free(token->serial);
  g_free(token->firmware);
  g_free(token->hardware);
  g_free(token->slot_description);
  g_free(token->uri);
  g_free(token);
}

static void
pack_gbytes(WirePacker *packer, GBytes *bytes)
{
  gsize length = 0;
  gconstpointer data = bytes ? g_bytes_get_data(bytes, &length) : NULL;
  wire_pack_bytes(packer, data, length);
}

static GBytes *
read_gbytes(WireReader *reader, gsize max)
{
  gsize length = 0;
  const guint8 *at = wire_read_bytes(reader, max, &length);
  return g_bytes_new(at, length);
}

void
wire_object_pack(const WireObject *object, WirePacker *packer)
{
  wire_pack_u8(packer, (guint8)object->kind);
  wire_pack_text(packer, object->key);
  pack_any_text(packer, object->label);
  pack_gbytes(packer, object->id);
  pack_gbytes(packer, object->bytes);
  wire_pack_u32(packer, object->flags);
  wire_pack_text(packer, object->key_kind);
}

/* The name of a key, or nothing. */
static gboolean
is_key_name(const char *text)
{
  gsize length = strspn(text, "0123456789abcdef");
  return text[length] == '\0' && (length == 0 || length == KEY_NAME_LENGTH);
}

WireObject *
wire_object_unpack(WireReader *reader)
{
  g_autoptr(WireObject) object = g_new0(WireObject, 1);
  object->kind = wire_read_u8(reader);
  object->key = wire_read_text(reader, KEY_NAME_LENGTH);
  object->label = wire_read_text(reader, TEXT_MAX);
  object->id = read_gbytes(reader, ID_MAX);
  object->bytes = read_gbytes(reader, BASE_CERT_DER_MAX);
  object->flags = wire_read_u32(reader);
  object->key_kind = wire_read_text(reader, TEXT_MAX);
  if (object->kind != WIRE_OBJECT_KEY && object->kind != WIRE_OBJECT_CERTIFICATE)
    reader->failed = TRUE;
  if (object->key && !is_key_name(object->key))
    reader->failed = TRUE;
  return reader->failed ? NULL : g_steal_pointer(&object);
}

void
wire_object_free(WireObject *object)
{
  if (!object)
    return;
  g_free(object->key);
  g_free(object->label);
  g_clear_pointer(&object->id, g_bytes_unref);
  g_clear_pointer(&object->bytes, g_bytes_unref);
  g_free(object->key_kind);
  g_free(object);
}

const char *
wire_host_kind_name(guint16 kind)
{
  static const char *const requests[] = { "?",        "hello", "tokens",  "objects",  "login",
                                          "logout",   "init",  "set-pin", "init-pin", "operate",
                                          "generate", "store", "remove",  "channel",  "abilities" };
  static const char *const notices[] = { "changed", "used", "logged-out", "channel-closed" };
  if (kind < G_N_ELEMENTS(requests))
    return requests[kind];
  if (kind >= WIRE_HOST_CHANGED && kind - WIRE_HOST_CHANGED < (int)G_N_ELEMENTS(notices))
    return notices[kind - WIRE_HOST_CHANGED];
  return "?";
}
