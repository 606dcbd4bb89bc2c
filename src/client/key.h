/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the two ways to a key (methods and key channels) share: the operation as it
 * travels, and the check of what comes back. */

#include "wire/operation.h"

#include <signet/key.h>

/* Fills in defaults; USAGE where the operation makes no sense. Points into `operation`. */
gboolean client_operation_read(SignetCan what, const SignetOperation *operation,
                               WireOperation *ret_operation, GError **error);

/* The result, if its length can be right; all but signatures is wiped when the last reference
 * goes. */
GBytes *client_result_new(const WireOperation *operation, gconstpointer bytes, gsize length,
                          GError **error);

/* The operation by a method of org.signet.Key. */
GBytes *client_key_call(SignetClient *client, const char *key, const WireOperation *operation,
                        GError **error);
