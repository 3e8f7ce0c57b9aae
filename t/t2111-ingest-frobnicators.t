#!/bin/sh

test_description='job-ingest: what queues and policies set in jobspecs
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# system OPTION...: those attributes of a held job of these options that may be set for it.
system() {
	id=$(flux submit --urgency=hold "$@" true) &&
	flux job info "$id" jobspec >jobspec &&
	flux cancel "$id" &&
	for key in duration queue constraints
	do
		grep -o "\"$key\":\(\"[^\"]*\"\|[0-9.]*[0-9]\|{.*\]}\)" jobspec || :
	done
}

# refused TEXT OPTION...: a job of these options is refused.
refused() {
	text=$1 && shift &&
	test_expect_code 1 flux submit "$@" true 2>actual &&
	echo "[Errno 1] $text" >expect &&
	test_cmp expect actual
}

# is LINE...: what is in actual.
is() {
	printf "%s\n" "$@" >expect && test_cmp expect actual
}

test_expect_success 'without queues and defaults a job is stored as it came' '
	system -t 2m >actual &&
	is "\"duration\":120.0"
'

test_expect_success 'a job gets the queue, the time and the nodes that are configured' '
	cat >conf.toml <<-\EOF &&
	[policy.jobspec.defaults.system]
	duration = "10m"
	queue = "batch"
	[queues.batch]
	requires = ["b"]
	[queues.debug]
	requires = ["d"]
	policy.jobspec.defaults.system.duration = "1.5s"
	[queues.quick]
	parent = "batch"
	EOF
	flux config load conf.toml &&
	flux dmesg >log &&
	test_grep -F "configuring frobnicator with plugins=(null), args=(null) (enabled)" log &&
	system >actual &&
	is "\"duration\":600" "\"queue\":\"batch\"" "\"constraints\":{\"properties\":[\"b\"]}" &&
	system -q debug >actual &&
	is "\"duration\":1.5" "\"queue\":\"debug\"" "\"constraints\":{\"properties\":[\"d\"]}" &&
	system -q quick >actual &&
	is "\"duration\":600" "\"queue\":\"quick\"" "\"constraints\":{\"properties\":[\"b\"]}"
'

test_expect_success 'what the job asks for stands first' '
	system -t 7s -q debug --requires=x,d >actual &&
	grep -v duration actual >others && mv others actual &&
	is "\"queue\":\"debug\"" "\"constraints\":{\"properties\":[\"x\",\"d\"]}" &&
	system -q debug --requires="x|y" >actual &&
	test_grep -F "{\"and\":[{\"or\":[{\"properties\":[\"x\"]},{\"properties\":[\"y\"]}]},{\"properties\":[\"d\"]}]}" actual
'

test_expect_success 'a job without a check gets it too' '
	system --flags=novalidate >actual &&
	is "\"duration\":600" "\"queue\":\"batch\"" "\"constraints\":{\"properties\":[\"b\"]}"
'

test_expect_success 'a queue that is not there is named' '
	refused "Invalid queue '\''nosuch'\'' specified" -q nosuch
'

test_expect_success 'where there is no default queue a job must name one' '
	sed -i "/^queue/d" conf.toml && flux config load conf.toml &&
	refused "no queue specified"
'

test_expect_success 'what is set can be chosen' '
	echo "ingest.frobnicator.plugins = [\"constraints\"]" >chosen.toml &&
	cat conf.toml >>chosen.toml && flux config load chosen.toml &&
	system -q debug >actual &&
	grep -v duration actual >others && mv others actual &&
	is "\"queue\":\"debug\"" "\"constraints\":{\"properties\":[\"d\"]}" &&
	echo "ingest.frobnicator.plugins = [\"nosuch\"]" | cat - conf.toml >chosen.toml &&
	flux config load chosen.toml &&
	test_expect_code 1 flux submit -q debug true 2>err &&
	test_grep -F "[Errno 71] Unrecoverable error: worker unexpectedly exited" err
'

test_expect_success 'nothing is set where that is off' '
	echo "ingest.frobnicator.disable = true" | cat - conf.toml >off.toml &&
	flux config load off.toml &&
	system -q debug >actual &&
	grep -v duration actual >others && mv others actual &&
	is "\"queue\":\"debug\""
'

test_expect_success 'what job-ingest sets can be tried by hand' '
	flux config load conf.toml &&
	flux submit --dry-run -q debug true | flux job-frobnicator --jobspec-only >actual &&
	test_grep -F "\"constraints\":{\"properties\":[\"d\"]}" actual &&
	flux submit --dry-run true |
		test_expect_code 1 flux job-frobnicator --jobspec-only >actual &&
	is "{\"errnum\":1,\"errstr\":\"no queue specified\"}"
'

test_done
