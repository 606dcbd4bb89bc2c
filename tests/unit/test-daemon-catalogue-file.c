/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-daemon-catalogue-lib.h"

#include <signet/error.h>

#include <glib/gstdio.h>
#include <malloc.h>
#include <string.h>
#include <unistd.h>

/* What is remembered over a restart, what hostile records do, and what a thousand IDs cost. */

#define ALICE "alice@example.org"

typedef struct {
  char *folder;
  char *path;
  char *bad;
} Place;

static void
place_start(Place *place, gconstpointer data)
{
  (void)data;
  place->folder = g_dir_make_tmp("signet-catalogue-XXXXXX", NULL);
  place->path = g_build_filename(place->folder, "catalogue.json", NULL);
  place->bad = g_strconcat(place->path, ".bad", NULL);
}

static void
place_end(Place *place, gconstpointer data)
{
  (void)data;
  g_unlink(place->path);
  g_unlink(place->bad);
  g_rmdir(place->folder);
  g_free(place->folder);
  g_free(place->path);
  g_free(place->bad);
}

static DaemonCatalogue *
reload(Place *place)
{
  DaemonCatalogue *catalogue = daemon_catalogue_new();
  daemon_catalogue_load(catalogue, place->path);
  return catalogue;
}

static void
save_example(Place *place, EVP_PKEY *unnamed)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  GPtrArray *objects = test_objects();
  test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE });
  test_add_key(objects, unnamed, "Private key", WIRE_KEY_SIGN);
  test_insert(catalogue, 1, "Card", "A1B2", objects);
  g_autofree char *name = test_key_name(unnamed);
  daemon_catalogue_name_key(catalogue, name, (const char *const[]){ "bob@example.org", NULL },
                            "Bob");
  g_assert_true(daemon_catalogue_set_default(catalogue, "bob@example.org", NULL));
  g_autoptr(GError) error = NULL;
  g_assert_true(daemon_catalogue_unsaved(catalogue));
  daemon_catalogue_save(catalogue, place->path, &error);
  g_assert_no_error(error);
  g_assert_false(daemon_catalogue_unsaved(catalogue));
}

static void
test_remembered(Place *place, gconstpointer data)
{
  (void)data;
  g_autoptr(EVP_PKEY) ec = test_ec();
  save_example(place, ec);
  GStatBuf status;
  g_assert_cmpint(g_stat(place->path, &status), ==, 0);
  g_assert_cmpint(status.st_mode & 0777, ==, 0600);

  g_autoptr(DaemonCatalogue) catalogue = reload(place);
  g_assert_false(daemon_catalogue_unsaved(catalogue));
  DaemonId *bob = daemon_catalogue_default_id(catalogue);
  g_assert_cmpstr(bob->id, ==, "bob@example.org");
  g_assert_cmpstr(bob->name, ==, "Bob");
  const DaemonKey *key = g_ptr_array_index(bob->keys, 0);
  g_assert_cmpstr(key->kind, ==, "ec:p256");
  g_assert_cmpstr(key->label, ==, "Private key");
  g_assert_cmpuint(key->flags, ==, WIRE_KEY_SIGN);
  g_autofree char *where = daemon_catalogue_last_seen(key);
  g_assert_cmpstr(where, ==, "\"Card\"");
  DaemonDevice *card = daemon_catalogue_find_device(catalogue, "Card", NULL);
  g_assert_cmpint(card->last_seen, >, 0);

  /* The card comes back: the same device, and its keys are here again before it is listed. */
  g_autoptr(GPtrArray) tokens = test_tokens();
  test_add_token(tokens, 3, "Card", "A1B2", WIRE_TOKEN_LOGIN_REQUIRED);
  daemon_catalogue_set_tokens(catalogue, 1, "acme", NULL, tokens);
  g_assert_cmpuint(daemon_catalogue_devices(catalogue)->len, ==, 1);
  DaemonChoice choice;
  g_assert_true(daemon_catalogue_choose(
      catalogue,
      &(DaemonWish){ .use = BASE_USE_SIGN, .id = ALICE, .address = NULL, .now = TEST_NOW }, &choice,
      NULL));
  g_assert_cmpuint(choice.location->view->token->slot, ==, 3);
}

