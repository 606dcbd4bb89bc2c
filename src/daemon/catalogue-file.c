/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "daemon/catalogue-internal.h"
#include "wire/json.h"
#include "wire/limits.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The file that remembers: one JSON object a line, so that neither reading nor writing
 * holds a tree of everything.
 *
 *   {"signet":"catalogue","version":1}
 *   {"device":0,"label":…,"serial":…,…,"last_seen":…}
 *   {"key":"64 hex","kind":…,"label":…,"addresses":[…],"name":…,"seen":[[device, flags, gone]…]}
 *   {"certificate":"base64","kept":false,"removed":false}
 *   {"default":"alice@example.org"}
 */

#define FILE_VERSION 1
#define TRIM_BYTES (128 * 1024) /* reading or writing more leaves much behind in the heap */
#define LINE_MAX_BYTES (2 * WIRE_CERTIFICATE_MAX)

/* ---- writing ---- */

static void
append_line(GString *text, json_t *line)
{
  char *dump = json_dumps(line, JSON_COMPACT);
  json_decref(line);
  if (!dump)
    return;
  g_string_append(text, dump);
  g_string_append_c(text, '\n');
  free(dump);
}

static void
append_device(GString *text, const DaemonDevice *device, guint index)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  json_t *line = json_object();
  json_object_set_new(line, "device", json_integer(index));
  wire_json_set_text(line, "label", device->label);
  wire_json_set_text(line, "serial", device->serial);
  wire_json_set_text(line, "manufacturer", device->manufacturer);
  wire_json_set_text(line, "model", device->model);
  wire_json_set_text(line, "firmware", device->firmware);
  wire_json_set_text(line, "uri", device->uri);
  wire_json_set_text(line, "module", device->module);
  wire_json_set_text(line, "profile", device->profile);
  json_object_set_new(line, "serial_identifies", json_boolean(device->serial_identifies));
  json_object_set_new(line, "last_seen",
                      json_integer(device->views->len ? now : device->last_seen));
  append_line(text, line);
}

static json_t *
seen_array(const DaemonKey *key, GHashTable *numbers)
{
  json_t *array = json_array();
  for (guint i = 0; i < key->seen->len; i++) {
    const DaemonSeen *seen = g_ptr_array_index(key->seen, i);
    gpointer number;
    if (!g_hash_table_lookup_extended(numbers, seen->device, NULL, &number))
      continue;
    json_t *entry = json_array();
    json_array_append_new(entry, json_integer(GPOINTER_TO_UINT(number)));
    json_array_append_new(entry, json_integer(seen->flags));
    json_array_append_new(entry, json_boolean(seen->gone));
    json_array_append_new(array, entry);
  }
  return array;
}

static gboolean
is_worth_keeping(const DaemonKey *key)
{
  return key && (key->seen->len || key->given_addresses || key->given_name);
}

static void
append_key(GString *text, const DaemonKey *key, GHashTable *numbers)
{
  json_t *line = json_object();
  wire_json_set_text(line, "key", key->name);
  wire_json_set_text(line, "kind", key->kind);
  wire_json_set_text(line, "label", key->label);
  if (key->given_addresses)
    wire_json_set_strv(line, "addresses", key->given_addresses);
  if (key->given_name)
    wire_json_set_text(line, "name", key->given_name);
  json_object_set_new(line, "seen", seen_array(key, numbers));
  append_line(text, line);
}

static void
append_cert(GString *text, const DaemonCert *cert)
{
  gsize length;
  gconstpointer der = g_bytes_get_data(cert->der, &length);
  json_t *line = json_object();
  wire_json_set_base64(line, "certificate", der, length);
  json_object_set_new(line, "kept", json_boolean(cert->kept));
  json_object_set_new(line, "removed", json_boolean(cert->removed));
  append_line(text, line);
}

static void
append_keys_and_certs(DaemonCatalogue *catalogue, GString *text, GHashTable *numbers)
{
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, catalogue->keys);
  while (g_hash_table_iter_next(&iter, NULL, &value))
    if (is_worth_keeping(value))
      append_key(text, value, numbers);
  g_hash_table_iter_init(&iter, catalogue->certs);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    const DaemonCert *cert = value;
    if (cert->kept || is_worth_keeping(g_hash_table_lookup(catalogue->keys, cert->key)))
      append_cert(text, cert);
  }
}

gboolean
daemon_catalogue_unsaved(DaemonCatalogue *catalogue)
{
  daemon_catalogue_settle(catalogue);
  return catalogue->unsaved;
}

static gboolean
make_parent(const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname(path);
  return base_path_make_folder(folder, error);
}

/* One block of about the right size goes back to the system at once; one that doubles as it
 * grows does not. */
static gsize
expected_size(DaemonCatalogue *catalogue)
{
  return catalogue->der_bytes / 3 * 4 + 80 * (gsize)g_hash_table_size(catalogue->certs) +
         400 * (gsize)g_hash_table_size(catalogue->keys) + 600 * (gsize)catalogue->devices->len +
         4096;
}

