/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "enroll/subject.h"

#include "base/cert.h"
#include "base/error.h"

#include <string.h>

#define COMMON_NAME_MAX 64 /* ub-common-name, RFC 5280 appendix A.1 */
#define NAME_PARTS_MAX 32

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EnrollExtensions, enroll_extensions_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_NAME, X509_NAME_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GENERAL_NAMES, GENERAL_NAMES_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ASN1_BIT_STRING, ASN1_BIT_STRING_free)

void
enroll_extensions_free(EnrollExtensions *extensions)
{
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}

gboolean
enroll_subject_check(const EnrollSubject *subject, GError **error)
{
  if (subject->name && (!g_utf8_validate(subject->name, -1, NULL) || !*subject->name))
    return base_error_set(error, SIGNET_ERROR_USAGE, "--name must be text in UTF-8, and not empty");
  if (subject->name && g_utf8_strlen(subject->name, -1) > COMMON_NAME_MAX)
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "--name is longer than the %d characters a certificate takes",
                          COMMON_NAME_MAX);
  for (int i = 0; subject->addresses[i]; i++) {
    g_autofree char *normal = base_address_normal(subject->addresses[i]);
    if (!normal)
      return base_error_set(error, SIGNET_ERROR_USAGE, "\"%s\" is no mail address",
                            subject->addresses[i]);
    /* rfc822Name is an IA5String; others need SmtpUTF8Mailbox (RFC 8398), which mailers do not read. */
    if (!g_str_is_ascii(normal))
      return base_error_set(
          error, SIGNET_ERROR_UNSUPPORTED,
          "\"%s\" has letters that a certificate's address cannot have; use its ASCII form",
          normal);
  }
  return TRUE;
}

static gboolean
add_addresses(EnrollExtensions **extensions, const char *const *addresses)
{
  if (!addresses[0]) /* GeneralNames is never empty, RFC 5280 4.2.1.6 */
    return TRUE;
  g_autoptr(GENERAL_NAMES) names = GENERAL_NAMES_new();
  for (int i = 0; names && addresses[i]; i++) {
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    g_autofree char *normal = base_address_normal(addresses[i]);
    if (!name || !text || !normal || !ASN1_STRING_set(text, normal, -1)) {
      GENERAL_NAME_free(name);
      ASN1_IA5STRING_free(text);
      return FALSE;
    }
    GENERAL_NAME_set0_value(name, GEN_EMAIL, text);
    if (!sk_GENERAL_NAME_push(names, name)) {
      GENERAL_NAME_free(name);
      return FALSE;
    }
  }
  return names && X509V3_add1_i2d(extensions, NID_subject_alt_name, names, 0, 0) == 1;
}

/* Bits of RFC 5280 4.2.1.3: digitalSignature 0, nonRepudiation 1, keyEncipherment 2, keyAgreement 4. */
static gboolean
add_key_usage(EnrollExtensions **extensions, EVP_PKEY *public_key, gboolean can_decrypt)
{
  g_autoptr(ASN1_BIT_STRING) bits = ASN1_BIT_STRING_new();
  int decrypt_bit = EVP_PKEY_is_a(public_key, "RSA") ? 2 : EVP_PKEY_is_a(public_key, "EC") ? 4 : -1;
  if (!bits || !ASN1_BIT_STRING_set_bit(bits, 0, 1) || !ASN1_BIT_STRING_set_bit(bits, 1, 1))
    return FALSE;
  if (can_decrypt && decrypt_bit >= 0 && !ASN1_BIT_STRING_set_bit(bits, decrypt_bit, 1))
    return FALSE;
  return X509V3_add1_i2d(extensions, NID_key_usage, bits, 1, 0) == 1;
}

static gboolean
add_mail_only(EnrollExtensions **extensions)
{
  g_autoptr(EXTENDED_KEY_USAGE) usage = EXTENDED_KEY_USAGE_new();
  return usage && sk_ASN1_OBJECT_push(usage, OBJ_nid2obj(NID_email_protect)) &&
         X509V3_add1_i2d(extensions, NID_ext_key_usage, usage, 0, 0) == 1;
}

EnrollExtensions *
enroll_subject_extensions(const EnrollSubject *subject, EVP_PKEY *public_key)
{
  g_autoptr(EnrollExtensions) extensions = NULL;
  g_autoptr(BASIC_CONSTRAINTS) no_ca = BASIC_CONSTRAINTS_new();
  if (!no_ca || X509V3_add1_i2d(&extensions, NID_basic_constraints, no_ca, 1, 0) != 1 ||
      !add_key_usage(&extensions, public_key, subject->can_decrypt) ||
      !add_mail_only(&extensions) || !add_addresses(&extensions, subject->addresses))
    return NULL;
  return g_steal_pointer(&extensions);
}

static X509_NAME *
name_of_der(GBytes *der)
{
  gsize length;
  const guint8 *start = g_bytes_get_data(der, &length), *at = start;
  g_autoptr(X509_NAME) name = d2i_X509_NAME(NULL, &at, (long)length);
  return name && at == start + length ? g_steal_pointer(&name) : NULL;
}

X509_NAME *
enroll_subject_name(const EnrollSubject *subject)
{
  if (subject->subject)
    return name_of_der(subject->subject);
  const char *text = subject->name ? subject->name : subject->addresses[0];
  if (!text)
    return NULL;
  const char *field = g_utf8_strlen(text, -1) > COMMON_NAME_MAX ? "emailAddress" : "CN";
  int type = strcmp(field, "CN") == 0 ? MBSTRING_UTF8 : V_ASN1_IA5STRING;
  g_autoptr(X509_NAME) name = X509_NAME_new();
  if (!name || !X509_NAME_add_entry_by_txt(name, field, type, (const guint8 *)text, -1, -1, 0))
    return NULL;
  return g_steal_pointer(&name);
}

/* One "CN=value"; *at is left behind the separator. FALSE when it is none. */
static gboolean
take_part(const char **at, X509_NAME *name)
{
  g_autoptr(GString) part = g_string_new(NULL);
  const char *c = *at;
  while (*c == ' ')
    c++;
  for (; *c && *c != ',' && *c != '/'; c++) {
    if (*c == '\\' && c[1])
      c++;
    g_string_append_c(part, *c);
  }
  *at = *c ? c + 1 : c;
  char *equals = strchr(part->str, '=');
  if (!equals || equals == part->str || !equals[1])
    return FALSE;
  *equals = '\0';
  return X509_NAME_add_entry_by_txt(name, g_strstrip(part->str), MBSTRING_UTF8,
                                    (const guint8 *)(equals + 1), -1, -1, 0) == 1;
}

X509_NAME *
enroll_name_parse(const char *text)
{
  g_autoptr(X509_NAME) name = X509_NAME_new();
  const char *at = *text == '/' ? text + 1 : text;
  if (!name || !*at || !g_utf8_validate(text, -1, NULL))
    return NULL;
  for (int i = 0; *at; i++)
    if (i == NAME_PARTS_MAX || !take_part(&at, name))
      return NULL;
  return g_steal_pointer(&name);
}
