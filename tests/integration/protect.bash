#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Header protection (RFC 9788): --protect-headers of sign and encrypt, as others and as we read it; and what
# else is decided when a mail is made: the cipher, OAEP, receipts.
# shellcheck disable=SC2034,SC2054  # lib.bash reads it; a comma is part of the ID
sandbox=(--id alice@example.org,rsa:2048 --contact bob@example.org)
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
bob=$contacts/bob@example.org.pem bob_key=$contacts/bob@example.org.key

mail_with_more() {
  printf 'From: Alice <alice@example.org>\nTo: bob@example.org\nBcc: carol@example.org\n'
  printf 'Subject: The merger\n in May\nDate: Mon, 23 Nov 2026 10:00:00 +0000\n'
  printf 'Keywords: money\nMessage-ID: <1@example.org>\nMIME-Version: 1.0\n'
  printf 'Content-Type: text/plain; charset=us-ascii\n\nThe word is marzipan.\n'
}
mail_with_more >mail.eml
outside() { tr -d '\r' <"$1" | sed '/^$/q'; }
inside() { # inside FILE: the headers of the first part, or of an entity's own
  tr -d '\r' <"$1" | sed -n '1,/^$/p'
}

# --- signed -------------------------------------------------------------------------------------

ok "signed with its headers" signet_ sign --protect-headers -o signed.eml mail.eml
verified() { openssl cms -verify -in signed.eml -out content.txt -noverify; }
ok "openssl verifies it" verified
is "$(outside signed.eml | grep -c -x -e 'Subject: The merger')" 1 "the Subject stays outside"
is "$(inside content.txt | grep -c -x -e 'Subject: The merger')" 1 "and is signed inside"
is "$(inside content.txt | grep -c 'hp="clear"')" 1 "which the content's type says"
is "$(inside content.txt | grep -c -i -e '^Bcc' -e '^HP-Outer')" 0 "Bcc is not inside"
ok "signet verifies it, too" signet_ --json verify signed.eml
says out '"name":"Subject","inside":"The merger in May","outside":"The merger in May","expected":true' \
  "and shows what is protected"
sed '0,/^Subject: The merger/s//Subject: The murder/' signed.eml >changed.eml
ok "the Subject outside was changed" signet_ --json verify changed.eml
says out '"name":"Subject","inside":"The merger in May","outside":"The murder in May","expected":false' \
  "which shows"

ok "opaque" signet_ sign --protect-headers --opaque -o opaque.eml mail.eml
opaque() { openssl cms -verify -in opaque.eml -out content.txt -noverify; }
ok "openssl verifies that" opaque
is "$(inside content.txt | grep -c -x -e 'Subject: The merger')" 1 "with its Subject inside"

# --- sealed -------------------------------------------------------------------------------------

open_as_bob() { openssl cms -decrypt -in "$1" -inkey "$bob_key" -out "$2"; }
ok "sealed with its headers" signet_ encrypt --protect-headers --to "$bob" -o sealed.eml mail.eml
is "$(outside sealed.eml | grep -c -x -F 'Subject: [...]')" 1 "outside the Subject is hidden"
is "$(grep -c -i -e merger -e May -e money sealed.eml)" 0 "nothing of it or of Keywords shows"
ok "openssl opens it" open_as_bob sealed.eml opened.txt
is "$(inside opened.txt | grep -A1 -x 'Subject: The merger' | tail -n 1)" " in May" "the Subject is inside"
is "$(inside opened.txt | grep -c 'hp="cipher"')" 1 "as the type says"
is "$(inside opened.txt | grep -c -x -F 'HP-Outer: Subject: [...]')" 1 "and what stands outside"
is "$(inside opened.txt | grep -c -x -e 'Keywords: money' -e 'HP-Outer: Keywords.*')" 1 "Keywords inside only"
ok "signet opens it" signet_ decrypt -o opened.eml sealed.eml
is "$(outside opened.eml | grep -c -x 'Subject: The merger')" 1 "with the Subject in its place"
exits 0 "with what was said of it" signet_ --json decrypt -o opened.eml sealed.eml
says out '"name":"Subject","inside":"The merger in May","outside":"\[\.\.\.\]","expected":true' \
  "that it stands otherwise outside was meant"

