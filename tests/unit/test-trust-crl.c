/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust-craft.h"
#include "trust/crl.h"
#include "trust/ocsp.h"
#include "trust/window.h"

#include <openssl/ocsp.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define DAY (24 * 3600)
#define HERE "http://ca.example.org/a.crl"

static CraftParty *ca, *other_ca, *alice, *bob;

static void
set_up(void)
{
  const char *const person[] = { "crlDistributionPoints=URI:" HERE, NULL };
  ca = craft_party("Mail CA", NULL, craft_ca);
  other_ca = craft_party("Mail CA", NULL, craft_ca); /* of the same name */
  alice = craft_party("alice", ca, person);
  bob = craft_party("bob", ca, person);
}

static TrustAnswer *
look_at(const guint8 *bytes, gsize length, const CraftParty *about)
{
  TrustQuestion question = craft_question(about, ca);
  TrustCrlSource source = { -1, bytes, (goffset)length };
  return trust_crl_look(&source, &question);
}

static TrustAnswer *
look(GBytes *crl, const CraftParty *about)
{
  return look_at(g_bytes_get_data(crl, NULL), g_bytes_get_size(crl), about);
}

/* By way of a file, as CRLs of a CA come. */
static TrustAnswer *
look_in_file(GBytes *crl, const CraftParty *about)
{
  g_autofree char *path = NULL;
  int fd = g_file_open_tmp("crl.XXXXXX", &path, NULL);
  gsize length = g_bytes_get_size(crl);
  g_assert_cmpint(write(fd, g_bytes_get_data(crl, NULL), length), ==, (gssize)length);
  unlink(path);
  TrustQuestion question = craft_question(about, ca);
  TrustCrlSource source = { .fd = fd, .length = (goffset)length };
  TrustAnswer *answer = trust_crl_look(&source, &question);
  close(fd);
  return answer;
}

static void
expect(CraftCrl wish, TrustRevocationState state, const char *reason)
{
  wish.signer = wish.signer ? wish.signer : ca;
  wish.until = wish.until ? wish.until : DAY;
  wish.from = wish.from ? wish.from : -60;
  g_autoptr(GBytes) crl = craft_crl(&wish);
  g_autoptr(TrustAnswer) answer = look(crl, alice);
  g_autoptr(TrustAnswer) again = look_in_file(crl, alice);
  g_test_message("%s", answer->reason ? answer->reason : "");
  g_assert_cmpint(answer->state, ==, state);
  g_assert_cmpint(again->state, ==, state);
  g_assert_cmpstr(answer->reason, ==, again->reason);
  if (reason)
    g_assert_nonnull(strstr(answer->reason, reason));
  g_assert_cmpint(answer->revoked_at > 0, ==, state == TRUST_REVOKED);
}

#define GOOD TRUST_NOT_REVOKED, NULL
#define UNKNOWN TRUST_REVOCATION_UNKNOWN

static void
test_states(void)
{
  expect((CraftCrl){ .reason = -1 }, GOOD);
  expect((CraftCrl){ .others = 5 }, GOOD);
  expect((CraftCrl){ .revoked = bob, .reason = 1, .others = 3000 }, GOOD);
  expect((CraftCrl){ .revoked = alice, .reason = 1, .others = 3000 }, TRUST_REVOKED,
         "keyCompromise");
  expect((CraftCrl){ .revoked = alice, .reason = 0 }, TRUST_REVOKED, "unspecified");
  expect((CraftCrl){ .revoked = alice, .reason = -1 }, TRUST_REVOKED, NULL);
  expect((CraftCrl){ .revoked = alice, .reason = 6 }, TRUST_REVOKED, "certificateHold");
  expect((CraftCrl){ .revoked = alice, .reason = 8 }, TRUST_REVOKED, "certificateHold");
  expect((CraftCrl){ .revoked = alice, .reason = 99 }, TRUST_REVOKED, NULL);
}

static void
test_dates(void)
{
  expect((CraftCrl){ .from = -3 * DAY, .until = -DAY }, UNKNOWN, "it was good until");
  expect((CraftCrl){ .from = DAY, .until = 2 * DAY }, UNKNOWN, "of the future");
  /* What is revoked stays so. */
  expect((CraftCrl){ .from = -3 * DAY, .until = -DAY, .revoked = alice, .reason = 4 },
         TRUST_REVOKED, "superseded");
}

