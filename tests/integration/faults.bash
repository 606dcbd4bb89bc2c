#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# A killed host, a killed daemon, a token that goes, a full disk: the right error, nothing lost.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
soft_token it
new_id alice@example.org rsa:2048 >/dev/null
signet_ id cert alice@example.org -o alice.pem
mail alice@example.org >mail.eml
signet_ encrypt --to alice.pem -o sealed.eml mail.eml

host=$(our_processes signet-token)
[[ -n $host ]]
result $? "a token has a host process"
for pid in $host; do kill -KILL "$pid"; done
exits 0 "a killed host is started again, and the mail is signed" with_pin sign -o s1.eml mail.eml
exits 0 "and opened" with_pin decrypt -o o1.eml sealed.eml
cmp -s <(body o1.eml) <(body mail.eml)
result $? "to what it was"

for pid in $(our_processes signet-token); do kill -STOP "$pid"; done
stopped=$(our_processes signet-token)
exits 0 "a host that hangs costs other calls nothing" timeout 10 signet --no-input status
for pid in $stopped; do kill -CONT "$pid" 2>/dev/null; done

old=$(daemon_pid)
kill -KILL "$old"
exits 0 "a killed daemon is started again" signet_ status
[[ $(daemon_pid) != "$old" ]]
result $? "by another process"
exits 5 "which has forgotten the PIN" signet_ sign -o s2.eml mail.eml
is "$(ls s2.eml 2>/dev/null)" "" "and writes nothing"
exits 0 "with the PIN it signs" with_pin sign -o s2.eml mail.eml
sleep 0.5
is "$(our_processes signetd | wc -l)" 1 "one daemon runs"
for _ in 1 2 3 4 5 6; do signet_ status >/dev/null 2>&1 & done
wait
stop_daemon
for _ in 1 2 3 4 5 6; do signet_ status >/dev/null 2>&1 & done
wait
is "$(our_processes signetd | wc -l)" 1 "and one only, when six start it at once"

# The token's folder goes while it is in use, and comes back. Until that is noticed the host finds
# no key on it; after that the ID has no key that is here.
works_again() { # works_again "what" verb…: as soon as it is noticed; until then it is told as away
  local what=$1 status
  shift
  for _ in {1..40}; do
    with_pin "$@" >"$work/out" 2>"$work/err"
    status=$?
    if ((status != 6)); then break; fi
    sleep 0.05
  done
  result $status "$what" || echo "#   status $status"
}
present() { # until it is noticed
  for n in {1..100}; do
    if signet_ --json token show it | grep -q '"state":"present"'; then return; fi
    sleep 0.05
  done
}
with_pin token unlock it >/dev/null
tokens=$(find "$embedded" -mindepth 1 -type d -name '*-*' | head -n 1)
mv "$tokens" "$work/away"
exits 6 "a token that is away: sign" with_pin sign --id alice@example.org -o s3.eml mail.eml
is "$(ls s3.eml 2>/dev/null)" "" "nothing is written"
exits 6 "a token that is away: decrypt" with_pin decrypt -o o3.eml sealed.eml
is "$(ls o3.eml 2>/dev/null)" "" "nothing is written"
says err '"?it"?' "it names the token"
exits 0 "it stays listed" signet_ --json token list
says out '"absent"' "as absent"
mv "$work/away" "$tokens"
present
echo "# noticed after $n tries"
exits 0 "back again, it signs" with_pin sign -o s4.eml mail.eml
exits 0 "and opens" with_pin decrypt -o o4.eml sealed.eml

# Each moment between its going and that being noticed (0.3 s) is another race; so is its return,
# when what was read of it before is of no use any more.
rested() { # unlocked, its key in use, and no restart of its host to come
  sleep 0.4
  works_again "it signs again" sign --id alice@example.org -o s6.eml mail.eml
}
for delay in 0.06 0.1; do
  rested
  mv "$tokens" "$work/away"
  sleep $delay
  exits 6 "away for $delay s: sign" with_pin sign --id alice@example.org -o s5.eml mail.eml
  mv "$work/away" "$tokens"
  works_again "back, it signs" sign --id alice@example.org -o s6.eml mail.eml
  rested
  mv "$tokens" "$work/away"
  sleep $delay
  exits 6 "away for $delay s: decrypt" with_pin decrypt -o o5.eml sealed.eml
  mv "$work/away" "$tokens"
  works_again "back, it opens" decrypt -o o6.eml sealed.eml
  rested
  mv "$tokens" "$work/away" && mv "$work/away" "$tokens"
  works_again "away and at once back, it opens" decrypt -o o7.eml sealed.eml
done
for delay in 0 0.15; do
  rested
  signet_ token lock it >/dev/null
  mv "$tokens" "$work/away"
  sleep $delay
  exits 6 "locked, and away for $delay s: sign" with_pin sign --id alice@example.org -o s5.eml mail.eml
  mv "$work/away" "$tokens"
  works_again "back, it signs" sign --id alice@example.org -o s6.eml mail.eml
done
is "$(ls s5.eml o5.eml 2>/dev/null)" "" "while it was away, nothing was written"

# A full disk.
exits 1 "standard output on a full disk" bash -c 'signet --no-input sign mail.eml >/dev/full'
says err "space" "it says why"
extra_clean_up() { umount "$work/full" 2>/dev/null; }
mkdir full
if mount -t tmpfs -o size=64k tmpfs full 2>/dev/null; then
  cp mail.eml full/small.eml
  head -c 200000 /dev/zero | tr '\0' 'x' >long
  { mail alice@example.org; fold -w 70 long; } >big.eml
  cp full/small.eml before
  exits 1 "an output file on a full disk" with_pin sign -o full/small.eml big.eml
  says err "space" "it says why"
  ok "the file that was there is whole" cmp full/small.eml before
  is "$(find full -type f | wc -l)" 1 "nothing else is left"
else
  skip "an output file on a full disk" "a small file system cannot be mounted here"
fi

# A full disk under the token itself: an ID that could not be made is not half there.
if [[ -d full ]] && mountpoint -q full; then
  umount full && mount -t tmpfs -o size=256k tmpfs full
  stop_daemon
  mkdir -p full/data && XDG_DATA_HOME=$work/full/data with_pins "$pin\n$so_pin" token init --soft --label tiny >/dev/null 2>&1
  head -c 500000 /dev/zero >full/filler 2>/dev/null
  XDG_DATA_HOME=$work/full/data exits 1 "a key on a full disk" with_pin id new full@example.org --key rsa:2048 --no-backup --self-signed 9
  rm -f full/filler
  stop_daemon
  XDG_DATA_HOME=$work/full/data exits 0 "the token works afterwards" with_pin id new full@example.org --key ec:p256 --no-backup --self-signed 9
  stop_daemon
else
  skip "a key on a full disk" "a small file system cannot be mounted here"
fi
finish
