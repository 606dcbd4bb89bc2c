#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# A person at a terminal: prompts, echo, questions, tables, colours.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
command -v expect >/dev/null || skip_all "expect is not installed"

person() { # person SCRIPT: at a terminal of 80 columns; ends with the last command's status
  printf 'set timeout 15\nset stty_init "columns 80 rows 24"\n%s\n' "$1" >script.exp
  TERM=xterm timeout 30 expect -f script.exp >"$work/out" 2>"$work/err" </dev/null
}
end='expect eof; lassign [wait] a b c status; exit $status'

ok "token init asks for the new PIN twice" person '
spawn signet token init --soft --label it
expect "New PIN"
send "493817\r"
expect "again"
send "493817\r"
'"$end"
says_not out 493817 "and shows neither"
ok "a mistake in typing is asked once more" person '
spawn signet token init --soft --label it2
expect "New PIN"; send "493817\r"; expect "again"; send "493818\r"
expect "not the same"
expect "New PIN"; send "493817\r"; expect "again"; send "493817\r"
'"$end"
signet_ token lock >/dev/null
ok "id new asks for the PIN" person '
spawn signet id new alice@example.org --key rsa:2048 --no-backup --self-signed 30 --token it
expect "PIN of token \"it\""
send "493817\r"
'"$end"
says out "id new" "the prompt says for which verb"
mail alice@example.org >mail.eml
signet_ token lock >/dev/null
exits 5 "a wrong PIN at the prompt" person '
spawn signet sign -o s.eml mail.eml
expect "PIN of token"
send "000000\r"
'"$end"
is "$(grep -c 'PIN of token' "$work/out")" 1 "is not asked for again by itself"
ok "the right one signs" person '
spawn signet sign -o s.eml mail.eml
expect "PIN of token"; send "493817\r"
'"$end"
ok "the terminal as input is said" person '
spawn signet sign -o typed.eml
expect "Ctrl-D"
send "From: alice@example.org\r\rHello\r\004"
'"$end"
ok "it is signed" grep -q multipart/signed typed.eml

signet_ token lock >/dev/null
ok "Ctrl-C at the prompt puts the echo back" person '
spawn sh
send "PS1=ready; signet sign mail.eml\r"
expect "PIN of token"
send "\003"
expect "ready"
send "stty -a | grep -o -e \"-*echo \" | head -n 1\r"
expect -re "\n(-?)echo *\r"
set minus $expect_out(1,string)
send "exit 0\r"
expect eof
exit [string length $minus]'
exits 5 "no answer is a no" person '
spawn signet sign mail.eml
expect "PIN of token"; send "\004"
'"$end"
exits 5 "--no-input asks nobody" person 'spawn signet --no-input sign mail.eml
'"$end"

ok "id remove asks" person '
spawn signet id remove alice@example.org
expect "Remove alice@example.org*y/N"; send "n\r"
expect eof; lassign [wait] a b c status; exit [expr {$status == 0}]'
exits 0 "and a no keeps the ID" signet_ id show alice@example.org
signet_ id cert alice@example.org -o alice.pem
exits 7 "encrypt --if-missing ask: no cancels" person '
spawn signet encrypt --if-missing ask --to bob@example.org -o clear.eml mail.eml
expect "bob@example.org"
expect "UNENCRYPTED*y/N"; send "n\r"
'"$end"
exits 0 "and yes sends it in clear" person '
spawn signet encrypt --if-missing ask --to bob@example.org -o clear.eml mail.eml
expect "UNENCRYPTED*y/N"; send "y\r"
'"$end"
exits 2 "binary is not written to a terminal" person 'spawn signet id cert alice@example.org --der
'"$end"

with_pin id new "someone.with.a.very.long.local.part.indeed@a-rather-long-domain.example.org" --token it \
  --name "A Person Whose Name Is Long, 大きな名前の人です" --key ec:p256 --self-signed 30 --no-backup >/dev/null
for table in "token list" "id list" "token modules"; do
  ok "$table at a terminal" person "spawn signet $table
$end"
  is "$(sed -e 's/\x1b\[[0-9;]*m//g' -e 's/\r//g' "$work/out" | grep -v -e '^spawn' -e ': ' | grep -c -E '^.{81}')" 0 \
    "$table: fits 80 columns"
done
says out "$(printf '\033')\\[" "colours at a terminal"
NO_COLOR=1 person "spawn signet id list
$end"
says_not out "$(printf '\033')\\[[0-9]*m" "none with NO_COLOR"
signet_ id list >out
says_not out "$(printf '\033')" "none in a file"

# From nothing to a signed mail, by answering questions.
stop_daemon
rm -rf "$XDG_DATA_HOME" "$XDG_STATE_HOME" "$XDG_CONFIG_HOME"
ok "signet start, asked and answered" person '
spawn signet start
expect -ex {Number [1]: }; send "1\r"
expect "mail address: "; send "alice@example.org\r"
expect "New PIN"; send "493817\r"; expect "again"; send "493817\r"
expect "Your name"; send "Alice Example\r"
expect -ex {Number [1]: }; send "1\r"
expect -ex {mail? [y/N] }; send "y\r"
'"$end"
says out "signed and verified: good" "it ends with a good mail"
says_not out 493817 "and no PIN was shown"
is "$(tr -d '\r' <"$work/out" | wc -L | awk '{ print ($1 <= 80) }')" 1 "in 80 columns"
exits 42 "Ctrl-C at a question ends it" person '
spawn signet start
expect -ex {Number [1]: }; send "\003"
expect eof; lassign [wait] a b c d e f
if {$e eq "CHILDKILLED" && $f eq "SIGINT"} { exit 42 }
exit 1'
ok "again, it knows what is there" person '
spawn signet start
expect "use alice@example.org"
expect -ex {Number [1]: }; send "1\r"
'"$end"
says out "signed and verified: good" "and uses it"
for verb in "status" "id list" "id show alice@example.org" "token list" "token show signet" "token modules" "trust list" \
  "trust why alice@example.org" "config show" "id policy alice@example.org" "id list --expires-within 400"; do
  person "spawn signet $verb
$end"
  is "$(tr -d '\r' <"$work/out" | sed -e 's/\x1b\[[0-9;]*m//g' -e 1d | grep -v -E '^(URI|  (Certificate|Public key)) ' | wc -L | awk '{ print ($1 <= 80) }')" 1 "signet $verb: in 80 columns"
done
finish
