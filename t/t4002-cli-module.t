#!/bin/sh

test_description='flux module loads, lists, reloads, asks and removes modules

How the broker supervises modules is covered elsewhere.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 minimal

test_expect_success 'list has the header that scripts skip' '
	flux module list >list &&
	head -1 list >actual &&
	echo "Module                    Idle  S Sendq Recvq Service" >expect &&
	test_cmp expect actual
'

test_expect_success 'a module is loaded and listed as running' '
	flux module load heartbeat &&
	flux module list >list &&
	grep "^heartbeat  *[0-9]*  R  *0  *0" list
'

test_expect_success 'list -l says where it is' '
	flux module list -l >list &&
	grep "^heartbeat .*/.*heartbeat" list &&
	grep "^config .* builtin$" list
'

test_expect_success 'it cannot be loaded twice' '
	test_expect_code 1 flux module load heartbeat 2>actual &&
	echo "flux-module: load heartbeat: File exists" >expect &&
	test_cmp expect actual
'

test_expect_success 'stats prints JSON, or one value of it' '
	flux module stats heartbeat >stats &&
	grep "^ \"period\": 2.0,$" stats &&
	flux module stats --parse period --type int heartbeat >actual &&
	echo 2 >expect &&
	test_cmp expect actual &&
	test_expect_code 1 flux module stats --parse no.such heartbeat 2>actual &&
	echo "flux-module: \`no.such'\'' not found in response" >expect &&
	test_cmp expect actual
'

test_expect_success OURS 'stats shows how long handlers took, and with --json the histograms' '
	flux module stats --parse handlers.all.count --type int broker >count &&
	test "$(cat count)" -gt 0 &&
	flux module stats heartbeat >stats &&
	test_grep "\"request heartbeat.stats-get\": {" stats &&
	test_must_fail grep buckets stats &&
	flux module stats --json heartbeat >json &&
	test_grep "\"buckets\":\[\[" json
'

test_expect_success 'stats --rusage prints what getrusage says' '
	flux module stats --rusage heartbeat >rusage &&
	grep "\"utime\":" rusage
'

test_expect_success 'stats --clear and --clear-all set counters to zero' '
	flux module stats --clear heartbeat &&
	flux module stats --clear-all heartbeat
'

test_expect_success 'debug changes bits and prints them' '
	flux module debug --setbit 0x4 heartbeat >actual &&
	flux module debug --setbit 1 heartbeat >>actual &&
	flux module debug --clearbit 4 heartbeat >>actual &&
	flux module debug heartbeat >>actual &&
	flux module debug --clear heartbeat >>actual &&
	printf "%s\n" 0x4 0x5 0x1 0x1 0x0 >expect &&
	test_cmp expect actual
'

test_expect_success 'reload gives it new arguments' '
	flux module reload heartbeat period=1s &&
	flux module stats --parse period --type int heartbeat >actual &&
	echo 1 >expect &&
	test_cmp expect actual
'

test_expect_success 'a bad argument fails the load, which says why, and so does the log' '
	test_expect_code 1 flux module reload heartbeat frob=1 2>actual &&
	echo "flux-module: load heartbeat: frob=1: unknown option" >expect &&
	test_cmp expect actual &&
	flux dmesg >log &&
	test "$(grep -c "frob=1: unknown option" log)" = 1 &&
	flux module load heartbeat
'

test_expect_success 'it is removed' '
	flux module remove heartbeat &&
	flux module list >list &&
	test_expect_code 1 grep "^heartbeat" list
'

test_expect_success 'what is not loaded can be removed only with --force' '
	test_expect_code 1 flux module remove heartbeat 2>actual &&
	echo "flux-module: remove heartbeat: No such file or directory" >expect &&
	test_cmp expect actual &&
	flux module remove --force heartbeat
'

test_expect_success 'what is not there cannot be loaded' '
	test_expect_code 1 flux module load nosuch 2>actual &&
	echo "flux-module: load nosuch: module not found in search path" >expect &&
	test_cmp expect actual
'

test_done