gboolean
daemon_catalogue_save(DaemonCatalogue *catalogue, const char *path, GError **error)
{
  daemon_catalogue_settle(catalogue);
  g_autoptr(GHashTable) numbers = g_hash_table_new(NULL, NULL);
  GString *text = g_string_sized_new(expected_size(catalogue));
  g_string_append(text, "{\"signet\":\"catalogue\",\"version\":1}\n");
  for (guint i = 0, n = 0; i < catalogue->devices->len; i++) {
    DaemonDevice *device = g_ptr_array_index(catalogue->devices, i);
    if (!device->remembered)
      continue;
    g_hash_table_insert(numbers, device, GUINT_TO_POINTER(n));
    append_device(text, device, n++);
  }
  append_keys_and_certs(catalogue, text, numbers);
  if (catalogue->default_name) {
    json_t *line = json_object();
    wire_json_set_text(line, "default", catalogue->default_name);
    append_line(text, line);
  }
  gboolean done =
      make_parent(path, error) && base_path_write(path, text->str, text->len, 0600, error);
  gboolean large = text->len > TRIM_BYTES;
  g_string_free(text, TRUE);
  if (large)
    malloc_trim(0);
  catalogue->unsaved = catalogue->unsaved && !done;
  return done;
}

/* ---- reading ---- */

typedef struct {
  DaemonCatalogue *catalogue;
  GPtrArray *devices; /* by their number in the file */
} Reading;

static gboolean
read_text(const json_t *line, const char *name, char **field, GError **error)
{
  const char *text;
  if (!wire_json_get_text(line, name, FALSE, WIRE_NAME_MAX, &text, error))
    return FALSE;
  g_free(*field);
  *field = daemon_catalogue_clean(text, WIRE_NAME_MAX);
  return TRUE;
}

static gboolean
read_device(Reading *reading, const json_t *line, GError **error)
{
  gint64 number;
  if (reading->devices->len >= DAEMON_CATALOGUE_DEVICES_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "too many devices");
  if (!wire_json_get_int(line, "device", -1, reading->devices->len, reading->devices->len, &number,
                         error))
    return FALSE;
  /* Numbers stay in step even when the rest of the line is bad. */
  DaemonDevice *device = daemon_catalogue_add_device(reading->catalogue);
  g_ptr_array_add(reading->devices, device);
  device->remembered = TRUE;
  return read_text(line, "label", &device->label, error) &&
         read_text(line, "serial", &device->serial, error) &&
         read_text(line, "manufacturer", &device->manufacturer, error) &&
         read_text(line, "model", &device->model, error) &&
         read_text(line, "firmware", &device->firmware, error) &&
         read_text(line, "uri", &device->uri, error) &&
         read_text(line, "module", &device->module, error) &&
         read_text(line, "profile", &device->profile, error) &&
         wire_json_get_bool(line, "serial_identifies", FALSE, &device->serial_identifies, error) &&
         wire_json_get_int(line, "last_seen", 0, 0, G_MAXINT64, &device->last_seen, error);
}

static gboolean
read_seen(const Reading *reading, DaemonKey *key, const json_t *entry, GError **error)
{
  json_int_t number = json_integer_value(json_array_get(entry, 0));
  json_int_t flags = json_integer_value(json_array_get(entry, 1));
  if (json_array_size(entry) != 3 || number < 0 || number >= reading->devices->len || flags < 0 ||
      flags > G_MAXUINT32)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "\"seen\" of key %s", key->name);
  DaemonDevice *device = g_ptr_array_index(reading->devices, (guint)number);
  if (daemon_catalogue_seen_on(key, device))
    return TRUE;
  DaemonSeen *seen = g_new0(DaemonSeen, 1);
  seen->device = device;
  seen->flags = (guint32)flags;
  seen->gone = json_is_true(json_array_get(entry, 2));
  g_ptr_array_add(key->seen, seen);
  return TRUE;
}

static gboolean
read_key(const Reading *reading, const json_t *line, GError **error)
{
  const char *name, *kind, *label, *person;
  g_auto(GStrv) addresses = NULL;
  if (!wire_json_get_text(line, "key", FALSE, 64, &name, error) ||
      !wire_json_get_text(line, "kind", FALSE, 64, &kind, error) ||
      !wire_json_get_text(line, "label", FALSE, WIRE_NAME_MAX, &label, error) ||
      !wire_json_get_text(line, "name", TRUE, WIRE_NAME_MAX, &person, error) ||
      !wire_json_get_strv(line, "addresses", TRUE, DAEMON_CATALOGUE_ADDRESSES_MAX, &addresses,
                          error))
    return FALSE;
  if (!daemon_catalogue_is_key_name(name))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "\"key\" is no name of a key");
  DaemonKey *key = daemon_catalogue_add_key(reading->catalogue, name, kind);
  if (!key)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "too many keys");
  g_free(key->label);
  key->label = daemon_catalogue_clean(label, DAEMON_CATALOGUE_LABEL_MAX);
  if (json_object_get(line, "addresses") || person)
    daemon_catalogue_name_key(
        reading->catalogue, name,
        json_object_get(line, "addresses") ? (const char *const *)addresses : NULL, person);
  size_t i;
  json_t *entry;
  json_array_foreach(json_object_get(line, "seen"), i,
                     entry) if (!read_seen(reading, key, entry, error)) return FALSE;
  return TRUE;
}

