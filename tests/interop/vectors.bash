#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Messages made by others long ago (tests/data/cms/README.md), through the programs; what is to come out is
# confirmed by openssl.
sandbox=(--id "alice@example.org,ec:p256")
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/../integration/lib.bash"
data=$source_folder/tests/data/cms
rfc=$data/rfc4134 nss=$data/nss-interop

import() { timeout -k 5 60 signet --no-input import "$@" --passphrase-fd 8 8<<<nss; }
legacy() { openssl pkcs12 -in "$1" -passin pass:nss -nodes -legacy -out "$2"; }

# --- NSS's messages to Fran -----------------------------------------------------------------------

ok "Fran's RSA key is imported" import "$nss/Fran.p12"
ok "and the one on a curve" import "$nss/Fran-ec.p12"
legacy "$nss/Fran.p12" fran.pem
legacy "$nss/Fran-ec.p12" fran-ec.pem
for file in "$nss"/*.env; do
  name=$(basename "$file" .env) key=fran.pem
  if [[ $name = fran-ec* ]]; then key=fran-ec.pem; fi
  ok "$name: openssl opens it" openssl cms -decrypt -inform DER -in "$file" -inkey $key -recip $key -out theirs
  ok "$name: signet opens it" signet_ decrypt --cms der -o ours "$file"
  ok "$name: to the same" cmp ours theirs
  exits 0 "$name: info" signet_ --json info "$file"
  says out '"type": *"EnvelopedData"' "$name: is enveloped"
done

# --- RFC 4134 ---------------------------------------------------------------------------------------

info() { # info FILE REGEX…: what it says in JSON
  local file=$1 one
  shift
  exits 0 "$file: info" signet_ --json info "$rfc/$file"
  for one; do says out "$one" "$file: $one"; done
}
never_good() { # never_good FILE OPTION…: old hashes and keys: read, and of no worth
  local file=$1
  exits 3 "$file: verify" signet_ --json verify "${@:2}" "$rfc/$file"
  says_not out '"verdict": *"good"' "$file: is not good ($(member verdict "$work/out"): $(member message "$work/out" | cut -c 1-60))"
  says out 'SHA-1|sha1|too short|broken|DSA|dsa|1\.2\.840\.10040' "$file: because it is old"
}
openssl_says() { openssl cms -verify -inform DER -in "$rfc/$1" -CAfile carl.pem -no_check_time -purpose any -auth_level 0 -out content "${@:2}"; }
for who in CarlDSSSelf CarlRSASelf; do openssl x509 -inform DER -in "$rfc/$who.cer"; done >carl.pem
for file in 4.1 4.2 4.4 4.5 4.10; do
  info $file.bin '"type": *"SignedData"' '"detached": *false'
  never_good $file.bin --cms der
done
info 4.3.bin '"type": *"SignedData"' '"detached": *true'
never_good 4.3.bin --cms der --content "$rfc/ExContent.bin"
openssl_says 4.2.bin >openssl.out 2>&1
if grep -q successful openssl.out; then
  ok "4.2.bin: openssl, which allows SHA-1 here, finds it whole" cmp content "$rfc/ExContent.bin"
else
  skip "4.2.bin: openssl finds it whole" "$(tail -n 1 openssl.out)"
fi
info 4.8.eml '"kind": *"signed"' '"from": *"aliceDss@examples.com"' '"subject": *"Example 4.8"'
never_good 4.8.eml
info 4.9.eml '"kind": *"opaque-signed"'
never_good 4.9.eml
info 5.3.eml '"kind": *"sealed"' '"cipher": *"des-ede3-cbc"'
info 5.1.bin '"type": *"EnvelopedData"' '"cipher": *"des-ede3-cbc"'
info 5.2.bin '"type": *"EnvelopedData"'
exits 1 "5.1.bin: not ours" signet_ decrypt --cms der -o ours "$rfc/5.1.bin"

# Bob's key of 1024 bits, for mail of that time.
openssl x509 -inform DER -in "$rfc/BobRSASignByCarl.cer" -out bob.pem
openssl pkey -inform DER -in "$rfc/BobPrivRSAEncrypt.pri" -out bob.key
openssl pkcs12 -export -in bob.pem -inkey bob.key -passout pass:nss -out bob.p12
exits 0 "Bob's key is imported" import bob.p12
ok "5.1.bin: openssl opens it" openssl cms -decrypt -inform DER -in "$rfc/5.1.bin" -inkey bob.key -recip bob.pem -out theirs
ok "5.1.bin: signet opens it" signet_ decrypt --cms der -o ours "$rfc/5.1.bin"
says err '3DES|des-ede3' "5.1.bin: and names its cipher"
signet_ --json decrypt --cms der -o ours "$rfc/5.1.bin" >"$work/out" 2>"$work/err"
is "$(cat "$work/out" "$work/err" | grep -c -E '"weak_cipher": *true')" 1 "5.1.bin: as a weak one"
ok "5.1.bin: to the same" cmp ours theirs
ok "5.1.bin: which is the RFC's" cmp ours "$rfc/ExContent.bin"
signet_ decrypt --cms der -o ours "$rfc/5.2.bin" >"$work/out" 2>"$work/err"
status=$?
if ((status)); then
  says err '^signet: .*(rc2|RC2|1\.2\.840\.113549\.3\.2)' "5.2.bin: RC2 is named as what cannot be read"
else
  ok "5.2.bin: to the RFC's content" cmp ours "$rfc/ExContent.bin"
fi
ok "5.3.eml: openssl opens it" openssl cms -decrypt -in "$rfc/5.3.eml" -inkey bob.key -recip bob.pem -out theirs
signet_ decrypt -o ours.eml "$rfc/5.3.eml" >"$work/out" 2>"$work/err"
status=$?
# What is inside has no header at all ("This is some sample content."), so it is no MIME entity.
is "$status/$(ls ours.eml 2>/dev/null)" 1/ "5.3.eml: what is inside is no mail, so it is refused ($(head -c 32 theirs | tr -d '\r\n'))"
for file in 3.1 6.0 7.1 7.2; do
  exits 0 "$file.bin: info" signet_ info "$rfc/$file.bin"
done
finish
