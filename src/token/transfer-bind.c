/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/transfer.h"

#include <openssl/rand.h>

#define FIND_MS 3000
#define FIND_AGAIN_US 100000
#define REJECTION_LENGTH 32

typedef struct {
  char *serial;
  char *label;
  char *manufacturer;
  char *model;
} Names;

static void
names_clear(Names *names)
{
  g_free(names->serial);
  g_free(names->label);
  g_free(names->manufacturer);
  g_free(names->model);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Names, names_clear)

static gboolean
is_named(Token *token, const Names *names)
{
  g_autoptr(WireToken) record = token_describe(token);
  return g_str_equal(record->serial, names->serial) && g_str_equal(record->label, names->label) &&
         g_str_equal(record->manufacturer, names->manufacturer) &&
         g_str_equal(record->model, names->model);
}

/* How many tokens have these names; the last one of them. */
static guint
look_for(TokenModule *module, const Names *names, Token **ret_token)
{
  g_autoptr(GPtrArray) tokens = token_slots_list(module);
  guint count = 0;

  for (guint i = 0; i < tokens->len; i++) {
    if (!is_named(tokens->pdata[i], names))
      continue;
    g_clear_pointer(ret_token, token_unref);
    *ret_token = token_ref(tokens->pdata[i]);
    count++;
  }
  return count;
}

/* A reader may take a moment to show its card to a process that has just begun. */
static Token *
find_token(TokenModule *module, const Names *names, BaseDeadline deadline, GError **error)
{
  g_autoptr(Token) found = NULL;
  BaseDeadline enough = MIN(deadline, base_deadline_in(FIND_MS));
  guint count = 0;

  for (;;) {
    if (token_slots_poll(module, NULL))
      count = look_for(module, names, &found);
    if (count || base_deadline_passed(enough))
      break;
    g_usleep(FIND_AGAIN_US);
  }
  if (count == 1)
    return g_steal_pointer(&found);
  if (count)
    base_error_set(error, SIGNET_ERROR_AMBIGUOUS,
                   "%u tokens \"%s\" are there that nothing tells apart; take one out", count,
                   names->label);
  else
    base_error_set(error, SIGNET_ERROR_TOKEN_GONE, "the token \"%s\" was removed", names->label);
  return NULL;
}

/* One attempt per process, whoever asks. */
static gboolean
unlock(Token *token, BaseSecret *pin, BaseDeadline deadline, GError **error)
{
  return !(atomic_load(&token->flags) & CKF_LOGIN_REQUIRED) ||
         token_login(token, FALSE, pin, deadline, error);
}

static gboolean
bind_token(TokenTransfer *transfer, const Names *names, BaseSecret *pin, BaseDeadline deadline,
           GError **error)
{
  const TokenTransferStart *start = transfer->start;
  TokenModule *module = token_module_load(start->module, start->profile, start->serial, error);
  if (!module)
    return FALSE;
  module->rejection = base_secret_new(REJECTION_LENGTH); /* for the proof of a key that decrypts */
  if (RAND_priv_bytes_ex(module->library, base_secret_bytes(module->rejection), REJECTION_LENGTH,
                         0) != 1)
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "no random bytes");
  g_autoptr(Token) token = find_token(module, names, deadline, error);
  if (!token || !unlock(token, pin, deadline, error))
    return FALSE;
  transfer->token = g_steal_pointer(&token);
  return TRUE;
}

gboolean
token_transfer_bind(TokenTransfer *transfer, WireReader *in, WirePacker *out, BaseDeadline deadline,
                    GError **error)
{
  g_auto(Names) names = { NULL };
  gsize length = 0;

  (void)out;
  names.serial = wire_read_text(in, WIRE_NAME_MAX);
  names.label = wire_read_text(in, WIRE_NAME_MAX);
  names.manufacturer = wire_read_text(in, WIRE_NAME_MAX);
  names.model = wire_read_text(in, WIRE_NAME_MAX);
  const guint8 *bytes = wire_read_bytes(in, WIRE_PIN_MAX, &length);
  g_autoptr(BaseSecret) pin = base_secret_new_from(bytes, length);
  if (!wire_reader_done(in, "the request", error))
    return FALSE;
  if (!transfer->start->module)
    return base_error_set(error, SIGNET_ERROR_USAGE, "this process is for looking only");
  if (transfer->bind_tried)
    return base_error_set(error, SIGNET_ERROR_USAGE, "a token was named already");
  transfer->bind_tried = TRUE;
  return bind_token(transfer, &names, pin, deadline, error);
}
