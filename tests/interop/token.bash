#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2001,SC2016,SC2317  # programs in quotes; functions called by name
#
# The soft token as other PKCS#11 programs see it: the same keys, by the same ids and labels,
# and usable with nothing of ours running.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/../integration/lib.bash"

module=$(find /usr/lib -name libsofthsm2.so | head -n 1)
engine=$(find /usr/lib -path '*engines-3/pkcs11.so' | head -n 1)
soft_token it
new_id alice@example.org rsa:2048 --name Alice >/dev/null
new_id carol@example.org ec:p256 --name Carol >/dev/null
signet_ id cert alice@example.org -o alice.pem
signet_ id cert carol@example.org -o carol.pem
mail alice@example.org >alice.eml
ok "sealed to the RSA key" with_pin encrypt --cms der --cipher aes-256-cbc --to alice.pem --no-self -o sealed.der alice.eml
ok "no file of the token is open to others" bash -c '[[ -z $(find "$0" -perm /077 -print -quit) ]]' "$embedded"
is "$(grep -r -l -a "$pin" "$HOME" | wc -l)" 0 "the PIN is in no file"

# As another program would find it: the configuration is all it needs.
SOFTHSM2_CONF=$(find "$embedded" -name '*.conf' | head -n 1)
tool() { pkcs11-tool --module "$module" --token-label it "$@"; }
# The daemon may go on meanwhile: two programs share a SoftHSM token.
ok "pkcs11-tool lists it without a PIN" tool -O
cp out objects
is "$(grep -c '^Certificate Object' objects)" 2 "two certificates"
is "$(grep -c '^Public Key Object' objects)" 2 "two public keys"
is "$(grep -c '^Private Key Object' objects)" 0 "and no private one without a PIN"
ok "pkcs11-tool lists it with the PIN" tool -O --login --pin "$pin"
cp out objects
is "$(grep -c '^Private Key Object' objects)" 2 "two private keys"
is "$(awk '$1 == "ID:" { n[$2]++ } END { for (i in n) print n[i] }' objects | sort -u)" 3 \
  "a certificate, a public and a private key under each id"
is "$(awk '$1 == "label:" { $1 = ""; print }' objects | sort | uniq -c | awk '{ print $1 }' | sort -u)" 3 \
  "and one label for the three"
says out "label: *(alice@example.org|Alice)" "which tells a person whose it is"
says out "Access: .*sensitive, always sensitive, .*local" "the private key came into being there"
known=$(signet_ --json id list | grep -o '"label":"[^"]*"' | sort -u)
awk '/^Private Key/ { p = 1 } p && $1 == "label:" { print $2; p = 0 }' objects >private
while read -r who; do
  is "$(grep -c "\"$who" <<<"$known")" 1 "signet calls it by the same label ($who)"
done <private
id_of() { # id_of CERTIFICATE: the CKA_ID under which the token holds it
  local id
  while read -r id; do
    tool --read-object --type cert --id "$id" -o read.der 2>/dev/null
    if [[ $(openssl x509 -in read.der -outform PEM) = "$(openssl x509 -in "$1")" ]]; then echo "$id"; fi
  done < <(awk '$1 == "ID:" { print $2 }' objects | sort -u)
}
alice_id=$(id_of alice.pem)
is "$(id_of alice.pem carol.pem | wc -w)" 1 "the certificate is on the token, once"

printf 'the digest of something, 32 long' >digest
ok "pkcs11-tool signs with the RSA key" tool --login --pin "$pin" --sign -m SHA256-RSA-PKCS --id "$alice_id" -i alice.eml -o s.bin
ok "openssl confirms it by the certificate" \
  bash -c 'openssl x509 -in alice.pem -noout -pubkey >a.pub; openssl dgst -sha256 -verify a.pub -signature s.bin alice.eml'
ok "pkcs11-tool signs with the EC key" tool --login --pin "$pin" --sign -m ECDSA --signature-format openssl \
  --id "$(id_of carol.pem)" -i digest -o s.bin
ok "openssl confirms it by the certificate" \
  bash -c 'openssl x509 -in carol.pem -noout -pubkey >c.pub; openssl pkeyutl -verify -pubin -inkey c.pub -in digest -sigfile s.bin'

if [[ -n $engine ]]; then
  by_engine() { openssl cms -engine pkcs11 -keyform engine "$@"; }
  printf 'openssl_conf = all\n[all]\nengines = engines\n[engines]\npkcs11 = one\n[one]\nengine_id = pkcs11\n' >engine.cnf
  printf 'dynamic_path = %s\nMODULE_PATH = %s\nPIN = %s\ninit = 0\n' "$engine" "$module" "$pin" >>engine.cnf
  export OPENSSL_CONF=$work/engine.cnf
  key="pkcs11:token=it;id=%${alice_id:0:2}$(sed 's/../%&/g' <<<"${alice_id:2}");type=private"
  ok "openssl's pkcs11 engine opens what signet sealed" \
    by_engine -decrypt -inform DER -in sealed.der -recip alice.pem -inkey "$key" -out opened
  ok "byte for byte" cmp opened alice.eml
  ok "and signs with the key" by_engine -sign -in alice.eml -signer alice.pem -inkey "$key" -out by-engine.eml
  unset OPENSSL_CONF
  trust alice.pem
  ok "which signet verifies" bash -c '(echo "From: alice@example.org"; cat by-engine.eml) | signet --no-input verify'
else
  skip "openssl's pkcs11 engine" "libengine-pkcs11-openssl is not installed"
fi
ok "meanwhile signet signs on" signet_ sign -o signed.eml alice.eml
finish
