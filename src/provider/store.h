/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The parameters of the `signet:` store. */

#include "provider/key.h"

/* SubjectPublicKeyInfo, DER */
#define PROVIDER_PARAM_PUBLIC_KEY "signet-public-key"
