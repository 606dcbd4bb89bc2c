/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What other programs' folders are, by their files. */

#include "transfer/transfer.h"

TransferPlace *transfer_place_nss(const char *path);
/* NULL: it has no X.509 certificate, as with people who use OpenPGP only. */
TransferPlace *transfer_place_gpgsm(const char *path);
/* NULL: it is not smime_keys that made these folders. */
TransferPlace *transfer_place_smime_keys(const char *path);
