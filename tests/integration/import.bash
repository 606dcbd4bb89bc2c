#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Files that people are given become IDs that sign and open mail.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
phrase='correct horse ß'

# --- a small CA and what it gave people ---------------------------------------------------------

person() { # person NAME ADDRESS KIND: NAME.key, NAME.pem by the CA
  local kind=(-newkey rsa:2048)
  if [[ $3 = ec ]]; then kind=(-newkey ec -pkeyopt ec_paramgen_curve:P-256); fi
  openssl req "${kind[@]}" -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1"
  printf 'basicConstraints=critical,CA:FALSE\nextendedKeyUsage=emailProtection\nkeyUsage=digitalSignature,%s\n' \
    "$([[ $3 = ec ]] && echo keyAgreement || echo keyEncipherment)" >"$1.ext"
  if [[ -n $2 ]]; then echo "subjectAltName=email:$2" >>"$1.ext"; fi
  certify "$1" "$1.pem" 60
}
certify() { # certify NAME OUT DAYS
  openssl x509 -req -in "$1.csr" -CA sub.pem -CAkey sub.key -CAcreateserial -days "$3" -extfile "$1.ext" -out "$2"
}
{
  openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -days 99 -subj "/CN=Root" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
  openssl req -newkey rsa:2048 -nodes -keyout sub.key -out sub.csr -subj "/CN=Sub"
  printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n' >sub.ext
  openssl x509 -req -in sub.csr -CA root.pem -CAkey root.key -CAcreateserial -days 90 -extfile sub.ext -out sub.pem
  person alice alice@example.org rsa
  person bob bob@example.org ec
  person carol carol@example.org rsa
  person dave dave@example.org ec
  person nobody "" rsa
  person erin erin@example.org ec
  cat sub.pem root.pem >chain.pem
  openssl pkcs12 -export -in alice.pem -inkey alice.key -certfile chain.pem -name "Alice's" -out alice.p12 -passout "pass:$phrase"
} >ca.log 2>&1

import() { # import OPTION…: the passphrase and the PIN come on descriptors
  timeout -k 5 120 signet --no-input import "$@" --passphrase-fd 8 --pin-fd 9 8<<<"$phrase" 9<<<"$pin"
}
ids() { signet_ --json id list | grep -o '"id":"[^"]*"' | sort; }
signs() { # signs ADDRESS: and openssl verifies it against the root
  mail "$1" >m.eml && with_pin sign -o s.eml m.eml && openssl cms -verify -in s.eml -CAfile root.pem -out /dev/null
}
opens() { # opens CERTIFICATE: what openssl seals to it
  mail carol@example.org >m.eml && openssl cms -encrypt -aes256 -in m.eml -out e.eml "$1" &&
    with_pin decrypt -o d.eml e.eml && grep -q marzipan d.eml
}

# --- without any token --------------------------------------------------------------------------

exits 2 "nothing named" signet_ import
says err "import --scan" "says how to find something"
exits 5 "a passphrase that nobody can be asked for" signet_ import alice.p12
says err "passphrase-fd" "says how to give it"
exits 5 "the wrong passphrase" timeout 60 signet --no-input import alice.p12 --passphrase-fd 8 8<<<"wrong"
is "$(signet_ --json token list | grep -c '"label":"signet"')" 0 "nothing was made for a file that does not open"
exits 0 "a .p12, and no token at all" import alice.p12
cp "$work/out" first
says out 'soft token "signet"' "says that it makes one"
says out "key rsa:2048: alice@example.org \(alice\)" "says what is in the file"
says out "certificate until" "and how long it holds"
says out "certificates? of CAs" "and that CAs' certificates are there"
says out "alice@example.org: rsa:2048 is on token \"signet\", with 1 certificate" "says where it went"
says out "signet import --shred .*alice.p12" "that the file still has the key"
says out "Next: signet sign" "and what comes next"
(($(wc -L <first) <= 80))
result $? "in 80 columns"
is "$(ids)" '"id":"alice@example.org"' "there is one ID"
ok "it signs, with its chain" signs alice@example.org
ok "it opens mail" opens alice.pem
exits 0 "once more" import alice.p12
says out "was already on token" "is no harm"
is "$(signet_ --json id show alice@example.org | grep -o '"fingerprint":' | wc -l)" 1 "and nothing is there twice"

