/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-cms-soft.h"
#include "trust/judge.h"

#include <string.h>

#define TEXT(literal) ((char *)(guintptr)(literal))
#define WORDS(words) ((char **)(guintptr)(words))
#define DAY 86400
#define NOON_2024_05_05 1714910400
#define NOON_2026_06_01 1780315200

/* ---- facts to verdicts ---- */

static const char *const two_addresses[] = { "alice@example.org", "a.liddell@example.org", NULL };
static const char *const no_address[] = { NULL };

static BaseCert alice = {
  .subject = TEXT("CN=Alice"),
  .addresses = WORDS(two_addresses),
  .not_before = NOON_2024_05_05,
  .not_after = NOON_2026_06_01,
  .bits = 1024,
};
static BaseCert card = { .subject = TEXT("CN=Card"), .addresses = WORDS(no_address) };

static TrustChain by_root = { .trusted = TRUE, .root = TEXT("CN=Root (trust.d/ca.pem)") };
static TrustChain by_person = { .trusted = TRUE,
                                .confirmed = TRUE,
                                .root = TEXT("CN=Alice (trust.d/alice.pem)") };
static TrustChain by_nobody = { .reason = TEXT("its root, CN=Foe, is not trusted for mail") };

static TrustRevocation fine = { .state = TRUST_NOT_REVOKED };
static TrustRevocation unasked = { .state = TRUST_REVOCATION_UNKNOWN,
                                   .reason = TEXT("no answer from x") };
static TrustRevocation revoked = { .state = TRUST_REVOKED,
                                   .subject = TEXT("CN=Alice"),
                                   .reason = TEXT("keyCompromise"),
                                   .revoked_at = NOON_2026_06_01 };
static TrustRevocation middle_revoked = { .state = TRUST_REVOKED, .subject = TEXT("CN=Middle") };

static const TrustClaim from_alice = { .mail = TRUE, .from = "alice@example.org", .from_count = 1 };
static const TrustClaim from_mallory = { .mail = TRUE,
                                         .from = "mallory@evil.com",
                                         .from_count = 1 };
static const TrustClaim from_two = { .mail = TRUE, .from_count = 2 };
static const TrustClaim from_none = { .mail = TRUE };
static const TrustClaim shows_other = {
  .mail = TRUE, .from = "alice@example.org", .from_count = 1, .display_address = TRUE
};
static const TrustClaim a_file = { .mail = FALSE };

typedef struct {
  const TrustClaim *claim;
  TrustSigner signer;
  TrustRevocationPolicy policy;
  TrustVerdict verdict;
  const char *sentence;
} Row;

#define SIGNER(...)                                        \
  {                                                        \
    .valid_then = TRUE, .certificate = &alice, __VA_ARGS__ \
  }
#define UNTIMELY(...)                  \
  {                                    \
    .certificate = &alice, __VA_ARGS__ \
  }

