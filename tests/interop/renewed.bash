#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# The harder shapes of one ID: renewed with a new key, and split over a signing and an
# encryption certificate (by usage, from a CA), each end to end.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/../integration/lib.bash"
kind=${1:-rsa:2048}

openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 99 -subj "/CN=CA" \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
trust ca.pem
issue() { # issue CSR OUT DAYS USAGE
  printf 'basicConstraints=CA:FALSE\nkeyUsage=critical,%s\nextendedKeyUsage=emailProtection\n' "$4" >ext
  printf 'subjectAltName=email:%s\n' "$5" >>ext
  openssl x509 -req -in "$1" -CA ca.pem -CAkey ca.key -CAcreateserial -days "$3" -extfile ext -out "$2" 2>/dev/null
}
fingerprint() { openssl x509 -in "$1" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr 'A-F' 'a-f'; }
signs() { # signs ADDRESS: fingerprint of the certificate that it signs with
  mail "$1" >m.eml
  signet_ --json sign -o s.eml m.eml >j 2>&1
  member fingerprint j
}
seals() { # seals CERTIFICATE OUT
  openssl cms -encrypt -aes256 -in m.eml -out "$2" "$1"
}
opens() { # opens "what" FILE
  exits 0 "$1" signet_ decrypt -o opened "$2"
  is "$(body opened)" "$(body m.eml)" "$1: to what it was"
}
if [[ $kind = ec:* ]]; then seal_usage=keyAgreement; else seal_usage=keyEncipherment; fi
both=digitalSignature,$seal_usage

# --- renewed, with a new key --------------------------------------------------------------------

soft_token it
with_pin id new alice@example.org --key "$kind" --no-backup --csr first.csr >/dev/null
issue first.csr first.pem 30 $both alice@example.org
ok "the first certificate" with_pin id install first.pem
is "$(signs alice@example.org)" "$(fingerprint first.pem)" "signs"
seals first.pem old.eml
sleep 1.1
ok "a second key for the same person" with_pin id new alice@example.org --key "$kind" --no-backup --csr second.csr
is "$(signs alice@example.org)" "$(fingerprint first.pem)" "until it is certified the first one signs"
[[ $(openssl req -in first.csr -noout -pubkey) != "$(openssl req -in second.csr -noout -pubkey)" ]]
result $? "it is another key"
issue second.csr second.pem 60 $both alice@example.org
ok "its certificate" with_pin id install second.pem
is "$(signet_ --json id list | grep -o '"id":' | wc -l)" 1 "it is one ID"
signet_ --json id show alice@example.org >j
is "$(grep -o '"key":' j | wc -l)/$(grep -o '"fingerprint":' j | wc -l)" 2/2 "with two keys and two certificates"
is "$(signs alice@example.org)" "$(fingerprint second.pem)" "the newer one signs"
exits 0 "which is good" signet_ verify s.eml
opens "what was sealed to the old key opens" old.eml
seals second.pem new.eml
opens "and what is sealed to the new one" new.eml
ok "sealed to the ID" signet_ encrypt --to alice@example.org -o own.eml m.eml
is "$(openssl cms -cmsout -print -noout -in own.eml | grep -c -E "d\.(ktri|kari):")" 1 "is sealed once"
signet_ --json info own.eml >j
is "$(grep -i -c "$(openssl x509 -in second.pem -noout -serial | sed 's/.*=//')" j)" 1 "to the newer certificate"
ok "the ID's certificate to give away" signet_ id cert alice@example.org -o given.pem
is "$(fingerprint given.pem)" "$(fingerprint second.pem)" "is the newer one"
issue first.csr gone.pem 0 $both alice@example.org
sleep 1.1
exits 0 "an expired certificate of the old key is taken, too" with_pin id install gone.pem
is "$(signs alice@example.org)" "$(fingerprint second.pem)" "and never signs"
seals gone.pem expired.eml
opens "but what was sealed to it opens" expired.eml

# --- split --------------------------------------------------------------------------------------

with_pin id new carol@example.org --key "$kind" --no-backup --csr sign.csr >/dev/null
issue sign.csr sign.pem 30 digitalSignature carol@example.org
ok "a certificate to sign only" with_pin id install sign.pem
exits 7 "to sign only: nobody can seal to it" signet_ encrypt --to carol@example.org --no-self -o x.eml m.eml
is "$(signs carol@example.org)" "$(fingerprint sign.pem)" "it signs"
sleep 1.1
ok "a second key" with_pin id new carol@example.org --key "$kind" --no-backup --csr seal.csr
issue seal.csr seal.pem 60 $seal_usage carol@example.org
ok "with a certificate to seal only, and newer" with_pin id install seal.pem
is "$(signet_ --json id list | grep -o '"id":"carol' | wc -l)" 1 "it is one ID"
is "$(signs carol@example.org)" "$(fingerprint sign.pem)" "the signing one signs"
exits 0 "which is good" signet_ verify s.eml
ok "sealed to the ID" signet_ encrypt --to carol@example.org -o own.eml m.eml
signet_ --json info own.eml >j
is "$(grep -i -c "$(openssl x509 -in seal.pem -noout -serial | sed 's/.*=//')" j)" 1 "by the sealing certificate"
opens "which opens" own.eml
seals seal.pem foreign.eml
opens "and so does openssl's" foreign.eml
ok "signed and sealed at once" signet_ encrypt --sign --to carol@example.org -o both.eml m.eml
exits 0 "opens as good" signet_ decrypt --require-signed -o opened both.eml
ok "an authentication certificate for the signing key" issue sign.csr auth.pem 90 digitalSignature carol@example.org
sed -i 's/emailProtection/clientAuth/' ext
openssl x509 -req -in sign.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 90 -extfile ext -out auth.pem 2>/dev/null
exits 0 "is installed" with_pin id install auth.pem
is "$(signs carol@example.org)" "$(fingerprint sign.pem)" "and never signs mail"
stop_daemon
exits 0 "another daemon" with_pin sign -o s.eml m.eml
is "$(signs carol@example.org)" "$(fingerprint sign.pem)" "picks the same"
finish
