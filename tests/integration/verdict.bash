#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# What is said of mail that openssl signed: one line of a table for each kind of signer and sender, with
# verdict, exit status, what a person reads and what a program does.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
mine=$XDG_CONFIG_HOME/signet/trust.d
conf=$XDG_CONFIG_HOME/signet/signet.conf
mkdir -p "$mine"
settings() { printf '[trust]\nmail-roots=off\n%s' "$*" >"$conf"; }
settings

# --- certificates -------------------------------------------------------------------------------
exec 2>>openssl.log
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.key
openssl genrsa -out rsa.key 2048
openssl genrsa -out short.key 1024
printf '[ca]\ndefault_ca=d\n[d]\nnew_certs_dir=.\ndatabase=index\nserial=serial\ndefault_md=sha256\npolicy=p\nunique_subject=no\ncopy_extensions=none\n' >ca.conf
printf '[p]\ncommonName=optional\nemailAddress=optional\n[req]\ndistinguished_name=dn\n[dn]\n' >>ca.conf
: >index
echo 1000 >serial
ca_of() { # ca_of NAME [ISSUER [EXTENSION…]]: its key is NAME.key
  local name=$1 issuer=${2:-} extension more=()
  shift 2 || shift
  for extension in "$@"; do more+=(-addext "$extension"); done
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$name.key"
  openssl req -x509 -key "$name.key" -subj "/CN=$name" -days 99 -out "$name.pem" ${issuer:+-CA "$issuer.pem" -CAkey "$issuer.key"} \
    -addext keyUsage=critical,keyCertSign,cRLSign "${more[@]}"
}
utc() { date -u -d "$1" +%Y%m%d%H%M%SZ; }
key=ec.key from='-9 days' until='+90 days' subject='' digest=sha256
leaf() { # leaf NAME ISSUER [EXTENSION…], by `key`, `from`, `until`, `subject` and `digest`
  local name=$1 issuer=$2
  shift 2
  printf '%s\n' "$@" >leaf.ext
  [[ $* = *keyUsage=* ]] || echo keyUsage=critical,digitalSignature >>leaf.ext
  [[ $* = *extendedKeyUsage=* ]] || echo extendedKeyUsage=emailProtection >>leaf.ext
  openssl req -new -config ca.conf -key "$key" -subj "${subject:-/CN=$name}" -out leaf.csr
  openssl ca -batch -config ca.conf -cert "$issuer.pem" -keyfile "$issuer.key" -in leaf.csr -extfile leaf.ext -md "$digest" \
    -startdate "$(utc "$from")" -enddate "$(utc "$until")" -notext -preserveDN -out "$name.pem"
  cp "$key" "$name.key"
}
alice=subjectAltName=email:alice@example.org
ca_of root
cp root.pem "$mine/root.pem"
ca_of middle root
ca_of foe
ca_of bound root "nameConstraints=critical,permitted;email:example.net"
leaf alice root $alice
from='-90 days' until='-9 days' leaf old root $alice
from='+9 days' leaf young root $alice
key=rsa.key leaf rsa root $alice
key=short.key leaf short root $alice
digest=sha1 leaf sha1 root $alice
leaf web root $alice extendedKeyUsage=serverAuth
leaf any root $alice extendedKeyUsage=anyExtendedKeyUsage
leaf any-seal root $alice extendedKeyUsage=anyExtendedKeyUsage keyUsage=critical,keyAgreement
leaf seal root $alice keyUsage=critical,keyEncipherment,keyAgreement
leaf ca-signs root $alice basicConstraints=critical,CA:TRUE keyUsage=critical,digitalSignature,keyCertSign
leaf ca-only root $alice basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign
leaf card root basicConstraints=CA:FALSE
leaf several root subjectAltName=email:al@example.net,email:alice@example.org,email:a@example.com
subject=/CN=Alice/emailAddress=alice@example.org leaf by-subject root basicConstraints=CA:FALSE
leaf mallory root subjectAltName=email:mallory@evil.com
leaf lookalike root subjectAltName=email:alice@example.org.evil.com
leaf nul root "subjectAltName=DER:302181$(printf '1f')$(printf 'alice@example.org\0.evil.com....' | head -c 31 | od -An -v -tx1 | tr -d ' \n')"
leaf far middle $alice
leaf foes foe $alice
leaf outside bound $alice
subject=/emailAddress=alice@example.org leaf outside-subject bound basicConstraints=CA:FALSE
leaf within bound subjectAltName=email:alice@example.net
leaf known foe $alice
subject=$'/CN=Alice\e[31m\xe2\x80\xaegro.live' leaf bidi root $alice
openssl req -x509 -key ec.key -subj /CN=Self -days 9 -addext $alice -addext basicConstraints=critical,CA:FALSE -out self.pem
cp ec.key self.key

