/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a TrustStore holds, for the files of this folder. */

#include "trust/trust.h"

struct TrustStore {
  X509_STORE *store;
  GHashTable *origins; /* fingerprint (char) → where from (char) */
};
