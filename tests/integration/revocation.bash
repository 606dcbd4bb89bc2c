#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2016,SC2317  # programs in quotes; functions called by name
#
# Certificates that were taken back: a CA by openssl, its CRL from a small web server and its answers from
# `openssl ocsp`, all on this machine; good, revoked, on hold, servers that are away, and what is kept.
# shellcheck source=tests/integration/lib.bash
. "$(dirname "$0")/lib.bash"
web='' responder=''
directory=''
extra_clean_up() {
  stop_web
  stop_responder
  stop "$directory"
}
stop() { # stop PID
  if [[ -z $1 ]]; then return; fi
  kill "$1" 2>/dev/null
  wait "$1" 2>/dev/null
}
stop_web() { stop "$web"; web=''; }
stop_responder() { stop "$responder"; responder=''; }

# Serves the files of ./www by name, and writes what was asked for to ./asked.
web_server() { # web_server [PORT]
  rm -f web.out # the one before's port must not be taken for this one's
  perl -MIO::Socket::INET -e '$| = 1;
    my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1", LocalPort => $ARGV[0], ReuseAddr => 1) or die;
    print "ACCEPT x:", $s->sockport, "\n";
    open my $log, ">>", "asked"; $log->autoflush(1);
    while (my $c = $s->accept) {
      my $line = <$c>;
      while (my $more = <$c>) { last if $more =~ /^\r?$/ }
      my ($name) = ($line // "") =~ m{^GET /([a-z.0-9]+) };
      print {$log} "$name\n" if defined $name;
      if (defined $name && open my $f, "<", "www/$name") {
        local $/; my $all = <$f>;
        print {$c} "HTTP/1.1 200 OK\r\nContent-Length: ", length $all, "\r\n\r\n", $all;
      } else { print {$c} "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" }
      close $c;
    }' "${1:-0}" </dev/null >web.out 2>web.err &
  web=$!
  accepted web.out
  web_port=$port
}
ocsp_responder() { # it answers by the CA's index, as it is now
  rm -f ocsp.out
  openssl ocsp -index index.txt -port "${responder_port:-0}" -CA ca.pem -rsigner ca.pem -rkey ca.key \
    -nmin 60 </dev/null >ocsp.out 2>ocsp.err &
  responder=$!
  accepted ocsp.out
  responder_port=$port
}
accepted() { # accepted FILE: waits; the port is in $port
  port=''
  for _ in {1..200}; do
    port=$(sed -n 's/^ACCEPT .*:\([0-9][0-9]*\)\( .*\)*$/\1/p' "$1" 2>/dev/null)
    if [[ -n $port ]]; then return; fi
    sleep 0.05
  done
}

# --- a CA, and people that it certified ---
mkdir www
: >index.txt
echo 1000 >serial
echo 01 >crlnumber
web_server
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem \
  -subj '/CN=Mail CA/O=Example' -days 30 -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature 2>/dev/null
ocsp_responder
cat >ca.conf <<END
[ca]
default_ca = it
[it]
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = 20
default_crl_days = 5
policy = any
unique_subject = no
[any]
commonName = supplied
[crl]
authorityKeyIdentifier = keyid
END
person() { # person NAME EXTENSION…
  local name=$1
  shift
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$name.key" -out "$name.csr" -subj "/CN=$name" 2>/dev/null
  printf '%s\n' "subjectAltName=email:$name@example.org" keyUsage=critical,digitalSignature \
    extendedKeyUsage=emailProtection "$@" >"$name.ext"
  openssl ca -config ca.conf -batch -notext -in "$name.csr" -out "$name.pem" -extfile "$name.ext" 2>/dev/null
}
by_crl=crlDistributionPoints=URI:http://127.0.0.1:$web_port/ca.crl
by_ocsp="authorityInfoAccess=OCSP;URI:http://127.0.0.1:$responder_port/"
for name in alice bob carol dave; do person "$name" "$by_crl"; done
person erin "$by_ocsp"
person frank "$by_ocsp"
person grace "$by_crl" "$by_ocsp"
person heidi
openssl ca -config ca.conf -revoke bob.pem -crl_reason keyCompromise 2>/dev/null
openssl ca -config ca.conf -revoke carol.pem -crl_hold holdInstructionReject 2>/dev/null
openssl ca -config ca.conf -revoke frank.pem -crl_reason superseded 2>/dev/null
new_crl() { # new_crl [OPTION…]
  openssl ca -config ca.conf -gencrl -crlexts crl "$@" 2>/dev/null | openssl crl -outform DER -out www/ca.crl
}
new_crl
stop_responder # it read its index when it started
ocsp_responder
trust ca.pem
settings() { printf '[trust]\nmail-roots=off\n%s\n' "$@" >"$XDG_CONFIG_HOME/signet/signet.conf"; }
settings deadline=2000

signed() { # signed NAME: a mail of theirs
  { printf 'From: %s@example.org\n' "$1"
    printf 'Content-Type: text/plain\n\nlunch?\n' | openssl smime -sign -signer "$1.pem" -inkey "$1.key"
  } >"$1.eml" 2>/dev/null
}
for name in alice bob carol dave erin frank grace heidi; do signed "$name"; done
verify() { signet_ --json --json-fd 1 verify "$1.eml" -o /dev/null; }
cache=$XDG_CACHE_HOME/signet/trust
forget() {
  rm -rf "$cache"
  : >asked
}
asked() { wc -l <asked | tr -d ' '; }
aged() { find "$cache" -type f -exec touch -d '2 days ago' {} +; }

# --- what a CRL says ---
forget
exits 0 "somebody who is not in the CRL" verify alice
says out '"state": *"not-revoked"' "is not revoked"
says out '"how": *"CRL http://127.0.0.1:[0-9]*/ca.crl of 20' "and it is said by what"
is "$(asked)" 1 "the CRL was fetched"
exits 3 "somebody who is in it" verify bob
says out '"verdict": *"untrusted"' "is not trusted"
says out '"state": *"revoked"' "as revoked"
says out '"reason": *"keyCompromise"' "with the reason"
says out '"revoked_at": *"20[0-9-]*T' "and the date"
exits 3 "somebody on hold" verify carol
says out '"reason": *"certificateHold"' "is said to be"
is "$(asked)" 1 "all of that from one CRL"
stop_web
exits 0 "without a network" verify alice
says out '"state": *"not-revoked"' "what was kept counts"
exits 3 "for others of that CA, too" verify bob
aged
exits 0 "after days without a network" verify alice
says out '"state": *"not-revoked"' "it counts until its own end"
web_server "$web_port"
openssl ca -config ca.conf -revoke alice.pem -crl_reason affiliationChanged 2>/dev/null
new_crl
aged
exits 3 "with one, a new CRL is fetched after a day" verify alice
says out '"reason": *"affiliationChanged"' "and believed"
ok "a mail for a person says it" bash -c '! signet --no-input verify alice.eml -o /dev/null'
says out 'revoked on 20.*\(affiliationChanged\)' "in words"

# --- CRLs that say nothing ---
for damage in cut flipped expired another none; do
  forget
  case $damage in
    cut) head -c 200 www/ca.crl >new && mv new www/ca.crl ;;
    flipped) new_crl && printf '\x55' | dd of=www/ca.crl bs=1 seek=100 conv=notrunc 2>/dev/null ;;
    expired) new_crl -crl_lastupdate 20200101000000Z -crl_nextupdate 20200102000000Z ;;
    another)
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key -out other.pem -subj '/CN=Mail CA/O=Example' -days 30 2>/dev/null
      openssl ca -config ca.conf -gencrl -cert other.pem -keyfile other.key 2>/dev/null | openssl crl -outform DER -out www/ca.crl
      ;;
    none) rm www/ca.crl ;;
  esac
  exits 0 "a CRL that is $damage: soft" verify dave
  says out '"state": *"unknown"' "is not taken for an answer"
  settings revocation=hard
  exits 3 "hard" verify dave
  settings deadline=2000
