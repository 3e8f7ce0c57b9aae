# client.pl: speaks to the local socket of a broker below all libraries, so that
# scripts can say what no command of ours would say.
#
#   perl client.pl SOCKET rpc TOPIC      sends what standard input holds as the payload,
#                                        prints ERRNO and the payload of the answer
#   perl client.pl SOCKET quiet TOPIC    as rpc, but says that it wants no answer, and has no
#                                        matchtag for one
#   perl client.pl SOCKET stream TOPIC   the same as a stream: a line each answer, up to
#                                        the one that has an ERRNO
#   perl client.pl SOCKET deliver TOPIC POLICY [RANK]
#                                        the same with a policy: now, best-effort, or the
#                                        milliseconds to wait; prints what has become of it
#   perl client.pl SOCKET talk           sends each line of standard input, a topic and a
#                                        payload, and prints the answers
#   perl client.pl SOCKET bytes          sends what standard input holds, prints how the
#                                        connection ends: closed, or an answer
use strict;
use warnings;
use Socket;

$| = 1;
my ($path, $what, $topic, $policy, $rank) = @ARGV;
$path =~ s,^local://,,;
socket(my $socket, PF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
connect($socket, sockaddr_un($path)) or die "$path: $!";
$SIG{PIPE} = 'IGNORE';
binmode $_ for $socket, *STDIN, *STDOUT;

sub take {
	my ($n) = @_;
	my $data = '';
	while (length $data < $n) {
		my $got = sysread $socket, $data, $n - length $data, length $data;
		print("closed\n"), exit unless $got;
	}
	return $data;
}

sub say_all {
	my ($data) = @_;
	while (length $data) {
		my $n = syswrite $socket, $data;
		return unless defined $n;
		substr $data, 0, $n, '';
	}
}

sub frame {
	my ($data) = @_;
	return length $data < 255 ? chr(length $data) . $data : "\xff" . pack('N', length $data) . $data;
}

sub message {
	my ($topic, $payload) = @_;
	my $is_quiet = $what eq 'quiet' || ($policy // '') eq 'best-effort';
	my $flags = 0x09 | (length $payload ? 0x02 : 0) | ($what eq 'stream' ? 0x40 : 0) | ($is_quiet ? 0x04 : 0);
	$flags |= 0x80 if ($policy // '') eq 'now';
	my $proto = pack 'C4N4', 0x8e, 1, 1, $flags, 0xffffffff, 0, $rank // 0xffffffff, $is_quiet ? 0 : 1;
	my $routes = ($policy // '') =~ /^\d+$/ ? frame('@' . $policy) : '';
	my $body = $routes . frame('') . frame($topic) . (length $payload ? frame($payload) : '') . frame($proto);
	return "\x12\x00\xee\xff" . pack('N', length $body) . $body;
}

# Prints an answer; gives its errno.
sub hear {
	my (undef, $length) = unpack 'a4N', take(8);
	my ($answer, @frames) = (take($length));
	while (length $answer) {
		my $n = ord $answer;
		my $head = 1;
		($n, $head) = (unpack('N', substr $answer, 1, 4), 5) if $n == 255;
		push @frames, substr $answer, $head, $n;
		substr $answer, 0, $head + $n, '';
	}
	my $errno = (unpack 'C4N4', pop @frames)[6];
	my $payload = @frames > 2 ? pop @frames : '';
	if ($what eq 'deliver') {
		my (undef, $note) = split /\0/, $payload;
		$note =~ s/:\d+// if $errno && $note;
		print $errno ? "$errno " . ($note // 'by the service') . "\n" : "0 delivered\n";
		return $errno;
	}
	$payload =~ s/\0.*$//s;
	print "$errno $payload\n";
	return $errno;
}

ord take(1) and print("refused\n"), exit;
if ($what eq 'talk') {
	while (my $line = <STDIN>) {
		($topic, my $payload) = $line =~ /^(\S+) ?(.*)/ or next;
		say_all(message($topic, length $payload ? "$payload\0" : ''));
		hear();
	}
	exit;
}
my $input = do { local $/; <STDIN> } // '';
say_all($what eq 'bytes' ? $input : message($topic, $input));
if ($what eq 'bytes') {
	shutdown $socket, 1;
}
if (($policy // '') eq 'best-effort') {
	# An answer to what is sent after it says that it has arrived.
	($what, $policy, $rank) = ('rpc');
	say_all(message('broker.ping', "{}\0"));
	hear();
	exit;
}
my $errno;
do {
	$errno = hear();
} while ($what eq 'stream' && !$errno);
