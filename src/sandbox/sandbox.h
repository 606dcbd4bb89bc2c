/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A throwaway signet for people who test a mail tool.
 *
 * One folder holds all of it: a home, a daemon's socket and state, a soft token, the keys and
 * certificates asked for, a CA. A command runs with the environment that leads there. A guard,
 * a process in a session of its own that waits on a pipe, ends the daemon and removes the
 * folder, however the sandbox itself ended. Where even the guard was killed, the next
 * sandbox in the same place does it: nobody holds the lock in the folder then.
 *
 * The folder (SIGNET_SANDBOX_DIR):
 *
 *   ca.pem, ca.crl        the CA, trusted inside, and its list of revoked certificates
 *   untrusted-ca.pem      where a certificate of the other CA was asked for
 *   ids/ADDR.pem          certificates of the IDs; ADDR-encrypt.pem (split), ADDR-old.pem
 *   contacts/ADDR.pem     other people: certificate, ADDR.key and ADDR.p12 (opened by the PIN)
 *   home/, run/           HOME and XDG_RUNTIME_DIR
 *   pulled/               where the token lies while it is removed
 */

#include <signet/signet.h>

#include <glib.h>
#include <sys/types.h>

typedef enum {
  SANDBOX_EXPIRED = 1 << 0,
  SANDBOX_REVOKED = 1 << 1,
  SANDBOX_UNTRUSTED = 1 << 2,
  SANDBOX_SPLIT = 1 << 3,
  SANDBOX_NO_ADDRESS = 1 << 4,
  SANDBOX_OLD_KEYS = 1 << 5
} SandboxVariant;

typedef struct {
  char *address;
  char *kind;     /* rsa:2048, ec:p256 … */
  guint variants; /* SandboxVariant */
} SandboxPerson;

/* ADDR[,KEY][,variant]…; USAGE names what is wrong. A contact has no token, so no split or old keys. */
SandboxPerson *sandbox_person_parse(const char *text, gboolean contact, GError **error);
void sandbox_person_free(SandboxPerson *person);

typedef struct {
  const GPtrArray *ids; /* (element-type SandboxPerson) */
  const GPtrArray *contacts;
  gboolean locked; /* the token's PIN is not cached */
  gboolean keep;   /* the folder stays */
  char *const *command;
} SandboxWish;

/* Runs the command and waits for it. `ret_status`: as a shell has it, 128 and more for a signal.
 * `ret_kept`: (nullable) the folder, where it was to be kept. Changes this process' environment:
 * call it once, before anything else has asked for a folder. */
gboolean sandbox_run(const SandboxWish *wish, int *ret_status, char **ret_kept, GError **error);

typedef enum { SANDBOX_REMOVE, SANDBOX_INSERT, SANDBOX_WRONG_PIN } SandboxAct;

/* Inside a sandbox: as a hand at the token would; returns when the daemon has seen it. */
gboolean sandbox_act(SignetClient *client, SandboxAct act, GError **error);
/* USAGE where SIGNET_SANDBOX_DIR names no sandbox. */
gboolean sandbox_check_inside(GError **error);

/* The guard's main(): its standard input is the pipe, descriptor 3 the folder's lock. */
#define SANDBOX_GUARD_OPTION "--sandbox-guard"
int sandbox_guard_main(const char *folder, gboolean keep);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SandboxPerson, sandbox_person_free)
