/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define BASE_ERROR_C
#include "base/error.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#define VARLINK_PREFIX "org.signet.Error."
#define DOMAIN "signet-error"

static const struct {
  SignetError code;
  const char *name;
  int exit_status;
} error_table[] = {
  { SIGNET_ERROR_FAILED, "Failed", 1 },
  { SIGNET_ERROR_USAGE, "Usage", 2 },
  { SIGNET_ERROR_BAD_INPUT, "BadInput", 1 },
  { SIGNET_ERROR_TOO_LARGE, "TooLarge", 1 },
  { SIGNET_ERROR_IO, "Io", 1 },
  { SIGNET_ERROR_CANNOT_DECRYPT, "CannotDecrypt", 1 },
  { SIGNET_ERROR_UNSUPPORTED, "Unsupported", 1 },
  { SIGNET_ERROR_NO_CHANNEL, "NoChannel", 1 },
  { SIGNET_ERROR_VERSION, "Version", 1 },
  { SIGNET_ERROR_NO_DAEMON, "NoDaemon", 1 },
  { SIGNET_ERROR_NOT_GOOD, "NotGood", 3 },
  { SIGNET_ERROR_NOT_FOUND, "NotFound", 4 },
  { SIGNET_ERROR_AMBIGUOUS, "Ambiguous", 4 },
  { SIGNET_ERROR_NONE_USABLE, "NoneUsable", 4 },
  { SIGNET_ERROR_PIN_REQUIRED, "PinRequired", 5 },
  { SIGNET_ERROR_PIN_INCORRECT, "PinIncorrect", 5 },
  { SIGNET_ERROR_PIN_BLOCKED, "PinBlocked", 5 },
  { SIGNET_ERROR_PIN_REFUSED, "PinRefused", 5 },
  { SIGNET_ERROR_PIN_NOT_SET, "PinNotSet", 5 },
  { SIGNET_ERROR_CANCELLED, "Cancelled", 5 },
  { SIGNET_ERROR_TOKEN_GONE, "TokenGone", 6 },
  { SIGNET_ERROR_TOKEN_DOWN, "TokenDown", 6 },
  { SIGNET_ERROR_TIMEOUT, "Timeout", 6 },
  { SIGNET_ERROR_RECIPIENTS_MISSING, "RecipientsMissing", 7 },
  { SIGNET_ERROR_DENIED, "Denied", 8 },
  { SIGNET_ERROR_REFUSED, "Refused", 8 },
};

static void
details_init(SignetErrorDetails *details)
{
  details->tries_left = -1;
}

static void
details_copy(const SignetErrorDetails *from, SignetErrorDetails *to)
{
  to->tries_left = from->tries_left;
  to->token = g_strdup(from->token);
  to->candidates = g_strdupv(from->candidates);
  to->try_command = g_strdupv(from->try_command);
}

static void
details_clear(SignetErrorDetails *details)
{
  g_clear_pointer(&details->token, g_free);
  g_clear_pointer(&details->candidates, g_strfreev);
  g_clear_pointer(&details->try_command, g_strfreev);
}

/* GLib keeps the details right before the GError, rounded up as g_type_create_instance()
 * does; this is what the inline part of G_DEFINE_EXTENDED_ERROR computes in every program. */
static SignetErrorDetails *
details_of(const GError *error)
{
  const gsize unit = 2 * sizeof(gsize);
  const gsize size = (sizeof(SignetErrorDetails) + unit - 1) / unit * unit;
  return (SignetErrorDetails *)(gintptr)((const guint8 *)error - size);
}

static void
private_init(GError *error)
{
  details_init(details_of(error));
}

static void
private_copy(const GError *from, GError *to)
{
  details_copy(details_of(from), details_of(to));
}

static void
private_clear(GError *error)
{
  details_clear(details_of(error));
}

/* Not by G_DEFINE_EXTENDED_ERROR: one process can carry several copies of this file (libsignet,
 * the OpenSSL provider, the PKCS#11 module), and GLib takes a second registration of a domain
 * for a program's bug. The copies agree on SignetErrorDetails: it is public ABI. */
