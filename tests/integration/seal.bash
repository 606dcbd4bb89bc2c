#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# seal.bash KIND: a sealed mail opens again, to exactly what it was, by us and from others.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
kind=${1:-rsa:2048}

ok "$kind: a soft token is made" soft_token it
ok "$kind: an ID is made" new_id alice@example.org "$kind"
ok "$kind: its certificate is given away" signet_ id cert alice@example.org -o alice.pem
mail alice@example.org >mail.eml

for cipher in aes-128-cbc aes-256-cbc aes-256-gcm; do
  ok "$kind: the mail is sealed ($cipher)" signet_ encrypt --to alice.pem --cipher "$cipher" -o sealed.eml mail.eml
  openssl cms -cmsout -in sealed.eml -outform DER -out sealed.der 2>/dev/null
  is "$(cat sealed.eml sealed.der | grep -a -c -e marzipan -e café)" 0 "$kind: nothing of it shows ($cipher)"
  ok "$kind: it opens ($cipher)" with_pin decrypt -o opened.eml sealed.eml
  is "$(body opened.eml)" "$(body mail.eml)" "$kind: to what it was ($cipher)"
  ok "$kind: the subject is still there ($cipher)" grep -q '^Subject: Lunch' opened.eml
done

foreign() { openssl cms -encrypt -in mail.eml -aes-256-cbc -out foreign.eml "$@" alice.pem; }
ok "$kind: openssl seals to the ID" foreign
ok "$kind: signet opens that" with_pin decrypt -o opened.eml foreign.eml
says err "Not signed" "$kind: and says that it is not signed"
is "$(grep -a -c marzipan opened.eml)" 1 "$kind: with its text"
if [[ $kind = rsa:* ]]; then
  oaep() {
    openssl cms -encrypt -in mail.eml -aes-256-cbc -out oaep.eml -recip alice.pem \
      -keyopt rsa_padding_mode:oaep
  }
  ok "$kind: openssl seals with OAEP" oaep
  ok "$kind: signet opens that, too" with_pin decrypt -o opened.eml oaep.eml
fi

ok "$kind: signed and sealed" with_pin encrypt --sign --to alice@example.org -o both.eml mail.eml
exits 0 "$kind: opens with its verdict" signet_ --json decrypt -o opened.eml both.eml
says out '"verdict": *"untrusted"' "$kind: untrusted as yet, and opened all the same"
exits 3 "$kind: not where a good signature is required" signet_ decrypt --require-signed -o required.eml both.eml
is "$(ls required.eml 2>/dev/null)" "" "$kind: and nothing is written then"
trust alice.pem
exits 0 "$kind: trusted, it is" signet_ decrypt --require-signed -o required.eml both.eml
is "$(grep -c marzipan required.eml)" 1 "$kind: and written"

ok "$kind: any file is sealed" signet_ encrypt --cms der --to alice.pem -o file.der mail.eml
ok "$kind: and opens" with_pin decrypt --cms der -o file file.der
ok "$kind: byte for byte" cmp file mail.eml
ok "$kind: info needs no key" signet_ --json info sealed.eml
says out '"kind": *"sealed"' "$kind: and says what it is"
says out '"cipher": *"aes-256-gcm"' "$kind: and by which cipher"

# Altered, it does not open; never to nothing, never to garbage.
altered() { # altered IN OUT LINES-FROM-THE-END: one line of base64, turned round by one letter
  local at=$(($(wc -l <"$1") - $3))
  sed "${at}y/ABCDEFGHIJKLMNOPQRSTUVWXYZ/BCDEFGHIJKLMNOPQRSTUVWXYZA/" "$1" >"$2"
  ! cmp -s "$1" "$2"
}
for from_end in 1 2 3; do
  ok "$kind: (a line of an authenticated mail is altered)" altered sealed.eml altered.eml "$from_end"
  exits 1 "$kind: altered $from_end lines before its end, it does not open" signet_ decrypt -o altered.out altered.eml
  is "$(ls altered.out 2>/dev/null)" "" "$kind: and nothing is written"
done
finish
