/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The process that clears up after the sandbox, and the pipe to it: "command PID", "end". Its
 * closing without "end" means that the sandbox died; then the command is ended too. */

#include "sandbox/place.h"

#include <sys/types.h>

typedef struct {
  pid_t pid;
  int pipe;
} SandboxGuard;

gboolean sandbox_guard_start(const SandboxPlace *place, gboolean keep, SandboxGuard *guard,
                             GError **error);
void sandbox_guard_tell_command(const SandboxGuard *guard, pid_t command);
/* Waits until all is gone. */
void sandbox_guard_end(SandboxGuard *guard, const SandboxPlace *place, gboolean keep);
