/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A mail that is being opened: what open.c, layer.c, claim.c and protect.c share. */

#include "cms/keys.h"
#include "mime/open.h"
#include "mime/search.h"

/* Where the keys are, when they are needed. */
typedef gboolean (*MimeKeys)(gpointer data, CmsKeys *ret_keys, GError **error);

/* An entity, and the input that it lies in. */
typedef struct {
  BaseInput *input;
  MimeRange range;
  gboolean crlf; /* known to be in CRLF form */
} MimeSource;

struct MimeOpened {
  const MimeGmime *gmime;
  MimeDepth depth;
  MimeKeys keys;
  gpointer data;
  MimeSource mail; /* the caller's */
  MimeHead head;   /* of it */
  GPtrArray *layers;
  GPtrArray *inputs;  /* (element-type BaseInput) what came out of layers, the newest last */
  MimeSource output;  /* what write_mail() writes; no input: the mail itself */
  MimeSource content; /* what was signed innermost; no input: nothing */
  MimeSource payload; /* what the innermost layer covers; no input: nothing */
  const MimeLayer *innermost; /* signed */
  gboolean unsure;            /* the last seal has no authentication */
  /* claim.c, protect.c */
  TrustClaim claim;
  char *from;
  char *sender;
  char *subject;
  GPtrArray *uncovered; /* (element-type char), borrowed of layers */
  GPtrArray *notes;
  GPtrArray *protected;
  MimeHead inside;     /* the payload's, where it protects headers; else empty */
  gboolean other_from; /* the outer From is not the protected one */
  gboolean vouched;    /* for the protected one */
};

MimeOpened *mime_open_with(BaseInput *input, MimeDepth depth, MimeKeys keys, gpointer data,
                           GError **error);

/* One layer: *ret_content is what it covers, with an input that was not there before for all but
 * detached signatures (owned by the caller), and without one where nothing came out. NULL without an error: a seal
 * that is not to be opened here. */
MimeLayer *mime_layer_open(MimeOpened *opened, BaseInput *input, const MimeFound *found,
                           MimeSource *ret_content, GError **error);
MimeLayer *mime_layer_new(MimeKind kind, const MimeFound *found);
void mime_layer_free(MimeLayer *layer);

void mime_protected_free(MimeProtected *field);

/* What the mail says of itself, when all layers are known. */
void mime_claim_fill(MimeOpened *opened);
/* Reads `inside` and fills `protected`, where the payload protects headers (RFC 9788). */
void mime_protect_read(MimeOpened *opened);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MimeLayer, mime_layer_free)
