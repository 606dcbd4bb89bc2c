/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* All of libsignet. */
#include <signet/client.h>
#include <signet/error.h>
#include <signet/key.h>
#include <signet/transfer.h>