static const Row rows[] = {
  /* the signature itself, whatever else there is */
  { &from_alice, SIGNER(.state = 1, .reason = TEXT("the content was changed after signing")), 0,
    TRUST_BAD, "The signature is bad: the content was changed after signing." },
  { &from_alice, SIGNER(.state = 1, .chain = &by_root, .revocation = &revoked), 0, TRUST_BAD,
    "The signature is bad: it does not fit the message." },
  { &from_alice, SIGNER(.state = 2, .reason = TEXT("its hash md2 is not known")), 0, TRUST_UNKNOWN,
    "The signature cannot be checked: its hash md2 is not known." },
  { &from_alice,
    { .certificate = NULL },
    0,
    TRUST_UNKNOWN,
    "The signature cannot be checked: the signer's certificate is not to be had." },
  { &from_alice, SIGNER(.weak = TRUE, .digest = TEXT("sha1"), .chain = &by_root), 0, TRUST_BAD,
    "The signature proves nothing: it was made with SHA-1, which is broken." },
  { &from_alice, SIGNER(.weak = TRUE, .digest = TEXT("md5"), .chain = &by_root), 0, TRUST_BAD,
    "The signature proves nothing: it was made with MD5, which is broken." },
  { &from_alice, SIGNER(.weak = TRUE, .digest = TEXT("sha256"), .chain = &by_root), 0, TRUST_BAD,
    "The signature proves nothing: its key of 1024 bits is too short." },
  /* whose it is */
  { &from_alice, SIGNER(.address = TRUST_ADDRESS_SAME, .chain = &by_root, .revocation = &fine), 0,
    TRUST_GOOD, "Signed by alice@example.org, trusted by CN=Root (trust.d/ca.pem)." },
  { &from_alice, SIGNER(.address = TRUST_ADDRESS_SAME, .chain = &by_person), 0, TRUST_GOOD,
    "Signed by alice@example.org, whose own certificate is trusted: CN=Alice "
    "(trust.d/alice.pem)." },
  { &a_file, SIGNER(.address = TRUST_ADDRESS_NOTHING, .chain = &by_root, .revocation = &fine), 0,
    TRUST_GOOD, "Signed by alice@example.org, trusted by CN=Root (trust.d/ca.pem)." },
  { &from_none, SIGNER(.address = TRUST_ADDRESS_UNCLEAR, .chain = &by_root, .revocation = &fine), 0,
    TRUST_GOOD, "Signed by alice@example.org, trusted by CN=Root (trust.d/ca.pem)." },
  { &from_mallory, SIGNER(.address = TRUST_ADDRESS_DIFFERS, .chain = &by_root), 0, TRUST_MISMATCH,
    "Signed by alice@example.org, a.liddell@example.org, but the message says it comes from "
    "mallory@evil.com." },
  { &from_two, SIGNER(.address = TRUST_ADDRESS_UNCLEAR, .chain = &by_root), 0, TRUST_MISMATCH,
    "Signed by alice@example.org, but the message does not come from one address." },
  { &shows_other, SIGNER(.address = TRUST_ADDRESS_SAME, .chain = &by_root), 0, TRUST_MISMATCH,
    "Signed by alice@example.org, but the name beside the sender's address shows another "
    "address." },
  { &from_alice,
    { .certificate = &card,
      .valid_then = TRUE,
      .address = TRUST_ADDRESS_ABSENT,
      .chain = &by_root },
    0,
    TRUST_NO_ADDRESS,
    "Signed by CN=Card, whose certificate has no address to compare with the sender's." },
  { &from_alice,
    { .certificate = &card,
      .valid_then = TRUE,
      .address = TRUST_ADDRESS_ABSENT,
      .chain = &by_nobody },
    0,
    TRUST_UNTRUSTED,
    "Signed by CN=Card, but the certificate is not trusted: its root, CN=Foe, is not trusted for "
    "mail." },
  /* trust */
  { &from_alice, SIGNER(.address = TRUST_ADDRESS_SAME, .chain = &by_nobody), 0, TRUST_UNTRUSTED,
    "Signed by alice@example.org, but the certificate is not trusted: its root, CN=Foe, is not "
    "trusted for mail." },
  { &from_alice, SIGNER(.address = TRUST_ADDRESS_SAME), 0, TRUST_UNTRUSTED,
    "Signed by alice@example.org, but the certificate is not trusted: its chain was not checked." },
  { &from_mallory, SIGNER(.address = TRUST_ADDRESS_DIFFERS, .chain = &by_nobody), 0, TRUST_MISMATCH,
    "Signed by alice@example.org, a.liddell@example.org, but the message says it comes from "
    "mallory@evil.com; and the certificate is not trusted: its root, CN=Foe, is not trusted for "
    "mail." },
  /* time */
  { &from_alice,
    SIGNER(.address = TRUST_ADDRESS_SAME, .chain = &by_root, .revocation = &fine,
           .signing_time = NOON_2024_05_05,
           .expired = TEXT("the certificate of CN=Alice expired on 2026-06-01")),
    0, TRUST_GOOD,
    "Signed by alice@example.org, trusted by CN=Root (trust.d/ca.pem); the certificate of CN=Alice "
    "expired on 2026-06-01, after it was signed (on 2024-05-05, says the signer)." },
  { &from_alice,
    UNTIMELY(.address = TRUST_ADDRESS_SAME, .chain = &by_root,
             .signing_time = NOON_2024_05_05 - 9 * DAY),
    0, TRUST_UNTRUSTED,
    "Signed by alice@example.org, but the signer says that it was signed on 2024-04-26, and the "
    "certificate is valid only from 2024-05-05." },
  { &from_alice,
    UNTIMELY(.address = TRUST_ADDRESS_SAME, .chain = &by_root,
             .signing_time = NOON_2026_06_01 + 9 * DAY),
    0, TRUST_UNTRUSTED,
    "Signed by alice@example.org, but the signer says that it was signed on 2026-06-10, and the "
    "certificate is valid only until 2026-06-01." },
  /* revocation */
  { &from_alice, SIGNER(.address = TRUST_ADDRESS_SAME, .chain = &by_root, .revocation = &unasked),
    TRUST_REVOCATION_SOFT, TRUST_GOOD,
    "Signed by alice@example.org, trusted by CN=Root (trust.d/ca.pem); whether it was revoked was "
    "not checked." },
  { &from_alice, SIGNER(.address = TRUST_ADDRESS_SAME, .chain = &by_root, .revocation = &unasked),
    TRUST_REVOCATION_OFF, TRUST_GOOD,
    "Signed by alice@example.org, trusted by CN=Root (trust.d/ca.pem); whether it was revoked was "
    "not checked." },
  { &from_alice, SIGNER(.address = TRUST_ADDRESS_SAME, .chain = &by_root, .revocation = &unasked),
    TRUST_REVOCATION_HARD, TRUST_UNTRUSTED,
    "Signed by alice@example.org, but whether the certificate was revoked could not be checked (no "
    "answer from x), and the setting revocation=hard asks for that." },
  { &from_alice, SIGNER(.address = TRUST_ADDRESS_SAME, .chain = &by_root, .revocation = &revoked),
    TRUST_REVOCATION_OFF, TRUST_UNTRUSTED,
    "Signed by alice@example.org, but the certificate was revoked on 2026-06-01 (keyCompromise)." },
  { &from_alice,
    SIGNER(.address = TRUST_ADDRESS_SAME, .chain = &by_root, .revocation = &revoked,
           .signing_time = NOON_2024_05_05),
    0, TRUST_UNTRUSTED,
    "Signed by alice@example.org, but the certificate was revoked on 2026-06-01 (keyCompromise), "
    "and only the signer says that it was signed before, on 2024-05-05." },
  { &from_alice,
    SIGNER(.address = TRUST_ADDRESS_SAME, .chain = &by_root, .revocation = &middle_revoked), 0,
    TRUST_UNTRUSTED, "Signed by alice@example.org, but the certificate of CN=Middle was revoked." },
  { &from_mallory,
    SIGNER(.address = TRUST_ADDRESS_DIFFERS, .chain = &by_root, .revocation = &revoked), 0,
    TRUST_UNTRUSTED,
    "Signed by alice@example.org, a.liddell@example.org, but the certificate was revoked on "
    "2026-06-01 (keyCompromise); and the message says it comes from mallory@evil.com." },
};

