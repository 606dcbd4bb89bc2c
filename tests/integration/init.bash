#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# A blank token of the person's own: made ready, its invented SO PIN shown once and true.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
module=$(find /usr/lib -name libsofthsm2.so | head -n 1)
own() { pkcs11-tool --module "$module" --token-label "$1" --login --pin "$2" -O; }

exits 0 "a blank token is listed" signet_ --json token list
says out '"state":"blank"' "as blank"
exits 0 "it is made ready" with_pins "$pin" --json token init --label card --module softhsm
so=$(sed -n 's/.*"so_pin":"\([^"]*\)".*/\1/p' "$work/out")
[[ ${#so} -ge 6 ]]
result $? "an SO PIN was invented"
is "$(grep -r -l -a -F "$so" "$XDG_STATE_HOME" "$XDG_DATA_HOME" "$XDG_RUNTIME_DIR" 2>/dev/null | wc -l)" 0 "and is kept nowhere"
exits 0 "the token is there" signet_ --json token show card
says out '"soft":false' "and is no soft token"
exits 0 "it takes an ID" new_id dora@example.org ec:p256 --token card
mail dora@example.org >mail.eml
exits 0 "which signs" with_pin sign -o signed.eml mail.eml
exits 5 "a wrong SO PIN unblocks nothing" with_pins '00000000\n246810' token unblock card
exits 0 "the invented SO PIN is the true one" with_pins "$so\n246810" token unblock card
stop_daemon
ok "the new PIN is true for another program" own card 246810
says out "Certificate Object" "which finds the certificate"

exits 0 "another blank one, with an SO PIN that is given" with_pins "$pin\n$so_pin" token init --label second --module softhsm
says_not out "SO PIN" "which is not shown"
exits 0 "it is the one that was given" with_pins "$so_pin\n135791" token unblock second
exits 8 "a token in use is refused" with_pins "$pin\n$so_pin" token init --label again card
exits 4 "a token that is not there" with_pins "$pin\n$so_pin" token init --label again nobody
exits 4 "two tokens by one name do not arise" signet_ token show again

# PINs that a token does not take are refused by it, and nothing is half made.
exits 5 "a PIN that is too short" with_pins "1" token init --label short --module softhsm
exits 4 "and there is no token" signet_ token show short

# Modules
exits 0 "the modules are listed" signet_ --json token modules
says out '"name":"softhsm","state":"loaded"' "SoftHSM among them"
exits 6 "a module that is none" signet_ token modules add /bin/true
says err "/bin/true" "is named"
exits 4 "a module that is not there" signet_ token modules add /no/such/module.so
exits 0 "the daemon lives" signet_ status
finish
