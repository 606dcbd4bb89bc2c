/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust-craft.h"
#include "trust/crl.h"
#include "trust/ocsp.h"

/* What a server answers about a certificate: the first byte says whether the rest is a CRL or OCSP's. Of
 * another key than the issuer's, it proves nothing and revokes nobody. */

int LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length)
{
  static CraftParty *issuer = NULL, *person = NULL;
  if (!issuer) {
    issuer = craft_party("CA", NULL, craft_ca);
    person = craft_party("Person", issuer, NULL);
  }
  if (length < 1)
    return 0;
  TrustQuestion question = craft_question(person, issuer);
  TrustCrlSource source = { .fd = -1, .bytes = bytes + 1, .length = (goffset)length - 1 };
  g_autoptr(GBytes) response = g_bytes_new(bytes + 1, length - 1);
  g_autoptr(TrustAnswer) answer =
      bytes[0] & 1 ? trust_ocsp_look(response, &question) : trust_crl_look(&source, &question);
  g_assert_nonnull(answer);
  g_assert_cmpint(answer->state, ==, TRUST_REVOCATION_UNKNOWN);
  g_assert_false(answer->proved);
  g_assert_true(answer->reason && g_utf8_validate(answer->reason, -1, NULL));
  return 0;
}
