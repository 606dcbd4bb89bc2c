#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Several IDs: how they are named, which one is taken, which is the default, how one goes.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
soft_token it
new_id alice@example.org ec:p256 --name Alice >/dev/null
soft_token other
new_id carol@example.org ec:p384 --name Carol --token other >/dev/null
with_pin id new alice.two@example.org a2@example.org --token other --key ec:p256 --self-signed 20 --no-backup >/dev/null
mail carol@example.org >carol.eml
printf 'Subject: nobody says\n\nx\n' >nofrom.eml

signer() { # whose signature FILE bears
  openssl cms -verify -noverify -in "$1" -certsout certs.pem -out /dev/null 2>/dev/null
  openssl x509 -in certs.pem -noout -ext subjectAltName 2>/dev/null | sed -n 's/ *email:\([^,]*\).*/\1/p'
}

is "$(signet_ --json id list | grep -o '"id":' | wc -l)" 3 "three IDs"
is "$(signet_ --json id list --token other | grep -o '"id":' | wc -l)" 2 "two of them on one token"
is "$(signet_ --json id list --expires-within 30 | grep -o '"id":"[^"]*"')" '"id":"alice.two@example.org"' "one ends soon"
exits 0 "the From address decides" signet_ sign -o s.eml carol.eml
is "$(signer s.eml)" carol@example.org "who signs"
sed 's/carol@/a2@/' carol.eml >a2.eml
exits 0 "by a second address, too" signet_ sign -o s.eml a2.eml
is "$(signer s.eml)" alice.two@example.org "who signs"
exits 0 "a default is chosen" signet_ id default carol@example.org
exits 0 "without a From it decides" signet_ sign -o s.eml nofrom.eml
is "$(signer s.eml)" carol@example.org "who signs"
sed 's/^From: .*/From: Doe, Alice <alice@example.org>/' carol.eml >unclear.eml
exits 4 "but with a From of several never" signet_ sign -o unclear unclear.eml
says err "say with --id" "what to do is said"
exits 4 "nor is it sealed to" signet_ encrypt --to carol@example.org -o unclear unclear.eml
exits 0 "with --id it is signed" with_pin sign --id carol@example.org -o s.eml unclear.eml
signet_ id list >"$work/out"
says out '^\* +carol@example.org' "the list marks it"
stop_daemon
exits 0 "another daemon knows it still" with_pin sign -o s.eml nofrom.eml
is "$(signer s.eml)" carol@example.org "who signs"
exits 0 "--id decides over all" with_pin sign --id alice@example.org -o s.eml carol.eml
is "$(signer s.eml)" alice@example.org "who signs"
says err "readers will be warned" "that it is not the sender's is said"
exits 4 "--token that has not the key" signet_ sign --token other --id alice@example.org carol.eml

fingerprint=$(signet_ --json id show alice@example.org | sed -n 's/.*"fingerprint":"\([0-9a-f]*\)".*/\1/p')
exits 0 "an ID by its certificate's fingerprint" signet_ --json id show "${fingerprint:0:10}"
is "$(member id "$work/out")" alice@example.org "it is that one"
exits 4 "not by seven digits" signet_ id show "${fingerprint:0:7}"
exits 4 "not by half an address" signet_ id show alice
exits 0 "a token by its serial number" signet_ token show "$(signet_ --json token show it | sed -n 's/.*"serial":"\([^"]*\)".*/\1/p')"
exits 0 "a token by its URI" signet_ token show "pkcs11:token=other"

exits 0 "an ID is shown to a person" signet_ id show carol@example.org
says out "ec:p384" "with its key"
exits 8 "one with a decryption key does not" with_pin id remove carol@example.org --yes
exits 0 "but with --lose-mail" with_pin --json id remove carol@example.org --yes --lose-mail
is "$(signet_ --json id list | grep -o '"id":' | wc -l)" 2 "two are left"
exits 4 "it signs no more" signet_ sign carol.eml
exits 0 "an ID of one key, and no certificate yet" with_pin id new dora@example.org --token it --key ec:p256 --no-backup
exits 0 "is listed" signet_ id list
says out "dora@example.org .*no certificate" "as waiting for its certificate"
exits 4 "and cannot sign" signet_ sign --id dora@example.org carol.eml
exits 4 "nor give a certificate away" signet_ id cert dora@example.org
stop_daemon
exits 0 "another daemon knows it by its address" signet_ id show dora@example.org
finish
