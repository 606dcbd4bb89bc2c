/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "token/attribute.h"
#include "token/der.h"
#include "token/transfer.h"

#include <glob.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#define KEY_LENGTH 32 /* AES-256 */
#define BLOCK 16
#define WRAPPED_MAX (32 * 1024)
#define AES_KEY_WRAP_KWP 0x210bUL /* CKM_, PKCS#11 v3.0 2.10; p11-kit 0.24 has no name for it */
#define DATABASE_SLOT 2           /* softoken: 1 does mechanisms, 2 holds keys and certificates */

/* NSS keeps keys in a format of its own (key4.db, SQLite with attributes sealed one by one) that
 * changed more than once, so NSS itself reads it: its "softoken" is a PKCS#11 module. It shows no
 * private value, but wraps keys, also with a secret that we know. */

typedef struct {
  Token *token;
  CK_SESSION_HANDLE session;
  CK_OBJECT_HANDLE wrapper;
  guint8 *secret; /* KEY_LENGTH bytes, the wrapper's value */
  OSSL_LIB_CTX *library;
  TokenContents *contents;
} Reading;

/* ---- the module ---- */

static const char *const places[] = {
  "/usr/lib/*/libsoftokn3.so",
  "/usr/lib/*/nss/libsoftokn3.so",
  "/usr/lib64/libsoftokn3.so",
  "/usr/lib/libsoftokn3.so",
  "/usr/lib/nss/libsoftokn3.so",
  "/usr/lib/thunderbird*/libsoftokn3.so",
  "/usr/lib64/thunderbird/libsoftokn3.so",
  "/usr/lib/firefox*/libsoftokn3.so",
  "/usr/lib64/firefox/libsoftokn3.so",
};

static char *
find_softoken(GError **error)
{
  char *path = NULL;
  for (gsize i = 0; !path && i < G_N_ELEMENTS(places); i++) {
    glob_t found = { .gl_pathc = 0 };
    if (glob(places[i], 0, NULL, &found) == 0)
      path = g_strdup(found.gl_pathv[0]);
    globfree(&found);
  }
  if (!path)
    base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                   "NSS (libsoftokn3.so, Debian: libnss3) is not installed; it reads these keys");
  return path;
}

/* NSS's parser takes a backslash for "the next one as it is". */
static char *
quoted(const char *text)
{
  GString *out = g_string_new(NULL);
  for (; *text; text++) {
    if (*text == '\'' || *text == '\\')
      g_string_append_c(out, '\\');
    g_string_append_c(out, *text);
  }
  return g_string_free(out, FALSE);
}

static TokenModule *
load(const char *folder, GError **error)
{
  g_autofree char *path = find_softoken(error);
  if (!path)
    return NULL;
  g_autofree char *text = quoted(folder);
  BaseProfile *profile = base_profile_default(path);
  g_free(profile->init);
  profile->init = g_strdup_printf(
      "configdir='sql:%s' certPrefix='' keyPrefix='' secmod='secmod.db' flags=readOnly,noModDB",
      text);
  g_autoptr(GError) reason = NULL;
  TokenModule *module = token_module_load(path, profile, NULL, &reason);
  if (!module)
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "NSS cannot open the database in %s: %s", folder,
                   reason->message);
  return module;
}

static Token *
database_of(TokenModule *module, GError **error)
{
  if (!token_slots_poll(module, error))
    return NULL;
  g_autoptr(GPtrArray) tokens = token_slots_list(module);
  for (guint i = 0; i < tokens->len; i++)
    if (((Token *)tokens->pdata[i])->slot == DATABASE_SLOT)
      return token_ref(tokens->pdata[i]);
  base_error_set(error, SIGNET_ERROR_UNSUPPORTED, "NSS shows no database");
  return NULL;
}

/* Not token_login(): a password is not as long as a PIN, and no tries are counted. */
static gboolean
unlock(Reading *reading, const char *folder, BaseSecret *password, GError **error)
{
  Token *token = reading->token;
  if (!(atomic_load(&token->flags) & CKF_LOGIN_REQUIRED))
    return TRUE;
  if (!password)
    return base_error_set(error, SIGNET_ERROR_PIN_REQUIRED, "the keys in %s have a password",
                          folder);
  CK_RV rv = token->module->f->C_Login(reading->session, CKU_USER, base_secret_bytes(password),
                                       base_secret_length(password));
  if (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LEN_RANGE || rv == CKR_PIN_INVALID)
    return base_error_set(error, SIGNET_ERROR_PIN_INCORRECT, "the keys in %s have another password",
                          folder);
  return rv == CKR_OK || token_rv_set(error, rv, "the keys in %s cannot be opened", folder);
}

/* ---- getting a key out ---- */

