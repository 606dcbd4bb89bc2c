/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/fill.h"

#include "base/cert.h"
#include "base/error.h"
#include "sandbox/ca.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <string.h>

#define DAY (24 * 60 * 60)
#define SO_PIN "00000000" /* of a token that lives for one command */
#define NAME_MAX_CHARS 64 /* ub-common-name, RFC 5280 appendix A.1 */

typedef struct {
  const SandboxPlace *place;
  SignetClient *client;
  SandboxCa *ca;
  SandboxCa *other; /* (nullable) not trusted */
  const char *pin;
} Filling;

static void
filling_clear(Filling *filling)
{
  g_clear_pointer(&filling->client, signet_client_free);
  g_clear_pointer(&filling->ca, sandbox_ca_free);
  g_clear_pointer(&filling->other, sandbox_ca_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Filling, filling_clear)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)

/* ---- the CAs ---- */

static gboolean
write_ca(const Filling *filling, const SandboxCa *ca, const char *below, GError **error)
{
  g_autofree char *path = sandbox_place_path(filling->place, below);
  return sandbox_write_certificate(sandbox_ca_certificate(ca), path, error);
}

static gboolean
make_ca(Filling *filling, GError **error)
{
  filling->ca = sandbox_ca_new("Throwaway CA", error);
  return filling->ca && write_ca(filling, filling->ca, "ca.pem", error) &&
         write_ca(filling, filling->ca, "home/.config/signet/trust.d/sandbox.pem", error);
}

static SandboxCa *
ca_for(Filling *filling, const SandboxPerson *person, GError **error)
{
  if (!(person->variants & SANDBOX_UNTRUSTED))
    return filling->ca;
  if (!filling->other) {
    g_autoptr(SandboxCa) other = sandbox_ca_new("Untrusted CA", error);
    if (!other || !write_ca(filling, other, "untrusted-ca.pem", error))
      return NULL;
    filling->other = g_steal_pointer(&other);
  }
  return filling->other;
}

/* ---- certificates ---- */

/* What one certificate of a person is for. */
typedef struct {
  gboolean sign;
  gboolean decrypt;
  gboolean old;       /* ended a year ago, and another key came after it */
  const char *suffix; /* of its file */
} Part;

static char *
name_of(const SandboxPerson *person)
{
  gsize length = (gsize)(strchr(person->address, '@') - person->address);
  return g_strndup(person->address, MIN(length, NAME_MAX_CHARS));
}

static X509 *
certify(Filling *filling, const SandboxPerson *person, const Part *part, EVP_PKEY *key,
        GError **error)
{
  SandboxCa *ca = ca_for(filling, person, error);
  if (!ca)
    return NULL;
  g_autofree char *name = name_of(person);
  SandboxSubject subject = {
    .key = key,
    .name = name,
    .address = person->variants & SANDBOX_NO_ADDRESS ? NULL : person->address,
    .sign = part->sign,
    .decrypt = part->decrypt,
    .from = -DAY,
    .until = 365 * DAY,
    .revoked = (person->variants & SANDBOX_REVOKED) && !part->old,
  };
  if (part->old) {
    subject.from = -730 * DAY;
    subject.until = -365 * DAY;
  } else if (person->variants & SANDBOX_EXPIRED) {
    subject.from = -365 * DAY;
    subject.until = -DAY;
  }
  return sandbox_ca_issue(ca, &subject, error);
}

/* A local part may hold a slash (RFC 5322 3.2.3). */
static char *
file_of(const Filling *filling, const char *folder, const SandboxPerson *person, const char *suffix)
{
  g_autofree char *name = g_strdelimit(g_strdup(person->address), "/", '_');
  g_autofree char *file = g_strconcat(name, suffix, NULL);
  g_autofree char *below = g_build_filename(folder, file, NULL);
  return sandbox_place_path(filling->place, below);
}

static GBytes *
der_of(X509 *certificate)
{
  guint8 *der = NULL;
  int length = i2d_X509(certificate, &der);
  GBytes *bytes = g_bytes_new(der, length > 0 ? (gsize)length : 0);
  OPENSSL_free(der);
  return bytes;
}

/* ---- IDs ---- */

static SignetGenerated *
generate(const Filling *filling, const SandboxPerson *person, const Part *part, GError **error)
{
  const char *const addresses[] = { person->address, NULL };
  g_autofree char *name = name_of(person);
  SignetGenerate request = {
    .addresses = addresses,
    .name = name,
    .token = SANDBOX_LABEL,
    .kind = person->kind,
    .can = (part->sign ? SIGNET_CAN_SIGN : 0) | (part->decrypt ? SIGNET_CAN_DECRYPT : 0),
    .no_backup = TRUE,
  };
  return signet_id_generate(filling->client, &request, error);
}

