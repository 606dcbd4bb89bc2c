/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/rv.h"

#define ROW(rv, code, words)            \
  {                                     \
    rv, #rv, SIGNET_ERROR_##code, words \
  }

/* PKCS#11 v2.40 5.1. Codes that only say "our call was wrong" are FAILED: that is a bug of
 * ours or of the module, and the name in the message says which. */
static const struct {
  CK_RV rv;
  const char *name;
  SignetError code;
  const char *words;
} rv_table[] = {
  ROW(CKR_CANCEL, CANCELLED, "cancelled on the device"),
  ROW(CKR_HOST_MEMORY, FAILED, "the module is out of memory"),
  ROW(CKR_SLOT_ID_INVALID, TOKEN_GONE, "its slot is gone"),
  ROW(CKR_GENERAL_ERROR, FAILED, "the module failed without saying why"),
  ROW(CKR_FUNCTION_FAILED, FAILED, "the module failed without saying why"),
  ROW(CKR_ARGUMENTS_BAD, FAILED, "the module refused the arguments"),
  ROW(CKR_CANT_LOCK, UNSUPPORTED, "the module cannot be used from threads"),
  ROW(CKR_ATTRIBUTE_READ_ONLY, UNSUPPORTED, "the token does not let this attribute be set"),
  ROW(CKR_ATTRIBUTE_SENSITIVE, FAILED, "the token does not show this attribute"),
  ROW(CKR_ATTRIBUTE_TYPE_INVALID, UNSUPPORTED, "the token does not know an attribute"),
  ROW(CKR_ATTRIBUTE_VALUE_INVALID, UNSUPPORTED, "the token refused an attribute"),
  ROW(CKR_ACTION_PROHIBITED, UNSUPPORTED, "the token does not allow it"),
  ROW(CKR_DATA_INVALID, BAD_INPUT, "the token refused the data"),
  ROW(CKR_DATA_LEN_RANGE, BAD_INPUT, "the data have the wrong length"),
  ROW(CKR_DEVICE_ERROR, FAILED, "the device reported an error"),
  ROW(CKR_DEVICE_MEMORY, FAILED, "the token is full"),
  ROW(CKR_DEVICE_REMOVED, TOKEN_GONE, "it was removed"),
  ROW(CKR_ENCRYPTED_DATA_INVALID, CANNOT_DECRYPT, "the encrypted data are damaged"),
  ROW(CKR_ENCRYPTED_DATA_LEN_RANGE, CANNOT_DECRYPT, "the encrypted data have the wrong length"),
  ROW(CKR_FUNCTION_CANCELED, CANCELLED, "cancelled on the device"),
  ROW(CKR_FUNCTION_NOT_SUPPORTED, UNSUPPORTED, "the module cannot do this"),
  ROW(CKR_KEY_HANDLE_INVALID, FAILED, "the key could not be found again"),
  ROW(CKR_KEY_SIZE_RANGE, UNSUPPORTED, "the token does not do keys of this size"),
  ROW(CKR_KEY_TYPE_INCONSISTENT, UNSUPPORTED, "the key is of another kind"),
  ROW(CKR_KEY_FUNCTION_NOT_PERMITTED, UNSUPPORTED, "the key is not allowed to do this"),
  ROW(CKR_MECHANISM_INVALID, UNSUPPORTED, "the token does not know this mechanism"),
  ROW(CKR_MECHANISM_PARAM_INVALID, UNSUPPORTED, "the token does not do it with these parameters"),
  ROW(CKR_OBJECT_HANDLE_INVALID, FAILED, "the object could not be found again"),
  ROW(CKR_OPERATION_ACTIVE, FAILED, "an operation was still active"),
  ROW(CKR_OPERATION_NOT_INITIALIZED, FAILED, "the operation was lost"),
  ROW(CKR_PIN_INCORRECT, PIN_INCORRECT, "the PIN is wrong"),
  ROW(CKR_PIN_INVALID, PIN_REFUSED, "the PIN has characters that the token does not take"),
  ROW(CKR_PIN_LEN_RANGE, PIN_REFUSED, "the PIN is too short or too long"),
  ROW(CKR_PIN_EXPIRED, PIN_REFUSED, "the PIN has expired and must be changed"),
  ROW(CKR_PIN_TOO_WEAK, PIN_REFUSED, "the PIN is too easy to guess"),
  ROW(CKR_PIN_LOCKED, PIN_BLOCKED, "the PIN is blocked"),
  ROW(CKR_SESSION_CLOSED, FAILED, "the session was lost"),
  ROW(CKR_SESSION_COUNT, FAILED, "the token has no session left; other programs may hold them"),
  ROW(CKR_SESSION_HANDLE_INVALID, FAILED, "the session was lost"),
  ROW(CKR_SESSION_READ_ONLY, UNSUPPORTED, "the token is read-only"),
  ROW(CKR_SESSION_EXISTS, REFUSED, "another session is open on the token"),
  ROW(CKR_SESSION_READ_ONLY_EXISTS, FAILED, "a read-only session is open on the token"),
  ROW(CKR_SESSION_READ_WRITE_SO_EXISTS, FAILED, "the security officer is logged in"),
  ROW(CKR_TEMPLATE_INCOMPLETE, UNSUPPORTED, "the token wants more attributes"),
  ROW(CKR_TEMPLATE_INCONSISTENT, UNSUPPORTED, "the token does not do this combination"),
  ROW(CKR_TOKEN_NOT_PRESENT, TOKEN_GONE, "no token is in the slot"),
  ROW(CKR_TOKEN_NOT_RECOGNIZED, TOKEN_GONE, "the token is not recognised"),
  ROW(CKR_TOKEN_WRITE_PROTECTED, UNSUPPORTED, "the token is read-only"),
  ROW(CKR_USER_ALREADY_LOGGED_IN, FAILED, "somebody was logged in already, so no PIN was checked"),
  ROW(CKR_USER_NOT_LOGGED_IN, PIN_REQUIRED, "the token is locked"),
  ROW(CKR_USER_PIN_NOT_INITIALIZED, PIN_NOT_SET, "the token has no PIN yet"),
  ROW(CKR_USER_TYPE_INVALID, UNSUPPORTED, "the token has no such PIN"),
  ROW(CKR_USER_ANOTHER_ALREADY_LOGGED_IN, FAILED, "the other user is logged in"),
  ROW(CKR_USER_TOO_MANY_TYPES, FAILED, "the other user is logged in"),
  ROW(CKR_DOMAIN_PARAMS_INVALID, UNSUPPORTED, "the token does not do this curve"),
  ROW(CKR_CURVE_NOT_SUPPORTED, UNSUPPORTED, "the token does not do this curve"),
  ROW(CKR_BUFFER_TOO_SMALL, FAILED, "the answer is larger than it can be"),
  ROW(CKR_CRYPTOKI_NOT_INITIALIZED, TOKEN_GONE, "the module was shut down"),
  ROW(CKR_FUNCTION_REJECTED, CANCELLED, "refused on the device"),
};

