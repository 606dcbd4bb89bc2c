#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Addresses for certificates that name none, and keys that are never to leave.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
module=$(find /usr/lib -name libsofthsm2.so | head -n 1)

soft_token it
new_id alice@example.org ec:p256 >/dev/null

# As on a national card: a key with a certificate that names a person and no address.
with_pin id new card@example.org --key rsa:2048 --no-backup >/dev/null
with_pin id request card@example.org -o card.csr >/dev/null
openssl req -in card.csr -noout -pubkey >card.pub
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj '/CN=State CA' -days 30 2>/dev/null
openssl x509 -new -subj '/CN=HOLDER CARD/serialNumber=123' -force_pubkey card.pub -CA ca.pem -CAkey ca.key -days 20 -out card.pem \
  -extfile <(printf 'keyUsage=digitalSignature,keyEncipherment\n') 2>/dev/null
with_pin id install card.pem >/dev/null
trust ca.pem
what=$(openssl x509 -in card.pem -outform DER | sha256sum | cut -c 1-16)
exits 0 "a certificate without an address" signet_ id show "$what"

exits 2 "no address, and not --none" signet_ id address "$what"
exits 2 "what is no address" signet_ id address "$what" nobody
exits 2 "addresses and --none" signet_ id address "$what" h@example.org --none
exits 4 "an ID that is not there" signet_ id address none@example.org h@example.org
exits 8 "another ID's address" signet_ id address "$what" alice@example.org
exits 0 "an address is tied to it" signet_ id address "$what" holder@example.org --name 'Card Holder'
says out "holder@example.org" "and it says so"
exits 0 "it is an ID of that address" signet_ id show holder@example.org
mail holder@example.org >mail.eml
exits 0 "whose key signs mail from it" with_pin sign -o signed.eml mail.eml
ok "openssl verifies it" openssl smime -verify -in signed.eml -CAfile ca.pem -out /dev/null
stop_daemon
exits 0 "another daemon knows it too" signet_ id show holder@example.org
exits 0 "another address" signet_ id address holder@example.org h2@example.org --json
exits 0 "is in place of the first" signet_ id show h2@example.org
exits 0 "and none" signet_ id address h2@example.org --none
exits 4 "unties it" signet_ id show h2@example.org

# --- never to be exported ---
exits 0 "what is allowed" signet_ id policy alice@example.org
says out "ec:p256 on it: can be backed up and moved" "is shown for each key"
exits 8 "nothing is sealed without a yes" with_pin id policy alice@example.org --never-export
exits 0 "a key is sealed" with_pin id policy alice@example.org --never-export --yes
says out "^Sealed: " "and named"
exits 0 "afterwards" signet_ id policy alice@example.org
says out "never leaves its token" "it is shown as such"
export SOFTHSM2_CONF=$embedded/softhsm2.conf
if [[ -f $SOFTHSM2_CONF ]]; then
  stop_daemon
  ok "the token itself says so" bash -c 'pkcs11-tool --module "$1" --token-label it --login --pin "$2" -O --type privkey 2>/dev/null |
    awk "/label: *alice/ { mine = 1 } /Access/ && mine { print; mine = 0 }" | (! grep -q "[^r] extractable\|, extractable")' - "$module" "$pin"
fi
exits 0 "sealed twice" with_pin id policy alice@example.org --never-export --yes
mail alice@example.org >mine.eml
exits 0 "it still signs" with_pin sign -o signed.eml mine.eml
finish
