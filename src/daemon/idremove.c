/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.signet.Id.Remove: keys and certificates off their tokens, and never the last copy
 * of what opens mail unless the person said so. */
#include "base/error.h"
#include "daemon/events.h"
#include "daemon/ids.h"
#include "wire/limits.h"

#include <string.h>

#define PREFIX_MIN 8

typedef enum { STEP_LOGIN, STEP_KEY, STEP_CERT, STEP_REFRESH } StepKind;

typedef struct {
  StepKind kind;
  DaemonToken *token;
  char *name; /* of the key, or the certificate's fingerprint */
  char *line; /* what to tell when it is done */
} Step;

/* All logins come before the first removal, so that a missing PIN leaves everything as it
 * was; keys go before certificates. */
typedef struct {
  DaemonCall *call;
  Daemon *daemon;
  GPtrArray *steps;
  guint at;
  GPtrArray *done; /* lines */
  char *forget;    /* (nullable) fingerprint of the one certificate that goes */
} Remove;

static void next_step(Remove *self);

static void
step_free(gpointer data)
{
  Step *step = data;
  daemon_token_unref(step->token);
  g_free(step->name);
  g_free(step->line);
  g_free(step);
}

static void
remove_free(Remove *self)
{
  g_ptr_array_unref(self->steps);
  g_ptr_array_unref(self->done);
  g_free(self->forget);
  g_free(self);
}

/* A failure half way says what is gone already. */
static void
fail(Remove *self, const GError *error)
{
  g_autoptr(GError) told = g_error_copy(error);
  if (self->done->len) {
    g_ptr_array_add(self->done, NULL);
    g_autofree char *gone = g_strjoinv("; ", (char **)self->done->pdata);
    g_prefix_error(&told, "already removed: %s; then: ", gone);
  }
  daemon_catalogue_changed(self->daemon);
  daemon_call_fail(self->call, told);
  remove_free(self);
}

/* ---- the plan ---- */

static void
add_step(GPtrArray *steps, StepKind kind, DaemonToken *token, const char *name, char *line)
{
  Step *step = g_new0(Step, 1);
  step->kind = kind;
  step->token = daemon_token_ref(token);
  step->name = g_strdup(name);
  step->line = line;
  g_ptr_array_add(steps, step);
}

static gboolean
is_planned(const Remove *self, StepKind kind, const DaemonDevice *device, const char *name)
{
  for (guint i = 0; i < self->steps->len; i++) {
    const Step *step = g_ptr_array_index(self->steps, i);
    if (step->kind == kind && strcmp(step->name, name) == 0 &&
        daemon_id_device_of(self->daemon, step->token) == device)
      return TRUE;
  }
  return FALSE;
}

/* Through one view of each device: the other views show the same object. */
static void
plan_on_view(Remove *self, StepKind kind, const DaemonView *view, const char *name,
             const char *what)
{
  g_autoptr(DaemonToken) token = daemon_id_token_of_view(self->daemon, view);
  if (!token || is_planned(self, kind, view->device, name))
    return;
  add_step(self->steps, kind, token, name,
           g_strdup_printf("%s %.16s… from \"%s\"", what, name, view->token->label));
}

static void
plan_cert(Remove *self, const DaemonCert *cert)
{
  g_autoptr(GPtrArray) views = daemon_catalogue_cert_views(daemon_catalogue(self->daemon), cert);
  for (guint i = 0; i < views->len; i++)
    plan_on_view(self, STEP_CERT, g_ptr_array_index(views, i), cert->fingerprint, "certificate");
}

static void
plan_id(Remove *self, const DaemonId *id)
{
  for (guint i = 0; i < id->keys->len; i++) {
    const DaemonKey *key = g_ptr_array_index(id->keys, i);
    for (guint j = 0; j < key->locations->len; j++) {
      const DaemonLocation *location = g_ptr_array_index(key->locations, j);
      plan_on_view(self, STEP_KEY, location->view, key->name, "key");
    }
  }
  for (guint i = 0; i < id->keys->len; i++) {
    const DaemonKey *key = g_ptr_array_index(id->keys, i);
    for (guint j = 0; j < key->certs->len; j++)
      plan_cert(self, g_ptr_array_index(key->certs, j));
  }
}

static gboolean
has_token(const GPtrArray *steps, const DaemonToken *token)
{
  for (guint i = 0; i < steps->len; i++)
    if (((Step *)g_ptr_array_index(steps, i))->token == token)
      return TRUE;
  return FALSE;
}

