#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Output is whole or not there: files, links, devices, closed and full streams.
sandbox=(--id alice@example.org)
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
signet_ id cert alice@example.org -o alice.pem
mail alice@example.org >mail.eml

exits 0 "to standard output" signet_ sign mail.eml
says out "multipart/signed" "a signed mail"
exits 0 "from standard input" bash -c 'signet --no-input sign <mail.eml'
says out "multipart/signed" "likewise"
exits 0 "-i FILE" signet_ sign -i mail.eml
exits 2 "FILE and -i FILE" signet_ sign -i mail.eml mail.eml
exits 0 "- is standard input, -o - standard output" bash -c 'signet --no-input sign - -o - <mail.eml'
says out "multipart/signed" "likewise"
exits 0 "the option before the verb" signet_ -o before.eml sign mail.eml
ok "it is written" test -s before.eml

exits 0 "-o FILE" signet_ sign -o new.eml mail.eml
is "$(stat -c %a new.eml)" 600 "for its owner only"
is "$(find . -maxdepth 1 -name 'new.eml.*' | wc -l)" 0 "no temporary is left"
echo old >kept.eml
chmod 640 kept.eml
exits 0 "over a file that is there" signet_ sign -o kept.eml mail.eml
is "$(stat -c %a kept.eml)" 640 "it keeps its mode"
echo old >target.eml
ln -s target.eml link.eml
exits 0 "through a link" signet_ sign -o link.eml mail.eml
is "$(readlink link.eml)" target.eml "the link stays"
ok "its target is written" grep -q multipart/signed target.eml
exits 0 "onto its own input" signet_ sign -o before.eml before.eml

echo old >precious.eml
exits 4 "a failure" bash -c 'printf "From: nobody@example.org\n\nx\n" | signet --no-input sign -o precious.eml'
is "$(cat precious.eml)" old "leaves the file as it was"
exits 1 "a sealed mail that does not open" bash -c 'signet --no-input decrypt -o precious.eml mail.eml'
is "$(cat precious.eml)" old "leaves the file as it was, too"
exits 1 "into a folder that is not there" signet_ sign -o no/such/file mail.eml
exits 1 "onto a folder" signet_ sign -o . mail.eml
mkfifo pipe
cat pipe >piped &
exits 0 "into a pipe" signet_ sign -o pipe mail.eml
wait $!
ok "what comes out is whole" grep -q multipart/signed piped
[[ -p pipe ]]
result $? "the pipe is still one"

# More than the file may grow: what was written of it is taken back.
{ cat mail.eml; yes 'A line of text.' | head -c 600000; } >long.eml
exits 0 "sealed" signet_ encrypt --to alice.pem -o sealed.eml long.eml
exits 0 "signed, opaque" signet_ sign --opaque -o opaque.eml long.eml
for words in "sign long.eml" "sign -" "decrypt sealed.eml" "verify -o - opaque.eml"; do
  (
    ulimit -f 128
    trap '' XFSZ
    # shellcheck disable=SC2086  # words
    signet --no-input $words <long.eml >room.eml 2>err
  )
  is $? 1 "no room: $words"
  is "$(stat -c %s room.eml)" 0 "and nothing is left of it"
done

exits 1 "standard output is full" bash -c 'signet --no-input sign mail.eml >/dev/full'
exits 1 "standard output is closed" bash -c 'signet --no-input sign mail.eml >&-'
exits 1 "a list on a full disk" bash -c 'signet --no-input token list >/dev/full'
exits 1 "help on a full disk" bash -c 'signet --help >/dev/full'
exits 1 "nobody reads: an error, no signal" \
  bash -c '(sleep 0.3; signet --no-input sign mail.eml) | true; exit "${PIPESTATUS[0]}"'
exits 0 "standard input and error are closed" bash -c 'signet --no-input sign -o closed.eml mail.eml <&- 2>&-'
ok "the file is whole" grep -q multipart/signed closed.eml
exits 1 "standard input is closed, and wanted" bash -c 'signet --no-input sign <&-'

exits 0 "a $(printf 'caf\u00e9') in a file's name" signet_ sign -o "caf$(printf '\xe9').eml" mail.eml
exits 0 "CRLF in, CRLF out" bash -c 'sed "s/$/\r/" mail.eml | signet --no-input sign -o crlf.eml'
is "$(sed -n '1,/^.$/p' crlf.eml | grep -c -v "$(printf '\r')")" 0 "in all headers"
: >empty
exits 1 "an empty mail" signet_ decrypt empty
finish