static CK_RV
make_wrapper(Reading *reading)
{
  CK_OBJECT_CLASS class = CKO_SECRET_KEY;
  CK_KEY_TYPE type = CKK_AES;
  TokenTemplate template = { .count = 0 };

  if (RAND_priv_bytes_ex(reading->library, reading->secret, KEY_LENGTH, 0) != 1)
    return CKR_HOST_MEMORY;
  token_template_add(&template, CKA_CLASS, &class, sizeof class);
  token_template_add(&template, CKA_KEY_TYPE, &type, sizeof type);
  token_template_add_bool(&template, CKA_TOKEN, FALSE);
  token_template_add_bool(&template, CKA_WRAP, TRUE);
  token_template_add_bool(&template, CKA_ENCRYPT, TRUE);
  token_template_add(&template, CKA_VALUE, reading->secret, KEY_LENGTH);
  return reading->token->module->f->C_CreateObject(reading->session, template.rows, template.count,
                                                   &reading->wrapper);
}

typedef struct {
  CK_MECHANISM_TYPE type;
  const char *cipher;
  gsize iv_length;
} Wrapping;

/* CBC is what every version has; nobody but us comes between the two ends. */
static const Wrapping wrappings[] = {
  { CKM_AES_CBC_PAD, "AES-256-CBC", BLOCK },
  { AES_KEY_WRAP_KWP, "AES-256-WRAP-PAD", 0 }, /* RFC 5649 with its own IV */
};

static BaseSecret *
unwrap(const Reading *reading, const Wrapping *how, const guint8 *iv, const guint8 *wrapped,
       gsize length)
{
  g_autoptr(BaseSecret) plain = base_secret_new(length + BLOCK);
  EVP_CIPHER *cipher = EVP_CIPHER_fetch(reading->library, how->cipher, NULL);
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  int first = 0, last = 0;

  EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  gboolean ok =
      plain && cipher &&
      EVP_DecryptInit_ex2(ctx, cipher, reading->secret, how->iv_length ? iv : NULL, NULL) == 1 &&
      EVP_DecryptUpdate(ctx, base_secret_bytes(plain), &first, wrapped, (int)length) == 1 &&
      EVP_DecryptFinal_ex(ctx, base_secret_bytes(plain) + first, &last) == 1;
  EVP_CIPHER_CTX_free(ctx);
  EVP_CIPHER_free(cipher);
  ERR_clear_error();
  if (!ok)
    return NULL;
  base_secret_truncate(plain, (gsize)first + (gsize)last);
  return g_steal_pointer(&plain);
}

/* The PKCS #8 of a key. */
static CK_RV
take_out(const Reading *reading, CK_OBJECT_HANDLE key, const Wrapping *how, BaseSecret **ret_plain)
{
  guint8 iv[BLOCK];
  g_autofree guint8 *wrapped = g_malloc(WRAPPED_MAX);
  CK_ULONG length = WRAPPED_MAX;

  if (RAND_bytes_ex(reading->library, iv, sizeof iv, 0) != 1)
    return CKR_HOST_MEMORY;
  CK_MECHANISM mechanism = { how->type, how->iv_length ? iv : NULL, how->iv_length };
  CK_RV rv = reading->token->module->f->C_WrapKey(reading->session, &mechanism, reading->wrapper,
                                                  key, wrapped, &length);
  if (rv != CKR_OK || length > WRAPPED_MAX)
    return rv == CKR_OK ? CKR_FUNCTION_FAILED : rv;
  *ret_plain = unwrap(reading, how, iv, wrapped, length);
  return *ret_plain ? CKR_OK : CKR_FUNCTION_FAILED;
}

static EVP_PKEY *
read_pkcs8(const Reading *reading, BaseSecret *plain)
{
  const guint8 *at = base_secret_bytes(plain);
  EVP_PKEY *pkey =
      d2i_AutoPrivateKey_ex(NULL, &at, (long)base_secret_length(plain), reading->library, NULL);
  ERR_clear_error();
  return pkey;
}

static char *
label_of(const Reading *reading, CK_OBJECT_HANDLE object)
{
  g_autoptr(GBytes) label =
      token_attribute_bytes(reading->token, reading->session, object, CKA_LABEL, TOKEN_TEXT_MAX);
  gsize length = 0;
  gconstpointer bytes = label ? g_bytes_get_data(label, &length) : NULL;
  return bytes ? token_text(bytes, length) : g_strdup("");
}

static void
read_key(Reading *reading, CK_OBJECT_HANDLE object)
{
  g_autoptr(BaseSecret) plain = NULL;
  g_autofree char *label = label_of(reading, object);
  CK_RV rv = CKR_MECHANISM_INVALID;

  for (gsize i = 0; rv != CKR_OK && i < G_N_ELEMENTS(wrappings); i++)
    rv = take_out(reading, object, &wrappings[i], &plain);
  EVP_PKEY *pkey = plain ? read_pkcs8(reading, plain) : NULL;
  if (!pkey)
    token_contents_skip(reading->contents, "the key \"%s\": NSS does not give it out (%s)", label,
                        token_rv_name(rv));
  else
    token_contents_add_key(reading->contents, pkey, label);
}

