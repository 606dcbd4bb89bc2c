#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Renewals: by itself and by a CA, with the same key and with a new one that leaves the old one
# for old mail. openssl confirms each request and certificate.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
who=alice@example.org

keys_of() { signet_ --json id show "$1" | grep -o '"key": *"[0-9a-f]*"' | sort -u | wc -l; }
certificates_of() { signet_ --json id show "$1" | grep -o '"fingerprint": *"[0-9a-f]*"' | sort -u | wc -l; }
public_key() { openssl x509 -in "$1" -noout -pubkey; }

soft_token it
with_pin id new $who --name 'Alice Example' --key rsa:2048 --no-backup --self-signed 100 >/dev/null
signet_ id cert $who -o one.pem 2>/dev/null

# --- by itself, with the same key ---
exits 2 "two ways at once" with_pin id renew $who --csr x.csr --self-signed 10
exits 2 "both keys at once" with_pin id renew $who --same-key --new-key
exits 4 "an ID that is not there" with_pin id renew nobody@example.org
exits 0 "one that certified itself does it again" with_pin id renew $who
says err "certifies itself for 100 days" "for as long, and says so before"
says err 'rsa:2048 key on token "it" stays the same' "with its key"
is "$(keys_of $who) $(certificates_of $who)" "1 2" "one key, two certificates"
signet_ id cert $who -o two.pem 2>/dev/null
ok "the newer one is given away" bash -c '! cmp -s one.pem two.pem'
is "$(public_key two.pem)" "$(public_key one.pem)" "it is for the same key"
is "$(openssl x509 -in two.pem -noout -subject)" "$(openssl x509 -in one.pem -noout -subject)" "and the same name"
ok "openssl verifies it" openssl verify -CAfile two.pem two.pem
mail $who >mail.eml
ok "mail for the old one" signet_ encrypt --no-self --to "$PWD/one.pem" -o old.eml mail.eml
exits 0 "is opened" with_pin decrypt -o opened.eml old.eml
ok "whole" cmp <(body mail.eml) <(body opened.eml)

# --- by a CA, with the same key ---
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj '/CN=Mail CA' \
  -days 30 -addext keyUsage=critical,keyCertSign 2>/dev/null
by_ca() { openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -copy_extensions copy -days "$2" -out "$1.pem" 2>/dev/null; }
trust ca.pem
exits 0 "a request for a CA" with_pin id renew $who --csr three.csr --json
is "$(member new_key "$work/out")" false "with the same key"
ok "openssl verifies it" openssl req -in three.csr -verify -noout
is "$(openssl req -in three.csr -noout -pubkey)" "$(public_key one.pem)" "it is of that key"
ok "names the address" bash -c 'openssl req -in three.csr -noout -text | grep -q "email:alice@example.org"'
ok "and the person" bash -c 'openssl req -in three.csr -noout -subject | grep -q "Alice Example"'
by_ca three 60
exits 0 "the CA's certificate goes beside it" with_pin id install three.pem
says out 'the certificate is on token "it"' "and it says where"
exits 2 "what a CA certified is not renewed without one" with_pin id renew $who
says err "signet id renew $who --csr" "but it says how"

# --- with a new key ---
exits 0 "a new key" with_pin id renew $who --new-key --no-backup -o four.csr
says err "a new rsa:2048 key is made; the old one on token \"it\" stays for old mail" "says so before"
is "$(keys_of $who)" 2 "is there beside the old one"
ok "its request verifies" openssl req -in four.csr -verify -noout
ok "and is of another key" test "$(openssl req -in four.csr -noout -pubkey)" != "$(public_key one.pem)"
exits 0 "until the certificate is there the old key signs" with_pin sign -o signed.eml mail.eml
ok "by the old certificate" bash -c 'openssl smime -verify -in signed.eml -noverify -signer signer.pem -out /dev/null 2>/dev/null && cmp <(openssl x509 -in signer.pem) <(openssl x509 -in three.pem)'
exits 0 "again, as if the first time had broken off" with_pin id renew $who --new-key --no-backup -o four.csr
says err "the new key that was made before" "goes on with that key"
is "$(keys_of $who)" 2 "and makes no third"
by_ca four 90
exits 0 "its certificate" with_pin id install four.pem
exits 0 "now the new key signs" with_pin sign -o signed.eml mail.eml
ok "by the new certificate" bash -c 'openssl smime -verify -in signed.eml -noverify -signer signer.pem -out /dev/null 2>/dev/null && cmp <(openssl x509 -in signer.pem) <(openssl x509 -in four.pem)'
exits 0 "and it is good" signet_ verify signed.eml
exits 0 "mail for the old key" with_pin decrypt -o opened.eml old.eml
ok "is still opened" cmp <(body mail.eml) <(body opened.eml)
ok "mail for the ID" signet_ encrypt --no-self --to "$PWD/four.pem" -o new.eml mail.eml
exits 0 "is opened by the new one" with_pin decrypt -o opened.eml new.eml

# --- an ID that certified itself, with a new key; and leftovers when it is removed ---
with_pin id new bob@example.org --key ec:p256 --no-backup --self-signed 50 >/dev/null
exits 0 "by itself with a new key" with_pin id renew bob@example.org --new-key --no-backup --self-signed 70
is "$(keys_of bob@example.org) $(certificates_of bob@example.org)" "2 2" "two keys, two certificates"
signet_ id cert bob@example.org -o bob.pem 2>/dev/null
ok "openssl verifies the new one" openssl verify -CAfile bob.pem bob.pem
exits 8 "the last copies of two keys" with_pin id remove bob@example.org --yes
says err "bob@example.org|ec:p256" "are named"
is "$(keys_of bob@example.org)" 2 "and both are still there"
fingerprint=$(openssl x509 -in bob.pem -outform DER | sha256sum | cut -d' ' -f1)
exits 0 "one certificate can go" with_pin id remove bob@example.org --certificate "$fingerprint" --yes
is "$(keys_of bob@example.org) $(certificates_of bob@example.org)" "2 1" "the key behind it stays"
exits 0 "with --lose-mail all goes" with_pin id remove bob@example.org --yes --lose-mail
exits 4 "and is gone" signet_ id show bob@example.org

with_pin id new carol@example.org --key ed25519 --no-backup --self-signed 50 >/dev/null
exits 0 "a key that only signs" with_pin id renew carol@example.org
with_pin id new dave@example.org --key ec:p256 --no-backup >/dev/null
exits 4 "nothing to renew" with_pin id renew dave@example.org
says err "signet id request dave@example.org" "says what to do"
finish
