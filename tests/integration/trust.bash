#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Whom signet trusts for mail: the list that comes with NSS, compared with NSS's own tool; roots
# added, removed, distrusted; why a chain is not trusted; and the word 30 days ahead.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
mine=$XDG_CONFIG_HOME/signet/trust.d
conf=$XDG_CONFIG_HOME/signet/signet.conf
kept=$XDG_STATE_HOME/signet/mail-roots

# --- the roots that come with NSS ---------------------------------------------------------------
module=
for module in /usr/lib/*/nss/libnssckbi.so /usr/lib/*/libnssckbi.so; do
  if [[ -e $module ]]; then break; fi
done
if [[ -e $module ]]; then
  exits 0 "the roots are listed" signet_ --json trust list
  ours=$(grep -o '"place":"module"' out | wc -l)
  mkdir nss && certutil -N -d sql:nss --empty-password &&
    modutil -dbdir sql:nss -add roots -libfile "$module" -force >/dev/null 2>&1
  theirs=$(certutil -L -d sql:nss -h all 2>/dev/null | awk '{ split($NF, f, ","); n += f[2] ~ /C/ } END { print n }')
  is "$ours" "$theirs" "as many as NSS itself trusts for mail"
  is "$(grep -o '"fingerprint":"[0-9a-f]*"' out | sort -u | wc -l)" "$ours" "each once"
  says out '"problem":null' "nothing is wrong with them"
  ok "the list is kept" test -s "$kept"
  before=$(stat -c %i "$kept")
  exits 0 "and listed again" signet_ trust list
  is "$(stat -c %i "$kept")" "$before" "without asking the module again"
  says out 'NSS, 20[0-9][0-9]-' "each says from when it is"
  printf 'junk' >"$kept"
  exits 0 "a damaged list is made anew" signet_ trust list
  ok "by the module" test "$(stat -c %s "$kept")" -gt 1000
  if command -v script >/dev/null; then
    script -q -c 'stty cols 80; signet trust list' /dev/null </dev/null | tr -d '\r' | sed 's/\x1b\[[0-9;]*m//g' >wide
    ok "on a terminal the table fits 80 columns" test "$(wc -L <wide)" -le 80 -a "$(wc -l <wide)" -gt "$ours"
  fi
  exits 4 "a name that fits several is ambiguous" signet_ trust remove certum
  says err '^  [0-9a-f]{16}  Certum' "which are listed"
  exits 0 "a root of NSS's is distrusted" signet_ trust remove "certum trusted network ca"
  says out "trust.d/distrust" "by a line in the person's list"
  exits 0 "the list says so" signet_ trust list
  says out 'Certum Trusted Network CA .*distrusted' "beside its name"
  exits 0 "why says it, too" signet_ --json trust why "$(head -c 16 "$mine/distrust")"
  says out '"trusted":false.*is distrusted by' "with the file"
  rm "$mine/distrust"
else
  skip "roots of NSS" "libnss3 is not installed"
fi
mkdir -p "${conf%/*}"
printf '[trust]\nmail-roots=off\n' >"$conf"
exits 0 "they can be switched off" signet_ --json trust list
says out '"roots":\[\]' "and none is trusted then"
printf '[trust]\nmail-roots=%s\n' "$work/no.so" >"$conf"
exits 0 "a module that is not there" signet_ trust list
says err "no.so, is not there" "is said"
printf 'no module' >no.so
exits 0 "one that is no module" signet_ trust list
says err "no.so" "is said"