/* Every view of a device that is written to is read again. */
static void
plan_refreshes(Remove *self, const GPtrArray *logins, GPtrArray *refreshes)
{
  for (guint i = 0; i < logins->len; i++) {
    const Step *step = g_ptr_array_index(logins, i);
    const DaemonDevice *device = daemon_id_device_of(self->daemon, step->token);
    for (guint j = 0; device && j < device->views->len; j++) {
      g_autoptr(DaemonToken) token =
          daemon_id_token_of_view(self->daemon, g_ptr_array_index(device->views, j));
      if (token && !has_token(refreshes, token))
        add_step(refreshes, STEP_REFRESH, token, "", NULL);
    }
  }
}

static void
plan_around(Remove *self)
{
  GPtrArray *all = g_ptr_array_new_with_free_func(step_free);
  g_autoptr(GPtrArray) refreshes = g_ptr_array_new_with_free_func(step_free);
  for (guint i = 0; i < self->steps->len; i++) {
    const Step *step = g_ptr_array_index(self->steps, i);
    if (!has_token(all, step->token))
      add_step(all, STEP_LOGIN, step->token, "", NULL);
  }
  plan_refreshes(self, all, refreshes);
  g_ptr_array_extend_and_steal(all, g_steal_pointer(&self->steps));
  g_ptr_array_extend_and_steal(all, g_steal_pointer(&refreshes));
  self->steps = all;
}

/* ---- what may go ---- */

static gboolean
check_key(const DaemonKey *key, const DaemonId *id, GError **error)
{
  guint32 opens = WIRE_KEY_DECRYPT | WIRE_KEY_DERIVE;
  if (!(key->flags & opens) || !key->locations->len)
    return TRUE;
  const DaemonLocation *location = g_ptr_array_index(key->locations, 0);
  g_autofree char *away = daemon_catalogue_last_seen(key);
  base_error_set(
      error, SIGNET_ERROR_REFUSED,
      "removing %s would destroy the last copy here of the key %.16s… on \"%s\", and with "
      "it all mail sealed to that key%s%s",
      id->id, key->name, location->view->token->label, *away ? "; a copy was once seen on " : "",
      away);
  base_error_suggest(error, "signet", "id", "remove", id->id, "--lose-mail", NULL);
  return FALSE;
}

/* A fingerprint names one certificate: who types it does not mean all the keys of the ID. */
static gboolean
check_named(const DaemonId *id, const DaemonCert *named, GError **error)
{
  if (!named || id->keys->len < 2)
    return TRUE;
  base_error_set(error, SIGNET_ERROR_REFUSED,
                 "%s has %u keys, and a fingerprint names one certificate: say --certificate for "
                 "it, or the ID's own name for all",
                 id->id, id->keys->len);
  base_error_suggest(error, "signet", "id", "remove", id->id, "--certificate", named->fingerprint,
                     NULL);
  return FALSE;
}

/* Remove takes an ID off all tokens that are here, so the copies here are all it counts; one in a
 * drawer may be there still, or not. */
static gboolean
check_id(const DaemonId *id, gboolean lose_mail, GError **error)
{
  gboolean here = FALSE;
  for (guint i = 0; i < id->keys->len; i++) {
    const DaemonKey *key = g_ptr_array_index(id->keys, i);
    here = here || key->locations->len > 0;
    if (!lose_mail && !check_key(key, id, error))
      return FALSE;
  }
  if (here)
    return TRUE;
  g_autofree char *away = daemon_catalogue_last_seen(g_ptr_array_index(id->keys, 0));
  return base_error_set(error, SIGNET_ERROR_TOKEN_GONE,
                        "%s is on no token that is here now; it was last seen on %s", id->id, away);
}

static DaemonCert *
find_cert(const DaemonId *id, const char *name, GError **error)
{
  g_autofree char *lower = g_ascii_strdown(name, -1);
  DaemonCert *found = NULL;
  guint n = 0;
  for (guint i = 0; i < id->keys->len && strlen(lower) >= PREFIX_MIN; i++) {
    const DaemonKey *key = g_ptr_array_index(id->keys, i);
    for (guint j = 0; j < key->certs->len; j++) {
      DaemonCert *cert = g_ptr_array_index(key->certs, j);
      if (!g_str_has_prefix(cert->fingerprint, lower))
        continue;
      found = cert;
      n++;
    }
  }
  if (n == 1)
    return found;
  if (n)
    base_error_set(error, SIGNET_ERROR_AMBIGUOUS, "%u certificates of %s start with %s", n, id->id,
                   lower);
  else
    base_error_set(error, SIGNET_ERROR_NOT_FOUND, "%s has no certificate %.100s", id->id, name);
  return NULL;
}

