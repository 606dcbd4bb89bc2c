#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# What a forger would try with somebody's good signature. "good" is for mail that is signed as a
# whole, by the one sender it shows.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/../integration/lib.bash"

soft_token it
new_id alice@example.org ec:p256 --name Alice >/dev/null
new_id mallory@example.org ec:p256 --name Mallory >/dev/null
for who in alice mallory; do
  signet_ id cert $who@example.org -o $who.pem
  trust $who.pem
  mail $who@example.org >$who.eml
done
ok "a good mail" with_pin sign -o signed.eml alice.eml
exits 0 "is good" signet_ verify signed.eml
sed '1,/^$/d' signed.eml >inner.body
{ grep -A 2 -i '^content-type: multipart/signed' signed.eml; echo; cat inner.body; } >part

not_good() { # not_good VERDICT "what" FILE
  exits 3 "$2" signet_ --json verify "$3"
  is "$(member verdict out)" "$1" "$2: $1"
}
wrapped() { # wrapped BEFORE AFTER: the signed part with others beside it
  printf 'From: alice@example.org\nSubject: Lunch\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=XX\n\n'
  if [[ -n $1 ]]; then printf -- '--XX\nContent-Type: text/plain\n\n%s\n' "$1"; fi
  printf -- '--XX\n'
  cat part
  if [[ -n $2 ]]; then printf -- '\n--XX\nContent-Type: text/plain\n\n%s\n' "$2"; fi
  printf -- '\n--XX--\n'
}
wrapped "" "" >alone.eml
exits 0 "the signed part alone in a wrapper is good" signet_ verify alone.eml
wrapped "Pay Mallory." "" >before.eml
wrapped "" "Pay Mallory." >after.eml
not_good unsigned "text before the signed part" before.eml
says out '"outside":true' "which the answer says"
says out '"signatures":\[\{"verdict":"good"' "while the part's own signature is"
not_good unsigned "text after it" after.eml
signet_ verify before.eml >"$work/out"
says out "^Only a part of this mail is signed" "the person is told so first"
exits 0 "sealed by anybody to Alice" openssl cms -encrypt -aes256 -in before.eml -out sealed.eml alice.pem
(printf 'From: alice@example.org\n' && cat sealed.eml) >sealed-before.eml
exits 3 "what is required to be signed is so as a whole" signet_ decrypt --require-signed -o x.eml sealed-before.eml
is "$(ls x.eml 2>/dev/null)" "" "or it is not written"
exits 0 "else it opens" signet_ decrypt -o x.eml sealed-before.eml

# Whose it seems to be.
sed 's/^From: .*/From: "alice@example.org" <mallory@example.org>/' signed.eml >name.eml
not_good mismatch "an address as a name" name.eml
sed 's/^From: .*/From: alice@example.org, mallory@example.org/' signed.eml >two.eml
not_good mismatch "two senders" two.eml
sed 's/^From: .*/From: mallory@example.org\nFrom: alice@example.org/' signed.eml >twice.eml
not_good mismatch "two From headers" twice.eml
sed 's/^From: .*/From: mallory@example.org (alice@example.org)/' signed.eml >comment.eml
not_good mismatch "the address in a comment" comment.eml
sed 's/^From: .*/From: <alice@example.org> mallory@example.org/' signed.eml >trailing.eml
not_good mismatch "another address after the angles" trailing.eml
sed 's/^From: .*/From: mallory@example.org <alice@example.org>/' signed.eml >display.eml
exits 0 "another address as the name of the true sender" signet_ verify display.eml
sed 's/^From: .*/From: alice@EXAMPLE.org/' signed.eml >case.eml
exits 0 "the domain in capitals is the same" signet_ verify case.eml
sed '/^From: /d' signed.eml >none.eml
exits 0 "no sender at all, as in a part that a mail program hands over" signet_ verify none.eml
says out "Not checked +the mail has no From address" "which is said"

# The signature and the content, moved about.
with_pin sign -o mallorys.eml mallory.eml
sed 's/^From: .*/From: alice@example.org/' mallorys.eml >as-alice.eml
not_good mismatch "Mallory's signature on Alice's mail" as-alice.eml
awk '/^--/ && ++n == 2 { exit } { print }' signed.eml >cut.eml
exits 1 "cut short" signet_ verify cut.eml
sed 's/protocol="application\/pkcs7-signature"/protocol="application\/pgp-signature"/' signed.eml >pgp.eml
exits 3 "said to be PGP's" signet_ verify pgp.eml
sed -i 's/lunch/dinner/' alone.eml
not_good bad "changed inside the wrapper" alone.eml
with_pin sign --opaque -o opaque.eml alice.eml
not_good bad "two in one mail, the second one changed" <(cat alone.eml)

# A certificate with lookalikes in it.
openssl req -x509 -newkey rsa:2048 -nodes -keyout evil.key -out evil.pem -days 9 -subj "/CN=alice@example.org" \
  -addext basicConstraints=CA:FALSE -addext subjectAltName=email:mallory@example.org 2>/dev/null
trust evil.pem
(printf 'From: alice@example.org\n' && openssl cms -sign -in alice.eml -signer evil.pem -inkey evil.key) >cn.eml
not_good mismatch "an address as common name is no address" cn.eml
openssl req -x509 -newkey rsa:2048 -nodes -keyout web.key -out web.pem -days 9 -subj "/CN=web" -addext extendedKeyUsage=serverAuth \
  -addext basicConstraints=CA:FALSE -addext subjectAltName=email:alice@example.org 2>/dev/null
trust web.pem
(printf 'From: alice@example.org\n' && openssl cms -sign -in alice.eml -signer web.pem -inkey web.key) >web.eml
not_good untrusted "a web server's certificate" web.eml
finish
