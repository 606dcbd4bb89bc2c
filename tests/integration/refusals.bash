#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# What would destroy something is refused, and then everything is as it was.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
module=$(find /usr/lib -name libsofthsm2.so | head -n 1)
soft_token it
new_id alice@example.org ec:p256 >/dev/null

exits 8 "init of a token in use" with_pins '111111\n22222222' token init --label other it
says err '"it"|it' "names the token"
exits 0 "the token is as it was" signet_ token show it
exits 0 "and so is the ID" signet_ id show alice@example.org

# A token of the person's own that has a PIN but no object.
softhsm2-util --init-token --free --label bare --pin 4321 --so-pin 87654321 >/dev/null
stop_daemon
exits 8 "init of a token that has a PIN" with_pins '111111\n22222222' token init --label other bare
ok "its PIN is still the person's" pkcs11-tool --module "$module" --token-label bare --login --pin 4321 -O

exits 8 "an ID is not removed without a yes" signet_ id remove alice@example.org
exits 8 "the last copy of a decryption key" with_pin id remove alice@example.org --yes
exits 0 "the ID is still there" signet_ id show alice@example.org
mail alice@example.org >mail.eml
exits 0 "and signs" with_pin sign -o signed.eml mail.eml
exits 0 "with --lose-mail it goes" with_pin id remove alice@example.org --yes --lose-mail
exits 4 "and is gone" signet_ sign mail.eml

exits 0 "an ID that only signs" new_id carol@example.org ed25519 --token it
exits 0 "is removed without --lose-mail" with_pin id remove carol@example.org --yes --token it

exits 2 "--soft on a module" with_pins '1111\n22222222' token init --soft --module softhsm --label x
exits 2 "a token without a name" with_pins '1111\n22222222' token init --soft
exits 5 "an empty PIN" with_pins '' token init --soft --label x
exits 4 "no token was made of it" signet_ token show x
exits 2 "--backup comes later" with_pin id new d@example.org --backup file
exits 2 "--place comes later" with_pin id new d@example.org --place 9d
exits 2 "an unknown kind of key" with_pin id new d@example.org --key rsa:1024
exits 4 "none of these made an ID" signet_ id show d@example.org
exits 0 "no SO PIN is shown for a soft token" with_pin token init --soft --label quiet
says_not out "SO PIN" "none"
says_not out "$pin" "nor the PIN"
finish
