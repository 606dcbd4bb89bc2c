/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/log.h"
#include "daemon/catalogue-internal.h"
#include "wire/json.h"
#include "wire/limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The file that remembers (read here, written by catalogue-save.c): one JSON object a line, so
 * that neither reading nor writing holds all of it.
 *
 *   {"signet":"catalogue","version":1}
 *   {"device":0,"label":…,"serial":…,…,"last_seen":…}
 *   {"key":"64 hex","kind":…,"label":…,"addresses":[…],"name":…,"seen":[[device, flags, gone]…]}
 *   {"certificate":"base64","kept":false,"removed":false}
 *   {"default":"alice@example.org","prefers":"64 hex"}
 */

#define FILE_VERSION 1
#define LINE_MAX_BYTES (2 * WIRE_CERTIFICATE_MAX)

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
         wire_json_get_bool(line, "lost", FALSE, &device->lost, error) &&
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
  daemon_list_add(&key->seen, seen);
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
  const char *key;
  if (!wire_json_get_text(line, "default", FALSE, WIRE_NAME_MAX, &name, error) ||
      !wire_json_get_text(line, "prefers", TRUE, WIRE_NAME_MAX, &key, error))
    return FALSE;
  g_free(reading->catalogue->default_name);
  g_free(reading->catalogue->default_key);
  reading->catalogue->default_name = g_strdup(name);
  reading->catalogue->default_key = g_strdup(key);
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
read_lines(Reading *reading, FILE *file, GError **error)
{
  char *line = NULL;
  size_t size = 0;
  guint bad = 0;
  ssize_t length;
  for (guint number = 1; bad != 1 && (length = getline(&line, &size, file)) > 0; number++) {
    gsize text = (gsize)length - (line[length - 1] == '\n');
    if (!read_line(reading, line, text, number == 1, bad ? NULL : error))
      bad = bad ? bad : number;
  }
  free(line);
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

static FILE *
open_file(const char *path)
{
  struct stat info;
  FILE *file = fopen(path, "re");
  if (!file) {
    if (errno != ENOENT)
      base_log("the catalogue %s is not read: %s", path, g_strerror(errno));
    return NULL;
  }
  if (fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode) &&
      info.st_size <= DAEMON_CATALOGUE_FILE_MAX)
    return file;
  base_log("the catalogue %s is not read: it is no file of at most %d bytes", path,
           DAEMON_CATALOGUE_FILE_MAX);
  fclose(file);
  return NULL;
}

void
daemon_catalogue_load(DaemonCatalogue *catalogue, const char *path)
{
  FILE *file = open_file(path);
  if (!file)
    return;
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) devices = g_ptr_array_new();
  Reading reading = { .catalogue = catalogue, .devices = devices };
  guint bad = read_lines(&reading, file, &error);
  fclose(file);
  catalogue->unsaved = bad != 0;
  daemon_catalogue_touch(catalogue);
  if (bad)
    move_aside(path, bad, error ? error->message : "malformed");
}