# --- formats ------------------------------------------------------------------------------------

openssl pkcs8 -topk8 -in bob.key -out bob.p8 -passout "pass:$phrase" -v2 aes-256-cbc
cat bob.pem bob.p8 >bob-enc.pem
exits 0 "PEM: certificate and encrypted PKCS #8" import bob-enc.pem
ok "signs" signs bob@example.org
ok "opens" opens bob.pem
openssl pkey -in carol.key -outform DER -out carol.der
exits 0 "a key in DER, and its certificate from another file, in the wrong order" import carol.pem carol.der
ok "are one ID that signs" signs carol@example.org
exits 4 "a certificate whose key is nowhere" signet_ import dave.pem
says err "key is on no token" "says so"
openssl crl2pkcs7 -nocrl -certfile dave.pem -certfile sub.pem -certfile root.pem -outform DER -out dave.p7b
openssl ec -in dave.key -out dave.ec 2>/dev/null
exits 0 "an old EC key in PEM" import dave.ec
says out "^dave: ec:p256 is on token .*without a certificate" "is called as its file, and said to have no certificate"
says out "signet id request dave " "and what comes next"
exits 0 "then its .p7b" import dave.p7b
says out "dave@example.org.*with 1 certificate" "joins them"
says out "with 2 certificates of the CAs above" "with the chain and its root"
ok "signs, with its chain" signs dave@example.org
sleep 1.1 # a newer certificate is newer by its second
certify alice alice2.pem 80 >>ca.log 2>&1
exits 0 "a renewed certificate" import alice2.pem
is "$(signet_ --json id show alice@example.org | grep -o '"fingerprint":' | wc -l)" 2 "is with its key"
exits 0 "a key whose certificate has no address, told whose it is" import --label "Frank" --address frank@example.org <(cat nobody.pem nobody.key)
says out "ID of frank@example.org" "says so"
ok "signs as that" bash -c 'printf "From: frank@example.org\nSubject: x\n\ntext\n" | signet --no-input sign -o f.eml'

n=0
for style in "-legacy" "-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1" "-nomac" "-keypbe NONE -certpbe NONE" "-iter 100000"; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout x.key -out x.pem -days 9 -subj "/CN=X" \
    -addext "subjectAltName=email:x$((++n))@example.org" 2>/dev/null
  # shellcheck disable=SC2086  # words
  openssl pkcs12 -export -in x.pem -inkey x.key -out x.p12 -passout "pass:$phrase" $style
  exits 0 ".p12 made with $style" import x.p12
  says out "x$n@example.org: ec:p256 is on token" "is imported ($style)"
done
openssl pkcs12 -export -in erin.pem -inkey erin.key -out empty.p12 -passout pass:
exits 0 ".p12 with an empty passphrase asks for none" with_pin import empty.p12
ok "signs" bash -c 'printf "From: erin@example.org\nSubject: x\n\ntext\n" | signet --no-input sign -o f.eml'

# --- what is wrong ------------------------------------------------------------------------------

echo "Dear diary" >diary.txt
exits 1 "a file that is none" signet_ import diary.txt
head -c 900 alice.p12 >cut.p12
exits 1 "half a .p12" import cut.p12
exits 1 "a file that is not there" signet_ import nowhere.p12
exits 2 "a folder" signet_ import "$work"
says err "import --scan" "says how to look through it"
exits 1 "one good, one bad: the bad one's status" import diary.txt alice.p12
says out "was already on token" "and the good one is done"
timeout 60 signet --no-input --json import diary.txt alice.p12 --passphrase-fd 8 8<<<"$phrase" >"$work/out" 2>"$work/err"
is "$?" 1 "likewise as JSON"
says out '"imported":\[\{"file":"alice.p12"' "with what was done"
says out '"failed":\[\{"file":"diary.txt","error":"BadInput"' "and what was not"
exits 2 "--address that is none" signet_ import --address nonsense alice.p12
openssl req -x509 -newkey rsa:2048 -nodes -keyout s.key -out s.pem -days 9 -subj "/CN=S" \
  -addext "subjectAltName=email:stay@example.org" 2>/dev/null