/* ---- what is there ---- */

static CK_RV
find(const Reading *reading, CK_OBJECT_CLASS class, GArray **ret_handles)
{
  CK_ATTRIBUTE template = { CKA_CLASS, &class, sizeof class };
  return token_find_all(reading->token, reading->session, &template, 1, ret_handles);
}

static gboolean
has_key(const TokenContents *contents, const char *key)
{
  for (guint i = 0; i < contents->items->len; i++) {
    TokenItem *item = contents->items->pdata[i];
    if (item->kind == WIRE_ITEM_KEY && g_str_equal(item->key, key))
      return TRUE;
  }
  return FALSE;
}

/* A name that NSS gave to the certificate is the key's, which seldom has one itself. */
static void
name_key(TokenContents *contents, const char *key, const char *label)
{
  for (guint i = 0; i < contents->items->len; i++) {
    TokenItem *item = contents->items->pdata[i];
    if (item->kind != WIRE_ITEM_KEY || *item->label || !g_str_equal(item->key, key))
      continue;
    g_free(item->label);
    item->label = g_strdup(label);
  }
}

/* Other people's certificates, which a mail program gathers, are left where they are. */
static gboolean
read_certificate(Reading *reading, CK_OBJECT_HANDLE object)
{
  g_autoptr(GBytes) der = token_attribute_bytes(reading->token, reading->session, object, CKA_VALUE,
                                                WIRE_CERTIFICATE_MAX);
  g_autoptr(BaseCert) cert = der ? base_cert_new(der, NULL) : NULL;
  if (!cert)
    return FALSE;
  gboolean own = has_key(reading->contents, cert->key);
  if (!own && !(cert->use & BASE_USE_CA))
    return FALSE;
  g_autofree char *label = label_of(reading, object);
  if (own)
    name_key(reading->contents, cert->key, label);
  token_contents_add_certificate(reading->contents, der, label);
  return TRUE;
}

static CK_RV
read_all(Reading *reading)
{
  g_autoptr(GArray) keys = NULL;
  g_autoptr(GArray) certificates = NULL;
  guint left = 0;
  CK_RV rv = find(reading, CKO_PRIVATE_KEY, &keys);

  if (rv == CKR_OK && keys->len)
    rv = make_wrapper(reading);
  for (guint i = 0; rv == CKR_OK && i < keys->len && i < WIRE_TRANSFER_ITEMS_MAX; i++)
    read_key(reading, g_array_index(keys, CK_OBJECT_HANDLE, i));
  if (rv == CKR_OK)
    rv = find(reading, CKO_CERTIFICATE, &certificates);
  for (guint i = 0; rv == CKR_OK && i < certificates->len; i++)
    left += !read_certificate(reading, g_array_index(certificates, CK_OBJECT_HANDLE, i));
  if (left)
    token_contents_skip(reading->contents, "%u certificates of other people", left);
  return rv;
}

static gboolean
read_database(Reading *reading, const char *folder, BaseSecret *password, BaseDeadline deadline,
              GError **error)
{
  if (!token_session_borrow(reading->token, deadline, &reading->session, error) ||
      !unlock(reading, folder, password, error))
    return FALSE;
  CK_RV rv = read_all(reading);
  return rv == CKR_OK || token_rv_set(error, rv, "the keys in %s cannot be read", folder);
}

static gboolean
is_database(const char *folder, GError **error)
{
  g_autofree char *keys = g_build_filename(folder, "key4.db", NULL);
  if (!g_path_is_absolute(folder))
    return base_error_set(error, SIGNET_ERROR_USAGE, "%s is no whole path", folder);
  return g_file_test(keys, G_FILE_TEST_IS_REGULAR) ||
         base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s holds no NSS database (key4.db)",
                        folder);
}

TokenContents *
token_contents_read_nss(OSSL_LIB_CTX *library, const char *folder, BaseSecret *password,
                        BaseDeadline deadline, GError **error)
{
  TokenModule *module = is_database(folder, error) ? load(folder, error) : NULL;
  if (!module)
    return NULL;
  g_autoptr(Token) token = database_of(module, error);
  g_autoptr(BaseSecret) secret = base_secret_new(KEY_LENGTH);
  g_autoptr(TokenContents) contents = token_contents_new("NSS database");
  Reading reading = {
    .token = token, .secret = base_secret_bytes(secret), .library = library, .contents = contents
  };
  gboolean ok = token && read_database(&reading, folder, password, deadline, error);
  module->f->C_Finalize(NULL); /* or the next database could not be opened */
  return ok ? g_steal_pointer(&contents) : NULL;
}
