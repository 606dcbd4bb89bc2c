/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/ldap.h"

#include "base/error.h"
#include "base/resolve.h"
#include "base/text.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/time.h>

/* libldap's own, from its headers, which need not be installed: its ABI has stood since 2.4. */
#define OPT_REFERRALS 0x0008
#define OPT_PROTOCOL_VERSION 0x0011
#define OPT_TIMEOUT 0x5002
#define OPT_NETWORK_TIMEOUT 0x5005
#define OPT_SOCKBUF 0x5008
#define SOCKBUF_SET_MAX_INCOMING 14
#define VERSION_3 3
#define SUCCESS 0
#define SERVER_DOWN (-1)
#define TIMED_OUT (-5)
#define CONNECT_FAILED (-11)
#define TIME_LIMIT 3

#define ANSWER_MAX ((goffset)4 * 1024 * 1024) /* libldap has all of it in memory, twice */

typedef struct {
  unsigned long length;
  char *bytes;
} Value;

typedef struct {
  int (*initialize)(void **ldap, const char *url);
  int (*set_option)(void *ldap, int option, const void *value);
  int (*get_option)(void *ldap, int option, void *value);
  int (*sockbuf)(void *buffer, int option, void *value);
  int (*search)(void *ldap, const char *base, int scope, const char *filter, char **attributes,
                int names_only, void **server, void **client, struct timeval *timeout, int size,
                void **result);
  void *(*first_entry)(void *ldap, void *result);
  char *(*first_attribute)(void *ldap, void *entry, void **state);
  Value **(*values)(void *ldap, void *entry, const char *attribute);
  void (*values_free)(Value **values);
  void (*memory_free)(void *memory);
  void (*state_free)(void *state, int buffer);
  int (*message_free)(void *message);
  int (*unbind)(void *ldap, void **server, void **client);
  char *(*error_text)(int code);
} Lib;

static gboolean
load_library(Lib *lib, GError **error)
{
  static const char *const names[] = { "libldap-2.5.so.0", "libldap.so.2", "libldap-2.4.so.2" };
  const struct {
    const char *name;
    void **to;
  } symbols[] = {
    { "ldap_initialize", (void **)&lib->initialize },
    { "ldap_set_option", (void **)&lib->set_option },
    { "ldap_get_option", (void **)&lib->get_option },
    { "ber_sockbuf_ctrl", (void **)&lib->sockbuf },
    { "ldap_search_ext_s", (void **)&lib->search },
    { "ldap_first_entry", (void **)&lib->first_entry },
    { "ldap_first_attribute", (void **)&lib->first_attribute },
    { "ldap_get_values_len", (void **)&lib->values },
    { "ldap_value_free_len", (void **)&lib->values_free },
    { "ldap_memfree", (void **)&lib->memory_free },
    { "ber_free", (void **)&lib->state_free },
    { "ldap_msgfree", (void **)&lib->message_free },
    { "ldap_unbind_ext_s", (void **)&lib->unbind },
    { "ldap_err2string", (void **)&lib->error_text },
  };
  void *handle = NULL;
  for (gsize i = 0; !handle && i < G_N_ELEMENTS(names); i++)
    handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!handle)
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "an ldap address needs libldap, which is not installed");
  for (gsize i = 0; i < G_N_ELEMENTS(symbols); i++) {
    *symbols[i].to = dlsym(handle, symbols[i].name);
    if (!*symbols[i].to)
      return base_error_set(error, SIGNET_ERROR_UNSUPPORTED, "libldap has no %s", symbols[i].name);
  }
  return TRUE;
}

/* ---- what the address asks for: /DN?attribute?scope?filter ---- */

typedef struct {
  char *base;
  char *attribute;
  int scope; /* 0 base, 1 one, 2 sub */
  char *filter;
} Asked;

static void
asked_clear(Asked *asked)
{
  g_free(asked->base);
  g_free(asked->attribute);
  g_free(asked->filter);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Asked, asked_clear)

static gboolean
read_asked(const char *path, Asked *asked)
{
  g_auto(GStrv) parts = g_strsplit(path + 1, "?", -1);
  guint count = g_strv_length(parts);
  const char *scope = count > 2 ? parts[2] : "";
  asked->base = g_uri_unescape_string(count > 0 ? parts[0] : "", NULL);
  asked->attribute = g_uri_unescape_string(count > 1 ? parts[1] : "", NULL);
  asked->filter =
      g_uri_unescape_string(count > 3 && *parts[3] ? parts[3] : "(objectClass=*)", NULL);
  asked->scope = strcmp(scope, "sub") == 0 ? 2 : strcmp(scope, "one") == 0 ? 1 : 0;
  return count <= 4 && asked->base && *asked->base && asked->attribute && *asked->attribute &&
         asked->filter;
}

/* ---- asking ---- */

typedef struct {
  Lib lib;
  void *ldap;
  void *result;
} Session;

static void
session_clear(Session *session)
{
  if (session->result)
    session->lib.message_free(session->result);
  if (session->ldap)
    session->lib.unbind(session->ldap, NULL, NULL);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Session, session_clear)

