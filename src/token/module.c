/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "token/token.h"

#include <dlfcn.h>
#include <openssl/crypto.h>

/* Modules that are other programs' tokens again, or ours: serving them would be a circle. */
static const char *const circular[] = { "p11-kit-proxy.so", "p11-kit-client.so", "signet-pkcs11.so",
                                        "libp11-kit.so.0", NULL };

static gboolean
is_circular(const char *path)
{
  g_autofree char *real = g_canonicalize_filename(path, NULL);
  g_autofree char *name = g_path_get_basename(real);
  return g_strv_contains(circular, name);
}

/* A module may leave functions out that it does not have (NULL instead of one
 * that says CKR_FUNCTION_NOT_SUPPORTED). These are the ones we call without asking. */
static gboolean
has_functions(const CK_FUNCTION_LIST *f)
{
  return f->C_Initialize && f->C_GetInfo && f->C_GetSlotList && f->C_GetSlotInfo &&
         f->C_GetTokenInfo && f->C_GetMechanismList && f->C_GetMechanismInfo && f->C_InitToken &&
         f->C_InitPIN && f->C_SetPIN && f->C_OpenSession && f->C_CloseSession &&
         f->C_GetSessionInfo && f->C_Login && f->C_Logout && f->C_CreateObject &&
         f->C_DestroyObject && f->C_GetAttributeValue && f->C_SetAttributeValue &&
         f->C_FindObjectsInit && f->C_FindObjects && f->C_FindObjectsFinal && f->C_DecryptInit &&
         f->C_Decrypt && f->C_SignInit && f->C_Sign && f->C_GenerateKeyPair && f->C_DeriveKey;
}

static CK_FUNCTION_LIST *
load_functions(const char *path, GError **error)
{
  CK_FUNCTION_LIST *f = NULL;
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  CK_C_GetFunctionList get =
      library ? (CK_C_GetFunctionList)(gintptr)dlsym(library, "C_GetFunctionList") : NULL;

  if (!get) {
    base_error_set(error, SIGNET_ERROR_TOKEN_DOWN, "cannot load the PKCS#11 module %s: %s", path,
                   dlerror());
    return NULL;
  }
  CK_RV rv = get(&f);
  if (rv != CKR_OK || !f) {
    token_rv_set(error, rv, "the PKCS#11 module %s does not start", path);
    return NULL;
  }
  if ((f->version.major != 2 && f->version.major != 3) || !has_functions(f)) {
    base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                   "the PKCS#11 module %s is of version %d.%d, or lacks functions", path,
                   f->version.major, f->version.minor);
    return NULL;
  }
  return f;
}

#define START_TRIES 4
#define START_AGAIN_US 50000

static gboolean
initialise(CK_FUNCTION_LIST *f, const char *path, const char *init, GError **error)
{
  g_autofree char *reserved = g_strdup(init);
  /* NSS takes pReserved for a text of parameters, and then wants a NULL behind it. */
  struct {
    CK_C_INITIALIZE_ARGS args;
    gpointer nothing;
  } start = { { .flags = CKF_OS_LOCKING_OK, .pReserved = reserved }, NULL };
  CK_RV rv = f->C_Initialize(&start.args);
  for (int tries = 1; rv == CKR_GENERAL_ERROR && tries < START_TRIES; tries++) {
    g_usleep(START_AGAIN_US);
    rv = f->C_Initialize(&start.args);
  }
  if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
    token_rv_set(error, rv, "the PKCS#11 module %s does not start", path);
    if (error && *error)
      (*error)->code = SIGNET_ERROR_TOKEN_DOWN;
    return FALSE;
  }
  g_steal_pointer(&reserved); /* NSS-like modules keep the pointer */
  return TRUE;
}

static TokenModule *
module_new(const char *path, BaseProfile *profile, CK_FUNCTION_LIST *f, const char *only_serial)
{
  TokenModule *module = g_new0(TokenModule, 1);
  module->path = g_strdup(path);
  module->profile = profile;
  module->f = f;
  module->only_serial = only_serial && *only_serial ? g_strdup(only_serial) : NULL;
  module->library = OSSL_LIB_CTX_new();
  module->tokens = g_ptr_array_new_with_free_func((GDestroyNotify)token_unref);
  g_rw_lock_init(&module->slots_lock);
  g_mutex_init(&module->lock);
  g_mutex_init(&module->poll_lock);
  return module;
}

/* SoftHSM 2.6.1 that finds a token's file half written by another process when it starts does
 * not look at it again; nothing is lost by starting it anew, no session is open yet. */
static void
start_again(TokenModule *module)
{
  for (int tries = 1; tries < START_TRIES && token_slots_unclear(module); tries++) {
    g_autoptr(GError) error = NULL;
    base_log("%s answers with errors: started anew", module->path);
    module->f->C_Finalize(NULL);
    g_usleep(START_AGAIN_US);
    if (!initialise(module->f, module->path, module->profile->init, &error))
      base_log("%s", error->message);
  }
}

TokenModule *
token_module_load(const char *path, BaseProfile *profile, const char *only_serial, GError **error)
{
  g_autoptr(BaseProfile) owned = profile;

  if (is_circular(path)) {
    base_error_set(error, SIGNET_ERROR_REFUSED,
                   "%s only leads to other modules; name the module of the token itself", path);
    return NULL;
  }
  CK_FUNCTION_LIST *f = load_functions(path, error);
  if (!f || !initialise(f, path, profile->init, error))
    return NULL;
  TokenModule *module = module_new(path, g_steal_pointer(&owned), f, only_serial);
  start_again(module);
  return module;
}

gboolean
token_module_describe(TokenModule *module, CK_INFO *ret_info, GError **error)
{
  CK_RV rv = module->f->C_GetInfo(ret_info);
  return rv == CKR_OK || token_rv_set(error, rv, "the PKCS#11 module %s", module->path);
}

char *
token_text(const CK_UTF8CHAR *field, gsize size)
{
  g_autofree char *raw = g_strndup((const char *)field, size); /* some pad with NUL */
  char *text = g_utf8_make_valid(g_strchomp(raw), -1);
  for (char *at = text; *at; at++)
    if ((guchar)*at < 0x20 || *at == 0x7f)
      *at = '?';
  if (strlen(text) > TOKEN_TEXT_MAX) { /* cut between characters */
    char *end = text + TOKEN_TEXT_MAX;
    while (end > text && ((guchar)*end & 0xc0) == 0x80)
      end--;
    *end = '\0';
  }
  return text;
}
