/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* PKCS #12 (RFC 7292) in DER or BER, from the old schemes to PBMAC1 (RFC 9579). */

#include "keyfile/reader.h"

/* FALSE: the whole file is refused. */
gboolean keyfile_pkcs12_read(KeyfileReader *reader, const guint8 *der, gsize length,
                             GError **error);
