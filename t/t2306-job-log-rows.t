#!/bin/sh

test_description='finished jobs that are in the job log only are found, and purged from it

Covers what only a live instance can show: job-manager.inactive-memory with a real
key-value store, and that what is purged is no longer there after a restart. How rows go
and come, and how long a log gets, is in the unit tests of the job manager.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

cat >flux.toml <<'EOF'
[job-manager]
inactive-memory = "1"
EOF

# instance COMMAND...: keeps its state in `state`, and no rows in memory.
instance() {
	flux start --config-path=flux.toml -Sstatedir="$PWD/state" "$@"
}

# What is known of all jobs: the list, and the past of the journal.
cat >look <<'EOS'
flux jobs -Anac0 "-o{id} {status} {name} {t_inactive}" >jobs-$1
flux job journal --full | grep "\"events\":\[{" >journal-$1
EOS

cat >run <<'EOS'
set -e
flux submit --quiet --cc=1-600 --setattr=exec.test.run_duration=1ms true
flux queue drain
sh ./look before
flux module remove job-list
flux module reload job-manager
flux module load job-list
sh ./look after
first=$(flux jobs -Anac0 "-o{id}" | tail -n 1)
flux submit --dependency=afterok:$first true >dependent
flux job wait-event -q $(cat dependent) clean
EOS

test_expect_success 'jobs whose rows are in the log only are told as before' '
	mkdir state &&
	instance sh ./run &&
	test $(wc -l <jobs-before) = 600 &&
	test_cmp jobs-before jobs-after &&
	test $(wc -l <journal-before) = 600 &&
	test_cmp journal-before journal-after
'

cat >purge <<'EOS'
set -e
flux kvs get job-log.head >head-before
flux job purge --force --num-limit=5
flux jobs -Anac0 "-o{id}" >left
flux kvs get job-log.head >head-after
EOS

test_expect_success 'what is purged is purged in the log' '
	instance sh ./purge &&
	test $(wc -l <left) = 5 &&
	test_grep "\"inactive\":601" head-before &&
	test_grep "\"inactive\":5" head-after &&
	instance sh -c "flux jobs -Anac0 \"-o{id}\"; flux dmesg >said" >actual &&
	test_cmp left actual &&
	test_grep "restart: 5 jobs" said &&
	! grep "reading every" said
'

test_done
