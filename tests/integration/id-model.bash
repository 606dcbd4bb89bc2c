#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Which key and certificate an operation takes, for every shape of ID that people hold: keys on the
# token, certificates of an openssl CA with the dates and usages that matter. openssl seals what is
# opened, and confirms what is signed. (One token through two modules: two-modules.bash; many
# certificates: id-many.bash.)
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"

# --- a CA -----------------------------------------------------------------------------------------

ca() { # ca NAME SUBJECT [ISSUER]
  if [[ -v 3 ]]; then
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2"
    openssl x509 -req -in "$1.csr" -CA "$3.pem" -CAkey "$3.key" -days 900 -out "$1.pem" -set_serial 77 \
      -extfile <(printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n')
  else
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.pem" -subj "$2" \
      -days 999 -addext keyUsage=critical,keyCertSign
  fi 2>/dev/null
  mkdir "$1.d" && : >"$1.d/index" && echo 1000 >"$1.d/serial" && echo 'unique_subject=no' >"$1.d/index.attr"
  printf '%s\n' '[ca]' default_ca=d '[d]' "database=$1.d/index" "serial=$1.d/serial" "new_certs_dir=$1.d" \
    default_md=sha256 policy=p copy_extensions=none '[p]' commonName=supplied serialNumber=optional >"$1.conf"
}
day() { date -u -d "$1 days" +%Y%m%d%H%M%SZ; }

# certify OUT KEY FROM UNTIL SUBJECT EXTENSION…: days from now; of the public key in KEY.csr
by=ca
certify() {
  local out=$1 key=$2 from=$3 until=$4 subject=$5
  shift 5
  openssl ca -batch -notext -config "$by.conf" -cert "$by.pem" -keyfile "$by.key" -in "$key.csr" -out "$out.pem" -subj "$subject" \
    -startdate "$(day "$from")" -enddate "$(day "$until")" -extfile <(printf '%s\n' "$@" subjectKeyIdentifier=hash) \
    >/dev/null 2>certify.log || cat certify.log
}
alt() { # alt ADDRESS…: the extension
  local all
  printf -v all ',email:%s' "$@"
  echo "subjectAltName=${all:1}"
}
signs=keyUsage=digitalSignature seals=keyUsage=keyAgreement both=keyUsage=digitalSignature,keyAgreement
mails=extendedKeyUsage=emailProtection logs_in=extendedKeyUsage=clientAuth,1.3.6.1.4.1.311.20.2.2

new_key() { # new_key NAME [TOKEN]: on the token, and its request
  with_pin id new "$1@key.test" --key ec:p256 --no-backup --token "${2:-it}" --csr "$1.csr" >/dev/null 2>&1
}
installed() { with_pin id install "$1.pem" >/dev/null 2>"$work/err" || result 1 "$1 is installed"; }

fingerprint() { openssl x509 -in "$1.pem" -outform DER | sha256sum | cut -d ' ' -f 1; }
serial() { openssl x509 -in "$1.pem" -noout -serial | cut -d = -f 2 | tr -d '\n'; }

# signed_by WHAT CERTIFICATE FROM: mail from there is signed, and openssl says by whom
signed_by() {
  mail "$3" >mail.eml
  rm -f signed.eml signer.pem
  exits 0 "$1" signet_ sign -o signed.eml mail.eml
  openssl cms -verify -in signed.eml -CAfile roots.pem -signer signer.pem -out /dev/null 2>"$work/err"
  result $? "openssl verifies it"
  is "$(fingerprint signer)" "$(fingerprint "$2")" "by $2"
}
# sealed_to WHAT CERTIFICATE FROM: the copy for oneself, as openssl lists its recipients
sealed_to() {
  mail "$3" >mail.eml
  exits 0 "$1" signet_ encrypt --to bob.pem -o sealed.eml mail.eml
  openssl cms -cmsout -print -noout -in sealed.eml | grep -q -i "serialNumber: *0x$(serial "$2")\|serialNumber: $((16#$(serial "$2")))"
  result $? "to $2"
}
opens() { # opens WHAT CERTIFICATE: what openssl sealed to it
  openssl cms -encrypt -aes256 -in mail.eml -out "to-$2.eml" "$2.pem"
  exits 0 "$1" signet_ decrypt -o opened.eml "to-$2.eml"
  ok "whole" cmp <(tr -d '\r' <opened.eml | grep marzipan) <(grep marzipan mail.eml)
}
refused() { # refused STATUS WHAT verb…: with candidates
  exits "$1" "$2" signet_ --json "${@:3}"
}

back() { # back "what" verb…: of a card put back a moment ago; a slow machine may need longer to see it
  for _ in 1 2 3; do
    with_pin "${@:2}" >"$work/out" 2>"$work/err"
    status=$?
    if ((status != 6)); then break; fi
  done
  result "$status" "$1"
}

ca ca "/CN=Mail CA"
ca root "/CN=Root"
ca sub "/CN=Sub" root
cat ca.pem root.pem >roots.pem
trust roots.pem
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout bob.key -out bob.pem -subj /CN=Bob -days 9 \
  -addext "$(alt bob@example.org)" -addext basicConstraints=CA:FALSE 2>/dev/null
soft_token it
mail a@example.org >mail.eml

# --- renewed -----------------------------------------------------------------------------------------

new_key same
certify same-1 same -1500 -1000 "/CN=Rae" $both "$(alt rae@example.org)"
certify same-2 same -300 20 "/CN=Rae" $both "$(alt rae@example.org)"
certify same-3 same -1 300 "/CN=Rae" $both "$(alt rae@example.org)"
for n in 3 1 2; do installed same-$n; done
signed_by "renewed with the same key, the newest signs" same-3 rae@example.org
sealed_to "and receives" same-3 rae@example.org
opens "mail to the expired one opens" same-1
opens "and to the one before" same-2

new_key old
new_key new
certify old-1 old -1500 -1000 "/CN=Kim" $both "$(alt kim@example.org)"
certify old-2 old -300 20 "/CN=Kim" $both "$(alt kim@example.org)"
certify new-1 new -1 300 "/CN=Kim" $both "$(alt kim@example.org)"
installed old-1
mail kim@example.org >mail.eml
refused 4 "an expired one alone signs nothing" sign -o x.eml mail.eml
says out "expired on" "and it says why"
opens "but opens old mail" old-1
for n in old-2 new-1; do installed $n; done
signed_by "renewed with a new key, that one signs" new-1 kim@example.org
sealed_to "and receives" new-1 kim@example.org
opens "mail to the old key opens" old-2
opens "to its expired certificate, too" old-1
opens "and to the new one" new-1

# --- one key to sign, one to receive -----------------------------------------------------------------

new_key signing
new_key sealing
certify signing-1 signing -9 300 "/CN=Sam (signing)" $signs $mails "$(alt sam@example.org)"
certify sealing-1 sealing -1 300 "/CN=Sam (encryption)" $seals $mails "$(alt sam@example.org)"
installed signing-1
mail sam@example.org >mail.eml
exits 0 "one to sign alone: mail is sealed to others" signet_ encrypt --to bob.pem -o sealed.eml mail.eml
says err "for signing only" "not to oneself, which is said"
installed sealing-1
signed_by "split: the one to sign signs" signing-1 sam@example.org
sealed_to "the other receives" sealing-1 sam@example.org
exits 0 "and opens" signet_ decrypt -o opened.eml sealed.eml
opens "mail of others, too" sealing-1
is "$(signet_ --json id show sam@example.org | grep -o '"key": *"[0-9a-f]*"' | sort -u | wc -l)" 2 "they are one ID of two keys"

# --- a card as the CAC: four certificates --------------------------------------------------------------

soft_token card
for key in cac-auth cac-sign cac-seal cac-past; do new_key $key card; done
who="/CN=DOE.JANE.Q.1234567890"
certify cac-sign-1 cac-sign -30 300 $who keyUsage=digitalSignature,nonRepudiation $mails "$(alt jane@example.org)"
certify cac-seal-1 cac-seal -30 300 $who $seals $mails "$(alt jane@example.org)"
certify cac-past-1 cac-past -1200 -30 "/CN=DOE.JANE.1234567890" $seals $mails "$(alt jane@example.org)"
certify cac-auth-1 cac-auth -1 400 $who $signs $logs_in "$(alt jane@example.org)"
installed cac-auth-1
mail jane@example.org >mail.eml
refused 4 "one for authentication alone never signs mail" sign -o x.eml mail.eml
says out "for authentication only" "which is said"
is "$(ls x.eml 2>/dev/null)" "" "nothing is written"
for n in cac-sign-1 cac-seal-1 cac-past-1; do installed $n; done
signed_by "beside it the one for signing signs, though it is older" cac-sign-1 jane@example.org
sealed_to "the one for key management receives" cac-seal-1 jane@example.org
opens "and opens" cac-seal-1
opens "the one before opens old mail" cac-past-1
ok "without the one to sign" with_pin id remove jane@example.org --certificate "$(fingerprint cac-sign-1)" --yes
refused 4 "no other takes its place" sign -o x.eml mail.eml
says out "for authentication only" "one for authentication"
says out "for encryption only" "nor one for encryption"
refused 4 "not even when it is named" sign --id "$(fingerprint cac-auth-1)" -o x.eml mail.eml
installed cac-sign-1
signed_by "it is put back" cac-sign-1 jane@example.org

# --- addresses -------------------------------------------------------------------------------------------

new_key several
certify several-1 several -9 300 "/CN=Lee" $both "$(alt lee@example.org lee.two@example.org l@example.net)"
installed several-1
signed_by "several addresses: mail from the first" several-1 lee@example.org
signed_by "from the last" several-1 l@example.net
exits 0 "is good" signet_ verify signed.eml
signed_by "its domain in capital letters" several-1 lee.two@Example.ORG
exits 0 "is good, too" signet_ verify signed.eml
is "$(signet_ --json id show lee.two@example.org | grep -o '"id":"[^"]*"' | head -n 1)" '"id":"lee@example.org"' "they are one ID"

new_key national
certify national-1 national -9 300 "/CN=MAX MUSTER/serialNumber=123" $both
installed national-1
exits 0 "no address at all" signet_ id address "$(fingerprint national-1)" --none
mail max@example.org >mail.eml
refused 4 "mail from an address that is nobody's" sign -o x.eml mail.eml
is "$(member error "$work/out")" NotFound "is refused"
says out '\"candidates":\[.*rae@example.org: can sign mail, but is not for max@example.org' "with the candidates and their reasons"
ok "the address is tied to it" signet_ id address "$(fingerprint national-1)" max@example.org
signed_by "now it signs" national-1 max@example.org
exits 3 "for others the certificate does not say who" signet_ --json verify signed.eml
is "$(member verdict "$work/out")" no-address "which is the verdict"

# --- two people, one address -----------------------------------------------------------------------------

new_key ann
new_key ben
certify ann-1 ann -9 300 "/CN=Ann Archer" $both "$(alt info@example.org ann@example.org)"
certify ben-1 ben -1 300 "/CN=Ben Baker" $both "$(alt info@example.org ben@example.org)"
for n in ann-1 ben-1; do installed $n; done
mail info@example.org >mail.eml
refused 4 "two people's certificates for one address" sign -o x.eml mail.eml
is "$(member error "$work/out")" Ambiguous "is for the person to say"
says out "\"Ben Baker, certificate $(fingerprint ben-1 | cut -c 1-16)\",\"Ann Archer, certificate" "they are named"
says out '\"try":\["signet","id","default"' "and how to say it"
refused 8 "a fingerprint does not remove both of them" id remove "$(fingerprint ben-1)" --yes --lose-mail
says out "certificate" "but asks which is meant"
for n in ann ben; do
  exits 0 "$n's is made the default" signet_ id default "$(fingerprint $n-1)"
  signed_by "and is what signs" $n-1 info@example.org
done
signed_by "from an own address each signs with his own" ann-1 ann@example.org
exits 0 "a fingerprint decides in any case" signet_ sign --id "$(fingerprint ann-1)" -o signed.eml mail.eml
ok "without one of the two certificates" with_pin id remove ann@example.org --certificate "$(fingerprint ann-1)" --yes
mail ann@example.org >mail.eml
refused 4 "the other's is not taken for it" sign -o x.eml mail.eml

# --- certified by oneself, and by a CA whose own certificate is missing ------------------------------

new_id joe@example.org ec:p256 --name Joe --token it >/dev/null
signet_ id cert joe@example.org -o joe.pem 2>/dev/null
mail joe@example.org >mail.eml
exits 0 "certified by itself, it signs" signet_ sign -o signed.eml mail.eml
ok "openssl verifies it with that certificate" openssl cms -verify -in signed.eml -CAfile joe.pem -out /dev/null
exits 3 "nobody else trusts it" signet_ --json verify signed.eml
is "$(member verdict "$work/out")" untrusted "which is the verdict"

new_key far
by=sub certify far-1 far -9 300 "/CN=Fay" $both "$(alt fay@example.org)"
installed far-1
mail fay@example.org >mail.eml
exits 0 "without its issuer's certificate it signs" signet_ sign -o signed.eml mail.eml
exits 3 "but is not trusted" signet_ --json verify signed.eml
is "$(member verdict "$work/out")" untrusted "which is the verdict"
says out "Sub" "and the missing issuer is named"
exits 0 "the issuer's certificate is put in" with_pin import sub.pem
says out "1 certificate of the CA" "beside the one that it certified"
signed_by "with it openssl needs the root only" far-1 fay@example.org
exits 0 "and it is good" signet_ --json verify signed.eml

# --- a card in the drawer --------------------------------------------------------------------------------

serial_number=$(signet_ --json token show card | sed -n 's/.*"serial":"\([^"]*\)".*/\1/p')
folder=$(find "$embedded/tokens" -mindepth 1 -maxdepth 1 -type d -name "*${serial_number: -12}")
mv "$folder" "$work/drawer"
for _ in {1..100}; do
  if signet_ --json token show card | grep -q '"state":"absent"'; then break; fi
  sleep 0.05
done
today=$(date +%Y-%m-%d)
exits 0 "a card that is away stays listed" signet_ token list
says out "card .*$today" "with when it was last seen"
exits 0 "and so does its ID" signet_ id show jane@example.org
mail jane@example.org >mail.eml
refused 6 "mail to its key" decrypt -o x.eml to-cac-past-1.eml
says out '\"card\\", which is not there, last seen on '"$today" "names the card and when it was seen"
refused 6 "mail from its address" sign -o x.eml mail.eml
is "$(member error "$work/out")" TokenGone "is not signed"
says out "\\\\\"card\\\\\" on $today at [0-9:]*: insert it" "which names the card and when it was seen"
says out '\"try":\["signet","token","list"\]' "and what to type"
sealed_to "mail is sealed to it all the same" cac-seal-1 jane@example.org
mv "$work/drawer" "$folder"
back "put back, it signs at once" sign -o signed.eml mail.eml
exits 0 "and opens" with_pin decrypt -o opened.eml to-cac-past-1.eml
mv "$folder" "$work/drawer"
stop_daemon
refused 6 "another daemon knows where the key is" decrypt -o x.eml to-cac-past-1.eml
says out '\"card\\", which is not there, last seen on '"$today" "and since when"
mv "$work/drawer" "$folder"
back "put back, it opens at once" decrypt -o opened.eml to-cac-past-1.eml
finish
