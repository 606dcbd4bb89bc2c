/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A PKCS#11 module for tests: SoftHSM (FAULTY_MODULE), but with the fault that the file
 * FAULTY_CONTROL names at that moment. Calls of C_Login, C_Sign and C_Decrypt are counted, a
 * byte each, in FAULTY_CONTROL.<name>. */

#include <dlfcn.h>
#include <fcntl.h>
#include <glib.h>
#include <p11-kit/pkcs11.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SESSIONS_FEW 3

static CK_FUNCTION_LIST *real;
static CK_FUNCTION_LIST faulty;
static gint sessions;

static gboolean
fault(const char *name)
{
  char text[64] = "";
  int fd = open(g_getenv("FAULTY_CONTROL"), O_RDONLY | O_CLOEXEC);
  ssize_t got = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
  if (fd >= 0)
    close(fd);
  return got > 0 && strcmp(text, name) == 0;
}

static gboolean
fault_once(const char *name)
{
  if (!fault(name))
    return FALSE;
  return truncate(g_getenv("FAULTY_CONTROL"), 0) == 0;
}

static void
count(const char *name)
{
  g_autofree char *path = g_strconcat(g_getenv("FAULTY_CONTROL"), ".", name, NULL);
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, "x", 1) != 1)
    g_error("cannot count");
  close(fd);
}

/* As SoftHSM is when the token's folder was moved away: its slot stays, its objects are none. */
static gint swapped; /* another card is in the slot */

static gboolean
vanished(void)
{
  return fault("vanished") || fault("emptied");
}

static CK_RV
faulty_login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG length)
{
  count("C_Login");
  if (fault("already-logged-in"))
    return CKR_USER_ALREADY_LOGGED_IN;
  if (fault("login-device-error"))
    return CKR_DEVICE_ERROR;
  if (fault("login-session-lost"))
    return CKR_SESSION_HANDLE_INVALID;
  if (fault("pin-locked"))
    return CKR_PIN_LOCKED;
  CK_RV rv = real->C_Login(session, user, pin, length);
  if (user == CKU_SO && rv == CKR_OK && fault_once("swapped-after-so-login"))
    g_atomic_int_set(&swapped, 1);
  return rv;
}

static CK_RV
faulty_init_token(CK_SLOT_ID slot, CK_UTF8CHAR *pin, CK_ULONG length, CK_UTF8CHAR *label)
{
  count("C_InitToken");
  return real->C_InitToken(slot, pin, length, label);
}

static CK_RV
faulty_set_pin(CK_SESSION_HANDLE session, CK_UTF8CHAR *old, CK_ULONG old_length, CK_UTF8CHAR *new,
               CK_ULONG new_length)
{
  return fault("pin-locked") ? CKR_PIN_LOCKED
                             : real->C_SetPIN(session, old, old_length, new, new_length);
}

static CK_RV
faulty_sign_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
  if (fault_once("session-lost"))
    return CKR_SESSION_HANDLE_INVALID;
  if (fault_once("key-handle-lost"))
    return CKR_KEY_HANDLE_INVALID;
  if (fault_once("not-logged-in"))
    return CKR_USER_NOT_LOGGED_IN;
  if (vanished())
    return CKR_OBJECT_HANDLE_INVALID;
  if (fault("vanishing"))
    return CKR_KEY_FUNCTION_NOT_PERMITTED;
  return real->C_SignInit(session, mechanism, key);
}

static CK_RV
faulty_decrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
  return vanished() ? CKR_OBJECT_HANDLE_INVALID : real->C_DecryptInit(session, mechanism, key);
}

static CK_RV
faulty_sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *out,
            CK_ULONG *out_length)
{
  count("C_Sign");
  if (fault("hang"))
    g_usleep(60 * G_USEC_PER_SEC);
  if (fault("crash"))
    raise(SIGKILL);
  CK_RV rv = real->C_Sign(session, data, length, out, out_length);
  if (fault_once("general-error"))
    return CKR_GENERAL_ERROR;
  if (fault("long-signature"))
    *out_length = 1000000;
  if (fault("bad-signature"))
    out[0] ^= 1;
  if (fault("short-signature"))
    *out_length = 3;
  return rv;
}

static CK_RV
faulty_decrypt(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *out,
               CK_ULONG *out_length)
{
  count("C_Decrypt");
  CK_RV rv = real->C_Decrypt(session, data, length, out, out_length);
  if (fault("general-error"))
    return CKR_GENERAL_ERROR;
  if (fault("device-error"))
    return CKR_DEVICE_ERROR;
  if (fault("long-plaintext"))
    *out_length = 1000000;
  if (fault_once("session-lost"))
    return CKR_SESSION_HANDLE_INVALID;
  return rv;
}

static CK_RV
faulty_get_attributes(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attributes,
                      CK_ULONG n)
{
  CK_RV rv = real->C_GetAttributeValue(session, object, attributes, n);
  for (CK_ULONG i = 0; i < n; i++) {
    if (fault("long-attributes"))
      attributes[i].ulValueLen = 1000000;
    if (fault("no-attributes"))
      attributes[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
    if (fault("garbage-attributes") && attributes[i].pValue &&
        attributes[i].ulValueLen != CK_UNAVAILABLE_INFORMATION)
      memset(attributes[i].pValue, 0xee, attributes[i].ulValueLen);
  }
  return fault("attribute-errors") ? CKR_ATTRIBUTE_TYPE_INVALID : rv;
}

static CK_RV
faulty_find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG max, CK_ULONG *found)
{
  CK_RV rv = real->C_FindObjects(session, objects, max, found);
  if (fault_once("find-nothing") || vanished())
    *found = 0;
  if (fault_once("general-error"))
    return CKR_GENERAL_ERROR;
  if (fault("many-found"))
    *found = max + 100000;
  if (fault("endless-find")) {
    memset(objects, 1, max * sizeof *objects);
    *found = max;
  }
  return rv;
}

