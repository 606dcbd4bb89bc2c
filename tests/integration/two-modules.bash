#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# One SoftHSM seen through two modules: one device, one copy of each key.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
module=$(find /usr/lib -name libsofthsm2.so | head -n 1)
mkdir "$work/other"
cp "$module" "$work/other/libsofthsm2-copy.so"
softhsm2-util --init-token --free --label mine --pin "$pin" --so-pin "$so_pin" >/dev/null

listed() { signet_ --json token list | grep -o '"label":"mine"' | wc -l; }
hosts_see_it() { signet_ --json token modules | grep -o '"tokens":[1-9]' | wc -l; }

ok "a second module is added" signet_ token modules add "$work/other/libsofthsm2-copy.so"
is "$(listed)" 1 "the token is listed once"
is "$(hosts_see_it)" 2 "though two modules show it"
exits 0 "it takes a key" new_id alice@example.org ec:p256 --token mine
exits 0 "the ID is shown" signet_ --json id show alice@example.org
is "$(grep -o '"tokens":\[[^]]*\]' "$work/out")" '"tokens":["mine"]' "on one token"
is "$(grep -o '"absent":\[[^]]*\]' "$work/out")" '"absent":[]' "and on no other"
mail alice@example.org >mail.eml
exits 0 "it signs" with_pin sign -o signed.eml mail.eml
exits 8 "the second view is no second copy: the last one is not removed" \
  with_pin id remove alice@example.org --yes
stop_daemon
is "$(listed)" 1 "another daemon lists it once, too"
exits 0 "and signs" with_pin sign -o signed.eml mail.eml
exits 0 "given up as lost, it is so by both modules" signet_ --yes token lost mine
exits 8 "unlocking it is refused" with_pin token unlock mine
exits 4 "and no signature is made" with_pin sign -o signed.eml mail.eml
exits 0 "found again" signet_ --yes token lost mine --found
exits 0 "it signs" with_pin sign -o signed.eml mail.eml
finish
