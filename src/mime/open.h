/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Mail that is read, in constant memory: its layers (sealed in signed in sealed …) from the
 * outermost to the text, each opened or checked. Signed bytes are taken raw, by the boundary,
 * and in CRLF form; GMime reads header values, and is loaded by this half of the room only. */

#include "base/flow.h"
#include "cms/flow.h"
#include "mime/kind.h"
#include "trust/verdict.h"

#define MIME_LAYERS_MAX 16 /* a triple wrap has three */

typedef struct {
  MimeKind kind; /* SIGNED, OPAQUE_SIGNED, SEALED or CERTIFICATES */
  /* SEALED; NULL where it was not opened. */
  CmsUnsealed *unsealed;
  /* SIGNED, OPAQUE_SIGNED; NULL: `problem`. */
  CmsVerified *verified;
  CmsInfo *info;        /* (nullable) MIME_OPEN_LOOK only */
  char *problem;        /* (nullable) why the signature cannot be read, half a sentence */
  GPtrArray *uncovered; /* (element-type char): what is shown to a reader and not covered, a phrase
                           each: "a part after the signed one", "text before the signed part" */
} MimeLayer;

typedef enum {
  MIME_OPEN_LOOK,   /* no key is asked, signatures are not checked; stops at the first layer */
  MIME_OPEN_VERIFY, /* signatures only; stops at a sealed layer */
  MIME_OPEN_ALL     /* opens what is sealed, all the way */
} MimeDepth;

typedef struct MimeOpened MimeOpened;

/* Called when the first key is needed. */
typedef SignetClient *(*MimeConnect)(gpointer data, GError **error);

/* `input` stays the caller's and outlives it. What is decrypted is spooled (encrypted on disk), and known to be good when
 * this returns: tag, padding, and, for the authenticity that CBC lacks, that it is a MIME entity.
 * A signature inside that cannot be read is its layer's problem; outermost it is an error. */
MimeOpened *mime_open(BaseInput *input, MimeDepth depth, MimeConnect connect, gpointer data,
                      GError **error);
void mime_opened_free(MimeOpened *opened);

const GPtrArray *mime_opened_layers(const MimeOpened *opened); /* (element-type MimeLayer) */
/* What the signatures are held against; borrowed. The innermost whole message's own From counts where
 * the outer one has none. */
const TrustClaim *mime_opened_claim(const MimeOpened *opened);
const char *mime_opened_subject(const MimeOpened *opened); /* (nullable) as a reader is to see it */
/* (nullable) the innermost layer that is signed: its verdict is the mail's */
const MimeLayer *mime_opened_signed(const MimeOpened *opened);
/* What else is to be said, a sentence's half each: (element-type char). */
const GPtrArray *mime_opened_notes(const MimeOpened *opened);

/* RFC 9788: a header field that is protected, and what stands outside. */
typedef struct {
  char *name;
  char *inside;      /* decoded, one line */
  char *outside;     /* (nullable): not there */
  gboolean expected; /* the sender said that it would differ (HP-Outer), or it is equal */
} MimeProtected;
/* (element-type MimeProtected), empty where nothing is protected */
const GPtrArray *mime_opened_protected(const MimeOpened *opened);

/* The verdict on the signature is good, so it stands in for the protected From: where the outer one is another,
 * write_mail() puts the protected one in its place then, and only then (RFC 9788). */
void mime_opened_vouch(MimeOpened *opened);

/* What `decrypt` gives: the outer headers (protected ones in their place) and the innermost entity. No finish(). */
gboolean mime_opened_write_mail(MimeOpened *opened, BaseSink *to, GError **error);
/* What `verify -o` gives: the content that was signed, and no byte more. No finish(). */
gboolean mime_opened_write_content(MimeOpened *opened, BaseSink *to, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MimeOpened, mime_opened_free)
