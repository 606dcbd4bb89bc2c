#!/usr/bin/env perl
# SPDX-License-Identifier: LGPL-2.1-or-later
# A Varlink client that knows nothing of signet: each argument is sent as one message; every reply is
# printed, one a line, until the answer to the last one is complete. Perl's own modules only.
use strict;
use warnings;
use IO::Socket::UNIX;

my $path = shift @ARGV;
my $socket = IO::Socket::UNIX->new(Peer => $path) or die "cannot connect to $path: $!\n";
$SIG{ALRM} = sub { die "no answer within 10 seconds\n" };
alarm 10;
print $socket "$_\0" for @ARGV;
$socket->flush;
my $waiting = grep { !/"oneway" *: *true/ } @ARGV;
local $/ = "\0";
while ($waiting > 0) {
    my $reply = <$socket>;
    if (!defined $reply) {
        print "EOF\n";
        exit 1;
    }
    chomp $reply;
    print "$reply\n";
    $waiting-- unless $reply =~ /"continues" *: *true/;
}
