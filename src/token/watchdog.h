/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Ends the process when a call into the module does not come back in time. A thread
 * that hangs in somebody's library cannot be stopped; a process can. The broker sees the
 * end of file, answers Timeout and starts another host. */

#include "base/deadline.h"

#define TOKEN_WATCH_GRACE_MS 500
#define TOKEN_EXIT_DEADLINE 75 /* exit status: EX_TEMPFAIL */
#define TOKEN_EXIT_BROKER_GONE 0

typedef struct TokenWatch TokenWatch;

void token_watchdog_start(void);

/* A place to announce deadlines at; each thread that calls the module has one. Never NULL. */
TokenWatch *token_watch_new(void);
void token_watch_free(TokenWatch *watch);
/* Costs one store: it is on the path of every signature. */
void token_watch_arm(TokenWatch *watch, BaseDeadline deadline);
void token_watch_disarm(TokenWatch *watch);
/* For polls, which wait behind an operation of the same module without being at fault: counts
 * only while nothing else is under way. */
void token_watch_arm_patient(TokenWatch *watch, BaseDeadline deadline);
