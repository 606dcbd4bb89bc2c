#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Keys that other programs made or keep: NSS, GnuTLS, gpgsm, mutt's smime_keys. Each becomes an ID that signs
# what openssl verifies, and opens what openssl sealed.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/../integration/lib.bash"
part=${1:?makers, nss, gpgsm or smime_keys}
phrase='correct horse'

person() { # person NAME [OPTION…]: NAME.key, NAME.pem, by the CA, and NAME.p12 with the phrase
  openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1"
  printf 'basicConstraints=critical,CA:FALSE\nextendedKeyUsage=emailProtection\nkeyUsage=digitalSignature,keyEncipherment\n' >"$1.ext"
  echo "subjectAltName=email:$1@example.org" >>"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 60 -extfile "$1.ext" -out "$1.pem"
  openssl pkcs12 -export -in "$1.pem" -inkey "$1.key" -certfile ca.pem -name "$1" -out "$1.p12" -passout "pass:$phrase" "${@:2}"
} >>ca.log 2>&1
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 99 -subj "/CN=Test CA" \
  -addext keyUsage=critical,keyCertSign 2>/dev/null

import() { # import OPTION…: as many lines of passphrases as wanted, and the PIN
  timeout -k 5 120 signet --no-input import "$@" --passphrase-fd 8 --pin-fd 9 8<<<"$phrase" 9<<<"$pin"
}
works() { # works NAME: signs, and opens
  mail "$1@example.org" >m.eml
  ok "$1: signs, and openssl verifies it" bash -c 'signet --no-input sign -o s.eml m.eml &&
    openssl cms -verify -in s.eml -CAfile ca.pem -out /dev/null'
  openssl cms -encrypt -aes256 -in m.eml -out e.eml "$1.pem"
  ok "$1: opens what openssl sealed" bash -c 'signet --no-input decrypt -o d.eml e.eml && grep -q marzipan d.eml'
}
soft_token it
with_pin token unlock it >/dev/null

# --- other makers of .p12 -----------------------------------------------------------------------

makers() {
  if command -v pk12util >/dev/null; then
    person nss -legacy
    mkdir db && certutil -N -d sql:db --empty-password
    pk12util -i nss.p12 -d sql:db -W "$phrase" >/dev/null
    pk12util -o by-nss.p12 -n nss -d sql:db -W "$phrase" >/dev/null
    exits 0 ".p12 made by NSS" import by-nss.p12
    works nss
    person nss2
    pk12util -i nss2.p12 -d sql:db -W "$phrase" >/dev/null
    pk12util -o by-nss2.p12 -n nss2 -d sql:db -W "$phrase" -c AES-256-CBC -C AES-128-CBC >/dev/null
    exits 0 ".p12 made by NSS with AES" import by-nss2.p12
    works nss2
  else
    skip ".p12 made by NSS" "pk12util is not installed"
  fi
  if command -v certtool >/dev/null; then
    person tls
    for cipher in 3des-pkcs12 aes-256; do
      certtool --to-p12 --load-privkey tls.key --load-certificate tls.pem --p12-name tls --password "$phrase" \
        --pkcs-cipher "$cipher" --outder --outfile "by-gnutls-$cipher.p12" 2>/dev/null
      exits 0 ".p12 made by GnuTLS ($cipher)" import "by-gnutls-$cipher.p12"
    done
    works tls
    certtool --to-p8 --load-privkey tls.key --password "$phrase" --pkcs-cipher aes-256 --outfile tls.p8 2>/dev/null
    exits 0 "PKCS #8 made by GnuTLS" import tls.p8
    says out "was already on token" "is the same key"
  else
    skip ".p12 made by GnuTLS" "certtool is not installed"
  fi
}

# --- Thunderbird and Evolution ------------------------------------------------------------------