static void
test_missing(Place *place, gconstpointer data)
{
  (void)data;
  g_autoptr(DaemonCatalogue) catalogue = reload(place);
  g_assert_false(daemon_catalogue_unsaved(catalogue));
  g_assert_cmpuint(daemon_catalogue_ids(catalogue)->len, ==, 0);
}

static void
test_malformed(Place *place, gconstpointer data)
{
  (void)data;
  const char *const texts[] = {
    "",
    "\n",
    "{",
    "[]\n",
    "not json\n",
    "{\"signet\":\"catalogue\",\"version\":2}\n",
    "{\"signet\":\"catalogue\",\"version\":1}\n{\"device\":7}\n",
    "{\"signet\":\"catalogue\",\"version\":1}\n{\"device\":0,\"label\":1}\n",
    "{\"signet\":\"catalogue\",\"version\":1}\n{\"key\":\"xyz\",\"kind\":\"\",\"label\":\"\"}\n",
    "{\"signet\":\"catalogue\",\"version\":1}\n{\"certificate\":\"MAA=\"}\n",
    "{\"signet\":\"catalogue\",\"version\":1}\n{\"certificate\":\"%%%\"}\n",
    "{\"signet\":\"catalogue\",\"version\":1}\n{\"default\":[]}\n",
    "{\"signet\":\"catalogue\",\"version\":1}\n\xff\xfe\n",
    "{\"signet\":\"catalogue\",\"version\":1}\n{\"something\":\"else\"}\n",
  };
  for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_assert_true(g_file_set_contents(place->path, texts[i], -1, NULL));
    g_autoptr(DaemonCatalogue) catalogue = reload(place);
    g_assert_cmpuint(daemon_catalogue_ids(catalogue)->len, ==, 0);
    if (!*texts[i])
      continue;
    g_assert_false(g_file_test(place->path, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_test(place->bad, G_FILE_TEST_EXISTS));
    g_unlink(place->bad);
  }
}

static void
test_damaged(Place *place, gconstpointer data)
{
  (void)data;
  g_autoptr(EVP_PKEY) ec = test_ec();
  save_example(place, ec);
  g_autofree char *whole = NULL;
  gsize length;
  g_assert_true(g_file_get_contents(place->path, &whole, &length, NULL));
  /* Cut off anywhere, or with any byte changed: never fatal, and a good half stays good. */
  for (gsize at = 0; at < length; at += 37) {
    g_autofree char *damaged = g_memdup2(whole, length);
    damaged[at] = (char)(damaged[at] ^ 0x55);
    g_assert_true(g_file_set_contents(place->path, damaged, (gssize)length, NULL));
    g_autoptr(DaemonCatalogue) changed = reload(place);
    g_assert_cmpuint(daemon_catalogue_ids(changed)->len, <=, 2);
    g_assert_true(g_file_set_contents(place->path, whole, (gssize)at, NULL));
    g_autoptr(DaemonCatalogue) cut = reload(place);
    g_assert_cmpuint(daemon_catalogue_ids(cut)->len, <=, 2);
  }
  g_autofree char *torn = g_strndup(whole, length - 20);
  g_assert_true(g_file_set_contents(place->path, torn, -1, NULL));
  g_autoptr(DaemonCatalogue) catalogue = reload(place);
  g_assert_cmpuint(daemon_catalogue_ids(catalogue)->len, ==, 2);
  g_assert_true(daemon_catalogue_unsaved(catalogue));
}

static void
test_unwritable(Place *place, gconstpointer data)
{
  (void)data;
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  test_insert(catalogue, 1, "Card", "A1B2", test_objects());
  g_autofree char *path = g_build_filename(place->path, "file", NULL);
  g_assert_true(g_file_set_contents(place->path, "", 0, NULL));
  g_autoptr(GError) error = NULL;
  g_assert_false(daemon_catalogue_save(catalogue, path, &error));
  g_assert_nonnull(error);
  g_assert_true(daemon_catalogue_unsaved(catalogue));
}

/* ---- hostile records ---- */

