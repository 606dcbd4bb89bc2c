#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# sign.bash KIND: a signed mail from nothing, confirmed by programs that know nothing of signet.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
kind=${1:-rsa:2048}

ok "$kind: a soft token is made" soft_token it
ok "$kind: an ID is made and certified by itself" new_id alice@example.org "$kind" --name "Alice Example"
ok "$kind: its certificate is given away" signet_ id cert alice@example.org -o alice.pem
ok "$kind: openssl reads the certificate" openssl x509 -in alice.pem -noout -text
says out "email:alice@example.org" "$kind: it names the address"
says out "CA:FALSE" "$kind: it is no CA"
says out "E-mail Protection" "$kind: it is for mail"
ok "$kind: openssl trusts it for mail" openssl verify -purpose smimesign -CAfile alice.pem alice.pem

mail alice@example.org >mail.eml
ok "$kind: the mail is signed" with_pin sign -o signed.eml mail.eml

openssl cms -cmsout -in signed.eml -outform DER -out signature.der 2>/dev/null
confirm_by_openssl() {
  openssl cms -verify -in "$1" -CAfile alice.pem -out content && grep -q marzipan content
}
confirm_by_gnutls() { # OpenSSL 3.0 has no Ed25519 in CMS
  certtool --p7-verify --inder --infile "$1" --load-data "$2" --load-ca-certificate alice.pem
}
confirm_by_gpgsm() {
  gpgsm --batch --disable-dirmngr --disable-crl-checks --import alice.pem 2>/dev/null
  openssl x509 -in alice.pem -noout -fingerprint -sha1 | sed 's/.*=//; s/$/ S relax/' >"$GNUPGHOME/trustlist.txt"
  gpgsm --batch --disable-dirmngr --disable-crl-checks --verify "$1" "$2"
}
confirm_by_nss() {
  mkdir -p nss && certutil -N -d sql:nss --empty-password && certutil -A -d sql:nss -n alice -t ,P, -i alice.pem &&
    cmsutil -D -d sql:nss -u 4 -c "$2" -i "$1"
}
# The signed entity: what stands between the first two boundaries, without the last line's end.
boundary=$(sed -n 's/.*boundary="\([^"]*\)".*/\1/p' signed.eml | head -n 1)
sed -e 's/\r$//' signed.eml | awk -v b="--$boundary" '
  index($0, b) == 1 { n++; next } n == 1 { if (seen++) printf "\r\n"; printf "%s", $0 }' >entity

if [[ $kind = ed25519 ]]; then
  ok "$kind: certtool confirms the signature" confirm_by_gnutls signature.der entity
  skip "$kind: gpgsm confirms it" "gpgsm 2.2 does not know Ed25519 in CMS"
  skip "$kind: NSS confirms it" "NSS does not know Ed25519 in CMS"
else
  ok "$kind: openssl confirms the signature" confirm_by_openssl signed.eml
  ok "$kind: gpgsm confirms it" confirm_by_gpgsm signature.der entity
  ok "$kind: NSS confirms it" confirm_by_nss signature.der entity
fi

exits 3 "$kind: signet verifies, but nobody trusts it yet" signet_ --json verify signed.eml
says out '"verdict": *"untrusted"' "$kind: the verdict is untrusted"
trust alice.pem
exits 0 "$kind: trusted, it is good" signet_ --json verify signed.eml
says out '"verdict": *"good"' "$kind: the verdict is good"
sed 's/marzipan/nougat/' signed.eml >changed.eml
exits 3 "$kind: with one word changed it is not" signet_ --json verify changed.eml
says out '"verdict": *"bad"' "$kind: the verdict is bad"

ok "$kind: the mail is signed opaquely" with_pin sign --opaque -o opaque.eml mail.eml
exits 0 "$kind: which is good, too" signet_ verify -o inside opaque.eml
ok "$kind: the text comes out of it" grep -q marzipan inside
ok "$kind: any file is signed" with_pin sign --cms pem --detached --id alice@example.org -o file.pem mail.eml
exits 0 "$kind: and verifies" signet_ verify --cms pem --content mail.eml file.pem
exits 3 "$kind: but not with another content" signet_ verify --cms pem --content alice.pem file.pem

ok "$kind: a request is made" signet_ id request alice@example.org -o alice.csr
ok "$kind: openssl confirms the request" openssl req -in alice.csr -noout -verify -text
says out "email:alice@example.org" "$kind: the request names the address"

stop_daemon # pkcs11-tool alone with the token
objects() {
  SOFTHSM2_CONF=$(find "$embedded" -name '*.conf' | head -n 1) pkcs11-tool \
    --module "$(find /usr/lib -name libsofthsm2.so | head -n 1)" --token-label it -O
}
ok "$kind: pkcs11-tool sees the token" objects
says out "Certificate Object" "$kind: with the certificate on it"
finish
