# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The peers of the matrix: their keys, certified by a CA of their own, and for each of them the
# same functions PEER_verify, PEER_verify_detached, PEER_verify_mail, PEER_sign_opaque,
# PEER_sign_detached, PEER_seal and PEER_open.

# shellcheck disable=SC2034  # matrix.bash uses it
peers=(openssl gpgsm NSS GnuTLS)
their_keys=(rsa pss p256 p384 p521 ed)

# --- keys ---------------------------------------------------------------------------------------

certify() { # certify NAME ADDRESS: NAME.key to NAME.pem
  {
    printf 'basicConstraints=critical,CA:FALSE\nextendedKeyUsage=emailProtection\nsubjectAltName=email:%s\n' "$2"
    case $1 in
    rsa*) echo 'keyUsage=digitalSignature,keyEncipherment' ;;
    ed | pss) echo 'keyUsage=digitalSignature' ;;
    *) echo 'keyUsage=digitalSignature,keyAgreement' ;;
    esac
    printf 'subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n'
  } >"$1.ext"
  openssl req -new -key "$1.key" -out "$1.csr" -subj "/CN=$2" &&
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 60 -extfile "$1.ext" -out "$1.pem"
}
make_key() { # make_key NAME
  case $1 in
  rsa) openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key ;;
  pss) openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out pss.key ;;
  ed) openssl genpkey -algorithm ED25519 -out ed.key ;;
  ours521) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out ours521.key ;;
  *) openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:P-${1#p}" -out "$1.key" ;;
  esac
}
make_person() { # make_person NAME ADDRESS: NAME.key, NAME.pem, NAME.p12 for old programs, passphrase "peer"
  make_key "$1" && certify "$1" "$2" && openssl pkcs12 -export -legacy -in "$1.pem" -inkey "$1.key" \
    -certfile ca.pem -name "$1" -passout pass:peer -out "$1.p12"
} >>set-up.log 2>&1

gpgsm_() {
  gpgsm --batch --disable-dirmngr --disable-crl-checks --pinentry-mode loopback --passphrase-fd 8 8<<<peer "$@"
}
# gpgsm 2.2.40 refuses one RSA key in twenty ("decryption failed"), whatever the program that wrote the file: then
# another is made, and tried in a home of its own: the certificate of one that it refused would stay, and make the
# address ambiguous. Elliptic curves it may refuse for good; what it said is kept.
gpgsm_takes() { # gpgsm_takes NAME
  local try
  for try in 1 2 3 4 5; do
    if [[ $1 != rsa ]]; then break; fi
    mkdir -m 700 "try$try" && cp "$GNUPGHOME/gpg-agent.conf" "try$try"
    if GNUPGHOME=$PWD/try$try gpgsm_ --import rsa.p12 >/dev/null 2>&1; then break; fi
    echo "# gpgsm refused RSA key $try"
    make_person rsa rsa.peer@example.org
  done
  gpgsm_ --import "$1.p12" >/dev/null 2>"gpgsm-$1.err"
}

set_up() {
  local who ours
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 99 -subj "/CN=Peers CA" \
    -addext keyUsage=critical,keyCertSign,cRLSign >>set-up.log 2>&1
  trust ca.pem
  printf 'allow-loopback-pinentry\n' >"$GNUPGHOME/gpg-agent.conf"
  for who in ca.pem "$SIGNET_SANDBOX_CA"; do
    gpgsm_ --import "$who" 2>>set-up.log
    openssl x509 -in "$who" -noout -fingerprint -sha1 | sed 's/.*=//; s/$/ S relax/' >>"$GNUPGHOME/trustlist.txt"
  done
  for who in "${their_keys[@]}"; do
    make_person "$who" "$who.peer@example.org"
    gpgsm_takes "$who"
  done
  make_person ours521 p521@example.org
  ok "our key on P-521 is imported" timeout 60 signet --no-input import ours521.p12 --passphrase-fd 8 8<<<peer
  mkdir nss && certutil -N -d sql:nss --empty-password
  certutil -A -d sql:nss -n peers -t ,C, -i ca.pem
  certutil -A -d sql:nss -n ours -t ,C, -i "$SIGNET_SANDBOX_CA"
  for who in "${their_keys[@]}"; do pk12util -d sql:nss -i "$who.p12" -W peer -K "" >"nss-$who.err" 2>&1; done
  for ours in rsa p256 p384 p521 ed; do
    signet_ id cert $ours@example.org -o ours-$ours.pem
    gpgsm_ --import ours-$ours.pem 2>>set-up.log
    certutil -A -d sql:nss -n "$ours@example.org" -t ,, -i ours-$ours.pem 2>>set-up.log
  done
  cat ca.pem "$SIGNET_SANDBOX_CA" >cas.pem
}

