/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon-fake-many.h"

#include "base/cert.h"
#include "wire/host.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define OBJECTS_PER_FRAME 40
#define PADDING 560 /* brings a certificate to 1 KB */
#define DAY (24 * 60 * 60)

static void
must(gboolean good)
{
  if (!good)
    abort();
}

static void
add_extension(X509 *cert, int nid, const char *value)
{
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
  must(extension && X509_add_ext(cert, extension, -1));
  X509_EXTENSION_free(extension);
}

static void
add_name(X509_NAME *name, const char *type, const char *text)
{
  must(X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8, (const guchar *)text, -1, -1, 0));
}

static X509 *
cert_new(EVP_PKEY *key, EVP_PKEY *issuer, guint number)
{
  X509 *cert = X509_new();
  g_autofree char *address = g_strdup_printf("person%04u@example.org", number);
  g_autofree char *person = g_strdup_printf("Person %u", number);
  g_autofree char *alternative = g_strdup_printf("email:%s", address);
  g_autofree char *padding = g_strnfill(PADDING, '.');
  must(cert && X509_set_version(cert, X509_VERSION_3) &&
       ASN1_INTEGER_set(X509_get_serialNumber(cert), 1000000 + (long)number) &&
       X509_gmtime_adj(X509_getm_notBefore(cert), -DAY) &&
       X509_gmtime_adj(X509_getm_notAfter(cert), 365L * DAY) && X509_set_pubkey(cert, key));
  add_name(X509_get_subject_name(cert), "O", "Example Organisation");
  add_name(X509_get_subject_name(cert), "CN", person);
  add_name(X509_get_issuer_name(cert), "O", "Example Organisation");
  add_name(X509_get_issuer_name(cert), "CN", "Example Certification Authority");
  add_extension(cert, NID_key_usage, "critical,digitalSignature,keyAgreement");
  add_extension(cert, NID_ext_key_usage, "emailProtection");
  add_extension(cert, NID_subject_alt_name, alternative);
  add_extension(cert, NID_netscape_comment, padding);
  must(X509_sign(cert, issuer, EVP_sha256()) > 0);
  return cert;
}

static void
pack_id(WirePacker *body, EVP_PKEY *key, EVP_PKEY *issuer, guint number)
{
  guint8 *spki = NULL;
  guint8 *der = NULL;
  char kind[] = "ec:p256";
  X509 *cert = cert_new(key, issuer, number);
  int spki_length = i2d_PUBKEY(key, &spki);
  int der_length = i2d_X509(cert, &der);
  must(spki_length > 0 && der_length > 0);
  g_autoptr(GBytes) id = g_bytes_new(&number, sizeof number);
  g_autoptr(GBytes) spki_bytes = g_bytes_new(spki, (gsize)spki_length);
  g_autoptr(GBytes) der_bytes = g_bytes_new(der, (gsize)der_length);
  g_autofree char *name = base_key_name(spki, (gsize)spki_length);
  g_autofree char *label = g_strdup_printf("k%04u", number);
  const WireObject key_object = { .kind = WIRE_OBJECT_KEY,
                                  .key = name,
                                  .label = label,
                                  .id = id,
                                  .bytes = spki_bytes,
                                  .flags = WIRE_KEY_SIGN | WIRE_KEY_DERIVE | WIRE_KEY_SENSITIVE,
                                  .key_kind = kind };
  const WireObject cert_object = {
    .kind = WIRE_OBJECT_CERTIFICATE, .key = name, .label = label, .id = id, .bytes = der_bytes
  };
  wire_object_pack(&key_object, body);
  wire_object_pack(&cert_object, body);
  OPENSSL_free(spki);
  OPENSSL_free(der);
  X509_free(cert);
}

GPtrArray *
fake_many_objects(guint ids)
{
  GPtrArray *frames = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  EVP_PKEY *issuer = EVP_EC_gen("P-256");
  for (guint at = 0; at < ids; at += OBJECTS_PER_FRAME / 2) {
    g_auto(WirePacker) body = { 0 };
    guint n = MIN(OBJECTS_PER_FRAME / 2, ids - at);
    wire_pack_u32(&body, 2 * n);
    for (guint i = 0; i < n; i++) {
      EVP_PKEY *key = EVP_EC_gen("P-256");
      must(key && issuer);
      pack_id(&body, key, issuer, at + i);
      EVP_PKEY_free(key);
    }
    g_ptr_array_add(frames, g_bytes_new(body.bytes, body.length));
  }
  EVP_PKEY_free(issuer);
  return frames;
}
