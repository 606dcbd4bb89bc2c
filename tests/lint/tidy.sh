#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# clang-tidy over src/, with .clang-tidy. Minutes, so ./check --quick leaves it out.
# Usage: tests/lint/tidy.sh [BUILD-FOLDER] (build/dev; it holds compile_commands.json)
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. tests/lint/shell.sh
build=${1:-build/dev}
what="clang-tidy finds nothing in src/"
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

if [[ ! -f $build/compile_commands.json ]]; then
  echo "no $build/compile_commands.json: build first" >"$scratch/problems"
  tap_result "$what" "$scratch/problems"
  tap_done
  exit 1
fi
run-clang-tidy -quiet -j "$(nproc)" -p "$build" -extra-arg=-Wno-unknown-warning-option \
  "^$PWD/src/.*\.c\$" >"$scratch/out" 2>"$scratch/err"
status=$?
# A header's finding comes once for each file that includes it.
grep -E '^/.*: (warning|error): ' "$scratch/out" | sed "s|^$PWD/||" | sort -u >"$scratch/problems"
if ((status != 0)) && [[ ! -s $scratch/problems ]]; then
  tail -n 20 "$scratch/err" >"$scratch/problems"
fi
tap_result "$what" "$scratch/problems"
tap_done
