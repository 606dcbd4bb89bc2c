/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/revocation.h"

#include "base/error.h"
#include "base/path.h"
#include "trust/crl.h"
#include "trust/fetch.h"
#include "trust/files.h"
#include "trust/ocsp.h"
#include "trust/shelf.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

/* A list that is good for a week is asked for again after a day: its issuer makes a new one earlier, and what
 * was lost yesterday is in it. The old one counts on where there is none. */
#define FRESH_S (24 * 3600)
#define CRL_SHARE 60 /* percent of the time that is left, where there is OCSP to ask as well */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)

void
trust_revocation_free(TrustRevocation *revocation)
{
  if (!revocation)
    return;
  g_free(revocation->subject);
  g_free(revocation->how);
  g_free(revocation->reason);
  g_free(revocation);
}

gboolean
trust_revocation_policy(TrustRevocationPolicy *ret_policy, GError **error)
{
  g_auto(TrustNetwork) network = { 0 };
  if (!trust_network_load(&network, error))
    return FALSE;
  *ret_policy = network.policy;
  return TRUE;
}

/* ---- one certificate ---- */

typedef struct {
  const TrustNetwork *network;
  gboolean online;
  TrustQuestion question;
  GBytes *request; /* (nullable) of OCSP */
  char *shelved;   /* what the request is kept by, besides its URL */
  TrustAnswer *best;
  char *how;      /* (nullable) of `best` */
  gboolean fresh; /* `best` is: nobody need be asked */
} Case;

static void
case_clear(Case *it)
{
  X509_free(it->question.certificate);
  X509_free(it->question.issuer);
  g_clear_pointer(&it->request, g_bytes_unref);
  g_free(it->shelved);
  trust_answer_free(it->best);
  g_free(it->how);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Case, case_clear)

/* A hold may end, all else that revokes does not. */
static gboolean
is_final(const TrustAnswer *answer)
{
  return answer->state == TRUST_REVOKED &&
         g_strcmp0(answer->reason, trust_reason_name(TRUST_REASON_HOLD)) != 0;
}

/* What is revoked for good before all else, what is known before what is not, and of those the later; of what
 * is not known, what was said last. */
static gboolean
is_better(const TrustAnswer *answer, const TrustAnswer *best)
{
  if (!best || is_final(answer))
    return !best || !is_final(best) || answer->made >= best->made;
  if (is_final(best) || answer->state == TRUST_REVOCATION_UNKNOWN)
    return best->state == TRUST_REVOCATION_UNKNOWN;
  return best->state == TRUST_REVOCATION_UNKNOWN || answer->made >= best->made;
}

/* Takes `answer`. */
static void
consider(Case *it, TrustAnswer *answer, const char *kind, const char *where, gboolean fresh)
{
  if (!is_better(answer, it->best)) {
    trust_answer_free(answer);
    return;
  }
  trust_answer_free(it->best);
  g_free(it->how);
  it->best = answer;
  it->fresh =
      is_final(answer) || (answer->state != TRUST_REVOCATION_UNKNOWN && answer->proved && fresh);
  g_autofree char *day = answer->made ? trust_date(answer->made) : NULL;
  it->how = g_strdup_printf("%s %s%s%s", kind, where, day ? " of " : "", day ? day : "");
  if (answer->state == TRUST_REVOCATION_UNKNOWN) {
    char *longer = g_strdup_printf("%s %s: %s", kind, where, answer->reason);
    g_free(answer->reason);
    answer->reason = longer;
  }
}

static void
consider_failure(Case *it, const char *kind, const char *url, const char *why)
{
  consider(it, trust_answer_unknown("%s", why), kind, url, FALSE);
}

/* ---- CRLs ---- */

#define CRL_WORD "CRL"
#define OCSP_WORD "OCSP"

static TrustAnswer *
look_into_file(const char *path, const TrustQuestion *question)
{
  g_autofree TrustCrlFile *file = trust_crl_file_open(path);
  if (!file)
    return NULL;
  TrustAnswer *answer = trust_crl_look(&file->source, question);
  trust_crl_file_close(file);
  return answer;
}

static void
ask_files(Case *it, const GPtrArray *files)
{
  for (guint i = 0; i < files->len; i++) {
    const char *path = g_ptr_array_index(files, i);
    TrustAnswer *answer = look_into_file(path, &it->question);
    /* Most are other CAs' lists. */
    if (answer && g_strcmp0(answer->reason, TRUST_CRL_OF_ANOTHER) == 0)
      g_clear_pointer(&answer, trust_answer_free);
    if (answer)
      consider(it, answer, CRL_WORD, path, trust_shelf_age(path) < FRESH_S);
  }
}

