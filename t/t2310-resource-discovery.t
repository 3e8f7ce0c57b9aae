#!/bin/sh

test_description='each rank says what its machine has, and rank 0 makes R of it

The rules of merging and of the time limit are tested in the module; here, that ranks that
load the module at different times come together.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 4 kvs -S tbon.topo=kary:2

test_expect_success 'R is there when the last rank has said what it has' '
	flux module load resource noverify &&
	flux exec -r 2 flux module load resource &&
	{ flux resource R >r 2>err & } &&
	flux exec -r 1 flux module load resource &&
	flux exec -r 3 flux module load resource &&
	wait &&
	test_grep "\"rank\":\"0-3\"" r &&
	wait_for 20 flux kvs get resource.R &&
	flux kvs get resource.R >stored &&
	test_cmp r stored
'

test_expect_success 'reports that come again or make no sense change nothing' '
	test "$(rpc resource.topo-reduce "{}" | cut -d" " -f1)" = 71 &&
	one="\"R_lite\":[{\"rank\":\"1\",\"children\":{\"core\":\"0-999\"}}],\"nodelist\":[\"x\"]" &&
	rpc resource.topo-reduce \
		"{\"count\":1,\"resource\":{\"version\":1,\"execution\":{$one}}}" >actual &&
	test_grep "^0 " actual &&
	flux resource R >again &&
	test_cmp r again
'

test_expect_success 'each rank knows its machine' '
	for rank in 0 1 3
	do
		on $rank rpc resource.topo-get >topology &&
		test_grep "<object type=\"Machine\"" topology || return 1
	done
'

test_expect_success 'the inventory is on rank 0, and asked for from everywhere' '
	on 3 rpc resource.status >actual &&
	echo "71 this RPC only works on rank 0" >expect &&
	test_cmp expect actual &&
	on 3 flux resource R >actual &&
	test_cmp r actual &&
	on 3 rpc resource.get >actual &&
	test_grep "\"method\":\"dynamic-discovery\"" actual
'

test_expect_success 'a reload with more ranks than there are has to be forced' '
	sed "s/0-3/0-4/; s/nodelist\":\[\"/&x,/" r >more &&
	test_expect_code 1 flux resource reload more 2>err &&
	test_grep "resource object contains ranks execeeding size=4 (override with -f)" err &&
	flux resource reload -f more &&
	flux resource R >actual &&
	test_grep "\"rank\":\"0-4\"" actual
'

test_expect_success 'the module can be removed everywhere' '
	flux exec -r 1-3 flux module remove resource && flux module remove resource
'

test_done
