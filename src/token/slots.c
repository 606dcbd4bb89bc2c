/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "token/token.h"

#include <p11-kit/uri.h>
#include <string.h>

#define ASK_TRIES 4
#define ASK_AGAIN_US 20000

Token *
token_ref(Token *token)
{
  atomic_fetch_add(&token->refs, 1);
  return token;
}

void
token_unref(Token *token)
{
  if (!token || atomic_fetch_sub(&token->refs, 1) != 1)
    return;
  g_clear_pointer(&token->keys, g_hash_table_unref);
  if (token->workers) /* a worker may hold the last reference: do not wait for it here */
    g_thread_pool_free(token->workers, FALSE, FALSE);
  g_rw_lock_clear(&token->objects);
  g_mutex_clear(&token->lock);
  g_mutex_clear(&token->login_lock);
  g_mutex_clear(&token->catalogue_lock);
  g_cond_clear(&token->freed);
  g_free(token);
}

static Token *
token_new(TokenModule *module, CK_SLOT_ID slot, const CK_SLOT_INFO *slot_info,
          const CK_TOKEN_INFO *info)
{
  Token *token = g_new0(Token, 1);
  g_autofree char *description =
      token_text(slot_info->slotDescription, sizeof slot_info->slotDescription);
  atomic_init(&token->refs, 1);
  token->module = module;
  token->slot = slot;
  token->number = (guint32)slot ^ (guint32)((guint64)slot >> 32);
  token->generation = ++module->generation;
  token->info = *info;
  atomic_init(&token->flags, info->flags);
  token->removable = (slot_info->flags & CKF_REMOVABLE_DEVICE) != 0;
  g_strlcpy(token->slot_description, description, sizeof token->slot_description);
  token->limit = CLAMP((guint)module->profile->sessions - 1, 1, TOKEN_SESSIONS_MAX);
  token->limit = MIN(token->limit, (guint)MAX(module->profile->operations, 1));
  token->keys =
      g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)token_key_unref);
  g_rw_lock_init(&token->objects);
  g_mutex_init(&token->lock);
  g_mutex_init(&token->login_lock);
  g_mutex_init(&token->catalogue_lock);
  g_cond_init(&token->freed);
  return token;
}

/* The same token, as far as PKCS#11 can tell. */
static gboolean
same_token(const CK_TOKEN_INFO *a, const CK_TOKEN_INFO *b)
{
  return memcmp(a->label, b->label, sizeof a->label) == 0 &&
         memcmp(a->manufacturerID, b->manufacturerID, sizeof a->manufacturerID) == 0 &&
         memcmp(a->model, b->model, sizeof a->model) == 0 &&
         memcmp(a->serialNumber, b->serialNumber, sizeof a->serialNumber) == 0 &&
         (a->flags & CKF_TOKEN_INITIALIZED) == (b->flags & CKF_TOKEN_INITIALIZED);
}

static gboolean
is_wanted(TokenModule *module, const CK_TOKEN_INFO *info)
{
  if (!module->only_serial)
    return TRUE;
  g_autofree char *serial = token_text(info->serialNumber, sizeof info->serialNumber);
  return g_str_equal(serial, module->only_serial);
}

/* The slots that hold a token. The list can grow between the two calls. */
static CK_RV
get_slots(TokenModule *module, CK_SLOT_ID *slots, CK_ULONG *count)
{
  CK_RV rv = CKR_BUFFER_TOO_SMALL;
  for (int tries = 0; rv == CKR_BUFFER_TOO_SMALL && tries < 4; tries++) {
    CK_ULONG found = 0;
    rv = module->f->C_GetSlotList(CK_TRUE, NULL, &found); /* OpenSC looks for readers only so */
    if (rv != CKR_OK)
      return rv;
    *count = WIRE_TOKENS_MAX;
    rv = module->f->C_GetSlotList(CK_TRUE, slots, count);
    if (found > WIRE_TOKENS_MAX)
      break;
  }
  if (rv == CKR_OK && *count > WIRE_TOKENS_MAX)
    rv = CKR_GENERAL_ERROR;
  return rv;
}

typedef struct {
  CK_SLOT_ID slots[WIRE_TOKENS_MAX];
  CK_TOKEN_INFO infos[WIRE_TOKENS_MAX];
  gboolean there[WIRE_TOKENS_MAX];
  gboolean unclear[WIRE_TOKENS_MAX]; /* it answered with an error that does not say "removed" */
  CK_ULONG count;
} Seen;

/* Only these say that the token is gone. SoftHSM answers CKR_GENERAL_ERROR while another process
 * writes the token's file (each C_Login does), and once it read the file half written it does so
 * until it is loaded anew. */