/* RFC 5280 3.3: a list need not name a certificate that has expired. */
static void
test_expired(void)
{
  static const struct {
    int made; /* days from now; alice's certificate ends after 30 */
    gboolean revoked;
    const char *extension;
    TrustRevocationState state;
  } cases[] = {
    { 40, FALSE, NULL, TRUST_REVOCATION_UNKNOWN },
    { 40, TRUE, NULL, TRUST_REVOKED },
    { 29, FALSE, NULL, TRUST_NOT_REVOKED },
    { 40, FALSE, "2.5.29.60=DER:18:0F:32:30:30:31:30:31:30:31:30:30:30:30:30:30:5A",
      TRUST_NOT_REVOKED }, /* kept since 2001 */
    { 40, FALSE, "2.5.29.60=DER:18:0F:32:39:30:31:30:31:30:31:30:30:30:30:30:30:5A",
      TRUST_REVOCATION_UNKNOWN },
    { 40, FALSE, "2.5.29.60=DER:04:00", TRUST_REVOCATION_UNKNOWN },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GBytes) crl = craft_crl(&(CraftCrl){ .signer = ca,
                                                   .revoked = cases[i].revoked ? alice : NULL,
                                                   .reason = 1,
                                                   .from = cases[i].made * DAY,
                                                   .until = 50 * DAY,
                                                   .extension = cases[i].extension });
    g_autoptr(GBytes) ocsp = craft_ocsp(&(CraftOcsp){
        .about = alice,
        .issuer = ca,
        .signer = ca,
        .status = cases[i].revoked ? V_OCSP_CERTSTATUS_REVOKED : V_OCSP_CERTSTATUS_GOOD,
        .reason = 1,
        .from = cases[i].made * DAY,
        .until = 50 * DAY });
    TrustQuestion question = craft_question(alice, ca);
    TrustCrlSource source = { -1, g_bytes_get_data(crl, NULL), (goffset)g_bytes_get_size(crl) };
    question.now += 45 * DAY;
    g_autoptr(TrustAnswer) listed = trust_crl_look(&source, &question);
    g_autoptr(TrustAnswer) told = trust_ocsp_look(ocsp, &question);
    g_assert_cmpint(listed->state, ==, cases[i].state);
    if (!cases[i].extension)
      g_assert_cmpint(told->state, ==, cases[i].state);
  }
}

static void
test_foreign(void)
{
  const char *const no_crls[] = { "basicConstraints=critical,CA:TRUE",
                                  "keyUsage=critical,keyCertSign", NULL };
  expect((CraftCrl){ .signer = other_ca, .reason = -1 }, UNKNOWN, "signature is not the issuer's");
  expect((CraftCrl){ .name = "Another CA", .reason = -1 }, UNKNOWN, TRUST_CRL_OF_ANOTHER);
  g_autoptr(CraftParty) unfit = craft_party("Mail CA", NULL, no_crls);
  g_autoptr(GBytes) crl = craft_crl(&(CraftCrl){ .signer = unfit, .from = -60, .until = DAY });
  TrustQuestion question = craft_question(alice, unfit);
  TrustCrlSource source = { -1, g_bytes_get_data(crl, NULL), (goffset)g_bytes_get_size(crl) };
  g_autoptr(TrustAnswer) answer = trust_crl_look(&source, &question);
  g_assert_cmpstr(answer->reason, ==, "the issuer may not sign CRLs");
}

static void
test_scope(void)
{
  expect((CraftCrl){ .extension = "authorityKeyIdentifier=keyid:always" }, GOOD);
  expect((CraftCrl){ .extension = "2.5.29.28=critical,DER:30:03:81:01:FF" }, GOOD); /* users */
  expect((CraftCrl){ .extension = "2.5.29.28=critical,DER:30:03:82:01:FF" }, UNKNOWN,
         "not about this certificate"); /* CAs */
  expect((CraftCrl){ .extension = "2.5.29.28=critical,DER:30:03:85:01:FF" }, UNKNOWN,
         "not about this certificate"); /* attribute certificates */
  expect((CraftCrl){ .extension = "2.5.29.28=critical,DER:30:03:84:01:FF" }, UNKNOWN,
         "of a kind"); /* indirect */
  expect((CraftCrl){ .extension = "2.5.29.28=critical,DER:30:04:83:02:06:40" }, UNKNOWN,
         "not about this certificate"); /* some reasons */
  expect((CraftCrl){ .extension = "2.5.29.28=critical,DER:30:04:83:02:06:40",
                     .revoked = alice,
                     .reason = 1 },
         TRUST_REVOKED, "keyCompromise");
  expect((CraftCrl){ .extension = "2.5.29.28=critical,DER:30:04:83:02:06" }, UNKNOWN, "damaged");
  expect((CraftCrl){ .extension = "2.5.29.27=critical,DER:02:01:01" }, UNKNOWN, "of a kind");
  expect((CraftCrl){ .extension = "1.2.3.4=critical,DER:05:00" }, UNKNOWN, "of a kind");
  expect((CraftCrl){ .extension = "1.2.3.4=DER:05:00" }, GOOD);
  /* In whosever entry. */
  expect((CraftCrl){ .revoked = bob, .reason = 1, .entry_extension = "1.2.3.4=critical,DER:05:00" },
         UNKNOWN, "of a kind");
  expect((CraftCrl){ .revoked = bob, .reason = 1, .entry_extension = "1.2.3.4=DER:05:00" }, GOOD);
}