static gboolean
read_cert(const Reading *reading, const json_t *line, GError **error)
{
  g_autoptr(GBytes) decoded = NULL;
  gboolean kept, removed;
  if (!wire_json_get_base64(line, "certificate", FALSE, WIRE_CERTIFICATE_MAX, &decoded, error) ||
      !wire_json_get_bool(line, "kept", FALSE, &kept, error) ||
      !wire_json_get_bool(line, "removed", FALSE, &removed, error))
    return FALSE;
  gsize length;
  gconstpointer bytes = g_bytes_get_data(decoded, &length);
  g_autoptr(GBytes) der = g_bytes_new(bytes, length); /* without what wipes secrets */
  DaemonCert *cert = daemon_catalogue_add_cert(reading->catalogue, der, error);
  if (!cert)
    return FALSE;
  cert->kept = kept;
  cert->removed = removed;
  return TRUE;
}

static gboolean
read_default(const Reading *reading, const json_t *line, GError **error)
{
  const char *name;
  if (!wire_json_get_text(line, "default", FALSE, WIRE_NAME_MAX, &name, error))
    return FALSE;
  g_free(reading->catalogue->default_name);
  reading->catalogue->default_name = g_strdup(name);
  return TRUE;
}

static gboolean
read_header(const json_t *line, GError **error)
{
  gint64 version;
  if (g_strcmp0(json_string_value(json_object_get(line, "signet")), "catalogue") != 0)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "it is no catalogue of signet");
  return wire_json_get_int(line, "version", -1, FILE_VERSION, FILE_VERSION, &version, error);
}

static gboolean
read_record(Reading *reading, const json_t *line, GError **error)
{
  if (json_object_get(line, "device"))
    return read_device(reading, line, error);
  if (json_object_get(line, "key"))
    return read_key(reading, line, error);
  if (json_object_get(line, "certificate"))
    return read_cert(reading, line, error);
  if (json_object_get(line, "default"))
    return read_default(reading, line, error);
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "it is no record of the catalogue");
}

static gboolean
read_line(Reading *reading, const char *at, gsize length, gboolean header, GError **error)
{
  if (length > LINE_MAX_BYTES)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the line is too long");
  json_error_t problem;
  g_autoptr(WireJson) line = json_loadb(at, length, JSON_REJECT_DUPLICATES, &problem);
  if (!json_is_object(line))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the line is no JSON object");
  return header ? read_header(line, error) : read_record(reading, line, error);
}

/* Good lines count even beside bad ones: what was remembered is not lost to one bad byte.
 * Returns the number of the first bad line, 0 for none, with the reason in *error. */
static guint
read_lines(Reading *reading, const char *at, gsize length, GError **error)
{
  const char *end = at + length;
  guint bad = 0;
  for (guint number = 1; at < end; number++) {
    const char *newline = memchr(at, '\n', (gsize)(end - at));
    const char *stop = newline ? newline : end;
    if (!read_line(reading, at, (gsize)(stop - at), number == 1, bad ? NULL : error)) {
      bad = bad ? bad : number;
      if (number == 1)
        return bad;
    }
    at = stop + 1;
  }
  return bad;
}

static void
move_aside(const char *path, guint line, const char *reason)
{
  g_autofree char *aside = g_strconcat(path, ".bad", NULL);
  if (rename(path, aside) == 0)
    base_log("%s, line %u: %s; moved to %s, what was readable is kept", path, line, reason, aside);
  else
    base_log("%s, line %u: %s; it cannot be moved aside: %s", path, line, reason,
             g_strerror(errno));
}

void
daemon_catalogue_load(DaemonCatalogue *catalogue, const char *path)
{
  if (!g_file_test(path, G_FILE_TEST_EXISTS))
    return;
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = base_path_read(path, DAEMON_CATALOGUE_FILE_MAX, &error);
  if (!bytes) {
    base_log("the catalogue is not read: %s", error->message);
    return;
  }
  g_autoptr(GPtrArray) devices = g_ptr_array_new();
  Reading reading = { .catalogue = catalogue, .devices = devices };
  gsize length;
  const char *text = g_bytes_get_data(bytes, &length);
  guint bad = read_lines(&reading, text, length, &error);
  catalogue->unsaved = bad != 0;
  daemon_catalogue_touch(catalogue);
  if (length > TRIM_BYTES)
    malloc_trim(0);
  if (bad)
    move_aside(path, bad, error ? error->message : "malformed");
}
