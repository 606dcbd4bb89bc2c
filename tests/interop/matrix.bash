#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# matrix.bash PART: what each program can read of what another makes, by algorithm, printed as a table. A cell is
# "ok", "FAILED", or "n/a": the peer says itself that it cannot (its words are under the table), and, where it
# reads, says the same of what another peer makes.
# PART: signed-by-us, signed-by-them, sealed-by-us, sealed-by-them.
sandbox=(--id "rsa@example.org,rsa:2048" --id "p256@example.org,ec:p256" --id "p384@example.org,ec:p384"
  --id "ed@example.org,ed25519")
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/../integration/lib.bash"
# shellcheck source=tests/interop/matrix-peers.bash
. "$source_folder/tests/interop/matrix-peers.bash"
part=${1:?signed-by-us, signed-by-them, sealed-by-us or sealed-by-them}

# --- the table ----------------------------------------------------------------------------------

rows=() row='' notes=()
declare -A cells numbers
row() { row=$1 && rows+=("$1"); }
note() { # note TEXT: its number, the same for the same text
  if [[ ! -v numbers[$1] ]]; then
    notes+=("$1")
    numbers[$1]=${#notes[@]}
  fi
}
# cell PEER CANNOT CONTROL command…: one cell of the row. CANNOT: what the peer itself says (a regular expression)
# where it cannot do such a thing at all; "": it can. CONTROL: the same with what another peer made.
cell() {
  local peer=$1 cannot=$2 control=$3 status said
  shift 3
  "$@" >"$work/out" 2>"$work/err" </dev/null
  status=$?
  cells[$row/$peer]=ok
  if ((status)) && [[ -n $cannot ]] && said=$(grep -h -a -m 1 -o -E -e "$cannot" "$work/err" "$work/out"); then
    said=${said:0:90}
    if [[ -z $control ]] || says_it_of_others "$control" "$peer" "$cannot"; then
      note "$peer: $said"
      cells[$row/$peer]="n/a ${numbers[$peer: $said]}"
      skip "$row, $peer" "$peer says: $said"
      return
    fi
    echo "#   but $peer can with what another made"
  fi
  if ((status)); then cells[$row/$peer]=FAILED; fi
  result "$status" "$row, $peer"
}
says_it_of_others() { # says_it_of_others CONTROL PEER CANNOT
  ! "$1" "$2" >"$work/out" 2>"$work/err" </dev/null && grep -q -a -E -e "$3" "$work/err" "$work/out"
}
print_table() { # print_table TITLE
  local line peer
  printf '# %-42s' "$1"
  printf '| %-8s' "${peers[@]}"
  echo
  for line in "${rows[@]}"; do
    printf '# %-42s' "$line"
    for peer in "${peers[@]}"; do printf '| %-8s' "${cells[$line/$peer]:-}"; done
    echo
  done
  for line in "${!notes[@]}"; do printf '#   %d: %s\n' $((line + 1)) "${notes[line]}"; done
}

# --- signed by us -------------------------------------------------------------------------------

# Taken apart for those who know no MIME: what stands between the first two boundaries, without the last line's end.
take_apart() { # take_apart MAIL: entity, signature.der
  local boundary
  boundary=$(sed -n 's/.*boundary="\([^"]*\)".*/\1/p' "$1" | head -n 1)
  sed -e 's/\r$//' "$1" | awk -v b="--$boundary" '
    index($0, b) == 1 { n++; next } n == 1 { if (seen++) printf "\r\n"; printf "%s", $0 }' >entity
  openssl cms -cmsout -in "$1" -outform DER -out signature.der 2>/dev/null
}
same_text() { cmp <(tr -d '\r' <"$1") <(tr -d '\r' <"$2"); }
marzipan() { tr -d '\r' <"$1" | grep -q marzipan; }

can_verify() { cell "$1" "$(cannot "$1" verify "$name")" verify_anothers "${@:2}"; }
verify_anothers() { # verify_anothers PEER: what openssl signs, or GnuTLS where openssl cannot
  local hash=${name##*-} pss=''
  if [[ $name = *PSS* ]]; then pss=pss; fi
  if [[ $who = ed ]]; then GnuTLS_sign_opaque control.der ed 512 ''; else openssl_sign_opaque control.der "$who" "$hash" "$pss"; fi &&
    "$1_verify" control.der
}

we_sign() { # we_sign WHO ALGORITHM OPTION…: a row for each form
  local who=$1 name=$2 from=$1@example.org peer
  shift 2
  mail "$from" >mail.eml
  rm -f mail.signed opaque.signed file.der detached.der
  signet_ sign "$@" -o mail.signed mail.eml && signet_ sign --opaque "$@" -o opaque.signed mail.eml &&
    signet_ sign --cms der --id "$from" "$@" -o file.der mail.eml &&
    signet_ sign --cms der --detached --id "$from" "$@" -o detached.der mail.eml
  result $? "we sign with $name"
  take_apart mail.signed
  openssl cms -cmsout -in opaque.signed -outform DER -out opaque.der 2>/dev/null
  is "$(printed file.der | grep -c -i -E "$(announced "$name")" | sed 's/[1-9][0-9]*/yes/')" yes "it is $name"
  is "$(grep -c "micalg=$(micalg "$name")" mail.signed)" 1 "and the mail says so"
  row "$name, multipart/signed"
  for peer in "${peers[@]}"; do can_verify "$peer" "${peer}_verify_mail" mail.signed; done
  row "$name, opaque mail"
  for peer in "${peers[@]}"; do can_verify "$peer" "${peer}_verify" opaque.der; done
  row "$name, CMS file"
  for peer in "${peers[@]}"; do can_verify "$peer" "${peer}_verify" file.der mail.eml; done
  row "$name, detached"
  for peer in "${peers[@]}"; do
    can_verify "$peer" "${peer}_verify_detached" detached.der mail.eml
    if [[ ${cells[$row/$peer]} = ok ]]; then
      ! "${peer}_verify_detached" detached.der other >/dev/null 2>&1
      result $? "$row, $peer: but not of another content"
    fi
  done
}
micalg() { echo "sha-${1##*-}"; } # RFC 8551 3.5.3.2
printed() { openssl cms -cmsout -noout -print -inform DER -in "$1" 2>/dev/null; }
announced() { # announced ALGORITHM: what openssl calls it
  case $1 in
  *PSS*) echo 'rsassaPss' ;;
  RSA*) echo '(rsaEncryption|sha[0-9]*WithRSA)' ;;
  P-*) echo 'ecdsa-with-sha' ;;
  Ed*) echo 'ed25519' ;;
  esac
}

