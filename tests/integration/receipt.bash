#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Signed receipts: asked for, made and checked; with openssl at either end.
# shellcheck disable=SC2034  # lib.bash reads it
sandbox=(--id alice@example.org --id bob@example.org --contact carol@example.org)
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
carol=$contacts/carol@example.org
ca=$SIGNET_SANDBOX_DIR/ca.pem
text() { # text FROM TO
  printf 'From: %s\nTo: %s\nSubject: Cake\nContent-Type: text/plain\n\nThe marzipan is here.\n' "$1" "$2"
}
text alice@example.org bob@example.org >mail.eml
text carol@example.org alice@example.org >carol.eml

# --- between two of ours ---

ok "a mail asks for a receipt" signet sign --request-receipt -o asks.eml mail.eml
exits 0 "which is a good one" signet verify asks.eml
says out "Receipt +asked for, to alice@example.org" "and says what it asks for"
exits 0 "in JSON, too" signet --json verify asks.eml
says out '"receipt_to": *\["alice@example.org"\]' "where it is to go"
ok "Bob answers it" signet receipt make --id bob@example.org -o receipt.eml asks.eml
ok "with a mail to Alice" grep -q '^To: alice@example.org' receipt.eml
ok "from Bob" grep -q '^From: bob@example.org' receipt.eml
ok "of the kind that RFC 2634 has" grep -q 'smime-type=signed-receipt' receipt.eml
exits 0 "it is for that mail" signet receipt check receipt.eml --for asks.eml
says out "for this message" "and says so"
exits 0 "in JSON, too" signet --json receipt check receipt.eml --for asks.eml
says out '"fits": *true' "it fits"
ok "another mail asks" signet sign --request-receipt -o other.eml mail.eml
exits 3 "the receipt is not for that one" signet receipt check receipt.eml --for other.eml
says out "not for this message: it names another message" "and says so"
ok "a sealed mail asks" signet encrypt --sign --request-receipt=archive@example.org --to bob@example.org -o sealed.eml mail.eml
ok "and is answered as whom it was sealed to" signet receipt make -o answer.eml sealed.eml
ok "to whom it names" grep -q '^To: archive@example.org' answer.eml
exits 0 "which is for it" signet receipt check answer.eml --for sealed.eml

# --- what is not answered ---

ok "a mail asks for nothing" signet sign -o plain.eml mail.eml
exits 1 "and gets nothing" signet receipt make --id bob@example.org -o none.eml plain.eml
says err "asks for no receipt" "as it says"
sed 's/marzipan/nougat/' asks.eml >changed.eml
exits 3 "a changed mail gets none" signet receipt make --id bob@example.org -o none.eml changed.eml
says err "no receipt was made" "as it says"
exits 3 "one that is not signed neither" signet receipt make -o none.eml mail.eml
ok "nothing was written" test ! -e none.eml
exits 1 "a mail is no receipt" signet receipt check plain.eml --for asks.eml
says err "no signed receipt" "as it says"
exits 2 "a receipt is for a mail" signet receipt check receipt.eml
exits 1 "for one that asked" signet receipt check receipt.eml --for plain.eml
head -c -60 receipt.eml >cut.eml
exits 1 "half a receipt is none" signet receipt check cut.eml --for asks.eml

# --- openssl at the other end ---

openssl cms -sign -in carol.eml -signer "$carol.pem" -inkey "$carol.key" -receipt_request_all \
  -receipt_request_to carol@example.org -from carol@example.org -to alice@example.org -subject Cake \
  -out theirs.eml 2>/dev/null
ok "Carol's openssl asks, we answer" signet receipt make --id alice@example.org -o ours.eml theirs.eml
ok "and hers confirms it" openssl cms -verify_receipt ours.eml -in theirs.eml -CAfile "$ca"
openssl cms -sign -in carol.eml -signer "$carol.pem" -inkey "$carol.key" -receipt_request_from bob@example.org \
  -receipt_request_to carol@example.org -from carol@example.org -out list.eml 2>/dev/null
exits 8 "she asks Bob, not Alice" signet receipt make --id alice@example.org -o none.eml list.eml
ok "so Bob answers without being told to" signet receipt make -o bobs.eml list.eml
ok "and hers confirms that" openssl cms -verify_receipt bobs.eml -in list.eml -CAfile "$ca"
openssl cms -sign_receipt -in asks.eml -signer "$carol.pem" -inkey "$carol.key" -from carol@example.org \
  -out hers.eml 2>/dev/null
exits 0 "we ask, Carol's openssl answers" signet receipt check hers.eml --for asks.eml
says out "for this message" "for that mail"

# --- files ---

ok "a file asks" signet sign --cms der --id alice@example.org --request-receipt -o file.der mail.eml
ok "and is answered" signet receipt make --cms der --id bob@example.org -o receipt.der file.der
exits 0 "which is for it" signet receipt check --cms der receipt.der --for file.der
ok "openssl confirms that" openssl cms -verify_receipt receipt.der -rctform DER -in file.der -inform DER -CAfile "$ca"
finish