static void
test_rows(void)
{
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    TrustSigner signer = rows[i].signer;
    trust_judge(&signer, rows[i].claim, rows[i].policy);
    g_test_message("%-10s %s", trust_verdict_name(signer.verdict), signer.sentence);
    g_assert_cmpstr(signer.sentence, ==, rows[i].sentence);
    g_assert_cmpint(signer.verdict, ==, rows[i].verdict);
    g_free(signer.sentence);
  }
}

static void
test_names(void)
{
  static const char *const verdicts[] = { "good",       "bad",      "untrusted", "mismatch",
                                          "no-address", "unsigned", "unknown" };
  static const char *const addresses[] = { "same", "differs", "absent", "unclear", NULL };
  for (int i = 0; i <= TRUST_UNKNOWN; i++)
    g_assert_cmpstr(trust_verdict_name((TrustVerdict)i), ==, verdicts[i]);
  for (int i = 0; i <= TRUST_ADDRESS_NOTHING; i++)
    g_assert_cmpstr(trust_address_name((TrustAddress)i), ==, addresses[i]);
}

/* ---- real certificates ---- */

typedef struct {
  SoftKey *root, *alice, *bob, *old, *young, *stranger;
  TrustStore *store;
  GPtrArray *evidences;
} World;

static SoftKey *
person(const char *address, const SoftKey *issuer, int from, int until)
{
  SoftWish wish = { "ec:p256", address, issuer, FALSE, from, until };
  return soft_key_new(&wish);
}