signed_by_us() {
  echo "another content" >other
  for hash in 256 384 512; do we_sign rsa "RSA v1.5 SHA-$hash" --hash sha$hash; done
  for hash in 256 384 512; do we_sign rsa "RSA-PSS SHA-$hash" --pss --hash sha$hash; done
  we_sign p256 "P-256 SHA-256"
  we_sign p256 "P-256 SHA-512" --hash sha512
  we_sign p384 "P-384 SHA-384" --hash sha384
  we_sign p521 "P-521 SHA-512" --hash sha512
  we_sign ed "Ed25519 SHA-512"
}

# --- signed by them -----------------------------------------------------------------------------

they_sign() { # they_sign KEY ALGORITHM HASH [pss]
  local key=$1 name=$2 hash=$3 pss=${4:-} peer form
  mail "$key.peer@example.org" >mail.eml
  for form in opaque detached; do
    row "$name, $form"
    for peer in "${peers[@]}"; do
      rm -f made.der
      cell "$peer" "$(cannot "$peer" sign "$name")" "" verified_by_us "$peer" "$key" "$hash" "$form" "$pss"
    done
  done
}
verified_by_us() { # verified_by_us PEER KEY HASH FORM [pss]
  "$1_sign_$4" made.der "$2" "$3" "${5:-}" || return 1
  if ! printed made.der | grep -q -i -E "$(announced "$name")"; then
    echo "makes another kind than $name" >&2
    return 1
  fi
  if ! verified_by "$1" "$4" >/dev/null 2>&1; then
    echo "does not verify it itself" >&2
    return 1
  fi
  if [[ $4 = opaque ]]; then
    signet_ verify --cms der -o content made.der && same_text content mail.eml
  else
    signet_ verify --cms der --content mail.eml made.der && ! signet_ verify --cms der --content other made.der
  fi
}
verified_by() { # verified_by PEER FORM
  if [[ $2 = opaque ]]; then "$1_verify" made.der; else "$1_verify_detached" made.der mail.eml; fi
}