static void
add_raw(GPtrArray *objects, WireObjectKind kind, const char *key, const char *label,
        gconstpointer bytes, gsize length)
{
  WireObject *object = g_new0(WireObject, 1);
  object->kind = kind;
  object->key = g_strdup(key);
  object->label = g_strdup(label);
  object->id = g_bytes_new("same", 4);
  object->bytes = g_bytes_new(bytes, length);
  object->flags = 0xffffffff;
  object->key_kind = g_strdup("rsa:999999999999");
  g_ptr_array_add(objects, object);
}

static void
test_hostile(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  g_autoptr(GPtrArray) objects = test_objects();
  g_autofree char *huge = g_strnfill(100000, 'x');
  g_autofree char *name = g_strnfill(64, 'a');
  g_autofree char *big = g_malloc0(300 * 1024);
  for (int i = 0; i < 3; i++) {
    add_raw(objects, WIRE_OBJECT_KEY, name, huge, "", 0);
    add_raw(objects, WIRE_OBJECT_KEY, "", "nameless", "", 0);
    add_raw(objects, WIRE_OBJECT_KEY, "ZZ", "\x1b[2J\xe2\x80\xae", "garbage", 7);
    add_raw(objects, WIRE_OBJECT_CERTIFICATE, "", "", "garbage", 7);
    add_raw(objects, WIRE_OBJECT_CERTIFICATE, "", "", "", 0);
    add_raw(objects, WIRE_OBJECT_CERTIFICATE, "", huge, big, 300 * 1024);
    add_raw(objects, (WireObjectKind)77, "", "", "", 0);
  }
  test_add_id(objects, test_rsa(0), &(TestCert){ .addresses = ALICE });
  WireObject *good = g_ptr_array_index(objects, objects->len - 1);
  /* A certificate with one byte changed, and one with a byte too many. */
  gsize length;
  const guint8 *der = g_bytes_get_data(good->bytes, &length);
  g_autofree guint8 *changed = g_malloc(length + 1);
  memcpy(changed, der, length);
  changed[length] = 0;
  add_raw(objects, WIRE_OBJECT_CERTIFICATE, "", "", changed, length + 1);
  for (gsize i = 0; i < length; i += 3) {
    memcpy(changed, der, length);
    changed[i] ^= 0x81;
    add_raw(objects, WIRE_OBJECT_CERTIFICATE, "", "", changed, length);
  }
  test_insert(catalogue, 1, "\x1b]0;owned\x07", "A1B2", g_ptr_array_ref(objects));

  g_assert_nonnull(daemon_catalogue_find_address(catalogue, ALICE));
  DaemonKey *key = daemon_catalogue_key(catalogue, name);
  g_assert_cmpuint(strlen(key->label), <=, DAEMON_CATALOGUE_LABEL_MAX);
  g_assert_cmpstr(key->kind, ==, "other");
  g_assert_cmpuint(daemon_catalogue_copies(key), ==, 1);
  DaemonCatalogueCounts counts = daemon_catalogue_counts(catalogue);
  g_assert_cmpuint(counts.nameless_keys, ==, 6);
  g_assert_cmpuint(counts.bad_certificates, >=, 10);
  const DaemonDevice *device = g_ptr_array_index(daemon_catalogue_devices(catalogue), 0);
  g_assert_null(strpbrk(device->label, "\x1b\x07"));
  test_remove(catalogue, 1);
}

static void
test_too_many_tokens(void)
{
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  for (int i = 0; i < DAEMON_CATALOGUE_DEVICES_MAX + 50; i++) {
    g_autofree char *serial = g_strdup_printf("S%06d", i);
    test_insert(catalogue, 1, "Card", serial, test_objects());
    test_remove(catalogue, 1);
  }
  g_assert_cmpuint(daemon_catalogue_devices(catalogue)->len, <=, DAEMON_CATALOGUE_DEVICES_MAX);
}

/* ---- a thousand IDs ---- */

static gsize
resident(void)
{
  g_autofree char *text = NULL;
  g_file_get_contents("/proc/self/statm", &text, NULL, NULL);
  const char *second = text ? strchr(text, ' ') : NULL;
  return second ? g_ascii_strtoull(second, NULL, 10) * (gsize)sysconf(_SC_PAGESIZE) : 0;
}

