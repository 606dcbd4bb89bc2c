/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Asking a person for a token's PIN, by pinentry, in a helper process of its own. One
 * question per token, shared by all calls that want the answer. */

#include "daemon/token.h"

/* Takes over `call`, asks, logs in, and ends the call as `done` says. `interaction` is the
 * call's own JSON object. */
typedef void (*DaemonPromptDone)(DaemonCall *call, DaemonToken *token, gboolean already,
                                 const GError *error);
void daemon_prompt_unlock(DaemonCall *call, DaemonToken *token, const json_t *interaction,
                          DaemonPromptDone done);
void daemon_prompt_token_gone(DaemonToken *token);

/* The helper's main (signetd --ask-pin): a question comes on descriptor 3, the answer goes back. */
int daemon_askpin_main(void);

/* What is asked, as it travels to the helper: texts, "" for none. */
enum {
  DAEMON_ASK_PROGRAM, /* of pinentry */
  DAEMON_ASK_DISPLAY,
  DAEMON_ASK_WAYLAND,
  DAEMON_ASK_XAUTHORITY,
  DAEMON_ASK_TTY,
  DAEMON_ASK_TERM,
  DAEMON_ASK_LOCALE,
  DAEMON_ASK_DESCRIPTION,
  DAEMON_ASK_PROMPT,
  DAEMON_ASK_FIELDS
};
