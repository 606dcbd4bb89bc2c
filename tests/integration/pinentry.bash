#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# On a desktop the daemon asks by pinentry: once, for what, and a cancel is a no.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

# Answers with the first line of `answer`, writes down what it is told.
cat >pinentry <<'END'
#!/bin/bash
folder=$(dirname "$0")
echo "OK Pleased to meet you"
while IFS= read -r line; do
  printf '%s\n' "$line" >>"$folder/asked"
  case $line in
  GETPIN*)
    read -r answer <"$folder/answer"
    if [[ $answer = cancel ]]; then echo "ERR 83886179 Operation cancelled <Pinentry>"; else
      printf 'D %s\nOK\n' "$answer"
    fi ;;
  BYE*) echo OK; exit 0 ;;
  *) echo OK ;;
  esac
done
END
chmod 755 pinentry
mkdir -p "$XDG_CONFIG_HOME/signet"
printf '[pin]\npinentry=%s/pinentry\n' "$work" >"$XDG_CONFIG_HOME/signet/signet.conf"
at_desktop() { DISPLAY=:77 timeout -k 5 60 signet "$@"; }
asked() { grep -c '^GETPIN' asked 2>/dev/null; }

soft_token it
new_id alice@example.org rsa:2048 >/dev/null
mail alice@example.org >mail.eml
signet_ encrypt --to alice@example.org -o sealed.eml mail.eml
signet_ token lock >/dev/null

echo "$pin" >answer
exits 0 "the mail is signed with the PIN of pinentry" at_desktop sign -o signed.eml mail.eml
is "$(asked)" 1 "which was asked once"
ok "for which token" grep -q -E '^SET(DESC|PROMPT|TITLE).*it' asked
exits 0 "then not again" at_desktop decrypt -o opened.eml sealed.eml
is "$(asked)" 1 "still once"
signet_ token lock >/dev/null
rm asked
exits 0 "token unlock" at_desktop token unlock it
is "$(asked)" 1 "asks once, too"
signet_ token lock >/dev/null
rm asked
echo cancel >answer
exits 5 "a cancel is a no" at_desktop --json sign -o no.eml mail.eml
says out '"error":"Cancelled"' "and named so"
is "$(asked)/$(ls no.eml 2>/dev/null)" 1/ "asked once, nothing written"
rm asked
echo 000000 >answer
exits 5 "a wrong PIN" at_desktop --json sign -o no.eml mail.eml
says out '"error":"PinIncorrect"' "is named"
is "$(asked)" 1 "and not asked for again by itself"
rm asked
exits 5 "--no-input starts none" at_desktop --no-input sign -o no.eml mail.eml
is "$(ls asked 2>/dev/null)" "" "indeed"
exits 0 "--pin-fd goes before pinentry" bash -c 'DISPLAY=:77 signet sign -o yes.eml mail.eml --pin-fd 9 9<<<"$1"' - "$pin"
is "$(ls asked 2>/dev/null)" "" "indeed"
signet_ token lock >/dev/null
echo "$pin" >answer
for n in 1 2 3 4; do at_desktop sign -o "at-once-$n.eml" mail.eml 2>/dev/null & done
wait
is "$(grep -l multipart/signed at-once-*.eml | wc -l)/$(asked)" 4/1 "four at once share one question"
printf '[pin]\npinentry=%s/none\n' "$work" >"$XDG_CONFIG_HOME/signet/signet.conf"
stop_daemon
timeout -k 5 60 env DISPLAY=:77 signet sign -o no.eml mail.eml >"$work/out" 2>"$work/err"
status=$?
((status >= 1 && status <= 8)) && [[ ! -e no.eml && -s $work/err ]]
result $? "without a pinentry it is an error that says so (status $status)"
finish
