#!/bin/sh

test_description='requests are answered while modules are killed again and again

Covers the broker holding and repeating requests under kill -9 of one module in a loop:
commands never fail, whether they only look or write. One kill of each module is covered
by t0020, all modules in turn under load by t0059.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# kill_again NAME: kills the module, waits until its successor answers, and so on until
# the file `enough` appears. Prints how often.
kill_again() {
	kills=0
	while test ! -e enough
	do
		pkill -KILL -P "$(flux getattr broker.pid)" -f "flux-module-$1\$" &&
			kills=$((kills + 1))
		flux ping --count=1 "$1" >ping.log 2>&1
	done
	echo $kills
}

# under_fire NAME COMMAND...: runs COMMAND while NAME is killed again and again.
under_fire() {
	rm -f enough
	kill_again "$1" >kills &
	killer=$!
	shift
	"$@"
	result=$?
	: >enough
	wait $killer && test "$(cat kills)" -ge 3 && return $result
}

# each_time N EXPECT COMMAND...: COMMAND succeeds N times and prints what EXPECT holds.
each_time() {
	left=$1 expect=$2
	shift 2
	while test $left -gt 0
	do
		left=$((left - 1))
		"$@" >actual && test_cmp $expect actual || return 1
	done
}

# submit_each N: submits N jobs. Their ids go to `ids`.
submit_each() {
	left=$1
	while test $left -gt 0
	do
		left=$((left - 1))
		flux submit true >>ids || return 1
	done
}

test_expect_success 'there are jobs and keys' '
	flux submit --cc=1-5 true >submitted &&
	flux queue drain &&
	flux jobs -nac0 -o "{id.f58} {name} {result}" >jobs &&
	test "$(wc -l <jobs)" = 5 &&
	flux kvs put a=1 b=2 &&
	printf "1\n2\n" >values
'

test_expect_success 'flux jobs never fails while job-list is killed again and again' '
	under_fire job-list each_time 30 jobs flux jobs -nac0 -o "{id.f58} {name} {result}"
'

test_expect_success 'flux jobs never fails while job-manager is killed again and again' '
	under_fire job-manager each_time 30 jobs flux jobs -nac0 -o "{id.f58} {name} {result}"
'

for module in kvs content
do
	test_expect_success "flux kvs get never fails while $module is killed again and again" "
		under_fire $module each_time 30 values flux kvs get a b
	"
done

# put_each N: appends N numbers to the value of `log`.
put_each() {
	for i in $(seq $1)
	do
		flux kvs put --append log=$i, || return 1
	done
}

for module in kvs content
do
	test_expect_success "flux kvs put never fails while $module is killed again and again" "
		flux kvs put log= &&
		under_fire $module put_each 30 &&
		seq -s, 30 | sed 's/\$/,/' >expect &&
		flux kvs get log >actual &&
		test_cmp expect actual
	"
done

for module in job-manager job-ingest
do
	test_expect_success "jobs submitted while $module is killed again and again all run" "
		>ids &&
		flux jobs -nac0 -o '{id.f58}' | sort >before &&
		under_fire $module submit_each 20 &&
		flux queue drain &&
		flux jobs -nac0 -o '{id.f58}' | sort >after &&
		comm -13 before after >listed &&
		sort ids >acknowledged &&
		test_cmp acknowledged listed &&
		flux jobs -nac0 -o '{result}' | sort -u >results &&
		echo COMPLETED >expect &&
		test_cmp expect results
	"
done

test_expect_success 'nothing was given up' '
	flux dmesg >log &&
	test_must_fail grep "giving it up" log
'

test_done