done
new_crl
forget

# --- OCSP ---
exits 0 "somebody whom the responder knows" verify erin
says out '"how": *"OCSP http://127.0.0.1:[0-9]*/ of 20' "and it is said by what"
exits 3 "somebody whom it calls revoked" verify frank
says out '"reason": *"superseded"' "with the reason"
stop_responder
exits 0 "with the responder gone" verify erin
says out '"state": *"not-revoked"' "its answer counts still"
exits 3 "and the other one" verify frank
exits 0 "where there is both" verify grace
says out '"how": *"CRL' "the CRL is asked, which does not tell whose mail is read"

# --- nobody answers ---
stop_web
forget
exits 0 "no server at all: soft" verify bob
says out '"state": *"unknown"' "is not known"
says out '"reason": *"CRL http://127.0.0.1:[0-9]*/ca.crl: Connection refused' "and why"
settings revocation=hard
exits 3 "hard" verify erin
says out '"state": *"unknown"' "likewise"
exits 3 "somebody whose certificate says nowhere to ask" verify heidi
settings revocation=off
web_server "$web_port"
forget
exits 0 "off" verify bob
is "$(asked)" 0 "asks nobody"
settings deadline=2000
forget
exits 3 "asked once" verify bob
settings revocation=off
exits 3 "what was kept counts, also when off" verify bob
settings revocation=perhaps
exits 1 "a setting that is wrong" verify alice
says out 'revocation in \[trust\] must be one of soft\|hard\|off' "is said"