# --- what each says where it cannot -------------------------------------------------------------

cannot() { # cannot PEER verify|sign|open|seal ROW: a regular expression, or nothing
  case $1/$2/$3 in
  openssl/*/Ed25519*) echo 'eddsa_digest_signverify_init:invalid digest|signature_init:operation not supported for this keytype' ;;
  gpgsm/verify/P-521* | gpgsm/verify/Ed25519*) echo 'DSA requires the hash length to be a multiple of 8 bits' ;;
  NSS/verify/Ed25519*) echo 'SEC_ERROR_PKCS7_BAD_SIGNATURE: [^:]*' ;;
  GnuTLS/verify/*PSS*) echo 'Public key signature verification has failed' ;;
  gpgsm/sign/RSA-PSS*) echo 'invalid option "--rsa-pss"' ;;
  NSS/sign/RSA-PSS*) echo 'Usage: *cmsutil' ;;
  GnuTLS/sign/RSA-PSS*) echo 'makes another kind than RSA-PSS' ;;
  NSS/sign/PSS*) echo 'does not verify it itself' ;;
  gpgsm/sign/P-* | gpgsm/open/ECDH* | gpgsm/open/*by\ p*) echo 'Segmentation fault caught' ;;
  gpgsm/sign/*) echo 'error parsing or decrypting the PKCS#12 file' ;;
  NSS/sign/*) echo 'SEC_ERROR_PKCS12_UNABLE_TO_IMPORT_KEY: Unable to import' ;;
  gpgsm/open/*OAEP*cbc) echo 'error getting encrypted session key' ;;
  NSS/open/*OAEP*cbc) echo 'SEC_ERROR_UNSUPPORTED_KEYALG: [^:]*' ;;
  gpgsm/open/*gcm*) echo 'error getting IV: Buffer too short' ;;
  NSS/open/*gcm*) echo 'SEC_ERROR_UNRECOGNIZED_OID: [^:]*' ;;
  NSS/open/ECDH* | NSS/open/*+*) echo 'SEC_ERROR_BAD_DER: [^:]*' ;;
  GnuTLS/open/*) echo "The PKCS structure's content type is unknown" ;;
  gpgsm/seal/*) echo 'certificate is not usable for encryption|selected cipher algorithm is invalid|invalid option "--(oaep|kdf|keyid)"' ;;
  GnuTLS/seal/*) echo "unrecognized option '--p7-encrypt'" ;;
  NSS/seal/*) echo 'takes a cipher of its own choice.*|SEC_ERROR_INVALID_ALGORITHM: [^:]*|Usage: *cmsutil' ;;
  esac
}

# --- OpenSSL ------------------------------------------------------------------------------------

openssl_v() { openssl cms -verify -CAfile cas.pem -no-CApath -no-CAstore -binary -out content "$@"; }
openssl_verify_mail() { openssl cms -verify -CAfile cas.pem -no-CApath -no-CAstore -in "$1" -out content && marzipan content; }
openssl_verify() { openssl_v -inform DER -in "$1" && marzipan content && { (($# < 2)) || cmp content "$2"; }; }
openssl_verify_detached() { openssl_v -inform DER -in "$1" -content "$2"; }
openssl_s() { # openssl_s OUT KEY HASH pss|"" OPTION…
  local padding=()
  if [[ -n $4 || $2 = pss ]]; then padding=(-keyopt rsa_padding_mode:pss); fi
  openssl cms -sign -binary -in mail.eml -outform DER -out "$1" -md "sha$3" "${@:5}" -signer "$2.pem" -inkey "$2.key" "${padding[@]}"
}
openssl_sign_opaque() { openssl_s "$1" "$2" "$3" "$4" -nodetach; }
openssl_sign_detached() { openssl_s "$1" "$2" "$3" "$4"; }
openssl_seal() { # openssl_seal OUT KEYS CIPHER [oaep HASH | kdf HASH | keyid]
  local key words=() to=()
  case ${4:-} in
  oaep) words=(-keyopt rsa_padding_mode:oaep -keyopt "rsa_oaep_md:$5") ;;
  kdf) words=(-keyopt "ecdh_kdf_md:$5") ;;
  keyid) to=(-keyid) ;;
  esac
  for key in $2; do to+=(-recip "ours-$key.pem"); done
  openssl cms -encrypt -binary -in mail.eml -outform DER -out "$1" "-$3" "${to[@]}" "${words[@]}"
}
openssl_open() { openssl cms -decrypt -inform DER -in "$2" -recip "$1.pem" -inkey "$1.key" -out opened; }

# --- gpgsm --------------------------------------------------------------------------------------

gpgsm_verify_mail() { gpgsm_ --verify signature.der entity; }
gpgsm_verify() { gpgsm_ --verify "$1"; }
gpgsm_verify_detached() { gpgsm_ --verify "$1" "$2"; }
gpgsm_has() { # gpgsm_has KEY: or what it said when it was given it
  if gpgsm_ --with-colons --list-secret-keys "$1.peer@example.org" 2>/dev/null | grep -q ^crs; then return; fi
  cat "gpgsm-$1.err" >&2
  return 1
}
gpgsm_s() { # gpgsm_s OUT KEY HASH pss|"" OPTION…
  local padding=()
  gpgsm_has "$2" || return 1
  if [[ -n $4 ]]; then padding=(--rsa-pss); fi
  gpgsm_ --local-user "$2.peer@example.org" --digest-algo "SHA$3" "${padding[@]}" -o "$1" "${@:5}" mail.eml
}
gpgsm_sign_opaque() { gpgsm_s "$1" "$2" "$3" "$4" --sign; }
gpgsm_sign_detached() { gpgsm_s "$1" "$2" "$3" "$4" --detach-sign; }
gpgsm_seal() { # as openssl_seal
  local key to=() cipher
  case $3 in
  aes-128-cbc) cipher=AES ;;
  aes-192-cbc) cipher=AES192 ;;
  aes-256-cbc) cipher=AES256 ;;
  des-ede3-cbc) cipher=3DES ;;
  *) cipher=$3 ;;
  esac
  if [[ -n ${4:-} ]]; then to=("--$4"); fi
  for key in $2; do to+=(-r "$key@example.org"); done
  gpgsm_ --cipher-algo "$cipher" "${to[@]}" --encrypt -o "$1" mail.eml
}
gpgsm_open() {
  gpgsm_has "$1" && gpgsm_ --decrypt -o opened "$2"
}

# --- NSS ----------------------------------------------------------------------------------------

NSS_verify_mail() { cmsutil -D -d sql:nss -u 4 -c entity -i signature.der -o /dev/null; }
NSS_verify() { cmsutil -D -d sql:nss -u 4 -i "$1" -o content && marzipan content && { (($# < 2)) || cmp content "$2"; }; }
NSS_verify_detached() { cmsutil -D -d sql:nss -u 4 -c "$2" -i "$1" -o /dev/null; }
NSS_s() { # NSS_s OUT KEY HASH pss|"" OPTION…
  local padding=()
  if ! certutil -K -d sql:nss 2>/dev/null | grep -q " $2\$"; then
    cat "nss-$2.err" >&2
    return 1
  fi
  if [[ -n $4 ]]; then padding=(--pss); fi
  cmsutil -S -d sql:nss -N "$2" -G -H "SHA$3" "${padding[@]}" "${@:5}" -i mail.eml -o "$1"
}
NSS_sign_opaque() { NSS_s "$1" "$2" "$3" "$4"; }
NSS_sign_detached() { NSS_s "$1" "$2" "$3" "$4" -T; }
NSS_seal() { # as openssl_seal
  local key to=()
  if [[ -n ${4:-} ]]; then to=("--$4"); fi
  for key in $2; do to+=(-r "$key@example.org"); done
  cmsutil -E -d sql:nss "${to[@]}" -i mail.eml -o "$1"
}
NSS_open() { cmsutil -D -d sql:nss -i "$2" -o opened; }

# --- GnuTLS -------------------------------------------------------------------------------------

GnuTLS_v() { certtool --p7-verify --inder --load-ca-certificate cas.pem "$@"; }
GnuTLS_verify_mail() { GnuTLS_v --infile signature.der --load-data entity; }
GnuTLS_verify() { GnuTLS_v --infile "$1"; }
GnuTLS_verify_detached() { GnuTLS_v --infile "$1" --load-data "$2"; }
GnuTLS_s() { # GnuTLS_s OUT KEY HASH pss|"" HOW
  local padding=()
  if [[ -n $4 ]]; then padding=(--sign-params rsa-pss); fi
  certtool "$5" --load-privkey "$2.key" --load-certificate "$2.pem" --hash "SHA$3" "${padding[@]}" --infile mail.eml \
    --outder --outfile "$1"
}
GnuTLS_sign_opaque() { GnuTLS_s "$1" "$2" "$3" "$4" --p7-sign; }
GnuTLS_sign_detached() { GnuTLS_s "$1" "$2" "$3" "$4" --p7-detached-sign; }
GnuTLS_seal() { certtool --p7-encrypt --infile mail.eml --outfile "$1"; }
GnuTLS_open() { certtool --p7-info --p7-show-data --inder --infile "$2" --outfile opened; }