GQuark
signet_error_quark(void)
{
  static gsize quark = 0;
  if (g_once_init_enter(&quark)) {
    GQuark known = g_quark_try_string(DOMAIN);
    if (!known)
      known = g_error_domain_register_static(DOMAIN, sizeof(SignetErrorDetails), private_init,
                                             private_copy, private_clear);
    g_once_init_leave(&quark, known);
  }
  return (GQuark)quark;
}

const SignetErrorDetails *
signet_error_get_details(const GError *error)
{
  return error && error->domain == SIGNET_ERROR ? details_of(error) : NULL;
}

SignetErrorDetails *
base_error_details(GError *error)
{
  return error && error->domain == SIGNET_ERROR ? details_of(error) : NULL;
}

gboolean
base_error_set(GError **error, SignetError code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  /* g_propagate_error() says so when an error is set over another, which would be lost. */
  if (error)
    g_propagate_error(error, g_error_new_valist(SIGNET_ERROR, (gint)code, format, args));
  va_end(args);
  return FALSE;
}

static const char *
errno_words(int errnum)
{
  switch (errnum) {
  case ENOSPC:
    return "no space left on the disk";
  case EDQUOT:
    return "your disk quota is used up";
  case EROFS:
    return "the file system is read-only";
  default:
    return g_strerror(errnum);
  }
}

gboolean
base_error_set_errno(GError **error, int errnum, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *what = g_strdup_vprintf(format, args);
  va_end(args);
  return base_error_set(error, SIGNET_ERROR_IO, "%s: %s", what, errno_words(errnum));
}

gboolean
base_error_set_openssl(GError **error, SignetError code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *what = g_strdup_vprintf(format, args);
  va_end(args);
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());
  base_error_set(error, code, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
  ERR_clear_error();
  return FALSE;
}

void
base_error_suggest(GError **error, const char *word, ...)
{
  SignetErrorDetails *details = error ? base_error_details(*error) : NULL;
  if (!details)
    return;
  g_autoptr(GPtrArray) words = g_ptr_array_new();
  va_list args;
  va_start(args, word);
  for (const char *next = word; next; next = va_arg(args, const char *))
    g_ptr_array_add(words, g_strdup(next));
  va_end(args);
  g_ptr_array_add(words, NULL);
  g_strfreev(details->try_command);
  details->try_command = (char **)g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

void
base_error_name_token(GError **error, const char *token)
{
  SignetErrorDetails *details = error ? base_error_details(*error) : NULL;
  if (!details)
    return;
  g_free(details->token);
  details->token = g_strdup(token);
}

void
base_error_count_tries(GError **error, int tries_left)
{
  SignetErrorDetails *details = error ? base_error_details(*error) : NULL;
  if (details)
    details->tries_left = tries_left;
}

const char *
base_error_name(int code)
{
  for (gsize i = 0; i < G_N_ELEMENTS(error_table); i++)
    if ((int)error_table[i].code == code)
      return error_table[i].name;
  return "Failed";
}

char *
base_error_varlink_name(int code)
{
  return g_strconcat(VARLINK_PREFIX, base_error_name(code), NULL);
}

int
base_error_code_from_name(const char *name)
{
  if (!name)
    return SIGNET_ERROR_FAILED;
  if (g_str_has_prefix(name, VARLINK_PREFIX))
    name += strlen(VARLINK_PREFIX);
  for (gsize i = 0; i < G_N_ELEMENTS(error_table); i++)
    if (strcmp(error_table[i].name, name) == 0)
      return (int)error_table[i].code;
  return SIGNET_ERROR_FAILED;
}

int
base_error_exit_status(const GError *error)
{
  if (!error || error->domain != SIGNET_ERROR)
    return 1;
  for (gsize i = 0; i < G_N_ELEMENTS(error_table); i++)
    if ((int)error_table[i].code == error->code)
      return error_table[i].exit_status;
  return 1;
}