static gboolean
plan(Remove *self, GError **error)
{
  const char *name;
  const char *certificate;
  gboolean lose_mail;
  DaemonId *id;
  DaemonCert *named = NULL;
  if (!daemon_id_text(self->call, "id", FALSE, &name, error) ||
      !daemon_id_text(self->call, "certificate", TRUE, &certificate, error) ||
      !wire_json_get_bool(daemon_call_parameters(self->call), "lose_mail", FALSE, &lose_mail,
                          error) ||
      !(id = daemon_catalogue_find_id(daemon_catalogue(self->daemon), name, &named, error)))
    return FALSE;
  if (certificate) {
    DaemonCert *cert = find_cert(id, certificate, error);
    if (!cert)
      return FALSE;
    self->forget = g_strdup(cert->fingerprint);
    plan_cert(self, cert);
  } else {
    if (!check_named(id, named, error) || !check_id(id, lose_mail, error))
      return FALSE;
    plan_id(self, id);
  }
  plan_around(self);
  return TRUE;
}

/* ---- the steps ---- */

static void
finish(Remove *self)
{
  if (self->forget) {
    daemon_catalogue_forget_cert(daemon_catalogue(self->daemon), self->forget);
    if (!self->done->len)
      g_ptr_array_add(self->done, g_strdup_printf("certificate %.16s…", self->forget));
  }
  g_ptr_array_add(self->done, NULL);
  json_t *object = json_object();
  wire_json_set_strv(object, "removed", (char **)self->done->pdata);
  daemon_catalogue_changed(self->daemon);
  daemon_call_reply(self->call, object);
  remove_free(self);
}

static void
book_removed(Remove *self, Step *step)
{
  const DaemonDevice *device = daemon_id_device_of(self->daemon, step->token);
  if (step->kind == STEP_KEY && device)
    daemon_catalogue_forget_key(daemon_catalogue(self->daemon), step->name, device);
  g_ptr_array_add(self->done, g_steal_pointer(&step->line));
}

static void
removed(gpointer user_data, WireReader *body, const GError *error)
{
  Remove *self = user_data;
  Step *step = g_ptr_array_index(self->steps, self->at);
  g_autoptr(GError) bad = NULL;
  if (error) {
    fail(self, error);
    return;
  }
  guint32 n = wire_read_u32(body);
  if (!wire_reader_done(body, "the answer of the token's host", &bad)) {
    fail(self, bad);
    return;
  }
  /* None: it was gone already, or was only presumed to be there; the refresh will tell. */
  if (n > 0)
    book_removed(self, step);
  self->at++;
  next_step(self);
}

static void
stepped(gpointer user_data, const GError *error)
{
  Remove *self = user_data;
  const Step *step = g_ptr_array_index(self->steps, self->at);
  if (error && step->kind == STEP_LOGIN) {
    fail(self, error);
    return;
  }
  self->at++;
  next_step(self);
}

static void
ask_removal(Remove *self, const Step *step)
{
  WirePacker rest = { 0 };
  wire_pack_text(&rest, step->kind == STEP_KEY ? step->name : "");
  wire_pack_text(&rest, step->kind == STEP_CERT ? step->name : "");
  daemon_token_request(step->token, WIRE_HOST_REMOVE, 0, &rest, removed, self);
}

static void
next_step(Remove *self)
{
  if (self->at >= self->steps->len) {
    finish(self);
    return;
  }
  const Step *step = g_ptr_array_index(self->steps, self->at);
  switch (step->kind) {
  case STEP_LOGIN:
    daemon_token_login(step->token, stepped, self);
    break;
  case STEP_REFRESH:
    daemon_token_refresh(step->token, stepped, self);
    break;
  case STEP_KEY:
  case STEP_CERT:
  default:
    ask_removal(self, step);
    break;
  }
}

void
daemon_id_remove(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  Remove *self = g_new0(Remove, 1);
  self->call = call;
  self->daemon = daemon_call_daemon(call);
  self->steps = g_ptr_array_new_with_free_func(step_free);
  self->done = g_ptr_array_new_with_free_func(g_free);
  if (!plan(self, &error)) {
    fail(self, error);
    return;
  }
  next_step(self);
}
