/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A full token for the fake host: as many IDs as asked for, each with a certificate of 1 KB. */

#include <glib.h>

/* Bodies of the MORE frames that answer WIRE_HOST_OBJECTS (element-type GBytes). */
GPtrArray *fake_many_objects(guint ids);
