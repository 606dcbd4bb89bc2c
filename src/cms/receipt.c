/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/receipt.h"

#include "base/error.h"
#include "cms/attribute.h"
#include "cms/message.h"
#include "cms/sign.h"

#include <openssl/asn1t.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#define NAMES_MAX 100     /* in one request */
#define RECEIPT_VERSION 1 /* ESSVersion v1, RFC 2634 2.8 */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CMS_ReceiptRequest, CMS_ReceiptRequest_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GENERAL_NAME, GENERAL_NAME_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GENERAL_NAMES, GENERAL_NAMES_free)

/* RFC 2634 2.8 */
typedef struct {
  ASN1_INTEGER *version;
  ASN1_OBJECT *content_type;
  ASN1_OCTET_STRING *content_id;
  ASN1_OCTET_STRING *signature;
} Receipt;

/* clang-format off */
ASN1_SEQUENCE(Receipt) = {
  ASN1_SIMPLE(Receipt, version, ASN1_INTEGER),
  ASN1_SIMPLE(Receipt, content_type, ASN1_OBJECT),
  ASN1_SIMPLE(Receipt, content_id, ASN1_OCTET_STRING),
  ASN1_SIMPLE(Receipt, signature, ASN1_OCTET_STRING)
} static_ASN1_SEQUENCE_END(Receipt)
    /* clang-format on */

    static void receipt_free(Receipt * receipt)
{
  ASN1_item_free((ASN1_VALUE *)receipt, ASN1_ITEM_rptr(Receipt));
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Receipt, receipt_free)

/* ---- asking ---- */

static void
free_lists(STACK_OF(GENERAL_NAMES) * lists)
{
  sk_GENERAL_NAMES_pop_free(lists, GENERAL_NAMES_free);
}

static GENERAL_NAMES *
names_of(const char *address)
{
  g_autoptr(GENERAL_NAMES) names = GENERAL_NAMES_new();
  g_autoptr(GENERAL_NAME) name = GENERAL_NAME_new();
  ASN1_IA5STRING *text = ASN1_IA5STRING_new();
  if (!text || !ASN1_STRING_set(text, address, -1)) {
    ASN1_IA5STRING_free(text);
    return NULL;
  }
  GENERAL_NAME_set0_value(name, GEN_EMAIL, text);
  if (sk_GENERAL_NAME_push(names, name) <= 0)
    return NULL;
  (void)g_steal_pointer(&name);
  return g_steal_pointer(&names);
}

static STACK_OF(GENERAL_NAMES) * lists_of(const char *const *addresses)
{
  STACK_OF(GENERAL_NAMES) *lists = sk_GENERAL_NAMES_new_null();
  for (; *addresses; addresses++) {
    GENERAL_NAMES *names = names_of(*addresses);
    if (!names || sk_GENERAL_NAMES_push(lists, names) <= 0) {
      GENERAL_NAMES_free(names);
      free_lists(lists);
      return NULL;
    }
  }
  return lists;
}

static gboolean
check_addresses(const char *const *to, GError **error)
{
  for (gsize i = 0; to[i]; i++) {
    g_autofree char *address = base_address_normal(to[i]);
    if (!address || !g_str_is_ascii(address))
      return base_error_set(error, SIGNET_ERROR_USAGE, "%s is no address that a receipt can go to",
                            to[i]);
    if (i >= NAMES_MAX)
      return base_error_set(error, SIGNET_ERROR_USAGE, "a receipt can go to %d addresses at most",
                            NAMES_MAX);
  }
  return TRUE;
}

GBytes *
cms_receipt_request_der(const char *const *to, GError **error)
{
  if (!check_addresses(to, error))
    return NULL;
  STACK_OF(GENERAL_NAMES) *lists = lists_of(to);
  /* OpenSSL takes random octets for the content identifier; 0: all receipts. */
  g_autoptr(CMS_ReceiptRequest) request =
      lists ? CMS_ReceiptRequest_create0(NULL, -1, 0, NULL, lists) : NULL;
  GBytes *der = request ? cms_asn_encode(request, ASN1_ITEM_rptr(CMS_ReceiptRequest)) : NULL;
  if (!request)
    free_lists(lists);
  if (!der)
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot ask for a receipt");
  return der;
}

/* ---- what was asked ---- */

