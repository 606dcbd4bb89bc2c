#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# --json, --json-fd, --status-fd: one object, its names, and where it goes.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

has() { # has FILE NAME…: the object has all these members
  local file=$1 name
  shift
  for name; do
    grep -q "\"$name\":" "$work/$file" || { echo "#   no member $name"; return 1; }
  done
}
one_object() { # one_object FILE
  is "$(grep -c '^{.*}$' "$work/$1")/$(wc -l <"$work/$1")" 1/1 "$2: one object, one line"
}

exits 4 "an error" signet_ --json token show nobody
one_object out "an error"
has out error message
result $? "an error has error and message"
is "$(member error "$work/out")" NotFound "its name is NotFound"
exits 2 "a usage error" signet --json sing
is "$(member error "$work/out")" Usage "is one, too"
exits 2 "with --json after it" signet sing --json
is "$(member error "$work/out")" Usage "likewise"

ok "token init" with_pins "$pin\n$so_pin" --json token init --soft --label it
one_object out "token init"
has out token label serial state soft uri user_pin
result $? "it describes the token"
ok "id new" with_pin --json id new alice@example.org --name "Alice Example" --key ec:p256 --self-signed 30 --no-backup
one_object out "id new"
is "$(member id "$work/out") $(member kind "$work/out") $(member token "$work/out")" "alice@example.org ec:p256 it" \
  "it says whose, which kind, where"
fingerprint=$(member fingerprint "$work/out")
is "${#fingerprint}" 64 "and the fingerprint"

for verb in "token list" "token show it" "id list" "id show alice@example.org" "status" "token modules"; do
  # shellcheck disable=SC2086  # words
  ok "$verb" signet_ --json $verb
  one_object out "$verb"
done
signet_ --json token list >out
has out tokens label serial model state locked soft module tries_left
result $? "token list: names"
signet_ --json id list >out
has out ids id addresses default keys key kind tokens can certificates fingerprint not_after use
result $? "id list: names"
signet_ --json status >out
has out version pid started connections tokens ids unlocked warnings counters
result $? "status: names"
signet_ --json token modules >out
has out modules name state path
result $? "token modules: names"

mail alice@example.org >mail.eml
exits 0 "sign: the message on standard output" signet_ --json sign mail.eml
one_object err "sign"
says out "multipart/signed" "sign: the object goes to standard error"
is "$(member fingerprint "$work/err")" "$fingerprint" "sign: it names the certificate"
exits 0 "sign -o: nothing on standard error" signet_ --json sign -o signed.eml mail.eml
one_object out "sign -o"
exits 0 "--json-fd" bash -c 'signet --no-input --json-fd 7 sign mail.eml 7>seven'
ok "the object is there" grep -q '"id":"alice@example.org"' seven
is "$(wc -c <err)" 0 "and nothing on standard error"

exits 3 "verify" signet_ --json verify signed.eml
one_object out "verify"
has out verdict message from signatures signer addresses fingerprint signing_time trusted reason algorithm digest
result $? "verify: names"
exits 0 "encrypt" signet_ --json encrypt --to alice@example.org -o sealed.eml mail.eml
one_object out "encrypt"
has out encrypted cipher recipients
result $? "encrypt: names"
exits 7 "encrypt to nobody" signet_ --json encrypt --to bob@example.org -o x.eml mail.eml
is "$(member error "$work/out")" RecipientsMissing "its error"
has out candidates
result $? "lists them"
exits 0 "decrypt" signet_ --json decrypt -o o.eml sealed.eml
has out verdict id cipher
result $? "decrypt: names"
exits 0 "info" signet_ --json info sealed.eml
has out kind from subject cms type recipients
result $? "info: names"
exits 0 "id cert" signet_ --json id cert alice@example.org -o a.pem
is "$(grep -c "$fingerprint" out)" 1 "names the certificate"

signet_ token lock >/dev/null
exits 5 "a wrong PIN" with_pins 000000 --json sign mail.eml
one_object err "a wrong PIN"
has err error message token
result $? "a wrong PIN: names"
is "$(member error "$work/err")" PinIncorrect "its error"
exits 0 "--status-fd" bash -c "signet --no-input --status-fd 7 sign mail.eml --pin-fd 9 9<<<$pin 7>seven >signed2.eml"
is "$(head -n 1 seven)/$(tail -n 1 seven)" "begin sign/done 0" "it begins and is done"
exits 0 "--quiet says nothing" signet_ --quiet token lock
is "$(wc -c <out)/$(wc -c <err)" 0/0 "nothing at all"

timeout 3 signet --no-input --json token watch >watched 2>/dev/null &
sleep 1
with_pin token unlock it >/dev/null
wait
is "$(grep -c '^{.*"event":.*}$' watched)" "$(wc -l <watched)" "token watch: one object a line"
ok "it tells of the token that is there" grep -q '"event":"in".*"initial":true' watched
ok "and of its unlocking" grep -q '"event":"unlocked"' watched
finish
