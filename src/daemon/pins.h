/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is known of PINs that failed: which (keyed hashes, in memory only), and how many
 * in a row (per token, in a file, so that a restart forgets none).
 *
 * An attempt is booked before it is made and taken back after: a crash in between counts
 * as a failure.
 *
 * `identity` names a token and one of its PINs: what daemon_pins_scope() says, manufacturer,
 * model, serial, label, a line each; then a line "so" for the security officer's PIN. Failures
 * are those of all user and SO PINs of one scope (a TPM locks all its tokens at once); a right
 * PIN takes back its own. The SO PIN, the only way out, is held back by its own failures only,
 * and when right ends the count of a TPM, whose other tokens may be there no more. */

#include "base/secret.h"

#include <glib.h>

typedef struct DaemonPins DaemonPins;

DaemonPins *daemon_pins_new(const char *path);
void daemon_pins_free(DaemonPins *pins);

/* First line of an identity, by the profile's pin-scope. */
const char *daemon_pins_scope(const char *pin_scope);

gboolean daemon_pins_known_wrong(DaemonPins *pins, const char *identity, BaseSecret *pin);
guint daemon_pins_failures(DaemonPins *pins, const char *identity);

void daemon_pins_attempt(DaemonPins *pins, const char *identity);
void daemon_pins_was_right(DaemonPins *pins, const char *identity); /* also: changed, unblocked */
void daemon_pins_was_wrong(DaemonPins *pins, const char *identity, BaseSecret *pin);
void daemon_pins_not_tried(DaemonPins *pins, const char *identity);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaemonPins, daemon_pins_free)
