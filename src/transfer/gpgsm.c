/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gpgsm keeps X.509 keys with gpg-agent. It hands out a PKCS #12 file, which never touches the disk: its
 * output is a pipe, its passphrase comes from another. */
#include "base/error.h"
#include "keyfile/keyfile.h"
#include "transfer/transfer.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define GPGSM_MS 60000 /* the first call starts gpg-agent and may look at CRLs */
#define LIST_MAX (16 * 1024 * 1024)
#define WORDS_MAX 16
#define CHAIN_MAX 16
#define FINGERPRINT_LENGTH 40
#define RANDOM_BYTES 12 /* gpgsm takes at most 31 characters for a file */

void
transfer_holding_free(TransferHolding *holding)
{
  if (!holding)
    return;
  g_free(holding->name);
  g_strfreev(holding->addresses);
  g_free(holding->fingerprint);
  g_free(holding->home);
  g_free(holding);
}

static void
free_holding(gpointer data)
{
  transfer_holding_free(data);
}

static GByteArray *
run_gpgsm(const char *home, const char *const *words, const BaseSecret *passphrase,
          char **ret_errors, GError **error)
{
  const char *argv[WORDS_MAX + CHAIN_MAX + 8] = { "gpgsm", "--batch", "--no-tty" };
  gsize n = 3;
  if (home) {
    argv[n++] = "--homedir";
    argv[n++] = home;
  }
  while (*words)
    argv[n++] = *words++;
  const TransferChild child = { argv, passphrase, GPGSM_MS, LIST_MAX };
  return transfer_child_run(&child, ret_errors, error);
}

/* ---- the listing (GnuPG's doc/DETAILS, "Format of the colon listings") ---- */

/* "\x3a" stands for a byte. */
static char *
unescaped(const char *text)
{
  g_autoptr(GString) plain = g_string_new(NULL);
  for (; *text; text++) {
    if (text[0] == '\\' && text[1] == 'x' && g_ascii_isxdigit(text[2]) &&
        g_ascii_isxdigit(text[3])) {
      g_string_append_c(plain,
                        (char)(g_ascii_xdigit_value(text[2]) * 16 + g_ascii_xdigit_value(text[3])));
      text += 3;
    } else {
      g_string_append_c(plain, *text);
    }
  }
  return g_strdup(plain->str);
}

/* "<alice@example.org>" is an address, anything else the subject. */
static void
add_user_id(TransferHolding *holding, const char *field)
{
  g_autofree char *text = unescaped(field);
  gsize length = strlen(text);
  if (length > 2 && text[0] == '<' && text[length - 1] == '>') {
    g_autofree char *inner = g_strndup(text + 1, length - 2);
    char *address = base_address_normal(inner);
    guint n = g_strv_length(holding->addresses);
    if (!address || g_strv_contains((const char *const *)holding->addresses, address)) {
      g_free(address);
      return;
    }
    holding->addresses = g_renew(char *, holding->addresses, n + 2);
    holding->addresses[n] = address;
    holding->addresses[n + 1] = NULL;
  } else if (!holding->name && length) {
    holding->name = g_steal_pointer(&text);
  }
}

static gboolean
is_fingerprint(const char *text)
{
  return strlen(text) == FINGERPRINT_LENGTH &&
         strspn(text, "0123456789ABCDEFabcdef") == FINGERPRINT_LENGTH;
}

/* (element-type TransferHolding): one for each record of `type` ("crs": with a secret key). */
static GPtrArray *
parse(const char *home, const char *listing, const char *type)
{
  GPtrArray *all = g_ptr_array_new_with_free_func(free_holding);
  g_auto(GStrv) lines = g_strsplit(listing, "\n", -1);
  TransferHolding *holding = NULL;
  for (int i = 0; lines[i]; i++) {
    g_auto(GStrv) fields = g_strsplit(lines[i], ":", -1);
    if (g_strv_length(fields) < 10)
      continue;
    if (g_str_equal(fields[0], "crt") || g_str_equal(fields[0], "crs")) {
      holding = NULL;
      if (type && !g_str_equal(fields[0], type))
        continue;
      holding = g_new0(TransferHolding, 1);
      holding->home = g_strdup(home);
      holding->addresses = g_new0(char *, 1);
      g_ptr_array_add(all, holding);
    } else if (holding && g_str_equal(fields[0], "fpr") && is_fingerprint(fields[9])) {
      g_free(holding->fingerprint);
      holding->fingerprint = g_strdup(fields[9]);
    } else if (holding && g_str_equal(fields[0], "uid")) {
      add_user_id(holding, fields[9]);
    }
  }
  for (guint i = all->len; i > 0; i--)
    if (!((TransferHolding *)g_ptr_array_index(all, i - 1))->fingerprint)
      g_ptr_array_remove_index(all, i - 1);
  return all;
}

