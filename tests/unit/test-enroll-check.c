/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "enroll/check.h"

#define NOW 1800000000

typedef struct {
  const char *key;
  const char *addresses[3];
  guint use;
  gint64 not_before, not_after;
} Sample;

static void
check(const Sample *sample, const char *const *wanted, gboolean fine)
{
  g_autoptr(GError) error = NULL;
  char *addresses[3] = { g_strdup(sample->addresses[0]), g_strdup(sample->addresses[1]), NULL };
  BaseCert certificate = { .key = g_strdup(sample->key),
                           .subject = g_strdup("CN=Alice"),
                           .addresses = addresses,
                           .use = sample->use,
                           .not_before = sample->not_before,
                           .not_after = sample->not_after };
  EnrollSubject subject = { .key = "aa", .addresses = wanted };
  g_assert_cmpint(enroll_check_certificate(&certificate, &subject, NOW, &error), ==, fine);
  if (!fine)
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_free(certificate.key);
  g_free(certificate.subject);
  g_free(addresses[0]);
  g_free(addresses[1]);
}

static void
test_certificate(void)
{
  const char *one[] = { "a@example.org", NULL };
  const char *two[] = { "a@example.org", "b@example.org", NULL };
  const char *none[] = { NULL };
  const Sample good = { "aa", { "a@EXAMPLE.org" }, BASE_USE_SIGN, NOW - 10, NOW + 10 };
  Sample bad = good;
  check(&good, one, TRUE);
  check(&good, two, FALSE);
  check(&good, none, TRUE);
  bad.key = "bb";
  check(&bad, one, FALSE);
  bad = good;
  bad.addresses[1] = "b@example.org";
  check(&bad, one, FALSE);
  check(&bad, two, TRUE);
  bad.addresses[0] = "A@example.org"; /* the local part is compared exactly */
  check(&bad, two, FALSE);
  bad = good;
  bad.addresses[0] = NULL;
  check(&bad, one, FALSE);
  check(&bad, none, TRUE);
  bad = good;
  bad.use = BASE_USE_AUTH;
  check(&bad, one, FALSE);
  bad.use = BASE_USE_ENCRYPT;
  check(&bad, one, TRUE);
  bad.use = BASE_USE_SIGN | BASE_USE_CA;
  check(&bad, one, FALSE);
  bad = good;
  bad.not_after = NOW;
  check(&bad, one, FALSE);
  bad = good;
  bad.not_before = NOW + 3600; /* the CA's clock may be ahead */
  check(&bad, one, TRUE);
  bad.not_before = NOW + 30 * 86400;
  check(&bad, one, FALSE);
}

static void
test_failure_words(void)
{
  g_autofree char *none = enroll_failure_words(0);
  g_autofree char *unknown = enroll_failure_words(-1);
  g_autofree char *two = enroll_failure_words(1 << 2 | 1 << 9);
  g_autofree char *last = enroll_failure_words(1 << 26);
  g_autofree char *beyond = enroll_failure_words(1 << 27);
  g_assert_null(none);
  g_assert_null(unknown);
  g_assert_null(beyond);
  g_assert_cmpstr(two, ==,
                  "it does not do this kind of request; the key was not proved to be ours");
  g_assert_cmpstr(last, ==, "it has such a certificate already");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/enroll/check/what-was-not-asked-for-is-refused", test_certificate);
  g_test_add_func("/enroll/check/failures-have-words", test_failure_words);
  return g_test_run();
}
