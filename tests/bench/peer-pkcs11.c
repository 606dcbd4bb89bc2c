/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* PKCS#11 as it is: one session per thread, C_SignInit and C_Sign. With SoftHSM as the module it
 * is the measure of everything else; with p11-kit-client.so it is p11-kit's server. */

#include "peer.h"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <string.h>

static CK_FUNCTION_LIST *p11;
static CK_SLOT_ID slot;

typedef struct {
  CK_SESSION_HANDLE session;
  CK_OBJECT_HANDLE key;
  gboolean rsa;
} Session;

static gboolean
find_slot(const char *label)
{
  CK_SLOT_ID slots[64];
  CK_ULONG count = G_N_ELEMENTS(slots);

  if (p11->C_GetSlotList(CK_TRUE, slots, &count) != CKR_OK)
    return FALSE;
  for (CK_ULONG i = 0; i < count; i++) {
    CK_TOKEN_INFO info;
    if (p11->C_GetTokenInfo(slots[i], &info) != CKR_OK)
      continue;
    g_autofree char *found = g_strndup((const char *)info.label, sizeof info.label);
    if (g_str_equal(g_strchomp(found), label)) {
      slot = slots[i];
      return TRUE;
    }
  }
  return FALSE;
}

static gboolean
load(const PeerTarget *target, GError **error)
{
  CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
  void *library = dlopen(target->module, RTLD_NOW | RTLD_LOCAL);
  CK_C_GetFunctionList get_functions =
      library ? (CK_C_GetFunctionList)(gintptr)dlsym(library, "C_GetFunctionList") : NULL;

  if (!get_functions || get_functions(&p11) != CKR_OK)
    return peer_fail(error, "cannot load %s", target->module);
  CK_RV rv = p11->C_Initialize(&args);
  if (rv != CKR_OK)
    return peer_fail(error, "C_Initialize: 0x%lx", rv);
  return find_slot(target->token) || peer_fail(error, "no token \"%s\"", target->token);
}

static CK_RV
find_key(CK_SESSION_HANDLE session, const char *label, CK_OBJECT_HANDLE *ret_key)
{
  CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
  g_autofree char *copy = g_strdup(label);
  CK_ATTRIBUTE wanted[] = { { CKA_CLASS, &class, sizeof class },
                            { CKA_LABEL, copy, strlen(copy) } };
  CK_ULONG count = 0;

  CK_RV rv = p11->C_FindObjectsInit(session, wanted, G_N_ELEMENTS(wanted));
  if (rv != CKR_OK)
    return rv;
  rv = p11->C_FindObjects(session, ret_key, 1, &count);
  p11->C_FindObjectsFinal(session);
  return rv == CKR_OK && count != 1 ? CKR_OBJECT_HANDLE_INVALID : rv;
}

static gpointer
open_session(const PeerTarget *target, GError **error)
{
  g_autofree Session *session = g_new0(Session, 1);
  g_autofree guchar *pin = (guchar *)g_strdup(target->pin);

  CK_RV rv = p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session->session);
  if (rv == CKR_OK)
    rv = p11->C_Login(session->session, CKU_USER, pin, strlen(target->pin));
  if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
    rv = find_key(session->session, target->key, &session->key);
  if (rv != CKR_OK) {
    peer_fail(error, "session, login or key \"%s\": 0x%lx", target->key, rv);
    return NULL;
  }
  session->rsa = target->rsa;
  return g_steal_pointer(&session);
}

static gboolean
sign(gpointer client, const guint8 *digest, guint8 *signature, gsize *ret_len, GError **error)
{
  Session *session = client;
  CK_MECHANISM mechanism = { session->rsa ? CKM_RSA_PKCS : CKM_ECDSA, NULL, 0 };
  guint8 data[PEER_DIGEST_INFO_SIZE];
  CK_ULONG data_len = session->rsa ? PEER_DIGEST_INFO_SIZE : PEER_DIGEST_SIZE;
  CK_ULONG len = PEER_MAX_SIGNATURE;

  if (session->rsa)
    peer_digest_info(digest, data);
  else
    memcpy(data, digest, PEER_DIGEST_SIZE);
  CK_RV rv = p11->C_SignInit(session->session, &mechanism, session->key);
  if (rv == CKR_OK)
    rv = p11->C_Sign(session->session, data, data_len, signature, &len);
  if (rv != CKR_OK)
    return peer_fail(error, "C_Sign: 0x%lx", rv);
  *ret_len = len;
  return TRUE;
}

static void
close_session(gpointer client)
{
  Session *session = client;

  p11->C_CloseSession(session->session);
  g_free(session);
}

static void
unload(void)
{
  p11->C_Finalize(NULL);
}

const Peer peer_pkcs11 = { "pkcs11", load, open_session, sign, close_session, unload };
