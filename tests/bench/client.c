/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* bench-client PEER MODULE TOKEN KEY CERTIFICATE THREADS: signs when told to. Standard input: the
 * PIN, then orders. Standard output: "ready" (or why not), then for each order one "done" line.
 *
 *   for MICROSECONDS     sign until the time is over
 *   count N              sign N times (first thread alone)
 *   done SIGNATURES MICROSECONDS FAILURES MESSAGE
 *
 * The first signature of each thread in each order is verified with OpenSSL. */

#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_THREADS 64
/* A client that only fails need not do so as fast as it can. */
#define MAX_FAILURES 100

typedef struct {
  const Peer *peer;
  const PeerTarget *target;
  gpointer client;
  gint64 until;  /* a monotonic time, or 0 */
  guint64 count; /* else that many */
  guint64 signatures;
  guint64 failures;
  GError *error; /* the first failure's */
} Work;

static void
note_failure(Work *work, GError *error)
{
  work->failures++;
  if (work->error)
    g_clear_error(&error);
  else
    work->error = error;
}

static void
sign_once(Work *work, guint8 *digest)
{
  guint8 signature[PEER_MAX_SIGNATURE];
  gsize len = 0;
  GError *error = NULL;
  guint64 turn = work->signatures + work->failures;

  memcpy(digest, &turn, sizeof turn); /* never the same digest twice */
  if (!work->peer->sign(work->client, digest, signature, &len, &error))
    note_failure(work, error);
  else if (work->signatures == 0 && !peer_verify(work->target, digest, signature, len))
    note_failure(work, g_error_new(G_FILE_ERROR, G_FILE_ERROR_FAILED, "wrong signature"));
  else
    work->signatures++;
}

static gpointer
work_run(gpointer data)
{
  Work *work = data;
  guint8 digest[PEER_DIGEST_SIZE] = { 0 };

  while (work->failures < MAX_FAILURES &&
         (work->until ? g_get_monotonic_time() < work->until : work->signatures < work->count))
    sign_once(work, digest);
  return NULL;
}

static void
report(Work *works, guint n, gint64 microseconds)
{
  guint64 signatures = 0, failures = 0;
  const char *message = "";

  for (guint i = 0; i < n; i++) {
    signatures += works[i].signatures;
    failures += works[i].failures;
    if (works[i].error && !*message)
      message = g_strdelimit(works[i].error->message, "\n", ' ');
  }
  printf("done %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GUINT64_FORMAT " %s\n", signatures,
         microseconds, failures, message);
  fflush(stdout);
}

static gboolean
obey(const char *order, Work *works, guint n)
{
  GThread *threads[MAX_THREADS];
  gint64 before = g_get_monotonic_time();
  gint64 length = 0;
  guint64 count = 0;

  if (sscanf(order, "for %" G_GINT64_FORMAT, &length) != 1 &&
      sscanf(order, "count %" G_GUINT64_FORMAT, &count) != 1)
    return FALSE;
  if (count)
    n = 1;
  for (guint i = 0; i < n; i++) {
    works[i].until = count ? 0 : before + length;
    works[i].count = count;
    works[i].signatures = works[i].failures = 0;
    g_clear_error(&works[i].error);
    threads[i] = n == 1 ? NULL : g_thread_new("client", work_run, &works[i]);
  }
  if (n == 1)
    work_run(&works[0]);
  for (guint i = 0; i < n && n > 1; i++)
    g_thread_join(threads[i]);
  report(works, n, g_get_monotonic_time() - before);
  return TRUE;
}

static gboolean
set_up(const Peer *peer, const PeerTarget *target, Work *works, guint n, GError **error)
{
  if (!peer->load(target, error))
    return FALSE;
  for (guint i = 0; i < n; i++) {
    works[i].peer = peer;
    works[i].target = target;
    works[i].client = peer->open(target, error);
    if (!works[i].client)
      return FALSE;
  }
  return TRUE;
}

static void
tear_down(const Peer *peer, Work *works, guint n)
{
  for (guint i = 0; i < n; i++) {
    g_clear_error(&works[i].error);
    peer->close(works[i].client);
  }
  peer->unload();
}

int
main(int argc, char **argv)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *certificate = NULL;
  char pin[64], order[64];
  Work works[MAX_THREADS] = { 0 };
  PeerTarget target = { .pin = pin };
  const Peer *peer = argc == 7 ? peer_find(argv[1]) : NULL;
  guint threads = peer ? (guint)atoi(argv[6]) : 0;

  if (!peer || threads < 1 || threads > MAX_THREADS || !fgets(pin, sizeof pin, stdin)) {
    g_printerr("Usage: bench-client PEER MODULE TOKEN KEY CERTIFICATE THREADS < PIN AND ORDERS\n");
    return 2;
  }
  g_strchomp(pin);
  target.module = argv[2];
  target.token = argv[3];
  target.key = argv[4];
  if (!g_file_get_contents(argv[5], &certificate, &target.certificate_len, &error)) {
    printf("%s\n", error->message);
    return 1;
  }
  target.certificate = (const guint8 *)certificate;
  target.rsa = peer_is_rsa(target.certificate, target.certificate_len);
  if (!set_up(peer, &target, works, threads, &error)) {
    printf("%s\n", error->message);
    return 1;
  }
  printf("ready\n");
  fflush(stdout);
  while (fgets(order, sizeof order, stdin) && obey(order, works, threads))
    ;
  tear_down(peer, works, threads);
  return 0;
}
