#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Malformed settings, profiles, modules and own files; and strangers' names on the terminal.
# Each gets one clear line that names the thing, and everything else goes on.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/../integration/lib.bash"

soft_token it
new_id alice@example.org rsa:2048 --name Alice >/dev/null
signet_ id cert alice@example.org -o alice.pem
mail alice@example.org >mail.eml
with_pin sign -o signed.eml mail.eml
config=$XDG_CONFIG_HOME/signet
mkdir -p "$config"

one_line() { # one_line REGEX "what": the command before said one line of ours, with this in it
  is "$(grep -c '^signet: ' "$work/err")/$(grep -c -E "^signet: .*($1)" "$work/err")" 1/1 "$2: one line that says what"
  is "$(grep -c -E 'CRITICAL|WARNING|Sanitizer|dumped' "$work/err")" 0 "$2: and nothing else"
}

# --- settings -----------------------------------------------------------------------------------

for text in '[mail' '[mail]\nhash' 'hash=sha256' '\377\376[mail]' '[mail]\nhash=\377'; do
  printf '%b' "$text" >"$config/signet.conf"
  exits 1 "settings: ${text:0:12}" signet_ sign -o made mail.eml
  one_line 'signet\.conf' "settings: ${text:0:12}"
  [[ ! -e made ]]
  result $? "settings: ${text:0:12}: nothing is written"
done
printf '[mail]\ncipher=rot13\n' >"$config/signet.conf"
exits 1 "settings: a cipher that is none" signet_ encrypt --to alice.pem -o made mail.eml
one_line 'cipher=rot13' "settings: a cipher that is none"
stop_daemon
printf '[modules\n' >"$config/signet.conf"
signet_ token list >"$work/out" 2>"$work/err"
(($? == 0 || $? == 1)) && grep -q -E 'signet\.conf' "$work/err" "$work/out"
result $? "settings that the daemon cannot read: it says so"
rm "$config/signet.conf"
stop_daemon

# --- modules and own files ----------------------------------------------------------------------

add() { signet_ token modules add "$1"; }
head -c 5000 /dev/urandom >random.so
printf 'int x;' | gcc -x c -shared -o plain.so -
printf 'unsigned long C_GetFunctionList(void **l) { *l = 0; return 0; }' | gcc -x c -shared -o null.so -
printf 'unsigned long C_GetFunctionList(void **l) { (void)l; return 5; }' | gcc -x c -shared -o error.so -
printf '#include <stdlib.h>\nunsigned long C_GetFunctionList(void **l) { (void)l; abort(); }' | gcc -x c -shared -o abort.so -
printf '#include <unistd.h>\n__attribute__((constructor)) static void x(void) { _exit(0); }' | gcc -x c -shared -o exit.so -
for file in random plain null error abort exit; do
  exits 6 "a module that is none: $file" add "$work/$file.so"
  one_line "$file\.so" "a module that is none: $file"
done
exits 4 "a module that is not there" add "$work/nothing.so"
one_line 'nothing\.so' "a module that is not there"
signet_ token list >"$work/out"
says out "^it " "the other tokens are there still"
printf '[modules]\nadd=%s;%s;relative.so;\n' "$work/abort.so" "$work/nothing.so" >"$config/signet.conf"
stop_daemon
exits 0 "with bad ones in the settings, too" signet_ token list
says out "^it " "the token is there"
exits 0 "the modules are listed" signet_ token modules
says out "abort.so|abort" "the bad one with its trouble"
rm "$config/signet.conf"
stop_daemon

while read -r file; do
  cp "$file" saved
  head -c 400 /dev/urandom >"$file"
  signet_ id list >"$work/out" 2>"$work/err"
  with_pin sign -o signed2.eml mail.eml >>"$work/out" 2>>"$work/err"
  result $? "an own file turned to garbage: ${file#"$HOME"/}"
  stop_daemon
  cp saved "$file"
done < <(find "$XDG_STATE_HOME/signet" "$XDG_DATA_HOME/signet" -type f -not -path '*/softhsm/*' -not -name '*.log')

# --- names of strangers -------------------------------------------------------------------------

evil=$(printf 'Eve\033]0;owned\007\033[31m\302\233x')
escapes() { tr -d -c '\033\007' <"$1" | wc -c; }
quiet() { # quiet "what" command…: none reaches the terminal
  local what=$1
  shift
  "$@" >"$work/out" 2>"$work/err" </dev/null
  is "$(escapes "$work/out")/$(escapes "$work/err")" 0/0 "no escape sequence: $what"
}
printf 'From: %s@example.org\nSubject: =?utf-8?q?=1b]0;owned=07?= %s\n\nx\n' "$evil" "$evil" >evil.eml
quiet "sign, From" signet_ sign evil.eml
quiet "sign --id, From" signet_ sign --id alice@example.org -o made.eml evil.eml
quiet "verify, From" signet_ verify made.eml
quiet "info, Subject" signet_ info evil.eml
quiet "encrypt, From" signet_ encrypt --to alice.pem -o made.eml evil.eml
openssl req -x509 -newkey rsa:2048 -nodes -keyout evil.key -out evil.pem -days 9 -utf8 -subj "/CN=$evil" \
  -addext basicConstraints=CA:FALSE -addext "subjectAltName=email:$evil@example.org" 2>/dev/null
openssl cms -sign -in mail.eml -signer evil.pem -inkey evil.key -out evil-signed.eml 2>/dev/null
openssl cms -encrypt -aes256 -in mail.eml -out evil-sealed.eml evil.pem 2>/dev/null
quiet "verify, certificate" signet_ verify evil-signed.eml
quiet "decrypt, recipient" signet_ decrypt evil-sealed.eml
quiet "info, recipient" signet_ info evil-sealed.eml
quiet "id install, certificate" signet_ id install evil.pem
quiet "a file's name" signet_ sign "$evil.eml"
quiet "a token's name" signet_ token show "$evil"
label='x`touch made2`$(id)"'\'
exits 0 "a token with a label for the shell" with_pins "$pin\n$so_pin" token init --soft --label "$label"
with_pin token lock >/dev/null
signet_ id new b@example.org --token "$label" --key ec:p256 --no-backup >"$work/out" 2>"$work/err"
try=$(sed -n 's/^Try: //p' "$work/err")
[[ -n $try ]]
result $? "what to type is said"
is "$(bash -c "set -- $try; printf %s \"\${!#}\"")" "$label" "and names that token, in a shell, too"
exits 0 "after all this the PIN is right still" with_pin token unlock it
finish
