/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/pins.h"

#include "base/cert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>

#define FILE_MAX (256 * 1024)
#define NAME_LENGTH (2 * SHA256_DIGEST_LENGTH)
#define WRONG_MAX 64 /* remembered per identity */
#define FAILURES_MAX 1000
#define IDENTITIES_MAX 1024

#define SCOPE_TPM "@tpm"
#define SCOPE_DEVICE "@device"
#define SO_SUFFIX "\nso"

typedef struct {
  guint failures;   /* in a row */
  guint before;     /* as it was before the attempt under way */
  GPtrArray *wrong; /* (element-type GBytes) keyed hashes */
  char *scope;      /* (nullable) hash, hex; NULL: its failures are its own */
} Entry;

struct DaemonPins {
  char *path;
  guint8 key[SHA256_DIGEST_LENGTH];
  GHashTable *entries; /* hash of the identity, hex -> Entry */
};

static void
entry_free(gpointer data)
{
  Entry *entry = data;
  g_ptr_array_unref(entry->wrong);
  g_free(entry->scope);
  g_free(entry);
}

/* The file names tokens by hash: it says nothing to who finds it. */
static char *
name_of(const char *identity)
{
  guint8 hash[SHA256_DIGEST_LENGTH];
  SHA256((const guint8 *)identity, strlen(identity), hash);
  return base_hex(hash, sizeof hash);
}

const char *
daemon_pins_scope(const char *pin_scope)
{
  if (g_strcmp0(pin_scope, "tpm") == 0)
    return SCOPE_TPM;
  return g_strcmp0(pin_scope, "device") == 0 ? SCOPE_DEVICE : "";
}

/* (nullable): a machine has one TPM; a device is all of its identity but the label. */
static char *
scope_name(const char *identity)
{
  if (g_str_has_prefix(identity, SCOPE_TPM "\n"))
    return name_of(SCOPE_TPM);
  if (!g_str_has_prefix(identity, SCOPE_DEVICE "\n"))
    return NULL;
  const char *end = identity;
  for (int line = 0; line < 4 && end; line++)
    end = strchr(end + (line > 0), '\n');
  g_autofree char *device = end ? g_strndup(identity, (gsize)(end - identity)) : NULL;
  return name_of(device ? device : identity);
}

static Entry *
entry_new(DaemonPins *pins, char *name /* taken */)
{
  Entry *entry = g_new0(Entry, 1);
  entry->wrong = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  g_hash_table_insert(pins->entries, name, entry);
  return entry;
}

static Entry *
entry_of(DaemonPins *pins, const char *identity)
{
  g_autofree char *name = name_of(identity);
  Entry *entry = g_hash_table_lookup(pins->entries, name);
  if (!entry)
    entry = entry_new(pins, g_steal_pointer(&name));
  if (!entry->scope)
    entry->scope = scope_name(identity);
  return entry;
}

static void
load_line(DaemonPins *pins, const char *line)
{
  g_auto(GStrv) parts = g_strsplit(line, " ", 3);
  guint64 count = 0;
  if (!parts[0] || !parts[1] || strlen(parts[0]) != NAME_LENGTH ||
      !g_ascii_string_to_unsigned(parts[1], 10, 0, FAILURES_MAX, &count, NULL) ||
      g_hash_table_size(pins->entries) >= IDENTITIES_MAX)
    return;
  Entry *entry = g_hash_table_lookup(pins->entries, parts[0]);
  if (!entry)
    entry = entry_new(pins, g_strdup(parts[0]));
  entry->failures = (guint)count;
  if (!entry->scope && parts[2] && strlen(parts[2]) == NAME_LENGTH)
    entry->scope = g_strdup(parts[2]);
}

DaemonPins *
daemon_pins_new(const char *path)
{
  DaemonPins *pins = g_new0(DaemonPins, 1);
  pins->path = g_strdup(path);
  pins->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, entry_free);
  RAND_bytes(pins->key, sizeof pins->key);
  g_autoptr(GBytes) bytes =
      g_file_test(path, G_FILE_TEST_EXISTS) ? base_path_read(path, FILE_MAX, NULL) : NULL;
  if (bytes) {
    gsize length = 0;
    const char *data = g_bytes_get_data(bytes, &length);
    g_autofree char *text = g_strndup(data ? data : "", length);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++)
      load_line(pins, *line);
  }
  return pins;
}

void
daemon_pins_free(DaemonPins *pins)
{
  if (!pins)
    return;
  g_hash_table_destroy(pins->entries);
  base_wipe(pins->key, sizeof pins->key);
  g_free(pins->path);
  g_free(pins);
}

