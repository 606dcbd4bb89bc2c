/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Making and mapping errors. The domain itself is public: signet/error.h.
 *
 * One table (error.c) maps a code to its name on the socket
 * ("org.signet.Error.PinIncorrect"), its short name in --json ("PinIncorrect")
 * and the exit status. Foreign errors (errno, OpenSSL's queue) are converted
 * here and never travel; CK_RV is converted in token/rv.c. */

#include <signet/error.h>

/* The details of an error of ours, to fill in right after it is made; NULL for NULL and for
 * errors of another domain. With a `GError **error` that may be NULL use the calls below. */
SignetErrorDetails *base_error_details(GError *error);

/* Each returns FALSE, so that `return base_error_set(...)` reads well.
 * The format names what failed, on what, and what to do. */
gboolean base_error_set(GError **error, SignetError code, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* Appends ": <strerror>"; ENOSPC, EDQUOT and EROFS say so in plain words. Code is IO. */
gboolean base_error_set_errno(GError **error, int errnum, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* Takes the newest reason off OpenSSL's error queue, empties the queue, appends the reason. */
gboolean base_error_set_openssl(GError **error, SignetError code, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

#if defined __clang_analyzer__ && !defined BASE_ERROR_C
/* The analyser sees one file at a time and would take the answer for anything. */
static inline gboolean
base_error_false(gboolean answer G_GNUC_UNUSED)
{
  return FALSE;
}
#define base_error_set(...) base_error_false((base_error_set)(__VA_ARGS__))
#define base_error_set_errno(...) base_error_false((base_error_set_errno)(__VA_ARGS__))
#define base_error_set_openssl(...) base_error_false((base_error_set_openssl)(__VA_ARGS__))
#endif

/* These three fill in details where there is an error of ours, and are fine with `error` NULL.
 * Suggest: the words of the command to type next; the varargs end with NULL. */
void base_error_suggest(GError **error, const char *word, ...) G_GNUC_NULL_TERMINATED;
void base_error_name_token(GError **error, const char *token);
void base_error_count_tries(GError **error, int tries_left);

const char *base_error_name(int code);           /* "PinIncorrect" */
char *base_error_varlink_name(int code);         /* "org.signet.Error.PinIncorrect" */
int base_error_code_from_name(const char *name); /* short or full; FAILED when unknown */
int base_error_exit_status(const GError *error); /* 1 for foreign domains */