/* One of a CA's several lists in place of another. */
static void
test_point(void)
{
  static const struct {
    const char *url;
    gboolean fits;
  } points[] = { { HERE, TRUE }, { "http://ca.example.org/b.crl", FALSE } };
  for (gsize i = 0; i < G_N_ELEMENTS(points); i++) {
    g_autoptr(GString) der = g_string_new(NULL);
    gsize length = strlen(points[i].url);
    g_string_append_printf(der, "2.5.29.28=critical,DER:30:%02zx:a0:%02zx:a0:%02zx:86:%02zx",
                           length + 6, length + 4, length + 2, length);
    for (const char *c = points[i].url; *c; c++)
      g_string_append_printf(der, ":%02x", (guint)*c);
    expect((CraftCrl){ .extension = der->str },
           points[i].fits ? TRUST_NOT_REVOKED : TRUST_REVOCATION_UNKNOWN,
           points[i].fits ? NULL : "not about this certificate");
  }
}

static void
test_algorithms(void)
{
  static const char *const kinds[] = { "rsa", "pss", "ed25519", "p521" };
  for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
    EVP_PKEY *key = i == 3   ? EVP_EC_gen("P-521")
                    : i == 2 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                             : EVP_RSA_gen(2048);
    EVP_PKEY *before = ca->key;
    X509 *x509 = X509_dup(ca->x509), *was = ca->x509;
    X509_set_pubkey(x509, key);
    ca->key = key;
    ca->x509 = x509;
    expect((CraftCrl){ .pss = i == 1, .others = 4000 }, GOOD);
    expect((CraftCrl){ .pss = i == 1, .revoked = alice, .reason = 1 }, TRUST_REVOKED, NULL);
    if (i == 0)
      expect((CraftCrl){ .digest = EVP_sha1() }, UNKNOWN, "broken hash");
    ca->key = before;
    ca->x509 = was;
    X509_free(x509);
    EVP_PKEY_free(key);
  }
}

/* ---- bytes that were changed on their way ---- */

static void
test_changed(void)
{
  g_autoptr(GBytes) crl = craft_crl(&(CraftCrl){
      .signer = ca, .revoked = bob, .reason = 1, .from = -60, .until = DAY, .others = 1 });
  gsize length = g_bytes_get_size(crl);
  g_autofree guint8 *bytes = g_memdup2(g_bytes_get_data(crl, NULL), length);
  for (gsize i = 0; i < length; i++) {
    g_autofree guint8 *cut = g_memdup2(bytes, i); /* its end is where a sanitizer sees */
    g_autoptr(TrustAnswer) shorter = look_at(cut, i, alice);
    g_assert_cmpint(shorter->state, ==, TRUST_REVOCATION_UNKNOWN);
    for (int bit = 0; bit < 8; bit++) {
      bytes[i] ^= (guint8)(1 << bit);
      g_autoptr(TrustAnswer) answer = look_at(bytes, length, alice);
      g_assert_cmpint(answer->state, ==, TRUST_REVOCATION_UNKNOWN);
      bytes[i] ^= (guint8)(1 << bit);
    }
  }
  g_autofree guint8 *longer = g_malloc0(length + 1);
  memcpy(longer, bytes, length);
  g_autoptr(TrustAnswer) answer = look_at(longer, length + 1, alice);
  g_assert_cmpint(answer->state, ==, TRUST_REVOCATION_UNKNOWN);
}