/* A disk that is full must not keep people from their keys: what cannot be written is
 * still counted in memory. */
static void
save(DaemonPins *pins)
{
  g_autoptr(GString) text = g_string_new(NULL);
  g_autoptr(GError) error = NULL;
  GHashTableIter iter;
  gpointer name = NULL;
  gpointer value = NULL;
  g_hash_table_iter_init(&iter, pins->entries);
  while (g_hash_table_iter_next(&iter, &name, &value)) {
    const Entry *entry = value;
    if (entry->failures > 0)
      g_string_append_printf(text, "%s %u%s%s\n", (const char *)name, entry->failures,
                             entry->scope ? " " : "", entry->scope ? entry->scope : "");
  }
  if (!base_path_write(pins->path, text->str, text->len, 0600, &error))
    base_log("%s", error->message);
}

static GBytes *
keyed(DaemonPins *pins, BaseSecret *pin)
{
  guint8 mac[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  HMAC(EVP_sha256(), pins->key, sizeof pins->key, base_secret_bytes(pin), base_secret_length(pin),
       mac, &length);
  return g_bytes_new(mac, length);
}

static gboolean
is_wrong(const Entry *entry, GBytes *hash)
{
  for (guint i = 0; i < entry->wrong->len; i++)
    if (g_bytes_equal(entry->wrong->pdata[i], hash))
      return TRUE;
  return FALSE;
}

gboolean
daemon_pins_known_wrong(DaemonPins *pins, const char *identity, BaseSecret *pin)
{
  g_autofree char *name = name_of(identity);
  const Entry *entry = g_hash_table_lookup(pins->entries, name);
  if (!entry || entry->wrong->len == 0)
    return FALSE;
  g_autoptr(GBytes) hash = keyed(pins, pin);
  return is_wrong(entry, hash);
}

guint
daemon_pins_failures(DaemonPins *pins, const char *identity)
{
  g_autofree char *name = name_of(identity);
  g_autofree char *scope = g_str_has_suffix(identity, SO_SUFFIX) ? NULL : scope_name(identity);
  const Entry *own = g_hash_table_lookup(pins->entries, name);
  if (!scope)
    return own ? own->failures : 0;
  guint failures = 0;
  GHashTableIter iter;
  gpointer value = NULL;
  g_hash_table_iter_init(&iter, pins->entries);
  while (g_hash_table_iter_next(&iter, NULL, &value))
    if (g_strcmp0(((const Entry *)value)->scope, scope) == 0)
      failures = MIN(failures + ((const Entry *)value)->failures, FAILURES_MAX);
  return failures;
}

void
daemon_pins_attempt(DaemonPins *pins, const char *identity)
{
  Entry *entry = entry_of(pins, identity);
  entry->before = entry->failures;
  entry->failures = MIN(entry->failures + 1, FAILURES_MAX);
  save(pins);
}

/* Returns whether there were any. */
static gboolean
end_count_of_scope(DaemonPins *pins, const char *scope)
{
  gboolean changed = FALSE;
  GHashTableIter iter;
  gpointer value = NULL;
  g_hash_table_iter_init(&iter, pins->entries);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    Entry *entry = value;
    if (g_strcmp0(entry->scope, scope) != 0)
      continue;
    changed = changed || entry->failures != 0;
    entry->failures = 0;
  }
  return changed;
}

void
daemon_pins_was_right(DaemonPins *pins, const char *identity)
{
  Entry *entry = entry_of(pins, identity);
  gboolean changed = entry->failures != 0;
  entry->failures = 0;
  if (g_str_has_prefix(identity, SCOPE_TPM "\n") && g_str_has_suffix(identity, SO_SUFFIX))
    changed = end_count_of_scope(pins, entry->scope) || changed;
  g_ptr_array_set_size(entry->wrong, 0);
  if (changed)
    save(pins);
}

void
daemon_pins_was_wrong(DaemonPins *pins, const char *identity, BaseSecret *pin)
{
  Entry *entry = entry_of(pins, identity); /* the attempt is booked already */
  g_autoptr(GBytes) hash = keyed(pins, pin);
  if (!is_wrong(entry, hash) && entry->wrong->len < WRONG_MAX)
    g_ptr_array_add(entry->wrong, g_steal_pointer(&hash));
}

void
daemon_pins_not_tried(DaemonPins *pins, const char *identity)
{
  Entry *entry = entry_of(pins, identity);
  entry->failures = entry->before;
  save(pins);
}
