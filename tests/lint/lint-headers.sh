#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every header compiles alone, and twice. The public ones also in old C and in C++, as a
# mail tool's author may need them.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. tests/lint/shell.sh
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

# Other people's headers as system headers: their warnings are not ours.
libraries=(glib-2.0 jansson libcrypto p11-kit-1 gmime-3.0 libassuan)
read -r -a flags < <(pkg-config --cflags "${libraries[@]}" | sed 's/-I */-isystem /g')
flags+=(-Iinclude -D_GNU_SOURCE -Wall -Wextra -Wundef -Werror -fsyntax-only)

compiles_alone() { # compiles_alone HEADER-AS-INCLUDED COMPILER OPTION…
  local header=$1
  shift
  printf '#include <%s>\n#include <%s>\n' "$header" "$header" |
    "$@" "${flags[@]}" - 2>&1 | grep -E 'error|warning' | head -n 3
}

check_each() { # check_each STRIP FILES COMMAND…: FILES holds names, STRIP is cut off them
  local strip=$1 files=$2 file
  shift 2
  while IFS= read -r file; do
    compiles_alone "${file#"$strip"}" "$@" | sed "s|^|$file: |"
  done <"$files" >"$scratch/problems"
}

source_files 'include/*.h' >"$scratch/public"
if [[ -s $scratch/public ]]; then
  check_each include/ "$scratch/public" gcc -std=c11 -x c
  tap_result "public headers compile alone" "$scratch/problems"
  check_each include/ "$scratch/public" gcc -std=c99 -pedantic -x c
  tap_result "public headers compile as C99, pedantically" "$scratch/problems"
  check_each include/ "$scratch/public" g++ -std=c++11 -pedantic -x c++
  tap_result "public headers compile as C++" "$scratch/problems"
fi

flags+=(-Isrc)
for folder in $(source_files 'src/*.h' | sed 's|/[^/]*$||' | sort -u); do
  source_files "$folder/*.h" | grep "^$folder/[^/]*$" >"$scratch/folder"
  check_each src/ "$scratch/folder" gcc -std=c11 -x c
  tap_result "each header of $folder compiles alone" "$scratch/problems"
done
tap_done
