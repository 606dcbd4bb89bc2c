/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* `signet start`, step by step. Each step looks first at what is there, so that a run that was broken
 * off is taken up where it ended. */

#include "base/secret.h"
#include "cli/cli.h"

#include <stdio.h>

typedef enum {
  START_USE,    /* an ID that is there */
  START_NEW,    /* a new ID, on a token that is there or a soft one */
  START_IMPORT, /* a file */
  START_NOTHING /* only look */
} StartWay;

typedef struct {
  Cli *cli;
  GPtrArray *tokens; /* (element-type SignetToken) */
  GPtrArray *ids;    /* (element-type SignetId), with DER */
  gboolean asks;     /* a person is there to answer */
  StartWay way;
  char *id;         /* the ID it is about, once known: an address or another name */
  char *token;      /* (nullable) label of the token for a new ID */
  gboolean soft;    /* a new soft token is to be made for it */
  char *file;       /* START_IMPORT */
  char *request;    /* (nullable) a CSR was written there: no certificate yet */
  char *verdict;    /* (nullable) of the mail to oneself */
  char *so_pin;     /* (nullable) invented, and not told yet */
  gboolean trusted; /* the ID's CA is trusted on this computer */
} Start;

/* start-look.c */
gboolean cli_start_look(Start *start, GError **error); /* fills tokens and ids */
void cli_start_explain(const Start *start);            /* what is there, in plain words */
/* By the options, by asking, or the one thing that can be meant. */
gboolean cli_start_decide(Start *start, GError **error);
const SignetId *cli_start_find(const Start *start, const char *name); /* (nullable) */
gboolean cli_start_is_blank(const SignetToken *token);
gboolean cli_start_signs(const SignetId *id); /* a key that is here has a certificate valid now */

/* start-make.c */
gboolean cli_start_make(Start *start, GError **error); /* START_NEW: token, key, certificate */
gboolean cli_start_import(Start *start, GError **error);

/* start-finish.c */
gboolean cli_start_trust(Start *start, GError **error);
void cli_start_tools(const Start *start);
gboolean cli_start_prove(Start *start, GError **error); /* a signed mail to oneself that verifies */

/* At once, and without heed of --quiet: it is known nowhere else. In JSON it is in the answer. */
void cli_start_tell_so_pin(Start *start, FILE *out);

/* A question with a default; the answer in lower case or as typed. */
char *cli_start_ask(const Start *start, const char *question, const char *fallback, GError **error);