/* TRUE: it is of today, whatever it says: its server need not be asked. */
static gboolean
ask_shelved_crl(Case *it, const char *url)
{
  g_autofree char *path = trust_shelf_path("crl", url);
  gint64 age = trust_shelf_age(path);
  TrustAnswer *answer = age >= 0 ? look_into_file(path, &it->question) : NULL;
  gboolean of_today = answer && answer->proved && age < FRESH_S;
  if (answer && (answer->proved || answer->state != TRUST_REVOCATION_UNKNOWN))
    consider(it, answer, CRL_WORD, url, age < FRESH_S);
  else
    trust_answer_free(answer);
  return of_today;
}

/* Straight to disk, and looked at there; only what is proved takes its place. */
static void
fetch_crl(Case *it, const char *url, int share)
{
  g_autofree char *path = trust_shelf_path("crl", url);
  g_autofree char *why = NULL;
  g_autoptr(BaseDraft) draft = trust_shelf_draft(path);
  TrustFetch fetch = { .url = url, .max = TRUST_CRL_MAX, .share = share };
  if (!draft) {
    consider_failure(it, CRL_WORD, url, "it cannot be written to the cache");
    return;
  }
  g_autoptr(BaseSink) sink = base_sink_to_fd(base_draft_fd(draft), path);
  if (!trust_fetch(it->network, &fetch, sink, &why) || !base_sink_finish(sink, NULL)) {
    consider_failure(it, CRL_WORD, url, why ? why : "it cannot be written to the cache");
    return;
  }
  TrustCrlSource source = { .fd = base_draft_fd(draft),
                            .length = lseek(base_draft_fd(draft), 0, SEEK_END) };
  TrustAnswer *answer = trust_crl_look(&source, &it->question);
  /* One that was played again, older than what is here, does not take its place. */
  gboolean newer =
      !it->best || it->best->state == TRUST_REVOCATION_UNKNOWN || answer->made >= it->best->made;
  gboolean keep = answer->proved || is_final(answer);
  if (keep && newer)
    base_draft_commit(draft, 0600, NULL);
  else if (!keep)
    trust_fetch_note_useless(&fetch, answer->reason ? answer->reason : "it is old");
  consider(it, answer, CRL_WORD, url, TRUE);
}

/* ---- OCSP ---- */

static char *
ocsp_path(const Case *it, const char *url)
{
  g_autofree char *asked = g_strdup_printf("%s %s", url, it->shelved);
  return trust_shelf_path("ocsp", asked);
}

static void
prepare_ocsp(Case *it)
{
  it->request = trust_ocsp_request(&it->question);
  if (it->request)
    it->shelved = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, it->request);
}

static gboolean
ask_shelved_ocsp(Case *it, const char *url)
{
  g_autofree char *path = ocsp_path(it, url);
  g_autoptr(GBytes) bytes = trust_shelf_read(path, TRUST_OCSP_MAX);
  gboolean young = trust_shelf_age(path) < FRESH_S;
  TrustAnswer *answer = bytes ? trust_ocsp_look(bytes, &it->question) : NULL;
  gboolean of_today = answer && answer->proved && young;
  if (answer && (answer->proved || answer->state != TRUST_REVOCATION_UNKNOWN))
    consider(it, answer, OCSP_WORD, url, young);
  else
    trust_answer_free(answer);
  return of_today;
}

static void
fetch_ocsp(Case *it, const char *url)
{
  g_autofree char *path = ocsp_path(it, url);
  g_autofree char *why = NULL;
  TrustFetch fetch = {
    .url = url, .type = TRUST_OCSP_REQUEST_TYPE, .body = it->request, .max = TRUST_OCSP_MAX
  };
  g_autoptr(GBytes) bytes = trust_fetch_bytes(it->network, &fetch, &why);
  if (!bytes) {
    consider_failure(it, OCSP_WORD, url, why);
    return;
  }
  TrustAnswer *answer = trust_ocsp_look(bytes, &it->question);
  if (answer->proved || is_final(answer))
    trust_shelf_write(path, bytes);
  else
    trust_fetch_note_useless(&fetch, answer->reason ? answer->reason : "it is old");
  consider(it, answer, OCSP_WORD, url, TRUE);
}

/* ---- in this order ---- */

