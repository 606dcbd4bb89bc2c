#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# A real CA: request, certificate and chain back, installed, and mail that the world verifies.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
kind=${1:-rsa:2048}

make_ca() {
  openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -days 99 -subj "/CN=Root" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
  openssl req -newkey rsa:2048 -nodes -keyout sub.key -out sub.csr -subj "/CN=Sub"
  printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n' >sub.ext
  openssl x509 -req -in sub.csr -CA root.pem -CAkey root.key -CAcreateserial -days 90 -extfile sub.ext -out sub.pem
} >ca.log 2>&1
issue() { # issue CSR OUT DAYS
  openssl x509 -req -in "$1" -CA sub.pem -CAkey sub.key -CAcreateserial -days "$3" -copy_extensions copy -out "$2"
}

make_ca
soft_token it
ok "$kind: a key and its request in one step" with_pin id new alice@example.org a.example@example.org \
  --name "Alice Example" --key "$kind" --no-backup --csr alice.csr
ok "$kind: openssl confirms the request" openssl req -in alice.csr -noout -verify -text
says out "email:alice@example.org, email:a.example@example.org" "$kind: both addresses are in it"
mail alice@example.org >mail.eml
exits 4 "$kind: without a certificate nothing is signed" with_pin sign mail.eml
ok "$kind: the same request again later" signet_ id request alice@example.org -o again.csr
is "$(openssl req -in again.csr -noout -pubkey)" "$(openssl req -in alice.csr -noout -pubkey)" "$kind: for the same key"

ok "$kind: the CA certifies it" issue alice.csr alice.pem 30
openssl crl2pkcs7 -nocrl -certfile alice.pem -certfile sub.pem -certfile root.pem -out alice.p7b
exits 4 "$kind: another person's certificate has no key here" signet_ id install root.pem
ok "$kind: certificate and chain are installed from .p7b" with_pin id install alice.p7b
says out "alice@example.org" "$kind: it says whose"
exits 0 "$kind: once more is no harm" with_pin id install alice.pem
says out "already" "$kind: it was there"
ok "$kind: the mail is signed" with_pin sign -o signed.eml mail.eml
if [[ $kind != ed25519 ]]; then
  ok "$kind: openssl verifies it with the root alone" openssl cms -verify -in signed.eml -CAfile root.pem -out /dev/null
fi
exits 0 "$kind: the second address signs, too" bash -c "sed 's/alice@/a.example@/' mail.eml | signet --no-input sign -o second.eml"
trust root.pem
exits 0 "$kind: signet, too" signet_ --json verify signed.eml
says out '"root":"[^"]*Root' "$kind: and names the root"
exits 0 "$kind: the second address verifies" signet_ verify second.eml
ok "$kind: .p7b with its issuers" signet_ id cert alice@example.org --p7b -o given.p7b
is "$(openssl pkcs7 -inform DER -in given.p7b -print_certs | grep -c '^subject')" 2 "$kind: both are in it"

# Renewed: same key, a newer certificate is used, what was sealed before still opens.
if [[ $kind != ed25519 ]]; then signet_ encrypt --to alice@example.org -o old.eml mail.eml; fi
sleep 1.1
issue alice.csr newer.pem 60 2>/dev/null
ok "$kind: a newer certificate for the same key" with_pin id install newer.pem
signet_ --json sign -o s.eml mail.eml >"$work/out"
is "$(member fingerprint "$work/out")" \
  "$(openssl x509 -in newer.pem -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr 'A-F' 'a-f')" "$kind: is what signs"
is "$(signet_ --json id list | grep -o '"id":' | wc -l)" 1 "$kind: and it is still one ID"
if [[ $kind != ed25519 ]]; then exits 0 "$kind: old mail opens" signet_ decrypt -o old.out old.eml; fi
ok "$kind: with both certificates on the ID" signet_ --json id show alice@example.org
is "$(grep -o '"fingerprint":' "$work/out" | wc -l)" 2 "$kind: two"
finish