ok "signed and sealed with its headers" signet_ encrypt --sign --protect-headers --to "$bob" -o both.eml mail.eml
ok "openssl opens that" open_as_bob both.eml both.txt
is "$(grep -c -i -e '^Subject: The merger' both.eml)" 0 "the Subject does not show"
both() { openssl cms -verify -in both.txt -out content.txt -noverify; }
ok "openssl verifies what was inside" both
is "$(inside content.txt | grep -c -x -e 'Subject: The merger')" 1 "the Subject is signed"
is "$(inside content.txt | grep -c 'hp="cipher"')" 1 "as part of what is sealed"
ok "signet opens and verifies it" signet_ decrypt --require-signed -o opened.eml both.eml

# Another From outside: the protected one comes in its place only where a good signature is its own.
for sealed in sealed both; do
  sed '0,/^From: .*/s//From: mallory@example.org/' "$sealed.eml" >"$sealed-other.eml"
  exits 0 "$sealed, another From outside" signet_ decrypt -o opened.eml "$sealed-other.eml"
  says err "mallory@example.org" "which is said"
  outside opened.eml | sed -n 's/^From: //p' >"$sealed.from"
done
is "$(cat sealed.from)" "mallory@example.org" "not signed: it stays outside"
is "$(cat both.from)" "Alice <alice@example.org>" "signed by Alice: hers is taken"

# To all in clear: then nothing is hidden.
exits 0 "sent in clear, signed" signet_ encrypt --sign --protect-headers --if-missing clear --to "$bob" \
  --to dora@example.org -o clear.eml mail.eml
is "$(outside clear.eml | grep -c -x 'Subject: The merger')" 1 "the Subject is not hidden then"

# --- refused ------------------------------------------------------------------------------------

exits 2 "no headers in a file" signet_ sign --protect-headers --cms der -o x mail.eml
exits 2 "nor in one that is sealed" signet_ encrypt --protect-headers --to "$bob" --cms der -o x mail.eml
exits 1 "not twice" signet_ sign --protect-headers -o x content.txt
says err "protected" "and the reason is given"

# --- the cipher ---------------------------------------------------------------------------------

chosen() { # chosen OPTION…: cipher and reason
  signet_ --json encrypt -o cipher.eml "$@" mail.eml >out 2>&1
  echo "$(member cipher out) $(member cipher_reason out)"
}
is "$(chosen --to "$bob")" "aes-256-cbc default" "of whom nothing is known gets AES-256-CBC"
is "$(chosen --to "$bob" --cipher aes-128-gcm)" "aes-128-gcm option" "--cipher decides"
is "$(chosen --to alice@example.org)" "aes-256-cbc default" "alone with oneself: the default"
mkdir -p "$XDG_CONFIG_HOME/signet"
printf '[mail]\ncipher=aes-192-cbc\n' >>"$XDG_CONFIG_HOME/signet/signet.conf"
is "$(chosen --to "$bob")" "aes-192-cbc setting" "the setting decides"
sed -i '/^cipher=/d' "$XDG_CONFIG_HOME/signet/signet.conf"
mkdir -p "$XDG_STATE_HOME/signet"
seen() { # seen CIPHERS: what bob's program said that it reads
  printf '%s %s %s\n' "$(openssl x509 -in "$bob" -outform DER | sha256sum | cut -d' ' -f1)" \
    "$(date +%s)" "$1" >"$XDG_STATE_HOME/signet/seen-ciphers"
}
seen aes-256-gcm,aes-256-cbc,aes-128-cbc
is "$(chosen --to "$bob")" "aes-256-gcm capabilities" "who is known to read it gets AES-256-GCM"
seen aes-128-cbc
is "$(chosen --to "$bob")" "aes-128-cbc capabilities" "who reads AES-128 only gets that"

# --- OAEP ---------------------------------------------------------------------------------------

ok "sealed with OAEP" signet_ encrypt --oaep --to "$bob" --cipher aes-256-cbc -o oaep.eml mail.eml
ok "openssl opens that" open_as_bob oaep.eml opened.txt
openssl cms -cmsout -print -in oaep.eml 2>/dev/null | grep -c rsaesOaep >out
is "$(($(cat out) > 0))" 1 "it is OAEP"

# --- receipts -----------------------------------------------------------------------------------

exits 0 "a receipt is asked for" signet_ --json sign --request-receipt -o asked.eml mail.eml
says out '"receipts_to": *\["alice@example.org"\]' "to the sender"
is "$(openssl cms -cmsout -print -in asked.eml 2>/dev/null | grep -c 'id-smime-aa-receiptRequest')" 1 "signed"
exits 0 "for others" signet_ --json sign --request-receipt=x@example.org,y@example.org -o asked.eml mail.eml
exits 2 "no address" signet_ sign --request-receipt=nobody -o x mail.eml

finish
