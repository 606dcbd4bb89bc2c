/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the catalogue's files share. Facts (devices, views, keys, certificates) are changed
 * at once; everything derived from them (locations, IDs, indexes) is made anew by
 * daemon_catalogue_settle() when the next question comes and something changed. */

#include "daemon/catalogue.h"

/* A Name as certificates share it: issuers repeat a thousand times. */
typedef struct {
  GBytes *der;
  char *text;
  guint users;
} CatalogueName;

typedef struct {
  DaemonKey *key;
  guint32 flags;
  char *label;
  GBytes *id;
} CatalogueKeyPlace;

/* A label or id that is that of the key on the same view is NULL: a thousand copies less. */
typedef struct {
  DaemonCert *cert;
  char *label;
  GBytes *id;
} CatalogueCertPlace;

struct DaemonCatalogue {
  GPtrArray *devices;
  GPtrArray *views;
  GHashTable *keys;  /* name -> DaemonKey */
  GHashTable *certs; /* fingerprint -> DaemonCert */
  GHashTable *names; /* DER -> CatalogueName */
  gsize der_bytes;
  char *default_name; /* (nullable) an address or a key's name */
  char *default_key;  /* (nullable) the key that goes before newer ones of its ID */
  GQueue events;
  gboolean stale;
  gboolean unsaved;
  guint takings;   /* under way: what they hold is in no view yet, and stays */
  gboolean spared; /* for them, though it was of no use to anybody else */
  guint bad_certificates;
  guint nameless_keys;

  GPtrArray *ids;   /* derived, as the rest */
  GPtrArray *texts; /* of IDs, where they are no certificate's and no key's */
  GHashTable *by_address;
  GHashTable *by_issuer_serial;
  GHashTable *by_key_id;
};

/* Something that IDs are made of changed. */
void daemon_catalogue_touch(DaemonCatalogue *catalogue);
/* Makes IDs and indexes anew if needed. */
void daemon_catalogue_settle(DaemonCatalogue *catalogue);

/* catalogue-cert.c */
DaemonCert *daemon_catalogue_add_cert(DaemonCatalogue *catalogue, GBytes *der, GError **error);
void daemon_catalogue_drop_cert(DaemonCatalogue *catalogue, DaemonCert *cert); /* frees it */
void daemon_catalogue_index_certs(DaemonCatalogue *catalogue);
void daemon_catalogue_name_free(gpointer name);
gint daemon_catalogue_compare_certs(gconstpointer a, gconstpointer b); /* GPtrArray: newest first */

/* catalogue.c */
DaemonKey *daemon_catalogue_add_key(DaemonCatalogue *catalogue, const char *name, const char *kind);
void daemon_catalogue_key_free(gpointer key);
DaemonLocation *daemon_catalogue_location_on(const DaemonKey *key, const DaemonDevice *device);
DaemonSeen *daemon_catalogue_seen_on(const DaemonKey *key, const DaemonDevice *device);
gboolean daemon_catalogue_is_key_name(const char *text);
guint32 daemon_catalogue_decrypt_flag(
    const char *kind); /* what opening mail takes, 0: impossible */

/* catalogue-device.c */
DaemonDevice *daemon_catalogue_add_device(DaemonCatalogue *catalogue);
void daemon_catalogue_device_free(gpointer device);
void daemon_catalogue_drop_device(DaemonCatalogue *catalogue, DaemonDevice *device);

/* catalogue-view.c */
void daemon_catalogue_view_free(gpointer view);
/* A token whose serial says nothing is recognised, now that its objects are known. */
void daemon_catalogue_recognise(DaemonCatalogue *catalogue, DaemonView *view);

/* catalogue-object.c */
void daemon_catalogue_key_place_free(gpointer place);
void daemon_catalogue_cert_place_free(gpointer place);

/* catalogue-locate.c */
void daemon_catalogue_locate_all(DaemonCatalogue *catalogue);

/* catalogue-group.c */
void daemon_catalogue_group(DaemonCatalogue *catalogue);
void daemon_catalogue_id_free(gpointer id);

/* catalogue-uri.c */
typedef struct CatalogueUri CatalogueUri;
gboolean daemon_catalogue_is_uri(const char *text);
CatalogueUri *daemon_catalogue_uri_new(const char *text, GError **error);
void daemon_catalogue_uri_free(CatalogueUri *uri);
gboolean daemon_catalogue_uri_fits_device(CatalogueUri *uri, const DaemonDevice *device);
gboolean daemon_catalogue_uri_fits_token(CatalogueUri *uri, const WireToken *token);
gboolean daemon_catalogue_uri_fits_object(CatalogueUri *uri, const char *label, GBytes *id);
/* TRUE when it names an object and not only a token. */
gboolean daemon_catalogue_uri_has_object(CatalogueUri *uri);

/* catalogue-person.c */
/* By their names: one says no more than the other, or nothing. */
gboolean daemon_catalogue_same_person(const DaemonCert *left, const DaemonCert *right);

/* catalogue-text.c */
/* A copy without control characters, at most `max` bytes; "" for NULL. */
char *daemon_catalogue_clean(const char *text, gsize max);
char *daemon_catalogue_day(gint64 seconds); /* "2026-01-02" */
void daemon_catalogue_set_candidates(GError **error,
                                     GPtrArray *lines); /* (element-type char), bounded */
char *daemon_catalogue_join(const GPtrArray *words);    /* "a", "a and b", "a, b and c" */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CatalogueUri, daemon_catalogue_uri_free)
