#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Layers in each other (RFC 2634 1.1, triple wrapping): made by openssl one by one and opened by one `signet
# decrypt`; made by signet and opened by openssl one by one.
sandbox=(--id "alice@example.org,rsa:2048" --id "carol@example.org,ec:p384" --contact bob@example.org)
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/../integration/lib.bash"
bob=$contacts/bob@example.org
for who in alice carol; do signet_ id cert $who@example.org -o $who.pem; done
mail bob@example.org >mail.eml
entity() { sed -n '/^\(content-type\|mime-version\):/I,$p' "$1"; }

# --- by openssl -----------------------------------------------------------------------------------

# layer KIND IN OUT: one layer more; the other headers stay outside
layer() {
  case $1 in
  sign) openssl cms -sign -in "$2" -signer "$bob.pem" -inkey "$bob.key" -out "$3" ;;
  opaque) openssl cms -sign -nodetach -in "$2" -signer "$bob.pem" -inkey "$bob.key" -out "$3" ;;
  stranger) openssl cms -sign -in "$2" -signer stranger.pem -inkey stranger.key -out "$3" ;;
  cbc) openssl cms -encrypt -aes-256-cbc -in "$2" -out "$3" alice.pem ;;
  gcm) openssl cms -encrypt -aes-128-gcm -in "$2" -out "$3" alice.pem ;;
  ecdh) openssl cms -encrypt -aes-256-cbc -in "$2" -out "$3" carol.pem ;;
  oaep) openssl cms -encrypt -aes-256-cbc -in "$2" -out "$3" -recip alice.pem -keyopt rsa_padding_mode:oaep ;;
  esac
}
layers() { # layers KIND…: from the innermost out; outer.eml
  local kind
  entity mail.eml >inner
  for kind; do layer "$kind" inner outer && mv outer inner; done
  { printf 'From: bob@example.org\nTo: alice@example.org\nSubject: Lunch\n' && cat inner; } >outer.eml
}
openssl req -x509 -newkey rsa:2048 -nodes -keyout stranger.key -out stranger.pem -days 9 -subj /CN=Stranger \
  -addext basicConstraints=CA:FALSE -addext subjectAltName=email:bob@example.org 2>/dev/null
opens() { # opens VERDICT KIND…
  local verdict=$1
  shift
  layers "$@"
  rm -f opened.eml
  exits 0 "$*: opens" signet_ --json decrypt -o opened.eml outer.eml
  is "$(member verdict "$work/err")$(member verdict "$work/out")" "$verdict" "$*: $verdict"
  is "$(grep -c marzipan opened.eml)" 1 "$*: the text is there"
  is "$(grep -c '^Subject: Lunch' opened.eml)" 1 "$*: and the subject"
}
opens unsigned cbc
opens good sign cbc
opens good opaque cbc
opens good cbc sign gcm
opens good gcm sign cbc
opens good ecdh sign oaep
opens good sign gcm sign
opens good sign cbc opaque
opens good opaque cbc opaque gcm
opens good sign oaep sign ecdh sign
opens unsigned cbc gcm ecdh
opens untrusted stranger cbc
opens untrusted gcm stranger cbc
# The innermost signature is the text's; one around it counts for itself.
opens good sign cbc stranger gcm
is "$(grep -h -o '"verdict": *"[a-z]*"' "$work/err" "$work/out" | grep -c untrusted)" 2 "and the stranger's around it is told apart"
signet_ decrypt -o opened.eml outer.eml 2>"$work/err"
says err "^ *Around it +.*not trusted" "to a person, too"
opens untrusted stranger cbc sign gcm
layers cbc sign gcm
exits 0 "--require-signed: good in the middle" signet_ decrypt --require-signed -o opened.eml outer.eml
layers stranger cbc sign gcm
rm -f opened.eml
exits 3 "--require-signed: the text's is untrusted" signet_ decrypt --require-signed -o opened.eml outer.eml
is "$(ls opened.eml 2>/dev/null)" "" "and nothing is written"
layers sign gcm
sed 's/^MI/NI/' outer.eml >broken.eml
exits 1 "a broken outer layer" signet_ decrypt -o opened.eml broken.eml
layers sign
sed 's/lunch/dinner/' outer.eml | entity /dev/stdin >inner
openssl cms -encrypt -aes-256-cbc -in inner -out outer alice.pem
{ printf 'From: bob@example.org\n' && cat outer; } >outer.eml
exits 0 "a bad signature in the middle" signet_ --json decrypt -o opened.eml outer.eml
is "$(member verdict "$work/err")$(member verdict "$work/out")" bad "is bad, and the mail is there"

# --- by signet ----------------------------------------------------------------------------------

take_off() { # take_off KIND IN OUT: one layer less, by openssl
  case $1 in
  signed) openssl cms -verify -in "$2" -CAfile "$SIGNET_SANDBOX_CA" -out "$3" ;;
  sealed) openssl cms -decrypt -in "$2" -recip "$bob.pem" -inkey "$bob.key" -out "$3" ;;
  esac
}
apart() { # apart IN KIND…: from the outermost in; `text`
  local in=$1 kind n=0
  shift
  cp "$in" apart.0
  for kind; do
    take_off "$kind" "apart.$n" "apart.$((n + 1))" || return 1
    n=$((n + 1))
  done
  tr -d '\r' <"apart.$n" | grep -q marzipan
}
mail alice@example.org >ours.eml
ok "signed" signet_ sign -o one.eml ours.eml
ok "by openssl" apart one.eml signed
ok "signed and sealed at once" signet_ encrypt --no-self --sign --to "$bob.pem" -o two.eml ours.eml
ok "by openssl" apart two.eml sealed signed
ok "the signed one sealed" signet_ encrypt --no-self --to "$bob.pem" --cipher aes-256-gcm -o two.eml one.eml
ok "by openssl" apart two.eml sealed signed
ok "that signed again" signet_ sign -o three.eml two.eml
ok "by openssl" apart three.eml signed sealed signed
ok "opaquely" signet_ sign --opaque -o three.eml two.eml
ok "by openssl" apart three.eml signed sealed signed
ok "and sealed again" signet_ encrypt --no-self --to "$bob.pem" --cipher aes-128-cbc -o four.eml three.eml
ok "by openssl" apart four.eml sealed signed sealed signed
ok "the same to ourselves" signet_ encrypt --to carol@example.org --sign -o self.eml ours.eml
ok "signed" signet_ sign -o self2.eml self.eml
ok "sealed" signet_ encrypt --to carol@example.org -o self3.eml self2.eml
exits 0 "is opened by one signet decrypt" signet_ --json decrypt -o opened.eml self3.eml
is "$(member verdict "$work/err")$(member verdict "$work/out")" good "good"
is "$(grep -c marzipan opened.eml)" 1 "with its text"
finish