# --- mail ---------------------------------------------------------------------------------------
printf 'Content-Type: text/plain\n\nLunch? The word is marzipan.\n' >text
by() { # by NAME OPTION…: the signed part
  openssl cms -sign -in text -signer "$1.pem" -inkey "$1.key" "${@:2}"
}
from() { printf 'From: %s\nTo: bob@example.org\nSubject: Lunch\n' "$1"; }
put() { # put FILE FROM NAME OPTION…
  { from "$2" && by "${@:3}"; } >"$1.eml"
}
opaque() { # a mail of the DER on standard input
  from alice@example.org
  printf 'MIME-Version: 1.0\nContent-Type: application/pkcs7-mime; smime-type=signed-data\nContent-Transfer-Encoding: base64\n\n'
  base64
}
spoil() { # the last byte, which is of a signature
  local n
  n=$(($(stat -c %s "$1") - 1))
  # shellcheck disable=SC2059  # a byte by its number
  printf "\\x$(printf %02x $(($(tail -c 1 "$1" | od -An -tu1) ^ 1)))" | dd of="$1" bs=1 seek=$n conv=notrunc
}

: >table
judged() { # judged "what" VERDICT HUMAN JSON [FILE]: FILE is the last mail made
  local what=$1 want=$2 status=3 file=${5:-mail.eml} said
  if [[ $want = good ]]; then status=0; fi
  exits $status "$what: exit $status" signet_ --json verify "$file"
  is "$(member verdict out)" "$want" "$what: $want"
  says out "$4" "$what: told to programs"
  signet_ verify "$file" >"$work/out" 2>"$work/err"
  says out "$3" "$what: told to people"
  said=$(head -n 1 out)
  printf '%-34s | %-10s | %d | %s\n' "$what" "$want" $status "$said" >>table
}
by_one() { # by_one "what" NAME VERDICT HUMAN JSON [OPTION…]
  put mail alice@example.org "$2" "${@:6}"
  judged "$1" "$3" "$4" "$5"
}

# The expired one first: it is valid while it signs, and not any more at the end.
until='+5 seconds' leaf brief root $alice
put brief alice@example.org brief

good='^Signed by alice@example.org, trusted by CN=root \(trust.d/root.pem\)'
by_one "a good one" alice good "$good" '"address":"same","sender":null,"valid_then":true,"valid_now":true,"expired":null'
ok "what its signer can read is kept" grep -q "^$(openssl x509 -in alice.pem -outform DER | sha256sum | cut -c 1-64) [0-9]* aes-256" "$XDG_STATE_HOME/signet/seen-ciphers"
by_one "its revocation: nowhere to ask" alice good '^  Revoked +not checked \(.*\)$' '"revocation":\{"state":"unknown","subject":"CN=alice"'
by_one "its trust" alice good '^  Trusted by +CN=root' '"trust":\{"trusted":true,"by":"root","root":"CN=root \(trust.d/root.pem\)".*"path":\[\{"subject":"CN=alice"'
by_one "opaque" alice good "$good" '"uncovered":\[\]' -nodetach
by_one "changed" alice good "$good" '"outside":false'
sed -i s/marzipan/nougat/ mail.eml
judged "one word changed" bad '^The signature is bad: the content was changed after signing' '"signature":"bad"'
says_not out 'Trusted by' "one word changed: nobody is said to vouch for it"

# algorithms
by_one "SHA-1" rsa bad '^The signature proves nothing: it was made with SHA-1, which is broken' '"weak":true' -md sha1
by_one "MD5" rsa bad '^The signature proves nothing: it was made with MD5, which is broken' '"weak":true' -md md5
by_one "RSA of 1024 bits" short bad '^The signature proves nothing: its key of 1024 bits is too short' '"weak":true'
by_one "certified with SHA-1" sha1 untrusted 'CN=sha1 is signed with a broken hash' '"trusted":false'

# dates
by_one "expired, signed today" old untrusted 'the certificate of CN=old expired on 20' '"valid_then":false,"valid_now":false'
by_one "not yet valid" young untrusted 'CN=young is valid only from 20' '"valid_then":false,"valid_now":false'
by_one "no signing time" alice good "$good" '"signing_time":null' -noattr

# what it is for
by_one "for servers only" web untrusted 'the certificate of CN=web is not for signing mail' '"by":null'
by_one "for anything, mail too" any good "$good" '"by":"root"'
by_one "for anything but signing" any-seal untrusted 'CN=any-seal is not for signing mail' '"by":null'
by_one "for sealing only" seal untrusted 'the certificate of CN=seal is not for signing mail' '"trusted":false'
by_one "a CA that signs mail, too" ca-signs good "$good" '"trusted":true'
by_one "a CA that may not" ca-only untrusted 'CN=ca-only is not for signing mail' '"trusted":false'

