#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Two rules per folder of tests/lint/rooms: it includes only what its line allows, and the
# functions it gives to others start with its name.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. tests/lint/shell.sh
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

table() { sed -e 's/#.*//' -e 's/[[:space:]]*:[[:space:]]*/:/g' -e 's/[[:space:]]*$//' -e '/^$/d' tests/lint/rooms; }

room_of() { # room_of PATH: the longest folder of the table that PATH lies in
  local path=${1#src/} room best=''
  for room in "${!allowed[@]}"; do
    if [[ $path = "$room"/* && ${#room} -gt ${#best} ]]; then best=$room; fi
  done
  echo "$best"
}

declare -A allowed prefixes
while IFS=: read -r room names includes; do
  prefixes[$room]=$names
  allowed[$room]=$includes
done < <(table)

# Every file of ours has a room.
source_files 'src/*.[ch]' 'include/*.h' >"$scratch/files"
while IFS= read -r file; do
  room=$(room_of "$file")
  if [[ -z $room ]]; then
    echo "$file: its folder is not in tests/lint/rooms"
    continue
  fi
  echo "$file" >>"$scratch/files-of-${room//\//-}"
done <"$scratch/files" >"$scratch/homeless"
tap_result "every source file lies in a room of tests/lint/rooms" "$scratch/homeless"

included_by() { # included_by ROOM: "file:line included-path", ours only
  # shellcheck disable=SC2046  # no blanks in our file names
  grep -n -E '^[[:space:]]*#[[:space:]]*include[[:space:]]*("|<signet/)' \
    $(cat "$scratch/files-of-${1//\//-}") /dev/null |
    sed -E 's/^([^:]*:[0-9]+):[^"<]*["<]([^">]*)[">].*/\1 \2/'
}

check_includes() { # check_includes ROOM
  local room=$1 where header from target
  while read -r where header; do
    from=${where%:*}
    if [[ $header = signet/* ]]; then
      continue
    elif [[ -f $(dirname "$from")/$header ]]; then
      target=$(room_of "$(dirname "$from")/$header")
    elif [[ -f src/$header ]]; then
      target=$(room_of "src/$header")
    else
      target=$header # generated, or not there: the compiler says so
      [[ $header = */* ]] || continue
      target=${header%/*}
    fi
    if [[ $room = include/signet ]]; then
      echo "$where: includes \"$header\"; a public header includes <signet/…> only"
    elif [[ $target != "$room" && $target != base && ${allowed[$room]} != '*' &&
      " ${allowed[$room]} " != *" $target "* ]]; then
      echo "$where: includes \"$header\", but $room may include: base ${allowed[$room]}"
    fi
  done < <(included_by "$room")
}

check_names() { # check_names ROOM: functions that are not static, and inline ones in headers
  local room=$1 name where prefix fits
  while read -r name where; do
    [[ $name = G_* ]] && continue # a macro at the top level, such as G_DEFINE_QUARK
    fits=no
    for prefix in main ${prefixes[$room]}; do
      if [[ $name = "$prefix" || ($prefix = *_ && $name = "$prefix"*) ]]; then fits=yes; fi
    done
    if [[ $fits = no ]]; then
      echo "$where: $name() should start with ${prefixes[$room]// / or }, or be static"
    fi
  done < <(ctags -x --_xformat='%N %F:%n' --languages=C --langmap=C:.c.h --kinds-C=f \
    --extras=-F -L "$scratch/files-of-${room//\//-}")
}

while IFS=: read -r room _; do
  [[ -s $scratch/files-of-${room//\//-} ]] || continue # not built yet
  check_includes "$room" >"$scratch/problems"
  tap_result "$room includes only what it may" "$scratch/problems"
  check_names "$room" >"$scratch/problems"
  tap_result "$room's functions carry its name" "$scratch/problems"
done < <(table)
tap_done