static void
test_changed_ocsp(void)
{
  TrustQuestion question = craft_question(alice, ca);
  g_autoptr(GBytes) response = craft_ocsp(&(CraftOcsp){ .about = alice,
                                                        .issuer = ca,
                                                        .signer = ca,
                                                        .status = V_OCSP_CERTSTATUS_REVOKED,
                                                        .reason = 1,
                                                        .from = -60,
                                                        .until = DAY });
  gsize length = g_bytes_get_size(response);
  g_autofree guint8 *bytes = g_memdup2(g_bytes_get_data(response, NULL), length);
  for (gsize i = 0; i < length * 8; i++) {
    bytes[i / 8] ^= (guint8)(1 << i % 8);
    g_autoptr(GBytes) changed = g_bytes_new(bytes, length);
    g_autoptr(GBytes) cut = g_bytes_new(g_bytes_get_data(response, NULL), i / 8);
    g_autoptr(TrustAnswer) answer = trust_ocsp_look(changed, &question);
    g_autoptr(TrustAnswer) shorter = trust_ocsp_look(cut, &question);
    g_assert_cmpint(answer->state, !=, TRUST_NOT_REVOKED);
    g_assert_cmpint(shorter->state, ==, TRUST_REVOCATION_UNKNOWN);
    bytes[i / 8] ^= (guint8)(1 << i % 8);
  }
}

/* ---- OCSP ---- */

static void
expect_ocsp(CraftOcsp wish, TrustRevocationState state, const char *reason)
{
  TrustQuestion question = craft_question(alice, ca);
  wish.about = wish.about ? wish.about : alice;
  wish.issuer = wish.issuer ? wish.issuer : ca;
  wish.signer = wish.signer ? wish.signer : ca;
  wish.from = wish.from ? wish.from : -60;
  g_autoptr(GBytes) response = craft_ocsp(&wish);
  g_autoptr(TrustAnswer) answer = trust_ocsp_look(response, &question);
  g_test_message("%s", answer->reason ? answer->reason : "");
  g_assert_cmpint(answer->state, ==, state);
  if (reason)
    g_assert_nonnull(strstr(answer->reason, reason));
}

#define REVOKED V_OCSP_CERTSTATUS_REVOKED

static void
test_ocsp(void)
{
  expect_ocsp((CraftOcsp){ .until = DAY }, GOOD);
  expect_ocsp((CraftOcsp){ .until = 0 }, GOOD);
  expect_ocsp((CraftOcsp){ .until = DAY, .id = EVP_sha256() }, GOOD);
  expect_ocsp((CraftOcsp){ .until = DAY, .status = REVOKED, .reason = 1 }, TRUST_REVOKED,
              "keyCompromise");
  expect_ocsp((CraftOcsp){ .until = DAY, .status = REVOKED, .reason = 6 }, TRUST_REVOKED,
              "certificateHold");
  expect_ocsp((CraftOcsp){ .until = DAY, .status = V_OCSP_CERTSTATUS_UNKNOWN }, UNKNOWN,
              "does not know");
  expect_ocsp((CraftOcsp){ .until = DAY, .about = bob }, UNKNOWN, "about another certificate");
  expect_ocsp((CraftOcsp){ .until = DAY, .issuer = other_ca }, UNKNOWN,
              "about another certificate");
  expect_ocsp((CraftOcsp){ .until = DAY, .signer = other_ca }, UNKNOWN, "not signed by the issuer");
  expect_ocsp((CraftOcsp){ .from = -3 * DAY, .until = -DAY }, UNKNOWN, "was good until");
  expect_ocsp((CraftOcsp){ .from = -3 * DAY }, UNKNOWN, "was good until");
  expect_ocsp((CraftOcsp){ .from = DAY, .until = 2 * DAY }, UNKNOWN, "of the future");
}

static void
test_delegate(void)
{
  static const char *const for_ocsp[] = { "extendedKeyUsage=OCSPSigning", NULL };
  static const char *const for_mail[] = { "extendedKeyUsage=emailProtection", NULL };
  static const char *const for_any[] = { "extendedKeyUsage=anyExtendedKeyUsage", NULL };
  g_autoptr(CraftParty) good = craft_party("responder", ca, for_ocsp);
  g_autoptr(CraftParty) unfit = craft_party("responder", ca, for_mail);
  g_autoptr(CraftParty) any = craft_party("responder", ca, for_any);
  g_autoptr(CraftParty) foreign = craft_party("responder", other_ca, for_ocsp);
  expect_ocsp((CraftOcsp){ .until = DAY, .signer = good }, GOOD);
  expect_ocsp((CraftOcsp){ .until = DAY, .signer = unfit }, UNKNOWN, "not signed by the issuer");
  expect_ocsp((CraftOcsp){ .until = DAY, .signer = any }, UNKNOWN, "not signed by the issuer");
  expect_ocsp((CraftOcsp){ .until = DAY, .signer = foreign }, UNKNOWN, "not signed by the issuer");
  expect_ocsp((CraftOcsp){ .until = DAY, .signer = bob }, UNKNOWN, "not signed by the issuer");
}

