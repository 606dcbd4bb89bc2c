# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What every integration test starts with: a home, a daemon and a SoftHSM configuration of its
# own, all gone afterwards, and cases printed in TAP. A test begins with
#
#   . "$(dirname "$0")/lib.bash"
#
# and ends with `finish`. The programs are those of SIGNET_TEST_BUILD. With a line before it,
#
#   sandbox=(--id alice@example.org,rsa:2048 --contact bob@example.org)
#
# the test runs in a `signet sandbox` of these words: token and IDs are there and certified, the
# PIN ($pin) is cached, and the sandbox clears up. `$contacts` is the folder of the others.

set -u
export LC_ALL=C.UTF-8 TZ=UTC
unset DISPLAY WAYLAND_DISPLAY SIGNET_SOCKET NO_COLOR COLUMNS DBUS_SESSION_BUS_ADDRESS GPG_TTY
PATH=${SIGNET_TEST_BUILD:?the build folder}:$PATH

# shellcheck disable=SC2034  # the tests use it
source_folder=$(cd "$(dirname "$0")/../.." && pwd)
if [[ -v sandbox && ${SIGNET_IT_SANDBOX:-} != here ]]; then
  unset XDG_RUNTIME_DIR
  TMPDIR=/tmp SIGNET_IT_SANDBOX=here exec signet sandbox "${sandbox[@]}" -- bash "$0" "$@"
fi

own_home() { # own_home FOLDER: no sandbox, so made by hand
  export HOME=$1/home
  export XDG_CONFIG_HOME=$HOME/.config XDG_DATA_HOME=$HOME/.local/share
  export XDG_STATE_HOME=$HOME/.local/state XDG_CACHE_HOME=$HOME/.cache XDG_RUNTIME_DIR=$1/run
  export GNUPGHOME=$1/gnupg SOFTHSM2_CONF=$1/own/softhsm2.conf
  mkdir -m 700 "$HOME" "$XDG_RUNTIME_DIR" "$GNUPGHOME" "$1/own" "$1/own/tokens" || exit 1
  # The person's own SoftHSM, empty; without it the machine's would be looked at.
  printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' \
    "$1/own/tokens" >"$SOFTHSM2_CONF"
}

if [[ -v sandbox ]]; then
  unset SIGNET_IT_SANDBOX
  # shellcheck disable=SC2034  # the tests use it
  work=$SIGNET_SANDBOX_DIR/work contacts=$SIGNET_SANDBOX_DIR/contacts
  mkdir "$work" || exit 1
else
  unset SIGNET_SANDBOX_DIR
  # A socket's path is short, so a long TMPDIR will not do.
  work=$(TMPDIR=/tmp mktemp -d -t signet-it.XXXXXX) || exit 1
  own_home "$work"
fi
export SIGNET_IT=$work
cd "$work" || exit 1

pin=${SIGNET_SANDBOX_DIR:+$SIGNET_SANDBOX_PIN}
pin=${pin:-493817} so_pin=60427195
# shellcheck disable=SC2034  # the tests use it
embedded=$XDG_DATA_HOME/signet/softhsm
cases=0 failures=0 finished=no

# --- the end ------------------------------------------------------------------------------------

# Root sees it in their environment; other people's daemon hides that, but holds its lock file.
marked() { grep -l -z -s -x -F "SIGNET_IT=$work" /proc/[0-9]*/environ | tr -d -c '0-9\n'; }
lock_holders() {
  local inode pid
  inode=$(stat -c %i "$XDG_RUNTIME_DIR/signet/socket.lock" 2>/dev/null) || return 0
  awk -v at=":$inode\$" '$2 == "FLOCK" && $6 ~ at { print $5 }' /proc/locks | while read -r pid; do
    echo "$pid"
    pgrep -P "$pid"
  done
}

our_processes() { # our_processes NAME…: pids of what this test started, of these names
  local pid name
  for pid in $({ marked; lock_holders; } | sort -u); do
    name=$(cat "/proc/$pid/comm" 2>/dev/null)
    if [[ " $* " = *" $name "* ]]; then echo "$pid"; fi
  done
}

stop_daemon() { # by process id, and waits until it and its hosts are gone
  local pid
  for pid in $(our_processes signetd); do kill "$pid" 2>/dev/null; done
  for _ in {1..100}; do
    [[ -n $(our_processes signetd signet-token) ]] || return 0
    sleep 0.05
  done
  for pid in $(our_processes signetd signet-token); do kill -KILL "$pid" 2>/dev/null; done
}