# --- a CRL by hand ---
settings revocation=hard
forget
stop_web
mkdir -p "$XDG_CONFIG_HOME/signet/crls"
openssl crl -in www/ca.crl -inform DER -out "$XDG_CONFIG_HOME/signet/crls/ca.pem"
exits 0 "a CRL in a folder" verify heidi
says out '"how": *"CRL .*/crls/ca.pem of 20' "is named"
exits 3 "and what it says" verify bob
says out '"reason": *"keyCompromise"' "counts"
rm -r "$XDG_CONFIG_HOME/signet/crls"
settings revocation=off "crl-files=$work/www;"
exits 3 "a folder in the settings" verify bob

# --- a missing issuer ---
settings revocation=off
web_server "$web_port"
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout middle.key -out middle.csr -subj '/CN=Middle CA' 2>/dev/null
openssl x509 -req -in middle.csr -CA ca.pem -CAkey ca.key -days 20 -out middle.pem 2>/dev/null \
  -extfile <(printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n')
openssl x509 -in middle.pem -outform DER -out www/middle.cer
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ivan.key -out ivan.csr -subj /CN=ivan 2>/dev/null
openssl x509 -req -in ivan.csr -CA middle.pem -CAkey middle.key -days 10 -out ivan.pem 2>/dev/null -extfile <(printf '%s\n' \
  subjectAltName=email:ivan@example.org keyUsage=critical,digitalSignature extendedKeyUsage=emailProtection \
  authorityKeyIdentifier=keyid "authorityInfoAccess=caIssuers;URI:http://127.0.0.1:$web_port/middle.cer")
signed ivan
: >asked
exits 3 "a mail without its issuer" verify ivan
settings revocation=off issuers=fetch
exits 3 "whose address is inside this network" verify ivan
is "$(asked)" 0 "nobody was asked, on a stranger's word"
settings revocation=off issuers=fetch local-urls=yes
exits 0 "where that is allowed, the issuer is fetched" verify ivan
is "$(asked)" 1 "once"
settings revocation=off
exits 0 "and kept" verify ivan
is "$(asked)" 1 "without asking again"

# --- a CRL in a directory ---
slapd=$(PATH=$PATH:/usr/sbin command -v slapd)
schema=${slapd%/usr/sbin/slapd}/etc/ldap/schema/core.schema
free_port() {
  perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport'
}
directory() { # by its own configuration; a copy, as a profile of the system may bind the program to its usual folders
  mkdir db
  cp "$slapd" own-slapd
  printf '%s\n' "include $schema" "pidfile $work/slapd.pid" 'database ldif' 'suffix "o=Example"' "directory $work/db" >slapd.conf
  { printf '%s\n' 'dn: o=Example' 'objectClass: organization' 'o: Example' '' \
      'dn: cn=Mail CA,o=Example' 'objectClass: organizationalRole' 'objectClass: certificationAuthority' 'cn: Mail CA'
    printf 'certificateRevocationList;binary:: %s\n' "$(base64 -w0 www/ca.crl)"
    printf '%s:: MAA=\n' 'cACertificate;binary' 'authorityRevocationList;binary'
  } >data.ldif
  ./own-slapd -Tadd -f slapd.conf -l data.ldif || return 1
  ./own-slapd -d 0 -f slapd.conf -h "ldap://127.0.0.1:$1" </dev/null &
  directory=$!
  for _ in {1..100}; do
    if (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
    sleep 0.05
  done
  return 1
}
if [[ -z $slapd ]]; then
  skip "a CRL in a directory" "no slapd here"
else
  ldap_port=$(free_port)
  point="ldap://127.0.0.1:$ldap_port/cn=Mail%20CA,o=Example?certificateRevocationList"
  cat >judy.ext <<END
subjectAltName=email:judy@example.org
keyUsage=critical,digitalSignature
extendedKeyUsage=emailProtection
crlDistributionPoints=there
[there]
fullname=@names
[names]
URI.1=$point;binary?base
END
  for name in judy kim; do
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.csr -subj /CN=$name 2>/dev/null
    sed "s/judy/$name/" judy.ext >it.ext
    openssl ca -config ca.conf -batch -notext -in $name.csr -out $name.pem -extfile it.ext 2>/dev/null
    signed $name
  done
  openssl ca -config ca.conf -revoke kim.pem -crl_reason cessationOfOperation 2>/dev/null
  new_crl
  settings revocation=hard
  forget
  exits 3 "a directory that is not there" verify judy
  says out '"reason": *"CRL ldap://127.0.0.1' "is said"
  ok "a directory" directory "$ldap_port"
  forget
  exits 0 "a CRL from there" verify judy
  says out '"how": *"CRL ldap://127.0.0.1:[0-9]*/cn=Mail%20CA,o=Example' "is named"
  exits 3 "and what it says" verify kim
  says out '"reason": *"cessationOfOperation"' "counts"
  stop "$directory"
  exits 0 "also without the directory" verify judy
fi

finish
