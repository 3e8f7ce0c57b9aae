#!/bin/sh

test_description='a command runs on the nodes of a job before they are free again

Covers real processes on several ranks: where they run and with which environment, that nodes
become free as the command ends on them, signals, a broker that is lost, restarts of the
scheduler and of the job manager. When which node is free is covered by the tests of
job-manager.
'

. "$(dirname "$0")/sharness.sh"
# Rank 3 is killed in the end: how rank 0 ends counts.
test_under_flux 4 job -S tbon.topo=kary:2 --test-exit-mode=leader

# tidy: says where it runs, waits for its gate, and ends as that says.
cat >tidy <<'EOF2'
#!/bin/sh
rank=$(flux getattr rank)
echo "$rank $FLUX_JOB_ID $FLUX_JOB_USERID $FLUX_JOB_RANKS" >>"$1/ran"
read -r code <"$1/gate.$rank"
echo "tidied $1"
exit "$code"
EOF2
chmod +x tidy
mkfifo gate.0 gate.1 gate.2 gate.3

# configure [RELEASE]: has tidy run after jobs.
configure() {
	cat >conf.toml <<-EOF2 &&
	[job-manager.housekeeping]
	command = ["$PWD/tidy", "$PWD"]
	$1
	EOF2
	flux config load conf.toml
}

allocated() {
	flux resource list -s allocated -no "{ranks}"
}

# is_allocated RANKS
is_allocated() {
	test "$(allocated)" = "$1"
}

listed() {
	flux housekeeping list -no "{pending.ranks} {allocated.ranks}"
}

is_listed() {
	test "$(listed)" = "$1"
}

# run_job RANKS: a job that ends, so that tidy runs on these ranks.
run_job() {
	rm -f ran &&
	flux submit --requires="rank:$1" -N"$2" true >id &&
	wait_state "$(cat id)" inactive &&
	wait_for 30 lines_of_ran "$2"
}

lines_of_ran() {
	test -e ran && test "$(wc -l <ran)" -eq "$1"
}

test_expect_success 'without it nodes are free when the job has ended' '
	flux run -N4 true &&
	wait_for 30 is_allocated "" &&
	flux housekeeping list -n >actual &&
	test ! -s actual
'

test_expect_success 'settings that are wrong are named, and the old ones stay' '
	configure &&
	for bad in "[job-manager.housekeeping]" \
		"[job-manager.housekeeping]
command = [\"x\"]
release-after = \"soon\"" \
		"[job-manager.housekeeping]
command = [\"x\"]
foo = 1"
	do
		printf "%s\n" "$bad" | test_expect_code 1 flux config load 2>>err || return 1
	done &&
	test_grep "job-manager.housekeeping implies IMP but exec.imp is undefined" err &&
	test_grep "job-manager.housekeeping.release-after FSD parse error" err &&
	test_grep "job-manager.housekeeping.foo: unknown key" err &&
	flux config get job-manager.housekeeping.command >actual &&
	echo "[\"$PWD/tidy\",\"$PWD\"]" >expect &&
	test_cmp expect actual
'

test_expect_success 'the command runs on the nodes of the job, which has ended' '
	run_job 1-2 2 &&
	test "$(flux jobs -no {status} "$(cat id)")" = COMPLETED &&
	sort ran >actual &&
	id=$(flux job id --to=dec "$(cat id)") &&
	printf "%s\n" "1 $id $(id -u) 1-2" "2 $id $(id -u) 1-2" >expect &&
	test_cmp expect actual &&
	is_allocated 1-2 &&
	is_listed "1-2 1-2" &&
	test "$(flux resource status -s housekeeping -no "{ranks}")" = 1-2 &&
	flux resource status -no "{state} {ranks}" >actual &&
	test_grep "^housekeeping 1-2$" actual
'

test_expect_success 'its nodes are free together when the last is done' '
	echo 0 >gate.1 &&
	wait_for 30 is_listed "2 1-2" &&
	is_allocated 1-2 &&
	echo 3 >gate.2 &&
	wait_for 30 is_allocated "" &&
	is_listed "" &&
	flux dmesg >log &&
	test_grep "housekeeping: .* (rank 1) $(cat id): tidied" log &&
	test_grep "housekeeping: .* (rank 2) $(cat id): nonzero exit code" log
'

test_expect_success 'or one by one, and others get them' '
	configure "release-after = \"0\"" &&
	run_job 0-3 4 &&
	echo 0 >gate.2 &&
	wait_for 30 is_allocated 0-1,3 &&
	is_listed "0-1,3 0-1,3"
'

test_expect_success 'a scheduler that is loaded again knows what is not free' '
	flux module reload sched-simple &&
	is_allocated 0-1,3
'

test_expect_success 'a signal ends the command on some nodes' '
	flux housekeeping kill -s KILL -t 1 &&
	wait_for 30 is_allocated 0,3 &&
	flux dmesg >log &&
	test_grep "housekeeping: .* (rank 1) $(cat id): Killed" log
'

test_expect_success 'nodes are free when the job manager was killed' '
	kill -9 "$(pgrep -P "$(flux getattr broker.pid)" -f flux-module-job-manager\$)" &&
	wait_for 30 is_allocated "" &&
	is_listed "" &&
	wait_for 30 gone "$PWD/tidy"
'

test_expect_success 'a command that is not there does not keep the nodes' '
	flux config set job-manager.housekeeping.command "[\"/nosuch\"]" &&
	flux run -N4 true &&
	wait_for 30 is_allocated "" &&
	flux dmesg >log &&
	test_grep "housekeeping: .* (rank .*) .*: .*No such file or directory" log
'

test_expect_success 'a node whose broker is lost is done' '
	configure &&
	run_job 2-3 2 &&
	pid=$(flux exec -r 3 flux getattr broker.pid) &&
	kill -9 "$pid" &&
	wait_for 30 is_listed "2 2-3" &&
	echo 0 >gate.2 &&
	wait_for 30 is_listed ""
'

test_done
