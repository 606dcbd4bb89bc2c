#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# What a forger would try with somebody's good signature, or with a certificate that only looks like
# hers. "good" is for mail that is signed as a whole, by the one sender it shows.
sandbox=(--id "alice@example.org,ec:p256" --id "mallory@example.org,ec:p256" --contact bob@example.org)
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
for who in alice mallory; do
  signet_ id cert $who@example.org -o $who.pem
  mail $who@example.org >$who.eml
done
ok "a good mail" signet_ sign -o signed.eml alice.eml
exits 0 "is good" signet_ verify signed.eml
sed -n '/^content-type: multipart\/signed/I,$p' signed.eml >part
boundary=$(sed -n 's/.*boundary="\([^"]*\)".*/\1/p' signed.eml | head -n 1)

not_good() { # not_good VERDICT… "what" FILE
  local verdicts=("${@:1:$#-2}") what=${*: -2:1} verdict
  exits 3 "$what" signet_ --json verify "${@: -1}"
  verdict=$(member verdict out)
  [[ " ${verdicts[*]} " = *" $verdict "* ]]
  result $? "$what: $verdict"
}
never_good() { # never_good "what" FILE: a verdict or an error, whichever
  local status
  rm -f made
  signet_ verify -o made "$2" >"$work/out" 2>"$work/err"
  status=$?
  [[ $status = [13] && ! -e made ]] && ! grep -q -a -E 'CRITICAL|Sanitizer|dumped' "$work/err"
  result $? "$1: never good (status $status: $(head -n 1 "$work/err" "$work/out" -q | head -n 1 | cut -c 1-70))"
}

# --- what a reader shows and the signature does not cover ------------------------------------------

wrapped() { # wrapped BEFORE AFTER: the signed part with others beside it
  printf 'From: alice@example.org\nSubject: Lunch\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=XX\n\n'
  if [[ -n $1 ]]; then printf -- '--XX\nContent-Type: text/plain\n\n%s\n' "$1"; fi
  printf -- '--XX\n'
  cat part
  if [[ -n $2 ]]; then printf -- '\n--XX\nContent-Type: text/plain\n\n%s\n' "$2"; fi
  printf -- '\n--XX--\n'
}
twice() { # twice: that in another wrapper
  printf 'From: alice@example.org\nContent-Type: multipart/mixed; boundary=YY\n\n--YY\n'
  sed '/^From: /d' "$1"
  printf -- '\n--YY--\n'
}
wrapped "" "" >alone.eml
exits 0 "the signed part alone in a wrapper is good" signet_ verify alone.eml
wrapped "Pay Mallory." "" >before.eml
not_good unsigned "text before the signed part" before.eml
says out '"outside":true' "which the answer says"
says out '"signatures":\[\{"verdict":"good"' "while the part's own signature is"
signet_ verify before.eml >"$work/out"
says out "^Only a part of this mail is signed" "the person is told so first"
wrapped "" "Pay Mallory." >after.eml
not_good unsigned "text after it, as a mailing list's footer" after.eml
twice before.eml >twice-before.eml
not_good unsigned "text before it, a wrapper deeper" twice-before.eml
twice alone.eml >twice.eml
never_or_good() { signet_ verify "$1" >"$work/out" 2>"$work/err"; [[ $? = [013] ]]; }
ok "two wrappers around it alone do no harm" never_or_good twice.eml
sed "0,/^--$boundary\$/s//Pay Mallory.\n--$boundary/" signed.eml >preamble.eml
not_good unsigned "text before the first boundary" preamble.eml
{ cat signed.eml && printf '\nPay Mallory.\n'; } >epilogue.eml
not_good unsigned "text after the last" epilogue.eml
sed "s/^--$boundary--/--$boundary\nContent-Type: text\/plain\n\nPay Mallory.\n--$boundary--/" signed.eml >third.eml
not_good unsigned bad unknown "a third part in it" third.eml
sed "0,/^--$boundary\$/s//--$boundary\nContent-Type: text\/plain\n\nPay Mallory.\n--$boundary/" signed.eml >first.eml
never_good "another part in front" first.eml
sed "0,/^--$boundary\$/s//--$boundary\nContent-Type: multipart\/mixed; boundary=ZZ\n\n--ZZ\n/" signed.eml >opened.eml
never_good "the covered part put into another" opened.eml
sed 's/^Content-Type: multipart\/signed/Content-Type: multipart\/mixed; boundary=QQ\nContent-Type: multipart\/signed/' signed.eml >types.eml
never_good "two Content-Types" types.eml
sed 's/boundary="/boundary=QQ; boundary="/' signed.eml >boundaries.eml
never_good "two boundaries" boundaries.eml
awk '/^--/ && ++n == 2 { exit } { print }' signed.eml >cut.eml
exits 1 "cut short" signet_ verify cut.eml
sed 's/protocol="application\/pkcs7-signature"/protocol="application\/pgp-signature"/' signed.eml >pgp.eml
exits 3 "said to be PGP's" signet_ verify pgp.eml
sed 's/lunch/dinner/' alone.eml >changed.eml
not_good bad "changed inside the wrapper" changed.eml

