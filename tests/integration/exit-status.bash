#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Every exit status of the contract, each reached in an ordinary way.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

# 0 and 2: no daemon needed
exits 0 "0: --version" signet --version
exits 0 "0: --help" signet --help
exits 2 "2: no verb" signet
says err "Try: signet --help" "2: it says where to look"
exits 2 "2: an unknown verb" signet sing
says err 'signet sign' "2: it names the nearest verb"
exits 2 "2: an unknown verb of a group" signet token lits
says err 'signet token list' "2: it names the nearest one there"
exits 2 "2: an unknown option" signet sign --opaqe
says err -- "--opaque" "2: it names the nearest option"
exits 2 "2: a group without its verb" signet id
exits 2 "2: an option without its value" signet sign -o
exits 2 "2: a value that is none of the choices" signet sign --hash md5
exits 2 "2: a number that is none" signet id list --expires-within soon
exits 2 "2: too many arguments" signet status now
exits 2 "2: too few" signet id show
exits 2 "2: no such descriptor" signet --pin-fd 77 status
exits 2 "2: an address that is none" signet_ id new alice
exits 2 "2: an option of a later version" signet_ id new --dual alice@example.org
says err "not in this version" "2: it says so"
exits 2 "2: a verb of a later version" signet_ backup
says err "not in this version" "2: it says so, too"
exits 2 "2: two kinds of certificate at once" signet_ id new a@example.org --csr f --self-signed 3
exits 2 "2: an option that the verb does not take" signet_ token list --opaque

# 1
exits 1 "1: a file that is not there" signet_ sign nothing.eml
says err "nothing.eml" "1: it names the file"
exits 1 "1: an unreadable certificate" signet_ id install /dev/null
printf 'not a mail' >junk
exits 1 "1: sealed mail that is none" signet_ decrypt junk
exits 1 "1: a CMS file that is none" signet_ verify --cms der junk
exits 1 "1: a socket that nobody can make" signet_ --socket "$work/no/such/folder/socket" status
exits 2 "2: a socket's path that is too long" signet_ --socket "/tmp/$(printf 'x%.0s' {1..120})" status
says err "takes at most 107" "2: it says how long it may be"

# 4
exits 4 "4: no ID at all" bash -c 'printf "From: a@example.org\n\nx\n" | signet --no-input sign'
exits 4 "4: no such token" signet_ token show nobody
exits 4 "4: no such ID" signet_ id show nobody@example.org

soft_token it
new_id alice@example.org ec:p256 >/dev/null
mail alice@example.org >mail.eml
mail mallory@example.org >other.eml
exits 4 "4: a From address without an ID" signet_ sign other.eml
says err "mallory@example.org" "4: it names the address"
is "$(signet_ sign other.eml 2>/dev/null | wc -c)" 0 "4: nothing is written"
soft_token it2
exits 4 "4: two tokens, and none is named" with_pin id new c@example.org --key ec:p256 --self-signed 3 --no-backup
says err "it2" "4: it lists the candidates"

# 5
signet_ token lock >/dev/null
exits 5 "5: a PIN is needed and nobody may be asked" signet_ sign mail.eml
exits 5 "5: the wrong PIN" with_pins 000000 sign mail.eml
exits 5 "5: no PIN on the descriptor" bash -c 'signet sign mail.eml --pin-fd 9 9</dev/null'
exits 0 "0: the right one" with_pin sign mail.eml

# 3
signet_ id cert alice@example.org -o alice.pem
with_pin sign -o signed.eml mail.eml
exits 3 "3: not signed" signet_ verify mail.eml
says out "[Nn]ot signed" "3: it says so"
exits 3 "3: untrusted" signet_ verify signed.eml
trust alice.pem
exits 0 "0: good" signet_ verify signed.eml
sed 's/^From: .*/From: mallory@example.org/' signed.eml >mismatch.eml
exits 3 "3: the address differs" signet_ --json verify mismatch.eml
says out '"verdict": *"mismatch"' "3: and the verdict says so"

# 7
exits 7 "7: a recipient without a certificate" signet_ encrypt --to bob@example.org --to alice.pem mail.eml
says err "bob@example.org" "7: it names the recipient"
is "$(signet_ encrypt --to bob@example.org mail.eml 2>/dev/null | wc -c)" 0 "7: nothing is written"

# 8
exits 8 "8: an ID is not removed without a yes" signet_ id remove alice@example.org
exits 8 "8: nor the last copy of its key" with_pin id remove alice@example.org --yes
says err "lose-mail|lose" "8: it says what it would take"

# 6
signet_ encrypt --to alice.pem -o sealed.eml mail.eml
stop_daemon
mv "$embedded" "$work/away"
exits 6 "6: the token is gone" with_pin decrypt sealed.eml
says err '"it"' "6: it names the token"
exits 6 "6: and so is the key to sign with" with_pin sign mail.eml
says err "last seen on \"it\"" "4: it says where the key was"
stop_daemon
finish