nss() {
  profile() { # profile FOLDER PASSWORD-FILE NAME…
    local folder=$1 password=$2 name
    shift 2
    mkdir -p "$folder"
    certutil -N -d "sql:$folder" -f "$password"
    certutil -A -d "sql:$folder" -f "$password" -n ca -t ,C, -i ca.pem
    certutil -A -d "sql:$folder" -f "$password" -n friend -t ,P, -i friend.pem
    for name; do pk12util -i "$name.p12" -d "sql:$folder" -k "$password" -W "$phrase"; done
  } >>ca.log 2>&1
  if command -v pk12util >/dev/null; then
    for who in friend tina tom timo eve; do person "$who"; done
    : >no-password
    echo "$phrase" >a-password
    exits 4 "no Thunderbird at all" signet_ import --from thunderbird
    says err "Try: signet import --scan" "says what to do"
    profile "$HOME/.thunderbird/abc.default" no-password tina tom
    exits 0 "Thunderbird, without a primary password" import --from thunderbird
    says out "tina@example.org: rsa:2048 is on token" "takes all of the profile"
    says_not out "friend" "but nobody else's certificate"
    works tina
    works tom
    profile "$HOME/.thunderbird/xyz.work" a-password timo
    exits 4 "two profiles" import --from thunderbird
    says err "xyz.work" "are listed"
    exits 0 "one of them, with its primary password" import --from thunderbird "$HOME/.thunderbird/xyz.work"
    works timo
    exits 5 "the wrong one" timeout 60 signet --no-input import --from thunderbird "$HOME/.thunderbird/xyz.work" --passphrase-fd 8 8<<<wrong
    exits 0 "--all" import --from thunderbird --all
    is "$(grep -c 'was already on token' "$work/out")" 3 "finds all three there"
    mkdir -p "$XDG_DATA_HOME"
    profile "$XDG_DATA_HOME/evolution" no-password eve
    before=$(cat "$XDG_DATA_HOME/evolution"/*.db | sha256sum)
    exits 0 "Evolution" import --from evolution
    works eve
    is "$(cat "$XDG_DATA_HOME/evolution"/*.db | sha256sum)" "$before" "its files are as they were"
  else
    skip "Thunderbird and Evolution" "NSS's tools are not installed"
  fi
}

# --- gpgsm --------------------------------------------------------------------------------------

gpgsm_part() {
  if command -v gpgsm >/dev/null; then
    # gpgsm 2.2.40 refuses one key in twenty, so a new one is made until it takes it.
    gpgsm_person() { # gpgsm_person NAME PASSPHRASE
      for _ in 1 2 3 4 5; do
        person "$1"
        openssl pkcs12 -export -in "$1.pem" -inkey "$1.key" -certfile ca.pem -out "$1.p12" -passout "pass:$2" -legacy
        if gpgsm --batch --quiet --pinentry-mode loopback --passphrase-fd 8 --import "$1.p12" 8<<<"$2" 2>>ca.log &&
          gpgsm --batch --with-colons --list-secret-keys "$1@example.org" 2>/dev/null | grep -q ^crs; then
          return 0
        fi
      done
      return 1
    }
    printf 'disable-crl-checks\ndisable-dirmngr\n' >"$GNUPGHOME/gpgsm.conf"
    exits 4 "gpgsm without keys" signet_ import --from gpgsm
    ok "gpgsm has a key with a passphrase" gpgsm_person gina "$phrase"
    exits 5 "its passphrase is wanted" signet_ import --from gpgsm
    exits 5 "not another one" timeout 60 signet --no-input import --from gpgsm --passphrase-fd 8 8<<<wrong
    exits 0 "gpgsm" import --from gpgsm
    says out "gina@example.org: rsa:2048 is on token" "says what it took"
    works gina
    ok "and another, with its own" gpgsm_person gerd x
    exits 4 "two keys" import --from gpgsm
    says err "gerd@example.org" "are listed"
    exits 0 "one by its address" timeout 60 signet --no-input import --from gpgsm gerd@example.org --passphrase-fd 8 8<<<x
    works gerd
    exits 0 "--all, each with its own passphrase" timeout 60 signet --no-input import --from gpgsm --all --passphrase-fd 8 8< <(printf '%s\nx\n' "$phrase")
    is "$(grep -c 'was already on token' "$work/out")" 2 "finds both there"
    ok "gpgsm still has its own" gpgsm --batch --list-secret-keys gina@example.org
    # A key that gpgsm keeps without a passphrase goes through a random one.
    mkdir -m 700 plain
    cp "$GNUPGHOME/gpgsm.conf" plain/
    if GNUPGHOME=$work/plain gpgsm --batch --quiet --pinentry-mode loopback --passphrase-fd 8 --import gerd.p12 8<<<x 2>>ca.log &&
      python3 - plain/private-keys-v1.d gerd.key 2>>ca.log <<'PY'; then
import pathlib, subprocess, sys
text = subprocess.run(["openssl", "rsa", "-in", sys.argv[2], "-noout", "-text"], capture_output=True, text=True, check=True).stdout
fields, name = {}, None
for line in text.splitlines():
    if line.startswith(" "):
        fields[name] += line.strip().replace(":", "")
    else:
        name = line.split(":")[0]
        fields[name] = ""
def hexed(name):
    return fields[name]
e = "010001"
n, d, p, q = (hexed(x) for x in ("modulus", "privateExponent", "prime1", "prime2"))
pi, qi = int(p, 16), int(q, 16)
if pi > qi:
    pi, qi = qi, pi
u = pow(pi, -1, qi)
def mpi(v):
    h = "%x" % v
    h = "0" * (len(h) % 2) + h
    return ("00" if int(h[:2], 16) > 127 else "") + h
body = "(private-key (rsa (n #%s#)(e #%s#)(d #%s#)(p #%s#)(q #%s#)(u #%s#)))" % (
    n, e, d, mpi(pi), mpi(qi), mpi(u))
for f in pathlib.Path(sys.argv[1]).glob("*.key"):
    f.write_text("Key: " + body + "\n")
PY
      GNUPGHOME=$work/plain gpgconf --kill gpg-agent
      exits 0 "a key that gpgsm keeps without a passphrase" signet_ import --from gpgsm "$work/plain"
      says out "was already on token" "needs none"
      GNUPGHOME=$work/plain gpgconf --kill gpg-agent
    else
      skip "a key that gpgsm keeps without a passphrase" "it could not be made here"
    fi
  else
    skip "gpgsm" "it is not installed"
  fi
}

# --- mutt's smime_keys --------------------------------------------------------------------------

smime_keys() {
  person mia
  person max
  mkdir -p "$HOME/.smime/keys" "$HOME/.smime/certificates"
  ca_hash=$(openssl x509 -in ca.pem -noout -hash).0
  cp ca.pem "$HOME/.smime/certificates/$ca_hash"
  for who in mia max; do
    hash=$(openssl x509 -in "$who.pem" -noout -hash).0
    openssl rsa -in "$who.key" -aes256 -passout "pass:$phrase" -out "$HOME/.smime/keys/$hash" 2>/dev/null
    cp "$who.pem" "$HOME/.smime/certificates/$hash"
    echo "$who@example.org $hash $who ? t se" >>"$HOME/.smime/keys/.index"
    echo "$who@example.org $hash $who $ca_hash t se" >>"$HOME/.smime/certificates/.index"
  done
  exits 4 "smime_keys has two keys" import --from smime_keys
  says err "mia@example.org" "that are listed"
  exits 0 "one of them" import --from smime_keys mia@example.org
  works mia
  timeout 60 signet --no-input --json import --from smime_keys --all --passphrase-fd 8 8<<<"$phrase" >"$work/out" 2>"$work/err"
  is "$?" 0 "both, with one passphrase"
  is "$(grep -o '"existed":[a-z]*' "$work/out" | sort | tr '\n' ' ')" '"existed":false "existed":true ' "the other was still missing"
  works max
  mv "$HOME/.smime" "$HOME/elsewhere"
  echo 'set smime_keys="~/elsewhere/keys"' >"$HOME/.muttrc"
  exits 0 "where muttrc says" import --from smime_keys --all
}

case $part in
  makers | nss | smime_keys) $part ;;
  gpgsm) gpgsm_part ;;
esac

# --- nothing is left about ----------------------------------------------------------------------

! grep -r -a -q -F -e "$phrase" "$XDG_STATE_HOME" "$XDG_DATA_HOME/signet" "$XDG_CONFIG_HOME" "$XDG_RUNTIME_DIR" 2>/dev/null
result $? "no file of ours has a passphrase"
left=$(for pid in $(our_processes signetd signet-token); do
  grep -a -l -F -e "$phrase" "/proc/$pid/cmdline" "/proc/$pid/environ" 2>/dev/null
done)
is "$left" "" "nor does a process show it"
finish
