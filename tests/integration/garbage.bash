#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Malformed input of every kind: one clear line, the right status, no output, no crash, no PIN try.
sandbox=(--id "alice@example.org,rsa:2048")
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
signet_ id cert alice@example.org -o alice.pem
signet_ id cert alice@example.org --der -o alice.der
mail alice@example.org >mail.eml
signet_ sign -o signed.eml mail.eml
signet_ encrypt --to alice.pem -o sealed.eml mail.eml
signet_ encrypt --cms der --to alice.pem -o sealed.der mail.eml
signet_ sign --cms der --id alice@example.org -o signed.der mail.eml

: >empty
head -c 20000 /dev/urandom >random
head -c 300 sealed.der >cut.der
head -c 900 sealed.eml >cut.eml
tr 'A-M' '!-+' <sealed.eml >nobase64.eml
{ printf 'From: alice@example.org\n'; head -c 100000 /dev/zero | tr '\0' 'x'; } >longline
printf 'From: a@example.org\nFrom: b@example.org\n\nx\n' >twofrom.eml
printf 'From: alice@example.org\nContent-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=b\n\n--b\n' >half.eml
python_free_nesting() { for _ in {1..2000}; do printf 'Content-Type: multipart/mixed; boundary=b\n\n--b\n'; done; }
{ printf 'From: alice@example.org\n'; python_free_nesting; } >nested.eml
{ printf 'From: alice@example.org\n\n'; cat random; } >binary.eml
head -c 40 /dev/zero >zeros
printf '0\200\200\200\200\377\377' >asn1
printf '0\204\377\377\377\377' >hugelength

# judge "what" MAX-STATUS command…: fails in order: one line of ours, no output, not killed
refused() {
  local what=$1 status lines
  shift
  rm -f made
  "$@" >"$work/out" 2>"$work/err" </dev/null
  status=$?
  lines=$(grep -c '^signet: ' "$work/err")
  if ((status < 1 || status > 8)); then echo "#   status $status"; fi
  ((status >= 1 && status <= 8)) && ((lines == 1)) && [[ ! -e made && ! -s $work/out ]] &&
    ! grep -q -E 'CRITICAL|WARNING|Sanitizer' "$work/err"
  result $? "$what"
}

for file in empty random cut.der zeros asn1 hugelength alice.der; do
  refused "decrypt --cms: $file" signet_ decrypt --cms der -o made "$file"
  refused "verify --cms: $file" signet_ verify --cms der -o made "$file"
  refused "info --cms: $file" signet_ info --cms der "$file"
done
for file in empty random cut.eml nobase64.eml longline half.eml binary.eml zeros; do
  refused "decrypt: $file" signet_ decrypt -o made "$file"
done
refused "decrypt: a mail that is signed, not sealed" signet_ decrypt -o made signed.eml
refused "sign: two From addresses" signet_ sign -o made twofrom.eml
for file in empty random cut.der zeros asn1 hugelength mail.eml sealed.der; do
  refused "id install: $file" signet_ id install "$file"
  refused "encrypt --to $file" signet_ encrypt --to "$file" -o made mail.eml
done

# A verdict, not a failure, for what is a mail of some kind; never good, never a crash.
for file in half.eml nested.eml binary.eml longline cut.eml sealed.eml alice.pem; do
  signet_ verify -o made "$file" >"$work/out" 2>"$work/err"
  status=$?
  [[ $status = 1 || $status = 3 ]] && [[ ! -e made ]] && ! grep -q -E 'CRITICAL|Sanitizer' "$work/err"
  result $? "verify: $file is not good (status $status)"
  signet_ info "$file" >"$work/out" 2>"$work/err"
  status=$?
  ((status <= 1)) && ! grep -q -E 'CRITICAL|Sanitizer' "$work/err"
  result $? "info: $file does no harm (status $status)"
done

mkdir -p "$XDG_CONFIG_HOME/signet/trust.d"
cp random "$XDG_CONFIG_HOME/signet/trust.d/junk.pem"
exits 1 "a malformed trust root is an error" signet_ verify signed.eml
says err "junk.pem" "that names the file"
rm "$XDG_CONFIG_HOME/signet/trust.d/junk.pem"
printf '[mail\nhash\n' >"$XDG_CONFIG_HOME/signet/signet.conf"
exits 1 "malformed settings are an error" signet_ sign mail.eml
says err "signet.conf" "that names the file"
printf '[mail]\nhash=md5\n' >"$XDG_CONFIG_HOME/signet/signet.conf"
exits 1 "a setting that is no hash is an error" signet_ sign mail.eml
rm "$XDG_CONFIG_HOME/signet/signet.conf"

# Names from a stranger's certificate are shown, not obeyed.
openssl req -x509 -newkey rsa:2048 -nodes -keyout evil.key -out evil.pem -days 9 -utf8 \
  -subj "/CN=$(printf 'Eve\033[31m\033]0;owned\007')" -addext subjectAltName=email:eve@example.org 2>/dev/null
openssl cms -sign -in mail.eml -signer evil.pem -inkey evil.key -out evil.eml 2>/dev/null
signet_ verify evil.eml >"$work/out" 2>&1
is "$(tr -d -c '\033\007' <"$work/out" | wc -c)" 0 "no escape sequence of a stranger reaches the terminal"

signet_ token lock >/dev/null
signet_ token lock >/dev/null
exits 0 "after all this the right PIN is still right" with_pin token unlock sandbox
is "$(our_processes signetd | wc -l)" 1 "and the daemon lives"
finish