# addresses
by_one "no address" card no-address '^Signed by card, whose certificate has no address to compare' '"address":"absent"'
by_one "several addresses" several good "$good" '"address":"same"'
by_one "in the subject only" by-subject good "$good" '"addresses":\["alice@example.org"\]'
by_one "another person" mallory mismatch '^Signed by mallory@evil.com, but the message says it comes from alice@example.org\.' '"address":"differs"'
by_one "alice@example.org.evil.com" lookalike mismatch '^Signed by alice@example.org.evil.com, but' '"address":"differs"'
by_one "NUL in the address" nul no-address 'has no address to compare' '"addresses":\[\]'
put mail Alice@example.org alice
judged "Alice@ for alice@" mismatch '^Signed by alice@example.org, but the message says it comes from Alice@' '"address":"differs"'
put mail alice@EXAMPLE.ORG alice
judged "the domain in capitals" good '^Signed by alice@example.org, trusted' '"address":"same"'
put mail $'alice@example.org\nFrom: mallory@evil.com' alice
judged "two From lines" mismatch '^Signed by alice@example.org, but the message does not come from one address' '"address":"unclear"'
put mail $'alice@example.org\nFrom: alice@example.org' alice
judged "the same From twice" mismatch '^  Careful +the mail has more than one From address' '"address":"unclear"'
put mail 'alice@example.org, mallory@evil.com' alice
judged "two people in From" mismatch 'does not come from one address' '"from":null'
put mail '"alice@example.org" <mallory@evil.com>' mallory
judged "an address as a name" mismatch "^Signed by mallory@evil.com, but the name beside the sender's address shows another" '"display_address":true'
put mail '"alice@example.org" <alice@example.org>' alice
judged "the same address as a name" good "$good" '"display_address":false'
put mail $'alice@example.org\nSender: secretary@example.org' alice
judged "Sender differs" good '^  Sender +secretary@example.org, as the mail says; the signature does not' '"sender":"secretary@example.org".*"sender":"differs"'
put mail $'boss@example.org\nSender: alice@example.org' alice
judged "signed by the Sender" mismatch 'the message says it comes from boss@example.org' '"address":"differs","sender":"same"'
by alice >mail.eml
judged "no From" good '^  Not checked +the mail has no From address' '"address":"unclear"'

# chains
by_one "intermediate missing" far untrusted 'CN=far was issued by CN=middle, which is neither trusted' '"missing":"CN=middle"'
by_one "intermediate inside" far good "$good" '"subject":"CN=middle"' -certfile middle.pem
by_one "an unknown root" foes untrusted 'CN=foe, is not trusted for mail' '"trusted":false' -certfile foe.pem
ok "nothing is kept of who is not trusted" test "$(grep -c "^$(openssl x509 -in foes.pem -outform DER | sha256sum | cut -c 1-64)" "$XDG_STATE_HOME/signet/seen-ciphers")" = 0
by_one "self-signed" self untrusted 'CN=Self is self-signed and not trusted' '"trusted":false'
cp self.pem "$mine/self.pem"
by_one "self-signed, confirmed" self good '^Signed by alice@example.org, whose own certificate is trusted: CN=Self \(trust.d/self.pem\)' '"by":"person"'
cp known.pem "$mine/known.pem"
by_one "of an unknown CA, confirmed" known good 'whose own certificate is trusted: CN=known \(trust.d/known.pem\)' '"by":"person"'
by_one "that CA's other certificates" foes untrusted 'CN=foe' '"trusted":false' -certfile foe.pem
by_one "outside its CA's names" outside untrusted 'for a name or an address that its CA may not issue for' '"trusted":false' -certfile bound.pem
by_one "so, in the subject only" outside-subject untrusted 'that its CA may not issue for' '"trusted":false' -certfile bound.pem
put mail alice@example.net within -certfile bound.pem
judged "within its CA's names" good '^Signed by alice@example.net, trusted by CN=root' '"trusted":true'
mkdir -p away && mv "$mine/root.pem" away/
by_one "the root taken away" alice untrusted 'CN=alice was issued by CN=root, which is neither' '"missing":"CN=root"'
put mail mallory@evil.com alice
judged "that, and another address" mismatch 'comes from mallory@evil.com; and the certificate is not trusted' '"verdict":"mismatch"'
mv away/root.pem "$mine/"

