#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Draws the README's picture: runs a real session in a throwaway home, on a terminal of 80
# columns, and writes what it looked like as SVG. Needs expect.  src/cli/session.bash BUILD >src/cli/session.svg
set -eu
build=$(realpath "${1:?a build folder}")
work=$(TMPDIR=/tmp mktemp -d -t signet-session.XXXXXX)
export HOME=$work XDG_RUNTIME_DIR=$work/run SOFTHSM2_CONF=$work/none LC_ALL=C.UTF-8 PATH=$build:$PATH
export TERM=xterm-256color COLUMNS=80
unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME DISPLAY WAYLAND_DISPLAY SIGNET_SOCKET NO_COLOR
mkdir -m 700 "$work/run"
cd "$work"
clean() {
  kill "$(signet --json status | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')" 2>/dev/null
  cd / && rm -rf "$work"
}
trap clean EXIT

printf 'From: Alice Example <alice@example.org>\nTo: bob@example.org\nSubject: Lunch\n\nAt noon?\n' >mail.eml
printf '493817\n' >pins
printf 'marzipan\n' >passphrase
openssl req -x509 -newkey rsa:2048 -nodes -keyout bob.key -out bob.pem -days 365 -subj "/CN=Bob Example" \
  -addext subjectAltName=email:bob@example.org -addext basicConstraints=CA:FALSE 2>/dev/null
openssl pkcs12 -export -inkey bob.key -in bob.pem -passout pass:marzipan -out bob.p12
screen=$work/screen
run() { # shows the command, runs it on a terminal
  printf '\033[1;32m$\033[0m \033[1m%s\033[0m\n' "$1" >>"$screen"
  script -qec "stty cols 80; $1 ${2:-}" /dev/null </dev/null |
    sed -e 's/\r*$//' -e 's/.*\r//' -e 's/\x1b\[K//g' >>"$screen" # what a spinner left standing
  echo >>"$screen"
}
printf '\033[1;32m$\033[0m \033[1msignet start\033[0m\n' >>"$screen"
expect >/dev/null <<'END'
log_file -a screen
set timeout 20
spawn -noecho bash -c "stty cols 80; signet start"
expect -ex {Number [1]: } { send "1\r" }
expect "address: " { send "alice@example.org\r" }
expect "New PIN for token \"signet\": " { send "493817\r" }
expect "to be sure: " { send "493817\r" }
expect "empty): " { send "Alice Example\r" }
expect -ex {Number [1]: } { send "1\r" }
expect -ex {mail? [y/N] } { send "y\r" }
expect eof
END
sed -i -e 's/\r*$//' -e 's/.*\r//' "$screen"
echo >>"$screen"
run 'signet sign mail.eml -o signed.eml'
signet id cert alice@example.org -o alice.pem
run 'openssl cms -verify -in signed.eml -CAfile alice.pem -out /dev/null'
run 'signet import bob.p12' '--passphrase-fd 8 8<passphrase --pin-fd 9 9<pins'
run 'signet encrypt --to alice.pem mail.eml -o sealed.eml'
run 'signet decrypt sealed.eml'
run 'signet id list'

# ANSI to SVG: bold, dim and the plain colours are all that signet uses.
awk '
  function esc(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); gsub(/>/, "\\&gt;", s); return s }
  function style(code) {
    if (code == "" || code == "0") return ""
    if (code ~ /^1;32$|^32$/) return " class=\"green\""
    if (code ~ /31$/) return " class=\"red\""
    if (code ~ /33$/) return " class=\"yellow\""
    if (code ~ /^1$/) return " class=\"bold\""
    if (code ~ /^2$/) return " class=\"dim\""
    return ""
  }
  { line[NR] = $0 }
  END {
    while (NR > 0 && line[NR] == "") NR--
    height = NR * 18 + 28
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"700\" height=\"%d\" viewBox=\"0 0 700 %d\">\n", height, height
    print "<style>text{font:14px/18px ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;fill:#d6deeb;white-space:pre}"
    print ".green{fill:#7fdb8a;font-weight:bold}.red{fill:#ff7b72}.yellow{fill:#e3c56a}.bold{font-weight:bold;fill:#fff}.dim{fill:#8896ab}</style>"
    printf "<rect width=\"700\" height=\"%d\" rx=\"8\" fill=\"#0f1724\"/>\n", height
    for (i = 1; i <= NR; i++) {
      rest = line[i]; out = ""; now = ""
      while (match(rest, /\033\[[0-9;]*[a-zA-Z]/)) {
        out = out (RSTART > 1 ? "<tspan" now ">" esc(substr(rest, 1, RSTART - 1)) "</tspan>" : "")
        code = substr(rest, RSTART + 2, RLENGTH - 3)
        if (substr(rest, RSTART + RLENGTH - 1, 1) == "m") now = style(code)
        rest = substr(rest, RSTART + RLENGTH)
      }
      out = out "<tspan" now ">" esc(rest) "</tspan>"
      printf "<text x=\"14\" y=\"%d\" xml:space=\"preserve\">%s</text>\n", i * 18 + 10, out
    }
    print "</svg>"
  }' "$screen"
