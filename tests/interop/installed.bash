#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# What `cmake --install` puts in its place: complete, working from there and nothing else, and
# usable by a program that knows only signet.pc.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/../integration/lib.bash"

prefix=$work/prefix
ok "it is installed" cmake --install "$SIGNET_TEST_BUILD" --prefix "$prefix"
find "$prefix" -type f -o -type l | sed "s|^$prefix/||" | sort >files
for file in bin/signet 'include/signet/signet\.h' 'include/signet/client\.h' '.*/libsignet\.so\.[0-9]+' \
  '.*/pkgconfig/signet\.pc' '.*/signetd' '.*/signet-token' '.*\.varlink' '.*tokens/.*softhsm.*' '.*/signet\.1' \
  '.*completions/signet' '.*signetd\.service' '.*signetd\.socket'; do
  ok "installed: $file" grep -E -x "$file" files
done
is "$(find "$prefix" -name '*.varlink' | wc -l)" "$(find "$source_folder/src/wire" -name '*.varlink' | wc -l)" "every interface"
is "$(grep -r -l -a -F -e "$SIGNET_TEST_BUILD" "$prefix" --include='*.pc' --include='*.service' --include='*.socket' | wc -l)" 0 \
  "no file of text names the build folder"
is "$(find "$prefix" -perm /022 -type f | wc -l)" 0 "no file can be written by others"
library=$(find "$prefix" -name libsignet.so | head -n 1)
find "$prefix" -type f '(' -name signet -o -name signetd -o -name signet-token -o -name '*.so*' ')' -perm /111 >programs
while read -r program; do
  is "$(objdump -p "$program" | grep -c -E "R(UN)?PATH.*$SIGNET_TEST_BUILD")" 0 "${program##*/} is not bound to the build folder"
done <programs
is "$(nm -D --defined-only "$library" | awk '{ print $3 }' | grep -c -v -E '^(signet_|SIGNET_|LIBSIGNET)')" 0 \
  "the library gives away no name but its own"
is "$(nm -D --undefined-only "$library" | grep -c -E ' (signal|sigaction|pthread_create)$')" 0 "and installs no signal handler"

# Only the installed programs from here on.
PATH=$prefix/bin:$(tr : '\n' <<<"$PATH" | grep -v -F -x "$SIGNET_TEST_BUILD" | paste -s -d :)
is "$(command -v signet)" "$prefix/bin/signet" "the installed signet is used"
ok "it starts its daemon and makes a token" soft_token it
is "$(readlink -f "/proc/$(daemon_pid)/exe" | grep -c "^$prefix/")" 1 "the daemon is the installed one"
host=$(our_processes signet-token | head -n 1)
is "$(readlink -f "/proc/$host/exe" | grep -c "^$prefix/")" 1 "and so is the token's host"
ok "it makes an ID" new_id alice@example.org ec:p256
mail alice@example.org >alice.eml
ok "it signs" signet_ sign -o signed.eml alice.eml
signet_ id cert alice@example.org -o alice.pem
ok "openssl confirms it" openssl cms -verify -in signed.eml -CAfile alice.pem -out /dev/null
signet_ token modules >"$work/out"
says out "softhsm" "it knows the profiles"
stop_daemon

export PKG_CONFIG_PATH=${library%/*}/pkgconfig LD_LIBRARY_PATH=${library%/*}
is "$(pkg-config --modversion signet)" "$(signet --version | awk '{ print $2 }')" "signet.pc has the version"
cat >use.c <<'C'
#include <signet/signet.h>
#include <stdio.h>
int main(void)
{
  GError *error = NULL;
  SignetClient *client = signet_client_connect(NULL, SIGNET_CONNECT_DEFAULT, &error);
  GPtrArray *ids = client ? signet_id_list(client, FALSE, &error) : NULL;
  if (!ids) {
    fprintf(stderr, "%s\n", error->message);
    return 1;
  }
  printf("%u %s\n", ids->len, ((SignetId *)g_ptr_array_index(ids, 0))->id);
  g_ptr_array_unref(ids);
  signet_client_free(client);
  return 0;
}
C
flags() {
  pkg-config --cflags --libs signet
  if nm -D "$library" | grep -q __asan_init; then echo -fsanitize=address,undefined; fi
  if nm -D "$library" | grep -q __tsan_init; then echo -fsanitize=thread; fi
}
# shellcheck disable=SC2046  # words
ok "a program compiles with signet.pc" gcc -std=c99 -pedantic -Wall -Werror -o use use.c $(flags)
ok "runs, and starts the installed daemon itself" ./use
is "$(cat out)" "1 alice@example.org" "and sees the ID"
is "$(readlink -f "/proc/$(daemon_pid)/exe" | grep -c "^$prefix/")" 1 "(it is the installed one)"
if command -v g++ >/dev/null; then
  sed 's/GError \*error = NULL/GError *error = nullptr/' use.c >use.cc
  # shellcheck disable=SC2046  # words
  ok "and as C++" g++ -Wall -Werror -o use-cc use.cc $(flags)
  ok "which runs, too" ./use-cc
fi
stop_daemon

# Moved to another place: a package built with DESTDIR, or a folder that was copied.
mv "$prefix" "$work/elsewhere"
PATH=$work/elsewhere/bin:$PATH
hash -r
export LD_LIBRARY_PATH=${library/$prefix/$work/elsewhere}
LD_LIBRARY_PATH=${LD_LIBRARY_PATH%/*}
ok "from another place it works as well" with_pin sign -o signed.eml alice.eml
is "$(readlink -f "/proc/$(daemon_pid)/exe" | grep -c "^$work/elsewhere/")" 1 "with the daemon from there"
stop_daemon

# A profile that cannot be read: its family is left out, `status` says so, the rest works.
head -c 300 /dev/urandom >"$work/elsewhere/share/signet/tokens/noise.profile"
printf '[profile]\nname=odd\n[module]\nfiles=odd.so;\n[token]\nsessions=many\n' \
  >"$work/elsewhere/share/signet/tokens/odd.profile"
ok "with malformed profiles beside, status answers" signet_ status
says out 'noise\.profile' "and names the one that is no profile"
says out 'odd\.profile.*sessions' "and the wrong value in the other, with its file"
ok "and signing goes on" with_pin sign -o signed.eml alice.eml
finish
