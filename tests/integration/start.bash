#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# `signet start`: from nothing, from a token, from a file to a signed mail; broken off and run again.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

# --- from nothing --------------------------------------------------------------------------------

exits 2 "nobody to ask, and nothing said: a usage error" signet_ start
says err 'start --new you@example.org --soft' "which names what to type"
exits 2 "two ways at once" signet_ start --new a@example.org --use b@example.org
exits 2 "an address that is none" with_pin start --new alice --soft
is "$(signet_ --json token list | grep -c '"state":"present"')" 0 "makes no token"

began=$(date +%s%N)
exits 0 "one command from nothing to a signed mail" \
  with_pin start --new alice@example.org --name "Alice Example" --soft --key ec:p256 --trust-ca -o first.eml
took=$(($(date +%s%N) / 1000000 - began / 1000000))
echo "# start on a soft token: $took ms (2,000 at most on an idle machine)"
((took < 4000))
result $? "in under two seconds, or four on a busy machine"
says out "signed and verified: good" "it ends with a signed mail that verifies"
says out "signet sign" "and says what to type next"
is "$(wc -L <"$work/out" | awk '{ print ($1 <= 80) }')" 1 "on 80 columns"
signet_ id cert alice@example.org -o alice.pem
ok "openssl confirms the mail" openssl cms -verify -in first.eml -CAfile alice.pem -purpose any -out /dev/null
signet_ trust list >"$work/out" 2>&1
says out "Alice Example|alice@example.org" "the issuer is trusted for mail"

exits 0 "the same again changes nothing" with_pin start --new alice@example.org --soft
is "$(signet_ --json id show alice@example.org | grep -o '"key":' | wc -l)" 1 "there is still one key"
exits 0 "with one ID here, nobody needs to be asked" signet_ --json start
is "$(member verdict "$work/out")" good "it is used, and verifies"
exits 0 "by name" signet_ start --use alice@example.org
exits 4 "one that is not here" signet_ start --use bob@example.org

# --- broken off ----------------------------------------------------------------------------------

with_pin id new carol@example.org --key ec:p256 --no-backup --token signet >/dev/null
exits 0 "a key without its certificate: taken up there" with_pin --json start --new carol@example.org --trust-ca
is "$(member verdict "$work/out")" good "and finished"
is "$(signet_ --json id show carol@example.org | grep -o '"key":' | wc -l)" 1 "with the key that was there"
for after in 0.05 0.15 0.3 0.6; do
  timeout -s KILL "$after" signet --no-input start --new dave@example.org --soft --key ec:p256 --trust-ca \
    --pin-fd 9 9<<<"$pin" >/dev/null 2>&1
done
exits 0 "killed at several points, it ends well all the same" \
  with_pin --json start --new dave@example.org --soft --key ec:p256 --trust-ca
is "$(member verdict "$work/out")" good "with a good mail"
is "$(signet_ --json token list | grep -o '"label":"signet"' | wc -l)" 1 "and no second token"

# --- a request for a CA --------------------------------------------------------------------------

exits 0 "a request instead of a certificate" with_pin start --new erin@example.org --soft --key ec:p256 --csr erin.csr
ok "openssl reads it" openssl req -in erin.csr -verify -noout
says_not out "signed and verified" "no mail is signed yet"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 9 \
  -subj "/CN=Example CA" -addext keyUsage=keyCertSign 2>/dev/null
printf 'subjectAltName=email:erin@example.org\nkeyUsage=digitalSignature\nextendedKeyUsage=emailProtection\n' >ext
openssl x509 -req -in erin.csr -CA ca.pem -CAkey ca.key -days 5 -extfile ext -out erin.pem 2>/dev/null
cat erin.pem ca.pem >answer.pem
exits 0 "what the CA sent" signet_ import answer.pem
exits 0 "and start goes on" signet_ --json start --use erin@example.org --trust-ca
is "$(member verdict "$work/out")" good "the CA is trusted, the mail good"

# --- from a file ---------------------------------------------------------------------------------

stop_daemon
rm -rf "$XDG_DATA_HOME" "$XDG_STATE_HOME" "$XDG_CONFIG_HOME"
openssl req -new -newkey rsa:2048 -nodes -keyout f.key -subj "/CN=Frank" -out f.csr 2>/dev/null
printf 'subjectAltName=email:frank@example.org\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=emailProtection\n' >ext
openssl x509 -req -in f.csr -CA ca.pem -CAkey ca.key -days 5 -extfile ext -out f.pem 2>/dev/null
openssl pkcs12 -export -inkey f.key -in f.pem -certfile ca.pem -passout pass:marzipan -out frank.p12 2>/dev/null
import_it() {
  timeout 60 signet --no-input start --import frank.p12 --trust-ca "$@" --pin-fd 8 --passphrase-fd 9 8<<<"$pin" 9<<<marzipan
}
exits 0 "one command from a .p12 to a signed mail" import_it -o frank.eml
says out "signed and verified: good" "it verifies"
ok "openssl confirms it" openssl cms -verify -in frank.eml -CAfile ca.pem -out /dev/null
exits 0 "the same file again" import_it
# --- a blank card ----------------------------------------------------------------------------------

stop_daemon
rm -rf "$XDG_DATA_HOME" "$XDG_STATE_HOME" "$XDG_CONFIG_HOME"
for module in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so; do
  if [[ -e $module ]]; then break; fi
done
cp "$module" card.so # not known as SoftHSM, its empty slot is a blank card
mkdir -p "$XDG_CONFIG_HOME/signet"
printf '[modules]\nadd=%s\noff=softhsm;\n' "$work/card.so" >"$XDG_CONFIG_HOME/signet/signet.conf"
exits 0 "a blank card, and an address that begins with a dash" \
  with_pin --json start --new=-grace@example.org --key ec:p256
is "$(member id "$work/out")" -grace@example.org "both are taken"
is "$(member so_pin "$work/out" | grep -c -E '^[0-9]{8,}$')" 1 "the SO PIN, known nowhere else, is in the answer"

finish
