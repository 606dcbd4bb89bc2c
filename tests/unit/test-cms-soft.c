/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-cms-soft.h"

#include "base/error.h"

#include <glib/gstdio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

/* ---- keys and certificates ---- */

static EVP_PKEY *
generate(const char *kind)
{
  if (g_str_has_prefix(kind, "rsa:"))
    return EVP_RSA_gen((unsigned int)atoi(kind + 4));
  if (strcmp(kind, "ed25519") == 0)
    return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
  return EVP_EC_gen(strcmp(kind, "ec:p256") == 0   ? "P-256"
                    : strcmp(kind, "ec:p384") == 0 ? "P-384"
                                                   : "P-521");
}

static void
add_extension(X509 *x509, X509V3_CTX *context, int nid, const char *value)
{
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, value);
  g_assert_nonnull(extension);
  g_assert_cmpint(X509_add_ext(x509, extension, -1), ==, 1);
  X509_EXTENSION_free(extension);
}

static void
add_extensions(X509 *x509, const SoftWish *wish)
{
  X509V3_CTX context;
  X509V3_set_ctx(&context, wish->issuer ? wish->issuer->x509 : x509, x509, NULL, NULL, 0);
  if (wish->ca)
    add_extension(x509, &context, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(x509, &context, NID_key_usage,
                wish->ca ? "critical,keyCertSign,cRLSign"
                         : "critical,digitalSignature,keyEncipherment,keyAgreement");
  if (!wish->ca)
    add_extension(x509, &context, NID_ext_key_usage, "emailProtection");
  add_extension(x509, &context, NID_subject_key_identifier, "hash");
  if (wish->address) {
    g_autofree char *value = g_strdup_printf("email:%s", wish->address);
    add_extension(x509, &context, NID_subject_alt_name, value);
  }
}

static X509 *
certify(EVP_PKEY *pkey, const SoftWish *wish)
{
  static long serial = 0x1000;
  X509 *x509 = X509_new();
  EVP_PKEY *issuer = wish->issuer ? wish->issuer->pkey : pkey;
  /* Issuers are found by name, so each has its own. */
  g_autofree char *name =
      wish->ca ? g_strdup_printf("CA %ld", serial) : g_strdup_printf("Person %s", wish->kind);
  X509_set_version(x509, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(x509), (long)wish->not_before * 86400);
  X509_gmtime_adj(X509_getm_notAfter(x509), (long)wish->not_after * 86400);
  X509_set_pubkey(x509, pkey);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8, (const guint8 *)name,
                             -1, -1, 0);
  X509_set_issuer_name(x509, wish->issuer ? X509_get_subject_name(wish->issuer->x509)
                                          : X509_get_subject_name(x509));
  add_extensions(x509, wish);
  g_assert_cmpint(X509_sign(x509, issuer, EVP_PKEY_is_a(issuer, "ED25519") ? NULL : EVP_sha256()),
                  >, 0);
  return x509;
}

SoftKey *
soft_key_load(EVP_PKEY *pkey, X509 *x509)
{
  g_autoptr(GError) error = NULL;
  SoftKey *key = g_new0(SoftKey, 1);
  key->pkey = pkey;
  key->x509 = x509;
  key->cert = base_cert_new_from_x509(x509, &error);
  g_assert_no_error(error);
  return key;
}

SoftKey *
soft_key_new(const SoftWish *wish)
{
  EVP_PKEY *pkey = generate(wish->kind);
  g_assert_nonnull(pkey);
  return soft_key_load(pkey, certify(pkey, wish));
}

SoftKey *
soft_key_simple(const char *kind)
{
  SoftWish wish = { kind, "alice@example.org", NULL, FALSE, -1, 30 };
  return soft_key_new(&wish);
}

void
soft_key_free(SoftKey *key)
{
  if (!key)
    return;
  EVP_PKEY_free(key->pkey);
  X509_free(key->x509);
  base_cert_free(key->cert);
  g_free(key);
}

/* ---- the token ---- */

static const SoftKey *
find_key(const SoftToken *token, const char *name)
{
  for (guint i = 0; i < token->keys->len; i++) {
    const SoftKey *key = g_ptr_array_index(token->keys, i);
    if (strcmp(key->cert->key, name) == 0)
      return key;
  }
  g_assert_not_reached();
}

static const EVP_MD *
md_of(const char *name)
{
  return EVP_get_digestbyname(name);
}

static gboolean
start(SoftToken *token, GError **error)
{
  token->operations++;
  if (token->fail_with < 0)
    return TRUE;
  return base_error_set(error, (SignetError)token->fail_with, "the token says no");
}

