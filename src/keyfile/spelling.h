/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The byte strings that one passphrase became in the programs that wrote such files. */

#include "base/secret.h"

typedef struct {
  BaseSecret *text; /* for PBES1, PBES2 and PEM encryption */
  BaseSecret *wide; /* for the PKCS #12 key derivation: BMPString with its two zero bytes */
} KeyfileSpelling;

/* (element-type KeyfileSpelling), the likely ones first. NULL: those of no passphrase. */
GPtrArray *keyfile_spellings_new(BaseSecret *passphrase);

/* Whether an earlier one has the same bytes: another try would cost the same and tell nothing. */
gboolean keyfile_spelling_was_tried(const GPtrArray *spellings, guint index, gboolean wide);
/* To the front: what wrote one part with this spelling wrote the others so, too. */
void keyfile_spelling_prefer(GPtrArray *spellings, guint index);