static gboolean
says_removed(CK_RV rv)
{
  return rv == CKR_SLOT_ID_INVALID || rv == CKR_TOKEN_NOT_PRESENT || rv == CKR_DEVICE_REMOVED ||
         rv == CKR_TOKEN_NOT_RECOGNIZED;
}

static CK_RV
ask_slot(TokenModule *module, CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
  g_rw_lock_reader_lock(&module->slots_lock);
  CK_RV rv = module->f->C_GetTokenInfo(slot, info);
  g_rw_lock_reader_unlock(&module->slots_lock);
  return rv;
}

static Token *
known_in(TokenModule *module, CK_SLOT_ID slot)
{
  Token *found = NULL;
  g_mutex_lock(&module->lock);
  for (guint i = 0; i < module->tokens->len && !found; i++) {
    Token *token = module->tokens->pdata[i];
    found = token->slot == slot ? token_ref(token) : NULL;
  }
  g_mutex_unlock(&module->lock);
  return found;
}

/* One answer that takes a known token away, or says nothing clear, is not believed: a file read
 * half written has no label either. */
static void
look_at(TokenModule *module, Seen *seen, CK_ULONG i)
{
  g_autoptr(Token) known = known_in(module, seen->slots[i]);
  CK_TOKEN_INFO *info = &seen->infos[i];
  CK_RV rv = CKR_OK;

  for (int tries = 0; tries < ASK_TRIES; tries++) {
    if (tries)
      g_usleep(ASK_AGAIN_US);
    rv = ask_slot(module, seen->slots[i], info);
    if (known ? rv == CKR_OK && same_token(&known->info, info) : rv == CKR_OK || says_removed(rv))
      break;
  }
  seen->unclear[i] = rv != CKR_OK && !says_removed(rv);
  seen->there[i] = rv == CKR_OK && is_wanted(module, info);
}

static CK_RV
look(TokenModule *module, Seen *seen)
{
  g_rw_lock_writer_lock(&module->slots_lock);
  CK_RV rv = get_slots(module, seen->slots, &seen->count);
  g_rw_lock_writer_unlock(&module->slots_lock);
  if (rv != CKR_OK)
    return rv;
  for (CK_ULONG i = 0; i < seen->count; i++)
    look_at(module, seen, i);
  return CKR_OK;
}

static gssize
index_of(const Seen *seen, CK_SLOT_ID slot)
{
  for (CK_ULONG i = 0; i < seen->count; i++)
    if (seen->there[i] && seen->slots[i] == slot)
      return (gssize)i;
  return -1;
}

static gboolean
is_unclear(const Seen *seen, CK_SLOT_ID slot)
{
  for (CK_ULONG i = 0; i < seen->count; i++)
    if (seen->slots[i] == slot)
      return seen->unclear[i];
  return FALSE;
}

/* Moves what went away to `lost`; keeps what is still there, with its flags renewed. */
static gboolean
keep_known_locked(TokenModule *module, Seen *seen, GPtrArray *lost, guint *silent)
{
  gboolean changed = FALSE;
  for (guint i = module->tokens->len; i-- > 0;) {
    Token *token = module->tokens->pdata[i];
    gssize at = index_of(seen, token->slot);
    if (at >= 0 && same_token(&token->info, &seen->infos[at])) {
      changed |= atomic_exchange(&token->flags, seen->infos[at].flags) != seen->infos[at].flags;
      seen->there[at] = FALSE;
      continue;
    }
    if (is_unclear(seen, token->slot)) {
      ++*silent;
      continue;
    }
    changed = TRUE;
    g_ptr_array_add(lost, token_ref(token));
    g_ptr_array_remove_index(module->tokens, i);
  }
  return changed;
}

static gboolean
add_new_locked(TokenModule *module, const Seen *seen)
{
  gboolean changed = FALSE;
  for (CK_ULONG i = 0; i < seen->count; i++) {
    CK_SLOT_INFO slot_info = { .flags = 0 };
    if (!seen->there[i])
      continue;
    if (module->f->C_GetSlotInfo(seen->slots[i], &slot_info) != CKR_OK)
      continue;
    g_ptr_array_add(module->tokens, token_new(module, seen->slots[i], &slot_info, &seen->infos[i]));
    changed = TRUE;
  }
  return changed;
}

static void
tell_gone(TokenModule *module, Token *token)
{
  atomic_store(&token->gone, TRUE);
  atomic_fetch_add(&token->epoch, 1);
  g_mutex_lock(&token->lock);
  g_cond_broadcast(&token->freed);
  CK_SESSION_HANDLE keeper = token->keeper;
  token->keeper = CK_INVALID_HANDLE;
  g_mutex_unlock(&token->lock);
  token_session_flush(token); /* or its login would be the next token's in the slot */
  if (keeper != CK_INVALID_HANDLE)
    module->f->C_CloseSession(keeper);
  atomic_store(&token->logged_in, FALSE);
  if (module->events && module->events->gone)
    module->events->gone(token, module->events_data);
}