soft_token second
cat s.pem s.key >stay.pem
exits 4 "two tokens could take it" import stay.pem
says err 'second' "are listed"
says err 'Try: signet import --token' "with the command"
exits 0 "one that has the key already is where it goes again" import alice.p12
exits 0 "--token chooses" import --token second --never-export stay.pem
is "$(signet_ --json id show stay@example.org | grep -o '"extractable":[a-z]*')" '"extractable":false' "--never-export holds"
timeout 60 signet --no-input --json import alice.p12 --passphrase-fd 8 8<<<"$phrase" >"$work/out" 2>"$work/err"
is "$?" 0 "as JSON"
says out '"imported":\[\{"file":"alice.p12","format":"PKCS #12","keys":\[\{"id":"alice@example.org","addresses":\["alice@example.org"\]' "it says what"
says out '"kind":"rsa:2048","token":"signet","existed":true,"certificates":1,"kept":0' "and where"
says out '"holds_key":true,"shredded":false\}\],"failed":\[\],"token":"signet","token_made":false' "and what became of the file"

# --- shredding ----------------------------------------------------------------------------------

cp alice.p12 going.p12
cp alice.p12 linked.p12
ln linked.p12 other-name.p12
exits 0 "--shred" import --token signet --shred going.p12
says out "overwritten and removed" "says so"
says out "Flash storage, snapshots" "and what it cannot promise"
[[ ! -e going.p12 ]]
result $? "it is gone"
exits 8 "--shred of a file with two names" import --token signet --shred linked.p12
cmp -s linked.p12 alice.p12
result $? "is not done"
exits 5 "--shred with the wrong passphrase" timeout 60 signet --no-input import --shred alice.p12 --passphrase-fd 8 8<<<"wrong"
[[ -s alice.p12 ]]
result $? "leaves the file"
cat alice.pem alice.key dave.pem bob.pem carol.pem nobody.pem root.pem >more.pem
openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -days 9 -subj /CN=Stranger \
  -addext subjectAltName=email:stranger@example.org >>more.pem 2>/dev/null
exits 8 "--shred of a file with something that could not be imported" import --token signet --shred more.pem
[[ -s more.pem ]]
result $? "leaves it"
exits 2 "--shred of standard input" signet_ import --shred -
# One key with two certificates: on the token it signs only, and the second file is for sealed mail.
person gina gina@example.org rsa 2>>ca.log
sed 's/,keyEncipherment//' gina.ext >gina.sign
sed 's/digitalSignature,//' gina.ext >gina.seal
for use in sign seal; do
  cp "gina.$use" gina.ext
  certify gina "gina-$use.pem" 60 2>>ca.log
  openssl pkcs12 -export -in "gina-$use.pem" -inkey gina.key -out "gina-$use.p12" -passout "pass:$phrase"
done
exits 0 "a key that is for signatures" import --token signet --shred gina-sign.p12
exits 8 "--shred of the same key for sealed mail" import --token signet --shred gina-seal.p12
says out 'may not open mail' "which the token's cannot open"
[[ -s gina-seal.p12 ]]
result $? "leaves the file"

exits 0 "that file, without --shred" import --token signet gina-seal.p12
says out "keep the file: gina@example.org" "is to be kept, which is said"
says_not out "--shred" "and destroying it is not offered"
openssl pkcs12 -export -in alice.pem -inkey alice.key -out nomac.p12 -passout "pass:$phrase" -nomac
exits 8 "--shred of a .p12 that has no MAC" import --token signet --shred nomac.p12
says err "nomac.p12 is left as it is: .*no integrity check \\(no MAC\\)" "for that reason"
[[ -s nomac.p12 ]]
result $? "leaves the file"
# A key that wants its PIN for each use is not tried; SoftHSM has such only from another program.
if command -v pkcs11-tool >/dev/null; then
  person hugo hugo@example.org rsa 2>>ca.log
  openssl pkey -in hugo.key -outform DER -out hugo.der
  cat hugo.key hugo.pem >hugo-both.pem
  ok "a key that always authenticates is put on a token" env SOFTHSM2_CONF="$embedded/softhsm2.conf" \
    pkcs11-tool --module "$(find /usr/lib -name libsofthsm2.so | head -n 1)" --token-label signet --login --pin "$pin" \
    --write-object hugo.der --type privkey --id 77 --usage-sign --usage-decrypt --always-auth
  exits 8 "--shred of a file with the same key" import --token signet --shred hugo-both.pem
  says err "not tried yet, since the token wants the PIN for each use" "for that reason"
  [[ -s hugo-both.pem ]]
  result $? "leaves the file"
