#!/bin/sh

test_description='job-ingest: what checks jobspecs, as it is configured
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# configure TEXT: makes TEXT (TOML) the configuration.
configure() {
	printf "%s\n" "$1" >conf.toml && flux config load conf.toml
}

# logged TEXT: the log has it.
logged() {
	flux dmesg >log && test_grep -F -e "$1" log
}

# refused CODE TEXT OPTION...: a job of these options is refused.
refused() {
	code=$1 text=$2
	shift 2
	test_expect_code 1 flux submit "$@" true 2>actual &&
	echo "[Errno $code] $text" >expect &&
	test_cmp expect actual
}

test_expect_success 'the log says what checks and changes jobspecs' '
	logged "configuring validator with plugins=(null), args=(null) (enabled)" &&
	logged "configuring frobnicator with plugins=(null), args=(null) (disabled)" &&
	logged "worker input buffer set to 10M"
'

test_expect_success 'a change says it again' '
	configure "ingest.buffer-size = \"1M\"
	ingest.validator = { plugins = [\"jobspec\", \"feasibility\"], args = [\"--require-version=any\"] }" &&
	logged "configuring validator with plugins=jobspec,feasibility, args=--require-version=any (enabled)" &&
	logged "worker input buffer set to 1M"
'

test_expect_success 'the scheduler says which jobs can never run' '
	test_expect_code 1 flux submit -n100000 true 2>err &&
	test_grep -F "[Errno 75] " err &&
	test_grep -F "unsatisfiable" err &&
	flux submit -n1 true
'

test_expect_success 'it is not asked for a job that is not to be checked' '
	flux submit --flags=novalidate --urgency=hold -n100000 true >id &&
	flux cancel $(cat id)
'

test_expect_success 'without a scheduler jobs come in' '
	flux module remove sched-simple &&
	flux submit --urgency=hold -n100000 true >id &&
	flux cancel $(cat id) &&
	flux module load sched-simple
'

test_expect_success 'large jobs must be instances where the site says so' '
	configure "[ingest.validator]
	plugins = [\"jobspec\", \"require-instance\"]
	require-instance = { minnodes = 4, mincores = 3 }" &&
	text="Direct job submission disabled for jobs >= 4 nodes or 3 cores." &&
	refused 22 "$text Please use flux-batch(1) or flux-alloc(1)" -n3 &&
	flux submit --urgency=hold -n2 true >id && flux cancel $(cat id) &&
	flux submit --urgency=hold -n3 flux broker >id && flux cancel $(cat id)
'

test_expect_success 'a plugin that is not there lets no job in, and the log says why' '
	configure "ingest.validator.plugins = [\"jobspec\", \"nosuch\"]" &&
	refused 71 "Unrecoverable error: worker unexpectedly exited" &&
	logged "job-validator[0]: flux-job-validator: CRITICAL: validator plugin '\''nosuch'\'' not found" &&
	logged "job-validator[0]: exited with rc=1"
'

test_expect_success 'a configuration that is refused changes nothing' '
	test_expect_code 1 configure "ingest.batch-count = \"x\"" 2>actual &&
	cat >expect <<-\EOF &&
	flux-config: load: error updating job-ingest: error reading [ingest] config table: Expected integer, got string
	EOF
	test_cmp expect actual &&
	refused 71 "Unrecoverable error: worker unexpectedly exited" &&
	configure "" && flux submit true
'

test_expect_success 'arguments of the module come before the configuration' '
	flux module reload job-ingest validator-plugins=require-instance \
		validator-args=--require-instance-minnodes=1,--require-instance-mincores=1 batch-count=5 \
		buffer-size=2M &&
	logged "worker input buffer set to 2M" &&
	text="Direct job submission disabled for jobs >= 1 nodes or 1 cores." &&
	refused 22 "$text Please use flux-batch(1) or flux-alloc(1)" &&
	configure "" && flux submit true
'

test_expect_success 'arguments that are wrong are named' '
	flux module remove job-ingest &&
	for bad in nosuch "batch-count=x" "buffer-size=x" "max-fluid-generator-id=x"
	do
		test_expect_code 1 flux module load job-ingest "$bad" 2>>err.args || return 1
	done &&
	test_grep "Invalid option: nosuch" err.args &&
	test_grep "Invalid batch-count: batch-count=x" err.args &&
	test_grep "Invalid buffer-size: .x." err.args &&
	test_grep "Invalid max-fluid-generator-id: .x." err.args &&
	flux module load job-ingest &&
	flux submit true
'

test_expect_success 'jobs are counted by what they pass' '
	flux module reload job-ingest &&
	flux submit true && flux submit --flags=novalidate true &&
	flux module stats job-ingest >stats &&
	tr -d " \n" <stats >actual &&
	test_grep -F "\"validator\":{\"running\":0,\"requests\":1,\"errors\":0," actual &&
	test_grep -F "\"frobnicator\":{\"running\":0,\"requests\":0," actual
'

test_expect_success 'what job-ingest checks can be tried by hand' '
	flux submit --dry-run true >jobspec &&
	flux job-validator --jobspec-only <jobspec >actual &&
	echo "{\"errnum\":0}" >expect &&
	test_cmp expect actual &&
	flux submit --dry-run -n100000 true |
		test_expect_code 1 flux job-validator --jobspec-only --plugins=feasibility >actual &&
	test_grep "\"errnum\":75," actual
'

test_done
