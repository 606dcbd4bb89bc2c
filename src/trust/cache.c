/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/cache.h"

#include "base/error.h"

#include <string.h>

#define FIRST_LINE "signet mail roots 1"
#define LINE_MAX_BYTES 8192
#define FINGERPRINT_DIGITS 64

typedef struct {
  unsigned long hash;
  gsize offset; /* from the start of the certificates */
  gsize length;
  gint64 limit;
  char fingerprint[FINGERPRINT_DIGITS + 1];
} Entry;

struct TrustCache {
  GBytes *bytes;
  TrustCacheHead head;
  GArray *entries; /* (element-type Entry) */
  const guint8 *blob;
};

/* OpenSSL's own comparison of names ignores case and blanks: its hash is of that form. */
unsigned long
trust_cache_hash(const X509_NAME *name)
{
  int ok = 0;
  unsigned long hash = X509_NAME_hash_ex(name, NULL, NULL, &ok);
  return ok ? hash : 0;
}

/* ---- writing ---- */

static gboolean
add_entry(GString *index, const BaseCert *root, gsize offset, gint64 limit, GError **error)
{
  X509 *x509 = base_cert_to_x509(root, error);
  if (!x509)
    return FALSE;
  g_string_append_printf(index, "%lx %zu %zu %" G_GINT64_FORMAT " %s\n",
                         trust_cache_hash(X509_get_subject_name(x509)), offset,
                         g_bytes_get_size(root->der), limit, root->fingerprint);
  X509_free(x509);
  return TRUE;
}

GBytes *
trust_cache_build(const TrustCacheHead *head, GPtrArray *roots, const gint64 *limits,
                  GError **error)
{
  g_autofree char *module = g_strescape(head->module, NULL);
  g_autofree char *problem = g_strescape(head->problem ? head->problem : "", NULL);
  g_autoptr(GString) text = g_string_new(FIRST_LINE "\n");
  gsize offset = 0;
  g_string_append_printf(text,
                         "module %s\nstamp %s\nmade %" G_GINT64_FORMAT "\ndate %" G_GINT64_FORMAT
                         "\nproblem %s\nroots %u\n",
                         module, head->stamp, head->made, head->date, problem, roots->len);
  for (guint i = 0; i < roots->len; i++) {
    const BaseCert *root = g_ptr_array_index(roots, i);
    if (!add_entry(text, root, offset, limits[i], error))
      return NULL;
    offset += g_bytes_get_size(root->der);
  }
  for (guint i = 0; i < roots->len; i++) {
    const BaseCert *root = g_ptr_array_index(roots, i);
    g_string_append_len(text, g_bytes_get_data(root->der, NULL),
                        (gssize)g_bytes_get_size(root->der));
  }
  return g_string_free_to_bytes(g_steal_pointer(&text));
}

/* ---- reading ---- */

/* (nullable) the line at *at, which then stands after it. */
static char *
next_line(const char **at, const char *end)
{
  gsize left = (gsize)(end - *at);
  const char *newline = left ? memchr(*at, '\n', MIN(left, LINE_MAX_BYTES)) : NULL;
  if (!newline)
    return NULL;
  char *line = g_strndup(*at, (gsize)(newline - *at));
  *at = newline + 1;
  return line;
}

/* (nullable) the value of a line "NAME VALUE". */
static char *
next_value(const char **at, const char *end, const char *name)
{
  g_autofree char *line = next_line(at, end);
  gsize length = strlen(name);
  if (!line || strncmp(line, name, length) != 0 || line[length] != ' ')
    return NULL;
  return g_strcompress(line + length + 1);
}

static gboolean
next_number(const char **at, const char *end, const char *name, gint64 max, gint64 *ret_number)
{
  g_autofree char *value = next_value(at, end, name);
  return value && g_ascii_string_to_signed(value, 10, 0, max, ret_number, NULL);
}

static gboolean
read_head(TrustCache *cache, const char **at, const char *end, gint64 *ret_count)
{
  g_autofree char *first = next_line(at, end);
  if (g_strcmp0(first, FIRST_LINE) != 0)
    return FALSE;
  cache->head.module = next_value(at, end, "module");
  cache->head.stamp = next_value(at, end, "stamp");
  if (!cache->head.module || !cache->head.stamp ||
      !next_number(at, end, "made", G_MAXINT64, &cache->head.made) ||
      !next_number(at, end, "date", G_MAXINT64, &cache->head.date))
    return FALSE;
  cache->head.problem = next_value(at, end, "problem");
  if (cache->head.problem && !*cache->head.problem)
    g_clear_pointer(&cache->head.problem, g_free);
  return next_number(at, end, "roots", TRUST_CACHE_ROOTS_MAX, ret_count);
}