signed_by_them() {
  echo "another content" >other
  for hash in 256 384 512; do they_sign rsa "RSA v1.5 SHA-$hash" $hash; done
  for hash in 256 384 512; do they_sign rsa "RSA-PSS SHA-$hash" $hash pss; done
  they_sign p256 "P-256 SHA-256" 256
  they_sign p256 "P-256 SHA-512" 512
  they_sign p384 "P-384 SHA-384" 384
  they_sign p521 "P-521 SHA-512" 512
  they_sign pss "PSS key SHA-256" 256
  they_sign ed "Ed25519 SHA-512" 512
  # Options that only openssl has, as mail.
  mail rsa.peer@example.org >mail.eml
  for options in "" "-nodetach" "-keyid" "-noattr" "-nosmimecap" "-cades" "-nodetach -stream -indef" "-crlfeol"; do
    row "RSA, mail ${options:-plain}"
    # shellcheck disable=SC2086  # words
    cell openssl "" "" openssl_mail_for_us $options
  done
  not_good() { # not_good VERDICT OPTION…
    exits 3 "openssl signs with ${*:2}: $1" openssl_mail_for_us --json "${@:2}"
    says out "\"verdict\":\"$1\"" "which the verdict says"
  }
  not_good bad -md sha1
  not_good bad -md md5
  not_good unknown -nocerts
  rm "$XDG_CONFIG_HOME/signet/trust.d/ca.pem"
  not_good untrusted
}
openssl_mail_for_us() {
  local words=()
  if [[ ${1:-} = --json ]]; then words=(--json) && shift; fi
  { printf 'From: rsa.peer@example.org\n' && openssl cms -sign -in mail.eml -signer rsa.pem -inkey rsa.key "$@"; } >made.eml
  signet_ "${words[@]}" verify made.eml
}

# --- sealed by us -------------------------------------------------------------------------------

