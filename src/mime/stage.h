/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Stages (base/flow.h) for the bytes of a mail that is read. */

#include "base/flow.h"

/* Writes on; neither finishes nor owns `next`. What a chain that is to be finished in parts ends with. */
BaseSink *mime_pass_on(BaseSink *next);
/* Writes on, finishes and owns `next`. */
BaseSink *mime_pass_new(BaseSink *next);

/* As it was signed: a LF without CR becomes CRLF. A lone CR is content and stays. Does not own or
 * finish `next`. */
BaseSink *mime_crlf_new(BaseSink *next);
/* CRLF becomes LF; a lone CR stays. Does not own or finish `next`. */
BaseSink *mime_lf_new(BaseSink *next);

/* Quoted-printable to bytes (RFC 2045 6.7); what is no code stays as it is. Owns `next`. */
BaseSink *mime_unquote_new(BaseSink *next);

/* Writes on, and sees whether every line end is CRLF, and CR stands nowhere else. Does not own
 * `next`, but finishes it. */
BaseSink *mime_ends_new(BaseSink *next);
gboolean mime_ends_are_crlf(const BaseSink *sink); /* after finish() */