else
  skip "a key that always authenticates" "pkcs11-tool is not installed"
fi

# --- several keys, and a run that is broken off --------------------------------------------------

for who in k1 k2 k3; do
  openssl req -x509 -newkey rsa:2048 -nodes -keyout $who.key -out $who.pem -days 9 -subj "/CN=$who" \
    -addext "subjectAltName=email:$who@example.org" 2>/dev/null
done
cat k1.pem k1.key k2.pem k2.key k3.pem k3.key >three.pem
start=$(date +%s%N)
exits 0 "three keys in one file" import --token second three.pem
took=$((($(date +%s%N) - start) / 1000000))
echo "# three RSA keys of a PEM file in $took ms"
((took < 4000))
result $? "in less than 1 s (4 s on a busy machine)"
is "$(grep -c 'is on token "second", with 1 certificate' "$work/out")" 3 "all three are there"
for who in k4 k5 k6; do
  openssl req -x509 -newkey rsa:2048 -nodes -keyout $who.key -out $who.crt -days 9 -subj "/CN=$who" \
    -addext "subjectAltName=email:$who@example.org" 2>/dev/null
  cat $who.key $who.crt >$who.pem
done
if ok "a .p12 with three keys is made" "$SIGNET_TEST_BUILD/tests/p12-many" three.p12 "$phrase" k4.pem k5.pem k6.pem; then
  is "$(openssl pkcs12 -in three.p12 -passin "pass:$phrase" -nodes -nocerts 2>/dev/null | grep -c 'BEGIN PRIVATE')" 3 \
    "openssl finds them in it"
  start=$(date +%s%N)
  exits 0 "three keys in one .p12" import --token second three.p12
  took=$((($(date +%s%N) - start) / 1000000))
  echo "# three RSA keys of a .p12 in $took ms"
  ((took < 4000))
  result $? "in less than 1 s (4 s on a busy machine)"
  is "$(grep -c 'is on token "second", with 1 certificate' "$work/out")" 3 "all three are there"
fi

# Killed at moments spread over the whole of it; then it is run again, and all is there once.
pair() { # pair NAME: NAME.pem, two people's keys and certificates
  local who
  for who in "$1a" "$1b"; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$who.key" -out "$who.crt" -days 9 \
      -subj "/CN=$who" -addext "subjectAltName=email:$who@example.org" 2>/dev/null
    cat "$who.crt" "$who.key"
  done >"$1.pem"
}
killed() { # killed NAME SECONDS: the import of NAME.pem
  local pid
  signet --no-input import --token second "$1.pem" >/dev/null 2>&1 &
  pid=$!
  sleep "$2"
  kill -KILL $pid 2>/dev/null
  wait $pid
} 2>/dev/null
pair whole
start=$(date +%s%N)
exits 0 "two people in one file" import --token second whole.pem
took=$((($(date +%s%N) - start) / 1000))
partial=0
for part in 30 45 60 70 80 90; do
  pair "p$part"
  killed "p$part" "$(printf '0.%06d' $((took * part / 100)))"
  for who in "p${part}a" "p${part}b"; do signet_ --json id show "$who@example.org" 2>/dev/null; done >"$work/out"
  there=$(grep -o '"key":\|"fingerprint":' "$work/out" | wc -l)
  if ((there > 0 && there < 4)); then partial=$((partial + 1)); fi
  exits 0 "killed after $part % of the time, with $there of 4 things there, the import is repeated" \
    import --token second "p$part.pem"
  for who in "p${part}a" "p${part}b"; do
    signet_ --json id show "$who@example.org" >"$work/out" 2>"$work/err"
    is "$(grep -o '"key":\|"fingerprint":' "$work/out" | tr '\n' ' ')" '"key": "fingerprint": ' "$who: one key, one certificate"
  done
