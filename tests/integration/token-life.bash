#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# What happens to a token over the years: its PINs are changed, it is lost and found, erased, forgotten.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
soft_token it
new_id alice@example.org rsa:2048 >/dev/null
signet_ id cert alice@example.org -o alice.pem
mail alice@example.org >mail.eml
signet_ encrypt --to alice.pem -o sealed.eml mail.eml
library=$(find /usr/lib -name libsofthsm2.so | head -n 1)
config=$embedded/softhsm2.conf
serial=$(member serial <(signet_ --json token show it))
state() { member "$1" <(signet_ --json token show it); }
tool() { SOFTHSM2_CONF=$config pkcs11-tool --module "$library" --token-label it "$@"; }

# --- PINs ------------------------------------------------------------------------------------------------

exits 5 "the wrong SO PIN" with_pins "11111111\n87654321" token pin it --which so
exits 0 "the SO PIN is changed" with_pins "$so_pin\n87654321" token pin it --which so
# Not --list-mechanisms: the SO cannot log in beside pkcs11-tool's read-only session (PKCS#11 5.6.2).
ok "pkcs11-tool logs in with the new one" \
  tool --login --login-type so --so-pin 87654321 --init-pin --new-pin "$pin"
exits 5 "the old one unblocks nothing" with_pins "$so_pin\n555555" token unblock it
exits 0 "the new one does, by a descriptor of its own" \
  timeout 60 signet --no-input token unblock it --so-pin-fd 8 --pin-fd 9 8<<<87654321 9<<<"$pin"
exits 0 "the user's PIN is that" with_pin token unlock it
for which in puk management; do
  exits 1 "no $which on a soft token" with_pins "a\nb" token pin it --which $which
done

# --- lost and found --------------------------------------------------------------------------------------

exits 8 "not lost without a yes" signet_ token lost it
exits 0 "lost" signet_ token lost it --yes
says out "alice@example.org" "says what was on it"
says out "revoke" "and what to do"
is "$(state lost)/$(state locked)" true/true "it is locked and shown as lost"
exits 4 "its key signs no more" with_pin sign -o made mail.eml
exits 8 "and opens nothing" with_pin decrypt -o made sealed.eml
says err "given up as lost" "for the reason"
says err "^Try: signet token lost it --found" "and says what takes it back"
exits 8 "nor is it unlocked" with_pin token unlock it
is "$(ls made 2>/dev/null)" "" "nothing was written"
stop_daemon
is "$(state lost)" true "another daemon knows it"
exits 0 "found again" signet_ token lost it --found
exits 0 "it signs" with_pin sign -o made mail.eml
ok "openssl confirms it" openssl cms -verify -in made -CAfile alice.pem -out /dev/null
exits 0 "and opens" with_pin decrypt -o opened.eml sealed.eml

# --- erased ----------------------------------------------------------------------------------------------

exits 8 "not erased without its serial number" with_pin token erase it
says err "the ONLY COPY" "which says what would die"
exits 8 "nor with another one" with_pin token erase it --serial 0123456789abcdef
exits 5 "nor with the wrong PIN" with_pins 000001 token erase it --serial "$serial"
tool --list-objects --type cert >objects 2>&1
is "$(grep -c '^Certificate' objects)" 1 "all is still there"
exits 0 "erased" with_pin token erase it --serial "$serial"
says out "alice@example.org" "says what went"
is "$(find "$embedded/tokens" -name '*.object' | wc -l)" 0 "no file of it is left"
exits 4 "and it is known no more" signet_ token show it

softhsm2-util --init-token --free --label own --pin "$pin" --so-pin "$so_pin" >/dev/null 2>&1
for _ in {1..100}; do
  if signet_ token show own >/dev/null 2>&1; then break; fi
  sleep 0.05
done
ok "an ID on a token that is not signet's own" new_id bob@example.org ec:p256 --token own
serial=$(member serial <(signet_ --json token show own))
exits 5 "not erased with the user's PIN" with_pin token erase own --serial "$serial"
exits 0 "erased with the SO PIN" \
  timeout 60 signet --no-input token erase own --serial "$serial" --so-pin-fd 8 8<<<"$so_pin"
pkcs11-tool --module "$library" --token-label own --list-objects >objects 2>&1
is "$(grep -c 'Object' objects)" 0 "pkcs11-tool finds nothing on it"

# --- forgotten -------------------------------------------------------------------------------------------

soft_token drawer
new_id carol@example.org ec:p256 --token drawer >/dev/null
exits 8 "a token that is here is not forgotten" signet_ token forget drawer --yes
folder=$(find "$embedded/tokens" -mindepth 1 -maxdepth 1 -type d | head -n 1)
mv "$folder" "$work/away"
for _ in {1..100}; do
  if signet_ --json token show drawer | grep -q '"state":"absent"'; then break; fi
  sleep 0.05
done
exits 8 "not without a yes" signet_ token forget drawer
exits 0 "one that is away is" signet_ token forget drawer --yes
exits 4 "and known no more" signet_ token show drawer
exits 4 "nor is its ID" signet_ id show carol@example.org
mv "$work/away" "$folder"
for _ in {1..100}; do
  if signet_ id show carol@example.org >/dev/null 2>&1; then break; fi
  sleep 0.05
done
exits 0 "put in again, all is there" signet_ id show carol@example.org
finish