static char *
text_of(GByteArray *bytes)
{
  char *text = g_strndup((const char *)bytes->data, bytes->len);
  g_byte_array_unref(bytes);
  return text;
}

GPtrArray *
transfer_gpgsm_list(const char *home, GError **error)
{
  static const char *const words[] = { "--with-colons", "--list-secret-keys", NULL };
  GByteArray *output = run_gpgsm(home, words, NULL, NULL, error);
  if (!output)
    return NULL;
  g_autofree char *listing = text_of(output);
  return parse(home, listing, "crs");
}

/* ---- one key ---- */

static BaseSecret *
random_passphrase(GError **error)
{
  guint8 bytes[RANDOM_BYTES];
  BaseSecret *secret = NULL;
  if (RAND_bytes(bytes, sizeof bytes) == 1) {
    char *hex = base_hex(bytes, sizeof bytes);
    secret = base_secret_new_from(hex, strlen(hex));
    base_wipe_string(hex);
  } else {
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "no random numbers");
  }
  base_wipe(bytes, sizeof bytes);
  return secret;
}

/* The certificates above it, as far as gpgsm has them; its PKCS #12 holds the leaf alone. */
static GPtrArray *
chain_of(const TransferHolding *holding)
{
  const char *list[] = { "--with-colons", "--list-chain", holding->fingerprint, NULL };
  GByteArray *listed = run_gpgsm(holding->home, list, NULL, NULL, NULL);
  if (!listed)
    return NULL;
  g_autofree char *listing = text_of(listed);
  g_autoptr(GPtrArray) all = parse(holding->home, listing, NULL);
  const char *words[CHAIN_MAX + 3] = { "--armor", "--export" };
  gsize n = 2;
  for (guint i = 0; i < all->len && n < CHAIN_MAX + 2; i++)
    words[n++] = ((TransferHolding *)g_ptr_array_index(all, i))->fingerprint;
  GByteArray *output = n > 2 ? run_gpgsm(holding->home, words, NULL, NULL, NULL) : NULL;
  if (!output)
    return NULL;
  g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(output);
  g_autoptr(GPtrArray) certificates = base_cert_read_all(bytes, "gpgsm", NULL);
  GPtrArray *ders = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  for (guint i = 0; certificates && i < certificates->len; i++)
    g_ptr_array_add(ders, g_bytes_ref(((BaseCert *)g_ptr_array_index(certificates, i))->der));
  return ders;
}

/* The last line that is no status line: gpgsm's own words. */
static char *
last_words(const char *errors)
{
  g_auto(GStrv) lines = g_strsplit(errors, "\n", -1);
  for (guint i = g_strv_length(lines); i > 0; i--)
    if (*lines[i - 1] && !g_str_has_prefix(lines[i - 1], "[GNUPG:]"))
      return g_strdup(lines[i - 1]);
  return g_strdup("it gave no reason");
}

static TransferSource *
fail(const TransferHolding *holding, const char *errors, gboolean given, GError **error)
{
  if (strstr(errors, "[GNUPG:] BAD_PASSPHRASE") || strstr(errors, "[GNUPG:] MISSING_PASSPHRASE")) {
    base_error_set(error, given ? SIGNET_ERROR_PIN_INCORRECT : SIGNET_ERROR_PIN_REQUIRED,
                   given ? "gpgsm: another passphrase protects the key of %s"
                         : "gpgsm: a passphrase protects the key of %s",
                   holding->name);
    return NULL;
  }
  g_autofree char *words = last_words(errors);
  base_error_set(error, SIGNET_ERROR_UNSUPPORTED, "gpgsm does not hand out the key of %s: %s",
                 holding->name, words);
  return NULL;
}

/* In loopback mode gpgsm takes one passphrase for both, the key's and the file's; a key without one needs only
 * the file's, and gets a random one. */
TransferSource *
transfer_gpgsm_export(const TransferHolding *holding, const BaseSecret *passphrase, GError **error)
{
  g_autoptr(BaseSecret) secret =
      passphrase ? base_secret_copy(passphrase) : random_passphrase(error);
  if (!secret)
    return NULL;
  const char *words[] = { "--pinentry-mode",
                          "loopback",
                          "--passphrase-fd",
                          G_STRINGIFY(TRANSFER_CHILD_FD),
                          "--status-fd",
                          "2",
                          "--export-secret-key-p12",
                          holding->fingerprint,
                          NULL };
  g_autofree char *errors = NULL;
  GByteArray *output = run_gpgsm(holding->home, words, secret, &errors, error);
  if (!output)
    return NULL;
  if (!output->len) {
    g_byte_array_unref(output);
    return fail(holding, errors, passphrase != NULL, error);
  }
  g_autofree char *name = g_strdup_printf("gpgsm's key of %s", holding->name);
  TransferSource *source = transfer_source_bytes(name, output);
  source->passphrase = g_steal_pointer(&secret);
  source->certificates = chain_of(holding);
  return source;
}