static gboolean
add_part(Filling *filling, const SandboxPerson *person, const Part *part, GError **error)
{
  gsize length;
  g_autofree char *path = file_of(filling, "ids", person, part->suffix);
  g_autoptr(SignetGenerated) made = generate(filling, person, part, error);
  if (!made)
    return FALSE;
  const guint8 *at = g_bytes_get_data(made->public_key, &length);
  g_autoptr(EVP_PKEY) key = d2i_PUBKEY(NULL, &at, (long)length);
  if (!key)
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot read the new key of %s",
                                  person->address);
  g_autoptr(X509) certificate = certify(filling, person, part, key, error);
  g_autoptr(GBytes) der = certificate ? der_of(certificate) : NULL;
  return der &&
         signet_id_store_certificate(filling->client, der, FALSE, SANDBOX_LABEL, NULL, NULL, NULL,
                                     error) &&
         sandbox_write_certificate(certificate, path, error);
}

static gboolean
add_id(Filling *filling, const SandboxPerson *person, GError **error)
{
  gboolean decrypts = strcmp(person->kind, "ed25519") != 0;
  const Part both = { TRUE, decrypts, FALSE, ".pem" };
  const Part signing = { TRUE, FALSE, FALSE, ".pem" };
  const Part encryption = { FALSE, TRUE, FALSE, "-encrypt.pem" };
  const Part old = { TRUE, decrypts, TRUE, "-old.pem" };
  if ((person->variants & SANDBOX_OLD_KEYS) && !add_part(filling, person, &old, error))
    return FALSE;
  if (person->variants & SANDBOX_SPLIT)
    return add_part(filling, person, &signing, error) &&
           add_part(filling, person, &encryption, error);
  return add_part(filling, person, &both, error);
}

/* ---- contacts ---- */

static EVP_PKEY *
make_key(const char *text, GError **error)
{
  BaseKeyKind kind;
  int bits;
  EVP_PKEY *key = NULL;
  if (!base_key_kind_parse(text, &kind, &bits, error))
    return NULL;
  if (kind == BASE_KEY_RSA)
    key = EVP_RSA_gen((unsigned)bits);
  else if (kind == BASE_KEY_ED25519)
    key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
  else
    key = EVP_EC_gen(kind == BASE_KEY_EC_P384 ? "P-384" : "P-256");
  if (!key)
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot make a %s key", text);
  return key;
}

static gboolean
add_contact(Filling *filling, const SandboxPerson *person, GError **error)
{
  const Part part = { TRUE, strcmp(person->kind, "ed25519") != 0, FALSE, "" };
  g_autofree char *path = file_of(filling, "contacts", person, "");
  g_autoptr(EVP_PKEY) key = make_key(person->kind, error);
  g_autoptr(X509) certificate = key ? certify(filling, person, &part, key, error) : NULL;
  return certificate && sandbox_write_person(certificate, key, path, filling->pin, error);
}

/* ---- the token ---- */

/* Which folder is the token, for `do remove`. */
static gboolean
note_token(const Filling *filling, GError **error)
{
  g_autofree char *tokens = sandbox_place_path(filling->place, SANDBOX_TOKENS);
  g_autofree char *note = sandbox_place_path(filling->place, SANDBOX_TOKEN_FILE);
  g_autoptr(GDir) dir = g_dir_open(tokens, 0, NULL);
  const char *name = dir ? g_dir_read_name(dir) : NULL;
  if (!name)
    return base_error_set(error, SIGNET_ERROR_FAILED, "the soft token left no folder in %s",
                          tokens);
  if (!g_file_set_contents_full(note, name, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL))
    return base_error_set_errno(error, errno, "cannot write %s", note);
  return TRUE;
}

static gboolean
make_token(const Filling *filling, GError **error)
{
  SignetTokenInit init = {
    .label = SANDBOX_LABEL, .pin = filling->pin, .so_pin = SO_PIN, .soft = TRUE
  };
  g_autoptr(SignetToken) token = signet_token_init(filling->client, &init, NULL, error);
  if (!token)
    return FALSE;
  g_setenv("SIGNET_SANDBOX_URI", token->uri, TRUE);
  return note_token(filling, error) &&
         signet_token_unlock(filling->client, SANDBOX_LABEL, filling->pin, FALSE, NULL, error);
}

gboolean
sandbox_fill(const SandboxPlace *place, const SandboxWish *wish, const char *pin, GError **error)
{
  g_auto(Filling) filling = { .place = place, .pin = pin };
  g_autofree char *crl = sandbox_place_path(place, "ca.crl");
  filling.client = signet_client_connect(NULL, SIGNET_CONNECT_DEFAULT, error);
  if (!filling.client)
    return FALSE;
  signet_client_set_ask(filling.client, FALSE, NULL, NULL);
  if (!make_ca(&filling, error) || !make_token(&filling, error))
    return FALSE;
  for (guint i = 0; i < wish->ids->len; i++)
    if (!add_id(&filling, wish->ids->pdata[i], error))
      return FALSE;
  for (guint i = 0; i < wish->contacts->len; i++)
    if (!add_contact(&filling, wish->contacts->pdata[i], error))
      return FALSE;
  return sandbox_ca_write_crl(filling.ca, crl, error) &&
         (!wish->locked || signet_token_lock(filling.client, NULL, NULL, error));
}
