/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From a host's answers to TOKENS, ABILITIES and OBJECTS to tokens and catalogue. */

#include "daemon/token.h"

/* token.c: all tokens of a host (element-type WireToken), which are taken over by the tokens
 * that they are of; the array must not free them. */
void daemon_token_take_records(DaemonHost *host, GPtrArray *records);