static CK_RV
faulty_get_slots(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *n)
{
  CK_RV rv = real->C_GetSlotList(present, slots, n);
  if (fault("removed"))
    *n = 0;
  if (fault("many-slots"))
    *n = 1000000;
  return rv;
}

static CK_RV
faulty_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
  CK_RV rv = real->C_GetTokenInfo(slot, info);
  if (fault("removed"))
    return CKR_TOKEN_NOT_PRESENT;
  if (fault("silent") || fault("vanished") || fault("vanishing"))
    return CKR_GENERAL_ERROR;
  if (fault("read-only") && memcmp(info->label, "card ", 5) == 0)
    info->flags |= CKF_WRITE_PROTECTED;
  if (fault_once("nameless"))
    memset(info->label, ' ', sizeof info->label);
  if (g_atomic_int_get(&swapped))
    memset(info->serialNumber, '7', sizeof info->serialNumber);
  return rv;
}

static CK_RV
faulty_open(CK_SLOT_ID slot, CK_FLAGS flags, void *data, CK_NOTIFY notify,
            CK_SESSION_HANDLE *session)
{
  if (fault("few-sessions") && g_atomic_int_get(&sessions) >= SESSIONS_FEW)
    return CKR_SESSION_COUNT;
  CK_RV rv = real->C_OpenSession(slot, flags, data, notify, session);
  if (rv == CKR_OK)
    g_atomic_int_inc(&sessions);
  return rv;
}

static CK_RV
faulty_close(CK_SESSION_HANDLE session)
{
  g_atomic_int_add(&sessions, -1);
  return real->C_CloseSession(session);
}

static gboolean
is_private_key(const CK_ATTRIBUTE *attributes, CK_ULONG n)
{
  for (CK_ULONG i = 0; i < n; i++)
    if (attributes[i].type == CKA_CLASS)
      return *(const CK_OBJECT_CLASS *)attributes[i].pValue == CKO_PRIVATE_KEY;
  return FALSE;
}

static CK_RV
faulty_create(CK_SESSION_HANDLE session, CK_ATTRIBUTE *attributes, CK_ULONG n,
              CK_OBJECT_HANDLE *object)
{
  gboolean private = is_private_key(attributes, n);
  count("C_CreateObject");
  if (fault_once("create-general-error") || (private && fault_once("create-private-general-error")))
    return CKR_GENERAL_ERROR;
  if (fault("create-write-protected"))
    return CKR_TOKEN_WRITE_PROTECTED;
  if (fault("create-device-memory"))
    return CKR_DEVICE_MEMORY;
  if (private && fault("create-private-refused"))
    return CKR_TEMPLATE_INCONSISTENT;
  if (private && fault("create-full"))
    return CKR_DEVICE_MEMORY;
  if (private && fault("create-private-crash"))
    raise(SIGKILL);
  CK_RV rv = real->C_CreateObject(session, attributes, n, object);
  if (private && fault("created-private-crash"))
    raise(SIGKILL);
  if (private && fault_once("create-private-lost-answer"))
    return CKR_DEVICE_ERROR;
  return rv;
}

static CK_RV
faulty_set_attributes(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attributes,
                      CK_ULONG n)
{
  if (fault("set-ignored"))
    return CKR_OK;
  if (fault_once("set-general-error"))
    return CKR_GENERAL_ERROR;
  return real->C_SetAttributeValue(session, object, attributes, n);
}

__attribute__((visibility("default"))) CK_RV
C_GetFunctionList(CK_FUNCTION_LIST **ret_list)
{
  void *library = dlopen(g_getenv("FAULTY_MODULE"), RTLD_NOW | RTLD_LOCAL);
  CK_C_GetFunctionList get = (CK_C_GetFunctionList)(gintptr)dlsym(library, "C_GetFunctionList");
  CK_RV rv = get(&real);
  faulty = *real;
  faulty.C_Login = faulty_login;
  faulty.C_SetPIN = faulty_set_pin;
  faulty.C_InitToken = faulty_init_token;
  faulty.C_SignInit = faulty_sign_init;
  faulty.C_Sign = faulty_sign;
  faulty.C_DecryptInit = faulty_decrypt_init;
  faulty.C_Decrypt = faulty_decrypt;
  faulty.C_GetAttributeValue = faulty_get_attributes;
  faulty.C_FindObjects = faulty_find;
  faulty.C_GetSlotList = faulty_get_slots;
  faulty.C_GetTokenInfo = faulty_token_info;
  faulty.C_OpenSession = faulty_open;
  faulty.C_CloseSession = faulty_close;
  faulty.C_CreateObject = faulty_create;
  faulty.C_SetAttributeValue = faulty_set_attributes;
  *ret_list = &faulty;
  return rv;
}
