#!/bin/sh

test_description='jobs outlive the services that look after them

Covers kill -9 and reload of real processes under running jobs: each job runs once,
its output is complete, its outcome is told. The cases one by one are covered by the
tests of job-exec and of the job shell.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# module_pid NAME: the process of a module of this instance.
module_pid() {
	pgrep -P "$(flux getattr broker.pid)" -f "flux-module-$1\$"
}

# count_up: a job that writes the numbers up to 100, half of them only when it is told
# to go on through the pipe `gate`, says so when it is done, and ends with 5.
cat >count-up <<'EOF'
#!/bin/sh
seq 50
read go <gate
seq 51 100
echo over >gate
exit 5
EOF
chmod +x count-up
mkfifo gate

seq 100 >expect

for module in job-exec job-manager kvs content job-info
do
	test_expect_success "a job survives kill -9 of $module with all its output" "
		flux submit ./count-up >id &&
		wait_event \$(cat id) data --path=guest.output --waitcreate --quiet &&
		kill -9 \$(module_pid $module) &&
		echo go >gate && read over <gate &&
		wait_state \$(cat id) inactive &&
		test_expect_code 5 flux job attach \$(cat id) >actual &&
		test_cmp expect actual
	"
done

test_expect_success 'a job survives a reload of job-exec' '
	flux submit ./count-up >id &&
	wait_event "$(cat id)" data --path=guest.output --waitcreate --quiet &&
	flux module reload job-exec &&
	echo go >gate && read over <gate &&
	test_expect_code 5 flux job attach "$(cat id)" >actual &&
	test_cmp expect actual &&
	flux job eventlog --path=guest.exec.eventlog "$(cat id)" >log &&
	test_grep " reattach$" log
'

test_expect_success 'a job that ends while job-exec is away is told when it is back' '
	flux submit ./count-up >id &&
	wait_event "$(cat id)" data --path=guest.output --waitcreate --quiet &&
	flux module remove job-exec &&
	echo go >gate && read over <gate &&
	flux module load job-exec &&
	test_expect_code 5 flux job attach "$(cat id)" >actual &&
	test_cmp expect actual
'

test_expect_success 'the log says which process the shell is' '
	flux submit tail -f /dev/null >id &&
	wait_event "$(cat id)" shell.start --path=guest.exec.eventlog --waitcreate --quiet &&
	flux job eventlog --path=guest.exec.eventlog "$(cat id)" >log &&
	pid=$(pgrep -f "flux-shell $(flux job id "$(cat id)")\$") &&
	start=$(cut -d" " -f22 /proc/$pid/stat) &&
	test_grep " recoverable pid=$pid start=$start boot=\"$(cat /proc/sys/kernel/random/boot_id)\"" log &&
	flux cancel "$(cat id)" &&
	wait_state "$(cat id)" inactive
'

test_expect_success 'a job whose shell is killed too is not waited for in vain' '
	flux submit tail -f /dev/null >id &&
	wait_event "$(cat id)" shell.start --path=guest.exec.eventlog --waitcreate --quiet &&
	kill -9 $(module_pid job-exec) $(pgrep -f "flux-shell $(flux job id "$(cat id)")\$") &&
	wait_state "$(cat id)" inactive &&
	flux job eventlog "$(cat id)" >log &&
	test_grep "exception .* note=\"job is not recoverable: no job shell on" log
'

test_expect_success 'a job whose shell is killed is over, and so are its tasks' '
	flux submit tail -f /dev/null "--pid=$$" >id &&
	wait_event "$(cat id)" shell.start --path=guest.exec.eventlog --waitcreate --quiet &&
	kill -9 $(pgrep -f "flux-shell $(flux job id "$(cat id)")\$") &&
	test_expect_code 137 flux job attach "$(cat id)" 2>err &&
	test_grep "job shell Killed" err &&
	wait_for 10 gone "tail -f /dev/null --pid=$$"
'

test_expect_success 'nothing is left of any of them' '
	flux kvs namespace list >namespaces &&
	test_must_fail grep job- namespaces
'

test_done
