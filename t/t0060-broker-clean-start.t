#!/bin/sh

test_description='what the broker starts begins clean

The broker is started by a program that ignores signals, blocks others and leaves
descriptors open. Each kind of process that the instance has is asked what it has of that.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# Does what any program may do before it starts another.
hostile() {
	perl -e '
		use POSIX;
		$SIG{$_} = "IGNORE" for qw(HUP INT QUIT PIPE TERM CHLD USR1 USR2 ALRM);
		my $blocked = POSIX::SigSet->new(SIGTERM, SIGUSR1, SIGCHLD, SIGUSR2);
		sigprocmask(SIG_BLOCK, $blocked) or die;
		open(my $file, ">", "hostile-file") or die;
		POSIX::dup2(fileno($file), $_) for 3 .. 200;
		exec(@ARGV) or die;
	' "$@"
}

script() {
	cat >"$1" && chmod +x "$1"
}

# look NAME: writes down what we ourselves have of it. A shell blocks signals now and then.
script look <<-EOS
	#!/usr/bin/env perl
	open(my \$out, ">", "$PWD/at-\$ARGV[0]") or die;
	open(my \$status, "<", "/proc/self/status") or die;
	print \$out grep(/^Sig(Blk|Ign)/, <\$status>);
	print \$out scalar(grep { (readlink || "") =~ /hostile-file/ } </proc/self/fd/*>), "\n";
EOS
mkdir -p rc/rc1.d rc/rc3.d
for stage in 1 3; do
	script rc/rc$stage.d/look <<-EOS
		#!/bin/sh
		exec $PWD/look rc$stage
	EOS
done
# Looks at a job, and at the modules and shells, which block what they take in by themselves.
script program <<-EOS
	#!/bin/sh
	cd $PWD
	./look program
	flux run ./look task
	id=\$(flux submit tail -f /dev/null)
	flux job wait-event -q -t 20 \$id start
	broker=\$(flux getattr broker.pid)
	for pid in \$(pgrep -P \$broker -f flux-module) \$(pgrep -f "flux-shell \$(flux job id \$id)"); do
		grep ^SigIgn /proc/\$pid/status >>services
		ls -l /proc/\$pid/fd >>descriptors
	done
	flux cancel \$id
EOS

test_expect_success 'an instance starts, runs jobs and ends' '
	FLUX_RC_EXTRA=$PWD/rc hostile timeout -k 1 60 flux start ./program
'

# Perl ignores SIGFPE, by itself.
printf 'SigBlk:\t%016x\nSigIgn:\t%016x\n0\n' 0 128 >expect-clean
for kind in rc1 program task rc3; do
	test_expect_success "nothing of it is left for: $kind" "
		test_cmp expect-clean at-$kind
	"
done

test_expect_success 'nothing is left for modules and shells but SIGPIPE, which they ignore' '
	printf "SigIgn:\t%016x\n" 4096 >expect &&
	sort -u services >actual &&
	test_cmp expect actual &&
	test "$(grep -c SigIgn services)" -gt 5 &&
	test_must_fail grep hostile-file descriptors
'

# A socket path must be short.
sock=$(mktemp -u /tmp/flux-clean-XXXXXX)

in_background() {
	hostile timeout -k 1 60 flux start -Slocal-uri=local://$sock \
		sh -c "touch up; exec tail -f /dev/null" &
	started=$!
}

test_expect_success 'an instance below nohup ends when it is told to' '
	in_background &&
	wait_for 20 test -e up &&
	FLUX_URI=local://$sock timeout -k 1 30 flux shutdown --quiet &&
	test_expect_code 129 wait $started
'

test_expect_success 'a hangup does not end one, another signal does' '
	{ nohup flux start -Slog-stderr-level=6 sh -c "touch below; exec tail -f /dev/null" 2>err & } &&
	broker=$! &&
	wait_for 20 test -e below &&
	kill -HUP $broker &&
	kill -TERM $broker &&
	test_expect_code 129 wait $broker &&
	test_grep "signal 15$" err &&
	test_must_fail grep "signal 1$" err
'

test_expect_success 'a job ends with its tasks, also with what they leave behind' '
	timeout -k 1 60 flux start flux run sh -c "tail -f /dev/null & echo \$! >left; echo said" >out &&
	kill $(cat left) &&
	echo said >expect &&
	test_cmp expect out
'

test_done
