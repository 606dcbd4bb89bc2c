#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Settings: which file each is from, which lines mean nothing, and what /etc enforces. The last
# takes a mount namespace, so that no file of the machine is touched.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
conf=$XDG_CONFIG_HOME/signet/signet.conf
mkdir -p "${conf%/*}"

exits 0 "without files" signet_ config show
says out '^\[pin\] idle +15 +default' "all is default"
printf '[pin]\nidle=5\nidel=7\n[mail]\nhash=md5\ncipher=rot13\n[enforced]\npin.idle=9\n[modules]\nadd=/a.so;/b.so;\n' >"$conf"
exits 0 "with the person's" signet_ config show
says out "^\\[pin\\] idle +5 +$conf" "the file is named"
says out '^\[modules\] add +/a.so, /b.so' "a list, too"
says err "signet.conf, line 3: idel in \\[pin\\]" "a key that is none, by its line"
says err "line 8: pin.idle in \\[enforced\\]" "what only /etc can say"
says err "hash in \\[mail\\] must be one of sha256" "a value that does not fit"
says err "cipher in \\[mail\\]" "another"
exits 0 "in JSON" signet_ --json config show
says out '"key":"idle","value":"5","origin":"user"' "the value and its origin"
says out '"unknown":\[\{"group":"pin","key":"idel"' "and what is none"
exits 0 "explained" signet_ config show --explain
says out 'mail-roots' "each setting"
(($(wc -L <"$work/out") <= 80))
result $? "fits 80 columns"
printf '[pin\n' >"$conf"
exits 1 "a malformed file" signet_ config show
says err "$conf" "is named"

# --- what the settings do, and what /etc enforces -----------------------------------------------
printf "" >"$conf"
ok "a soft token" soft_token it
printf '[mail]\nhash=sha512\n' >"$conf"
ok "an ID" new_id alice@example.org ec:p256
mail alice@example.org >mail.eml
ok "a mail is signed" with_pin --json sign -o signed.eml mail.eml
says out '"hash": *"sha512"' "with the hash of the settings"
signet_ id cert alice@example.org -o alice.pem
printf '[mail]\ncipher=aes-128-gcm\n' >"$conf"
exits 0 "one is sealed" signet_ --json encrypt --to alice.pem --no-self -o sealed.eml mail.eml
says out '"cipher": *"aes-128-gcm"' "with the cipher of the settings"

system=$(strings "$SIGNET_TEST_BUILD/signet" 2>/dev/null | grep -E '^/.*etc/signet$' | head -n 1)
above=${system%/signet}
if [[ -z $system || $above = /etc || ! -d $above ]] || ! unshare -rm mount -t tmpfs none "$above" 2>/dev/null; then
  skip "what /etc enforces" "no mount namespace here"
else
  mkdir -p "$work/etc/trust.d"
  printf '[pin]\nhard=99\n[mail]\nhash=sha256\n[enforced]\nmail.hash=sha384\n' >"$work/etc/signet.conf"
  printf '[mail]\nhash=sha512\n' >"$conf"
  cp alice.pem "$work/etc/trust.d/company.pem"
  inside() { # with that folder as /etc/signet
    unshare -rm bash -c 'mount -t tmpfs none "$1" && cp -r "$2" "$3" && shift 3 && exec "$@"' - \
      "$above" "$work/etc" "$system" "$@"
  }
  exits 0 "/etc is read" inside signet --no-input config show
  says out "^\\[mail\\] hash +sha384 +$system/signet.conf, enforced" "what it enforces wins"
  says out "^\\[pin\\] hard +99 +$system/signet.conf" "the rest counts where the person is silent"
  exits 0 "its roots are listed" inside signet --no-input trust list
  says out "$system/trust.d/company.pem" "with their file"
  exits 0 "they are trusted" inside signet --no-input verify signed.eml
  exits 0 "a root of /etc is distrusted" inside signet --no-input trust remove alice
  exits 3 "and is no more" inside signet --no-input verify signed.eml
  exits 0 "signing obeys" inside signet --no-input --json sign -o signed.eml mail.eml --pin-fd 9 9<<<"$pin"
  says out '"hash": *"sha384"' "with the hash that is enforced"
fi
finish
