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
