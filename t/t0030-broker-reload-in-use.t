#!/bin/sh

test_description='a module can be reloaded, or be away, while others need it

Covers the broker parking the modules that end because one that they need is away, and
starting them again when it is back.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

for module in job-manager kvs content resource
do
	test_expect_success "$module is reloaded and a job runs" "
		flux module reload $module &&
		flux run echo $module >out &&
		echo $module >expect &&
		test_cmp expect out
	"
done

test_expect_success 'what a job writes while kvs is away is there when kvs is back' '
	mkfifo away &&
	flux submit sh -c "echo before; touch begun; read line <away; echo \$line" >id &&
	wait_for 10 test -e begun &&
	flux module remove kvs &&
	echo meanwhile >away &&
	wait_for 10 sh -c "flux dmesg | grep -e \"retrying a commit\"" &&
	flux module load kvs &&
	flux job attach "$(cat id)" >out &&
	printf "before\\nmeanwhile\\n" >expect &&
	test_cmp expect out &&
	flux job eventlog -p exec "$(cat id)" >log &&
	grep shell-exit log
'

test_expect_success 'while job-manager is away, jobs are listed as they were' '
	flux module remove job-manager &&
	flux jobs -nac0 -o "{name}" >names &&
	test "$(grep -c echo names)" = 4 &&
	flux module load job-manager &&
	flux run true &&
	flux jobs -nac0 -o "{name}" >names &&
	test "$(grep -c true names)" = 1
'

test_expect_success 'nothing was given up' '
	flux dmesg >log &&
	test_must_fail grep "giving it up" log
'

test_done
