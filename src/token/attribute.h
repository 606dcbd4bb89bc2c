/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reading objects: finds and attributes, with everything that a module answers
 * checked before it is believed. And the templates of objects to be made. */

#include "token/token.h"

/* An attribute read into a buffer of the caller's; length CK_UNAVAILABLE_INFORMATION: not there. */
gboolean token_attribute_there(const CK_ATTRIBUTE *attribute, gsize room);

/* One C_GetAttributeValue for all; where the module stumbles over one of them, one call each.
 * `attributes` hold buffers and their sizes; afterwards ulValueLen never exceeds the size, or is
 * CK_UNAVAILABLE_INFORMATION. CKR_OK, or a code that has nothing to do with a single attribute. */
CK_RV token_attributes_read(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                            CK_ATTRIBUTE *attributes, CK_ULONG count);

gboolean token_attribute_bool(const CK_ATTRIBUTE *attribute, gboolean fallback);
CK_ULONG token_attribute_ulong(const CK_ATTRIBUTE *attribute);

/* A value of any length up to `max`; NULL: not there, longer, or the module contradicts itself. */
GBytes *token_attribute_bytes(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                              CK_ATTRIBUTE_TYPE type, gsize max);

/* All objects that fit; (element-type CK_OBJECT_HANDLE). Takes no lock: the caller holds token->objects. */
CK_RV token_find_all(Token *token, CK_SESSION_HANDLE session, CK_ATTRIBUTE *attributes,
                     CK_ULONG count, GArray **ret_handles);

#define TOKEN_TEMPLATE_MAX 24

/* Values are pointed at, not copied. */
typedef struct {
  CK_ATTRIBUTE rows[TOKEN_TEMPLATE_MAX];
  CK_ULONG count;
} TokenTemplate;

void token_template_add(TokenTemplate *template, CK_ATTRIBUTE_TYPE type, gconstpointer value,
                        gsize length);
void token_template_add_bool(TokenTemplate *template, CK_ATTRIBUTE_TYPE type, gboolean value);
