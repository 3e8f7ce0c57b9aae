#!/bin/sh

test_description='nodes of several hosts are taken out of use, and are still so later

The rules of drain and undrain are tested in the module; here, that hosts and ranks mean the
same nodes, from every rank, and after the module was loaded again.
'

. "$(dirname "$0")/sharness.sh"
test_under_hosts 4 job

drained() {
	flux resource drain -no "{ranks} {nodelist} {reason}" | sort
}

test_expect_success 'hosts and ranks are one' '
	flux resource drain "fake[1-2]" hot &&
	on 3 flux resource drain 3 cold &&
	drained >actual &&
	printf "%s\n" "1-2 fake[1-2] hot" "3 fake3 cold" >expect &&
	test_cmp expect actual
'

test_expect_success 'what is drained gets no jobs' '
	flux resource list -no "{state} {nnodes} {nodelist}" | sed "s/ *$//" >actual &&
	cat >expect <<-EOS &&
	free 1 fake0
	allocated 0
	down 3 fake[1-3]
	EOS
	test_cmp expect actual &&
	flux resource list -s down -i "fake[0,3]" -no "{nodelist}" >actual &&
	echo fake3 >expect &&
	test_cmp expect actual
'

test_expect_success 'a part of what is drained can be left as it is' '
	test_expect_code 1 flux resource drain 0-1 other 2>err &&
	test_grep "rank 1 already drained" err &&
	flux resource drain -u 0-1 other &&
	drained >actual &&
	printf "%s\n" "0 fake0 other" "1-2 fake[1-2] hot" "3 fake3 cold" >expect &&
	test_cmp expect actual
'

test_expect_success 'it is known after the module was loaded again' '
	flux module remove sched-simple &&
	flux module reload resource &&
	flux module load sched-simple &&
	drained >actual &&
	test_cmp expect actual
'


test_expect_success 'hosts are put back by rank, from everywhere' '
	on 2 flux resource undrain 0-1,3 &&
	drained >actual &&
	echo "2 fake2 hot" >expect &&
	test_cmp expect actual &&
	test_expect_code 1 flux resource undrain "fake[1-2]" 2>err &&
	test_grep "rank 1 not drained" err &&
	flux resource undrain fake2
'

test_expect_success 'hosts that are not there are named' '
	test_expect_code 1 flux resource drain "fake[2-5]" 2>err &&
	test_grep "invalid hosts: fake\[4-5\]" err &&
	test_expect_code 1 flux resource drain 2-4 2>err &&
	test_grep "idset is out of range" err
'

test_done
