/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Names of machines to their addresses, within a deadline. */

#include "base/deadline.h"

#include <netdb.h>

/* freeaddrinfo() it. TIMEOUT; IO with the resolver's words. A thread that still waits for the
 * name service when the time is over is left to itself: getaddrinfo() cannot be called off. */
struct addrinfo *base_resolve(const char *host, const char *port, BaseDeadline deadline,
                              GError **error);

/* This machine's own, one of a private network, of the link, or of nobody in particular: none
 * that a stranger may have called. */
gboolean base_resolve_is_local(const struct sockaddr *address);