static gboolean
read_entry(const char *line, Entry *ret_entry)
{
  g_auto(GStrv) parts = g_strsplit(line ? line : "", " ", 6);
  guint64 hash, offset, length;
  gint64 limit;
  if (g_strv_length(parts) != 5 || strlen(parts[4]) != FINGERPRINT_DIGITS ||
      !g_ascii_string_to_unsigned(parts[0], 16, 0, G_MAXULONG, &hash, NULL) ||
      !g_ascii_string_to_unsigned(parts[1], 10, 0, TRUST_CACHE_MAX, &offset, NULL) ||
      !g_ascii_string_to_unsigned(parts[2], 10, 0, TRUST_CACHE_MAX, &length, NULL) ||
      !g_ascii_string_to_signed(parts[3], 10, 0, G_MAXINT64, &limit, NULL))
    return FALSE;
  *ret_entry = (Entry){ hash, offset, length, limit, "" };
  g_strlcpy(ret_entry->fingerprint, parts[4], sizeof ret_entry->fingerprint);
  return TRUE;
}

static gboolean
read_entries(TrustCache *cache, const char **at, const char *end, gint64 count)
{
  for (gint64 i = 0; i < count; i++) {
    Entry entry;
    g_autofree char *line = next_line(at, end);
    if (!read_entry(line, &entry))
      return FALSE;
    g_array_append_val(cache->entries, entry);
  }
  gsize left = (gsize)(end - *at);
  for (guint i = 0; i < cache->entries->len; i++) {
    const Entry *entry = &g_array_index(cache->entries, Entry, i);
    if (entry->offset > left || entry->length > left - entry->offset)
      return FALSE;
  }
  return TRUE;
}

TrustCache *
trust_cache_parse(GBytes *bytes, GError **error)
{
  g_autoptr(TrustCache) cache = g_new0(TrustCache, 1);
  gsize length = 0;
  gint64 count = 0;
  const char *at = g_bytes_get_data(bytes, &length);
  const char *end = at ? at + length : NULL;
  cache->bytes = g_bytes_ref(bytes);
  cache->entries = g_array_new(FALSE, FALSE, sizeof(Entry));
  if (length == 0 || length > TRUST_CACHE_MAX || !read_head(cache, &at, end, &count) ||
      !read_entries(cache, &at, end, count)) {
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the kept list of mail roots is damaged");
    return NULL;
  }
  cache->blob = (const guint8 *)at;
  return g_steal_pointer(&cache);
}

void
trust_cache_free(TrustCache *cache)
{
  if (!cache)
    return;
  g_clear_pointer(&cache->bytes, g_bytes_unref);
  g_clear_pointer(&cache->entries, g_array_unref);
  g_free(cache->head.module);
  g_free(cache->head.stamp);
  g_free(cache->head.problem);
  g_free(cache);
}

const TrustCacheHead *
trust_cache_head(const TrustCache *cache)
{
  return &cache->head;
}

guint
trust_cache_count(const TrustCache *cache)
{
  return cache->entries->len;
}

static void
add_root(const TrustCache *cache, const Entry *entry, GPtrArray *into)
{
  g_autoptr(GBytes) der = g_bytes_new(cache->blob + entry->offset, entry->length);
  BaseCert *root = base_cert_new(der, NULL);
  if (root)
    g_ptr_array_add(into, root);
}

void
trust_cache_find(const TrustCache *cache, unsigned long hash, GPtrArray *into)
{
  for (guint i = 0; i < cache->entries->len; i++) {
    const Entry *entry = &g_array_index(cache->entries, Entry, i);
    if (entry->hash == hash)
      add_root(cache, entry, into);
  }
}

gint64
trust_cache_limit(const TrustCache *cache, const char *fingerprint)
{
  for (guint i = 0; i < cache->entries->len; i++) {
    const Entry *entry = &g_array_index(cache->entries, Entry, i);
    if (strcmp(entry->fingerprint, fingerprint) == 0)
      return entry->limit;
  }
  return 0;
}

GPtrArray *
trust_cache_all(const TrustCache *cache)
{
  GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)base_cert_free);
  for (guint i = 0; i < cache->entries->len; i++)
    add_root(cache, &g_array_index(cache->entries, Entry, i), all);
  return all;
}
