#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Large messages are made in constant memory: 128 MiB signed and sealed, from files and from a pipe to a
# pipe. Times stand beside openssl's, of the same run; they are printed, as a busy machine says nothing.
# shellcheck disable=SC2034,SC2054  # lib.bash reads it; a comma is part of the ID
sandbox=(--id alice@example.org,rsa:2048 --contact bob@example.org)
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
bob=$contacts/bob@example.org.pem bob_key=$contacts/bob@example.org.key
most=16384 # KiB
# The sanitizers' own memory is not ours.
if nm "$(command -v signet)" 2>/dev/null | grep -q -e __asan_init -e __tsan_init; then most=1000000; fi

[[ -x /usr/bin/time ]] || skip_all "no time(1)"
room=$(df -k --output=avail . | tail -n 1)
((room > 2 * 1024 * 1024)) || skip_all "not enough room for large files"

{
  printf 'From: alice@example.org\nTo: bob@example.org\nSubject: big\nMIME-Version: 1.0\n'
  printf 'Content-Type: text/plain; charset=us-ascii\n\n'
  openssl enc -aes-128-ctr -nosalt -K 00112233445566778899aabbccddeeff -iv 00 </dev/zero 2>/dev/null |
    base64 | head -c $((128 * 1024 * 1024))
} >big.eml
sum() { sha256sum | cut -d' ' -f1; }
wanted=$(sed '1,/^$/d' big.eml | sum)

measured() { # measured NAME COMMAND…: runs it, keeps time and memory; the last process's peak is its own
  local name=$1
  shift
  /usr/bin/time -o "$name.time" -f '%e %M' "$@"
}
small() { # small NAME "what": at most $most KiB
  local seconds kib
  read -r seconds kib < <(tail -n 1 "$1.time")
  echo "# $2: $seconds s, $kib KiB"
  ((kib < most))
  result $? "$2: within 16 MiB"
}
beside() { # beside NAME "what": somebody else's
  local seconds kib
  read -r seconds kib < <(tail -n 1 "$1.time")
  echo "#   beside: $2: $seconds s, $kib KiB"
}
signet_big() { measured "$1" timeout 300 signet --no-input "${@:2}"; }
pipe() { # pipe NAME OUTPUT VERB…: from a pipe to a pipe
  # shellcheck disable=SC2002  # a pipe is what it is about
  cat big.eml | signet_big "$1" "${@:3}" | cat >"$2"
  ((PIPESTATUS[1] == 0))
}

measured sha openssl dgst -sha256 big.eml >/dev/null
measured cp cp big.eml copy.eml
rm -f copy.eml

# --- signed -------------------------------------------------------------------------------------

text_of() { tr -d '\r' | sed '1,/^$/d' | sum; }
ok "signed" signet_big sign sign big.eml -o out.eml
small sign "sign"
beside sha "openssl dgst -sha256"
beside cp "cp"
openssl_verifies() { openssl cms -verify -in "$1" -noverify -out content.txt "${@:2}"; }
ok "openssl verifies it" openssl_verifies out.eml
is "$(text_of <content.txt)" "$wanted" "with the text that it was"
ok "signed from a pipe to a pipe" pipe signpipe piped.eml sign
small signpipe "sign, pipe to pipe"
ok "openssl verifies that, too" openssl_verifies piped.eml
rm -f piped.eml
ok "opaque" signet_big opaque sign --opaque big.eml -o out.eml
small opaque "sign --opaque"
ok "openssl verifies it" openssl_verifies out.eml
is "$(text_of <content.txt)" "$wanted" "with the text that it was"
rm -f content.txt
ok "detached from a file" signet_big detached sign --cms der --detached big.eml -o out.p7s
small detached "sign --cms der --detached"
detached() { openssl cms -verify -binary -inform DER -in out.p7s -content big.eml -noverify -out /dev/null; }
ok "openssl verifies it" detached

# --- sealed -------------------------------------------------------------------------------------

opened() { openssl cms -decrypt -inkey "$bob_key" "$@" -out opened.txt; }
seal() { signet_big "$1" encrypt --no-self --to "$bob" --cipher "aes-256-$2" "${@:3}"; }
for cipher in cbc gcm; do
  ok "a file is sealed ($cipher)" seal "$cipher" "$cipher" --cms der big.eml -o out.p7m
  small "$cipher" "encrypt --cms der, $cipher"
  measured openssl openssl cms -encrypt -stream -binary -outform DER "-aes-256-$cipher" -in big.eml \
    -out other.p7m "$bob"
  beside openssl "openssl cms -encrypt -stream -binary"
  rm -f other.p7m
done
ok "openssl opens what is sealed with GCM" opened -binary -inform DER -in out.p7m
is "$(sum <opened.txt)" "$(sum <big.eml)" "to what it was"
rm -f out.p7m opened.txt
ok "a mail is sealed from a pipe to a pipe" pipe mailpipe out.eml encrypt --no-self --to "$bob" \
  --cipher aes-256-cbc
small mailpipe "encrypt, pipe to pipe"
ok "openssl opens it" opened -in out.eml
is "$(text_of <opened.txt)" "$wanted" "to the text that it was"
ok "signed and sealed" signet_big both encrypt --sign --no-self --to "$bob" big.eml -o out.eml
small both "encrypt --sign"
ok "a file signed and sealed" signet_big bothcms encrypt --sign --cms der --no-self --to "$bob" big.eml -o out.p7m
small bothcms "encrypt --sign --cms der"

# --- what goes wrong half way -------------------------------------------------------------------

rm -f gone.p7m
full() { signet_ encrypt --no-self --to "$bob" --cms der big.eml >/dev/full; }
exits 1 "a full disk" full
closed() { # nobody reads on
  signet_ sign --opaque big.eml | head -c 1000 >/dev/null
  return "${PIPESTATUS[0]}"
}
exits 1 "a closed pipe" closed
cp big.eml changing.eml
changing() {
  (while :; do touch changing.eml; sleep 0.01; done) &
  local toucher=$! status
  signet_ sign changing.eml >gone.p7m
  status=$?
  kill "$toucher"
  return "$status"
}
exits 1 "a file that is changed while it is read" changing
says err "changed while it was read" "and says so"
is "$(stat -c %s gone.p7m)" 0 "with nothing written to the file that is standard output"
kept() { echo before >kept.eml && signet_ sign changing.eml -o kept.eml; }
(while :; do touch changing.eml; sleep 0.01; done) &
toucher=$!
exits 1 "the same with -o" kept
kill "$toucher"
is "$(cat kept.eml)" before "leaves the file as it was"

finish
