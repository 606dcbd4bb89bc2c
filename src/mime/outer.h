/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Header protection (RFC 9788) of mail that is made: which header fields stand inside what is signed or
 * sealed, and what of them stands outside. */

#include "mime/header.h"
#include "mime/write.h"

/* The fields that stay outside; Content-* and MIME-Version never do. Lines end as they came. */
void mime_outer_headers(const MimeHeader *header, MimeProtection protection, GString *to);
/* The fields that are repeated inside, and HP-Outer. */
void mime_inner_headers(const MimeHeader *header, MimeProtection protection, GString *to);
/* The parameter for Content-Type, as `; hp="clear"`; NULL for none. */
const char *mime_inner_parameter(MimeProtection protection);

/* A field as it came, and a line end if it has none. */
void mime_field_append(GString *to, const MimeField *field);
