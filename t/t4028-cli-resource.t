#!/bin/sh

test_description='flux resource: what there is, and taking it out of use
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

host=$(hostname)
ncores=$(flux resource list -s all -no "{ncores}")

test_expect_success 'resources are listed by state' '
	flux resource list >actual &&
	test "$(head -1 actual | xargs)" = "STATE NNODES NCORES NGPUS NODELIST" &&
	flux resource list -no "{state} {nnodes} {ncores} {nodelist} {ranks}" | sed "s/ *$//" >actual &&
	cat >expect <<-EOF &&
	free 1 $ncores $host 0
	allocated 0 0
	down 0 0
	EOF
	test_cmp expect actual
'

test_expect_success 'states choose lines, and their order' '
	flux resource list -s up,all -no "{state}" >actual &&
	printf "%s\n" up all >expect &&
	test_cmp expect actual &&
	flux resource list --skip-empty -no "{state}" >actual &&
	echo free >expect &&
	test_cmp expect actual &&
	test_expect_code 1 flux resource list -s zz 2>actual &&
	cat >expect <<-EOF &&
	flux-resource: ERROR: Invalid resource state zz specified
	flux-resource: INFO: valid states: all,up,down,allocated,free
	EOF
	test_cmp expect actual
'

test_expect_success '-i leaves only some ranks or hosts' '
	flux resource list -s all -i 0 -no "{ranks}" >actual &&
	flux resource list -s all -i $host -no "{ranks}" >>actual &&
	flux resource list -s all -i 1 -no "{nnodes}{ranks}" >>actual &&
	printf "%s\n" 0 0 0 >expect &&
	test_cmp expect actual
'

test_expect_success 'what runs is allocated' '
	id=$(flux submit -N1 --wait-event=start tail -f /dev/null) &&
	flux resource list -s allocated,free -no "{state} {nnodes}" >actual &&
	flux cancel $id &&
	flux queue idle &&
	printf "%s\n" "allocated 1" "free 0" >expect &&
	test_cmp expect actual
'

test_expect_success 'info and R say it in short, and for programs' '
	flux resource info >actual &&
	test_grep "^1 Nodes, $ncores Cores, [0-9]* GPUs$" actual &&
	flux resource info -i 1 >actual &&
	echo "0 Nodes, 0 Cores, 0 GPUs" >expect &&
	test_cmp expect actual &&
	flux resource R >actual &&
	test_grep "^{\"version\":1,.*\"rank\":\"0\"" actual
'

test_expect_success 'nodes are drained with a reason' '
	flux resource drain 0 broken fan >actual &&
	test_cmp /dev/null actual &&
	flux resource drain -no "{state} {reason} {ranks}" >actual &&
	echo "drained broken fan 0" >expect &&
	test_cmp expect actual &&
	flux resource status -no "{state} {nnodes}" >actual &&
	printf "%s\n" "avail 0" "drained 1" >expect &&
	test_cmp expect actual
'

test_expect_success 'what is drained already stays as it is' '
	test_expect_code 1 flux resource drain 0 other 2>actual &&
	cat >expect <<-EOF &&
	flux-resource: ERROR: [Errno 17] rank 0 already drained
	flux-resource: INFO: Use --force to overwrite existing drain reason
	EOF
	test_cmp expect actual &&
	flux resource drain -u 0 other &&
	flux resource drain -no "{ranks} {reason}" >actual &&
	echo "0 broken fan" >expect &&
	test_cmp expect actual
'

test_expect_success '--force replaces the reason' '
	flux resource drain -f 0 new &&
	flux resource status -s drained -no "{ranks} {reason}" >actual &&
	echo "0 new" >expect &&
	test_cmp expect actual
'

test_expect_success 'status takes the nodes that are asked for' '
	flux resource status -s all -i 0 -no "{ranks}" >actual &&
	echo 0 >expect &&
	test_cmp expect actual
'

test_expect_success 'nodes are put back in use once' '
	flux resource undrain 0 &&
	flux resource drain -n >actual &&
	test_cmp /dev/null actual &&
	test_expect_code 1 flux resource undrain 0 2>actual &&
	echo "flux-resource: ERROR: rank 0 not drained" >expect &&
	test_cmp expect actual &&
	flux resource undrain --force 0
'

test_expect_success 'nodes that are not there are told' '
	test_expect_code 1 flux resource drain 7 2>actual &&
	echo "flux-resource: ERROR: [Errno 22] idset is out of range" >expect &&
	test_cmp expect actual &&
	test_expect_code 1 flux resource drain nosuch 2>err &&
	test_grep "invalid hosts: nosuch" err
'

test_expect_success 'all of this is in the event log' '
	flux resource eventlog >log &&
	test_grep "^[0-9.]* drain idset=\"0\" nodelist=\"$host\" reason=\"broken fan\" overwrite=0$" log &&
	test_grep "^[0-9.]* undrain idset=\"0\"" log &&
	flux resource eventlog -f json -i 0 -w drain -m reason=new | tail -1 >actual &&
	test_grep "\"name\":\"drain\",\"context\":{\"idset\":\"0\".*\"reason\":\"new\"" actual
'

test_expect_success 'an event that does not come is not waited for forever' '
	test_expect_code 1 flux resource eventlog -w nosuch -t 1ms 2>actual &&
	echo "flux-resource: ERROR: timeout waiting for event '\''nosuch'\''" >expect &&
	test_cmp expect actual
'

test_expect_success 'resources that a scheduler holds are not replaced' '
	flux resource R >new &&
	test_expect_code 1 flux resource reload new 2>actual &&
	echo "flux-resource: ERROR: [Errno 16] resources are busy (unload scheduler?)" >expect &&
	test_cmp expect actual
'

test_done