static void
test_algorithms_ocsp(void)
{
  static const char *const for_ocsp[] = { "extendedKeyUsage=OCSPSigning", NULL };
  g_autoptr(CraftParty) rsa = craft_party("responder", ca, for_ocsp);
  EVP_PKEY_free(rsa->key);
  rsa->key = EVP_RSA_gen(2048);
  X509_set_pubkey(rsa->x509, rsa->key);
  g_assert_cmpint(X509_sign(rsa->x509, ca->key, EVP_sha256()), >, 0);
  for (int pss = 0; pss < 2; pss++) {
    expect_ocsp((CraftOcsp){ .until = DAY, .signer = rsa, .pss = pss }, GOOD);
    expect_ocsp((CraftOcsp){ .until = DAY, .signer = rsa, .pss = pss, .digest = EVP_sha1() },
                UNKNOWN, "not signed by the issuer");
  }
  expect_ocsp((CraftOcsp){ .until = DAY, .digest = EVP_sha1() }, UNKNOWN,
              "not signed by the issuer");
}

/* ---- large lists ---- */

static long
resident_kib(void)
{
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

static void
test_large(void)
{
  int others = g_test_perf() ? 200000 : 20000;
  g_autofree char *path = NULL;
  g_autoptr(GBytes) crl =
      craft_crl(&(CraftCrl){ .signer = ca, .from = -60, .until = DAY, .others = others });
  gsize length = g_bytes_get_size(crl);
  clock_t before = clock();
  long resident = resident_kib();
  g_autoptr(TrustAnswer) answer = look_in_file(crl, alice);
  g_assert_cmpint(answer->state, ==, TRUST_NOT_REVOKED);
  g_test_message("%d entries, %zu bytes: %ld us, %ld KiB more", others, length,
                 (long)(clock() - before), resident_kib() - resident);
}

static void
test_small_costs(void)
{
  TrustQuestion question = craft_question(alice, ca);
  g_autoptr(GBytes) crl =
      craft_crl(&(CraftCrl){ .signer = ca, .from = -60, .until = DAY, .others = 100 });
  g_autoptr(GBytes) response = craft_ocsp(
      &(CraftOcsp){ .about = alice, .issuer = ca, .signer = ca, .from = -60, .until = DAY });
  clock_t start = clock();
  for (int i = 0; i < 100; i++)
    trust_answer_free(look(crl, alice));
  clock_t middle = clock();
  for (int i = 0; i < 100; i++)
    trust_answer_free(trust_ocsp_look(response, &question));
  g_test_message("a CRL of 100 entries %.1f us, OCSP %.1f us", (double)(middle - start) / 100,
                 (double)(clock() - middle) / 100);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  set_up();
  g_test_add_func("/trust/crl/each-state-is-told", test_states);
  g_test_add_func("/trust/crl/old-and-future-lists-tell-nothing-good", test_dates);
  g_test_add_func("/trust/crl/silence-about-the-expired-proves-nothing", test_expired);
  g_test_add_func("/trust/crl/others-lists-are-not-believed", test_foreign);
  g_test_add_func("/trust/crl/what-a-list-is-about-counts", test_scope);
  g_test_add_func("/trust/crl/one-list-does-not-stand-for-another", test_point);
  g_test_add_func("/trust/crl/each-algorithm-is-checked", test_algorithms);
  g_test_add_func("/trust/crl/no-change-gives-not-revoked", test_changed);
  g_test_add_func("/trust/crl/large-lists-cost-little-memory", test_large);
  g_test_add_func("/trust/ocsp/each-state-is-told", test_ocsp);
  g_test_add_func("/trust/ocsp/only-the-issuer-and-its-delegate-are-believed", test_delegate);
  g_test_add_func("/trust/ocsp/each-algorithm-is-checked", test_algorithms_ocsp);
  g_test_add_func("/trust/ocsp/no-change-gives-not-revoked", test_changed_ocsp);
  g_test_add_func("/trust/ocsp/small-answers-cost-little-time", test_small_costs);
  return g_test_run();
}
