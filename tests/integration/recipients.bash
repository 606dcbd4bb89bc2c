#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# To whom: certificate files, own IDs, and those who cannot receive; nothing half sealed.
sandbox=(--id "alice@example.org,rsa:2048" --id "sig@example.org,ed25519"
  --contact "bob@example.org,rsa:2048" --contact "late@example.org,expired")
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
cp "$contacts"/bob@example.org.pem bob.pem
cp "$contacts"/bob@example.org.key bob.key
cp "$contacts"/late@example.org.pem late.pem
signet_ id cert alice@example.org -o alice.pem
signet_ id cert sig@example.org -o sig.pem
mail alice@example.org >mail.eml

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout signer.key -out signer.pem -days 30 \
  -subj /CN=signer -addext subjectAltName=email:signer@example.org -addext keyUsage=digitalSignature 2>/dev/null

recipients() { openssl cms -cmsout -in "$1" -print 2>/dev/null | grep -c -E 'd.ktri|d.kari'; }

exits 0 "to a file and to oneself" signet_ encrypt --to bob.pem -o two.eml mail.eml
is "$(recipients two.eml)" 2 "two recipients"
ok "the other person opens it" openssl cms -decrypt -in two.eml -recip bob.pem -inkey bob.key -out bob.out
exits 0 "and so does the sender" signet_ decrypt -o own.out two.eml
exits 0 "--no-self" signet_ encrypt --no-self --to bob.pem -o one.eml mail.eml
is "$(recipients one.eml)" 1 "one recipient"
exits 1 "which the sender cannot open" signet_ decrypt -o x one.eml
exits 0 "one's own certificate twice" signet_ encrypt --to alice.pem --to alice@example.org -o once.eml mail.eml
is "$(recipients once.eml)" 1 "counts once"
exits 0 "to a file of several, its newest that can receive" bash -c 'cat signer.pem bob.pem >both.pem
  signet --no-input encrypt --no-self --to both.pem -o both.eml mail.eml'
ok "is the right one" openssl cms -decrypt -in both.eml -recip bob.pem -inkey bob.key -out bob.out

for reason in "late.pem:expired" "signer.pem:not for encryption" "sig.pem:sign" "nobody@example.org:no certificate known"; do
  who=${reason%%:*}
  exits 7 "$who cannot receive" signet_ encrypt --to bob.pem --to "$who" -o bad.eml mail.eml
  says err "$who: .*${reason#*:}" "and the reason is said"
done
is "$(ls bad.eml 2>/dev/null)" "" "nothing was written"
exits 1 "a path that is not there is a mistake in typing" signet_ encrypt --to ./bbo.pem mail.eml

exits 7 "--if-missing refuse" signet_ encrypt --if-missing refuse --to nobody@example.org mail.eml
exits 7 "--if-missing ask, and nobody to ask" signet_ encrypt --if-missing ask --to nobody@example.org mail.eml
exits 0 "--if-missing clear" signet_ encrypt --if-missing clear --to nobody@example.org --to bob.pem -o clear.eml mail.eml
says err "NOT encrypted" "is said"
ok "and it is the mail as it was" cmp clear.eml mail.eml
exits 0 "with --json" signet_ --json encrypt --if-missing clear --to nobody@example.org -o clear.eml mail.eml
says out '"encrypted":false' "it says so"
exits 0 "--if-missing clear --sign" signet_ encrypt --if-missing clear --sign --to nobody@example.org -o clear.eml mail.eml
ok "is signed at least" grep -q multipart/signed clear.eml

mail sig@example.org >sig.eml
exits 0 "an own ID that only signs is skipped" signet_ encrypt --to bob.pem -o s.eml sig.eml
says err "sig@example.org" "and that is said"
is "$(recipients s.eml)" 1 "one recipient"
mail stranger@example.org >stranger.eml
exits 0 "a sender without an ID" signet_ encrypt --to bob.pem -o s.eml stranger.eml
says err "not be able to open" "is told"
exits 4 "an --id that is none" signet_ encrypt --id stranger@example.org --to bob.pem -o s2.eml mail.eml
exits 4 "--sign, and the sender has no ID" signet_ encrypt --sign --to bob.pem -o s2.eml stranger.eml
is "$(ls s2.eml 2>/dev/null)" "" "nothing is written"
exits 2 "no --to" signet_ encrypt mail.eml
exits 2 "a cipher that is none" signet_ encrypt --cipher rot13 --to bob.pem mail.eml

mkdir -p "$XDG_CONFIG_HOME/signet"
printf '[mail]\ncipher=aes-128-gcm\n' >"$XDG_CONFIG_HOME/signet/signet.conf"
exits 0 "the cipher of the settings" signet_ encrypt --to bob.pem -o gcm.eml mail.eml
ok "is used" grep -q -i authEnveloped gcm.eml
finish