static void
add_names(GPtrArray *to, const GENERAL_NAMES *names)
{
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && to->len < NAMES_MAX; i++) {
    int type = 0;
    const ASN1_IA5STRING *text = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
    if (type != GEN_EMAIL)
      continue;
    g_autofree char *raw =
        g_strndup((const char *)ASN1_STRING_get0_data(text), (gsize)ASN1_STRING_length(text));
    char *address =
        strlen(raw) == (gsize)ASN1_STRING_length(text) ? base_address_normal(raw) : NULL;
    if (address)
      g_ptr_array_add(to, address);
  }
}

static char **
addresses_of(STACK_OF(GENERAL_NAMES) * lists)
{
  GPtrArray *to = g_ptr_array_new();
  for (int i = 0; i < sk_GENERAL_NAMES_num(lists); i++)
    add_names(to, sk_GENERAL_NAMES_value(lists, i));
  g_ptr_array_add(to, NULL);
  return (char **)g_ptr_array_free(to, FALSE);
}

static CMS_ReceiptRequest *
find_request(const CmsAsnSigner *info)
{
  const ASN1_TYPE *value = NULL;
  const guint8 *bytes = NULL;
  gsize length = 0;
  if (!info->signed_attributes ||
      !cms_attribute_find(info->signed_attributes, NID_id_smime_aa_receiptRequest, &value) ||
      !value || value->type != V_ASN1_SEQUENCE || !cms_asn_any(value, &bytes, &length))
    return NULL;
  return cms_asn_decode(bytes, length, ASN1_ITEM_rptr(CMS_ReceiptRequest));
}

static GBytes *
bytes_of(const ASN1_STRING *string)
{
  return g_bytes_new(ASN1_STRING_get0_data(string), (gsize)ASN1_STRING_length(string));
}

CmsReceiptAsked *
cms_receipt_asked_new(const CmsAsnSigner *info, const ASN1_OBJECT *content_type,
                      const CmsHash *hash)
{
  g_autoptr(CMS_ReceiptRequest) request = find_request(info);
  g_autoptr(GBytes) attributes =
      request ? cms_asn_attributes_der(info->signed_attributes, FALSE) : NULL;
  g_autoptr(GBytes) digest = attributes ? cms_hash_digest(hash, g_bytes_get_data(attributes, NULL),
                                                          g_bytes_get_size(attributes))
                                        : NULL;
  if (!digest)
    return NULL;
  ASN1_STRING *id = NULL;
  int from = 0;
  STACK_OF(GENERAL_NAMES) *list = NULL;
  STACK_OF(GENERAL_NAMES) *to = NULL;
  CMS_ReceiptRequest_get0_values(request, &id, &from, &list, &to);
  CmsReceiptAsked *asked = g_new0(CmsReceiptAsked, 1);
  asked->content_id = bytes_of(id);
  asked->content_type = cms_oid_text(content_type);
  asked->signature = bytes_of(info->signature);
  asked->attributes = g_steal_pointer(&digest);
  asked->all = list == NULL;
  asked->from = list ? addresses_of(list) : NULL;
  asked->to = addresses_of(to);
  return asked;
}

void
cms_receipt_asked_free(CmsReceiptAsked *asked)
{
  if (!asked)
    return;
  g_bytes_unref(asked->content_id);
  g_free(asked->content_type);
  g_bytes_unref(asked->signature);
  g_bytes_unref(asked->attributes);
  g_strfreev(asked->from);
  g_strfreev(asked->to);
  g_free(asked);
}

gboolean
cms_receipt_asks(const CmsReceiptAsked *asked, const char *address)
{
  if (asked->all)
    return TRUE;
  for (char **from = asked->from; address && *from; from++)
    if (base_address_equal(*from, address))
      return TRUE;
  return FALSE;
}

/* ---- making ---- */

static GBytes *
content_of(const CmsReceiptAsked *asked)
{
  g_autoptr(Receipt) receipt = (Receipt *)ASN1_item_new(ASN1_ITEM_rptr(Receipt));
  if (!receipt)
    return NULL;
  ASN1_OBJECT_free(receipt->content_type);
  receipt->content_type = OBJ_txt2obj(asked->content_type, 1);
  if (!receipt->content_type || !ASN1_INTEGER_set(receipt->version, RECEIPT_VERSION) ||
      !ASN1_OCTET_STRING_set(receipt->content_id, g_bytes_get_data(asked->content_id, NULL),
                             (int)g_bytes_get_size(asked->content_id)) ||
      !ASN1_OCTET_STRING_set(receipt->signature, g_bytes_get_data(asked->signature, NULL),
                             (int)g_bytes_get_size(asked->signature)))
    return NULL;
  return cms_asn_encode(receipt, ASN1_ITEM_rptr(Receipt));
}