static void
world_clear(World *world)
{
  SoftKey *keys[] = { world->root, world->alice, world->bob,
                      world->old,  world->young, world->stranger };
  for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
    soft_key_free(keys[i]);
  trust_store_free(world->store);
  g_ptr_array_unref(world->evidences);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(World, world_clear)

static World
world_new(void)
{
  SoftWish ca = { "ec:p256", NULL, NULL, TRUE, -1000, 1000 };
  World world = { .root = soft_key_new(&ca), .evidences = g_ptr_array_new_with_free_func(g_free) };
  world.alice = person("alice@example.org", world.root, -10, 100);
  world.bob = person("bob@example.org", world.root, -10, 100);
  world.old = person("alice@example.org", world.root, -500, -100);
  world.young = person("alice@example.org", world.root, 10, 100);
  world.stranger = person("alice@example.org", NULL, -10, 100);
  world.store = trust_store_new(NULL);
  g_assert_true(trust_store_add(world.store, world.root->cert, "trust.d/ca.pem", NULL));
  return world;
}

/* `days` from now: when the signer says that it was signed; 0: not said. */
static void
sign(World *world, const SoftKey *key, int state, int days)
{
  TrustEvidence *evidence = g_new0(TrustEvidence, 1);
  evidence->state = state;
  evidence->certificate = key->cert;
  evidence->digest = "sha256";
  evidence->algorithm = "ecdsa";
  evidence->signing_time = days ? g_get_real_time() / G_USEC_PER_SEC + days * DAY : 0;
  g_ptr_array_add(world->evidences, evidence);
}

static TrustReport *
judge(World *world, const TrustClaim *claim, TrustVerdict verdict, const char *says)
{
  TrustReport *report = trust_report_new(world->store, world->evidences, NULL, claim);
  g_test_message("%-10s %s", trust_verdict_name(report->verdict), report->sentence);
  g_assert_cmpint(report->verdict, ==, verdict);
  if (says)
    g_assert_nonnull(strstr(report->sentence, says));
  g_ptr_array_set_size(world->evidences, 0);
  return report;
}

static const TrustSigner *
signer_of(const TrustReport *report, guint at)
{
  return g_ptr_array_index(report->signers, at);
}

static void
test_times(void)
{
  g_auto(World) world = world_new();
  struct {
    const SoftKey *key;
    int days;
    gboolean then, now;
    TrustVerdict verdict;
    const char *says;
  } cases[] = {
    { world.alice, 0, TRUE, TRUE, TRUST_GOOD, "trusted by" },
    { world.alice, -5, TRUE, TRUE, TRUST_GOOD, "trusted by" },
    { world.alice, 5, TRUE, TRUE, TRUST_GOOD, "trusted by" }, /* a clock that is ahead */
    { world.alice, -50, FALSE, TRUE, TRUST_UNTRUSTED, "is valid only from" },
    { world.alice, 500, FALSE, TRUE, TRUST_UNTRUSTED, "is valid only until" },
    { world.old, -200, TRUE, FALSE, TRUST_GOOD, "expired on" },
    { world.old, -50, FALSE, FALSE, TRUST_UNTRUSTED, "is not trusted: the certificate of" },
    { world.old, -900, FALSE, FALSE, TRUST_UNTRUSTED, "expired on" },
    { world.old, 0, TRUE, FALSE, TRUST_UNTRUSTED, "expired on" },
    { world.young, 20, TRUE, FALSE, TRUST_UNTRUSTED, "is valid only from" },
    { world.young, 0, TRUE, FALSE, TRUST_UNTRUSTED, "is valid only from" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    sign(&world, cases[i].key, 0, cases[i].days);
    g_autoptr(TrustReport) report = judge(&world, &from_alice, cases[i].verdict, cases[i].says);
    g_assert_cmpint(signer_of(report, 0)->valid_then, ==, cases[i].then);
    g_assert_cmpint(signer_of(report, 0)->valid_now, ==, cases[i].now);
  }
}

static void
test_clock(void)
{
  g_auto(World) world = world_new();
  SoftKey *fresh = person("alice@example.org", world.root, 0, 100);
  sign(&world, fresh, 0, 0);
  TrustEvidence *evidence = g_ptr_array_index(world.evidences, 0);
  evidence->signing_time = fresh->cert->not_before - 3600;
  g_autoptr(TrustReport) report = judge(&world, &from_alice, TRUST_GOOD, "trusted by");
  g_assert_true(signer_of(report, 0)->valid_then);
  soft_key_free(fresh);
}

static void
test_several(void)
{
  g_auto(World) world = world_new();
  sign(&world, world.alice, 0, 0);
  sign(&world, world.alice, 0, 0);
  g_autoptr(TrustReport) both =
      judge(&world, &from_alice, TRUST_GOOD, "2 signatures, all good. Signed by alice@");
  sign(&world, world.alice, 0, 0);
  sign(&world, world.alice, 1, 0);
  g_autoptr(TrustReport) one =
      judge(&world, &from_alice, TRUST_BAD, "2 signatures, not all good. The signature is bad");
  g_assert_cmpint(signer_of(one, 0)->verdict, ==, TRUST_GOOD);
  g_assert_cmpint(signer_of(one, 1)->verdict, ==, TRUST_BAD);
  sign(&world, world.bob, 0, 0);
  sign(&world, world.stranger, 0, 0);
  sign(&world, world.alice, 0, 0);
  g_autoptr(TrustReport) three =
      judge(&world, &from_alice, TRUST_UNTRUSTED, "3 signatures, not all good. Signed by alice@");
  g_assert_cmpint(signer_of(three, 0)->verdict, ==, TRUST_MISMATCH);
  g_assert_cmpint(signer_of(three, 2)->verdict, ==, TRUST_GOOD);
  sign(&world, world.alice, 1, 0);
  sign(&world, world.alice, 2, 0);
  g_autoptr(TrustReport) none = judge(&world, &from_alice, TRUST_BAD, "2 signatures, none good.");
}

/* As base_address_equal() has it: the part before the @ exactly, the domain without regard to case. */
static void
test_addresses(void)
{
  g_auto(World) world = world_new();
  struct {
    const char *in_certificate, *from;
    TrustAddress address;
  } cases[] = {
    { "alice@example.org", "alice@example.org", TRUST_ADDRESS_SAME },
    { "alice@EXAMPLE.org", "alice@example.ORG", TRUST_ADDRESS_SAME },
    { "alice@example.org", "Alice@example.org", TRUST_ADDRESS_DIFFERS },
    { "alice@example.org.evil.com", "alice@example.org", TRUST_ADDRESS_DIFFERS },
    { "alice@example.org", "alice@example.org.evil.com", TRUST_ADDRESS_DIFFERS },
    { "alice@xn--bcher-kva.example", "alice@XN--bcher-KVA.example", TRUST_ADDRESS_SAME },
    { "alice@b\xc3\xbc"
      "cher.example",
      "alice@xn--bcher-kva.example", TRUST_ADDRESS_DIFFERS },
    { "alice+tag@example.org", "alice@example.org", TRUST_ADDRESS_DIFFERS },
    { "not-an-address", "alice@example.org", TRUST_ADDRESS_ABSENT },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    SoftKey *key = person(cases[i].in_certificate, world.root, -1, 30);
    TrustClaim claim = { .mail = TRUE, .from = cases[i].from, .from_count = 1 };
    g_test_message("%s, %s", cases[i].in_certificate, cases[i].from);
    TrustVerdict verdict = cases[i].address == TRUST_ADDRESS_SAME      ? TRUST_GOOD
                           : cases[i].address == TRUST_ADDRESS_DIFFERS ? TRUST_MISMATCH
                                                                       : TRUST_NO_ADDRESS;
    sign(&world, key, 0, 0);
    g_autoptr(TrustReport) report = judge(&world, &claim, verdict, NULL);
    g_assert_cmpint(signer_of(report, 0)->address, ==, cases[i].address);
    soft_key_free(key);
  }
}

static void
test_sender(void)
{
  g_auto(World) world = world_new();
  TrustClaim claim = from_alice;
  claim.sender = "secretary@example.org";
  sign(&world, world.alice, 0, 0);
  g_autoptr(TrustReport) other = judge(&world, &claim, TRUST_GOOD, NULL);
  g_assert_cmpint(signer_of(other, 0)->sender, ==, TRUST_ADDRESS_DIFFERS);
  g_assert_cmpint(signer_of(other, 0)->address, ==, TRUST_ADDRESS_SAME);
  g_assert_cmpstr(other->sender, ==, "secretary@example.org");
  /* Signed by who sent it, for another: the From address decides. */
  claim.from = "boss@example.org";
  claim.sender = "alice@example.org";
  sign(&world, world.alice, 0, 0);
  g_autoptr(TrustReport) own = judge(&world, &claim, TRUST_MISMATCH, "boss@example.org");
  g_assert_cmpint(signer_of(own, 0)->sender, ==, TRUST_ADDRESS_SAME);
}

static void
test_uncovered(void)
{
  g_auto(World) world = world_new();
  g_autoptr(GPtrArray) uncovered = g_ptr_array_new();
  TrustClaim claim = from_alice;
  g_ptr_array_add(uncovered, TEXT("a part after the signed one"));
  claim.uncovered = uncovered;
  sign(&world, world.alice, 0, 0);
  g_autoptr(TrustReport) good = judge(&world, &claim, TRUST_UNSIGNED,
                                      "Only a part of this mail is signed, the rest may be "
                                      "anybody's; that part: Signed by alice@example.org");
  g_assert_cmpuint(good->uncovered->len, ==, 1);
  g_assert_cmpint(signer_of(good, 0)->verdict, ==, TRUST_GOOD);
  sign(&world, world.alice, 1, 0);
  g_autoptr(TrustReport) bad = judge(&world, &claim, TRUST_BAD, "The signature is bad");
}

static void
test_unsigned(void)
{
  g_autoptr(TrustReport) report = trust_report_unsigned("Not signed.", TRUST_UNSIGNED);
  g_assert_cmpstr(report->sentence, ==, "Not signed.");
  g_assert_cmpuint(report->signers->len, ==, 0);
}

int
main(int argc, char **argv)
{
  g_setenv("XDG_CONFIG_HOME", soft_folder(), TRUE);
  g_setenv("XDG_CACHE_HOME", soft_folder(), TRUE);
  g_setenv("XDG_STATE_HOME", soft_folder(), TRUE);
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/trust/judge/facts-to-sentence", test_rows);
  g_test_add_func("/trust/judge/names-as-documented", test_names);
  g_test_add_func("/trust/verdict/time-signed-against-dates", test_times);
  g_test_add_func("/trust/verdict/clock-an-hour-late-good", test_clock);
  g_test_add_func("/trust/verdict/several-each-and-the-worst", test_several);
  g_test_add_func("/trust/verdict/address-exact", test_addresses);
  g_test_add_func("/trust/verdict/sender-apart", test_sender);
  g_test_add_func("/trust/verdict/uncovered-unsigned", test_uncovered);
  g_test_add_func("/trust/verdict/unsigned-said", test_unsigned);
  int status = g_test_run();
  soft_folder_remove();
  return status;
}
