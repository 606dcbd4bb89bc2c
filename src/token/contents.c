/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyfile/keyfile.h"
#include "token/der.h"
#include "token/transfer.h"

#include <openssl/err.h>
#include <string.h>

#define LINE_MAX_BYTES 300

static void
item_free(TokenItem *item)
{
  if (!item)
    return;
  g_free(item->key);
  g_free(item->label);
  g_free(item->key_kind);
  g_clear_pointer(&item->bytes, g_bytes_unref);
  EVP_PKEY_free(item->pkey);
  g_free(item);
}

TokenContents *
token_contents_new(const char *format)
{
  TokenContents *contents = g_new0(TokenContents, 1);
  contents->format = g_strdup(format);
  contents->items = g_ptr_array_new_with_free_func((GDestroyNotify)item_free);
  contents->skipped = g_ptr_array_new_with_free_func(g_free);
  return contents;
}

void
token_contents_free(TokenContents *contents)
{
  if (!contents)
    return;
  g_ptr_array_unref(contents->items);
  g_ptr_array_unref(contents->skipped);
  g_free(contents->format);
  g_free(contents);
}

/* Names in files are anything; on the wire they are short UTF-8. */
static char *
shown(const char *label)
{
  return label ? token_text((const CK_UTF8CHAR *)label, strlen(label)) : g_strdup("");
}

void
token_contents_skip(TokenContents *contents, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *line = g_strdup_vprintf(format, args);
  va_end(args);
  if (contents->skipped->len < WIRE_TRANSFER_ITEMS_MAX)
    g_ptr_array_add(contents->skipped,
                    token_text((const CK_UTF8CHAR *)line, MIN(strlen(line), LINE_MAX_BYTES)));
}

static gboolean
is_there(const TokenContents *contents, WireItemKind kind, GBytes *bytes)
{
  for (guint i = 0; i < contents->items->len; i++) {
    TokenItem *item = contents->items->pdata[i];
    if (item->kind == kind && g_bytes_equal(item->bytes, bytes))
      return TRUE;
  }
  return FALSE;
}

static char *
kind_of(GBytes *spki)
{
  TokenSpki facts;
  if (!token_spki_read(spki, &facts) || facts.kind == BASE_KEY_OTHER)
    return g_strdup("other");
  return base_key_kind_text(facts.kind, facts.bits);
}

/* Takes `bytes` and `spki`. FALSE: too many, too long, or there already. */
static gboolean
add(TokenContents *contents, WireItemKind kind, GBytes *bytes, GBytes *spki, const char *label)
{
  gsize length = 0;
  gconstpointer der = g_bytes_get_data(spki, &length);
  gboolean fits = contents->items->len < WIRE_TRANSFER_ITEMS_MAX &&
                  g_bytes_get_size(bytes) <= WIRE_CERTIFICATE_MAX &&
                  !is_there(contents, kind, bytes);
  if (fits) {
    TokenItem *item = g_new0(TokenItem, 1);
    item->kind = kind;
    item->key = base_key_name(der, length);
    item->label = shown(label);
    item->key_kind = kind_of(spki);
    item->bytes = g_bytes_ref(bytes);
    g_ptr_array_add(contents->items, item);
  }
  g_bytes_unref(bytes);
  g_bytes_unref(spki);
  return fits;
}

gboolean
token_contents_add_key(TokenContents *contents, EVP_PKEY *pkey, const char *label)
{
  guint8 *der = NULL;
  int length = i2d_PUBKEY(pkey, &der);
  gboolean added = FALSE;

  if (length > 0) {
    GBytes *spki = g_bytes_new(der, (gsize)length);
    added = add(contents, WIRE_ITEM_KEY, g_bytes_ref(spki), spki, label);
  }
  OPENSSL_free(der);
  ERR_clear_error();
  if (added)
    ((TokenItem *)contents->items->pdata[contents->items->len - 1])->pkey = pkey;
  else
    EVP_PKEY_free(pkey);
  return added;
}

gboolean
token_contents_add_certificate(TokenContents *contents, GBytes *der, const char *label)
{
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(der, &length);
  GBytes *spki = bytes ? token_spki_of_certificate(bytes, length) : NULL;
  return spki && add(contents, WIRE_ITEM_CERTIFICATE, g_bytes_ref(der), spki, label);
}

/* Its names and kinds are kept as the file's reader gave them: what it told a person before is what
 * is put on the token. */
static void
take_item(TokenContents *contents, const KeyfileItem *from)
{
  if (g_bytes_get_size(from->bytes) > WIRE_CERTIFICATE_MAX) {
    token_contents_skip(contents, "one of more than %d bytes", WIRE_CERTIFICATE_MAX);
    return;
  }
  TokenItem *item = g_new0(TokenItem, 1);
  item->kind = from->kind == KEYFILE_KEY ? WIRE_ITEM_KEY : WIRE_ITEM_CERTIFICATE;
  item->key = g_strdup(from->key);
  item->label = shown(from->label);
  item->key_kind = g_strdup(from->key_kind);
  item->bytes = g_bytes_ref(from->bytes);
  if (from->pkey && EVP_PKEY_up_ref(from->pkey) == 1)
    item->pkey = from->pkey;
  g_ptr_array_add(contents->items, item);
}

TokenContents *
token_contents_read(OSSL_LIB_CTX *library, GBytes *file, const char *name, BaseSecret *passphrase,
                    GError **error)
{
  g_autoptr(KeyfileContents) from = keyfile_read(library, file, name, passphrase, error);
  if (!from)
    return NULL;
  g_autoptr(TokenContents) contents = token_contents_new(from->format);
  for (guint i = 0; i < from->skipped->len; i++)
    token_contents_skip(contents, "%s", (const char *)from->skipped->pdata[i]);
  for (guint i = 0; i < from->items->len && i < WIRE_TRANSFER_ITEMS_MAX; i++)
    take_item(contents, from->items->pdata[i]);
  return g_steal_pointer(&contents);
}
