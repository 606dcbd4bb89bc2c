/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.signet.Token.ChangePin and Unblock: one try for each PIN that is said. */
#include "base/error.h"
#include "daemon/catalogue.h"
#include "daemon/pins.h"
#include "daemon/tokens.h"
#include "wire/limits.h"

#include <string.h>

typedef struct {
  DaemonCall *call;
  DaemonToken *token;
  WireHostKind kind;
  char *identity; /* whose attempt is booked */
  BaseSecret *tried;
  BaseSecret *fresh;
} PinCall;

static PinCall *
pin_call_new(DaemonCall *call, DaemonToken *token, WireHostKind kind)
{
  PinCall *self = g_new0(PinCall, 1);
  self->call = call;
  self->token = daemon_token_ref(token);
  self->kind = kind;
  return self;
}

static void
pin_call_free(PinCall *self)
{
  base_secret_free(self->tried);
  base_secret_free(self->fresh);
  daemon_token_unref(self->token);
  g_free(self->identity);
  g_free(self);
}

/* The PIN is set, whatever became of the list. */
static void
changed_listed(gpointer user_data, const GError *error G_GNUC_UNUSED)
{
  PinCall *self = user_data;
  daemon_call_reply(self->call, NULL);
  pin_call_free(self);
}

static void
change_done(gpointer user_data, WireReader *body G_GNUC_UNUSED, const GError *error)
{
  PinCall *self = user_data;
  DaemonToken *token = self->token;
  g_autoptr(GError) told = NULL;
  daemon_login_book(token, self->identity, self->tried, error, &told);
  if (told) {
    if (token->present)
      daemon_tokens_list(token->host); /* its flags */
    daemon_call_fail(self->call, told);
    pin_call_free(self);
    return;
  }
  if (self->kind != WIRE_HOST_SET_SO_PIN) {
    daemon_pins_was_right(token->daemon->pins, token->identity);
    if (token->pin) {
      base_secret_free(token->pin);
      token->pin = g_steal_pointer(&self->fresh);
    }
  }
  /* The next call may be the unlock: it must not meet the flags of before. */
  if (token->present)
    daemon_tokens_list_then(token->host, changed_listed, self);
  else
    changed_listed(self, NULL);
}

/* The checks that need no token first: what is wrong with the new PIN costs no try of the old. */
static gboolean
check_new_pin(DaemonToken *token, BaseSecret *fresh, GError **error)
{
  g_autoptr(GError) reason = NULL;
  const char *nobody = "new\n"; /* a new PIN is never "known wrong" */
  if (daemon_login_check_pin(token, nobody, fresh, TRUE, &reason))
    return TRUE;
  return base_error_set(error, SIGNET_ERROR_PIN_REFUSED, "the new PIN: %s", reason->message);
}

static void
ask_change(PinCall *self)
{
  WirePacker body = { 0 };
  DaemonToken *token = self->token;
  wire_pack_bytes(&body, base_secret_bytes(self->tried), base_secret_length(self->tried));
  wire_pack_bytes(&body, base_secret_bytes(self->fresh), base_secret_length(self->fresh));
  daemon_pins_attempt(token->daemon->pins, self->identity);
  daemon_token_request(token, self->kind, 0, &body, change_done, self);
}

/* The SO cannot log in while the user is (PKCS#11 v2.40 5.6.2), hence locked first. */
static void
locked(gpointer user_data, const GError *error)
{
  PinCall *self = user_data;
  if (!error) {
    ask_change(self);
    return;
  }
  daemon_call_fail(self->call, error);
  pin_call_free(self);
}

/* ---- which PIN ---- */

static gboolean
mentions(const char *text, const char *word)
{
  g_autofree char *lower = g_ascii_strdown(text ? text : "", -1);
  return strstr(lower, word) != NULL;
}

/* PKCS#11 knows a user and a security officer. What else a card has its own tool sets. */
static gboolean
set_other_tool(const DaemonToken *token, const char *which, GError **error)
{
  const WireToken *record = token->record;
  gboolean management = strcmp(which, "management") == 0;
  const char *what = management ? "management key" : "PUK";
  const char *tool = "the tool of its maker";
  if (mentions(record->manufacturer, "yubi") || mentions(record->model, "yubi") ||
      mentions(record->label, "yubi"))
    tool = management ? "ykman piv access change-management-key" : "ykman piv access change-puk";
  else if (mentions(record->manufacturer, "piv") || mentions(record->label, "piv"))
    tool = "piv-tool";
  else if (mentions(record->model, "openpgp") || mentions(record->label, "openpgp"))
    tool = "gpg --card-edit";
  else if (strcmp(token->host->spec.profile->name, "opensc") == 0)
    tool = "pkcs15-tool";
  else if (daemon_token_soft((DaemonToken *)(gintptr)token) ||
           strcmp(token->host->spec.profile->name, "softhsm") == 0)
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED, "the soft token \"%s\" has no %s",
                          record->label, what);
  return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                        "the %s of \"%s\" cannot be set by way of PKCS#11: use %s", what,
                        record->label, tool);
}

