#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# A certificate that a full or read-only card cannot take is kept in signet's own store, and
# used from there; the CA that gave it out does not hear "rejected".
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
module=$SIGNET_TEST_BUILD/tests/token-faulty-module.so
if [[ ! -e $module ]]; then skip_all "the faulty module is not built"; fi
real=$(find /usr/lib -name libsofthsm2.so | head -n 1)
cmake --install "$SIGNET_TEST_BUILD" --prefix "$work/prefix" >/dev/null
PATH=$work/prefix/bin:$PATH
rm "$work/prefix/share/signet/tokens"/*
control=$work/control
: >"$control"
printf '%s\n' '[profile]' name=faulty 'description=A card that is full' '[module]' "files=$module;" \
  "environment=FAULTY_MODULE=$real;FAULTY_CONTROL=$control;" \
  '[token]' operations=4 lock=token pin-scope=token pin-max=0 '[key]' wrap=yes '[deadline]' operation=3000 \
  >"$work/prefix/share/signet/tokens/faulty.profile"
softhsm2-util --init-token --free --label card --pin "$pin" --so-pin "$so_pin" >/dev/null 2>&1
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj '/CN=Mail CA' -days 30 2>/dev/null
trust ca.pem
certificate_for() { # certificate_for ID FILE
  with_pin id request "$1" -o "$2.csr" >/dev/null
  openssl x509 -req -in "$2.csr" -CA ca.pem -CAkey ca.key -copy_extensions copy -days 20 -out "$2.pem" 2>/dev/null
}
on_card() { pkcs11-tool --module "$real" --token-label card --login --pin "$pin" -O --type cert 2>/dev/null | grep -c 'Certificate Object'; }

with_pin id new alice@example.org --key ec:p256 --no-backup --token card >/dev/null
certificate_for alice@example.org alice
for trouble in create-device-memory create-write-protected; do
  printf %s "$trouble" >"$control"
  exits 0 "$trouble: a certificate is installed" with_pin id install alice.pem
  says out "in signet's own store: token \"card\" is full or read-only" "it says where it went"
  is "$(on_card)" 0 "not onto the card"
  mail alice@example.org >mail.eml
  exits 0 "it is signed with" with_pin sign -o signed.eml mail.eml
  exits 0 "and that is good" signet_ verify signed.eml
  ok "openssl says so too" openssl smime -verify -in signed.eml -CAfile ca.pem -purpose any -out /dev/null
  stop_daemon
  exits 0 "another daemon knows it" signet_ id cert alice@example.org -o again.pem
  ok "and it is that one" cmp <(openssl x509 -in again.pem -outform DER) <(openssl x509 -in alice.pem -outform DER)
  exits 0 "installed twice" with_pin id install alice.pem --json
  is "$(member kept "$work/out")" true "it stays there"
  fingerprint=$(openssl x509 -in alice.pem -outform DER | sha256sum | cut -d' ' -f1)
  exits 0 "it can be removed" with_pin id remove alice@example.org --certificate "$fingerprint" --yes
  exits 4 "and is gone" signet_ id cert alice@example.org
done

openssl cmp -config '' -port 0 -srv_ref ca -srv_secret pass:geheim -rsp_cert alice.pem </dev/null >server.out 2>server.err &
server=$!
extra_clean_up() { kill "$server" 2>/dev/null; }
port=''
for _ in {1..200}; do
  port=$(sed -n 's/^ACCEPT .*:\([0-9][0-9]*\)\( .*\)*$/\1/p' server.out)
  if [[ -n $port ]]; then break; fi
  sleep 0.05
done
exits 0 "the key without its certificate can still ask for another" with_pin id request alice@example.org -o again.csr
exits 0 "enrolled for a key on a full card" with_pin id enroll alice@example.org --cmp "http://127.0.0.1:$port/" --ref 1 --passphrase-fd 8 8<<<geheim
says out "Token \"card\" took no certificate; it is in signet's own store" "it says where it went"
ok "and the CA heard no refusal" bash -c '! grep -q rejected server.err server.out'

# --- a key that a read-only card has already is not copied in silence --------------------------------------

openssl req -x509 -newkey rsa:2048 -nodes -keyout zoe.key -out zoe.pem -subj '/CN=Zoe' -days 9 \
  -addext subjectAltName=email:zoe@example.org 2>/dev/null
cat zoe.key zoe.pem >both.pem
: >"$control"
exits 0 "a file is imported onto the card" with_pin import both.pem --token card
stop_daemon
printf read-only >"$control"
is "$(member read_only <(signet_ --json token show card))" true "which is read-only then"
exits 8 "the file once more: there is no token to put it on" with_pin import both.pem
says err "zoe@example.org is on token \"card\" already" "it says where the key is"
says err "^Try: signet import --yes both.pem" "and what makes a copy"
is "$(signet_ --json token list | grep -c '"label":"signet"')" 0 "no soft token was made"
softhsm2-util --init-token --free --label other --pin "$pin" --so-pin "$so_pin" >/dev/null 2>&1
stop_daemon
exits 8 "likewise with a token that would take it" with_pin import both.pem
exits 8 "likewise onto a token that is named" with_pin import both.pem --token other
says err "second copy on \"other\"" "it says where the copy would be"
exits 0 "with --yes it is copied" with_pin import both.pem --token other --yes
exits 0 "and then it is no news" with_pin import both.pem --token other
: >"$control"
finish