static GBytes *
soft_sign(gpointer data, const char *name, const SignetOperation *operation, GError **error)
{
  SoftToken *token = data;
  const SoftKey *key = find_key(token, name);
  guint8 out[1024];
  gsize length = sizeof out;
  if (!start(token, error))
    return NULL;
  if (operation->mechanism == SIGNET_EDDSA) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    g_assert_cmpint(EVP_DigestSignInit(context, NULL, NULL, NULL, key->pkey), ==, 1);
    g_assert_cmpint(EVP_DigestSign(context, out, &length, operation->data, operation->data_length),
                    ==, 1);
    EVP_MD_CTX_free(context);
    return g_bytes_new(out, length);
  }
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key->pkey, NULL);
  g_assert_cmpint(EVP_PKEY_sign_init(context), ==, 1);
  if (operation->mechanism == SIGNET_RSA_PSS)
    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING);
  g_assert_cmpint(EVP_PKEY_CTX_set_signature_md(context, md_of(operation->hash)), ==, 1);
  if (operation->mechanism == SIGNET_RSA_PSS) {
    EVP_PKEY_CTX_set_rsa_mgf1_md(context, md_of(operation->mgf_hash));
    EVP_PKEY_CTX_set_rsa_pss_saltlen(context, operation->salt_length);
  }
  g_assert_cmpint(EVP_PKEY_sign(context, out, &length, operation->data, operation->data_length), ==,
                  1);
  EVP_PKEY_CTX_free(context);
  return g_bytes_new(out, length);
}

static GBytes *
soft_decrypt(gpointer data, const char *name, const SignetOperation *operation, GError **error)
{
  SoftToken *token = data;
  const SoftKey *key = find_key(token, name);
  guint8 out[2048];
  gsize length = sizeof out;
  if (!start(token, error))
    return NULL;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key->pkey, NULL);
  gboolean oaep = operation->mechanism == SIGNET_RSA_OAEP;
  g_assert_cmpint(EVP_PKEY_decrypt_init(context), ==, 1);
  EVP_PKEY_CTX_set_rsa_padding(context, oaep ? RSA_PKCS1_OAEP_PADDING : RSA_PKCS1_PADDING);
  if (oaep) {
    EVP_PKEY_CTX_set_rsa_oaep_md(context, md_of(operation->hash));
    EVP_PKEY_CTX_set_rsa_mgf1_md(context, md_of(operation->mgf_hash));
    if (operation->label_length) {
      guint8 *label = OPENSSL_memdup(operation->label, operation->label_length);
      EVP_PKEY_CTX_set0_rsa_oaep_label(context, label, (int)operation->label_length);
    }
  }
  gboolean good =
      EVP_PKEY_decrypt(context, out, &length, operation->data, operation->data_length) == 1;
  EVP_PKEY_CTX_free(context);
  ERR_clear_error();
  if (oaep && !good) {
    base_error_set(error, SIGNET_ERROR_CANNOT_DECRYPT, "the token cannot open this");
    return NULL;
  }
  if (!oaep && (!good || length != operation->wanted)) { /* as the daemon does */
    length = operation->wanted;
    RAND_bytes(out, (int)length);
  }
  out[0] ^= token->spoil;
  return g_bytes_new(out, length);
}

static GBytes *
soft_derive(gpointer data, const char *name, const SignetOperation *operation, GError **error)
{
  SoftToken *token = data;
  const SoftKey *key = find_key(token, name);
  char group[64] = "";
  guint8 out[128];
  gsize length = sizeof out;
  EVP_PKEY *peer = NULL;
  if (!start(token, error))
    return NULL;
  EVP_PKEY_get_group_name(key->pkey, group, sizeof group, NULL);
  OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
  OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
  OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, operation->data,
                                   operation->data_length);
  OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
  EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
  EVP_PKEY_fromdata_init(maker);
  g_assert_cmpint(EVP_PKEY_fromdata(maker, &peer, EVP_PKEY_PUBLIC_KEY, params), ==, 1);
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key->pkey, NULL);
  EVP_PKEY_derive_init(context);
  g_assert_cmpint(EVP_PKEY_derive_set_peer(context, peer), ==, 1);
  g_assert_cmpint(EVP_PKEY_derive(context, out, &length), ==, 1);
  EVP_PKEY_CTX_free(context);
  EVP_PKEY_CTX_free(maker);
  OSSL_PARAM_free(params);
  OSSL_PARAM_BLD_free(build);
  EVP_PKEY_free(peer);
  return g_bytes_new(out, length);
}

static gboolean
is_recipient(const BaseCert *cert, const SignetRecipient *recipient)
{
  if (recipient->key_id)
    return cert->subject_key_id && strcmp(cert->subject_key_id, recipient->key_id) == 0;
  return g_bytes_equal(cert->issuer_der, recipient->issuer) &&
         strcmp(cert->serial, recipient->serial) == 0;
}

