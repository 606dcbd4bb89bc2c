#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# The socket, by a Varlink client that is not ours.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/../integration/lib.bash"

here=$source_folder/tests/interop
socket=$XDG_RUNTIME_DIR/signet/socket
call() { perl "$here/varlink-call.pl" "$socket" "$@"; }
method() { # method NAME [PARAMETERS [MORE]]
  call "{\"method\":\"$1\",\"parameters\":${2:-{\}}${3:+,\"more\":true}}"
}
error_is() { # error_is NAME "what" METHOD [PARAMETERS]
  local name=$1 what=$2
  shift 2
  method "$@" >"$work/out" 2>"$work/err"
  is "$(member error "$work/out")" "$name" "$what"
}
refuses() { # the same of ours, which also say what to a person
  local what=$2
  error_is "org.signet.Error.$1" "${@:2}"
  says out '"message":"[^"]* ' "$what: with a sentence"
}

soft_token it
is "$(stat -c %a "$socket") $(stat -c %a "$(dirname "$socket")")" "600 700" "the socket is the person's alone"

ok "GetInfo" call '{"method":"org.varlink.service.GetInfo"}'
for name in vendor product version url interfaces; do says out "\"$name\":" "GetInfo: $name"; done
for interface in org.varlink.service org.signet.{Daemon,Error,Event,Id,Key,Token}; do
  says out "\"$interface\"" "GetInfo names $interface"
done
for interface in org.varlink.service org.signet.{Daemon,Error,Event,Id,Key,Token}; do
  method org.varlink.service.GetInterfaceDescription "{\"interface\":\"$interface\"}" |
    perl -MJSON::PP -ne 'print decode_json($_)->{parameters}{description}' >described
  ok "$interface is described by its file, byte for byte" cmp described "$source_folder/src/wire/$interface.varlink"
done

error_is org.varlink.service.InterfaceNotFound "an interface that is not there" org.example.Nothing.Do
is "$(member interface out)" org.example.Nothing "it is named"
error_is org.varlink.service.MethodNotFound "a method that is not there" org.signet.Token.Eat
says out '"method":"(org.signet.Token.)?Eat"' "it is named"
refuses Usage "a member of the wrong type" org.signet.Token.Describe '{"token":7}'
says out '`token`' "it is named"
refuses Usage "a member that is missing" org.signet.Token.Describe '{}'
says out '`token`' "it is named"
error_is org.varlink.service.ExpectedMore "a stream without more" org.signet.Event.Watch
error_is org.varlink.service.InterfaceNotFound "a description that is not there" \
  org.varlink.service.GetInterfaceDescription '{"interface":"org.example.Nothing"}'

refuses NotFound "no such token" org.signet.Token.Describe '{"token":"nobody"}'
refuses NotFound "no such ID" org.signet.Id.Describe '{"id":"nobody@example.org"}'
refuses PinRefused "a PIN that is too short" org.signet.Token.Unlock '{"token":"it","pin":"1"}'
ok "three requests in one go" call '{"method":"org.signet.Daemon.Status"}' '{"method":"org.signet.Token.Lock"}' \
  '{"method":"org.varlink.service.GetInfo"}'
is "$(wc -l <out)" 3 "three answers"
says out '"product"' "the last to the last"
ok "a call without an answer" call '{"method":"org.signet.Token.Lock","oneway":true}' '{"method":"org.signet.Daemon.Status"}'
is "$(wc -l <out)" 1 "has none"

refuses PinRequired "a locked token" org.signet.Id.Generate \
  '{"addresses":["a@example.org"],"token":"it","kind":"ec:p256","no_backup":true}'
is "$(member token out)" it "it names the token"
says out '"try":\["signet","token","unlock","it"\]' "and what to type"
refuses PinIncorrect "a wrong PIN" org.signet.Token.Unlock '{"token":"it","pin":"0000000"}'
refuses PinRefused "the same wrong PIN" org.signet.Token.Unlock '{"token":"it","pin":"0000000"}'
ok "the right PIN" method org.signet.Token.Unlock "{\"token\":\"it\",\"pin\":\"$pin\"}"
says out '"already":false' "unlocks"
ok "once more" method org.signet.Token.Unlock '{"token":"it","pin":"0000000"}'
says out '"already":true' "checks nothing"
ok "a key" method org.signet.Id.Generate '{"addresses":["a@example.org"],"token":"it","kind":"ec:p256","no_backup":true}'
key=$(member key out)
is "${#key}" 64 "has a name of 64 digits"
perl -MJSON::PP -MMIME::Base64 -ne 'print decode_base64(decode_json($_)->{parameters}{public_key})' out >key.der
refuses NoneUsable "none that can sign yet" org.signet.Id.Choose '{"purpose":"sign"}'
says out '"candidates":\["' "with each one's reason"
printf 'anything' | openssl dgst -sha256 -binary >digest
ok "a digest is signed" method org.signet.Key.Sign \
  "{\"key\":\"$key\",\"mechanism\":\"ecdsa\",\"data\":\"$(base64 -w 0 digest)\"}"
member signature out >signature.b64
base64 -d signature.b64 >signature
ok "openssl confirms it" openssl pkeyutl -verify -pubin -inkey key.der -keyform DER -in digest -sigfile signature
refuses Unsupported "what the key cannot" org.signet.Key.Sign \
  "{\"key\":\"$key\",\"mechanism\":\"rsa-pkcs1\",\"hash\":\"sha256\",\"data\":\"$(base64 -w 0 digest)\"}"
refuses Usage "a mechanism that is none" org.signet.Key.Sign "{\"key\":\"$key\",\"mechanism\":\"rot13\",\"data\":\"AA==\"}"
refuses NotFound "a key that is none" org.signet.Key.Sign "{\"key\":\"${key//?/0}\",\"mechanism\":\"ecdsa\",\"data\":\"$(base64 -w 0 digest)\"}"
refuses BadInput "a certificate that is none" org.signet.Id.StoreCertificate '{"certificate":"AAAA"}'
refuses Refused "the last copy of a key" org.signet.Id.Remove '{"id":"a@example.org"}'

with_pin id new b@example.org --token it --key ec:p256 --self-signed 9 --no-backup >/dev/null
ok "IDs, one a reply" method org.signet.Id.List '{}' more
is "$(wc -l <out)/$(grep -c '"continues": *true' out)" 2/1 "two, the last one ends it"
is "$(grep -c '"certificate":"' out)" 0 "without certificates"
ok "with certificates on request" method org.signet.Id.List '{"certificates":true}' more
is "$(grep -c '"certificate":"MII' out)" 1 "there is one"
softhsm2-util --init-token --free --label it --pin "$pin" --so-pin "$so_pin" >/dev/null 2>&1
for _ in {1..40}; do
  [[ $(method org.signet.Token.List '{}' more | grep -c '"state":"present"') -lt 2 ]] || break
  sleep 0.1
done
refuses Ambiguous "a label that two tokens have" org.signet.Token.Describe '{"token":"it"}'
says out '"candidates":\["' "with the candidates"

for garbage in '{' '[]' '{"method":1}' '{"method":"x","method":"y"}' '"' "$(printf '[%.0s' {1..2000})"; do
  ok "garbage ends its own connection, or is answered (${garbage:0:12})" bash -c \
    'perl "$0" "$1" "$2" | grep -q -E "^EOF|\"error\""' "$here/varlink-call.pl" "$socket" "$garbage"
done
ok "and nobody else's" method org.signet.Daemon.Status
finish
