/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-daemon-catalogue-lib.h"

#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

#define RSA_KEYS 6

EVP_PKEY *
test_rsa(int number)
{
  static EVP_PKEY *keys[RSA_KEYS];
  g_assert_cmpint(number, <, RSA_KEYS);
  if (!keys[number])
    keys[number] = EVP_RSA_gen(2048);
  g_assert_nonnull(keys[number]);
  return keys[number];
}

EVP_PKEY *
test_ec(void)
{
  EVP_PKEY *key = EVP_EC_gen("P-256");
  g_assert_nonnull(key);
  return key;
}

EVP_PKEY *
test_ed25519(void)
{
  EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
  g_assert_nonnull(key);
  return key;
}

static void
add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
  g_assert_nonnull(extension);
  X509_add_ext(x509, extension, -1);
  X509_EXTENSION_free(extension);
}

static void
add_extensions(X509 *x509, X509 *issuer, const TestCert *wanted)
{
  add_extension(x509, issuer, NID_subject_key_identifier, "hash");
  if (wanted->ca)
    add_extension(x509, issuer, NID_basic_constraints, "critical,CA:TRUE");
  if (wanted->key_usage)
    add_extension(x509, issuer, NID_key_usage, wanted->key_usage);
  const char *extended = wanted->extended_usage;
  if (!extended && !wanted->ca)
    extended = "emailProtection";
  if (extended && *extended)
    add_extension(x509, issuer, NID_ext_key_usage, extended);
  if (!wanted->addresses)
    return;
  g_auto(GStrv) addresses = g_strsplit(wanted->addresses, ",", -1);
  GString *names = g_string_new(NULL);
  for (char **address = addresses; *address; address++)
    g_string_append_printf(names, "%semail:%s", names->len ? "," : "", *address);
  add_extension(x509, issuer, NID_subject_alt_name, names->str);
  g_string_free(names, TRUE);
}

X509 *
test_x509(EVP_PKEY *key, const TestCert *wanted)
{
  static long serials = 1000;
  gboolean usual = !wanted->from && !wanted->until;
  X509 *x509 = X509_new();
  X509 *issuer = wanted->issuer ? wanted->issuer : x509;
  const char *subject = wanted->subject ? wanted->subject : "Alice";
  X509_set_version(x509, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), wanted->serial ? wanted->serial : ++serials);
  ASN1_TIME_set(X509_getm_notBefore(x509), TEST_NOW + (usual ? -10 : wanted->from) * TEST_DAY);
  ASN1_TIME_set(X509_getm_notAfter(x509), TEST_NOW + (usual ? 365 : wanted->until) * TEST_DAY);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8,
                             (const guchar *)subject, -1, -1, 0);
  X509_set_issuer_name(x509, X509_get_subject_name(issuer));
  X509_set_pubkey(x509, key);
  add_extensions(x509, issuer, wanted);
  EVP_PKEY *signer = wanted->issuer_key ? wanted->issuer_key : key;
  g_assert_cmpint(X509_sign(x509, signer, EVP_PKEY_is_a(signer, "ED25519") ? NULL : EVP_sha256()),
                  >, 0);
  return x509;
}

GBytes *
test_der(X509 *x509)
{
  guint8 *der = NULL;
  int length = i2d_X509(x509, &der);
  g_assert_cmpint(length, >, 0);
  GBytes *bytes = g_bytes_new(der, (gsize)length);
  OPENSSL_free(der);
  return bytes;
}

char *
test_key_name(EVP_PKEY *key)
{
  return base_key_name_of(key);
}

char *
test_fingerprint(GBytes *der)
{
  return g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, der);
}

static void
token_free(gpointer token)
{
  wire_token_free(token);
}

GPtrArray *
test_tokens(void)
{
  return g_ptr_array_new_with_free_func(token_free);
}

WireToken *
test_add_token(GPtrArray *tokens, guint32 slot, const char *label, const char *serial,
               guint32 flags)
{
  WireToken *token = g_new0(WireToken, 1);
  token->slot = slot;
  token->generation = 1;
  token->flags = flags | WIRE_TOKEN_INITIALIZED;
  token->label = g_strdup(label);
  token->manufacturer = g_strdup("ACME");
  token->model = g_strdup("Card 3");
  token->serial = g_strdup(serial);
  token->firmware = g_strdup("1.0");
  token->hardware = g_strdup("1.0");
  token->slot_description = g_strdup("Reader 0");
  token->uri = g_strdup("");
  g_ptr_array_add(tokens, token);
  return token;
}

static void
object_free(gpointer object)
{
  wire_object_free(object);
}

GPtrArray *
test_objects(void)
{
  return g_ptr_array_new_with_free_func(object_free);
}

void
test_add_key(GPtrArray *objects, EVP_PKEY *key, const char *label, guint32 flags)
{
  guint8 *spki = NULL;
  int length = i2d_PUBKEY(key, &spki);
  WireObject *object = g_new0(WireObject, 1);
  object->kind = WIRE_OBJECT_KEY;
  object->key = test_key_name(key);
  object->label = g_strdup(label);
  object->id = g_bytes_new(object->key, 8);
  object->bytes = g_bytes_new(spki, (gsize)length);
  object->flags = flags;
  object->key_kind = g_strdup(EVP_PKEY_is_a(key, "RSA")       ? "rsa:2048"
                              : EVP_PKEY_is_a(key, "ED25519") ? "ed25519"
                                                              : "ec:p256");
  OPENSSL_free(spki);
  g_ptr_array_add(objects, object);
}

void
test_add_cert(GPtrArray *objects, GBytes *der, const char *label)
{
  WireObject *object = g_new0(WireObject, 1);
  object->kind = WIRE_OBJECT_CERTIFICATE;
  object->key = g_strdup("");
  object->label = g_strdup(label);
  object->id = g_bytes_new("id", 2);
  object->bytes = g_bytes_ref(der);
  object->key_kind = g_strdup("");
  g_ptr_array_add(objects, object);
}

GBytes *
test_add_id(GPtrArray *objects, EVP_PKEY *key, const TestCert *wanted)
{
  X509 *x509 = test_x509(key, wanted);
  g_autoptr(GBytes) der = test_der(x509);
  X509_free(x509);
  guint32 flags = EVP_PKEY_is_a(key, "ED25519") ? WIRE_KEY_SIGN : TEST_BOTH;
  test_add_key(objects, key, "key", flags);
  test_add_cert(objects, der, "certificate");
  return der;
}

void
test_insert(DaemonCatalogue *catalogue, guint host, const char *label, const char *serial,
            GPtrArray *objects)
{
  g_autoptr(GPtrArray) tokens = test_tokens();
  test_add_token(tokens, 0, label, serial, WIRE_TOKEN_LOGIN_REQUIRED | WIRE_TOKEN_LOGGED_IN);
  daemon_catalogue_set_tokens(catalogue, host, "acme", NULL, tokens);
  daemon_catalogue_set_objects(catalogue, host, 0, 1, objects, TRUE);
  g_ptr_array_unref(objects);
}

void
test_remove(DaemonCatalogue *catalogue, guint host)
{
  g_autoptr(GPtrArray) none = test_tokens();
  daemon_catalogue_set_tokens(catalogue, host, "acme", NULL, none);
}
