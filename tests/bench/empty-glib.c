/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The floor for a command's start: a process that links GLib, jansson and libcrypto, touches
 * each once, and ends. */

#include <glib.h>
#include <jansson.h>
#include <openssl/crypto.h>

int
main(void)
{
  return glib_major_version > 0 && jansson_version_str() && OpenSSL_version_num() ? 0 : 1;
}
