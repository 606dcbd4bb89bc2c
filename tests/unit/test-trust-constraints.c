/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-cms-soft.h"
#include "trust/trust.h"

#include <openssl/x509v3.h>
#include <string.h>

/* Name constraints (RFC 5280 4.2.1.10), which OpenSSL checks: that it does for rfc822 names, for
 * addresses that stand in the subject only, and whatever lengths and cases they have. */

typedef struct {
  const char *constraints; /* (nullable) of the intermediate CA; "root:…": of the root */
  const char *names;       /* (nullable) subjectAltName */
  const char *email;       /* (nullable) emailAddress in the subject */
  const char *objection;   /* NULL: trusted */
} Case;

#define NOT_FOR "is for a name or an address that its CA may not issue for"

static const Case cases[] = {
  { NULL, "email:alice@example.org", NULL, NULL },
  /* a host: all mailboxes on it, none on those below it */
  { "permitted;email:example.org", "email:alice@example.org", NULL, NULL },
  { "permitted;email:example.org", "email:alice@EXAMPLE.ORG", NULL, NULL },
  { "permitted;email:example.org", "email:alice@sub.example.org", NULL, NOT_FOR },
  { "permitted;email:example.org", "email:alice@example.org.evil.com", NULL, NOT_FOR },
  { "permitted;email:example.org", "email:alice@notexample.org", NULL, NOT_FOR },
  /* a domain: all hosts below it */
  { "permitted;email:.example.org", "email:alice@sub.example.org", NULL, NULL },
  { "permitted;email:.example.org", "email:alice@example.org", NULL, NOT_FOR },
  { "permitted;email:.example.org", "email:alice@sub.example.org.evil.com", NULL, NOT_FOR },
  /* a mailbox: its local part exactly */
  { "permitted;email:alice@example.org", "email:alice@example.org", NULL, NULL },
  { "permitted;email:alice@example.org", "email:Alice@example.org", NULL, NOT_FOR },
  { "permitted;email:alice@example.org", "email:bob@example.org", NULL, NOT_FOR },
  /* several: each must be within */
  { "permitted;email:example.org", "email:alice@example.org,email:ceo@bank.com", NULL, NOT_FOR },
  { "permitted;email:example.org,permitted;email:bank.com",
    "email:alice@example.org,email:ceo@bank.com", NULL, NULL },
  { "excluded;email:example.org", "email:alice@example.org", NULL, NOT_FOR },
  { "excluded;email:example.org", "email:alice@example.net", NULL, NULL },
  { "excluded;email:example.org", "email:bob@example.net,email:alice@Example.Org", NULL, NOT_FOR },
  { "permitted;email:.org,excluded;email:example.org", "email:alice@example.org", NULL, NOT_FOR },
  /* addresses of the subject count as much, beside others or alone */
  { "permitted;email:example.org", NULL, "alice@example.org", NULL },
  { "permitted;email:example.org", NULL, "ceo@bank.com", NOT_FOR },
  { "permitted;email:example.org", "email:alice@example.org", "ceo@bank.com", NOT_FOR },
  { "excluded;email:bank.com", NULL, "ceo@bank.com", NOT_FOR },
  { "excluded;email:bank.com", "email:alice@example.org", "ceo@BANK.com", NOT_FOR },
  /* of other kinds of names it says nothing about these */
  { "permitted;DNS:example.org", "email:ceo@bank.com", NULL, NULL },
  { "permitted;email:example.org", NULL, NULL, NULL },
  /* a root's own */
  { "root:permitted;email:example.org", "email:alice@example.org", NULL, NULL },
  { "root:permitted;email:example.org", "email:ceo@bank.com", NULL, NOT_FOR },
};

static EVP_PKEY *pkey; /* one for all: only names differ */

static X509 *
blank(const char *name, X509 *issuer)
{
  static long serial = 1;
  X509 *x509 = X509_new();
  X509_NAME *subject = X509_get_subject_name(x509);
  X509_set_version(x509, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), serial++);
  X509_gmtime_adj(X509_getm_notBefore(x509), -86400);
  X509_gmtime_adj(X509_getm_notAfter(x509), 86400);
  X509_set_pubkey(x509, pkey);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const guint8 *)name, -1, -1, 0);
  X509_set_issuer_name(x509, X509_get_subject_name(issuer ? issuer : x509));
  return x509;
}