const char *
token_rv_name(CK_RV rv)
{
  for (gsize i = 0; i < G_N_ELEMENTS(rv_table); i++)
    if (rv_table[i].rv == rv)
      return rv_table[i].name;
  return rv & CKR_VENDOR_DEFINED ? "a code of the vendor's" : "an unknown code";
}

gboolean
token_rv_set(GError **error, CK_RV rv, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *what = g_strdup_vprintf(format, args);
  va_end(args);

  for (gsize i = 0; i < G_N_ELEMENTS(rv_table); i++)
    if (rv_table[i].rv == rv)
      return base_error_set(error, rv_table[i].code, "%s: %s (%s)", what, rv_table[i].words,
                            rv_table[i].name);
  return base_error_set(error, SIGNET_ERROR_FAILED, "%s: %s, 0x%lx", what, token_rv_name(rv), rv);
}

gboolean
token_rv_is_loss(CK_RV rv)
{
  switch (rv) {
  case CKR_SESSION_HANDLE_INVALID:
  case CKR_SESSION_CLOSED:
  case CKR_DEVICE_REMOVED:
  case CKR_TOKEN_NOT_PRESENT:
  case CKR_TOKEN_NOT_RECOGNIZED:
  case CKR_SLOT_ID_INVALID:
  case CKR_USER_NOT_LOGGED_IN:
  case CKR_KEY_HANDLE_INVALID:
  case CKR_OBJECT_HANDLE_INVALID:
  case CKR_CRYPTOKI_NOT_INITIALIZED:
  case CKR_OPERATION_NOT_INITIALIZED:
    return TRUE;
  default:
    return FALSE;
  }
}

gboolean
token_rv_is_transient(CK_RV rv)
{
  return token_rv_is_loss(rv) || rv == CKR_DEVICE_ERROR || rv == CKR_GENERAL_ERROR ||
         rv == CKR_FUNCTION_FAILED || rv == CKR_OPERATION_ACTIVE;
}
