#!/bin/sh

test_description='mpiexec.hydra starts the brokers of an instance

Covers what only the real launcher shows: its environment, its PMI wire and its mapping
of ranks to hosts. The wire itself is covered by the tests of crates/pmi.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

if ! command -v mpiexec.hydra >/dev/null
then
	skip_all='there is no mpiexec.hydra (Debian: mpich)'
	test_done
fi
test_mpi ring allreduce abort

hydra() {
	timeout 120 mpiexec.hydra "$@"
}

# answers SIZE: the ranks of an instance of SIZE, a line each.
answers() {
	seq 0 $(($1 - 1))
}

test_expect_success 'brokers under hydra are one instance' '
	hydra -n 4 flux start flux exec -r all flux getattr rank >ranks &&
	answers 4 >expect &&
	sort -n ranks >actual &&
	test_cmp expect actual
'

test_expect_success 'they know that they share a host' '
	hydra -n 4 flux start sh -c "
		flux getattr broker.boot-method
		flux getattr broker.mapping
		flux getattr parent-uri || flux getattr tbon.level" >actual 2>err &&
	cat >expect <<-EOS &&
	simple
	[[0,1,4,1]]
	0
	EOS
	test_cmp expect actual
'

test_expect_success 'a job runs, and its code is that of the launcher' '
	test_expect_code 3 hydra -n 2 flux start flux run sh -c "exit 3"
'

test_expect_success MPI 'MPI programs run over brokers that hydra has started' '
	hydra -n 4 flux start sh -c "
		flux run -N4 -n4 ./ring
		flux run -N2 --tasks-per-node=2 ./allreduce | sort" >actual &&
	printf "%s\n" "ring of 4: 4" "0 of 4: 6" "1 of 4: 6" "2 of 4: 6" "3 of 4: 6" >expect &&
	test_cmp expect actual
'

# The wire of hydra and that of the job are two: what a task says does not reach the launcher.
# MPI itself may complain of tasks that are gone, on its standard output.
test_expect_success MPI 'one that aborts ends its job, and not the instance' '
	hydra -n 4 flux start sh -c "
		flux run -N4 -n4 ./abort >noise
		echo \$?
		flux run -N4 -n4 ./ring" >actual 2>err &&
	printf "%s\n" 143 "ring of 4: 4" >expect &&
	test_cmp expect actual &&
	test_grep "PMI_Abort: aborted" err
'

test_expect_success 'one broker is an instance too' '
	hydra -n 1 flux start flux getattr size >actual &&
	echo 1 >expect &&
	test_cmp expect actual
'

test_expect_success 'sixteen brokers in a tree of two children each' '
	hydra -n 16 flux start -Stbon.topo=kary:2 sh -c "
		flux overlay status --summary
		flux getattr tbon.maxlevel" >actual &&
	test_grep full actual &&
	test_grep "^4$" actual
'

test_done