clean_up() {
  trap - EXIT
  if [[ ! -v sandbox ]]; then stop_daemon; fi
  for pid in $(our_processes gpg-agent dirmngr scdaemon keyboxd); do kill "$pid" 2>/dev/null; done
  if declare -F extra_clean_up >/dev/null; then extra_clean_up; fi
  cd / && rm -rf "$work"
  if [[ $finished = no ]]; then
    echo "Bail out! the test ended before its end"
    exit 1
  fi
  exit $((failures > 0))
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

finish() {
  echo "1..$cases"
  finished=yes
  exit 0
}

skip_all() { # skip_all REASON
  echo "1..0 # SKIP $1"
  finished=yes
  exit 0
}

# --- cases --------------------------------------------------------------------------------------

result() { # result STATUS "what": one case; prints what the last command said when it failed
  cases=$((cases + 1))
  if (($1 == 0)); then
    echo "ok $cases - $2"
    return 0
  fi
  failures=$((failures + 1))
  echo "not ok $cases - $2"
  if [[ -s $work/err ]]; then sed 's/^/#   err: /' "$work/err" | head -n 12; fi
  if [[ -s $work/out ]]; then head -c 800 "$work/out" | tr -d '\000' | sed 's/^/#   out: /' | head -n 12; fi
  return 1
}

skip() { # skip "what" REASON
  cases=$((cases + 1))
  echo "ok $cases - $1 # SKIP $2"
}

ok() { # ok "what" command…: it succeeds
  local what=$1 status
  shift
  "$@" >"$work/out" 2>"$work/err"
  status=$?
  result "$status" "$what"
}

exits() { # exits STATUS "what" command…: it ends with that status
  local want=$1 what=$2 status
  shift 2
  "$@" >"$work/out" 2>"$work/err"
  status=$?
  if ((status != want)); then echo "#   status $status, not $want: $*"; fi
  result $((status != want)) "$what"
}

is() { # is GOT WANT "what"
  if [[ $1 != "$2" ]]; then printf '#   got: %s\n#   not: %s\n' "$1" "$2"; fi
  [[ $1 = "$2" ]]
  result $? "$3"
}

says() { # says out|err REGEX "what": of the command before
  grep -q -E -e "$2" "$work/$1"
  result $? "$3"
}

says_not() { # says_not out|err REGEX "what"
  ! grep -q -E -e "$2" "$work/$1"
  result $? "$3"
}

member() { # member NAME FILE: the first value of that name in compact JSON, text without its quotes
  grep -o "\"$1\": *\(\"[^\"]*\"\|[^,}]*\)" "$2" | head -n 1 | sed -e 's/^[^:]*: *//' -e 's/^"//' -e 's/"$//'
}

# --- what people do -----------------------------------------------------------------------------

signet_() { timeout -k 5 120 signet --no-input "$@"; } # asks nobody
with_pin() { timeout -k 5 240 signet --no-input "$@" --pin-fd 9 9<<<"$pin"; }
with_pins() { # with_pins "line\nline" verb…
  local lines=$1
  shift
  timeout -k 5 120 signet --no-input "$@" --pin-fd 9 9< <(printf '%b\n' "$lines")
}

soft_token() { with_pins "$pin\n$so_pin" token init --soft --label "${1:-it}" >/dev/null; }

new_id() { # new_id ADDRESS KIND OPTION…
  local address=$1 kind=$2
  shift 2
  with_pin id new "$address" --key "$kind" --no-backup --self-signed 365 "$@"
}

mail() { # mail FROM: a small mail on standard output
  printf 'From: %s\nTo: bob@example.org\nSubject: Lunch\nMIME-Version: 1.0\n' "$1"
  printf 'Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n'
  printf 'Dear Bob,\n\nlunch at the café? The word is marzipan.\n'
}

trust() { # trust CERTIFICATE: as a root for mail
  mkdir -p "$XDG_CONFIG_HOME/signet/trust.d" && cp "$1" "$XDG_CONFIG_HOME/signet/trust.d/"
}

body() { tr -d '\r' <"$1" | sed '1,/^$/d'; }

daemon_pid() { signet_ --json status 2>/dev/null | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p'; }