/* OpenSC shows a card with a PIN for signatures as two tokens: "Name (PIN)", and "Name (PIN.SIG)" or
 * "Name (Signature PIN)". */
static gboolean
is_for_signatures(const DaemonToken *token)
{
  return mentions(token->record->label, "sign") || mentions(token->record->label, "pin.sig");
}

static DaemonToken *
signature_view(DaemonToken *token, GError **error)
{
  const DaemonDevice *device = daemon_token_device(token);
  if (is_for_signatures(token))
    return daemon_token_ref(token);
  for (guint i = 0; device && i < device->views->len; i++) {
    const DaemonView *view = device->views->pdata[i];
    DaemonToken *other = daemon_token_at(token->daemon, view->host, view->token->slot);
    if (other && is_for_signatures(other))
      return daemon_token_ref(other);
  }
  base_error_set(error, SIGNET_ERROR_UNSUPPORTED, "\"%s\" has no PIN of its own for signatures",
                 daemon_token_label(token));
  return NULL;
}

/* *token becomes the view to ask. */
static gboolean
choose_pin(DaemonToken **token, const char *which, WireHostKind *ret_kind, GError **error)
{
  *ret_kind = WIRE_HOST_SET_PIN;
  if (strcmp(which, "user") == 0)
    return TRUE;
  if (strcmp(which, "so") == 0) {
    *ret_kind = WIRE_HOST_SET_SO_PIN;
    return TRUE;
  }
  if (strcmp(which, "sign") == 0) {
    DaemonToken *view = signature_view(*token, error);
    if (!view)
      return FALSE;
    daemon_token_unref(*token);
    *token = view;
    return TRUE;
  }
  if (strcmp(which, "puk") == 0 || strcmp(which, "management") == 0)
    return set_other_tool(*token, which, error);
  return base_error_set(error, SIGNET_ERROR_USAGE,
                        "`which` must be user, sign, so, puk or management");
}

static gboolean
check_blocked(DaemonToken *token, gboolean so, GError **error)
{
  if (so && (token->record->flags & WIRE_TOKEN_SO_LOCKED))
    return base_error_set(error, SIGNET_ERROR_PIN_BLOCKED, "the SO PIN of \"%s\" is blocked",
                          daemon_token_label(token));
  if (so || !(token->record->flags & WIRE_TOKEN_USER_LOCKED))
    return TRUE;
  daemon_login_required(token, error);
  return FALSE;
}

void
daemon_token_change_pin(DaemonCall *call)
{
  const json_t *parameters = daemon_call_parameters(call);
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSecret) old = NULL;
  g_autoptr(BaseSecret) fresh = NULL;
  const char *which = NULL;
  WireHostKind kind = WIRE_HOST_SET_PIN;
  g_autoptr(DaemonToken) token = daemon_token_named(call);
  if (!token)
    return;
  gboolean good = wire_json_get_text(parameters, "which", FALSE, WIRE_NAME_MAX, &which, &error) &&
                  wire_json_get_secret(parameters, "old", FALSE, &old, &error) &&
                  wire_json_get_secret(parameters, "new", FALSE, &fresh, &error) &&
                  choose_pin(&token, which, &kind, &error);
  gboolean so = kind == WIRE_HOST_SET_SO_PIN;
  g_autofree char *identity = so ? daemon_login_so_identity(token) : g_strdup(token->identity);
  if (!good || !check_new_pin(token, fresh, &error) ||
      !daemon_login_check_pin(token, identity, old, FALSE, &error) ||
      !check_blocked(token, so, &error)) {
    daemon_call_fail(call, error);
    return;
  }
  PinCall *self = pin_call_new(call, token, kind);
  self->identity = g_steal_pointer(&identity);
  self->tried = g_steal_pointer(&old);
  self->fresh = g_steal_pointer(&fresh);
  if (so)
    daemon_login_lock(token, locked, self);
  else
    ask_change(self);
}

void
daemon_token_unblock(DaemonCall *call)
{
  const json_t *parameters = daemon_call_parameters(call);
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSecret) so_pin = NULL;
  g_autoptr(BaseSecret) fresh = NULL;
  g_autoptr(DaemonToken) token = daemon_token_named(call);
  if (!token)
    return;
  g_autofree char *identity = daemon_login_so_identity(token);
  if (!wire_json_get_secret(parameters, "so_pin", FALSE, &so_pin, &error) ||
      !wire_json_get_secret(parameters, "new", FALSE, &fresh, &error) ||
      !check_new_pin(token, fresh, &error) ||
      !daemon_login_check_pin(token, identity, so_pin, FALSE, &error)) {
    daemon_call_fail(call, error);
    return;
  }
  PinCall *self = pin_call_new(call, token, WIRE_HOST_INIT_PIN);
  self->identity = g_steal_pointer(&identity);
  self->tried = g_steal_pointer(&so_pin);
  self->fresh = g_steal_pointer(&fresh);
  daemon_login_lock(token, locked, self);
}