# --- chains -------------------------------------------------------------------------------------
exec 2>>openssl.log
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; }
make_ca() { # make_ca NAME [ISSUER [EXTENSION…]]
  local name=$1 issuer=${2:-} extension more=()
  shift 2 || shift
  for extension in "$@"; do more+=(-addext "$extension"); done
  key "$name"
  openssl req -x509 -key "$name.key" -subj "/CN=$name/O=Example" -days 99 -out "$name.pem" \
    ${issuer:+-CA "$issuer.pem" -CAkey "$issuer.key"} -addext keyUsage=critical,keyCertSign,cRLSign "${more[@]}"
}
leaf() { # leaf NAME ISSUER [OPTION…]
  local name=$1 issuer=$2
  shift 2
  key "$name"
  openssl req -new -key "$name.key" -subj "/CN=$name" -out "$name.csr"
  printf '%s\n' 'basicConstraints=critical,CA:FALSE' 'keyUsage=critical,digitalSignature' \
    'extendedKeyUsage=emailProtection' 'subjectAltName=email:alice@example.org' \
    'authorityInfoAccess=caIssuers;URI:http://ca.example.org/middle.cer' >leaf.ext
  openssl x509 -req -in "$name.csr" -CA "$issuer.pem" -CAkey "$issuer.key" -extfile leaf.ext -out "$name.pem" \
    -days 20 "$@"
}
old_leaf() { # old_leaf NAME ISSUER: ended in 2021
  key "$1"
  openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
  printf '[ca]\ndefault_ca=d\n[d]\nnew_certs_dir=.\ndatabase=index\nserial=serial\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n' >ca.conf
  : >index
  echo 01 >serial
  openssl ca -batch -config ca.conf -cert "$2.pem" -keyfile "$2.key" -in "$1.csr" -extfile leaf.ext \
    -startdate 200101000000Z -enddate 210101000000Z -notext -out "$1.pem" >/dev/null
}
make_ca root
make_ca middle root
leaf alice middle
old_leaf old root
leaf bob alice # by one who is no CA
make_ca servers "" extendedKeyUsage=serverAuth
leaf web servers
mail alice@example.org >mail.eml
sign_mail() { openssl cms -sign -in mail.eml -signer "$1.pem" -inkey "$1.key" -out "$2" "${@:3}" -from alice@example.org; }
sign_mail alice bare.eml
sign_mail alice whole.eml -certfile middle.pem
cat alice.pem middle.pem >two.pem
cat alice.pem middle.pem root.pem >three.pem
printf '[trust]\nmail-roots=off\n' >"$conf"

exits 0 "why, with the intermediate missing" signet_ trust why bare.eml
says out '^\? CN=middle|^\? O=Example,CN=middle' "the missing issuer heads the tree"
says out 'http://ca.example.org/middle.cer' "where it is to be had is told"
says out '^Try: signet trust add FILE' "and what to type"
exits 0 "why, with an unknown root" signet_ --json trust why whole.eml
says out '"trusted":false.*no trusted root' "it says so"
says out '"name":"middle"' "after the intermediate"
exits 0 "why, with the root beside it" signet_ trust why three.pem
says out 'root, .*is not trusted for mail' "it is not trusted"
exits 3 "verify agrees" signet_ verify whole.eml
exits 0 "why of an old one" signet_ trust why old.pem
says out 'expired on 2021-01-01' "says when it ended"
cat bob.pem alice.pem middle.pem >chain.pem
exits 0 "why of one that no CA issued" signet_ trust why chain.pem
says out 'may not issue certificates' "says who may not"
exits 1 "what is neither certificate nor signed mail" signet_ trust why mail.eml
exits 1 "no such file" signet_ trust why ./nothing.pem

# --- adding and removing ------------------------------------------------------------------------
exits 8 "nothing is trusted without a yes" signet_ trust add root.pem
says err 'signet trust add root.pem --yes' "which is said"
# Without basicConstraints OpenSSL takes any self-signed certificate for a CA's.
leaf mallory root
cp mallory.csr self.csr
openssl x509 -req -in self.csr -signkey mallory.key -days 9 -out one.pem # version 1
cp mallory.key one.key
leaf ceo one
sign_mail ceo ceo.eml -certfile one.pem
exits 0 "a person's own certificate of version 1" signet_ trust add one.pem --yes
says out 'only signatures made with it' "stands for its holder"
exits 3 "and vouches for nobody else" signet_ verify ceo.eml
says out 'mallory may not issue certificates' "which verify says"
cat ceo.pem one.pem >chain.pem
exits 0 "as does why" signet_ --json trust why chain.pem
says out '"trusted":false.*mallory may not issue' "by the same words"
sign_mail one mallory.eml
signet_ verify mallory.eml >"$work/out" 2>&1
says out 'trust.d/' "its holder's own mail is trusted"
signet_ trust remove mallory >/dev/null
exits 8 "a person's certificate of a CA is no root" signet_ trust add alice.pem --yes
if command -v expect >/dev/null; then
  answer() { # answer WORD: to the question on a terminal
    expect -c "set timeout 20; spawn -noecho signet trust add root.pem; expect {Trust it for mail?}; send \"$1\\r\"
      expect eof; exit [lindex [wait] 3]"
  }
  exits 5 "on a terminal it asks; no" answer n
  is "$(find "$mine" -name "*.pem" 2>/dev/null)" "" "adds nothing"
  exits 0 "yes" answer y
  says out 'Added: root' "adds it"
  exits 0 "which is taken back" signet_ trust remove root
