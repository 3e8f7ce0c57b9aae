#!/bin/sh

test_description='brokers that do not belong to the instance are kept out of it

Covers what both ends say, and how the one outside ends: those with a foreign key or none,
with another table of hosts, and one that comes as a rank that is there. What a broker
checks of a hello is covered by the tests of the broker.
'

. "$(dirname "$0")/sharness.sh"
test_under_hosts 3 minimal -S broker.quorum=1 --test-start-mode=leader

sockets=$(dirname "${FLUX_URI#local://}")

# variant NAME SCRIPT: a copy of the configuration in NAME/, changed by sed.
variant() {
	mkdir -p "$1" && sed "$2" conf/bootstrap.toml >"$1/bootstrap.toml"
}

# stranger CONFIG HOST: a broker that takes itself for HOST.
cat >stranger.sh <<-EOS
	mkdir -p "$PWD/\$1/run"
	unset FLUX_URI FLUX_START_URI PMI_FD PMI_RANK PMI_SIZE
	exec flux broker --config-path="$PWD/\$1" -Shostname="\$2" -Srundir="$PWD/\$1/run" \\
		-Sferroflux.personality=minimal -Sbroker.exit-norestart=42
EOS

# outside NAME HOST SCRIPT: such a broker is refused, and says so in NAME.err.
outside() {
	variant "$1" "$3" && test_expect_code 42 sh stranger.sh "$1" "$2" 2>"$1.err"
}

dmesg_has() {
	flux dmesg >dmesg && test_grep "$1" dmesg
}

is_alone() {
	is_group broker.online 0 && flux ping --count=1 -r 0 broker
}

test_expect_success 'one with a foreign key is not heard' '
	variant foreign "s,conf/cert,foreign/cert," && flux keygen foreign/cert &&
	{ sh stranger.sh foreign fake1 2>foreign.err & } &&
	wait_for 20 dmesg_has "overlay auth No access" &&
	is_alone && flux overlay status --no-pretty >actual &&
	test_grep "^1 fake1: offline$" actual &&
	kill $! && test_expect_code 0 wait $!
'

test_expect_success 'one without a key is hung up on, and so is one that talks nonsense' '
	cat >knock.pl <<-\EOS &&
	use Socket;
	my ($path, $greeting) = @ARGV;
	socket(S, PF_UNIX, SOCK_STREAM, 0) && connect(S, sockaddr_un($path)) or die "$path: $!";
	syswrite S, pack("H*", $greeting);
	1 while sysread S, my $heard, 4096;
	EOS
	null=ff00000000000000017f03004e554c4c$(printf "%096d" 0) &&
	for greeting in "$null" "$(printf "%0200d" 0)"
	do
		perl knock.pl "$sockets/tbon-fake0" "$greeting" || return 1
	done &&
	is_alone
'

test_expect_success 'a host that is configured as another rank is told so' '
	outside misnamed fake9 "s/fake\[0-2\]/fake[0,9,2]/" &&
	text="rejecting connection from fake9 (rank 1): fake1 is configured as rank 1" &&
	test_grep "overlay.hello: $text: mismatched config?" misnamed.err &&
	dmesg_has "$text" && is_alone
'

test_expect_success 'so is a rank that the instance has not' '
	outside larger fake3 "s/fake\[0-2\]/fake[0-3]/" &&
	test_grep "rank 3 is not a child of rank 0: mismatched config?" larger.err && is_alone
'

test_expect_success 'a rank that comes twice takes the place of the first, which ends' '
	run_rank 1 && wait_group broker.online 0-1 &&
	variant twice "" &&
	{ sh stranger.sh twice fake1 2>twice.err & } &&
	wait_rank 1 1 && wait_group broker.online 0-1 &&
	dmesg_has "fake1 (rank 1) reconnected after crash, dropping old connection state" &&
	flux ping --count=1 -r 1 broker &&
	kill $! && test_expect_code 0 wait $! && wait_group broker.online 0
'

test_expect_success 'one whose parent is not there waits until it is told to end' '
	variant lonely "s,tbon-%h,other-%h," &&
	{ sh stranger.sh lonely fake2 2>lonely.err & } &&
	wait_for 20 test -S lonely/run/local-2 &&
	FLUX_URI=local://$PWD/lonely/run/local-2 flux uptime >uptime && test_grep " join " uptime &&
	kill $! && test_expect_code 0 wait $! && test ! -e lonely/run/local-2
'

test_done
