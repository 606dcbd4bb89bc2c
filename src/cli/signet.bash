# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of signet's verbs and options in bash; where it knows no word, file names.
_signet() {
  local words=("${COMP_WORDS[@]:1:COMP_CWORD}")
  mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" --complete "${words[@]}" 2>/dev/null)
}
complete -o default -F _signet signet