gboolean
token_slots_poll(TokenModule *module, GError **error)
{
  g_autofree Seen *seen = g_new0(Seen, 1);
  g_autoptr(GPtrArray) lost = g_ptr_array_new_with_free_func((GDestroyNotify)token_unref);

  g_mutex_lock(&module->poll_lock);
  CK_RV rv = look(module, seen);
  if (rv != CKR_OK) {
    g_mutex_unlock(&module->poll_lock);
    return token_rv_set(error, rv, "the slots of %s cannot be listed", module->path);
  }
  g_mutex_lock(&module->lock);
  guint silent = 0;
  gboolean changed = keep_known_locked(module, seen, lost, &silent);
  changed |= add_new_locked(module, seen);
  changed |= silent && !module->silent; /* signetd asks then, gets the error, and sees to it */
  module->silent = silent;
  g_mutex_unlock(&module->lock);
  g_mutex_unlock(&module->poll_lock);
  for (guint i = 0; i < lost->len; i++)
    tell_gone(module, lost->pdata[i]);
  if (changed && module->events && module->events->changed)
    module->events->changed(module->events_data);
  return !silent ||
         base_error_set(error, SIGNET_ERROR_FAILED,
                        "a token of %s is in its slot but does not answer", module->path);
}

gboolean
token_slots_unclear(TokenModule *module)
{
  g_autofree Seen *seen = g_new0(Seen, 1);
  gboolean unclear = look(module, seen) != CKR_OK;

  for (CK_ULONG i = 0; i < seen->count && !unclear; i++)
    unclear = seen->unclear[i];
  return unclear;
}

GPtrArray *
token_slots_list(TokenModule *module)
{
  GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)token_unref);
  g_mutex_lock(&module->lock);
  for (guint i = 0; i < module->tokens->len; i++)
    g_ptr_array_add(list, token_ref(module->tokens->pdata[i]));
  g_mutex_unlock(&module->lock);
  return list;
}

Token *
token_slots_find(TokenModule *module, guint32 number, guint32 generation, GError **error)
{
  Token *found = NULL;
  g_mutex_lock(&module->lock);
  for (guint i = 0; i < module->tokens->len && !found; i++) {
    Token *token = module->tokens->pdata[i];
    if (token->number == number && token->generation == generation)
      found = token_ref(token);
  }
  g_mutex_unlock(&module->lock);
  if (!found)
    base_error_set(error, SIGNET_ERROR_TOKEN_GONE, "the token is no longer in its slot");
  return found;
}

void
token_lose(Token *token)
{
  TokenModule *module = token->module;
  g_autoptr(Token) kept = token_ref(token);
  g_mutex_lock(&module->lock);
  gboolean was_there = g_ptr_array_remove(module->tokens, token);
  g_mutex_unlock(&module->lock);
  if (!was_there)
    return;
  tell_gone(module, token);
  if (module->events && module->events->changed)
    module->events->changed(module->events_data);
}

/* CKR_OK for this token, the code of the last of a few looks otherwise. */
static CK_RV
look_for(Token *token)
{
  CK_TOKEN_INFO info;
  CK_RV rv = CKR_OK;
  for (int tries = 0; tries < ASK_TRIES; tries++) {
    if (tries)
      g_usleep(ASK_AGAIN_US);
    rv = ask_slot(token->module, token->slot, &info);
    if (rv == CKR_OK && same_token(&info, &token->info))
      return CKR_OK;
    if (rv == CKR_SLOT_ID_INVALID)
      break;
  }
  return rv == CKR_OK ? CKR_TOKEN_NOT_RECOGNIZED : rv; /* another one is in the slot */
}

/* TRUE as long as nothing says clearly, and more than once, that it is gone. */
gboolean
token_still_there(Token *token)
{
  if (!says_removed(look_for(token)))
    return TRUE;
  token_lose(token);
  return FALSE;
}

gboolean
token_surely_there(Token *token, GError **error)
{
  CK_RV rv = look_for(token);
  if (rv == CKR_OK && !atomic_load(&token->gone))
    return TRUE;
  g_autofree char *label = token_label(token);
  if (rv != CKR_OK && !says_removed(rv))
    return base_error_set(error, SIGNET_ERROR_TOKEN_GONE,
                          "the token \"%s\" does not answer; it may have been removed (%s)", label,
                          token_rv_name(rv));
  token_lose(token);
  return base_error_set(error, SIGNET_ERROR_TOKEN_GONE, "the token \"%s\" was removed", label);
}