else
  skip "the question on a terminal" "expect is not installed"
fi
exits 0 "a root is added" signet_ trust add root.pem --yes
fingerprint=$(openssl x509 -in root.pem -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr A-F a-f)
says out "$fingerprint" "its fingerprint is shown, as openssl says it"
says out 'for any address' "and what it means"
ok "in a file of that name" test -s "$mine/$fingerprint.pem"
exits 0 "once more" signet_ trust add root.pem --yes
says out 'Already trusted' "is said"
exits 0 "the mail is good now" signet_ --json verify whole.eml
says out '"verdict":"good"' "says the verdict"
exits 3 "not without the intermediate" signet_ verify bare.eml
exits 0 "the intermediate is added" signet_ trust add middle.pem --yes
says out 'not a root' "as what it is"
exits 0 "and completes the chain" signet_ verify bare.eml
exits 0 "why says what by" signet_ trust why bare.eml
says out 'Trusted for mail' "it is trusted"
exits 0 "a root for servers is warned of" signet_ trust add servers.pem --yes
says out 'not for mail' "in words"
exits 0 "why one of its is not trusted" signet_ trust why web.pem
says out 'may not issue certificates for mail' "says the root's purpose"
openssl req -x509 -key bob.key -subj /CN=Self -days 20 -addext subjectAltName=email:bob@example.org \
  -addext basicConstraints=critical,CA:FALSE -out self.pem
exits 0 "a self-signed certificate is its own anchor" signet_ trust add self.pem --yes
says out 'its own$|its own ' "which is said"
exits 0 "it is trusted" signet_ trust why self.pem
says out 'Trusted for mail' "alone"
exits 0 "the root is removed by its name" signet_ --json trust remove root
says out '"removed":true' "it says so"
exits 3 "the mail is not trusted any more" signet_ verify whole.eml
exits 4 "what is not there cannot be removed" signet_ trust remove root
printf 'junk\n' >"$mine/distrust"
exits 1 "a list of distrusted ones that cannot be read" signet_ verify whole.eml
says err 'trust.d/distrust, line 1' "stops everything, with its line"
rm "$mine/distrust"

# --- 30 days ahead ------------------------------------------------------------------------------
ok "a soft token" soft_token it
ok "an ID that ends in 10 days" with_pin id new alice@example.org --key ec:p256 --no-backup --self-signed 10
ok "another that does not" with_pin id new bob@example.org --key ec:p256 --no-backup --self-signed 365
ok "sign goes on" with_pin sign -o signed.eml mail.eml
says err 'alice@example.org ends on 20.*signet id renew alice@example.org' "with a word about the end"
ok "in JSON, too" with_pin --json sign -o signed.eml mail.eml
says out '"warning":"the certificate of alice|"warning": *"the certificate of alice' "as a field"
mail bob@example.org >bob.eml
ok "not for the other" with_pin sign -o signed.eml bob.eml
says_not err 'renew' "nothing is said"
exits 0 "status names it" signet_ status
says out 'alice@example.org ends on' "instead of all is well"
says_not out 'All is well|bob@' "and only it"
exits 0 "status in JSON" signet_ --json status
says out '"expiring":\[\{"id":"alice@example.org"' "as a list"
exits 0 "IDs that end within 30 days" signet_ --json id list --expires-within 30
says out 'alice@example.org' "one"
says_not out 'bob@example.org' "not the other"
exits 0 "within 5 days: none, which is no failure" signet_ --json id list --expires-within 5
says out '"ids":\[\]' "an empty list"
exits 0 "any number of days" signet_ --json id list --expires-within 999999999
says out 'bob@example.org' "takes all"
exits 0 "why an own ID is not trusted" signet_ trust why alice@example.org
says out 'self-signed and not trusted for mail' "says it"
finish
