/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ADDR[,KEY][,variant]… */
#include "base/cert.h"
#include "base/error.h"
#include "base/text.h"
#include "sandbox/sandbox.h"

#include <string.h>

#define DEFAULT_KIND "ec:p256" /* made in a millisecond; RSA takes a hundred and more */

static const struct {
  const char *word;
  SandboxVariant variant;
} variants[] = {
  { "expired", SANDBOX_EXPIRED },       { "revoked", SANDBOX_REVOKED },
  { "untrusted", SANDBOX_UNTRUSTED },   { "split", SANDBOX_SPLIT },
  { "no-address", SANDBOX_NO_ADDRESS }, { "old-keys", SANDBOX_OLD_KEYS },
};

void
sandbox_person_free(SandboxPerson *person)
{
  if (!person)
    return;
  g_free(person->address);
  g_free(person->kind);
  g_free(person);
}

static guint
variant_of(const char *word)
{
  for (gsize i = 0; i < G_N_ELEMENTS(variants); i++)
    if (strcmp(word, variants[i].word) == 0)
      return variants[i].variant;
  return 0;
}

static gboolean
take_word(SandboxPerson *person, const char *word, GError **error)
{
  guint variant = variant_of(word);
  BaseKeyKind kind;
  int bits;
  person->variants |= variant;
  if (variant)
    return TRUE;
  if (!base_key_kind_parse(word, &kind, &bits, NULL)) {
    g_autofree char *shown = base_text_shown(word, -1);
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "\"%s\" is neither a kind of key nor a variant: rsa:2048, rsa:3072, "
                          "rsa:4096, ec:p256, ec:p384, ed25519; expired, revoked, untrusted, "
                          "split, no-address, old-keys",
                          shown);
  }
  if (person->kind)
    return base_error_set(error, SIGNET_ERROR_USAGE, "%s has two kinds of key", person->address);
  person->kind = g_strdup(word);
  return TRUE;
}

static gboolean
check(const SandboxPerson *person, gboolean contact, GError **error)
{
  guint own_only = SANDBOX_SPLIT | SANDBOX_OLD_KEYS;
  if (contact && (person->variants & own_only))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "%s: split and old-keys are for --id, not for --contact",
                          person->address);
  if ((person->variants & SANDBOX_SPLIT) && strcmp(person->kind, "ed25519") == 0)
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "%s: split needs a key that can decrypt; ed25519 only signs",
                          person->address);
  return TRUE;
}

SandboxPerson *
sandbox_person_parse(const char *text, gboolean contact, GError **error)
{
  g_auto(GStrv) words = g_strsplit(text, ",", -1);
  g_autoptr(SandboxPerson) person = g_new0(SandboxPerson, 1);
  person->address = words[0] ? base_address_normal(words[0]) : NULL;
  /* rfc822Name is an IA5String (RFC 5280 4.2.1.6). */
  if (!person->address || !g_str_is_ascii(person->address)) {
    g_autofree char *shown = base_text_shown(words[0] ? words[0] : "", -1);
    base_error_set(error, SIGNET_ERROR_USAGE, "\"%s\" is no mail address for a certificate", shown);
    return NULL;
  }
  for (char **word = words + 1; *word; word++)
    if (!take_word(person, *word, error))
      return NULL;
  if (!person->kind)
    person->kind = g_strdup(DEFAULT_KIND);
  return check(person, contact, error) ? g_steal_pointer(&person) : NULL;
}
