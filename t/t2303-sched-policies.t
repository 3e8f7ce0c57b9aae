#!/bin/sh

test_description='which scheduler an instance has, and what it lets pass

Jobs are simulated on eight invented cores. What a policy does step by step is tested in the
module; here is what takes a configuration, a command line and a live job manager.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# under CONF SCRIPT: runs a script in an instance with this configuration.
under() {
	cat >conf.toml <<-EOF &&
	$1
	[resource]
	noverify = true
	[[resource.config]]
	cores = "0-7"
	EOF
	flux start -S ferroflux.personality=job --config-path=conf.toml sh -c "$2"
}

# submit N DURATION: a simulated job for N cores that would run for an hour.
cat >submit <<-'EOF'
#!/bin/sh
flux submit -n$1 -t$2 --setattr=exec.test.run_duration=1h true
EOF
# started ID: waits until the job has resources, and prints the event.
cat >started <<-'EOF'
#!/bin/sh
flux job wait-event -t60 -f json $1 alloc
EOF
chmod +x submit started
PATH=$PWD:$PATH

test_expect_success 'unless configured it is sched-simple, which lets nobody pass' '
	under "" "
		flux module list | grep -o \"^sched-[a-z]*\" &&
		first=\$(submit 6 10m) && second=\$(submit 8 10m) && third=\$(submit 1 1m) &&
		started \$first >/dev/null &&
		flux cancel \$first &&
		started \$second >/dev/null &&
		flux jobs -no \"{state}\" \$second \$third &&
		flux cancel --all && flux queue idle >idle
	" >actual &&
	printf "%s\n" sched-simple RUN SCHED >expect &&
	test_cmp expect actual
'

test_expect_success 'sched-backfill is chosen by the configuration, and lets jobs pass that end in time' '
	under "modules.alternatives.sched = \"sched-backfill\"" "
		flux module list | grep -o \"^sched-[a-z]*\" &&
		first=\$(submit 6 10m) && second=\$(submit 8 10m) &&
		long=\$(submit 1 20m) && short=\$(submit 1 1m) &&
		started \$short >alloc &&
		flux jobs -no \"{state}\" \$first \$second \$long \$short &&
		grep -o \"\\\"backfill\\\":\\\"\$second\\\"\" alloc >passed &&
		flux module stats -p pending_jobs sched-backfill &&
		flux cancel --all && flux queue idle >idle
	" >actual &&
	printf "%s\n" sched-backfill RUN SCHED SCHED RUN 2 >expect &&
	test_cmp expect actual
'

test_expect_success 'a job that waits is told why, and when it may start' '
	under "" "
		submit 8 10m >/dev/null && second=\$(submit 8 10m) && submit 8 10m >/dev/null &&
		n=0 &&
		until flux jobs -no \"{sched.reason_pending} {sched.jobs_ahead} {contextual_info}\" \$second >told &&
			grep -q eta told
		do
			n=\$((n + 1)) && test \$n -lt 500 || exit 1
		done &&
		flux cancel --all && flux queue idle >idle
	" &&
	sed "s/eta:.*/eta/" told >actual &&
	echo "insufficient resources 0 eta" >expect &&
	test_cmp expect actual
'

test_expect_success 'there is one scheduler at a time, and it can be another' '
	under "" "
		flux module load sched-fifo 2>twice
		id=\$(submit 8 10m) && started \$id >/dev/null &&
		second=\$(submit 8 10m) &&
		flux module remove sched-simple &&
		flux module load sched-backfill queue-depth=4 &&
		flux cancel \$id &&
		started \$second >/dev/null &&
		flux module remove sched-backfill && flux module load sched-simple &&
		flux cancel --all && flux queue idle >idle
	" &&
	test_grep "File exists" twice
'

test_expect_success 'nonsense is refused, on the command line and in the configuration' '
	under "" "
		flux module remove sched-simple &&
		for arg in queue-depth=0 pool-class=TreePool
		do
			flux module load sched-fifo \$arg && exit 1
		done 2>refused
		flux module load sched-simple &&
		flux config get >before &&
		for line in sched-simple.queue-deep=4 modules.alternatives.sched=1
		do
			echo \$line >other.toml &&
			flux config load other.toml && exit 1
		done 2>>refused
		flux config get >after
	" &&
	test_cmp before after &&
	test_grep "queue-depth=.0. is invalid: expected a positive integer or .unlimited." refused &&
	test_grep "pool-class=.TreePool.: not supported in this version" refused &&
	test_grep "sched-simple.queue-deep: unknown key" refused &&
	test_grep "modules.alternatives.sched: must be a text" refused
'

test_done