done
echo "# $partial of 6 were cut in the middle"

# --- at a terminal ------------------------------------------------------------------------------

if command -v expect >/dev/null; then
  person_types() { # person_types SCRIPT: at a terminal of 80 columns
    printf 'set timeout 20\nset stty_init "columns 80 rows 24"\n%s\nexpect eof; lassign [wait] a b c status; exit $status\n' \
      "$1" >script.exp
    TERM=xterm timeout 60 expect -f script.exp >"$work/out" 2>"$work/err" </dev/null
  }
  openssl pkcs12 -export -in k1.pem -inkey k1.key -out typed.p12 -passout pass:typed
  signet_ token lock >/dev/null
  exits 0 "the passphrase is asked for, three times, then the PIN" person_types '
spawn signet import --token second typed.p12
expect "Passphrase of typed.p12"; send "wrong\r"
expect "Passphrase of typed.p12"; send "wrong\r"
expect "Passphrase of typed.p12"; send "typed\r"
expect "PIN of token \"second\""; send "'"$pin"'\r"'
  says out "key rsa:2048: k1@example.org" "what is in the file was shown before the PIN"
  exits 5 "and no more often" person_types '
spawn signet import --token second typed.p12
expect "Passphrase of typed.p12"; send "wrong\r"
expect "Passphrase of typed.p12"; send "wrong\r"
expect "Passphrase of typed.p12"; send "wrong\r"'
else
  skip "at a terminal" "expect is not installed"
fi
signet_ token lock >/dev/null
exits 5 "the wrong PIN" timeout 60 signet --no-input import --token second three.pem --pin-fd 9 9<<<000000
says err "PIN is wrong" "says so"
exits 0 "the right one" with_pin import --token second three.pem

# --- what must not be left about ------------------------------------------------------------------

! grep -r -a -q -F -e "$phrase" "$XDG_STATE_HOME" "$XDG_DATA_HOME" "$XDG_CONFIG_HOME" "$XDG_RUNTIME_DIR" 2>/dev/null
result $? "no file of ours has the passphrase"
# The public half is in the catalogue; of the private one, a prime in binary and its lines in PEM.
prime=$(openssl rsa -in s.key -noout -text 2>/dev/null | sed -n '/^prime1/,/^prime2/p' | sed -n 3,5p | tr -d ' :\n')
find "$XDG_STATE_HOME" "$XDG_DATA_HOME" "$XDG_RUNTIME_DIR" -type f -print0 |
  while IFS= read -r -d '' file; do od -An -v -tx1 "$file" | tr -d ' \n' | grep -q -F -e "$prime" && echo "$file"; done >found
is "${#prime} $(cat found)$(grep -r -l -F -e "$(sed -n 20p s.key)" "$XDG_STATE_HOME" "$XDG_DATA_HOME" 2>/dev/null)" "90 " "nor the key"
# While a file is open that takes long: a process does it that shows neither.
openssl pkcs12 -export -in alice.pem -inkey alice.key -out slow.p12 -passout "pass:$phrase" -iter 1500000
import slow.p12 >slow.log 2>&1 &
slow=$!
seen=0
for _ in {1..100}; do
  for pid in $(our_processes signet-token signetd signet); do
    if tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q -e --transfer; then seen=1; fi
    grep -a -l -F -e "$phrase" "/proc/$pid/cmdline" "/proc/$pid/environ" 2>/dev/null
  done >>shown
  if ((seen)) && [[ ! -d /proc/$slow ]]; then break; fi
  sleep 0.1
done 2>/dev/null
wait $slow
result $? "1,500,000 iterations"
is "$seen" 1 "a process opens it"
is "$(cat shown)" "" "that shows no passphrase"
left=$(for pid in $(our_processes signetd signet-token); do
  grep -a -l -F -e "$phrase" "/proc/$pid/cmdline" "/proc/$pid/environ" 2>/dev/null
done)
is "$left" "" "nor does a process show it"
is "$(for pid in $(our_processes signet-token); do tr '\0' ' ' <"/proc/$pid/cmdline"; done | grep -c -e --transfer)" 0 "no process that opened files is left"
finish
