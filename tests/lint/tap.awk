# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Counts test cases, not test programs, in the output of `ctest -V` (or of ./check's lint
# stage, which writes the same form). Prints, separated by tabs:
#
#   total    PASSED  FAILED  SKIPPED
#   failed   ID  PROGRAM  CASE          ID is ctest's number of the program
#   skipped  ID  PROGRAM  CASE  REASON
#
# A program that says nothing in TAP is one case. One that ends badly without a "not ok",
# or ends before its plan is done, is a failed case too: silence is never a pass.

BEGIN { OFS = "\t" }

/^ +Start +[0-9]+: / {
  id = $2
  sub(/:$/, "", id)
  program[id] = $3
  order[++programs] = id
  next
}

/^[0-9]+: / {
  id = $1
  sub(/:$/, "", id)
  text = $0
  sub(/^[0-9]+: /, "", text)
  if (text ~ /^(not )?ok( |$)/) tap_case(id, text)
  else if (text ~ /^1\.\.[0-9]+/) plan(id, text)
  else if (text ~ /^Bail out!/) bail[id] = text
  next
}

/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
  id = $0
  sub(/^[^#]*#/, "", id)
  sub(/:.*/, "", id)
  result[id] = $0
  sub(/^[^:]*: [^ ]+ \.*/, "", result[id])
  sub(/ +[0-9.]+ sec.*$/, "", result[id])
  sub(/\*\*\*Exception: */, "***", result[id])
  gsub(/^[ *]+|[ *]+$/, "", result[id])
}

END {
  for (i = 1; i <= programs; i++) judge(order[i])
  print "total", passed + 0, failed + 0, skipped + 0
}

function tap_case(id, text,    name, reason, at) {
  seen[id]++
  name = text
  sub(/^(not )?ok */, "", name)
  sub(/^[0-9]+ */, "", name)
  sub(/^- */, "", name)
  at = match(toupper(name), /# *(SKIP|TODO)/)
  if (at) {
    reason = substr(name, at)
    sub(/^# *[A-Za-z]+[: ]*/, "", reason)
    name = substr(name, 1, at - 1)
    sub(/ +$/, "", name)
    skip(id, name, reason)
  } else if (text ~ /^not ok/) {
    sub(/ - (ERROR|Bail).*/, "", name) # GLib adds the assertion; the log shows it
    fail(id, name)
  } else {
    passed++
  }
  last[id] = name
}

function plan(id, text,    reason) {
  planned[id] = text
  sub(/^1\.\./, "", planned[id])
  sub(/[^0-9].*/, "", planned[id])
  if (planned[id] + 0 == 0 && toupper(text) ~ /# *SKIP/) {
    reason = text
    sub(/^[^#]*# *[A-Za-z]+[: ]*/, "", reason)
    skip(id, "all", reason)
    seen[id]++
    planned[id] = 1
  }
}

function judge(id,    how) {
  how = result[id]
  if (how == "") fail(id, "did not end")
  else if (how ~ /^Skipped/) { if (!seen[id]) skip(id, "all", "the program says so") }
  else if (how ~ /^Not Run/) fail(id, "could not be run: " how)
  else if (how !~ /^Passed/) {
    if (!failures[id]) fail(id, how (last[id] == "" ? "" : ", after " last[id]) (bail[id] == "" ? "" : ": " bail[id]))
  }
  else if (bail[id] != "" && !failures[id]) fail(id, bail[id])
  else if ((id in planned) && seen[id] + 0 < planned[id] + 0)
    fail(id, "ran " seen[id] + 0 " of " planned[id] " planned cases")
  else if (!seen[id]) passed++
}

function fail(id, name) {
  failed++
  failures[id]++
  print "failed", id, program[id], name
}

function skip(id, name, reason) {
  skipped++
  print "skipped", id, program[id], name, (reason == "" ? "no reason given" : reason)
}
