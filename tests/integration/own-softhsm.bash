#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# A person's own SoftHSM beside the embedded one: two configurations of one module, two hosts.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
module=$(find /usr/lib -name libsofthsm2.so | head -n 1)

softhsm2-util --init-token --free --label mine --pin 4321 --so-pin 87654321 >/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj "/CN=Carol" \
  -addext subjectAltName=email:carol@example.org -addext keyUsage=digitalSignature,keyEncipherment \
  -addext extendedKeyUsage=emailProtection 2>/dev/null
openssl pkcs8 -topk8 -nocrypt -in key.pem -out key8.pem
openssl x509 -in cert.pem -outform DER -out cert.der
softhsm2-util --import key8.pem --token mine --label carol --id a1 --pin 4321 >/dev/null
pkcs11-tool --module "$module" --token-label mine --login --pin 4321 -y cert -w cert.der --label carol --id a1 \
  -a carol >/dev/null 2>&1

soft_token it
new_id alice@example.org ec:p256 --token it >/dev/null
ok "both tokens are listed" signet_ --json token list
is "$(grep -o '"label":"\(it\|mine\)"' "$work/out" | sort -u | wc -l)" 2 "the embedded one and the person's own"
(($(our_processes signet-token | wc -l) >= 2))
result $? "each in a host of its own"
exits 0 "the ID on the person's own token is found" signet_ id show carol@example.org
mail carol@example.org >mail.eml
exits 5 "its PIN is its own" with_pins "$pin" sign -o signed.eml mail.eml
exits 0 "which signs" with_pins 4321 sign -o signed.eml mail.eml
ok "openssl confirms that" openssl cms -verify -in signed.eml -CAfile cert.pem -out /dev/null
openssl cms -encrypt -in mail.eml -aes-256-cbc -out sealed.eml cert.pem
exits 0 "and opens" with_pins 4321 decrypt -o opened.eml sealed.eml
mail alice@example.org >alice.eml
exits 0 "the embedded one still signs" with_pin sign -o a.eml alice.eml
exits 8 "init does not touch the person's own token" with_pins '1111\n22222222' token init --label x mine
exits 0 "a second soft token" soft_token second
is "$(softhsm2-util --show-slots | grep -c 'Label: *mine')" 1 "the person's own configuration has its one token"
is "$(softhsm2-util --show-slots | grep -c 'Label: *\(it\|second\) *$')" 0 "and none of ours"
stop_daemon
blank=$(pkcs11-tool --module "$module" -L 2>/dev/null | awk '/^Slot/ { n++ } /uninitialized/ { print n - 1 }' | head -n 1)
pkcs11-tool --module "$module" --init-token --slot-index "${blank:-1}" --label nopin --so-pin 87654321 >/dev/null 2>&1
exits 5 "a token without a PIN" with_pins 4321 --json token unlock nopin
says out '"PinNotSet"' "is said to have none"
exits 0 "all is found again by another daemon" signet_ --json id list
is "$(grep -o '"id":"[^"]*"' "$work/out" | sort -u | wc -l)" 2 "both IDs"

# pkcs11 engine and PEM of the other way round: what signet seals, another program opens with the same token.
signet_ id cert carol@example.org -o carol.pem
ok "signet seals to it" signet_ encrypt --no-self --to carol.pem -o from-signet.eml mail.eml
stop_daemon
engine_opens() {
  PKCS11_MODULE_PATH=$module openssl cms -decrypt -in from-signet.eml -out engine.out -recip cert.pem \
    -engine pkcs11 -keyform engine -inkey "pkcs11:token=mine;object=carol;type=private;pin-value=4321" &&
    grep -q marzipan engine.out
}
if openssl engine pkcs11 >/dev/null 2>&1; then
  ok "openssl with the pkcs11 engine opens it with the same token" engine_opens
else
  skip "openssl with the pkcs11 engine opens it" "libengine-pkcs11-openssl is not installed"
fi
finish
