#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Help, completion and the manual page know every verb.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
verbs="token list|token show|token init|token pin|token unblock|token unlock|token lock|token modules|token watch
token erase|token forget|token lost|start
id list|id show|id new|id request|id install|id cert|id default|id remove
id renew|id enroll|id address|id policy
sign|verify|encrypt|decrypt|info|import|status|sandbox
receipt make|receipt check
trust list|trust add|trust remove|trust why|config show"

signet --help >all
(($(wc -L <all) <= 80))
result $? "the overview fits 80 columns"
page=$source_folder/src/cli/signet.1
tr '|' '\n' <<<"$verbs" >list
while IFS= read -r verb; do
  # shellcheck disable=SC2086  # words
  exits 0 "$verb --help" signet $verb --help
  says out "^Usage: signet $verb" "$verb: says how"
  says out "^  signet $verb" "$verb: with an example"
  (($(wc -L <"$work/out") <= 80))
  result $? "$verb: fits 80 columns"
  grep -q -F "  $verb " all
  result $? "$verb: is in the overview"
  grep -q -E "^\.(B|BR) .*$verb" "$page" || grep -q -F "$verb" "$page"
  result $? "$verb: is in the manual page"
done <list
exits 0 "a group's help" signet token --help
says out "token unblock" "lists its verbs"
exits 0 "--help after a mistake in arguments" signet id show --help

is "$(signet --complete tok)" token "completion: a group"
is "$(signet --complete token unb)" unblock "completion: a verb"
is "$(signet --complete sign --hash sha3)" sha384 "completion: a value"
is "$(signet --complete sign --opa)" --opaque "completion: an option"
ok "completion in bash" bash -c '. "$1/src/cli/signet.bash"; COMP_WORDS=(signet id ins); COMP_CWORD=2
  _signet; [ "${COMPREPLY[*]}" = install ]' - "$source_folder"
if command -v man >/dev/null; then
  ok "the manual page has no error" bash -c 'LC_ALL=C.UTF-8 MANROFFSEQ= man --warnings -l "$1" 2>&1 >/dev/null | (! grep .)' - "$page"
else
  skip "the manual page has no error" "man is not installed"
fi
is "$(our_processes signetd | wc -l)" 0 "none of this starts a daemon"
ok "GMime is not loaded before it is needed" bash -c '! ldd "$(command -v signet)" | grep -q gmime'
finish
