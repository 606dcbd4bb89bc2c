#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A CBC message, 2,000 times, while its token is away, locked, or comes and goes: the right
# error or the right content, and never garbage (OpenSSL's CMS_decrypt gave some: it goes on
# with a random key, whose padding fits once in 256).
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/../integration/lib.bash"
count=2000
soft_token it

for kind in rsa:2048 ec:p256; do
  address=${kind%:*}@example.org
  new_id "$address" "$kind" >/dev/null
  signet_ id cert "$address" -o cert.pem
  head -c 700 /dev/zero | tr '\0' 'm' >plain
  signet_ encrypt --cms der --to cert.pem --no-self --cipher aes-256-cbc -o sealed.der plain

  with_pin token unlock it >/dev/null
  ok "$kind: it opens while the token is here" open-many sealed.der plain 20
  is "$(cat out)" "opened 20 garbage 0 failed 0" "$kind: each time"

  signet_ token lock it >/dev/null
  ok "$kind: $count times with the token locked" open-many sealed.der plain $count
  is "$(cat out)" "opened 0 garbage 0 failed $count PinRequired $count" "$kind: PinRequired each time"

  with_pin token unlock it >/dev/null
  tokens=$(find "$embedded" -mindepth 1 -type d -name '*-*' | head -n 1)
  mv "$tokens" "$work/away"
  signet_ token list >/dev/null
  ok "$kind: $count times with the token gone" open-many sealed.der plain $count
  is "$(cat out)" "opened 0 garbage 0 failed $count TokenGone $count" "$kind: TokenGone each time"

  # In and out under a running client: any of the errors may come, content only if it is right.
  (for _ in {1..12}; do
    mv "$work/away" "$tokens"; sleep 0.15
    signet --no-input token unlock it --pin-fd 9 9<<<"$pin" >/dev/null 2>&1; sleep 0.1
    mv "$tokens" "$work/away"; sleep 0.1
  done) &
  ok "$kind: $count times while it comes and goes" open-many sealed.der plain $count
  echo "# $(cat out)"
  wait
  mv "$work/away" "$tokens"
  with_pin token unlock it >/dev/null
  ok "$kind: back again, it opens" open-many sealed.der plain 5
  is "$(cat out)" "opened 5 garbage 0 failed 0" "$kind: each time"
done
finish
