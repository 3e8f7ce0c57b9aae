# thief.pl: greets the socket of a broker's modules as ZeroMQ does, under the identity of
# a module that lives.
#
#   perl thief.pl SOCKET IDENTITY     prints "closed" when the broker hangs up, or
#                                     "let in" when it has something to say
use strict;
use warnings;
use Socket;

my ($path, $identity) = @ARGV;
socket(my $socket, PF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
connect($socket, sockaddr_un($path)) or die "$path: $!";
$SIG{PIPE} = 'IGNORE';

sub property {
	my ($name, $value) = @_;
	return chr(length $name) . $name . pack('N', length $value) . $value;
}

my $greeting = "\xff" . "\0" x 8 . "\x7f\x03\0" . pack('a20', 'NULL') . "\0" x 32;
my $ready = "\x05READY" . property('Socket-Type', 'DEALER') . property('Identity', $identity);
syswrite $socket, $greeting . "\x04" . chr(length $ready) . $ready;

# The broker greets everybody: 64 bytes, and a command of its own.
my $heard = '';
while (length $heard < 66 || length $heard < 66 + ord substr $heard, 65, 1) {
	sysread $socket, $heard, 4096, length $heard or print("closed\n"), exit;
}
my $own = 66 + ord substr $heard, 65, 1;
my $more = length $heard > $own || sysread $socket, $heard, 4096;
print $more ? "let in\n" : "closed\n";