# several signers, and none
from alice@example.org >mail.eml
by alice -signer rsa.pem -inkey rsa.key >>mail.eml
judged "two signatures" good '^2 signatures, all good\. Signed by alice@' '"signatures":\[\{"verdict":"good".*\{"verdict":"good"'
by alice -signer rsa.pem -inkey rsa.key -nodetach -outform DER -out two.der
spoil two.der
opaque <two.der >mail.eml
judged "two, one of them bad" bad '^2 signatures, not all good\. The signature is bad' '"verdict":"good"'
says out '^Signature 1 of 2: ' "two, one of them bad: each is told"
from alice@example.org >mail.eml
by alice -signer mallory.pem -inkey mallory.key >>mail.eml
judged "two people" mismatch '^2 signatures, not all good\. Signed by mallory@' '"verdict":"good"'
by alice -nocerts -nodetach -outform DER | opaque >mail.eml
judged "certificate not inside" unknown "^The signature cannot be checked" '"signature":"unknown"'
openssl crl2pkcs7 -nocrl -certfile alice.pem -outform DER | opaque >mail.eml
judged "certificates, no signer" unsigned '^Not signed' '"signatures":\[\]'
from alice@example.org | cat - text >mail.eml
judged "no signature" unsigned '^Not signed\.' '"verdict":"unsigned"'

# revocation, of files alone
: >index
openssl ca -config ca.conf -cert root.pem -keyfile root.key -gencrl -crldays 9 -out none.crl
openssl ca -config ca.conf -cert root.pem -keyfile root.key -revoke alice.pem -crl_reason keyCompromise
openssl ca -config ca.conf -cert root.pem -keyfile root.key -gencrl -crldays 9 -out root.crl
settings "revocation=off
crl-files=$work/none.crl
"
by_one "not revoked, by a CRL" alice good "$good"'\.$' '"state":"not-revoked"'
says out '^  Revoked +no, says ' "not revoked, by a CRL: by whose word"
settings "revocation=off
crl-files=$work/root.crl
"
by_one "revoked" alice untrusted 'but the certificate was revoked on 20.*keyCompromise' '"state":"revoked".*"revoked_at":"20'
says out '^  Revoked +on 20.*keyCompromise\), says ' "revoked: by whose word"
exits 0 "revoked: trust why" signet_ trust why alice.pem
says out '✗ it was revoked on 20' "revoked: says it at the certificate"
settings "revocation=hard
"
by_one "nobody to ask, hard" alice untrusted 'could not be checked .*and the setting revocation=hard' '"state":"unknown"'
settings "revocation=perhaps
"
exits 1 "a setting that is wrong" signet_ verify mail.eml
says err 'revocation' "is named"
settings

# names that would draw on the terminal
by_one "control and bidi characters" bidi good "$good" '"subject":"CN=Alice'
ok "reach neither terminal" test -z "$(tr -d '\n[:print:]éüß–—' <out | tr -d '\200-\377')"
says_not out $'\u202e' "nor turn it round"

# an issuer that the mail lacks, from where the certificate says that it is
openssl x509 -in middle.pem -outform DER -out middle.cer
perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 5) or die;
  $| = 1; print $s->sockport, "\n"; open F, "<:raw", "middle.cer"; local $/; $der = <F>; alarm 60;
  while ($c = $s->accept) { { local $/ = "\n"; while (<$c>) { last if /^\r?$/ } }
    print $c "HTTP/1.0 200 OK\r\nContent-Length: ", length $der, "\r\n\r\n", $der; close $c }' >port &
server=$!
for _ in {1..100}; do if [[ -s port ]]; then break; else sleep 0.05; fi; done
leaf fetched middle $alice "authorityInfoAccess=caIssuers;URI:http://127.0.0.1:$(cat port)/middle.cer"
settings "local-urls=yes
"
by_one "its issuer to be fetched, not asked" fetched untrusted 'CN=fetched was issued by CN=middle' '"missing":"CN=middle"'
exits 0 "trust why without the network" signet_ trust why mail.eml
says out '\(--fetch does' "says how to get it"
exits 0 "trust why --fetch" signet_ trust why --fetch mail.eml
says out '^Trusted for mail' "gets it"
kill "$server" && wait "$server"
by_one "its issuer fetched once, by then" fetched good "$good" '"subject":"CN=middle"'
settings

# what became of the first
for _ in {1..100}; do
  if openssl x509 -in brief.pem -noout -checkend 0 >/dev/null; then sleep 0.1; else break; fi
done
judged "expired since it was signed" good 'CN=brief expired on 20.*, after it was signed \(on 20.*, says the signer\)' \
  '"valid_then":true,"valid_now":false,"expired":"the certificate of CN=brief expired' brief.eml

if command -v script >/dev/null; then
  put mail mallory@evil.com several
  script -q -c 'stty cols 80; signet verify mail.eml' /dev/null </dev/null | tr -d '\r' | sed 's/\x1b\[[0-9;]*m//g' >wide
  ok "on a terminal it fits 80 columns" test "$(wc -L <wide)" -le 80 -a "$(wc -l <wide)" -gt 5
fi
sed 's/^/# /' table
finish
