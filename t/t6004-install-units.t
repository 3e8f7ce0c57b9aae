#!/bin/sh

test_description='the units of systemd: well formed, and what the broker tells systemd

A socket of our own takes the place of that of systemd. Which line belongs to which state
is covered by the unit tests of the broker.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux
test -z "$FLUX_TEST_PEER" || skip_all='units are made for the programs of this tree'
test -z "$skip_all" || test_done

command -v systemd-analyze >/dev/null && test_set_prereq SYSTEMD
# The path of a socket must be short.
dir=$(mktemp -d /tmp/flux-XXXXXX)
test__at_end="$test__at_end remove_dir"
remove_dir() {
	rm -rf "$dir"
}

# command UNIT: what the unit runs, with folders of our own.
unit_command() {
	sed -n '/^ExecStart=/,/[^\\]$/p' "prefix/lib/systemd/$1" |
		sed "s,^ExecStart=,,; s,\\\\$,,; s,/etc/flux/system/conf.d,$PWD/conf.d,
			s,%t,$dir,g; s,%S,$dir/state,g; s,/run/flux,$dir/ferroflux,g; s,/var/lib/flux,$dir/state,g" |
		tr '\n' ' '
}

# listen: prints what is told to systemd until it is told that the broker has stopped.
cat >listen.pl <<'EOS'
use IO::Socket::UNIX;
my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die "no socket: $!";
$| = 1;
alarm 60;
print "$_\n" while $socket->recv($_, 4096), !/state goodbye|state exit/;
print "$_\n";
EOS

# told UNIT: runs its command, ends it when it is ready, and leaves what it has said in `told`.
told() {
	mkdir -p conf.d "$dir/state" && chmod 700 "$dir/state" &&
	mkdir -p -m 755 "$dir/ferroflux" && rm -f "$dir/notify" told &&
	{ perl listen.pl "$dir/notify" >told & listener=$!; } &&
	wait_for 20 test -S "$dir/notify" &&
	{ NOTIFY_SOCKET=$dir/notify sh -c "exec $(unit_command "$1")" >broker.log 2>&1 & broker=$!; } &&
	wait_for 30 grep -x "STATUS=In state run" told &&
	FLUX_URI=local://$dir/ferroflux/local flux run true &&
	kill "$broker" &&
	{ wait "$broker"; code=$?; } &&
	{ kill "$listener" 2>/dev/null; wait "$listener"; true; }
}

test_expect_success 'units name the command of their installation' '
	xtask install --prefix="$PWD/prefix" --from="$(dirname "$(command -v flux)")" &&
	grep -h "^Exec" prefix/lib/systemd/*/*.service >commands &&
	sed "s,=\($PWD/prefix/bin/flux\).*,=flux," commands | sort -u >actual &&
	printf "%s\n" ExecReload=flux ExecStart=flux >expect &&
	test_cmp expect actual
'

test_expect_success SYSTEMD 'systemd finds nothing wrong with them' '
	systemd-analyze verify --man=no prefix/lib/systemd/system/flux.service 2>err &&
	XDG_RUNTIME_DIR=$dir systemd-analyze verify --user --man=no \
		prefix/lib/systemd/user/ferroflux.service 2>>err &&
	test_must_fail test -s err
'

for unit in system/flux.service user/ferroflux.service
do
	test_expect_success "$unit: systemd hears that it is ready, and that it stops" '
		told $unit &&
		test_grep -x "READY=1" told &&
		test_grep -x "STOPPING=1" told &&
		test_grep -x "EXTEND_TIMEOUT_USEC=60000000" told &&
		grep -x -n "READY=1\|STATUS=In state run\|STOPPING=1" told | cut -d: -f2 >actual &&
		printf "%s\n" READY=1 "STATUS=In state run" STOPPING=1 >expect &&
		test_cmp expect actual
	'
done

test_expect_success 'an end that was asked for is told by its code' '
	mkdir -p "$dir/ferroflux" &&
	{ sh -c "exec $(unit_command system/flux.service) --setattr=broker.sd-notify=0" >broker.log 2>&1 &
		broker=$!; } &&
	wait_for 30 sh -c "FLUX_URI=local://$dir/ferroflux/local flux uptime | grep \" run \"" &&
	FLUX_URI=local://$dir/ferroflux/local flux shutdown --background &&
	{ wait $broker; code=$?; } &&
	test "$code" = 42
'

test_done