GBytes *
cms_receipt_make_with(const CmsKeys *keys, const CmsSigner *signer, const CmsReceiptAsked *asked,
                      GError **error)
{
  g_autoptr(GBytes) content = content_of(asked);
  if (!content) {
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot make the receipt");
    return NULL;
  }
  g_autoptr(CmsSigning) signing = cms_signing_new(keys, signer, error);
  if (!signing)
    return NULL;
  cms_signing_be_receipt(signing, asked->attributes);
  return cms_signing_whole(signing, content, FALSE, error);
}

GBytes *
cms_receipt_make(SignetClient *client, const CmsSigner *signer, const CmsReceiptAsked *asked,
                 GError **error)
{
  CmsKeys keys = cms_keys_of(client);
  return cms_receipt_make_with(&keys, signer, asked, error);
}

/* ---- checking ---- */

static gboolean
equals(const ASN1_STRING *string, GBytes *bytes)
{
  gsize length = g_bytes_get_size(bytes);
  return (gsize)ASN1_STRING_length(string) == length &&
         (length == 0 ||
          memcmp(ASN1_STRING_get0_data(string), g_bytes_get_data(bytes, NULL), length) == 0);
}

static Receipt *
read_receipt(const CmsVerified *verified, GBytes *content)
{
  for (guint i = 0; i < verified->signatures->len; i++) {
    const CmsSignature *signature = g_ptr_array_index(verified->signatures, i);
    if (!signature->original)
      return NULL;
  }
  if (verified->signatures->len == 0)
    return NULL;
  Receipt *receipt = cms_asn_decode(g_bytes_get_data(content, NULL), g_bytes_get_size(content),
                                    ASN1_ITEM_rptr(Receipt));
  if (receipt && ASN1_INTEGER_get(receipt->version) == RECEIPT_VERSION)
    return receipt;
  receipt_free(receipt);
  return NULL;
}

/* RFC 2634 2.6: each signer of the receipt says what it is for by the digest of what was signed. */
static gboolean
digests_fit(const CmsVerified *verified, const CmsReceiptAsked *asked)
{
  for (guint i = 0; i < verified->signatures->len; i++) {
    const CmsSignature *signature = g_ptr_array_index(verified->signatures, i);
    if (!g_bytes_equal(signature->original, asked->attributes))
      return FALSE;
  }
  return TRUE;
}

static gboolean
was_asked(const CmsVerified *verified, const CmsReceiptAsked *asked)
{
  for (guint i = 0; i < verified->signatures->len; i++) {
    const CmsSignature *signature = g_ptr_array_index(verified->signatures, i);
    gboolean found = asked->all;
    for (guint k = 0; !found && signature->certificate && signature->certificate->addresses[k]; k++)
      found = cms_receipt_asks(asked, signature->certificate->addresses[k]);
    if (!found)
      return FALSE;
  }
  return TRUE;
}

static const char *
difference(const CmsVerified *verified, const Receipt *receipt, const CmsReceiptAsked *asked)
{
  g_autofree char *type = cms_oid_text(receipt->content_type);
  if (!equals(receipt->content_id, asked->content_id))
    return "it names another message";
  if (!equals(receipt->signature, asked->signature) || strcmp(type, asked->content_type) != 0)
    return "it names another signature";
  if (!digests_fit(verified, asked))
    return "what it says was signed is not what was signed";
  return was_asked(verified, asked) ? NULL : "it was asked of others";
}

gboolean
cms_receipt_check(const CmsVerified *verified, GBytes *content, const CmsReceiptAsked *asked,
                  const char **ret_problem, GError **error)
{
  g_autoptr(Receipt) receipt = read_receipt(verified, content);
  if (!receipt)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "this is no signed receipt");
  *ret_problem = difference(verified, receipt, asked);
  return TRUE;
}

GBytes *
cms_receipt_original(const CmsAsnSigner *info, const ASN1_OBJECT *content_type)
{
  const ASN1_TYPE *value = NULL;
  if (OBJ_obj2nid(content_type) != NID_id_smime_ct_receipt || !info->signed_attributes ||
      !cms_attribute_find(info->signed_attributes, NID_id_smime_aa_msgSigDigest, &value) ||
      !value || value->type != V_ASN1_OCTET_STRING)
    return NULL;
  return bytes_of(value->value.octet_string);
}
