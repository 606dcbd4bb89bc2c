/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/fetch.h"

#include "base/config.h"
#include "base/error.h"
#include "base/http.h"
#include "base/url.h"
#include "trust/ldap.h"
#include "trust/shelf.h"

#include <string.h>

#define GROUP "trust"
#define DEADLINE_MS 3000
#define DEADLINE_MIN_MS 100
#define DEADLINE_MAX_MS (60 * 1000)
#define REDIRECTIONS 2
#define TRIED_MS 500 /* who had less time than this may not be blamed for its silence */

/* ---- settings ---- */

static gboolean
check(BaseConfig *config, const char *key, GError **error)
{
  for (const BaseSetting *setting = base_settings; setting->group; setting++)
    if (strcmp(setting->group, GROUP) == 0 && strcmp(setting->key, key) == 0)
      return base_setting_check(config, setting, error);
  return TRUE;
}

static gboolean
is_set_to(BaseConfig *config, const char *key, const char *value)
{
  return g_strcmp0(base_config_text(config, GROUP, key), value) == 0;
}

static gboolean
read_proxy(BaseConfig *config, char **ret_proxy, GError **error)
{
  const char *path = NULL, *text = base_config_text(config, GROUP, "http-proxy");
  g_auto(BaseUrl) url = { 0 };
  if (!text || !*text || strcmp(text, "none") == 0)
    return TRUE;
  if (!base_url_parse_proxy(text, &url)) {
    base_config_origin(config, GROUP, "http-proxy", &path);
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "%s: http-proxy in [" GROUP "] must be HOST:PORT", path);
  }
  *ret_proxy = g_strdup(text);
  return TRUE;
}

gboolean
trust_network_load(TrustNetwork *ret_network, GError **error)
{
  int milliseconds;
  char *proxy = NULL;
  g_autoptr(BaseConfig) config = base_config_load(error);
  if (!config || !check(config, "revocation", error) || !check(config, "issuers", error) ||
      !check(config, "local-urls", error) ||
      !base_config_number(config, GROUP, "deadline", DEADLINE_MS, DEADLINE_MIN_MS, DEADLINE_MAX_MS,
                          &milliseconds, error))
    return FALSE;
  if (!read_proxy(config, &proxy, error))
    return FALSE;
  *ret_network = (TrustNetwork){
    .policy = is_set_to(config, "revocation", "off")    ? TRUST_REVOCATION_OFF
              : is_set_to(config, "revocation", "hard") ? TRUST_REVOCATION_HARD
                                                        : TRUST_REVOCATION_SOFT,
    .proxy = proxy,
    .crl_files = base_config_list(config, GROUP, "crl-files"),
    .milliseconds = milliseconds,
    .local_urls = is_set_to(config, "local-urls", "yes"),
    .fetch_issuers = is_set_to(config, "issuers", "fetch"),
    .deadline = base_deadline_in((guint)milliseconds),
  };
  return TRUE;
}

void
trust_network_clear(TrustNetwork *network)
{
  g_free(network->proxy);
  g_strfreev(network->crl_files);
}

/* ---- asking ---- */

/* What a stranger's certificate led to says nothing of whom a trusted one names: else a mail could name
 * a CA's own server for something that it does not have, and nobody would ask it about revocation. */
static char *
silence_key(const TrustFetch *fetch, const char *whom)
{
  return g_strconcat(fetch->stranger ? "stranger " : "", whom, NULL);
}

static void
note(const TrustFetch *fetch, const char *whom, const char *why)
{
  g_autofree char *key = silence_key(fetch, whom);
  trust_shelf_note_silent(key, why);
}

static char *
noted(const TrustFetch *fetch, const char *whom)
{
  g_autofree char *key = silence_key(fetch, whom);
  return trust_shelf_silent(key);
}

void
trust_fetch_note_useless(const TrustFetch *fetch, const char *why)
{
  note(fetch, fetch->url, why);
}

/* What a server itself said goes by its URL; what is said of a machine that was not reached holds for all
 * that is there. */
static void
note_silence(const TrustFetch *fetch, const BaseUrl *url, const GError *error, int left)
{
  g_autofree char *authority = base_url_authority(url);
  gboolean unreached = error->code == SIGNET_ERROR_IO || error->code == SIGNET_ERROR_TIMEOUT;
  if (error->code == SIGNET_ERROR_DENIED || error->code == SIGNET_ERROR_UNSUPPORTED ||
      (error->code == SIGNET_ERROR_TIMEOUT && left < TRIED_MS))
    return;
  note(fetch, unreached ? authority : fetch->url, error->message);
}

static char *
known_silence(const TrustFetch *fetch, const BaseUrl *url)
{
  g_autofree char *authority = base_url_authority(url);
  g_autofree char *why = noted(fetch, authority);
  if (!why)
    why = noted(fetch, fetch->url);
  return why ? g_strdup_printf("%s (asked a few minutes ago)", why) : NULL;
}

gboolean
trust_fetch(const TrustNetwork *network, const TrustFetch *fetch, BaseSink *to, char **ret_why)
{
  g_autoptr(GError) error = NULL;
  g_auto(BaseUrl) url = { 0 };
  int left = base_deadline_left(network->deadline);
  if (!base_url_parse(fetch->url, &url)) {
    *ret_why = g_strdup("it is no http address");
    return FALSE;
  }
  if ((*ret_why = known_silence(fetch, &url)))
    return FALSE;
  if (left == 0) {
    *ret_why = g_strdup("there was no time left to ask");
    return FALSE;
  }
  if (fetch->share)
    left = left * fetch->share / 100;
  BaseHttp http = { .url = fetch->url,
                    .proxy = network->proxy,
                    .type = fetch->type,
                    .body = fetch->body,
                    .max = fetch->max,
                    .deadline = base_deadline_in((guint)left),
                    .redirections = REDIRECTIONS,
                    .no_local = fetch->stranger && !network->local_urls };
  gboolean done = strcmp(url.scheme, "ldap") == 0
                      ? trust_ldap_fetch(&url, http.no_local, fetch->max, http.deadline, to, &error)
                      : base_http(&http, to, &error);
  if (done)
    return TRUE;
  note_silence(fetch, &url, error, left);
  *ret_why = g_strdup(error->message);
  return FALSE;
}

GBytes *
trust_fetch_bytes(const TrustNetwork *network, const TrustFetch *fetch, char **ret_why)
{
  g_autoptr(BaseSink) sink = base_sink_to_memory((gsize)fetch->max);
  if (!trust_fetch(network, fetch, sink, ret_why))
    return NULL;
  if (base_sink_finish(sink, NULL))
    return base_sink_memory_bytes(sink);
  *ret_why = g_strdup("its answer is too large");
  return NULL;
}
