#!/bin/sh

test_description='flux start, uptime, version and shutdown'

. "$(dirname "$0")/sharness.sh"
test_need_flux

minimal="-S ferroflux.personality=minimal"

test_expect_success 'options of start reach the broker' '
	flux start $minimal -Slog-stderr-level=5 flux getattr log-stderr-level >actual &&
	echo 5 >expect &&
	test_cmp expect actual &&
	flux start $minimal --conf=a.b=7 flux config get a.b >actual &&
	echo 7 >expect &&
	test_cmp expect actual &&
	flux start $minimal -o,-Slog-stderr-level=6 flux getattr log-stderr-level >actual &&
	echo 6 >expect &&
	test_cmp expect actual
'

test_expect_success 'start refuses attributes that are not to be set' '
	test_expect_code 1 flux start -Snosuch=1 true 2>err &&
	grep "nosuch: unknown attribute" err &&
	test_expect_code 1 flux start -Srank=1 true 2>err &&
	grep "rank: attribute may not be set on the command line" err
'

test_expect_success 'start takes one broker by its test option too' '
	mkdir run &&
	chmod 700 run &&
	flux start --test-size=1 --test-rundir="$(pwd)/run" $minimal flux getattr rundir >actual &&
	echo "$(pwd)/run" >expect &&
	test_cmp expect actual
'

test_expect_success 'an instance has a broker at least' '
	test_expect_code 1 flux start --test-size=0 true 2>err &&
	grep "test-size argument must be > 0" err
'

test_expect_success 'start --noexec only shows the command' '
	flux start --noexec -Sa=b touch made 2>actual &&
	grep "flux-broker -S a=b touch made" actual &&
	test ! -e made
'

test_expect_success 'start --wrap runs the broker under another program' '
	flux start --wrap=env,X=5 $minimal printenv X >actual &&
	echo 5 >expect &&
	test_cmp expect actual
'

test_expect_success 'uptime is one line of known form' '
	flux start $minimal flux uptime >actual &&
	grep -E "^ [0-9:]{8} run [0-9.e-]+m?s,  owner $(id -un),  depth 0,  size 1$" actual
'

test_expect_success 'version says what we are compatible with, and our own' '
	flux start $minimal flux version >actual &&
	grep "^commands:    		0\.88\.0$" actual &&
	grep "^broker:  		0\.88\.0$" actual &&
	grep "^libflux-core:		0\.88\.0$" actual &&
	grep "^FLUX_URI:		local://" actual &&
	grep "^build-options:		+ferroflux==[0-9.]*$" actual
'

test_expect_success 'shutdown from within ends the program that asks for it' '
	test_expect_code 129 flux start $minimal sh -c "flux shutdown; exec tail -f /dev/null"
'

test_expect_success 'an instance without a program is shut down from outside' '
	mkdir run2 &&
	chmod 700 run2 &&
	{ flux start -Srundir="$(pwd)/run2" -Sbroker.rc2_none $minimal >out 2>&1 & } &&
	pid=$! &&
	FLUX_URI=local://$(pwd)/run2/local-0 &&
	export FLUX_URI &&
	wait_for 30 flux ping -c1 broker &&
	flux shutdown 2>log &&
	unset FLUX_URI &&
	wait $pid &&
	grep "^broker.info\[0\]: shutdown: run->cleanup" log
'

test_done