static struct timeval
time_left(BaseDeadline deadline)
{
  int left = MAX(base_deadline_left(deadline), 1);
  return (struct timeval){ left / 1000, left % 1000 * 1000 };
}

/* The name is looked up here, within the deadline; libldap gets the address in digits. */
static char *
numeric_url(const BaseUrl *url, gboolean no_local, BaseDeadline deadline, GError **error)
{
  char host[NI_MAXHOST];
  struct addrinfo *all = base_resolve(url->host, url->port, deadline, error);
  if (!all)
    return NULL;
  gboolean local = no_local && base_resolve_is_local(all->ai_addr);
  int status =
      getnameinfo(all->ai_addr, all->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST);
  freeaddrinfo(all);
  if (local)
    base_error_set(error, SIGNET_ERROR_DENIED,
                   "it is inside this network, where nothing is asked on a stranger's word");
  else if (status != 0)
    base_error_set(error, SIGNET_ERROR_IO, "%s", gai_strerror(status));
  gboolean v6 = strchr(host, ':') != NULL;
  return local || status != 0
             ? NULL
             : g_strdup_printf("ldap://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", url->port);
}

static gboolean
open_session(Session *session, const char *url, goffset max, BaseDeadline deadline, GError **error)
{
  const Lib *lib = &session->lib;
  static const int version = VERSION_3;
  struct timeval left = time_left(deadline);
  void *buffer = NULL;
  unsigned long most = (unsigned long)max + 64 * 1024;
  if (lib->initialize(&session->ldap, url) != SUCCESS ||
      lib->set_option(session->ldap, OPT_PROTOCOL_VERSION, &version) != SUCCESS ||
      lib->set_option(session->ldap, OPT_NETWORK_TIMEOUT, &left) != SUCCESS ||
      lib->set_option(session->ldap, OPT_TIMEOUT, &left) != SUCCESS ||
      lib->set_option(session->ldap, OPT_REFERRALS, NULL) != SUCCESS)
    return base_error_set(error, SIGNET_ERROR_FAILED, "libldap cannot be used");
  if (lib->get_option(session->ldap, OPT_SOCKBUF, &buffer) == SUCCESS && buffer)
    lib->sockbuf(buffer, SOCKBUF_SET_MAX_INCOMING, &most);
  return TRUE;
}

static gboolean
search(Session *session, const Asked *asked, BaseDeadline deadline, GError **error)
{
  struct timeval left = time_left(deadline);
  char *attributes[] = { asked->attribute, NULL };
  int code = session->lib.search(session->ldap, asked->base, asked->scope, asked->filter,
                                 attributes, 0, NULL, NULL, &left, 1, &session->result);
  if (code == SUCCESS)
    return TRUE;
  if (code == TIMED_OUT || code == TIME_LIMIT || base_deadline_passed(deadline))
    return base_error_set(error, SIGNET_ERROR_TIMEOUT, "it did not answer in time");
  return base_error_set(error,
                        code == SERVER_DOWN || code == CONNECT_FAILED ? SIGNET_ERROR_IO
                                                                      : SIGNET_ERROR_NOT_FOUND,
                        "the directory: %s", session->lib.error_text(code));
}

/* The server may name the attribute another way than it was asked for (;binary). */
static gboolean
push_value(const Session *session, goffset max, BaseSink *to, GError **error)
{
  const Lib *lib = &session->lib;
  void *state = NULL;
  void *entry = lib->first_entry(session->ldap, session->result);
  char *name = entry ? lib->first_attribute(session->ldap, entry, &state) : NULL;
  Value **values = name ? lib->values(session->ldap, entry, name) : NULL;
  gboolean done;
  if (!values || !values[0])
    done = base_error_set(error, SIGNET_ERROR_NOT_FOUND, "the directory has no such entry");
  else if (values[0]->length > (gulong)max)
    done = base_error_set(error, SIGNET_ERROR_TOO_LARGE, "its answer is too large");
  else
    done = base_sink_write(to, values[0]->bytes, values[0]->length, error);
  if (values)
    lib->values_free(values);
  if (name)
    lib->memory_free(name);
  if (state)
    lib->state_free(state, 0);
  return done;
}

gboolean
trust_ldap_fetch(const BaseUrl *url, gboolean no_local, goffset max, BaseDeadline deadline,
                 BaseSink *to, GError **error)
{
  g_auto(Asked) asked = { 0 };
  g_auto(Session) session = { 0 };
  if (!read_asked(url->path, &asked))
    return base_error_set(error, SIGNET_ERROR_USAGE, "it is no address of an entry and attribute");
  if (!load_library(&session.lib, error))
    return FALSE;
  max = MIN(max, ANSWER_MAX);
  g_autofree char *numeric = numeric_url(url, no_local, deadline, error);
  return numeric && open_session(&session, numeric, max, deadline, error) &&
         search(&session, &asked, deadline, error) && push_value(&session, max, to, error);
}
