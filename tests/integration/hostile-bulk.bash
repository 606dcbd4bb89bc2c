#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Mail that is made to take long or to fill the memory: a clear end, within two seconds of processor time and
# 16 MiB. What each took is printed as a table.
sandbox=(--id "alice@example.org,rsa:2048")
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
signet_ id cert alice@example.org -o alice.pem
mail alice@example.org >mail.eml
instrumented=no seconds_max=2
if grep -q -a -F __asan_init "$SIGNET_TEST_BUILD/signet"; then instrumented=yes; fi
table=()

# bounded "STATUS…" "what" command…: ends with one of these, in two seconds and 16 MiB, and writes nothing when
# it fails. Its standard input is a pipe from the file `piped`, if that is set.
piped=/dev/null
bounded() {
  local want=$1 what=$2 status seconds user system kib problem=''
  shift 2
  rm -f made
  /usr/bin/time -q -f '%e %U %S %M' -o took timeout 60 signet --no-input "$@" >"$work/out" 2>"$work/err" < <(cat "$piped")
  status=$?
  read -r seconds user system kib < <(tail -n 1 took)
  table+=("$(printf '%-58s| %6s | %6s s | %7s KiB' "$what" "$status" "$seconds" "$kib")")
  [[ " $want " = *" $status "* ]] || problem+=" status $status, not $want;"
  if [[ $instrumented = no ]]; then
    ((10#${user/./} + 10#${system/./} < seconds_max * 100)) || problem+=" $user + $system s;"
    ((kib < 16 * 1024)) || problem+=" $kib KiB;"
  fi
  if [[ -e made && $status != 0 ]]; then problem+=" failed, but wrote;"; fi
  if ((status != 0 && status != 3)) && [[ $(grep -a -c '^signet: ' "$work/err") != 1 ]]; then problem+=" not one line of ours;"; fi
  if grep -q -a -E 'CRITICAL|WARNING|Sanitizer|dumped' "$work/err"; then problem+=" a program's own fault;"; fi
  if [[ -n $problem ]]; then echo "#  $problem"; fi
  [[ -z $problem ]]
  result $? "$what"
}
each() { # each "what" FILE "STATUS of info" "of verify" "of decrypt"
  bounded "$3" "$1: info" info "$2"
  bounded "$4" "$1: verify" verify -o made "$2"
  bounded "$5" "$1: decrypt" decrypt -o made "$2"
}

# --- many of something --------------------------------------------------------------------------

# A recipient like alice's, 10,000 times, and she herself the last of them.
cat >recipients.pl <<'END'
use strict; use warnings; use MIME::Base64;
local $/; open my $f, '<:raw', $ARGV[0] or die; my $der = <$f>;
sub head { my ($at) = @_; my $l = ord substr $der, $at + 1, 1; my $h = 2;
  if ($l & 128) { my $n = $l & 127; $l = 0; $l = $l * 256 + ord substr $der, $at + 2 + $_, 1 for 0 .. $n - 1; $h += $n; } return ($h, $l); }
sub tlv { my ($t, $v) = @_; my $l = length $v; my $e = $l < 128 ? chr $l : do { my $b = ''; my $x = $l; while ($x) { $b = chr($x & 255) . $b; $x >>= 8 } chr(128 | length $b) . $b }; return chr($t) . $e . $v; }
my ($h1) = head(0); my ($h2, $l2) = head($h1); my $oid = substr $der, $h1, $h2 + $l2; my $at = $h1 + $h2 + $l2;
my ($h3) = head($at); $at += $h3; my ($h4) = head($at); $at += $h4; my ($h5, $l5) = head($at); my $version = substr $der, $at, $h5 + $l5; $at += $h5 + $l5;
my ($h6, $l6) = head($at); my $mine = substr $der, $at + $h6, $l6; my $rest = substr $der, $at + $h6 + $l6;
my $all = ''; for my $i (1 .. $ARGV[1]) { my $one = $mine; substr($one, -4) = pack 'N', $i; my $where = index $one, $ARGV[2] eq '' ? "\0" x 99 : pack 'H*', $ARGV[2]; substr($one, $where, 4) = pack 'N', $i if $where >= 0; $all .= $one; }
binmode STDOUT; my $out = tlv(0x30, $oid . tlv(0xa0, tlv(0x30, $version . tlv(0x31, $all . $mine) . $rest)));
print "From: bob\@example.org\nMIME-Version: 1.0\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\nContent-Transfer-Encoding: base64\n\n", encode_base64($out);
END
openssl cms -encrypt -aes256 -in mail.eml -outform DER -out one.der alice.pem
serial=$(openssl x509 -in alice.pem -noout -serial | sed 's/.*=//')
perl recipients.pl one.der 10000 "$serial" >recipients.eml
each "10,000 recipients, ours the last" recipients.eml 0 3 0
is "$(grep -c marzipan made)" 1 "and it is the mail"
# A signature with its signer 10,000 times, one with 450 certificates of its issuer's name.
signet_ sign --cms der --id alice@example.org -o signed.der mail.eml
cat >signers.pl <<'END'
use strict; use warnings;
local $/; open my $f, '<:raw', $ARGV[0] or die; my $der = <$f>;
sub head { my ($at) = @_; my $l = ord substr $der, $at + 1, 1; my $h = 2;
  if ($l & 128) { my $n = $l & 127; $l = 0; $l = $l * 256 + ord substr $der, $at + 2 + $_, 1 for 0 .. $n - 1; $h += $n; } return ($h, $l); }
sub tlv { my ($t, $v) = @_; my $l = length $v; my $e = $l < 128 ? chr $l : do { my $b = ''; my $x = $l; while ($x) { $b = chr($x & 255) . $b; $x >>= 8 } chr(128 | length $b) . $b }; return chr($t) . $e . $v; }
my ($h1) = head(0); my ($h2, $l2) = head($h1); my $oid = substr $der, $h1, $h2 + $l2; my ($h3) = head($h1 + $h2 + $l2); my $at = $h1 + $h2 + $l2 + $h3;
my ($h4, $l4) = head($at); my $end = $at + $h4 + $l4; my $first = $at += $h4; my ($h, $l);
while (1) { ($h, $l) = head($at); last if $at + $h + $l == $end; $at += $h + $l; }
binmode STDOUT; print tlv(0x30, $oid . tlv(0xa0, tlv(0x30, substr($der, $first, $at - $first) . tlv(0x31, substr($der, $at + $h, $l) x $ARGV[1]))));
END
perl signers.pl signed.der 10000 >signers.der
bounded 1 "10,000 signers: verify" verify --cms der -o made signers.der
bounded "0 1" "10,000 signers: info" info --cms der signers.der
perl signers.pl signed.der 100 >signers.der
bounded "0 1 3" "100 signers: verify" verify --cms der -o made signers.der
openssl req -x509 -newkey rsa:2048 -nodes -keyout issuer.key -out issuer.pem -days 9 -subj /CN=Issuer 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout leaf.key -subj /CN=Leaf 2>/dev/null | openssl x509 -req -CA issuer.pem -CAkey issuer.key -days 9 \
  -extfile <(printf 'basicConstraints=CA:FALSE\nsubjectAltName=email:alice@example.org\n') -out leaf.pem 2>/dev/null
perl -MMIME::Base64 -e 'local $/; $_ = <STDIN>; s/-----.*?-----//g; my $der = decode_base64($_);
  for my $i (1 .. $ARGV[0]) { substr($der, 20, 4) = pack "N", $i; print "-----BEGIN CERTIFICATE-----\n", encode_base64($der), "-----END CERTIFICATE-----\n" }' 900 <issuer.pem >many.pem
head -n "$(($(wc -l <many.pem) / 2))" many.pem >issuers.pem
for name in issuers many; do
  openssl cms -sign -binary -nodetach -in mail.eml -signer leaf.pem -inkey leaf.key -certfile $name.pem -outform DER -out $name.der 2>"$work/err"
done
is "$(openssl pkcs7 -inform DER -in issuers.der -print_certs 2>/dev/null | grep -c '^subject=')" 451 "(450 certificates of one name, and the signer's)"
bounded 3 "450 certificates of the issuer's name: verify" verify --cms der -o made issuers.der
bounded 0 "450 certificates of the issuer's name: info" info --cms der issuers.der
bounded 1 "900 certificates: verify" verify --cms der -o made many.der
bounded 1 "900 certificates: info" info --cms der many.der
perl -e 'print "From: alice\@example.org\nContent-Type: multipart/mixed; boundary=b\n\n"; print "--b\n\nx\n" for 1 .. 100000; print "--b--\n"' >parts.eml
each "100,000 parts" parts.eml "0 1" "1 3" 1
perl -e 'print "From: alice\@example.org\nContent-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=b\n\n"; print "--b\n\nx\n" for 1 .. 100000; print "--b--\n"' >signed-parts.eml
each "100,000 parts, said to be signed" signed-parts.eml "0 1" "1 3" 1
perl -e 'print "From: alice\@example.org\n"; print "X-$_: y\n" for 1 .. 200000; print "\nx\n"' >headers.eml
each "200,000 header fields" headers.eml "0 1" "1 3" 1
perl -e 'print "From: "; print "a\@example.org, " for 1 .. 100000; print "b\@example.org\n\nx\n"' >from.eml
each "100,000 addresses in From" from.eml "0 1" "1 3" 1
bounded 1 "100,000 addresses in From: sign" sign -o made from.eml
perl -e 'print "From: alice\@example.org\nContent-Type: multipart/mixed"; print "; a$_=b" for 1 .. 100000; print "; boundary=b\n\n--b\n\nx\n--b--\n"' >parameters.eml
each "100,000 parameters of Content-Type" parameters.eml "0 1" "1 3" 1

# --- large, and nothing else --------------------------------------------------------------------

{ printf 'From: alice@example.org\nMIME-Version: 1.0\nContent-Type: text/plain\n\n' && yes 'The word is marzipan, and this goes on and on for long.' | head -c 64000000 && echo; } >large.eml
bounded 0 "64 MB: sign" sign -o large.signed large.eml
bounded 0 "64 MB: verify" verify large.signed
bounded 0 "64 MB: sign, opaque" sign --opaque -o large.opaque large.eml
bounded 0 "64 MB: verify, opaque" verify -o made large.opaque
is "$(tr -d '\r' <made | sed '1,/^$/d' | cmp - <(body large.eml) && echo same)" same "and it is the same"
bounded 0 "64 MB: encrypt, CBC" encrypt --cipher aes-256-cbc --to alice.pem -o large.cbc large.eml
bounded 0 "64 MB: decrypt, CBC" decrypt -o made large.cbc
is "$(cmp <(body made) <(body large.eml) && echo same)" same "and it is the same"
bounded 0 "64 MB: encrypt, GCM, and sign" encrypt --sign --cipher aes-256-gcm --to alice.pem -o large.gcm large.eml
bounded 0 "64 MB: decrypt, GCM, and verify" decrypt --require-signed -o made large.gcm
bounded 0 "64 MB: info" info large.gcm
piped=large.eml
bounded 0 "64 MB from a pipe: sign" sign -o made
piped=large.signed
bounded 0 "64 MB from a pipe: verify" verify
piped=large.cbc
bounded 0 "64 MB from a pipe: decrypt" decrypt -o made
piped=large.gcm
bounded 0 "64 MB from a pipe to a pipe: decrypt" decrypt
head -c 60000000 large.gcm >large.cut
piped=large.cut
bounded 1 "64 MB from a pipe, cut: decrypt" decrypt
is "$(wc -c <"$work/out")" 0 "and nothing comes out"
piped=/dev/null
rm large.*

# --- deep -----------------------------------------------------------------------------------------

perl -e 'print "From: alice\@example.org\n"; print "Content-Type: multipart/mixed; boundary=b$_\n\n--b$_\n" for 1 .. 1000; print "\nx\n"; print "--b$_--\n" for reverse 1 .. 1000' >multiparts.eml
each "1,000 multiparts in each other" multiparts.eml "0 1" "1 3" 1
perl -e 'print "From: alice\@example.org\n"; print "Content-Type: multipart/mixed; boundary=b\n\n--b\n" for 1 .. 1000; print "\nx\n--b--\n"' >same.eml
each "1,000 with one boundary" same.eml "0 1" "1 3" 1
perl -e 'print "From: alice\@example.org\n"; print "Content-Type: message/rfc822\n\n" for 1 .. 1000; print "Subject: x\n\nx\n"' >messages.eml
each "1,000 messages in each other" messages.eml "0 1" "1 3" 1
perl -e 'print "From: alice\@example.org\n"; print "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=b$_\n\n--b$_\n" for 1 .. 1000; print "\nx\n"; print "\n--b$_\nContent-Type: application/pkcs7-signature\nContent-Transfer-Encoding: base64\n\nMAA=\n--b$_--\n" for reverse 1 .. 1000' >signed.eml
each "1,000 signed ones in each other" signed.eml "0 1" "1 3" 1
cat >layers.pl <<'END'
use strict; use warnings;
sub tlv { my ($t, $v) = @_; my $l = length $v; my $e = $l < 128 ? chr $l : do { my $b = ''; my $x = $l; while ($x) { $b = chr($x & 255) . $b; $x >>= 8 } chr(128 | length $b) . $b }; return chr($t) . $e . $v; }
my $data = pack 'H*', '06092a864886f70d010701'; my $signed = pack 'H*', '06092a864886f70d010702';
my $mail = "Content-Type: text/plain\r\n\r\nx\r\n";
for (1 .. $ARGV[0]) { $mail = "Content-Type: application/pkcs7-mime; smime-type=signed-data\r\nContent-Transfer-Encoding: binary\r\n\r\n" .
  tlv(0x30, $signed . tlv(0xa0, tlv(0x30, "\2\1\1" . tlv(0x31, '') . tlv(0x30, $data . tlv(0xa0, tlv(4, $mail))) . tlv(0x31, '')))); }
binmode STDOUT; print "From: alice\@example.org\r\n$mail";
END
perl layers.pl 1000 >opaque.eml
each "1,000 opaque signatures in each other" opaque.eml 0 "1 3" 1
cp mail.eml layer
for _ in {1..20}; do
  openssl cms -encrypt -aes-256-cbc -binary -in layer -outform DER -out layer.der alice.pem
  { printf 'Content-Type: application/pkcs7-mime; smime-type=enveloped-data\nContent-Transfer-Encoding: binary\n\n' && cat layer.der; } >layer
done
{ printf 'From: bob@example.org\n' && cat layer; } >sealed.eml
each "20 seals in each other" sealed.eml 0 3 "0 1"

# --- ASN.1 ----------------------------------------------------------------------------------------

of() { # of FILE-OF-DER: as a mail on standard output
  printf 'From: alice@example.org\nMIME-Version: 1.0\nContent-Type: application/pkcs7-mime; smime-type=%s\n' "${2:-enveloped-data}"
  printf 'Content-Transfer-Encoding: base64\n\n'
  base64 "$1"
}
asn1() { # asn1 "what" FILE: as a file and as a mail of either kind
  bounded 1 "$1: info, file" info --cms der "$2"
  bounded "1 3" "$1: verify, file" verify --cms der -o made "$2"
  bounded 1 "$1: decrypt, file" decrypt --cms der -o made "$2"
  of "$2" >asn1.eml
  bounded 1 "$1: decrypt, mail" decrypt -o made asn1.eml
  of "$2" signed-data >asn1.eml
  bounded "1 3" "$1: verify, mail" verify -o made asn1.eml
}
data=06092a864886f70d010701
signed=${data%1}2 enveloped=${data%1}3
perl -e 'print "\x30\x80" x 1000000' >indefinite
asn1 "a million open lengths" indefinite
perl -e 'print pack("H*", "3080'"$enveloped"'a080"), "\x30\x80" x 500000, "\0\0" x 500000' >indefinite2
asn1 "half a million in an enveloped-data" indefinite2
perl -e 'print pack("H*", "3080'"$enveloped"'a0803080020100318030"), "\x84\x7f\xff\xff\xff", "x" x 1000' >long
asn1 "a recipient of 2 GiB" long
perl -e 'print pack("H*", "3088ffffffffffffffff"), "x" x 1000' >longer
asn1 "a length of 64 bits" longer
perl -e 'print pack("H*", "30ff"), "\xff" x 127, "x" x 1000' >longest
asn1 "a length of 127 bytes" longest
perl -e 'print pack("H*", "3080'"$enveloped"'a080308002010031803080"), "\x30\x00" x 5000000' >small
asn1 "five million empty elements" small
perl -e 'print pack("H*", "3080'"$signed"'a080308002010131003080'"$data"'a0802480"), "\x04\x01x" x 3000000, "\0\0" x 5' >pieces
bounded "0 1 3" "three million one-byte pieces of content: info" info --cms der pieces
bounded "1 3" "three million one-byte pieces of content: verify" verify --cms der -o made pieces
perl -e 'print pack("H*", "3080'"$signed"'a080308002010131003080'"$data"'a080"), "\x24\x80" x 1000000' >nest
asn1 "a million OCTET STRINGs in each other" nest

# --- long -----------------------------------------------------------------------------------------

perl -e 'print "From: alice\@example.org\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\nContent-Transfer-Encoding: base64\n\n"; print "!?*#-_ \t\n" x 2000000' >junk.eml
each "base64 that is junk" junk.eml 1 "1 3" 1
openssl cms -encrypt -aes256 -in mail.eml -outform DER alice.pem | base64 -w 0 | sed 's/./&!\n\n/g' >body
{ printf 'From: bob@example.org\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\nContent-Transfer-Encoding: base64\n\n' && cat body; } >spread.eml
each "base64, junk between the letters" spread.eml "0 1" "1 3" "0 1"
{ printf 'From: alice@example.org\nX-Long: ' && head -c 100000000 /dev/zero | tr '\0' x && printf '\n\nx\n'; } >line.eml
each "a header line of 100 MB" line.eml "0 1" "1 3" 1
bounded 1 "a header line of 100 MB: sign" sign -o made line.eml
{ printf 'From: alice@example.org\nContent-Type: multipart/mixed; boundary="' && head -c 50000000 /dev/zero | tr '\0' x && printf '"\n\nx\n'; } >boundary.eml
each "a boundary of 50 MB" boundary.eml "0 1" "1 3" 1
rm line.eml boundary.eml
gigabytes() {
  seconds_max=5 # each byte of a gigabyte is looked at
  { printf 'From: alice@example.org\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: binary\n\n'; } >zeros.eml
  truncate -s 1G zeros.eml
  printf '\n--b--\n' >>zeros.eml
  each "1 GB of zeros" zeros.eml 0 3 1
  rm zeros.eml
  printf 'From: alice@example.org\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\nContent-Transfer-Encoding: base64\n\n' >zeros64.eml
  truncate -s 1G zeros64.eml
  each "1 GB of zeros as base64" zeros64.eml 1 "1 3" 1
  rm zeros64.eml
  cp one.der zeros.der
  truncate -s 1G zeros.der
  bounded "0 1" "1 GB of zeros after a CMS file: decrypt" decrypt --cms der -o made zeros.der
  bounded "0 1" "1 GB of zeros after a CMS file: info" info --cms der zeros.der
  rm zeros.der
}
if [[ $instrumented = no ]]; then gigabytes; fi

printf '# %-58s| status | %8s | %11s\n' "" time memory
printf '# %s\n' "${table[@]}"
exits 0 "after all this a mail opens as ever" signet_ decrypt -o made recipients.eml
is "$(our_processes signetd | wc -l)" 1 "and the daemon lives"
finish
