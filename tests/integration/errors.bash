#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Errors that help: every verb, in every trouble that can befall it, says what failed, on what, and what to
# type next. What was seen is printed as a table.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
module=$SIGNET_TEST_BUILD/tests/token-faulty-module.so
if [[ ! -e $module ]]; then skip_all "the faulty module is not built"; fi
table=$work/table

# met TROUBLE STATUS ERROR ABOUT TRY verb…: in JSON, one object with that error, whose message is one sentence
# that names ABOUT (a regex); TRY is a regex for the command to type next, "-" where there is none.
# A PIN comes from $lines, if set.
met() {
  local trouble=$1 want=$2 name=$3 about=$4 try=$5 status message next bad='' verb
  shift 5
  rm -f made
  timeout -k 5 60 signet --no-input --json "$@" ${lines:+--pin-fd 9} 9< <(printf '%b\n' "${lines:-}") >"$work/out" 2>"$work/err"
  status=$?
  cat "$work/out" "$work/err" | grep '"error"' | head -n 1 >object
  message=$(sed -n 's/.*"message": *"\(\([^"\\]\|\\.\)*\)".*/\1/p' object | sed 's/\\"/"/g')
  next=$(sed -n 's/.*"try": *\[\([^]]*\)\].*/\1/p' object | tr -d '"' | tr ',' ' ')
  verb="$1 ${2:-}"
  if [[ $1 = --socket ]]; then verb="${*:3:2}"; fi
  case ${verb%% *} in token | id | trust | config) ;; *) verb=${verb%% *} ;; esac
  printf '%s|%s|%s|%s|%s\n' "$verb" "$trouble" "$status" "$message" "$next" >>"$table"
  ((status == want)) || bad+=" status $status, not $want;"
  [[ $(member error object) = "$name" ]] || bad+=" error $(member error object), not $name;"
  [[ $message =~ $about ]] || bad+=" the message does not name $about;"
  ((${#message} >= 15 && ${#message} <= 400)) || bad+=" the message is ${#message} long;"
  case $try in
    -) ;;
    *) [[ $next =~ $try ]] || bad+=" try is \"$next\", not $try;" ;;
  esac
  [[ ! -e made ]] || bad+=" something was written;"
  [[ -z $bad ]] || printf '#  %s\n#   %s\n' "$bad" "$message"
  [[ -z $bad ]]
  result $? "$verb: $trouble"
}
right="$pin"

key_of_another() { # other-both.pem: a key and its certificate
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key -out other.pem -days 9 \
    -subj "/CN=Other" -addext subjectAltName=email:other@example.org -addext basicConstraints=CA:FALSE 2>/dev/null
  cat other.key other.pem >other-both.pem
}

# --- a card that says its PIN is blocked: the faulty module, in an installed signet ---------------------

