#!/bin/sh

test_description='MPI programs run over the nodes of an instance

Covers what only a real MPI shows: that its processes find each other by our PMI, on one node
and on several. The wire is covered by the tests of crates/pmi, the exchange among shells by
those of the job shell.
'

. "$(dirname "$0")/sharness.sh"

if ! command -v mpicc >/dev/null
then
	skip_all='there is no mpicc (Debian: libmpich-dev)'
	test_done
fi
test_under_flux 4 job
test_mpi ring allreduce abort

test_expect_success 'a token goes round tasks of one node' '
	flux run -n2 ./ring >actual && echo "ring of 2: 2" >expect && test_cmp expect actual
'

test_expect_success 'a token goes round tasks of four nodes' '
	flux run -N4 -n4 ./ring >actual && echo "ring of 4: 4" >expect && test_cmp expect actual
'

test_expect_success 'tasks of two nodes in turns reduce' '
	flux run -N2 --tasks-per-node=3 --taskmap=cyclic ./allreduce >out &&
	sort out >actual &&
	for rank in 0 1 2 3 4 5; do echo "$rank of 6: 15"; done >expect &&
	test_cmp expect actual
'

test_expect_success 'a task that aborts ends those of all nodes' '
	test_expect_code 143 flux run -N4 -n4 ./abort 2>err &&
	test_grep "job.exception .* type=exec severity=0 PMI_Abort: " err
'

test_done
