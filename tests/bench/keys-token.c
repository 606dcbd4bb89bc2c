/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keys.h"

#include <dlfcn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <p11-kit/pkcs11.h>
#include <string.h>

/* CKA_ values are copied by the module: one buffer of this size holds the largest of ours. */
#define MAX_VALUE 4096

struct KeysToken {
  CK_FUNCTION_LIST *p11;
  CK_SESSION_HANDLE session;
};

/* A template under construction; values are owned by it. */
typedef struct {
  CK_ATTRIBUTE items[24];
  CK_ULONG count;
} Template;

static void
template_clear(Template *template)
{
  for (CK_ULONG i = 0; i < template->count; i++)
    g_free(template->items[i].pValue);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Template, template_clear)

static void
add_bytes(Template *template, CK_ATTRIBUTE_TYPE type, gconstpointer value, gsize len)
{
  g_assert(template->count < G_N_ELEMENTS(template->items));
  CK_ATTRIBUTE *item = &template->items[template->count++];
  item->type = type;
  item->pValue = g_memdup2(value, len);
  item->ulValueLen = len;
}

static void
add_ulong(Template *template, CK_ATTRIBUTE_TYPE type, CK_ULONG value)
{
  add_bytes(template, type, &value, sizeof value);
}

static void
add_flags(Template *template, CK_BBOOL value, const CK_ATTRIBUTE_TYPE *types, gsize n_types)
{
  for (gsize i = 0; i < n_types; i++)
    add_bytes(template, types[i], &value, sizeof value);
}

static gboolean
add_number(Template *template, CK_ATTRIBUTE_TYPE type, EVP_PKEY *key, const char *param)
{
  BIGNUM *number = NULL;
  guint8 bytes[MAX_VALUE];

  if (EVP_PKEY_get_bn_param(key, param, &number) != 1)
    return FALSE;
  int len = BN_bn2bin(number, bytes);
  add_bytes(template, type, bytes, (gsize)len);
  BN_clear_free(number);
  return TRUE;
}

static void
begin(Template *template, CK_OBJECT_CLASS class, const char *name, guint16 id)
{
  const guint8 id_bytes[] = { (guint8)(id >> 8), (guint8)id };
  static const CK_ATTRIBUTE_TYPE on[] = { CKA_TOKEN };

  add_ulong(template, CKA_CLASS, class);
  add_flags(template, CK_TRUE, on, G_N_ELEMENTS(on));
  add_bytes(template, CKA_LABEL, name, strlen(name));
  add_bytes(template, CKA_ID, id_bytes, sizeof id_bytes);
}

static gboolean
add_rsa(Template *template, EVP_PKEY *key, gboolean private)
{
  static const struct {
    CK_ATTRIBUTE_TYPE type;
    const char *param;
  } parts[] = {
    { CKA_MODULUS, OSSL_PKEY_PARAM_RSA_N },
    { CKA_PUBLIC_EXPONENT, OSSL_PKEY_PARAM_RSA_E },
    { CKA_PRIVATE_EXPONENT, OSSL_PKEY_PARAM_RSA_D },
    { CKA_PRIME_1, OSSL_PKEY_PARAM_RSA_FACTOR1 },
    { CKA_PRIME_2, OSSL_PKEY_PARAM_RSA_FACTOR2 },
    { CKA_EXPONENT_1, OSSL_PKEY_PARAM_RSA_EXPONENT1 },
    { CKA_EXPONENT_2, OSSL_PKEY_PARAM_RSA_EXPONENT2 },
    { CKA_COEFFICIENT, OSSL_PKEY_PARAM_RSA_COEFFICIENT1 },
  };

  add_ulong(template, CKA_KEY_TYPE, CKK_RSA);
  for (guint i = 0; i < (private ? G_N_ELEMENTS(parts) : 2); i++) {
    if (!add_number(template, parts[i].type, key, parts[i].param))
      return FALSE;
  }
  return TRUE;
}

static gboolean
add_ec(Template *template, EVP_PKEY *key, gboolean private)
{
  /* DER of the object identifier prime256v1, RFC 5480 2.1.1.1. */
  static const guint8 p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
  guint8 point[2 + 65] = { 0x04, 65 }; /* OCTET STRING around the uncompressed point */
  gsize len = 0;

  add_ulong(template, CKA_KEY_TYPE, CKK_EC);
  add_bytes(template, CKA_EC_PARAMS, p256, sizeof p256);
  if (private)
    return add_number(template, CKA_VALUE, key, OSSL_PKEY_PARAM_PRIV_KEY);
  if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point + 2, 65, &len) != 1 ||
      len != 65)
    return FALSE;
  add_bytes(template, CKA_EC_POINT, point, sizeof point);
  return TRUE;
}

static gboolean
create(KeysToken *token, Template *template, const char *name, GError **error)
{
  CK_OBJECT_HANDLE object;
  CK_RV rv = token->p11->C_CreateObject(token->session, template->items, template->count, &object);

  if (rv != CKR_OK)
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "C_CreateObject of %s: 0x%lx", name, rv);
  return rv == CKR_OK;
}

