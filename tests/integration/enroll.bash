#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Certificates by CMP, from the mock server that OpenSSL ships: all kinds of requests, and what
# goes wrong: in each case the key stays and the same command goes on with it.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
server='' secret=geheim
extra_clean_up() {
  stop_server
  for job in $(jobs -p); do kill "$job" 2>/dev/null; done
}
stop_server() {
  if [[ -n $server ]]; then
    kill "$server" 2>/dev/null
    wait "$server" 2>/dev/null
  fi
  server=''
}

listening() { # listening PROGRAM ARGUMENT…: in the background; its port in $port once it accepts
  stop_server
  rm -f server.out server.err # the one before's port must not be taken for this one's
  "$@" </dev/null >server.out 2>server.err &
  server=$!
  port=''
  for _ in {1..200}; do
    port=$(sed -n 's/^ACCEPT .*:\([0-9][0-9]*\)\( .*\)*$/\1/p' server.out 2>/dev/null)
    if [[ -n $port ]]; then break; fi
    sleep 0.05
  done
  url=http://127.0.0.1:$port/pkix/
}
ca() { listening openssl cmp -config '' -port 0 "$@"; }
# A server that answers every connection with what is in FILE, or with nothing at all.
raw_server() {
  listening perl -MIO::Socket::INET -e '$| = 1;
    my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1") or die;
    print "ACCEPT x:", $s->sockport, "\n";
    my @kept;
    while (my $c = $s->accept) {
      if (!@ARGV) { push @kept, $c; next; }
      my ($head, $length) = ("", 0);
      while ($head !~ /\r\n\r\n/ && sysread $c, my $more, 4096) { $head .= $more }
      print STDERR $head =~ /(.*)/;
      open my $f, "<", $ARGV[0]; local $/; print {$c} <$f>; close $c;
    }' "$@"
}

# enroll ID OPTION…: with the secret on 8 and the PIN on 9
by_secret() {
  local who=$1
  shift
  timeout -k 5 60 signet --no-input id enroll "$who" --cmp "$url" --ref 4711 --passphrase-fd 8 \
    --pin-fd 9 "$@" 8<<<"$secret" 9<<<"$pin"
}

keys_of() { signet_ --json id show "$1" | grep -o '"key": *"[0-9a-f]*"' | sort -u | wc -l; }

make_root() { # make_root NAME FILE
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$2.key" -out "$2.pem" \
    -subj "/CN=$1/O=Example" -days 30 -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature 2>/dev/null
}
issue_for() { # issue_for ID FILE: what the mock server is to answer, for the ID's waiting key
  with_pin id request "$1" -o "$2.csr" >/dev/null
  openssl x509 -req -in "$2.csr" -CA issuer.pem -CAkey issuer.key -copy_extensions copy -days 20 -out "$2.pem" 2>/dev/null
}
new_key() { with_pin id new "$1" --key "${2:-ec:p256}" --no-backup >/dev/null; }

