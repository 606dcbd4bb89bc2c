/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cert.h"
#include "base/error.h"
#include "base/path.h"
#include "cli/start.h"
#include "trust/trust.h"

#include <glib/gstdio.h>
#include <string.h>

/* ---- trust ---- */

static GPtrArray *
certificates_of(const GPtrArray *ders)
{
  GPtrArray *certificates = g_ptr_array_new_with_free_func((GDestroyNotify)base_cert_free);
  for (guint i = 0; i < ders->len; i++) {
    BaseCert *certificate = base_cert_new(ders->pdata[i], NULL);
    if (certificate)
      g_ptr_array_add(certificates, certificate);
  }
  return certificates;
}

/* What trusting comes down to: the CA's root, the topmost that a token has of the chain, or the ID's own. */
static BaseCert *
anchor_of(const SignetChoice *choice, GError **error)
{
  GBytes *der = choice->root         ? choice->root
                : choice->chain->len ? choice->chain->pdata[choice->chain->len - 1]
                                     : choice->certificate;
  return base_cert_new(der, error);
}

static gboolean
may_trust(const Start *start, const BaseCert *anchor)
{
  if (cli_flag(start->cli, "no-trust"))
    return FALSE;
  if (cli_flag(start->cli, "trust-ca") || start->cli->yes)
    return TRUE;
  if (!start->asks)
    return FALSE;
  g_autofree char *subject = cli_safe(anchor->subject);
  gboolean own = trust_root_fit(anchor) == TRUST_FIT_SELF;
  cli_say(start->cli,
          own ? "\nYour certificate is your own word; this computer does not take it yet:"
              : "\nThis computer does not trust the issuer of your certificate yet:");
  cli_say(start->cli, "  %s\n  SHA-256 %.32s\n          %s", subject, anchor->fingerprint,
          anchor->fingerprint + 32);
  cli_say(
      start->cli,
      own ? "Trusted, mail that you signed shows as good, on this computer only."
          : "Trusted, mail signed by anyone it certified shows as good, on this computer only.");
  return cli_terminal_confirm(start->cli, "Trust it for mail?");
}

gboolean
cli_start_trust(Start *start, GError **error)
{
  g_autoptr(SignetChoice) choice =
      signet_id_choose(start->cli->client, SIGNET_USE_SIGN, start->id, NULL, error);
  g_autoptr(BaseCert) own = choice ? base_cert_new(choice->certificate, error) : NULL;
  g_autoptr(BaseCert) anchor = own ? anchor_of(choice, error) : NULL;
  g_autoptr(TrustStore) store = anchor ? trust_store_new(error) : NULL;
  if (!store)
    return FALSE;
  g_autoptr(GPtrArray) between = certificates_of(choice->chain);
  g_autoptr(TrustChain) chain = trust_chain_check(store, own, between, 0);
  start->trusted = chain->trusted;
  if (chain->trusted)
    return TRUE;
  if (trust_root_fit(anchor) != TRUST_FIT_ROOT && trust_root_fit(anchor) != TRUST_FIT_SELF) {
    cli_say(start->cli, "The CA's own certificate is not here: ask the CA for it, then\n"
                        "  signet trust add FILE");
    return TRUE;
  }
  if (!may_trust(start, anchor))
    return TRUE;
  if (!trust_add_root(anchor, error))
    return FALSE;
  start->trusted = TRUE;
  cli_say(start->cli, "It is trusted for mail now; signet trust remove takes that back.");
  return TRUE;
}

/* ---- mail tools ---- */

void
cli_start_tools(const Start *start)
{
  static const char *const tools[] = { "mutt",       "neomutt", "thunderbird", "evolution",
                                       "claws-mail", "kmail",   "git",         NULL };
  g_autoptr(GString) found = g_string_new(NULL);
  for (int i = 0; tools[i]; i++) {
    g_autofree char *path = g_find_program_in_path(tools[i]);
    if (path)
      g_string_append_printf(found, "%s%s", found->len ? ", " : "", tools[i]);
  }
  if (found->len)
    cli_say(start->cli,
            "\nMail tools here: %s. This version does not set them up yet;\n"
            "until then `signet sign` and `signet encrypt` take any mail.",
            found->str);
}

/* ---- the proof ---- */

typedef struct {
  char *folder;
  char *mail;
  char *signed_mail;
} Scratch;

static void
scratch_clear(Scratch *scratch)
{
  if (scratch->mail)
    g_unlink(scratch->mail);
  if (scratch->signed_mail)
    g_unlink(scratch->signed_mail);
  if (scratch->folder)
    g_rmdir(scratch->folder);
  g_free(scratch->mail);
  g_free(scratch->signed_mail);
  g_free(scratch->folder);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Scratch, scratch_clear)

static gboolean
write_mail(const Start *start, Scratch *scratch, const char *address, GError **error)
{
  scratch->folder = g_dir_make_tmp("signet-start-XXXXXX", NULL);
  if (!scratch->folder)
    return base_error_set(error, SIGNET_ERROR_IO, "no temporary folder can be made");
  scratch->mail = g_build_filename(scratch->folder, "mail.eml", NULL);
  scratch->signed_mail = cli_text(start->cli, "output")
                             ? g_strdup(cli_text(start->cli, "output"))
                             : g_build_filename(scratch->folder, "signed.eml", NULL);
  g_autofree char *text =
      g_strdup_printf("From: %s\nTo: %s\nSubject: My first signed mail\nMIME-Version: 1.0\n"
                      "Content-Type: text/plain; charset=us-ascii\n\n"
                      "This mail is signed with my digital ID.\n",
                      address, address);
  return base_path_write(scratch->mail, text, strlen(text), 0600, error);
}

static gboolean
sign_and_verify(Start *start, const Scratch *scratch, GError **error)
{
  int status = 1;
  const char *const sign[] = { "sign", "--id",        start->id, "-o", scratch->signed_mail,
                               "-i",   scratch->mail, NULL };
  const char *const verify[] = { "verify", "-i", scratch->signed_mail, NULL };
  if (!cli_run(start->cli, sign, NULL, error) || !cli_run(start->cli, verify, &status, error))
    return FALSE;
  start->verdict = g_strdup(status == 0 ? "good" : "untrusted");
  if (status == 0)
    cli_say(start->cli, "\nA mail to yourself was signed and verified: good.");
  else if (start->trusted)
    return base_error_set(error, SIGNET_ERROR_NOT_GOOD,
                          "a mail to yourself was signed, but does not verify");
  else
    cli_say(start->cli, "\nA mail to yourself was signed; it verifies, but for your CA's being\n"
                        "trusted here: signet trust add FILE");
  return TRUE;
}

gboolean
cli_start_prove(Start *start, GError **error)
{
  g_auto(Scratch) scratch = { 0 };
  const SignetId *id = cli_start_find(start, start->id);
  if (!id || !id->addresses || !id->addresses[0]) {
    cli_say(start->cli,
            "\n%s has no mail address. Tie yours to it:\n  signet id address %s "
            "you@example.org",
            start->id, start->id);
    return TRUE;
  }
  if (!write_mail(start, &scratch, id->addresses[0], error))
    return FALSE;
  gboolean done = sign_and_verify(start, &scratch, error);
  if (done && cli_text(start->cli, "output")) {
    cli_say(start->cli, "It is in %s.", scratch.signed_mail);
    g_clear_pointer(&scratch.signed_mail, g_free); /* stays */
  }
  return done;
}
