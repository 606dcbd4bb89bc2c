/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/resolve.h"

#include "base/error.h"

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

typedef struct {
  char *host;
  char *port;
  struct addrinfo *all;
  int status;
  gboolean done;
  int holders; /* who asks, and the thread */
} Job;

static GMutex lock;
static GCond ended;

static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };

static void
job_release_locked(Job *job)
{
  if (--job->holders)
    return;
  if (job->all)
    freeaddrinfo(job->all);
  g_free(job->host);
  g_free(job->port);
  g_free(job);
}

static gpointer
look_up(gpointer data)
{
  Job *job = data;
  struct addrinfo *all = NULL;
  int status = getaddrinfo(job->host, job->port, &hints, &all);
  g_mutex_lock(&lock);
  job->all = status == 0 ? all : NULL;
  job->status = status;
  job->done = TRUE;
  g_cond_broadcast(&ended);
  job_release_locked(job);
  g_mutex_unlock(&lock);
  return NULL;
}

/* Signals are for the program's own threads. */
static gboolean
start(Job *job)
{
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  GThread *thread = g_thread_try_new("resolve", look_up, job, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (thread)
    g_thread_unref(thread);
  return thread != NULL;
}

static struct addrinfo *
wait_for(Job *job, BaseDeadline deadline, GError **error)
{
  struct addrinfo *all = NULL;
  g_mutex_lock(&lock);
  while (!job->done && !base_deadline_passed(deadline))
    if (deadline == BASE_DEADLINE_NEVER)
      g_cond_wait(&ended, &lock);
    else
      g_cond_wait_until(&ended, &lock, deadline);
  if (!job->done)
    base_error_set(error, SIGNET_ERROR_TIMEOUT, "%s: no answer from the name service", job->host);
  else if (job->status != 0)
    base_error_set(error, SIGNET_ERROR_IO, "%s: %s", job->host, gai_strerror(job->status));
  else
    all = g_steal_pointer(&job->all);
  job_release_locked(job);
  g_mutex_unlock(&lock);
  return all;
}

struct addrinfo *
base_resolve(const char *host, const char *port, BaseDeadline deadline, GError **error)
{
  struct addrinfo numeric = hints, *all = NULL;
  numeric.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  if (getaddrinfo(host, port, &numeric, &all) == 0)
    return all;
  Job *job = g_new0(Job, 1);
  *job = (Job){ .host = g_strdup(host), .port = g_strdup(port), .holders = 2 };
  if (!start(job)) {
    job->holders = 1;
    job->status = EAI_AGAIN;
    job->done = TRUE;
  }
  return wait_for(job, deadline, error);
}

/* ---- local addresses ---- */

typedef struct {
  guint8 prefix[16];
  guint bits;
} Network;

/* RFC 6890's special-purpose addresses, and multicast. */
static const Network networks4[] = {
  { { 0 }, 8 },         { { 10 }, 8 },       { { 100, 64 }, 10 },   { { 127 }, 8 },
  { { 169, 254 }, 16 }, { { 172, 16 }, 12 }, { { 192, 0, 0 }, 24 }, { { 192, 168 }, 16 },
  { { 198, 18 }, 15 },  { { 224 }, 4 },      { { 240 }, 4 },
};
static const Network networks6[] = {
  { { 0 }, 127 },         /* :: and ::1 */
  { { 0xfc }, 7 },        /* unique local */
  { { 0xfe, 0x80 }, 10 }, /* link-local */
  { { 0xfe, 0xc0 }, 10 }, /* site-local, of old */
  { { 0xff }, 8 },        /* multicast */
  /* NAT64 of the network's own (RFC 8215): where in it the address stands is the network's affair */
  { { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48 },
};

static gboolean
is_in(const guint8 *address, const Network *network)
{
  guint whole = network->bits / 8, rest = network->bits % 8;
  return memcmp(address, network->prefix, whole) == 0 &&
         (!rest || ((address[whole] ^ network->prefix[whole]) >> (8 - rest)) == 0);
}

static gboolean
is_local4(const guint8 *address)
{
  for (gsize i = 0; i < G_N_ELEMENTS(networks4); i++)
    if (is_in(address, &networks4[i]))
      return TRUE;
  return FALSE;
}

/* Ways to say an IPv4 address: mapped, compatible, NAT64 (RFC 6052), 6to4 (RFC 3056). */
static gboolean
is_local6(const guint8 *address)
{
  static const Network mapped = { { [10] = 0xff, [11] = 0xff }, 96 }, compatible = { { 0 }, 96 },
                       nat64 = { { 0x00, 0x64, 0xff, 0x9b }, 96 },
                       six_to_four = { { 0x20, 0x02 }, 16 };
  for (gsize i = 0; i < G_N_ELEMENTS(networks6); i++)
    if (is_in(address, &networks6[i]))
      return TRUE;
  if (is_in(address, &mapped) || is_in(address, &compatible) || is_in(address, &nat64))
    return is_local4(address + 12);
  return is_in(address, &six_to_four) && is_local4(address + 2);
}

gboolean
base_resolve_is_local(const struct sockaddr *address)
{
  if (address->sa_family == AF_INET) {
    struct sockaddr_in in;
    memcpy(&in, address, sizeof in);
    return is_local4((const guint8 *)&in.sin_addr);
  }
  if (address->sa_family == AF_INET6) {
    struct sockaddr_in6 in;
    memcpy(&in, address, sizeof in);
    return is_local6((const guint8 *)&in.sin6_addr);
  }
  return TRUE;
}
