#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every file names its licence, none is too long, all are formatted, the scripts are clean.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. tests/lint/shell.sh
problems=$(mktemp) || exit 1
trap 'rm -f "$problems"' EXIT

max_file=1000     # lines; look again above 600
look_function=60  # lines: a note, not a failure (tables are exempt, and so is judgement)
look_parameters=6 # then a struct reads better

c_files() { source_files '*.c' '*.h'; }
scripts() { source_files | xargs -r grep -l -m1 -E '^#!.*[/ ](ba|da)?sh$|^# shellcheck shell=' | sort; }

{ c_files; scripts; source_files '*CMakeLists.txt' '*.cmake'; } | sort -u |
  while IFS= read -r file; do
    head -n 5 "$file" | grep -q 'SPDX-License-Identifier: LGPL-2.1-or-later' || echo "$file"
  done >"$problems"
tap_result "every source file names its licence (SPDX, in the first five lines)" "$problems"

c_files | while IFS= read -r file; do
  lines=$(wc -l <"$file")
  if ((lines > max_file)); then echo "$file: $lines lines"; fi
done >"$problems"
tap_result "no source file is above $max_file lines" "$problems"

c_files | xargs -r clang-format --dry-run 2>&1 | sed -n 's/:[0-9]*:[0-9]*: warning: .*//p' |
  sort | uniq -c | sort -rn | awk '{ print "clang-format -i " $2 "   # " $1 " places" }' >"$problems"
tap_result "the C sources are formatted as .clang-format says" "$problems"

# Not: sources that it cannot follow, functions that only a trap calls, A && B || C.
scripts | xargs -r shellcheck --external-sources --format=gcc --severity=info \
  --exclude=SC1090,SC1091,SC2015,SC2317 >"$problems"
tap_result "shellcheck finds nothing in the scripts" "$problems"
tap_done

# Notes, for a person to judge.
c_files | grep -v '^tests/' |
  ctags -x --_xformat='%N	%F:%n	%n	%e	%S' --languages=C --langmap=C:.c.h --kinds-C=f -L - |
  awk -F '\t' -v long=$look_function -v many=$look_parameters '
    $4 - $3 + 1 > long { print "# note: " $2 ": " $1 "() has " $4 - $3 + 1 " lines" }
    gsub(/,/, ",", $5) >= many { print "# note: " $2 ": " $1 "() has many parameters" }'
