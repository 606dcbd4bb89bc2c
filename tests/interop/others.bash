#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# GnuPG, NSS and GnuTLS on the other side, with keys of their own and with ours.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/../integration/lib.bash"

soft_token it
new_id alice@example.org rsa:2048 --name Alice >/dev/null
new_id carol@example.org ec:p256 --name Carol >/dev/null
new_id ed@example.org ed25519 --name Ed >/dev/null
for who in alice carol ed; do
  signet_ id cert $who@example.org -o $who.pem
  mail $who@example.org >$who.eml
done

# Bob, who has his key in files, and so in their databases.
make_bob() {
  openssl req -x509 -newkey rsa:2048 -nodes -keyout bob.key -out bob.pem -days 9 -subj "/CN=Bob" \
    -addext subjectAltName=email:bob@example.org -addext keyUsage=critical,digitalSignature,keyEncipherment \
    -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=emailProtection 2>/dev/null
  openssl pkcs12 -export -in bob.pem -inkey bob.key -name bob -passout pass:bob -macalg sha1 \
    -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -out bob.p12
}
gpgsm_takes_bob() { # gpgsm_takes_bob HOME
  mkdir -m 700 "$1" && GNUPGHOME=$1 gpgsm --batch --disable-dirmngr --disable-crl-checks \
    --pinentry-mode loopback --passphrase-fd 8 --import bob.p12 8<<<bob >/dev/null 2>&1
}
# gpgsm 2.2.40 refuses one key in twenty ("decryption failed"), whatever the salt and the
# program that wrote the file: Bob's is one that it takes.
for try in 1 2 3 4 5; do
  make_bob
  if gpgsm_takes_bob "$work/try$try"; then break; fi
  echo "# gpgsm refused key $try"
done
trust bob.pem

gpgsm_() {
  gpgsm --batch --disable-dirmngr --disable-crl-checks --pinentry-mode loopback --passphrase-fd 8 8<<<bob "$@"
}
sha1_of() { openssl x509 -in "$1" -noout -fingerprint -sha1 | sed 's/.*=//; s/$/ S relax/'; }
printf 'allow-loopback-pinentry\n' >"$GNUPGHOME/gpg-agent.conf"
for who in alice carol bob; do
  gpgsm_ --import $who.pem 2>/dev/null
  sha1_of $who.pem >>"$GNUPGHOME/trustlist.txt"
done
mkdir nss && certutil -N -d sql:nss --empty-password
for who in alice carol; do certutil -A -d sql:nss -n $who -t P,P, -i $who.pem; done

# --- signatures ---------------------------------------------------------------------------------

for who in alice carol; do
  ok "$who: a signature with the content in it" with_pin sign --cms der --id $who@example.org -o $who.p7m $who.eml
  ok "$who: gpgsm verifies it" gpgsm_ --verify $who.p7m
  says err "Good signature" "$who: as good"
  ok "$who: NSS verifies it" cmsutil -D -d sql:nss -u 4 -i $who.p7m -o content
  is "$(tr -d '\r' <content)" "$(cat $who.eml)" "$who: and has the text"
  ok "$who: GnuTLS verifies it" certtool --p7-verify --inder --infile $who.p7m --load-ca-certificate $who.pem
  ok "$who: a detached one" signet_ sign --cms der --detached --id $who@example.org -o $who.p7s $who.eml
  ok "$who: gpgsm verifies it" gpgsm_ --verify $who.p7s $who.eml
  exits 2 "$who: but not with another content" gpgsm_ --verify $who.p7s bob.pem
  ok "$who: NSS verifies it" cmsutil -D -d sql:nss -u 4 -c $who.eml -i $who.p7s -o /dev/null
  ok "$who: GnuTLS verifies it" certtool --p7-verify --inder --infile $who.p7s --load-data $who.eml --load-ca-certificate $who.pem
done
ok "PSS: signed" signet_ sign --pss --cms der --id alice@example.org -o pss.p7m alice.eml
ok "PSS: gpgsm verifies it" gpgsm_ --verify pss.p7m
ok "Ed25519: signed" signet_ sign --cms der --id ed@example.org -o ed.p7m ed.eml
ok "Ed25519: GnuTLS verifies it" certtool --p7-verify --inder --infile ed.p7m --load-ca-certificate ed.pem
ok "Ed25519: detached" signet_ sign --cms der --detached --id ed@example.org -o ed.p7s ed.eml
ok "Ed25519: GnuTLS verifies it" certtool --p7-verify --inder --infile ed.p7s --load-data ed.eml --load-ca-certificate ed.pem
exits 1 "Ed25519: but not with another content" certtool --p7-verify --inder --infile ed.p7s --load-data alice.eml --load-ca-certificate ed.pem

ok "gpgsm takes Bob's key" gpgsm_ --import bob.p12
ok "NSS takes Bob's key" pk12util -d sql:nss -i bob.p12 -W bob -K ""
certutil -M -d sql:nss -n bob -t P,P,
ok "gpgsm signs" gpgsm_ --local-user bob@example.org --include-certs 1 --sign -o bob-gpgsm.p7m bob.pem
ok "signet verifies it" signet_ verify --cms der -o content bob-gpgsm.p7m
ok "byte for byte" cmp content bob.pem
ok "NSS signs" cmsutil -S -d sql:nss -N bob -G -H SHA256 -i bob.pem -o bob-nss.p7m
ok "signet verifies it" signet_ verify --cms der -o content bob-nss.p7m
ok "byte for byte" cmp content bob.pem

# --- seals --------------------------------------------------------------------------------------

ok "gpgsm seals to the RSA key" gpgsm_ -r alice@example.org --encrypt -o gpgsm.p7m alice.eml
ok "signet opens it" signet_ decrypt --cms der -o opened gpgsm.p7m
ok "byte for byte" cmp opened alice.eml
# gpgsm 2.2 knows neither ECDH nor GCM: OpenSSL and NSS stand in for it there.
ok "gpgsm seals in armour" gpgsm_ -r alice@example.org --armor --encrypt -o gpgsm.pem alice.eml
ok "signet opens it" signet_ decrypt --cms pem -o opened gpgsm.pem
ok "NSS seals to the RSA key" cmsutil -E -d sql:nss -r alice@example.org -i alice.eml -o nss.p7m
ok "signet opens it" signet_ decrypt --cms der -o opened nss.p7m
ok "byte for byte" cmp opened alice.eml

ok "signet seals to Bob" signet_ encrypt --cms der --no-self --cipher aes-256-cbc --to bob.pem -o bob.p7m alice.eml
ok "gpgsm opens it" gpgsm_ --decrypt -o opened.gpgsm bob.p7m
ok "byte for byte" cmp opened.gpgsm alice.eml
ok "NSS opens it" cmsutil -D -d sql:nss -i bob.p7m -o opened.nss
ok "byte for byte" cmp opened.nss alice.eml
finish
