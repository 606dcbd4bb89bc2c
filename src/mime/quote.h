/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/flow.h"

/* A stage: text to quoted-printable (RFC 2045 6.7). LF and CRLF are line ends, which are written as
 * CRLF, or as LF. Does not own or finish `next`. */
BaseSink *mime_quote_new(gboolean crlf, BaseSink *next);