void
token_refresh(Token *token)
{
  CK_TOKEN_INFO info;
  for (int tries = 0; tries < ASK_TRIES; tries++) {
    if (tries)
      g_usleep(ASK_AGAIN_US);
    CK_RV rv = ask_slot(token->module, token->slot, &info);
    if (rv == CKR_OK && same_token(&info, &token->info)) {
      atomic_store(&token->flags, info.flags);
      return;
    }
    if (rv != CKR_OK && says_removed(rv))
      return;
  }
}

CK_TOKEN_INFO
token_info(Token *token)
{
  CK_TOKEN_INFO info = token->info;
  info.flags = atomic_load(&token->flags);
  return info;
}

char *
token_label(Token *token)
{
  return token_text(token->info.label, sizeof token->info.label);
}

static const struct {
  CK_FLAGS theirs;
  guint32 ours;
} flag_table[] = {
  { CKF_TOKEN_INITIALIZED, WIRE_TOKEN_INITIALIZED },
  { CKF_LOGIN_REQUIRED, WIRE_TOKEN_LOGIN_REQUIRED },
  { CKF_USER_PIN_INITIALIZED, WIRE_TOKEN_USER_PIN_SET },
  { CKF_PROTECTED_AUTHENTICATION_PATH, WIRE_TOKEN_PROTECTED_PATH },
  { CKF_WRITE_PROTECTED, WIRE_TOKEN_READ_ONLY },
  { CKF_USER_PIN_COUNT_LOW, WIRE_TOKEN_USER_COUNT_LOW },
  { CKF_USER_PIN_FINAL_TRY, WIRE_TOKEN_USER_FINAL_TRY },
  { CKF_USER_PIN_LOCKED, WIRE_TOKEN_USER_LOCKED },
  { CKF_USER_PIN_TO_BE_CHANGED, WIRE_TOKEN_USER_TO_CHANGE },
  { CKF_SO_PIN_COUNT_LOW, WIRE_TOKEN_SO_COUNT_LOW },
  { CKF_SO_PIN_FINAL_TRY, WIRE_TOKEN_SO_FINAL_TRY },
  { CKF_SO_PIN_LOCKED, WIRE_TOKEN_SO_LOCKED },
};

/* RFC 7512: manufacturer, model, serial and label name a token. */
static char *
make_uri(const CK_TOKEN_INFO *info)
{
  P11KitUri *uri = p11_kit_uri_new();
  char *text = NULL;
  char *result = NULL;
  CK_TOKEN_INFO *target = p11_kit_uri_get_token_info(uri);
  memcpy(target->label, info->label, sizeof info->label);
  memcpy(target->manufacturerID, info->manufacturerID, sizeof info->manufacturerID);
  memcpy(target->model, info->model, sizeof info->model);
  memcpy(target->serialNumber, info->serialNumber, sizeof info->serialNumber);
  if (p11_kit_uri_format(uri, P11_KIT_URI_FOR_TOKEN, &text) == P11_KIT_URI_OK)
    result = g_strdup(text);
  free(text);
  p11_kit_uri_free(uri);
  return result;
}

static guint32
pin_bound(CK_ULONG bound)
{
  return bound == CK_UNAVAILABLE_INFORMATION || bound > WIRE_PIN_MAX ? 0 : (guint32)bound;
}

WireToken *
token_describe(Token *token)
{
  WireToken *record = g_new0(WireToken, 1);
  CK_TOKEN_INFO info = token_info(token);

  record->slot = token->number;
  record->generation = token->generation;
  for (gsize i = 0; i < G_N_ELEMENTS(flag_table); i++)
    if (info.flags & flag_table[i].theirs)
      record->flags |= flag_table[i].ours;
  record->flags |= token->removable ? WIRE_TOKEN_REMOVABLE : 0u;
  record->flags |= atomic_load(&token->logged_in) ? WIRE_TOKEN_LOGGED_IN : 0u;
  record->label = token_text(info.label, sizeof info.label);
  record->manufacturer = token_text(info.manufacturerID, sizeof info.manufacturerID);
  record->model = token_text(info.model, sizeof info.model);
  record->serial = token_text(info.serialNumber, sizeof info.serialNumber);
  record->firmware =
      g_strdup_printf("%d.%d", info.firmwareVersion.major, info.firmwareVersion.minor);
  record->hardware =
      g_strdup_printf("%d.%d", info.hardwareVersion.major, info.hardwareVersion.minor);
  record->slot_description = g_strdup(token->slot_description);
  record->uri = make_uri(&info);
  record->min_pin = pin_bound(info.ulMinPinLen);
  record->max_pin = pin_bound(info.ulMaxPinLen);
  return record;
}
