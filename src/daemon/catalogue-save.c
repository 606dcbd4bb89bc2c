/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/path.h"
#include "daemon/catalogue-internal.h"
#include "wire/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Writes the file that remembers; catalogue-file.c says what is in it. */

static void
append_line(FILE *file, json_t *line)
{
  json_dumpf(line, file, JSON_COMPACT);
  json_decref(line);
  putc('\n', file);
}

static void
append_device(FILE *file, const DaemonDevice *device, guint index)
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
  if (device->lost)
    json_object_set_new(line, "lost", json_true());
  json_object_set_new(line, "last_seen",
                      json_integer(device->views->len ? now : device->last_seen));
  append_line(file, line);
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
append_key(FILE *file, const DaemonKey *key, GHashTable *numbers)
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
  append_line(file, line);
}

static void
append_cert(FILE *file, const DaemonCert *cert)
{
  gsize length;
  gconstpointer der = g_bytes_get_data(cert->der, &length);
  json_t *line = json_object();
  wire_json_set_base64(line, "certificate", der, length);
  json_object_set_new(line, "kept", json_boolean(cert->kept));
  json_object_set_new(line, "removed", json_boolean(cert->removed));
  append_line(file, line);
}

static void
append_keys_and_certs(DaemonCatalogue *catalogue, FILE *file, GHashTable *numbers)
{
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, catalogue->keys);
  while (g_hash_table_iter_next(&iter, NULL, &value))
    if (is_worth_keeping(value))
      append_key(file, value, numbers);
  g_hash_table_iter_init(&iter, catalogue->certs);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    const DaemonCert *cert = value;
    if (cert->kept || is_worth_keeping(g_hash_table_lookup(catalogue->keys, cert->key)))
      append_cert(file, cert);
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

static void
write_records(DaemonCatalogue *catalogue, FILE *file)
{
  g_autoptr(GHashTable) numbers = g_hash_table_new(NULL, NULL);
  fputs("{\"signet\":\"catalogue\",\"version\":1}\n", file);
  for (guint i = 0, n = 0; i < catalogue->devices->len; i++) {
    DaemonDevice *device = g_ptr_array_index(catalogue->devices, i);
    if (!device->remembered)
      continue;
    g_hash_table_insert(numbers, device, GUINT_TO_POINTER(n));
    append_device(file, device, n++);
  }
  append_keys_and_certs(catalogue, file, numbers);
  if (catalogue->default_name) {
    json_t *line = json_object();
    wire_json_set_text(line, "default", catalogue->default_name);
    if (catalogue->default_key)
      wire_json_set_text(line, "prefers", catalogue->default_key);
    append_line(file, line);
  }
}

/* Record by record, where base_path_write() would want all of it in memory. */
static gboolean
write_file(DaemonCatalogue *catalogue, int fd)
{
  FILE *file = fdopen(fd, "w");
  if (!file) {
    close(fd);
    return FALSE;
  }
  write_records(catalogue, file);
  gboolean written = fflush(file) == 0 && !ferror(file) && fsync(fd) == 0;
  int saved = errno;
  written = fclose(file) == 0 && written;
  errno = saved;
  return written;
}

/* The rename itself is only durable once its folder is on disk. */
static void
sync_folder(const char *path)
{
  g_autofree char *folder = g_path_get_dirname(path);
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return;
  fsync(fd);
  close(fd);
}

gboolean
daemon_catalogue_save(DaemonCatalogue *catalogue, const char *path, GError **error)
{
  daemon_catalogue_settle(catalogue);
  if (!make_parent(path, error))
    return FALSE;
  g_autofree char *temporary = g_strdup_printf("%s.XXXXXX", path);
  int fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0)
    return base_error_set_errno(error, errno, "cannot write %s", path);
  if (!write_file(catalogue, fd) || rename(temporary, path) != 0) {
    int saved = errno;
    unlink(temporary);
    return base_error_set_errno(error, saved, "cannot write %s", path);
  }
  sync_folder(path);
  catalogue->unsaved = FALSE;
  return TRUE;
}
