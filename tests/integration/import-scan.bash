#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# What `import --scan` finds in a home, what it passes over, and how long 10,000 files take.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

make_files() {
  openssl req -x509 -newkey rsa:2048 -nodes -keyout a.key -out a.pem -days 99 -subj "/CN=Alice" \
    -addext subjectAltName=email:alice@example.org
  openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 99 -subj "/CN=Some CA"
  openssl pkcs12 -export -in a.pem -inkey a.key -out a.p12 -passout pass:x
  mkdir -p "$HOME/Documents/old stuff" "$HOME/Mail" "$HOME/.cache/x" "$HOME/src/node_modules/y" "$HOME/.ssh"
  cp a.p12 "$HOME/Documents/alice.p12"
  cp a.p12 "$HOME/Documents/old stuff/it's mine"
  cp a.pem "$HOME/Documents/alice.crt"
  cp ca.pem "$HOME/Documents/ca.crt"
  cat a.pem a.key >"$HOME/both.pem"
  cp a.p12 "$HOME/Mail/in-a-mail-folder.p12"
  cp a.p12 "$HOME/.cache/x/cached.p12"
  cp a.p12 "$HOME/src/node_modules/y/z.p12"
  cp a.key "$HOME/.ssh/id_rsa"
  ln -s "$HOME/Documents/alice.p12" "$HOME/link.p12"
  ln -s "$HOME" "$HOME/src/home"
} >make.log 2>&1

make_files
exits 0 "an empty folder" signet_ import --scan "$XDG_RUNTIME_DIR"
says out "No ID was found" "is said to be"
exits 0 "a home is looked through" signet_ import --scan
cp "$work/out" scanned
says out "PKCS #12, with a passphrase" "a .p12 is told for what it is"
says out "^    signet import ~/Documents/alice.p12$" "with the command that imports it"
says out "/'Documents/old stuff/it'" "a name with blanks is quoted"
says out "PEM.*a key without a passphrase" "a key in clear is told"
says out "alice@example.org" "and whose it is"
says_not out "ca.crt|in-a-mail-folder|cached|node_modules|id_rsa|link.p12" "what is none, mail, caches and links are left out"
is "$(grep -c '^    signet import' scanned)" 4 "that is all"
exits 0 "the same as JSON" signet_ --json import --scan
is "$(grep -o '"kind":"file"' "$work/out" | wc -l)" 4 "four files"
is "$(member encrypted "$work/out")" true "with what is known of them"
eval "set -- $(grep -A 1 'PKCS #12' scanned | grep "it's\|it'" | sed "s/^ *signet import //")"
ok "a quoted name can be copied into a shell" test -f "$1"
exits 4 "a folder that is not there" signet_ import --scan "$HOME/nowhere"
exits 2 "--scan and --from" signet_ import --scan --from gpgsm

# Places of programs.
mkdir -p "$HOME/.thunderbird/x.default" "$HOME/.smime/keys" "$HOME/.smime/certificates"
touch "$HOME/.thunderbird/x.default/cert9.db" "$HOME/.thunderbird/x.default/key4.db" "$HOME/.smime/keys/.index"
cp a.key "$HOME/.smime/keys/12345678.0"
exits 0 "programs' own stores" signet_ import --scan
says out "^    signet import --from thunderbird ~/.thunderbird/x.default" "Thunderbird's"
says out "^    signet import --from smime_keys ~/.smime$" "and mutt's, with their commands"
says_not out "keys/12345678.0" "whose files are not listed one by one"

# 10,000 files in 100 folders.
(
  mkdir -p "$HOME/many" && cd "$HOME/many" || exit
  for folder in {00..99}; do mkdir "$folder"; done
  seq 10000 | awk '{ f = sprintf("%02d/f%s", $1 % 100, $1); for (i = 0; i < 40; i++) print "line", i, "of", $1 >f; close(f) }'
)
start=$(date +%s%N)
signet_ --json import --scan >"$work/out" 2>"$work/err"
took=$((($(date +%s%N) - start) / 1000000))
echo "# $(member files "$work/out") files looked at in $took ms"
((took < 4000))
result $? "10,000 files take less than 2 s (4 s on a busy machine)"
(($(member files "$work/out") > 10000))
result $? "all were looked at"
is "$(grep -o '"kind":"file"' "$work/out" | wc -l)" 4 "and the same four found"
if command -v script >/dev/null; then
  script -q -e -c "signet import --scan" /dev/null >"$work/out" 2>&1 </dev/null
  result $? "on a terminal, too"
  tr '\r' '\n' <"$work/out" | sed 's/\x1b\[[0-9;]*[A-Za-z]//g' | grep -v -e 'signet import' | awk 'length > 80' | grep . >"$work/err"
  (($? == 1))
  result $? "in 80 columns"
else
  skip "on a terminal, too" "script is not installed"
fi
is "$(our_processes signetd | wc -l)" 0 "no daemon was needed"
finish