static void
extend(X509 *x509, int nid, const char *value)
{
  X509V3_CTX context;
  X509V3_set_ctx(&context, x509, x509, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
  g_assert_nonnull(extension);
  X509_add_ext(x509, extension, -1);
  X509_EXTENSION_free(extension);
}

static BaseCert *
finish(X509 *x509)
{
  g_assert_cmpint(X509_sign(x509, pkey, EVP_sha256()), >, 0);
  BaseCert *cert = base_cert_new_from_x509(x509, NULL);
  g_assert_nonnull(cert);
  return cert;
}

typedef struct {
  X509 *x509[3];
  BaseCert *root, *middle, *leaf;
} Chain;

static void
chain_clear(Chain *chain)
{
  for (int i = 0; i < 3; i++)
    X509_free(chain->x509[i]);
  base_cert_free(chain->root);
  base_cert_free(chain->middle);
  base_cert_free(chain->leaf);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Chain, chain_clear)

/* All but the leaf's signature, which the caller may give more names first. */
static Chain
chain_begin(const char *constraints)
{
  Chain chain = { .root = NULL };
  chain.x509[0] = blank("Root", NULL);
  chain.x509[1] = blank("Middle", chain.x509[0]);
  chain.x509[2] = blank("Alice", chain.x509[1]);
  gboolean of_root = constraints && g_str_has_prefix(constraints, "root:");
  for (int i = 0; i < 2; i++) {
    extend(chain.x509[i], NID_basic_constraints, "critical,CA:TRUE");
    extend(chain.x509[i], NID_key_usage, "critical,keyCertSign");
    if (constraints && of_root == (i == 0))
      extend(chain.x509[i], NID_name_constraints, constraints + (of_root ? strlen("root:") : 0));
  }
  extend(chain.x509[2], NID_key_usage, "critical,digitalSignature");
  chain.root = finish(chain.x509[0]);
  chain.middle = finish(chain.x509[1]);
  return chain;
}

static void
assert_chain(const Chain *chain, const char *objection)
{
  g_autoptr(TrustStore) store = trust_store_new(NULL);
  g_autoptr(GPtrArray) between = g_ptr_array_new();
  g_ptr_array_add(between, chain->middle);
  g_assert_true(trust_store_add(store, chain->root, "trust.d/ca.pem", NULL));
  g_autoptr(TrustChain) result = trust_chain_check(store, chain->leaf, between, 0);
  g_test_message("  %s", result->trusted ? "trusted" : result->reason);
  g_assert_cmpint(result->trusted, ==, objection == NULL);
  if (objection)
    g_assert_nonnull(strstr(result->reason, objection));
  g_autoptr(TrustWhy) why = trust_why(store, chain->leaf, between);
  g_assert_cmpint(why->trusted, ==, objection == NULL);
}

static void
add_email(X509 *x509, int type, const char *bytes, gsize length)
{
  X509_NAME_add_entry_by_NID(X509_get_subject_name(x509), NID_pkcs9_emailAddress, type,
                             (const guint8 *)bytes, (int)length, -1, 0);
}

static void
test_table(void)
{
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    const Case *one = &cases[i];
    g_auto(Chain) chain = chain_begin(one->constraints);
    g_test_message("%s: %s %s", one->constraints, one->names, one->email);
    if (one->names)
      extend(chain.x509[2], NID_subject_alt_name, one->names);
    if (one->email)
      add_email(chain.x509[2], V_ASN1_IA5STRING, one->email, strlen(one->email));
    chain.leaf = finish(chain.x509[2]);
    assert_chain(&chain, one->objection);
  }
}

static void
add_raw_name(X509 *x509, const char *bytes, int length)
{
  GENERAL_NAMES *names = GENERAL_NAMES_new();
  GENERAL_NAME *name = GENERAL_NAME_new();
  ASN1_IA5STRING *text = ASN1_IA5STRING_new();
  ASN1_STRING_set(text, bytes, length);
  GENERAL_NAME_set0_value(name, GEN_EMAIL, text);
  sk_GENERAL_NAME_push(names, name);
  X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, 0);
  GENERAL_NAMES_free(names);
}

/* A name that a C string would cut off after what is permitted, and after what is looked for. */
static void
test_nul(void)
{
  static const char split[] = "alice@example.org\0.evil.com";
  g_auto(Chain) chain = chain_begin("permitted;email:example.org");
  add_raw_name(chain.x509[2], split, sizeof split - 1);
  chain.leaf = finish(chain.x509[2]);
  g_assert_null(chain.leaf->addresses[0]);
  assert_chain(&chain, NOT_FOR);

  g_auto(Chain) free_one = chain_begin(NULL);
  add_raw_name(free_one.x509[2], split, sizeof split - 1);
  add_email(free_one.x509[2], V_ASN1_IA5STRING, split, sizeof split - 1);
  free_one.leaf = finish(free_one.x509[2]);
  g_assert_null(free_one.leaf->addresses[0]); /* trusted, for nobody's address */
  assert_chain(&free_one, NULL);
}

/* An address in the subject must be IA5 (RFC 5280 4.1.2.6); in another string type it is not compared, but refused. */
static void
test_other_string(void)
{
  g_auto(Chain) chain = chain_begin("permitted;email:example.org");
  add_email(chain.x509[2], V_ASN1_UTF8STRING, "ceo@bank.com", strlen("ceo@bank.com"));
  chain.leaf = finish(chain.x509[2]);
  assert_chain(&chain, "name syntax");
}

int
main(int argc, char **argv)
{
  g_setenv("XDG_CONFIG_HOME", soft_folder(), TRUE);
  g_setenv("XDG_CACHE_HOME", soft_folder(), TRUE);
  g_setenv("XDG_STATE_HOME", soft_folder(), TRUE);
  g_test_init(&argc, &argv, NULL);
  pkey = EVP_EC_gen("P-256");
  g_test_add_func("/trust/constraints/names-within", test_table);
  g_test_add_func("/trust/constraints/nul-in-name-nobody", test_nul);
  g_test_add_func("/trust/constraints/other-string-refused", test_other_string);
  int status = g_test_run();
  EVP_PKEY_free(pkey);
  soft_folder_remove();
  return status;
}
