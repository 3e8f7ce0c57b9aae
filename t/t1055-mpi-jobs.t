#!/bin/sh

test_description='MPI programs run over the nodes of an instance

Covers what only a real MPI shows: that its processes find each other by our PMI, on one node
and on several. The wire is covered by the tests of crates/pmi, the exchange among shells by
those of the job shell.
'

. "$(dirname "$0")/sharness.sh"

if ! command -v mpicc.mpich >/dev/null && ! command -v mpicc >/dev/null
then
	skip_all='there is no mpicc (Debian: libmpich-dev)'
	test_done
fi
test_under_flux 4 job
test_mpi hello ring allreduce abort
test_openmpi hello ring allreduce

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

# Where a launcher is not found each task is alone, and says so.
hellos() {
	for rank in $(seq 0 $(($1 - 1))); do echo "hello from $rank of $1"; done
}

test_expect_success 'tasks know of each other with the personality of any MPI, or none' '
	hellos 4 >expect &&
	for options in "" "-o mpi=none" "-o mpi=mpich" "-o mpi=intel@2021" "-o pmi=pmi1"
	do
		flux run -N2 -n4 $options ./hello >out && sort out >actual &&
		test_cmp expect actual || return 1
	done
'

test_expect_success 'each task is alone without PMI' '
	hellos 1 >expect &&
	flux run -n1 -o pmi=off ./hello >actual &&
	test_cmp expect actual
'

# As root, Open MPI looks at this; and it is to look for nothing on the way to other hosts.
OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM

test_expect_success OPENMPI 'Open MPI finds our PMI by its library' '
	hellos 4 >expect &&
	for options in "" "-o mpi=openmpi" "-o mpi=none"
	do
		flux run -N2 -n4 $options openmpi/hello >out && sort out >actual &&
		test_cmp expect actual || return 1
	done
'

test_expect_success OPENMPI 'its tasks of one node and of several talk' '
	flux run -N1 -n2 openmpi/ring >actual &&
	flux run -N4 -n4 openmpi/ring >>actual &&
	flux run -N2 -n4 openmpi/ring >>actual &&
	printf "ring of %d: %d\n" 2 2 4 4 4 4 >expect &&
	test_cmp expect actual
'

test_expect_success OPENMPI 'its tasks reduce' '
	flux run -N2 --tasks-per-node=2 openmpi/allreduce >out &&
	sort out >actual &&
	for rank in 0 1 2 3; do echo "$rank of 4: 6"; done >expect &&
	test_cmp expect actual
'

test_done