soft_token it
make_root 'Mail Root' root
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout issuer.key -out issuer.csr -subj '/CN=Mail CA/O=Example' 2>/dev/null
openssl x509 -req -in issuer.csr -CA root.pem -CAkey root.key -days 29 -out issuer.pem 2>/dev/null \
  -extfile <(printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign,digitalSignature\nsubjectKeyIdentifier=hash\n')
cat issuer.pem root.pem >chain.pem

# --- words that are wrong are said before a key is made ---
url=http://127.0.0.1:1/pkix/
exits 2 "no CA is named" signet_ id enroll new@example.org
exits 2 "neither a secret nor a certificate" signet_ id enroll new@example.org --cmp "$url"
says err "--ref" "and it says what is missing"
exits 2 "an ftp address" signet_ id enroll new@example.org --cmp ftp://ca/ --ref 1 --passphrase-fd 8 8<<<x
exits 2 "a CA that nothing vouches for" signet_ id enroll new@example.org --cmp "$url" --signer alice@example.org
exits 2 "a name that is none" by_secret new@example.org --recipient nobody
exits 5 "an empty secret" signet_ id enroll new@example.org --cmp "$url" --ref 1 --passphrase-fd 8 8<<<''
exits 4 "none of these made an ID" signet_ id show new@example.org

# --- a key that waits, and all that can go wrong before it has its certificate ---
exits 1 "a CA that is not there" by_secret new@example.org --key ec:p256 --no-backup --timeout 2
says err "cannot reach the CA at http://127.0.0.1:1/pkix/" "names it"
says err "key of new@example.org was made and stays" "and says that the key stays"
says err "signet id enroll new@example.org --cmp" "and what to type next"
exits 0 "the ID is there" signet_ id show new@example.org
issue_for new@example.org new
new_key other@example.org
issue_for other@example.org other

raw_server
exits 6 "a CA that never answers" by_secret new@example.org --timeout 1
says err "did not answer in time" "is given up in time"
printf 'HTTP/1.0 200 OK\r\nContent-Type: application/pkixcmp\r\nContent-Length: 9\r\n\r\n0\x82\xff\xff junk' >answer
raw_server answer
exits 1 "an answer that is no CMP" by_secret new@example.org
printf 'HTTP/1.0 404 Not Found\r\nContent-Type: text/html\r\n\r\n<p>nothing here' >answer
raw_server answer
exits 1 "a web page" by_secret new@example.org
says err "404|no CMP message" "is called none"
printf 'HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\n\r\n' >answer
raw_server answer
exits 1 "a redirection" by_secret new@example.org
says err "302" "is called one"
says_not err "cannot reach" "since the CA was reached"
{ printf 'HTTP/1.1 200 OK\r\nX-Long: ' && head -c 100000 /dev/zero | tr '\0' x && printf '\r\n\r\n'; } >answer
raw_server answer
exits 1 "a line in an answer's head that has no end" by_secret new@example.org
says err "no good HTTP" "is called no good HTTP"
says_not err "cannot reach" "since the CA was reached"
: >answer
raw_server answer
exits 1 "a CA that hangs up" by_secret new@example.org

ca -srv_ref ca -srv_secret pass:other -rsp_cert new.pem
exits 1 "a wrong secret" by_secret new@example.org
says err "is the secret right" "is thought of"
ca -srv_ref ca -srv_secret pass:geheim -failure 2 -pkistatus 2 -statusstring 'ask Bob in room 7'
exits 8 "a CA that says no" by_secret new@example.org
says err 'saying: "ask Bob in room 7"' "in its own words"
says err 'does not do this kind of request' "and in plain ones"
exits 8 "with --json" by_secret new@example.org --json
says out '"error": *"Denied"' "by name"
says out '"try": *\["signet", *"id", *"enroll"' "and with what to try"
ca -srv_ref ca -srv_secret pass:geheim -send_error -statusstring 'not today' -failure 26
exits 8 "an error message" by_secret new@example.org
ca -srv_ref ca -srv_secret pass:geheim -rsp_cert new.pem -send_unprotected
exits 1 "an answer that nothing protects" by_secret new@example.org
says err "not proved to be the CA's" "is not believed"
exits 1 "nor with --unprotected-errors" by_secret new@example.org --unprotected-errors
ca -srv_ref ca -srv_secret pass:geheim -send_error -send_unprot_err -statusstring 'go away'
exits 1 "a refusal that nothing protects" by_secret new@example.org
exits 8 "is believed where that is allowed" by_secret new@example.org --unprotected-errors

ca -srv_ref ca -srv_secret pass:geheim -rsp_cert other.pem
exits 1 "a certificate for another key" by_secret new@example.org
says err "another key than ours: refused" "is refused"
ok "and the CA hears of that" grep -q 'certificate rejected by client' server.err server.out
openssl req -in new.csr -noout -pubkey >new.pub
openssl x509 -new -subj '/CN=Somebody' -force_pubkey new.pub -CA issuer.pem -CAkey issuer.key -days 9 -out wrong.pem \
  -extfile <(printf 'subjectAltName=email:somebody@example.org\nextendedKeyUsage=emailProtection\n') 2>/dev/null
ca -srv_ref ca -srv_secret pass:geheim -rsp_cert wrong.pem
exits 1 "a certificate for another address" by_secret new@example.org
says err "not for new@example.org" "is refused"
ca -srv_ref ca -srv_secret pass:geheim -rsp_cert wrong.pem -grant_implicitconf
exits 1 "also where the CA waits for no confirmation" by_secret new@example.org --implicit-confirm
is "$(signet_ --json id show new@example.org | grep -c '"fingerprint"')" 0 "no certificate was stored by all that"

ca -srv_ref ca -srv_secret pass:geheim -rsp_cert new.pem -poll_count 3 -check_after 600
exits 6 "a CA that wants longer than there is" by_secret new@example.org --timeout 20
says err "ask again in 600 s" "is not waited for"
ca -srv_ref ca -srv_secret pass:geheim -rsp_cert new.pem -poll_count 5 -check_after 2
: >events
(trap - INT; by_secret new@example.org --status-fd 7 7>events >/dev/null 2>&1) &
job=$!
for _ in {1..200}; do if grep -q waiting events; then break; else sleep 0.05; fi; done
for pid in $(our_processes signet); do kill -INT "$pid"; done
wait "$job" 2>/dev/null
is "$(our_processes signet)" "" "Ctrl-C while it waits"
is "$(signet_ --json id show new@example.org | grep -c '"fingerprint"')" 0 "interrupted while it waits: no certificate"

ca -srv_ref ca -srv_secret pass:geheim -rsp_cert new.pem -rsp_extracerts chain.pem -poll_count 2 -check_after 1
exits 0 "after all this the same command goes on" by_secret new@example.org --profile smime --recipient 'CN=Mail CA,O=Example'
says out "a certificate of .*CN=Mail CA" "with a certificate of the CA"
says out "with its issuers" "and its chain"
is "$(keys_of new@example.org)" 1 "and no second key was made"
exits 0 "its certificate" signet_ id cert new@example.org -o got.pem
ok "is the CA's" cmp <(openssl x509 -in got.pem -outform DER) <(openssl x509 -in new.pem -outform DER)
ok "openssl verifies it" openssl verify -CAfile root.pem -untrusted issuer.pem -purpose smimesign got.pem
trust root.pem
mail new@example.org >mail.eml
exits 0 "it signs" with_pin sign -o signed.eml mail.eml
exits 0 "and all is good, by the stored chain" signet_ verify signed.eml
exits 8 "another one is not asked for by mistake" by_secret new@example.org
says err "signet id renew new@example.org --cmp" "but renewed"

# --- implicit confirmation; a CA that is gone before it acknowledges ---
ca -srv_ref ca -srv_secret pass:geheim -rsp_cert other.pem -grant_implicitconf -max_msgs 1
exits 0 "a CA that waits for no confirmation" by_secret other@example.org --implicit-confirm --json
is "$(member request "$work/out")" ir "an initial request, in JSON"
new_key third@example.org rsa:2048
issue_for third@example.org third
ca -srv_ref ca -srv_secret pass:geheim -rsp_cert third.pem -max_msgs 1
exits 1 "a CA that is gone before it acknowledges" by_secret third@example.org --timeout 5
says err "came and is stored" "says that the certificate is here"
exits 0 "and it is" signet_ id cert third@example.org -o /dev/null

# --- with certificates on both sides: another for a known person, an update, a revocation ---
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout srv.key -out srv.csr -subj '/CN=CMP server' 2>/dev/null
openssl x509 -req -in srv.csr -CA issuer.pem -CAkey issuer.key -days 20 -out srv.pem 2>/dev/null \
  -extfile <(printf 'keyUsage=digitalSignature\nsubjectKeyIdentifier=hash\n')
signing_ca() { ca -srv_cert srv.pem -srv_key srv.key -srv_trusted root.pem -srv_untrusted issuer.pem "$@"; }
by_signature() {
  local verb=$1 who=$2
  shift 2
  timeout -k 5 60 signet --no-input id "$verb" "$who" --cmp "$url" --pin-fd 9 "$@" 9<<<"$pin"
}
new_key fourth@example.org ec:p384
issue_for fourth@example.org fourth
signing_ca -rsp_cert fourth.pem -rsp_extracerts issuer.pem
exits 1 "a server that another CA certified" by_signature enroll fourth@example.org --signer new@example.org --server-cert other.pem
says err "not proved to be the CA's" "is not believed"
exits 0 "a person that the CA knows asks for another ID" by_signature enroll fourth@example.org --signer new@example.org --server-cert srv.pem --json
is "$(member request "$work/out")" cr "by a certification request"

# The mock server answers an update with the certificate that is updated, and no other.
signing_ca -rsp_cert new.pem
exits 0 "a key update" by_signature renew new@example.org --trust root.pem
says err "ec:p256 key on token \"it\" stays the same" "says before what will happen"
says out "good until" "and what came of it"
says out "is no newer" "which is the same certificate again"
is "$(keys_of new@example.org)" 1 "for the same key"
signing_ca -rsp_cert third.pem
exits 8 "a CA that does not know the certificate" by_signature enroll new@example.org --key-update --trust root.pem

signing_ca -rsp_cert new.pem
exits 8 "nothing is revoked without a yes" by_signature enroll new@example.org --revoke superseded --trust root.pem
exits 0 "a revocation" by_signature enroll new@example.org --revoke superseded --trust root.pem --yes --json
is "$(member revoked "$work/out")" true "is acknowledged"
signing_ca -rsp_cert new.pem -send_error -statusstring 'no such certificate'
exits 8 "one that the CA refuses" by_signature enroll new@example.org --revoke superseded --trust root.pem --yes

ca -srv_ref ca -srv_secret pass:geheim -rsp_cert third.pem
mv "$embedded" away
stop_daemon
exits 6 "a card that is away does not sign its revocation" by_signature enroll third@example.org --revoke key-compromise --trust root.pem --yes
exits 0 "but the secret is enough" by_secret third@example.org --revoke key-compromise --yes
stop_daemon
mv away "$embedded"

# --- a person at a terminal ---
if command -v expect >/dev/null; then
  new_key sixth@example.org
  issue_for sixth@example.org sixth
  signet_ token lock >/dev/null
  ca -srv_ref ca -srv_secret pass:geheim -rsp_cert sixth.pem -poll_count 2 -check_after 1
  printf '%s\n' 'set timeout 20' "spawn signet id enroll sixth@example.org --cmp $url --ref 4711" \
    'expect "secret for reference 4711"; send "geheim\r"; expect "PIN of token"; send "493817\r"' \
    'expect "asking again in 1 s"; expect "good until"; expect eof; lassign [wait] a b c d; exit $d' >script.exp
  ok "types the secret and the PIN, and sees the CA's delay" env TERM=xterm timeout 60 expect -f script.exp
  says_not out geheim "and not what was typed"
else
  skip "types the secret and the PIN" "expect is not installed"
fi

# --- proxies and https ---
new_key fifth@example.org
issue_for fifth@example.org fifth
ca -srv_ref ca -srv_secret pass:geheim -rsp_cert fifth.pem -send_error
http_proxy=http://127.0.0.1:1 exits 8 "the environment's proxy is not used" by_secret fifth@example.org
printf 'HTTP/1.0 502 Bad Gateway\r\n\r\n' >answer
raw_server answer
proxy=127.0.0.1:$port
url=http://ca.invalid/pkix/
exits 1 "--proxy is" by_secret fifth@example.org --proxy "$proxy"
ok "and asked for the whole address" grep -q 'POST http://ca.invalid/pkix/ HTTP' server.err
exits 2 "a proxy that is none" by_secret fifth@example.org --proxy https://x/
url=http://ca.invalid/pkix/
exits 1 "a host without an address" by_secret fifth@example.org
says err "cannot reach the CA at http://ca.invalid/pkix/: ca.invalid" "is named"

# TLS before the mock server: one connection after the other, each led on to it.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out tls.pem -subj '/CN=localhost' \
  -days 9 -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null
ca -srv_ref ca -srv_secret pass:geheim -rsp_cert fifth.pem -rsp_extracerts chain.pem
plain=$port
listening_port() { # of openssl s_server, once it listens
  for _ in {1..200}; do
    front=$(sed -n 's/^ACCEPT .*:\([0-9][0-9]*\)$/\1/p' front.out 2>/dev/null)
    if [[ -n $front ]]; then return 0; fi
    sleep 0.05
  done
  return 1
}
tls_front() { # tls_front PORT N: N connections
  rm -f front.out
  openssl s_server -accept "$1" -naccept "$2" -cert tls.pem -key tls.key -www </dev/null >front.out 2>&1 &
  front_job=$!
  listening_port
}
at() { # at URL command…
  url=$1
  shift
  "$@"
}
tls_front 0 4
exits 1 "a TLS server that the system does not know" at "https://localhost:$front/pkix/" by_secret fifth@example.org
says err "no secure connection to https://localhost" "is not spoken with"
exits 1 "one of another name" at "https://127.0.0.2:$front/pkix/" by_secret fifth@example.org --tls-ca tls.pem
says err "no secure connection" "likewise"
exits 6 "one that is known but does not answer" at "https://localhost:$front/pkix/" by_secret fifth@example.org --tls-ca tls.pem --timeout 1
says err "did not answer in time" "is told from that"
kill "$front_job" 2>/dev/null
wait "$front_job" 2>/dev/null
stop_server
ca -srv_ref ca -srv_secret pass:geheim -rsp_cert fifth.pem -grant_implicitconf
plain=$port
exec 3<>"/dev/tcp/127.0.0.1/$plain"
openssl s_server -quiet -accept "$front" -naccept 1 -cert tls.pem -key tls.key <&3 >&3 2>/dev/null &
front_job=$!
exec 3>&-
for _ in {1..200}; do
  if grep -q -i ":$(printf %04X "$front") [0-9A-F:]* 0A" /proc/net/tcp /proc/net/tcp6; then break; fi
  sleep 0.05
done
exits 0 "one that is known, and leads on to a CA" at "https://localhost:$front/pkix/" by_secret fifth@example.org --tls-ca tls.pem --implicit-confirm
kill "$front_job" 2>/dev/null
finish