we_seal() { # we_seal ROW "KEY…" OPTION…: a mail and a file, opened by each peer with each key
  local name=$1 keys=$2 peer key to=()
  shift 2
  for key in $keys; do to+=(--to "$key.pem"); done
  rm -f sealed.eml sealed.der sealed-mail.der
  signet_ encrypt --no-self "${to[@]}" "$@" -o sealed.eml mail.eml &&
    signet_ encrypt --no-self "${to[@]}" "$@" --cms der -o sealed.der mail.eml &&
    openssl cms -cmsout -in sealed.eml -outform DER -out sealed-mail.der
  result $? "we seal: $name"
  for key in $keys; do
    row "$name"
    if [[ $keys = *" "* ]]; then row="$name: by $key" rows[-1]="$name: by $key"; fi
    for peer in "${peers[@]}"; do cell "$peer" "$(cannot "$peer" open "$row")" open_anothers opened_by "$peer" "$key"; done
  done
}
opened_by() { # opened_by PEER KEY
  rm -f opened
  "$1_open" "$2" sealed.der && cmp opened mail.eml || return 1
  rm -f opened
  "$1_open" "$2" sealed-mail.der && marzipan opened
}
open_anothers() { # open_anothers PEER: what openssl sealed to the same
  local cipher=${name##*, } to=() one
  for one in $keys; do to+=(-recip "$one.pem"); done
  if [[ $name = *OAEP* ]]; then to+=(-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256); fi
  openssl cms -encrypt -binary -in mail.eml -outform DER -out control.der "-$cipher" "${to[@]}" && "$1_open" "$key" control.der
}
sealed_by_us() {
  mail rsa@example.org >mail.eml
  for cipher in aes-128-cbc aes-192-cbc aes-256-cbc aes-128-gcm aes-192-gcm aes-256-gcm; do
    we_seal "RSA v1.5, $cipher" rsa --cipher $cipher
  done
  we_seal "RSA OAEP, aes-256-cbc" rsa --oaep --cipher aes-256-cbc
  we_seal "RSA OAEP, aes-256-gcm" rsa --oaep --cipher aes-256-gcm
  for curve in 256 384 521; do
    for cipher in aes-128-cbc aes-192-cbc aes-256-cbc aes-256-gcm; do
      we_seal "ECDH P-$curve, $cipher" p$curve --cipher $cipher
    done
  done
  we_seal "RSA + P-256 + P-384, aes-256-cbc" "rsa p256 p384" --cipher aes-256-cbc
  we_seal "RSA + P-256 + P-384, aes-256-gcm" "rsa p256 p384" --cipher aes-256-gcm
}

# --- sealed by them -----------------------------------------------------------------------------

they_seal() { # they_seal ROW "KEY…" CIPHER OPTION…
  local name=$1 peer
  shift
  row "$name"
  for peer in "${peers[@]}"; do
    rm -f made.der opened
    cell "$peer" "$(cannot "$peer" seal "$name")" "" opened_by_us "$peer" "$@"
  done
}
opened_by_us() { # opened_by_us PEER KEYS CIPHER OPTION…
  "$1_seal" made.der "${@:2}" || return 1
  if ! printed made.der | grep -q -i -E "algorithm: ($3|id-${3/-cbc/-CBC}|id-${3/-gcm/-GCM}|${3/-/}) "; then
    echo "takes a cipher of its own choice:$(printed made.der | grep -A 9 EncryptedContentInfo | grep algorithm:)" >&2
    return 1
  fi
  signet_ decrypt --cms der -o opened made.der && cmp opened mail.eml
}
opened_from_pem() { rm -f made.pem opened && "$@" && signet_ decrypt --cms pem -o opened made.pem && cmp opened mail.eml; }
sealed_by_them() {
  mail rsa@example.org >mail.eml
  for cipher in aes-128-cbc aes-192-cbc aes-256-cbc des-ede3-cbc aes-128-gcm aes-192-gcm aes-256-gcm; do
    they_seal "RSA v1.5, $cipher" rsa $cipher
  done
  for hash in sha1 sha256 sha384 sha512; do they_seal "OAEP $hash, aes-256-cbc" rsa aes-256-cbc oaep $hash; done
  they_seal "OAEP sha256, aes-256-gcm" rsa aes-256-gcm oaep sha256
  for curve in 256 384 521; do
    for cipher in aes-128-cbc aes-256-cbc des-ede3-cbc aes-256-gcm; do
      they_seal "ECDH P-$curve, $cipher" p$curve $cipher
    done
  done
  for hash in sha1 sha256 sha384 sha512; do they_seal "ECDH P-256 KDF $hash" p256 aes-256-cbc kdf $hash; done
  they_seal "RSA by key id" rsa aes-256-cbc keyid
  they_seal "ECDH by key id" p256 aes-256-cbc keyid
  they_seal "RSA + P-256 + P-384, aes-256-cbc" "rsa p256 p384" aes-256-cbc
  they_seal "RSA + P-256 + P-384, aes-256-gcm" "rsa p256 p384" aes-256-gcm
  row "RSA, in PEM"
  cell openssl "" "" opened_from_pem openssl cms -encrypt -binary -in mail.eml -outform PEM -out made.pem -aes256 ours-rsa.pem
  cell gpgsm "" "" opened_from_pem gpgsm_ -r rsa@example.org --armor --encrypt -o made.pem mail.eml
  ok "openssl seals to another" openssl cms -encrypt -in mail.eml -aes256 -out made.eml rsa.pem
  exits 1 "there is no key of ours for it" signet_ decrypt -o nothing.eml made.eml
  is "$(ls nothing.eml 2>/dev/null)" "" "and nothing is written"
}

set_up
case $part in
signed-by-us) signed_by_us && print_table "signed by signet, verified by" ;;
signed-by-them) signed_by_them && print_table "verified by signet, signed by" ;;
sealed-by-us) sealed_by_us && print_table "sealed by signet, opened by" ;;
sealed-by-them) sealed_by_them && print_table "opened by signet, sealed by" ;;
*) exit 2 ;;
esac
finish
