/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A connection to a server, of which every step knows the deadline. */

#include "base/deadline.h"
#include "base/flow.h"
#include "base/tls.h"
#include "base/url.h"

typedef struct BaseConnection BaseConnection;

/* TIMEOUT, IO; DENIED where `no_local` and base_resolve_is_local(). */
BaseConnection *base_connect(const BaseUrl *to, gboolean no_local, BaseDeadline deadline,
                             GError **error);
/* From now on by TLS, to the host that `tls` was made for; FAILED. The connection keeps `tls`. */
gboolean base_connection_secure(BaseConnection *connection, BaseTls *tls, GError **error);
gboolean base_connection_write(BaseConnection *connection, gconstpointer bytes, gsize length,
                               GError **error);
/* *ret_got 0: the end. */
gboolean base_connection_read(BaseConnection *connection, gpointer buffer, gsize size,
                              gsize *ret_got, GError **error);
void base_connection_free(BaseConnection *connection);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BaseConnection, base_connection_free)
