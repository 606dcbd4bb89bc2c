# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What ./try, ./check and the lint checks share. Sourced, from the top of the checkout.
#
#   packages       packages_install SECTION…    from tests/packages, what is missing only
#   one-line steps step "What" LOG COMMAND…     ok and the time, or the end of its log
#   a throwaway    throwaway_home DIR           nothing of the person's is read or written
#   lint           tap_result "What" FILE       ok when FILE is empty; source_files PATTERN…

# --- how it looks -----------------------------------------------------------------------

look_setup() { # colours and the line being worked on: on a terminal only
  bold='' dim='' green='' red='' yellow='' plain=''
  on_terminal=no
  [[ -t 1 ]] && on_terminal=yes
  if [[ $on_terminal = yes && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
    bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' yellow=$'\e[33m' plain=$'\e[0m'
  fi
}

now() { echo $((${EPOCHREALTIME/[.,]/} / 100000)); } # tenths of a second

took() { # took START: "4.2 s", or "3 min 7 s" when it was long
  local tenths=$(($(now) - $1))
  if ((tenths < 1200)); then
    printf '%d.%d s' $((tenths / 10)) $((tenths % 10))
  else
    printf '%d min %d s' $((tenths / 600)) $((tenths / 10 % 60))
  fi
}

heading() { printf '%s%s%s\n' "$bold" "$1" "$plain"; }

working() { # the line of a step that has not ended yet
  if [[ $on_terminal = yes ]]; then printf '  %s..%s      %s' "$dim" "$plain" "$1"; fi
}

line() { # line ok|FAILED|none "What" "time": a step's one line, over the line of `working`
  local colour=$green
  case $1 in FAILED) colour=$red ;; none) colour=$yellow ;; esac
  if [[ $on_terminal = yes ]]; then printf '\r\e[K'; fi
  printf '  %s%-6s%s  %-58s %s%11s%s\n' "$colour" "$1" "$plain" "$2" "$dim" "$3" "$plain"
}

log_end() { # log_end LOG: the part that says why, and where the whole of it is
  local from
  # ninja prints the failed command's output at once, then what was still running.
  from=$(grep -n -m1 -E '^FAILED: |^CMake Error' "$1" | cut -d: -f1)
  if [[ -n $from ]]; then sed -n "$from,$((from + 24))p" "$1"; else tail -n 25 "$1"; fi |
    sed '/^FAILED: /{n;d}' | cut -c -400 | sed 's/^/    | /' # not the compiler's command line
  printf '    The whole log: %s\n' "$1"
}

step() { # step "What" LOG COMMAND…
  local what=$1 log=$2 start
  shift 2
  start=$(now)
  working "$what"
  # Descriptor 9 is the lock of run_alone: a daemon that outlives us must not hold it.
  if "$@" </dev/null >"$log" 2>&1 9>&-; then
    line ok "$what" "$(took "$start")"
  else
    line FAILED "$what" "$(took "$start")"
    log_end "$log"
    return 1
  fi
}

run_alone() { # run_alone LOCK NAME: waits while another one works in the same folders
  exec 9>>"$1"
  if ! flock -n 9; then
    echo "Another $2 is running in this checkout; this one starts when that one has ended."
    flock 9
  fi
}

# --- packages -----------------------------------------------------------------------------

packages_listed() { # packages_listed SECTION…
  local wanted=" $* "
  awk -v wanted="$wanted" '
    /^\[/ { section = substr($1, 2, length($1) - 2); next }
    /^[^#]/ && NF && index(wanted, " " section " ") { print $1 }' tests/packages
}

packages_missing() {
  local package
  for package in $(packages_listed "$@"); do
    # shellcheck disable=SC2016  # dpkg-query's own ${Status}
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
    'install ok installed' | 'hold ok installed') ;;
    *) echo "$package" ;;
    esac
  done
}

packages_get() { # packages_get PACKAGE…; with sudo when that was found to be needed
  # RUNLEVEL=1: Debian starts no service of a package then; tests start their own.
  local apt=(env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -o DPkg::Lock::Timeout=600 -y)
  "${become[@]}" "${apt[@]}" update &&
    "${become[@]}" "${apt[@]}" install --no-install-recommends "$@"
}

# packages_install YES LOG SECTION…: YES=yes never asks. Says what is missing and the command.
packages_install() {
  local yes=$1 log=$2 missing answer
  shift 2
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "This is not Debian or a relative of it, so nothing was installed. What signet"
    echo "needs is listed in tests/packages; going on with what is here."
    return 0
  fi
  mapfile -t missing < <(packages_missing "$@")
  ((${#missing[@]})) || return 0

  become=()
  if ((EUID != 0)) && command -v sudo >/dev/null; then become=(sudo); fi
  heading "Missing Debian packages"
  echo "${missing[*]}" | fold_words ''
  echo "They are installed with:"
  printf '%s\n' "${become[*]} apt-get install --no-install-recommends ${missing[*]}" |
    fold_words " \\"
  if ((EUID != 0 && ${#become[@]} == 0)); then
    echo "You are not root and there is no sudo: have somebody run that as root, then come back."
    return 1
  fi
  if [[ $yes != yes ]]; then
    if [[ ! -t 0 || ! -t 1 ]]; then
      echo "Nobody is here to say yes: run it yourself, or give --yes."
      return 1
    fi
    read -r -p "Install them now? [Y/n] " answer || answer=n
    case $answer in '' | [yY]*) ;; *) echo "Nothing was installed."; return 1 ;; esac
    # The password is asked for here, not in the middle of a quiet step.
    if ((EUID != 0)) && ! sudo -v; then return 1; fi
  elif ((EUID != 0)); then
    become=(sudo -n) # nobody is here to type a password
  fi
  # One at a time: a ./try and a ./check that start together miss the same packages.
  exec 8>>build/logs/packages.lock
  flock 8
  mapfile -t missing < <(packages_missing "$@")
  if ((${#missing[@]})); then
    step "Installed ${#missing[@]} packages" "$log" packages_get "${missing[@]}" 8>&- || return 1
  fi
  exec 8>&-
}

fold_words() { # fold_words ENDING: ENDING joins the lines again (a backslash in a command)
  sed 's/^ *//' | fold -s -w 72 | sed -e 's/^/    /' -e "\$!s/ *\$/${1//\\/\\\\}/"
}

# --- a home that is thrown away -------------------------------------------------------------

throwaway_home() { # throwaway_home DIR: everything that programs look up by environment
  export HOME=$1 XDG_CONFIG_HOME=$1/config XDG_DATA_HOME=$1/data XDG_STATE_HOME=$1/state
  export XDG_CACHE_HOME=$1/cache XDG_RUNTIME_DIR=$1/run GNUPGHOME=$1/gnupg
  mkdir -m 700 "$XDG_CONFIG_HOME" "$XDG_DATA_HOME" "$XDG_STATE_HOME" "$XDG_CACHE_HOME" \
    "$XDG_RUNTIME_DIR" "$GNUPGHOME"
  unset SIGNET_SOCKET SOFTHSM2_CONF OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES
  unset DISPLAY WAYLAND_DISPLAY DBUS_SESSION_BUS_ADDRESS GPG_AGENT_INFO
  export LC_ALL=C.UTF-8
}

# --- the lint checks ------------------------------------------------------------------------

source_files() { # source_files [PATTERN…]: ours, tracked or not; a `*` crosses folders
  local pattern names=()
  for pattern in "${@:-*}"; do names+=(-o -path "./$pattern"); done
  find . \( -path ./build -o -path ./.git -o -path ./.cache \) -prune -o \
    -type f \( "${names[@]:1}" \) -print | sed 's|^\./||' | sort
}

tap_count=0
tap_result() { # tap_result "What" PROBLEMS: PROBLEMS names a file, empty when all is well
  tap_count=$((tap_count + 1))
  if [[ -s $2 ]]; then
    echo "not ok $tap_count - $1"
    head -n 200 "$2" | sed 's/^/#   /'
  else
    echo "ok $tap_count - $1"
  fi
}

tap_skip() { # tap_skip "What" "why"
  tap_count=$((tap_count + 1))
  echo "ok $tap_count - $1 # SKIP $2"
}

tap_done() { echo "1..$tap_count"; }