static gboolean
store_key(KeysToken *token, const char *name, guint16 id, EVP_PKEY *key, gboolean private,
          GError **error)
{
  static const CK_ATTRIBUTE_TYPE private_on[] = { CKA_PRIVATE, CKA_SENSITIVE, CKA_SIGN };
  static const CK_ATTRIBUTE_TYPE private_off[] = { CKA_EXTRACTABLE };
  static const CK_ATTRIBUTE_TYPE public_on[] = { CKA_VERIFY };
  static const CK_ATTRIBUTE_TYPE public_off[] = { CKA_PRIVATE };
  static const CK_ATTRIBUTE_TYPE private_rsa[] = { CKA_DECRYPT };
  g_auto(Template) template = { .count = 0 };
  gboolean rsa = EVP_PKEY_is_a(key, "RSA");

  begin(&template, private ? CKO_PRIVATE_KEY : CKO_PUBLIC_KEY, name, id);
  if (private) {
    add_flags(&template, CK_TRUE, private_on, G_N_ELEMENTS(private_on));
    add_flags(&template, CK_TRUE, private_rsa, rsa ? G_N_ELEMENTS(private_rsa) : 0);
    add_flags(&template, CK_FALSE, private_off, G_N_ELEMENTS(private_off));
  } else {
    add_flags(&template, CK_TRUE, public_on, G_N_ELEMENTS(public_on));
    add_flags(&template, CK_FALSE, public_off, G_N_ELEMENTS(public_off));
  }
  if (!(rsa ? add_rsa(&template, key, private) : add_ec(&template, key, private))) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "cannot read the parts of key %s", name);
    return FALSE;
  }
  return create(token, &template, name, error);
}

static gboolean
store_certificate(KeysToken *token, const char *name, guint16 id, X509 *certificate, GError **error)
{
  static const CK_ATTRIBUTE_TYPE off[] = { CKA_PRIVATE };
  g_auto(Template) template = { .count = 0 };
  g_autofree guint8 *subject = NULL;
  guint8 *der = NULL;
  int subject_len = i2d_X509_NAME(X509_get_subject_name(certificate), &subject);
  int len = i2d_X509(certificate, &der);

  begin(&template, CKO_CERTIFICATE, name, id);
  add_ulong(&template, CKA_CERTIFICATE_TYPE, CKC_X_509);
  add_flags(&template, CK_FALSE, off, G_N_ELEMENTS(off));
  add_bytes(&template, CKA_SUBJECT, subject, (gsize)subject_len);
  add_bytes(&template, CKA_VALUE, der, (gsize)len);
  OPENSSL_free(der);
  return create(token, &template, name, error);
}

gboolean
keys_token_store(KeysToken *token, const char *name, guint16 id, EVP_PKEY *key, X509 *certificate,
                 GError **error)
{
  return store_key(token, name, id, key, TRUE, error) &&
         store_key(token, name, id, key, FALSE, error) &&
         store_certificate(token, name, id, certificate, error);
}

static gboolean
find_slot(CK_FUNCTION_LIST *p11, const char *label, CK_SLOT_ID *ret_slot)
{
  CK_SLOT_ID slots[64];
  CK_ULONG count = G_N_ELEMENTS(slots);

  if (p11->C_GetSlotList(CK_TRUE, slots, &count) != CKR_OK)
    return FALSE;
  for (CK_ULONG i = 0; i < count; i++) {
    CK_TOKEN_INFO info;
    if (p11->C_GetTokenInfo(slots[i], &info) != CKR_OK)
      continue;
    g_autofree char *found = g_strndup((const char *)info.label, sizeof info.label);
    if (g_str_equal(g_strchomp(found), label)) {
      *ret_slot = slots[i];
      return TRUE;
    }
  }
  return FALSE;
}

KeysToken *
keys_token_open(const char *module, const char *label, const char *pin, GError **error)
{
  g_autoptr(KeysToken) token = g_new0(KeysToken, 1);
  void *library = dlopen(module, RTLD_NOW | RTLD_LOCAL);
  CK_C_GetFunctionList get_functions =
      library ? (CK_C_GetFunctionList)(gintptr)dlsym(library, "C_GetFunctionList") : NULL;
  CK_SLOT_ID slot;

  if (!get_functions || get_functions(&token->p11) != CKR_OK ||
      token->p11->C_Initialize(NULL) != CKR_OK || !find_slot(token->p11, label, &slot)) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "no token \"%s\" in %s", label, module);
    return NULL;
  }
  CK_RV rv = token->p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                                       &token->session);
  if (rv == CKR_OK) {
    g_autofree guchar *copy = (guchar *)g_strdup(pin);
    rv = token->p11->C_Login(token->session, CKU_USER, copy, strlen(pin));
  }
  if (rv != CKR_OK) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "login to \"%s\": 0x%lx", label, rv);
    return NULL;
  }
  return g_steal_pointer(&token);
}

void
keys_token_close(KeysToken *token)
{
  if (!token)
    return;
  if (token->p11)
    token->p11->C_Finalize(NULL);
  g_free(token);
}
