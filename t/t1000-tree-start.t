#!/bin/sh

test_description='flux start --test-size=N: several brokers as one instance

Covers what only processes show: who is started with what, where brokers listen, exit
codes, what is said of the end, and that nothing is left. Which options fit together is
covered by the tests of the command.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# What is made for an instance is made here. The path of a socket must be short.
TMPDIR=$(mktemp -d /tmp/flux-XXXXXX) && export TMPDIR
test__at_end="$test__at_end no_folder_remains"
no_folder_remains() {
	rmdir "$TMPDIR"
}

# start SIZE OPTION...: a bare instance.
start() {
	size=$1
	shift
	flux start -s "$size" -S ferroflux.personality=minimal "$@"
}

# attrs NAME: its value on each rank of an instance of $size.
cat >attrs <<'EOS'
dir=$(flux getattr rundir)
rank=0
while test $rank -lt "$(flux getattr size)"
do
	echo "$rank: $(FLUX_URI=local://$dir/local-$rank flux getattr "$1" 2>&1 | sed 's,[^ ]*/tbon,tbon,')"
	rank=$((rank + 1))
done
EOS

test_expect_success 'each rank knows the size and the hosts' '
	start 3 --test-hosts=a,b7,c sh -c "
		for name in size rank hostlist hostname; do sh attrs \$name; done" >actual &&
	cat >expect <<-EOS &&
	0: 3
	1: 3
	2: 3
	0: 0
	1: 1
	2: 2
	0: a,b7,c
	1: a,b7,c
	2: a,b7,c
	0: a
	1: b7
	2: c
	EOS
	test_cmp expect actual
'

test_expect_success 'and its place in the tree' '
	cat >expect <<-EOS &&
	0: 0
	1: 1
	2: 1
	3: 2
	0: 3
	1: 1
	2: 0
	3: 0
	0: 2
	1: 2
	2: 2
	3: 2
	0: flux-getattr: tbon.parent-endpoint: No such file or directory
	1: tbon-0
	2: tbon-0
	3: tbon-1
	0: tbon-0
	1: tbon-1
	2: flux-getattr: tbon.endpoint: No such file or directory
	3: flux-getattr: tbon.endpoint: No such file or directory
	EOS
	start 4 -S tbon.topo=kary:2 sh -c "
		for name in level descendants maxlevel parent-endpoint endpoint
		do
			sh attrs tbon.\$name
		done" >actual &&
	test_cmp expect actual
'

# endpoints SIZE OPTION...: the scheme of where each rank reaches its parent.
endpoints() {
	start "$@" sh attrs tbon.parent-endpoint | sed -n "s,^\([1-9]*: [tbon]*[^:-]*\).*,\1,p" | xargs
}

test_expect_success 'brokers of one host meet by a socket, others by TCP' '
	test "$(endpoints 3)" = "1: tbon 2: tbon" &&
	test "$(endpoints 2 -Stbon.interface-hint=lo --test-pmi-clique=per-broker)" = "1: tcp" &&
	test "$(endpoints 2 -Stbon.interface-hint=lo --test-pmi-clique=none)" = "1: tcp" &&
	test "$(endpoints 2 -Stbon.interface-hint=127.0.0.0/8 -Stbon.prefertcp=1)" = "1: tcp" &&
	test "$(endpoints 4 -Stbon.topo=kary:1 -Stbon.interface-hint=lo \
		--test-pmi-clique="[[0,1,2,1],[1,1,2,1]]")" = "1: tbon 2: tcp 3: tbon"
'

test_expect_success 'an address that is not there is refused' '
	test_expect_code 1 start 2 -Stbon.prefertcp=1 -Stbon.interface-hint=nosuch0 true 2>err &&
	test_grep "could not find address associated with nosuch0" err
'

test_expect_success 'a shape that is not known is refused by all' '
	test_expect_code 1 start 2 -Stbon.topo=flat true 2>err &&
	test_grep "unknown topology scheme .flat." err
'

test_expect_success 'each shape brings up its brokers' '
	for topo in kary:0 kary:1 kary:2 mincrit mincrit:2 binomial
	do
		start 6 -S tbon.topo=$topo flux overlay status --summary >actual &&
		echo full >expect && test_cmp expect actual || return 1
	done
'

test_expect_success 'the exit code is that of the program' '
	test_expect_code 3 start 2 sh -c "exit 3" &&
	test_expect_code 130 start 2 sh -c "kill -INT \$\$"
'

test_expect_success 'an instance in an instance is one of its own' '
	start 2 flux start -Sferroflux.personality=minimal flux getattr size >actual &&
	echo 1 >expect && test_cmp expect actual &&
	start 2 flux start -s 3 -Sferroflux.personality=minimal flux getattr size >actual &&
	echo 3 >expect && test_cmp expect actual
'

test_expect_success 'a rank that dies ends the instance, and the others are killed in time' '
	cat >die <<-\EOS &&
	kill -9 "$(FLUX_URI=${FLUX_URI%-0}-1 flux getattr broker.pid)"
	exec tail -f /dev/null
	EOS
	test_expect_code 137 start 2 --test-exit-timeout=0.1s sh die 2>err &&
	test_grep "flux-start: 1 (pid [0-9]*) Killed" err &&
	test_grep "flux-start: Exit timeout: killed rank 0" err
'

test_expect_success 'but not where rank 0 alone counts' '
	sed "s/^exec.*/exit 7/" die >die-and-end &&
	test_expect_code 7 start 2 --test-exit-mode=leader sh die-and-end 2>err &&
	test_grep "flux-start: 1 (pid [0-9]*) Killed" err
'

test_expect_success 'the command lines are shown on demand, and nothing is started' '
	flux start -s 2 --noexec --test-hosts="h[0-1]" -Sa.b=c touch made 2>actual && cat actual &&
	test 2 = $(wc -l <actual) && test ! -e made &&
	test_grep "^flux-start: 0: .*flux-broker .*--setattr=hostname=h0 touch made$" actual &&
	test_grep "^flux-start: 1: .*flux-broker .*--setattr=hostname=h1$" actual &&
	start 2 -v true 2>actual && test_grep "^flux-start: 1: .*flux-broker" actual
'

test_expect_success 'a given folder stays, unless it is said to go' '
	mkdir "$TMPDIR/run" &&
	start 2 --test-rundir="$TMPDIR/run" true && test -d "$TMPDIR/run" &&
	start 2 --test-rundir="$TMPDIR/run" --test-rundir-cleanup true &&
	test ! -e "$TMPDIR/run"
'

test_done