/* A CRL before OCSP: it tells its server that somebody reads mail of one of a CA's many people, where an OCSP
 * question tells it, and on plain HTTP everybody between, whose mail is read and when; and one CRL answers for
 * all of them until the next day. */
static void
ask_all(Case *it, const GPtrArray *files)
{
  g_autoptr(GPtrArray) lists = trust_points_crl(it->question.certificate);
  g_autoptr(GPtrArray) responders = trust_points_ocsp(it->question.certificate);
  gboolean has_list[TRUST_POINTS_MAX] = { FALSE }, has_answer[TRUST_POINTS_MAX] = { FALSE };
  prepare_ocsp(it);
  guint count = it->request ? responders->len : 0;
  ask_files(it, files);
  for (guint i = 0; i < lists->len; i++)
    has_list[i] = ask_shelved_crl(it, g_ptr_array_index(lists, i));
  for (guint i = 0; i < count; i++)
    has_answer[i] = ask_shelved_ocsp(it, g_ptr_array_index(responders, i));
  for (guint i = 0; it->online && !it->fresh && i < lists->len; i++)
    if (!has_list[i])
      fetch_crl(it, g_ptr_array_index(lists, i), count ? CRL_SHARE : 0);
  for (guint i = 0; it->online && !it->fresh && i < count; i++)
    if (!has_answer[i])
      fetch_ocsp(it, g_ptr_array_index(responders, i));
  if (it->best)
    return;
  it->best = lists->len || count
                 ? trust_answer_unknown("not asked, by the setting revocation in [trust]")
                 : trust_answer_unknown("the certificate names nobody to ask");
}

static TrustRevocation *
check_one(const TrustNetwork *network, const BaseCert *certificate, const BaseCert *issuer,
          TrustRevocationPolicy policy, const GPtrArray *files)
{
  TrustRevocation *revocation = g_new0(TrustRevocation, 1);
  g_auto(Case) it = {
    .network = network,
    .online = policy != TRUST_REVOCATION_OFF,
    .question = { base_cert_to_x509(certificate, NULL), base_cert_to_x509(issuer, NULL),
                  (gint64)time(NULL) },
  };
  if (it.question.certificate && it.question.issuer)
    ask_all(&it, files);
  else
    it.best = trust_answer_unknown("its certificate could not be read");
  revocation->state = it.best->state;
  if (it.best->state != TRUST_NOT_REVOKED)
    revocation->subject = g_strdup(certificate->subject);
  if (it.best->state != TRUST_REVOCATION_UNKNOWN) {
    revocation->how = g_steal_pointer(&it.how);
    revocation->checked = it.best->made;
    revocation->revoked_at = it.best->revoked_at;
  }
  revocation->reason = g_steal_pointer(&it.best->reason);
  return revocation;
}

/* ---- a chain ---- */

static TrustRevocation *
unknown(const char *reason)
{
  TrustRevocation *revocation = g_new0(TrustRevocation, 1);
  revocation->state = TRUST_REVOCATION_UNKNOWN;
  revocation->reason = g_strdup(reason);
  return revocation;
}

/* A chain of one: a certificate that is trusted by itself. */
static TrustRevocation *
own_root(void)
{
  TrustRevocation *revocation = g_new0(TrustRevocation, 1);
  revocation->state = TRUST_NOT_REVOKED;
  revocation->how = g_strdup("nobody but you: it is its own issuer, and trusted itself");
  return revocation;
}

TrustRevocation *
trust_revocation_check(const GPtrArray *path, TrustRevocationPolicy policy)
{
  static const int badness[] = {
    [TRUST_NOT_REVOKED] = 0, [TRUST_REVOCATION_UNKNOWN] = 1, [TRUST_REVOKED] = 2
  };
  g_auto(TrustNetwork) network = { 0 };
  g_autoptr(GError) error = NULL;
  TrustRevocation *worst = NULL;
  if (path->len < 2)
    return path->len ? own_root() : unknown("there is no chain");
  if (!trust_network_load(&network, &error))
    return unknown(error->message);
  g_autoptr(GPtrArray) files = trust_crl_files(&network);
  for (guint i = 0; i + 1 < path->len; i++) {
    TrustRevocation *one = check_one(&network, g_ptr_array_index(path, i),
                                     g_ptr_array_index(path, i + 1), policy, files);
    if (!worst || badness[one->state] > badness[worst->state]) {
      trust_revocation_free(worst);
      worst = g_steal_pointer(&one);
    }
    trust_revocation_free(one);
  }
  return worst;
}