# --- the structure of the signature ---------------------------------------------------------------

entity=$(awk -v b="--$boundary" 'index($0, b) == 1 { n++; next } n == 1' signed.eml | sed '$d')
signed_with() { # signed_with FILE-OF-DER: Alice's entity with another signature part
  printf 'From: alice@example.org\nMIME-Version: 1.0\nContent-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary=b\n\n'
  printf -- '--b\n%s\n\n--b\nContent-Type: application/pkcs7-signature; name=smime.p7s\nContent-Transfer-Encoding: base64\n\n%s\n\n--b--\n' \
    "$entity" "$(base64 "$1")"
}
openssl cms -cmsout -in signed.eml -outform DER -out signature.der 2>/dev/null
signed_with signature.der >again.eml
exits 0 "(the parts put together again are good)" signet_ verify again.eml
printf 'Pay Mallory.\n' >pay
signet_ sign --cms der --id alice@example.org -o pay.der pay
signed_with pay.der >inside.eml
never_good "a signature with another content inside, beside the detached one" inside.eml
printf '%s\n' "$entity" | sed 's/$/\r/' >entity
signet_ sign --cms der --id alice@example.org -o same.der entity
signed_with same.der >same.eml
ok "the same content inside as beside does no harm" never_or_good same.eml
openssl crl2pkcs7 -nocrl -certfile alice.pem -outform DER -out certs.der
signed_with certs.der >nobody.eml
never_good "no signer" nobody.eml
signed_with alice.pem >certificate.eml
never_good "a certificate for a signature" certificate.eml
printf '' >empty
signed_with empty >empty.eml
never_good "no signature in its part" empty.eml
openssl cms -encrypt -aes256 -in pay -outform DER -out sealed.der alice.pem
signed_with sealed.der >sealed.eml
never_good "a seal for a signature" sealed.eml

# Two signers, by openssl: Bob and one who says that he is Alice.
bob=$contacts/bob@example.org
openssl req -x509 -newkey rsa:2048 -nodes -keyout fake.key -out fake.pem -days 9 -subj /CN=Alice \
  -addext basicConstraints=CA:FALSE -addext subjectAltName=email:alice@example.org 2>/dev/null
