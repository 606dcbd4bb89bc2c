/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Messages of several sizes: messages.c makes the files and measures, messages-rows.c knows the
 * commands, messages-report.c prints the tables and says what was to be reached. */

#include <glib.h>
#include <jansson.h>

typedef enum {
  MESSAGE_SIGN,
  MESSAGE_VERIFY,
  MESSAGE_VERIFY_OPAQUE,
  MESSAGE_VERIFY_STREAMED,
  MESSAGE_ENCRYPT_CBC,
  MESSAGE_ENCRYPT_GCM,
  MESSAGE_DECRYPT_CBC,
  MESSAGE_DECRYPT_GCM,
  MESSAGE_DECRYPT_CBC_STREAMED,
  MESSAGE_DECRYPT_GCM_STREAMED,
  MESSAGE_DECRYPT_MAIL,
  /* The limits: what the same bytes cost without any cryptographic message around them. */
  MESSAGE_HASH,
  MESSAGE_COPY,
  MESSAGE_DECODE,
  N_MESSAGE_ROWS
} MessageRow;

typedef enum { MESSAGE_SIGNET, MESSAGE_OPENSSL, MESSAGE_GPGSM, N_MESSAGE_PROGRAMS } MessageProgram;

/* What other processes take away shows in the one, and hardly in the other. */
typedef enum { MESSAGE_ELAPSED, MESSAGE_PROCESSOR, N_MESSAGE_CLOCKS } MessageClock;

#define MESSAGE_FIRST_LIMIT MESSAGE_HASH /* these have one program only, in the first column */
#define MESSAGE_ADDRESS "rsa@example.org"
#define MESSAGE_KEY "bench-rsa"

typedef struct {
  const char *name;
  const char *commands[N_MESSAGE_PROGRAMS]; /* words with single blanks; NULL: `cannot` says why */
  const char *cannot[N_MESSAGE_PROGRAMS];
  gboolean gives; /* at least the text comes out; else the output is not looked at */
} MessageRowKind;

extern const MessageRowKind message_rows[N_MESSAGE_ROWS];

/* Files made before a size is measured, in this order, each the output of a command. */
typedef struct {
  const char *file;
  const char *command;
} MessageFile;

extern const MessageFile message_files[];
extern const gsize n_message_files;

typedef struct {
  char **argv;                     /* argv[0] is a path; NULL: cannot be measured */
  char *problem;                   /* (nullable) why not, or of its first failure */
  GArray *times[N_MESSAGE_CLOCKS]; /* double, milliseconds */
  gint64 peak;                     /* KiB, the largest of all runs */
  guint failures;
} MessageCell;

typedef struct {
  const char *name;
  gsize bytes;
  guint repeats;
  gboolean barred; /* large enough for the times that were to be reached */
  MessageCell cells[N_MESSAGE_ROWS][N_MESSAGE_PROGRAMS];
} MessageSize;

void message_size_print(const MessageSize *size);
json_t *message_size_json(const MessageSize *size);
