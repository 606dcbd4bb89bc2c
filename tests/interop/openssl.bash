#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# OpenSSL alone on the other side: each kind of signature it verifies, each kind of seal it makes.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/../integration/lib.bash"

soft_token it
new_id alice@example.org rsa:2048 --name Alice >/dev/null
new_id carol@example.org ec:p384 --name Carol >/dev/null
for who in alice carol; do
  signet_ id cert $who@example.org -o $who.pem
  mail $who@example.org >$who.eml
done

verify() { # verify CERTIFICATE OPTION…
  local by=$1
  shift
  openssl cms -verify -CAfile "$by" -out content -no-CApath -no-CAstore "$@"
}
text() { openssl cms -cmsout -print -noout "$@" 2>/dev/null; }

for who in alice carol; do
  ok "$who: an opaque mail" with_pin sign --opaque -o opaque.eml $who.eml
  ok "$who: openssl verifies it" verify $who.pem -in opaque.eml
  ok "$who: and has the text" grep -q marzipan content
  ok "$who: a CMS file with its content" signet_ sign --cms der --id $who@example.org -o file.der $who.eml
  ok "$who: openssl verifies it" verify $who.pem -inform DER -in file.der -binary
  ok "$who: byte for byte" cmp content $who.eml
  ok "$who: a detached signature" signet_ sign --cms pem --detached --id $who@example.org -o file.pem $who.eml
  ok "$who: openssl verifies it" verify $who.pem -inform PEM -in file.pem -content $who.eml -binary
  for hash in sha256 sha384 sha512; do
    ok "$who: signed with $hash" signet_ sign --hash $hash -o s.eml $who.eml
    ok "$who: openssl verifies that ($hash)" verify $who.pem -in s.eml
    is "$(text -in s.eml | grep -A 1 digestAlgorithm: | grep -c -i "$hash")" 1 "$who: it is $hash"
    is "$(grep -c "micalg=sha-${hash#sha}" s.eml)" 1 "$who: and the mail says so"
  done
done
for hash in sha256 sha512; do
  ok "PSS with $hash" signet_ sign --pss --hash $hash -o pss.eml alice.eml
  ok "PSS: openssl verifies it ($hash)" verify alice.pem -in pss.eml
  is "$(text -in pss.eml | grep -c rsassaPss)" 1 "PSS: it is PSS ($hash)"
done
ok "a chain with a stranger's root" openssl req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -days 9 -subj /CN=Other
exits 4 "openssl does not verify against it" verify other.pem -in pss.eml

# What openssl signs, signet verifies.
openssl req -x509 -newkey rsa:2048 -nodes -keyout bob.key -out bob.pem -days 9 -subj /CN=Bob \
  -addext subjectAltName=email:bob@example.org -addext keyUsage=digitalSignature,keyEncipherment \
  -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=emailProtection 2>/dev/null
trust bob.pem
mail bob@example.org >bob.eml
openssl_signs() { # openssl_signs OUT OPTION…
  local out=$1
  shift
  (printf 'From: bob@example.org\n' && openssl cms -sign -in bob.eml -signer bob.pem -inkey bob.key "$@") >"$out"
}
for options in "" "-md sha512" "-keyopt rsa_padding_mode:pss" "-nodetach" "-keyid" "-noattr" "-nosmimecap"; do
  # shellcheck disable=SC2086  # words
  ok "openssl signs (${options:-plain})" openssl_signs bob-signed.eml $options
  exits 0 "signet says good (${options:-plain})" signet_ verify bob-signed.eml
done
ok "openssl signs with SHA-1" openssl_signs weak.eml -md sha1
exits 3 "which proves nothing" signet_ --json verify weak.eml
says out '"verdict":"bad"' "so it is bad"
ok "openssl signs without the certificate" openssl_signs bare.eml -nocerts
exits 3 "which cannot be checked" signet_ --json verify bare.eml
says out '"verdict":"unknown"' "so it is unknown"

# What openssl seals, signet opens.
seal() { openssl cms -encrypt -in bob.eml -out sealed.eml "$@"; }
opens() { # opens WHAT SEAL-OPTION…
  local what=$1
  shift
  ok "$what: openssl seals" seal "$@"
  ok "$what: signet opens" with_pin decrypt -o opened.eml sealed.eml
  is "$(body opened.eml)" "$(body bob.eml)" "$what: to what it was"
}
for cipher in aes-128-cbc aes-192-cbc aes-256-cbc des3 aes-128-gcm aes-256-gcm; do
  opens "RSA, $cipher" "-$cipher" alice.pem
  opens "ECDH, $cipher" "-$cipher" carol.pem
done
opens "OAEP" -aes256 -recip alice.pem -keyopt rsa_padding_mode:oaep
opens "OAEP, SHA-256" -aes256 -recip alice.pem -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256
for kdf in sha1 sha256 sha384; do
  opens "ECDH, $kdf" -aes256 -recip carol.pem -keyopt ecdh_kdf_md:$kdf
done
opens "by key id" -aes256 -keyid -recip alice.pem
opens "to several" -aes256 bob.pem carol.pem
ok "to another alone: openssl seals" seal -aes256 bob.pem
exits 1 "signet has no key for it" signet_ decrypt -o nothing.eml sealed.eml
is "$(ls nothing.eml 2>/dev/null)" "" "and writes nothing"

# What signet seals, openssl opens with a key of its own.
for cipher in aes-128-cbc aes-256-cbc aes-256-gcm; do
  ok "signet seals to openssl ($cipher)" signet_ encrypt --no-self --to bob.pem --cipher $cipher -o to-bob.eml bob.eml
  ok "openssl opens it ($cipher)" openssl cms -decrypt -in to-bob.eml -recip bob.pem -inkey bob.key -out plain.eml
  is "$(body plain.eml)" "$(body bob.eml)" "to what it was ($cipher)"
done
finish
