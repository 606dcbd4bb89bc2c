/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The floor for a command that works on mail: as empty-glib.c, and GMime. */

#include <glib.h>
#include <gmime/gmime.h>
#include <jansson.h>
#include <openssl/crypto.h>

int
main(void)
{
  return gmime_major_version > 0 && jansson_version_str() && OpenSSL_version_num() ? 0 : 1;
}
