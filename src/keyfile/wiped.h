/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Decrypted and decoded parts of a file: larger than a BaseSecret may be, wiped all the same. */

#include <glib.h>

/* Takes `bytes`, of g_malloc(), and wipes them at the last unref. */
GBytes *keyfile_wiped_new(guint8 *bytes, gsize length);
