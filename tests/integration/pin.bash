#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# PINs: a wrong one costs one try and is not tried again; change, unblock, lock.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
soft_token it
new_id alice@example.org ec:p256 >/dev/null
mail alice@example.org >mail.eml

failures_counted() { # how many wrong PINs the daemon says it tried
  signet_ --json status | grep -o '"[a-z_]*\(pin\|login\)[a-z_]*": *[0-9]*' | tr '\n' ' '
}

exits 0 "an unlocked token signs without a PIN" signet_ sign -o s1.eml mail.eml
ok "lock says what it locked" signet_ token lock
says out "it" "it names the token"
exits 5 "locked: no PIN, no signature" signet_ sign -o s2.eml mail.eml
is "$(ls s2.eml 2>/dev/null)" "" "and no output file"
exits 5 "a wrong PIN" with_pins 111111 --json token unlock it
says out '"error": *"PinIncorrect"' "is named in JSON"
says out '"token": *"it"' "with the token"
exits 5 "the same wrong PIN again" with_pins 111111 --json token unlock it
says out '"error": *"PinRefused"' "is refused, and costs nothing"
exits 5 "an operation does not try it either" with_pins 111111 --json sign mail.eml
says err '"PinRefused"' "not even once more"
exits 0 "the right PIN unlocks" with_pin token unlock it
exits 0 "unlocking again" with_pins 999999 --json token unlock it
says out '"already": *true' "says already, and checks nothing"
exits 0 "it signs" signet_ sign -o s3.eml mail.eml
note=$(failures_counted)
echo "# counters: $note"

exits 5 "a PIN change with the wrong old one" with_pins '222222\n555555' token pin it
exits 0 "a PIN change" with_pins "$pin\n555555" token pin it
signet_ token lock >/dev/null
exits 5 "the old PIN is wrong now" with_pin token unlock it
exits 0 "the new one is right" with_pins 555555 token unlock it
exits 5 "an empty new PIN is refused" with_pins '555555\n' token pin it
exits 5 "a new PIN that is missing" with_pins 555555 token pin it

exits 5 "unblock with a wrong SO PIN" with_pins '12345678\n777777' token unblock it
exits 0 "unblock with the right one" with_pins "$so_pin\n777777" token unblock it
signet_ token lock >/dev/null
exits 0 "the PIN is the new one" with_pins 777777 token unlock it
so_by_itself() {
  signet --no-input token unblock it --so-pin-fd 8 --pin-fd 9 8<<<"$so_pin" 9<<<"$pin"
}
exits 0 "the SO PIN on a descriptor of its own" so_by_itself
signet_ token lock >/dev/null
exits 0 "and that PIN is right" with_pin token unlock it

# A PIN is in no command line and no environment of any process.
signet_ token lock >/dev/null
exits 0 "lock, then sign with a PIN" with_pin sign -o s4.eml mail.eml
printf '%s\n' "$pin" >pattern
is "$(cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' | grep -c -x -F -f pattern)" 0 \
  "the PIN is in nobody's command line or environment"
is "$(grep -r -l -a -F "$pin" "$XDG_STATE_HOME" "$XDG_DATA_HOME" "$XDG_RUNTIME_DIR" 2>/dev/null | wc -l)" 0 \
  "nor in any file"
finish
