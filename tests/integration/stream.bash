#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2054,SC2317  # programs in quotes; the comma is one; functions called by name
#
# stream.bash: mails and files of 128 MiB are read in constant memory, through pipes and files, and
# not much slower than their bytes can be hashed or copied.
sandbox=(--id alice@example.org,rsa:2048)
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

MEMORY_MAX=$((16 * 1024)) # KiB
if ! command -v /usr/bin/time >/dev/null; then skip_all "time is not installed"; fi
# Sanitizers and debug builds take more of both.
if ldd "$SIGNET_TEST_BUILD/signet" | grep -q -E 'asan|tsan'; then skip_all "sanitizers take memory"; fi
optimised=no
if grep -q -E '^CMAKE_BUILD_TYPE:.*=(Release|RelWithDebInfo)' "$SIGNET_TEST_BUILD/CMakeCache.txt"; then optimised=yes; fi

signet_ id cert alice@example.org -o alice.pem
{
  printf 'From: alice@example.org\nTo: bob@example.org\nSubject: Large\nMIME-Version: 1.0\n'
  printf 'Content-Type: text/plain; charset=us-ascii\n\n'
  yes 'A line of text as people write them, of seventy bytes or so, and no more.' | head -c $((128 * 1024 * 1024))
  echo
} >mail.eml

measured() { # measured NAME command…: its memory in KiB and time in ms in $kib, $ms; keeps its status
  local status
  /usr/bin/time -f '%M %e' -o "$work/time" -- "${@:2}" >"$work/out" 2>"$work/err"
  status=$?
  # A failed program has a line before.
  read -r kib seconds < <(tail -n 1 "$work/time")
  ms=$(awk "BEGIN { print int($seconds * 1000) }")
  echo "# $1: $kib KiB, $ms ms"
  return $status
}

flat() { # flat NAME command…: it works, within the bound
  measured "$@"
  result $? "$1: done"
  ((kib < MEMORY_MAX))
  result $? "$1: within 16 MiB"
  times[$1]=$ms
}
piped() { # piped NAME INPUT signet-words…: from a pipe to a pipe; what comes out is hashed
  local name=$1 input=$2
  shift 2
  flat "$name" bash -c 'set -o pipefail; cat "$0" | signet "$@" | sha256sum >sum' "$input" "$@"
}
declare -A times

# --- made ---------------------------------------------------------------------------------------

ok "signed" signet_ sign -o signed.eml mail.eml
ok "signed, opaque" signet_ sign --opaque -o opaque.eml mail.eml
for cipher in cbc gcm; do
  ok "sealed with $cipher" signet_ encrypt --to alice.pem --no-self --cipher "aes-256-$cipher" -o "$cipher.eml" mail.eml
  ok "a file sealed with $cipher" signet_ encrypt --cms der --to alice.pem --no-self --cipher "aes-256-$cipher" -o "$cipher.der" mail.eml
done
ok "signed around a seal" signet_ sign -o around.eml gcm.eml
ok "and sealed again" signet_ encrypt --to alice.pem --no-self -o nested.eml around.eml
content=$(body mail.eml | sha256sum)
whole=$(sha256sum <mail.eml)
rm around.eml

# --- read ---------------------------------------------------------------------------------------

flat "verify multipart/signed" signet verify signed.eml
says out "^Signed by alice" "and it is good"
piped "verify multipart/signed, a pipe" signed.eml verify
flat "verify opaque mail" signet verify -o inside opaque.eml
is "$(body inside | sha256sum)" "$content" "and its content comes out"
rm inside
openssl smime -pk7out -in opaque.eml -outform DER -out opaque.der 2>/dev/null ||
  sed '1,/^\r*$/d' opaque.eml | base64 -d >opaque.der
flat "verify opaque DER" signet verify --cms der opaque.der
flat "verify opaque DER, its content" signet verify --cms der -o inside opaque.der
rm -f inside opaque.der
for cipher in cbc gcm; do
  flat "decrypt $cipher mail" signet decrypt -o opened.eml "$cipher.eml"
  is "$(body opened.eml | sha256sum)" "$content" "and it is what was sealed"
  flat "decrypt $cipher DER" signet decrypt --cms der -o opened "$cipher.der"
  is "$(sha256sum <opened)" "$whole" "and it is what was sealed"
  piped "decrypt $cipher mail, a pipe" "$cipher.eml" decrypt
  piped "decrypt $cipher DER, a pipe" "$cipher.der" decrypt --cms der
  is "$(cat sum)" "$whole" "and it is what was sealed"
  rm opened opened.eml
done
flat "decrypt three layers" signet --json decrypt -o opened.eml nested.eml
is "$(grep -o '"kind": *"[a-z-]*"' "$work/out" | sed 's/.*: *//' | tr -d '\n')" '"sealed""signed""sealed"' "each is told"
is "$(body opened.eml | sha256sum)" "$content" "and what was innermost comes out"
flat "info" signet info gcm.eml
flat "info, DER" signet info gcm.der

# --- not much slower than the bytes themselves --------------------------------------------------

ratio() { # ratio NAME BASE FACTOR-IN-PERCENT: with 300 ms for starting on a busy machine
  echo "# $1: ${times[$1]} ms, measured against $2 ms"
  if [[ $optimised = no ]]; then
    skip "$1: fast" "not an optimised build"
    return
  fi
  ((times[$1] * 100 <= $2 * $3 + 30000))
  result $? "$1: at most $3 % of it"
}
measured hash openssl dgst -sha256 signed.eml
hash_ms=$ms
measured copy cp signed.eml copy
ratio "verify multipart/signed" $((3 * hash_ms + ms)) 100
rm copy
sed '1,/^\r*$/d' gcm.eml >gcm.b64
measured base64 bash -c 'base64 -d gcm.b64 >gcm.decoded'
ratio "decrypt gcm mail" $((ms + times["decrypt gcm DER"])) 150
finish
