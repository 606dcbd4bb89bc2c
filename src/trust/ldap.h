/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One attribute of an entry in a directory (RFC 4516), for CAs that keep their CRLs there. libldap is loaded when
 * it is first needed, where it is installed. */

#include "base/deadline.h"
#include "base/flow.h"
#include "base/url.h"

/* As base_http(); UNSUPPORTED without libldap. The answer is in memory once: libldap has no other way. */
gboolean trust_ldap_fetch(const BaseUrl *url, gboolean no_local, goffset max, BaseDeadline deadline,
                          BaseSink *to, GError **error);