static gsize
allocated(void)
{
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

static GPtrArray *
thousand_ids(GPtrArray *fingerprints)
{
  g_autoptr(EVP_PKEY) ca_key = test_ec();
  g_autoptr(X509) ca = test_x509(
      ca_key, &(TestCert){ .subject = "Example mail CA with quite a long name", .ca = TRUE });
  GPtrArray *objects = test_objects();
  for (int i = 0; i < 1000; i++) {
    g_autoptr(EVP_PKEY) key = test_ec();
    g_autofree char *addresses =
        g_strdup_printf("person%d@example.org,person.number.%d@department.example.org", i, i);
    /* As large as a usual S/MIME certificate. */
    g_autofree char *subject = g_strdup_printf("Person Number %d", i);
    GBytes *der = test_add_id(
        objects, key,
        &(TestCert){
            .addresses = addresses, .subject = subject, .issuer = ca, .issuer_key = ca_key });
    g_ptr_array_add(fingerprints, test_fingerprint(der));
  }
  return objects;
}

static double
milliseconds_since(gint64 start)
{
  return (double)(g_get_monotonic_time() - start) / 1000;
}

static void
test_thousand(Place *place, gconstpointer data)
{
  (void)data;
  g_autoptr(GPtrArray) fingerprints = g_ptr_array_new_with_free_func(g_free);
  GPtrArray *objects = thousand_ids(fingerprints);
  g_autoptr(DaemonCatalogue) catalogue = daemon_catalogue_new();
  malloc_trim(0);
  gsize heap = allocated(), pages = resident();
  gint64 start = g_get_monotonic_time();
  test_insert(catalogue, 1, "HSM", "A1B2", objects);
  double taken_in = milliseconds_since(start);
  start = g_get_monotonic_time();
  g_assert_cmpuint(daemon_catalogue_ids(catalogue)->len, ==, 1000);
  double grouped = milliseconds_since(start);
  /* The records are freed by now, so this is what the catalogue itself holds, its DER included. */
  g_test_message(
      "1,000 IDs: taken in %.1f ms, grouped %.2f ms, heap grew by %zd KiB, resident by %zd KiB",
      taken_in, grouped, ((gssize)allocated() - (gssize)heap) / 1024,
      ((gssize)resident() - (gssize)pages) / 1024);

  start = g_get_monotonic_time();
  for (guint i = 0; i < 1000; i++) {
    g_autofree char *address = g_strdup_printf("person%u@example.org", i);
    DaemonChoice choice;
    g_assert_true(daemon_catalogue_choose(
        catalogue,
        &(DaemonWish){ .use = BASE_USE_SIGN, .id = NULL, .address = address, .now = TEST_NOW },
        &choice, NULL));
    g_assert_cmpstr(choice.cert->fingerprint, ==, g_ptr_array_index(fingerprints, i));
  }
  g_test_message("choose: %.2f us each", milliseconds_since(start));

  start = g_get_monotonic_time();
  g_assert_true(daemon_catalogue_save(catalogue, place->path, NULL));
  double saved = milliseconds_since(start);
  start = g_get_monotonic_time();
  g_autoptr(DaemonCatalogue) again = reload(place);
  g_assert_cmpuint(daemon_catalogue_ids(again)->len, ==, 1000);
  g_test_message("saved in %.1f ms, read again in %.1f ms", saved, milliseconds_since(start));
}

#define ADD(path, function) \
  g_test_add("/daemon/catalogue-file/" path, Place, NULL, place_start, function, place_end)

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  ADD("saved-remembered", test_remembered);
  ADD("missing-empty", test_missing);
  ADD("malformed-moved-aside", test_malformed);
  ADD("damaged-rest-kept", test_damaged);
  ADD("unwritable-error", test_unwritable);
  g_test_add_func("/daemon/catalogue-file/hostile-records-counted", test_hostile);
  g_test_add_func("/daemon/catalogue-file/too-many-tokens-bounded", test_too_many_tokens);
  ADD("thousand-ids-small-and-fast", test_thousand);
  return g_test_run();
}
