/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The one error domain of signet.
 *
 * Every call that fails sets a GError of this domain. The code tells what kind
 * of failure it is, and decides both the command line's exit status and the
 * name of the error on the socket (src/base/error.c holds that table). The
 * message is one sentence for a person: what failed, on what, what to do.
 *
 * Some errors carry details besides: see signet_error_get_details().
 */

#include <glib.h>

/* libsignet is built with hidden visibility; what these headers declare is all it shows. */
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

G_BEGIN_DECLS

#define SIGNET_ERROR (signet_error_quark())

/**
 * SignetError:
 *
 * The number in brackets is the exit status of the command line.
 */
typedef enum {
  SIGNET_ERROR_FAILED,             /* anything without a better name [1] */
  SIGNET_ERROR_USAGE,              /* the call or command line is wrong [2] */
  SIGNET_ERROR_BAD_INPUT,          /* a message, file, frame or answer is malformed [1] */
  SIGNET_ERROR_TOO_LARGE,          /* beyond a named limit [1] */
  SIGNET_ERROR_IO,                 /* reading, writing, disk full [1] */
  SIGNET_ERROR_CANNOT_DECRYPT,     /* damaged, or not for any key here [1] */
  SIGNET_ERROR_UNSUPPORTED,        /* the token or signet cannot do this [1] */
  SIGNET_ERROR_NO_CHANNEL,         /* this key gets no key channel; use the methods [1] */
  SIGNET_ERROR_VERSION,            /* the peer speaks another protocol version [1] */
  SIGNET_ERROR_NO_DAEMON,          /* signetd is not reachable [1] */
  SIGNET_ERROR_NOT_GOOD,           /* signature bad, untrusted, mismatched or absent [3] */
  SIGNET_ERROR_NOT_FOUND,          /* no such token, ID, key or contact [4] */
  SIGNET_ERROR_AMBIGUOUS,          /* the name fits several; details list them [4] */
  SIGNET_ERROR_NONE_USABLE,        /* candidates exist, none can do this; details say why [4] */
  SIGNET_ERROR_PIN_REQUIRED,       /* the token is locked [5] */
  SIGNET_ERROR_PIN_INCORRECT,      /* a try was spent [5] */
  SIGNET_ERROR_PIN_BLOCKED,        /* no tries left; unblock it [5] */
  SIGNET_ERROR_PIN_REFUSED,        /* length or characters, or known wrong: no try spent [5] */
  SIGNET_ERROR_PIN_NOT_SET,        /* the token has no PIN yet [5] */
  SIGNET_ERROR_CANCELLED,          /* the person said no [5] */
  SIGNET_ERROR_TOKEN_GONE,         /* removed [6] */
  SIGNET_ERROR_TOKEN_DOWN,         /* its host crashed too often, or cannot start [6] */
  SIGNET_ERROR_TIMEOUT,            /* the deadline passed [6] */
  SIGNET_ERROR_RECIPIENTS_MISSING, /* some recipients have no usable certificate [7] */
  SIGNET_ERROR_DENIED,             /* refused by policy [8] */
  SIGNET_ERROR_REFUSED             /* it would destroy something; the message names what [8] */
} SignetError;

/**
 * SignetErrorDetails:
 * @tries_left: PIN tries left, or -1 when the token does not tell
 * @token: (nullable): the token's label
 * @candidates: (nullable): one line each, for AMBIGUOUS and NONE_USABLE
 * @try_command: (nullable): words of the command to type next
 *
 * What an error carries besides code and message.
 */
typedef struct {
  int tries_left;
  char *token;
  char **candidates;
  char **try_command;
} SignetErrorDetails;

/**
 * signet_error_get_details:
 * @error: (nullable): any error
 *
 * Returns: (transfer none) (nullable): the details, owned by @error; NULL when
 *   @error is NULL or of another domain
 */
const SignetErrorDetails *signet_error_get_details(const GError *error);

/**
 * signet_error_quark:
 *
 * Returns: the domain; use %SIGNET_ERROR
 */
GQuark signet_error_quark(void);

G_END_DECLS

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