cmake --install "$SIGNET_TEST_BUILD" --prefix "$work/prefix" >/dev/null
usual_path=$PATH
PATH=$work/prefix/bin:$PATH
rm "$work/prefix/share/signet/tokens"/*
control=$work/control
: >"$control"
printf '%s\n' '[profile]' name=faulty 'description=A card that errs' '[module]' "files=$module;" \
  "environment=FAULTY_MODULE=$(find /usr/lib -name libsofthsm2.so | head -n 1);FAULTY_CONTROL=$control;" \
  '[token]' operations=4 lock=token pin-scope=token pin-max=0 '[key]' wrap=yes '[deadline]' operation=3000 \
  >"$work/prefix/share/signet/tokens/faulty.profile"
softhsm2-util --init-token --free --label card --pin "$pin" --so-pin "$so_pin" >/dev/null 2>&1
ok "an ID on a card" new_id alice@example.org ec:p256
signet_ id cert alice@example.org -o alice.pem
mail alice@example.org >mail.eml
signet_ encrypt --to alice.pem -o sealed.eml mail.eml
signet_ token lock >/dev/null
printf pin-locked >"$control"
lines=$right
met "blocked PIN" 5 PinBlocked card "token unblock card" sign -o made mail.eml
met "blocked PIN" 5 PinBlocked card "token unblock card" decrypt -o made sealed.eml
met "blocked PIN" 5 PinBlocked card "token unblock card" encrypt --sign --to alice.pem -o made mail.eml
met "blocked PIN" 5 PinBlocked card "token unblock card" token unlock card
met "blocked PIN" 5 PinBlocked card "token unblock card" id new b@example.org --key ec:p256 --no-backup
met "blocked PIN" 5 PinBlocked card "token unblock card" id request alice@example.org -o made
met "blocked PIN" 5 PinBlocked card "token unblock card" id remove alice@example.org --lose-mail --yes
met "blocked PIN" 5 PinBlocked card "token unblock card" id policy alice@example.org --never-export --yes
key_of_another
met "blocked PIN" 5 PinBlocked card "token unblock card" import other-both.pem --token card
met "blocked PIN" 5 PinBlocked card "token unblock card" start --new b@example.org --no-backup --no-trust --token card
serial=$(member serial <(signet_ --json token show card))
met "blocked PIN" 5 PinBlocked card - token erase card --serial "$serial"
lines="$right\n$right"
met "blocked PIN" 5 PinBlocked card - token pin card
met "blocked PIN" 5 PinBlocked card - token unblock card
: >"$control"
stop_daemon
PATH=$usual_path
rm -rf "$XDG_STATE_HOME"
find "$work/own/tokens" -mindepth 1 -delete

# --- the wrong PIN ---------------------------------------------------------------------------------------

soft_token it
new_id alice@example.org ec:p256 >/dev/null
signet_ id cert alice@example.org -o alice.pem
signet_ encrypt --to alice.pem -o sealed.eml mail.eml
locked() { signet_ token lock >/dev/null; }
n=100000
wrong_pin() { # wrong_pin verb…: each time another wrong PIN, since the same is refused unspent
  n=$((n + 1))
  locked
  lines="$n\n$n"
  met "wrong PIN" 5 PinIncorrect it "token|-" "$@"
}
wrong_pin sign -o made mail.eml
wrong_pin decrypt -o made sealed.eml
wrong_pin encrypt --sign --to alice.pem -o made mail.eml
wrong_pin token unlock it
wrong_pin token pin it
wrong_pin token unblock it
wrong_pin id new b@example.org --key ec:p256 --no-backup --token it
wrong_pin id request alice@example.org -o made
wrong_pin id renew alice@example.org --self-signed 9
wrong_pin id remove alice@example.org --lose-mail --yes
wrong_pin id policy alice@example.org --never-export --yes
wrong_pin import other-both.pem --token it
wrong_pin start --new b@example.org --no-backup --no-trust --token it
wrong_pin id enroll b@example.org --cmp http://127.0.0.1:1/ --ref 1 --passphrase-fd 8 --no-backup --token it 8<<<x
serial=$(member serial <(signet_ --json token show it))
wrong_pin token erase it --serial "$serial"
lines=$n
met "the same wrong PIN again" 5 PinRefused it "token" sign -o made mail.eml
lines=''
met "PIN wanted, nobody to ask" 5 PinRequired it "token unlock it" sign -o made mail.eml

# --- names -----------------------------------------------------------------------------------------------

for verb in show unlock pin unblock erase forget lost; do
  met "no such token" 4 NotFound nobody "token list" token "$verb" nobody --yes
done
met "no such token" 4 NotFound nobody "token list" token lock nobody
for verb in show cert request default remove renew policy; do
  met "no such ID" 4 NotFound nobody "id " id "$verb" nobody@example.org
done
met "no such ID" 4 NotFound nobody "id " id address nobody@example.org new@example.org
met "no such ID" 4 NotFound nobody "id " sign --id nobody@example.org -o made mail.eml
met "no ID for the From address" 4 NotFound mallory "id new mallory" sign -o made <(mail mallory@example.org)

with_pins "$pin\n$so_pin" token init --soft --label twin >/dev/null
softhsm2-util --init-token --free --label twin --pin "$pin" --so-pin "$so_pin" >/dev/null 2>&1
for _ in {1..100}; do
  if [[ $(signet_ --json token list | grep -o '"label":"twin"' | wc -l) = 2 ]]; then break; fi
  sleep 0.1
done
for verb in show unlock pin unblock erase forget lost; do
  met "ambiguous name" 4 Ambiguous twin "token list" token "$verb" twin --yes
done
met "ambiguous name" 4 Ambiguous twin "token list" token lock twin
for who in one two; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $who.key -out $who.pem -days 9 \
    -subj "/CN=$who" -addext "subjectAltName=email:$who@example.org" 2>/dev/null
  with_pin import <(cat $who.key $who.pem) --label same --token it >/dev/null
done
for verb in show cert request default remove renew policy; do
  met "ambiguous name" 4 Ambiguous same "id list" id "$verb" same --yes
done
met "ambiguous name" 4 Ambiguous same "id list" id address same new@example.org
met "ambiguous name" 4 Ambiguous same "id list" sign --id same -o made mail.eml
met "ambiguous name" 4 Ambiguous same "id list" encrypt --sign --id same --to alice.pem -o made mail.eml
lines=$right
met "ambiguous: which token" 4 Ambiguous "tokens|token" - id new c@example.org --key ec:p256 --no-backup
lines=''

# --- certificates ----------------------------------------------------------------------------------------

lines=$right
signet_ --json id new bare@example.org --key ec:p256 --no-backup --token it --pin-fd 9 9<<<"$pin" >/dev/null
lines=''
met "no certificate for the key" 4 NoneUsable bare "id request bare" sign --id bare@example.org -o made mail.eml
met "no certificate for the key" 4 NoneUsable bare "id request bare" id cert bare@example.org -o made
met "no key for the certificate" 4 NotFound "key" - id install other.pem
met "no key for the certificate" 4 NotFound "key" - import other.pem
openssl req -x509 -key other.key -out old.pem -not_before 20200101000000Z -not_after 20210101000000Z \
  -subj "/CN=Old" -addext subjectAltName=email:old@example.org 2>/dev/null || cp other.pem old.pem
if openssl x509 -in old.pem -noout -checkend 0 >/dev/null; then
  # OpenSSL 3.0's req knows no dates: its ca does.
  mkdir -p ca && : >ca/index && echo 01 >ca/serial
  printf '[ca]\ndefault_ca=d\n[d]\ndatabase=ca/index\nserial=ca/serial\nnew_certs_dir=ca\ndefault_md=sha256\npolicy=p\ncopy_extensions=copy\n[p]\ncommonName=supplied\n' >ca/conf
  openssl req -new -key other.key -subj "/CN=Old" -addext subjectAltName=email:old@example.org -out old.csr 2>/dev/null
  openssl ca -batch -notext -config ca/conf -selfsign -keyfile other.key -in old.csr -out old.pem \
    -startdate 20200101000000Z -enddate 20210101000000Z >/dev/null 2>&1
fi
met "expired certificate" 7 RecipientsMissing "old" - encrypt --to old.pem -o made mail.eml
cat other.key old.pem >old-both.pem
lines=$right
signet_ import old-both.pem --token it --pin-fd 9 9<<<"$pin" >/dev/null 2>&1
lines=''
met "expired certificate" 4 NoneUsable "old@example.org" "id " sign -o made <(mail old@example.org)

# --- the token is away -----------------------------------------------------------------------------------

with_pin token unlock it >/dev/null
folder=$(find "$embedded/tokens" -mindepth 1 -maxdepth 1 -type d -name "*${serial: -12}" | head -n 1)
[[ -n $folder ]]
result $? "the token's folder is found by its serial number"
mv "$folder" "$work/away"
lines=$right
met "token gone" 6 TokenGone it "token list" sign --id alice@example.org -o made mail.eml
met "token gone" 6 TokenGone it "token list" decrypt -o made sealed.eml
met "token gone" 6 TokenGone it "token list" id request alice@example.org -o made
met "token gone" 6 TokenGone it "token list" token unlock it
lines="$right\n$right"
met "token gone" 6 TokenGone it "token list" token pin it
lines=$right
met "token gone" 6 TokenGone it "token list" id new d@example.org --key ec:p256 --no-backup --token it
met "token gone" 6 TokenGone it "token list" import other-both.pem --token it
met "token gone" 6 TokenGone it "token list" start --new d@example.org --no-backup --no-trust --token it
met "token gone" 6 TokenGone it "token list" token erase it --serial "$serial"
lines=''
mv "$work/away" "$folder"
for _ in {1..100}; do
  if signet_ --json token show it | grep -q '"state":"present"'; then break; fi
  sleep 0.1
done

# --- the disk --------------------------------------------------------------------------------------------

with_pin token unlock it >/dev/null
for verb in "sign mail.eml" "encrypt --to alice.pem mail.eml" "decrypt sealed.eml" "id cert alice@example.org" \
  "id request alice@example.org"; do
  # shellcheck disable=SC2086  # words
  met "no such folder" 1 Io "nowhere" - $verb -o nowhere/made
done
extra_clean_up() { umount "$work/full" "$work/ro" 2>/dev/null; }
mkdir full ro
if mount -t tmpfs -o size=16k tmpfs full 2>/dev/null; then
  head -c 16384 /dev/zero >full/filler 2>/dev/null
  for verb in "sign mail.eml" "encrypt --to alice.pem mail.eml" "decrypt sealed.eml" "id cert alice@example.org" \
    "id request alice@example.org"; do
    # shellcheck disable=SC2086  # words
    met "disk full" 1 Io "space" - $verb -o full/made
  done
  stop_daemon
  mount -t tmpfs -o ro tmpfs ro
  cp "$(find /usr/lib -name libsofthsm2.so | head -n 1)" another.so
  printf -v saved '%s\n%s\n%s' "$XDG_DATA_HOME" "$XDG_STATE_HOME" "$XDG_CONFIG_HOME"
  export XDG_DATA_HOME=$work/ro/data XDG_STATE_HOME=$work/ro/state XDG_CONFIG_HOME=$work/ro/config
  lines="$pin\n$so_pin"
  met "read-only home" 1 Io "ro/data" - token init --soft --label ro
  lines=''
  met "read-only home" 1 Io "ro/config" - trust add alice.pem --yes
  met "read-only home" 1 Io "ro/config" - token modules add "$work/another.so"
  exits 0 "looking works in a read-only home" signet_ status
  stop_daemon
  { read -r XDG_DATA_HOME && read -r XDG_STATE_HOME && read -r XDG_CONFIG_HOME; } <<<"$saved"
else
  skip "disk full, read-only home" "no file system can be mounted here"
fi

# --- the daemon ------------------------------------------------------------------------------------------

# Every verb that asks the daemon; "sandbox do" takes no socket, the others need none.
verbs=(status start "import other-both.pem" "token list" "token show it" "token init --soft --label x" "token pin it"
  "token unblock it" "token unlock it" "token lock" "token modules" "token watch" "token erase it" "token forget it --yes"
  "token lost it --yes" "id list" "id show alice@example.org" "id new b@example.org --no-backup"
  "id request alice@example.org" "id install other.pem" "id cert alice@example.org"
  "id enroll alice@example.org --cmp http://127.0.0.1:1/ --ref 1 --passphrase-fd 8" "id renew alice@example.org"
  "id address alice@example.org new@example.org" "id default alice@example.org" "id remove alice@example.org --yes"
  "id policy alice@example.org --never-export --yes" "sign mail.eml" "decrypt sealed.eml"
  "encrypt --to alice.pem mail.eml" "trust why alice@example.org")
lines="$right\n$right"
long=$work/$(printf 'x%.0s' {1..120})/socket
for verb in "${verbs[@]}"; do
  # shellcheck disable=SC2086  # words
  met "socket path too long" 2 Usage "107" - --socket "$long" $verb 8<<<x
done
perl -MIO::Socket::UNIX -e '
  $s = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $ARGV[0], Listen => 9) or die; $| = 1; $SIG{PIPE} = $SIG{CHLD} = "IGNORE"; print "ready\n";
  while ($c = $s->accept) {
    next if fork;
    local $/ = "\0"; <$c>; print $c q({"parameters":{"protocol":99,"version":"9.9"}}) . "\0"; 1 while <$c>; exit
  }
' "$work/old-daemon" >"$work/ready" &
other=$!
for _ in {1..100}; do if [[ -s $work/ready ]]; then break; fi; sleep 0.05; done
for verb in "${verbs[@]}"; do
  # shellcheck disable=SC2086  # words
  met "daemon of another version" 1 Version "9.9" "pkill -x signetd" --socket "$work/old-daemon" $verb 8<<<x
done
kill "$other"

echo "#"
awk -F'|' '{ printf "# %-13s %-26s %s  %s\n", $1, $2, $3, $4; if ($5 != "") printf "# %44s Try: %s\n", "", $5 }' "$table"
# --- what lies in a soft token's folder besides -------------------------------------------------

soft_token doomed
with_pin id new doomed@example.org --key ec:p256 --no-backup --token doomed >/dev/null
signet_ --json token show doomed >doomed.json
doomed=$(member serial doomed.json)
for folder in "$embedded"/tokens/*; do
  if [[ $(basename "$folder" | tr -d -) = *$doomed ]]; then mkdir "$folder/0-not-softhsm's"; fi
done
exits 1 "a soft token with a folder in it is erased" with_pin token erase doomed --serial "$doomed"
says err "the token is gone, but cannot remove .*not-softhsm" "and what stays is told"
is "$(find "$embedded" -path '*erased*' -type f | wc -l)" 0 "no key is left"

finish