static GPtrArray *
soft_find(gpointer data, const SignetRecipient *recipients, gsize n, GError **error)
{
  SoftToken *token = data;
  GPtrArray *matches = g_ptr_array_new_with_free_func((GDestroyNotify)signet_match_free);
  (void)error;
  for (guint i = 0; i < n; i++)
    for (guint k = 0; k < token->keys->len; k++) {
      const SoftKey *key = g_ptr_array_index(token->keys, k);
      if (!is_recipient(key->cert, &recipients[i]))
        continue;
      SignetMatch *match = g_new0(SignetMatch, 1);
      match->index = i;
      match->key = g_strdup(key->cert->key);
      match->kind = base_key_kind_text(key->cert->kind, key->cert->bits);
      match->fingerprint = g_strdup(key->cert->fingerprint);
      match->id = g_strdup(key->cert->addresses[0]);
      match->token = g_strdup("soft");
      match->present = !token->away;
      match->problem = g_strdup(token->problem);
      g_ptr_array_add(matches, match);
    }
  return matches;
}

SoftToken *
soft_token_new(void)
{
  SoftToken *token = g_new0(SoftToken, 1);
  token->keys = g_ptr_array_new();
  token->fail_with = -1;
  token->vtable = (CmsKeys){ token, soft_sign, soft_decrypt, soft_derive, soft_find };
  return token;
}

void
soft_token_free(SoftToken *token)
{
  g_ptr_array_unref(token->keys);
  g_free(token);
}

/* ---- files and programs ---- */

static char *folder;

const char *
soft_folder(void)
{
  if (!folder)
    folder = g_dir_make_tmp("signet-test-XXXXXX", NULL);
  return folder;
}

void
soft_folder_remove(void)
{
  GDir *dir = folder ? g_dir_open(folder, 0, NULL) : NULL;
  if (!dir)
    return;
  for (const char *name = g_dir_read_name(dir); name; name = g_dir_read_name(dir)) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_unlink(path);
  }
  g_dir_close(dir);
  g_rmdir(folder);
  g_clear_pointer(&folder, g_free);
}

char *
soft_write(const char *name, GBytes *bytes)
{
  char *path = g_build_filename(soft_folder(), name, NULL);
  g_assert_true(g_file_set_contents(path, g_bytes_get_data(bytes, NULL),
                                    (gssize)g_bytes_get_size(bytes), NULL));
  return path;
}

GBytes *
soft_read(const char *path)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *whole =
      g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(soft_folder(), path, NULL);
  char *bytes = NULL;
  gsize length = 0;
  g_file_get_contents(whole, &bytes, &length, &error);
  g_assert_no_error(error);
  return g_bytes_new_take(bytes, length);
}

void
soft_write_key(const SoftKey *key, const char *name)
{
  g_autofree char *pem = g_strdup_printf("%s/%s.pem", soft_folder(), name);
  g_autofree char *crt = g_strdup_printf("%s/%s.crt", soft_folder(), name);
  FILE *file = g_fopen(pem, "w");
  PEM_write_PrivateKey(file, key->pkey, NULL, NULL, 0, NULL, NULL);
  fclose(file);
  file = g_fopen(crt, "w");
  PEM_write_X509(file, key->x509);
  fclose(file);
}

int
soft_run(char **ret_output, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *line = g_strdup_vprintf(format, args);
  va_end(args);
  g_auto(GStrv) argv = g_strsplit(line, " ", -1);
  g_autoptr(GError) error = NULL;
  g_autofree char *output = NULL;
  g_autofree char *problems = NULL;
  int status = 0;
  g_spawn_sync(soft_folder(), argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &problems,
               &status, &error);
  g_assert_no_error(error);
  if (status != 0)
    g_test_message("%s: status %d: %s%s", line, status, output, problems);
  if (ret_output)
    *ret_output = g_strconcat(output, problems, NULL);
  return status;
}

void
soft_assert_bytes(GBytes *bytes, gconstpointer expected, gsize length)
{
  g_assert_nonnull(bytes);
  g_assert_cmpuint(g_bytes_get_size(bytes), ==, length);
  g_assert_true(length == 0 || memcmp(g_bytes_get_data(bytes, NULL), expected, length) == 0);
}

GBytes *
soft_data(const char *relative)
{
  g_autofree char *path =
      g_build_filename(g_getenv("SIGNET_TEST_SOURCE"), "tests", "data", relative, NULL);
  return soft_read(path);
}

GBytes *
soft_seal(const char *text, const SoftKey *key, const char *cipher)
{
  g_autoptr(GPtrArray) recipients = g_ptr_array_new();
  g_autoptr(GBytes) content = g_bytes_new_static(text, strlen(text));
  g_autoptr(GError) error = NULL;
  g_ptr_array_add(recipients, key->cert);
  GBytes *message = cms_encrypt(content, recipients, cipher, &error);
  g_assert_no_error(error);
  return message;
}
