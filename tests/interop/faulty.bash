#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2181,SC2317  # programs in quotes; functions called by name
#
# A PKCS#11 module that answers wrongly, hangs and dies, under an installed signet with a profile
# of its own; and profiles that are malformed. What a person is told, and what it costs.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/../integration/lib.bash"
module=$SIGNET_TEST_BUILD/tests/token-faulty-module.so
if [[ ! -e $module ]]; then skip_all "the faulty module is not built"; fi

cmake --install "$SIGNET_TEST_BUILD" --prefix "$work/prefix" >/dev/null
profiles=$work/prefix/share/signet/tokens
PATH=$work/prefix/bin:$PATH
rm "$profiles"/*
cat >"$profiles/faulty.profile" <<END
[profile]
name=faulty
description=A card that errs
[module]
files=$module;
environment=FAULTY_MODULE=$(find /usr/lib -name libsofthsm2.so | head -n 1);FAULTY_CONTROL=$work/control;
[token]
operations=4
lock=token
pin-scope=token
pin-max=0
[key]
wrap=yes
[deadline]
operation=1500
END
control=$work/control
: >"$control"
# Malformed ones beside it cost nobody else anything.
head -c 300 /dev/urandom >"$profiles/random.profile"
printf '[profile]\nname=../../etc\n[module]\nfiles=x.so;\n' >"$profiles/name.profile"
printf '[profile]\nname=number\n[module]\nfiles=x.so;\n[token]\noperations=many\n' >"$profiles/number.profile"

softhsm2-util --init-token --free --label card --pin "$pin" --so-pin "$so_pin" >/dev/null 2>&1
exits 0 "malformed profiles do not stop the others" signet_ token list
says out "^card " "the token is there"
for name in random name number; do
  ok "the malformed one is named in the log: $name" grep -r -F -e "/$name.profile" "$XDG_STATE_HOME/signet"
done
ok "a key on it" new_id alice@example.org rsa:2048
signet_ id cert alice@example.org -o alice.pem
mail alice@example.org >mail.eml
ok "it signs" with_pin sign -o signed.eml mail.eml
signet_ encrypt --to alice.pem -o sealed.eml mail.eml

logins() { stat -c %s "$control.C_Login" 2>/dev/null; }
told() { # told STATUS ERROR "what" verb…: the status, the error's name, one sentence, no output
  local status=$1 name=$2 what=$3
  shift 3
  rm -f made
  exits "$status" "$what" signet_ --json "$@"
  is "$(cat "$work/out" "$work/err" | grep -c '"error":')/$(member error <(cat "$work/out" "$work/err"))" "1/$name" "$what: $name"
  [[ ! -e made ]]
  result $? "$what: nothing is written"
}
before=$(logins)
for fault in long-signature short-signature; do
  printf '%s' "$fault" >"$control"
  rm -f made
  signet_ sign -o made mail.eml >"$work/out" 2>"$work/err"
  (($? != 0)) && [[ ! -e made ]] && (($(grep -c '^signet: ' "$work/err") == 1))
  result $? "$fault: one line, and nothing is written"
done
for fault in session-lost key-handle-lost general-error; do
  printf '%s' "$fault" >"$control"
  exits 0 "$fault, once: a person never notices" signet_ sign -o made.eml mail.eml
done
printf 'long-plaintext' >"$control"
signet_ decrypt -o made sealed.eml >"$work/out" 2>"$work/err"
(($? != 0)) && [[ ! -e made ]]
result $? "long-plaintext: not opened"
printf 'hang' >"$control"
told 6 Timeout "a module that hangs" sign -o made mail.eml
is "$(logins)" "$before" "and no PIN was tried in all this"
: >"$control"
ok "with the PIN it signs again" with_pin sign -o signed.eml mail.eml
printf 'pin-locked' >"$control"
signet_ token lock card >/dev/null
told_pin() { with_pin --json "$@"; }
exits 5 "a blocked PIN" told_pin token unlock card
is "$(member error "$work/out")" PinBlocked "a blocked PIN: PinBlocked"
: >"$control"
stop_daemon
exits 0 "another daemon" with_pin sign -o signed.eml mail.eml
printf 'crash' >"$control"
signet_ --json sign -o made mail.eml >"$work/out" 2>"$work/err"
is "$? $(grep -c -E '"error":"(TokenDown|TokenGone|PinRequired)"' "$work/out")" "6 1" "a module that crashes"
[[ ! -e made ]]
result $? "a module that crashes: nothing is written"
: >"$control"
ok "and when it does so no more, all is well" with_pin sign -o signed.eml mail.eml
printf 'removed' >"$control"
for _ in {1..60}; do
  [[ $(signet_ --json token list | grep -c '"state":"present"') -gt 0 ]] || break
  sleep 0.1
done
told 6 TokenGone "a card taken out" decrypt -o made sealed.eml
: >"$control"
finish