two() { # two FROM SIGNER… of PREFIX: both sign; mail on standard output
  local from=$1 words=() one
  shift
  for one; do words+=(-signer "$one.pem" -inkey "$one.key"); done
  printf 'From: %s\n' "$from"
  openssl cms -sign -in alice.eml "${words[@]}"
}
two bob@example.org "$bob" >bob.eml
exits 0 "Bob alone is good" signet_ verify bob.eml
two bob@example.org "$bob" fake >two.eml
not_good untrusted mismatch "Bob and a stranger who calls himself Alice" two.eml
two alice@example.org fake "$bob" >two2.eml
not_good untrusted mismatch "the other way round" two2.eml
# shellcheck disable=SC2094
two bob@example.org "$bob" "$bob" >bobs.eml
ok "twice Bob does no harm" never_or_good bobs.eml
openssl cms -cmsout -in two.eml -outform DER -out two.der 2>/dev/null
perl -e 'local $/; $_ = <STDIN>; substr($_, -3, 1) ^= "\1"; binmode STDOUT; print' <two.der >two-bad.der
base64 two-bad.der >two-bad.b64
awk -v b="--$(sed -n 's/.*boundary="\([^"]*\)".*/\1/p' two.eml | head -n 1)" '
  index($0, b) == 1 { n++; body = 0 }
  body { next }
  { print }
  n == 2 && /^\r?$/ { body = 1; while ((getline line < "two-bad.b64") > 0) print line; print "" }' two.eml >two-bad.eml
not_good bad "two signers of which one is bad" two-bad.eml

# --- whose it seems to be ---------------------------------------------------------------------------

from() { # from HEADER…: signed.eml with that instead of its From
  awk -v h="$(printf '%s\n' "$@")" '/^From: / { print h; next } { print }' signed.eml
}
as() { # as VERDICTS "what" HEADER…
  from "${@:3}" >from.eml
  # shellcheck disable=SC2086  # words
  not_good $1 "$2" from.eml
}
same() { # same "what" HEADER…
  from "${@:2}" >from.eml
  exits 0 "$1" signet_ verify from.eml
}
as mismatch "an address as a name" 'From: "alice@example.org" <mallory@example.org>'
as mismatch "an encoded address as a name" 'From: =?utf-8?q?alice=40example.org?= <mallory@example.org>'
as mismatch "with its angles" 'From: =?utf-8?q?Alice_<alice=40example.org>?= <mallory@example.org>'
as mismatch "an encoded word that ends the address" 'From: =?utf-8?q?alice=40example.org=0a?= <mallory@example.org>'
as mismatch "two senders" 'From: alice@example.org, mallory@example.org'
as mismatch "two senders, hers last" 'From: mallory@example.org, alice@example.org'
as mismatch "two From headers" 'From: mallory@example.org' 'From: alice@example.org'
as mismatch "two From headers, hers first" 'From: alice@example.org' 'From: mallory@example.org'
as mismatch "one of them in capitals" 'From: alice@example.org' 'FROM: mallory@example.org'
as mismatch "one of them with a space before the colon" 'From: alice@example.org' 'From : mallory@example.org'
as mismatch "the address in a comment" 'From: mallory@example.org (alice@example.org)'
as mismatch "the address in a comment in front" 'From: (alice@example.org) mallory@example.org'
as mismatch "another address after the angles" 'From: <alice@example.org> mallory@example.org'
as mismatch "a group of two" 'From: us: alice@example.org, mallory@example.org;'
as mismatch "a group that only is named so" 'From: "alice@example.org": mallory@example.org;'
as "mismatch good" "an empty group" 'From: alice@example.org:;'
as mismatch "a route" 'From: <@alice@example.org:mallory@example.org>'
as mismatch "a longer domain" 'From: alice@example.org.evil.example'
as mismatch "a longer address" 'From: malice@example.org'
as mismatch "a quoted local part" 'From: "alice@example.org"@evil.example'
as mismatch "folded" $'From: Alice\n <mallory@example.org>'
as mismatch "another address as the name beside hers" 'From: mallory@example.org <alice@example.org>'
as mismatch "that in quotes" 'From: "mallory@example.org" <alice@example.org>'
as mismatch "that encoded" 'From: =?utf-8?q?mallory=40example.org?= <alice@example.org>'
as mismatch "that with a fullwidth @" 'From: mallory＠example.org <alice@example.org>'
as mismatch "a letter of another alphabet" 'From: alice@exаmple.org'
as mismatch "no address at all" 'From: alice'
same "her own address as her name" 'From: "alice@example.org" <alice@example.org>'
same "a name with @ that is no address" 'From: "Alice @ Work" <alice@example.org>'
same "the domain in capitals is the same" 'From: alice@EXAMPLE.org'
same "folded, hers" $'From: Alice\n <alice@example.org>'
sed '/^From: /d' signed.eml >none.eml
exits 0 "no sender at all, as in a part that a mail program hands over" signet_ verify none.eml
says out "Not checked +the mail has no From address" "which is said"
signet_ sign -o mallorys.eml mallory.eml
sed 's/^From: .*/From: alice@example.org/' mallorys.eml >as-alice.eml
not_good mismatch "Mallory's signature on Alice's mail" as-alice.eml

# A From inside that is not the one outside (RFC 9788, protected headers).
protected() { # protected FROM-INSIDE FROM-OUTSIDE: signed by Bob
  printf 'From: %s\nSubject: Lunch\nContent-Type: text/plain; hp="clear"\n\nThe word is marzipan.\n' "$1" >protected.part
  if [[ -n $2 ]]; then printf 'From: %s\n' "$2"; fi
  openssl cms -sign -in protected.part -signer "$bob.pem" -inkey "$bob.key"
}
protected bob@example.org bob@example.org >protected.eml
exits 0 "(a From that is protected, and the same outside, is good)" signet_ verify protected.eml
protected alice@example.org bob@example.org >protected.eml
not_good mismatch "Alice's inside, signed by Bob, from Bob" protected.eml
protected bob@example.org alice@example.org >protected.eml
not_good mismatch "Bob's inside, signed by Bob, from Alice" protected.eml
protected alice@example.org '' >protected.eml
not_good mismatch "Alice's inside, signed by Bob, none outside" protected.eml

# Certificates with lookalikes in them, by a CA that is trusted.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 9 -subj "/CN=A CA" \
  -addext keyUsage=critical,keyCertSign 2>/dev/null
trust ca.pem
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out evil.key
der_name() { # der_name TEXT-WITH-\0: subjectAltName with that as its one rfc822Name
  local hex
  hex=$(printf '%b' "$1" | od -A n -v -t x1 | tr -d ' \n')
  printf '30%02x81%02x%s' $((${#hex} / 2 + 2)) $((${#hex} / 2)) "$hex"
}
certified() { # certified SAN-EXTENSION SUBJECT: evil.pem, and a mail of "Alice" signed with it in evil.eml
  printf 'basicConstraints=critical,CA:FALSE\nextendedKeyUsage=emailProtection\n%s\n' "$1" >evil.ext
  openssl req -new -utf8 -key evil.key -subj "${2:-/CN=evil}" 2>/dev/null |
    openssl x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days 9 -extfile evil.ext -out evil.pem 2>/dev/null
  { printf 'From: alice@example.org\n' && openssl cms -sign -in alice.eml -signer evil.pem -inkey evil.key; } >evil.eml
}
certified subjectAltName=email:alice@example.org
exits 0 "(a certificate that this CA made for Alice is good)" signet_ verify evil.eml
san() { certified "subjectAltName=DER:$(der_name "$1" | sed 's/../&:/g; s/:$//')"; }
for name in 'alice@example.org.evil.com' 'alice@example.org\0.evil.com' 'alice\0@example.org' '\0alice@example.org' 'alice@example.org\0' \
  ' alice@example.org' 'alice@example.org ' 'alice@example.org\n' '<alice@example.org>' 'alice@example.org,x@evil.com' \
  'Alice <alice@example.org>' 'alice@example.org\r\nFrom: x' 'alice@*.org' '*@example.org' 'example.org' '@example.org' 'ALICE@example.org@evil.com'; do
  san "$name"
  never_good "a certificate for ${name//\\/\\\\}" evil.eml
done
certified subjectAltName=email:mallory@example.org "/CN=alice@example.org"
not_good mismatch "an address as common name is no address" evil.eml
certified subjectAltName=DNS:alice@example.org
never_good "an address as a host's name" evil.eml
certified subjectAltName=URI:mailto:alice@example.org
never_good "an address as a URI" evil.eml
sed -i s/emailProtection/serverAuth/ evil.ext
openssl req -x509 -newkey rsa:2048 -nodes -keyout web.key -out web.pem -days 9 -subj "/CN=web" -addext extendedKeyUsage=serverAuth \
  -addext basicConstraints=CA:FALSE -addext subjectAltName=email:alice@example.org 2>/dev/null
trust web.pem
{ printf 'From: alice@example.org\n' && openssl cms -sign -in alice.eml -signer web.pem -inkey web.key; } >web.eml
not_good untrusted "a web server's certificate" web.eml

# --- wrong kinds and encodings ----------------------------------------------------------------------

part_of() { # part_of SMIME-TYPE DER
  printf 'From: alice@example.org\nMIME-Version: 1.0\nContent-Type: application/%s\nContent-Transfer-Encoding: base64\n\n' "$1"
  base64 "$2"
}
no_harm() { # no_harm "what" VERB STATUSES FILE: ends in order, nothing written unless 0
  local status
  rm -f made
  signet_ "$2" -o made "$4" >"$work/out" 2>"$work/err"
  status=$?
  [[ " $3 " = *" $status "* && (! -e made || $status = 0) ]] && ! grep -q -a -E 'CRITICAL|Sanitizer|dumped' "$work/err"
  result $? "$1 (status $status)"
}
openssl cms -encrypt -aes256 -in alice.eml -outform DER -out sealed.der alice.pem
signet_ sign --opaque -o opaque.eml alice.eml
openssl cms -cmsout -in opaque.eml -outform DER -out opaque.der 2>/dev/null
part_of 'pkcs7-mime; smime-type=signed-data' sealed.der >a.eml
no_harm "sealed, said to be signed: verify" verify "1 3" a.eml
no_harm "sealed, said to be signed: decrypt" decrypt "0 1" a.eml
part_of 'pkcs7-mime; smime-type=enveloped-data' opaque.der >b.eml
no_harm "signed, said to be sealed: verify" verify "0 1 3" b.eml
no_harm "signed, said to be sealed: decrypt" decrypt "0 1" b.eml
part_of 'pkcs7-mime' opaque.der >c.eml
exits 0 "signed, without smime-type: read as it is" signet_ verify c.eml
part_of 'x-pkcs7-mime; smime-type=signed-data' opaque.der >d.eml
exits 0 "application/x-pkcs7-mime is the same" signet_ verify d.eml
part_of 'x-pkcs7-mime; smime-type=enveloped-data' sealed.der >e.eml
exits 0 "for sealed mail, too" signet_ decrypt -o made e.eml
sed 's/application\/pkcs7-signature/application\/x-pkcs7-signature/g' signed.eml >x.eml
exits 0 "and application/x-pkcs7-signature" signet_ verify x.eml
part_of 'octet-stream; name=smime.p7m' opaque.der >f.eml
no_harm "application/octet-stream, smime.p7m" verify "0 3" f.eml
part_of 'pkcs7-mime; smime-type=signed-data' certs.der >g.eml
never_good "certificates, said to be signed" g.eml

signet_ sign --cms der --id alice@example.org -o file.der pay
signet_ sign --cms pem --id mallory@example.org -o file.pem pay
exits 0 "(each alone is good)" signet_ verify --cms der file.der
cat file.der file.pem >der-pem
cat file.pem file.der >pem-der
cat file.pem file.pem >pem-pem
cat file.der file.der >der-der
{ echo "Pay Mallory." && cat file.pem; } >text-pem
for file in der-pem pem-der pem-pem der-der; do
  for form in der pem; do
    signet_ verify --cms $form -o made $file >"$work/out" 2>"$work/err"
    status=$?
    ((status == 1)) || { ((status == 0)) && cmp -s made pay; }
    result $? "two in one file, $file as $form (status $status)"
    rm -f made
  done
done
exits 0 "text before PEM is a comment" signet_ verify --cms pem text-pem

# --- what reaches the terminal ----------------------------------------------------------------------

unclean() { # unclean FILE: what a terminal obeys, or shows in another order: controls, C1, bidi marks
  perl -CSD -ne 'print /[^\n\t\x20-\x7e\xa0-\x{200a}\x{2010}-\x{2027}\x{2030}-\x{2065}\x{206a}-\x{fefe}\x{ff00}-\x{10ffff}]/ ? "x" : ""; print "b" if /[\x{202a}-\x{202e}\x{2066}-\x{2069}\x{200e}\x{200f}]/' "$1"
}
clean() { # clean "what" command…
  local what=$1
  shift
  "$@" >"$work/out" 2>"$work/err" </dev/null
  is "$(unclean "$work/out")$(unclean "$work/err")" "" "the terminal stays clean: $what"
}
evil=$(printf 'Eve\033]0;owned\007\033[31m\302\233x\342\200\256gro.elpmaxe\342\201\246\302\205y\177z\010')
certified "subjectAltName=DER:$(der_name "$evil@evil.com" | sed 's/../&:/g; s/:$//')" "/CN=$evil/O=$evil"
{ printf 'From: %s <x@evil.com>\nSubject: %s =?utf-8?q?=1b]0;owned=07=e2=80=ae=c2=9b?= =?utf-8?b?AAAA?=\n' "$evil" "$evil" && sed 1d evil.eml; } >names.eml
clean "verify" signet_ verify names.eml
clean "info" signet_ info names.eml
clean "trust why" signet_ trust why evil.pem
clean "verify, as JSON" signet_ --json verify names.eml
openssl cms -encrypt -aes256 -in names.eml -out inside alice.pem
{ printf 'From: %s <x@evil.com>\nSubject: %s\n' "$evil" "$evil" && cat inside; } >sealed-names.eml
clean "decrypt" signet_ decrypt -o made sealed-names.eml
openssl cms -encrypt -aes256 -in alice.eml -out to-evil.eml evil.pem
clean "info, recipient" signet_ info to-evil.eml
clean "decrypt, for somebody else" signet_ decrypt -o made2 to-evil.eml
printf 'From: alice@example.org\0x@evil.com\nSubject: a\0b\n\n\0\n' >nul.eml
clean "NUL in headers" signet_ info nul.eml
clean "NUL in headers: sign" signet_ sign -o made3 nul.eml

# --- a signature inside a seal ------------------------------------------------------------------------

seal() { # seal FILE FROM: sealed by anybody to Alice, from FROM
  printf 'From: %s\n' "$2"
  openssl cms -encrypt -aes256 -in "$1" alice.pem
}
shows() { # shows VERDICT "what" FILE-INSIDE FROM: opens with that verdict; not where a signature is required
  seal "$3" "$4" >outer.eml
  rm -f made
  exits 0 "$2, sealed: opens" signet_ --json decrypt -o made outer.eml
  is "$(member verdict err)$(member verdict out)" "$1" "$2, sealed: $1"
  is "$(grep -c marzipan made)" 1 "$2, sealed: is all there"
  rm -f made
  exits 3 "$2, sealed: not where a signature is required" signet_ decrypt --require-signed -o made outer.eml
  is "$(ls made 2>/dev/null)" "" "$2, sealed: nothing is written then"
  signet_ decrypt --require-signed outer.eml >"$work/out" 2>/dev/null
  is "$(wc -c <"$work/out")" 0 "$2, sealed: nor to standard output"
}
entity_of() { sed -n '/^content-type:/I,$p' "$1"; }
entity_of signed.eml >good.part
sed 's/lunch/dinner/' good.part >bad.part
entity_of two.eml >untrusted.part
two alice@example.org fake | sed 1d >fake.part
entity_of before.eml >before.part
entity_of alice.eml >plain.part
sed 's/^MI[A-Za-z0-9+/]*$/MIIBAAAA/' good.part >broken.part
shows bad "a bad signature" bad.part alice@example.org
shows untrusted "an untrusted one" fake.part alice@example.org
shows mismatch "another's" good.part mallory@example.org
shows unsigned "one of a part only" before.part alice@example.org
shows unsigned "none" plain.part alice@example.org
seal broken.part alice@example.org >outer.eml
exits 0 "one that cannot be read: opens" signet_ decrypt -o made outer.eml
is "$(grep -c marzipan made)" 1 "one that cannot be read: is all there"
exits 3 "one that cannot be read: not where one is required" signet_ decrypt --require-signed -o made2 outer.eml
seal good.part alice@example.org >outer.eml
exits 0 "a good one is good enough" signet_ decrypt --require-signed -o made2 outer.eml
is "$(grep -c marzipan made2)" 1 "and the mail is written"
exits 3 "mail that is not signed" signet_ verify alice.eml
says out "^Not signed" "is said to be so"
signet_ --json verify alice.eml >"$work/out"
is "$(member verdict "$work/out")" unsigned "and in JSON"
finish
