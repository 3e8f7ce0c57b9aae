#!/bin/sh

test_description='flux config reads and changes the configuration of an instance'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 minimal --conf=a.b=1

test_expect_success 'the instance has the configuration it was started with' '
	flux config get >actual &&
	echo "{\"a\":{\"b\":1}}" >expect &&
	test_cmp expect actual
'

test_expect_success 'values are set and unset' '
	flux config set a.c 2m &&
	flux config set --type=string a.d 5 &&
	flux config get >actual &&
	echo "{\"a\":{\"b\":1,\"c\":\"2m\",\"d\":\"5\"}}" >expect &&
	test_cmp expect actual &&
	flux config unset a.b &&
	test_expect_code 1 flux config get a.b 2>actual &&
	echo "flux-config: a.b is not set" >expect &&
	test_cmp expect actual
'

test_expect_success 'get knows types' '
	flux config get --type=fsd-integer a.c >actual &&
	echo 120 >expect &&
	test_cmp expect actual &&
	test_expect_code 1 flux config get --type=integer a.c 2>actual &&
	echo "flux-config: a.c does not have the requested type" >expect &&
	test_cmp expect actual
'

test_expect_success 'load replaces it, from TOML or JSON' '
	printf "[x]\ny = [1, 2]\n" | flux config load &&
	flux config get >actual &&
	echo "{\"x\":{\"y\":[1,2]}}" >expect &&
	test_cmp expect actual &&
	echo "{\"z\":true}" >conf.json &&
	flux config load conf.json &&
	flux config get z >actual &&
	echo true >expect &&
	test_cmp expect actual
'

test_expect_success 'load takes all TOML files of a folder' '
	mkdir conf.d &&
	printf "[t]\nx = 1\n" >conf.d/a.toml &&
	printf "[t]\ny = 2\n" >conf.d/b.toml &&
	flux config load conf.d &&
	flux config get >actual &&
	echo "{\"t\":{\"x\":1,\"y\":2}}" >expect &&
	test_cmp expect actual
'

test_expect_success 'load says where a mistake is' '
	printf "a = 1\nb = =\n" | test_expect_code 1 flux config load 2>err &&
	grep "^flux-config: TOML parse error: line 2: " err
'

test_expect_success 'a key that is not known or has another form is named, and nothing changes' '
	flux config get >before &&
	while read -r key value
	do
		test_expect_code 1 flux config load <<-EOF 2>err &&
		$key = $value
		EOF
		cat err &&
		test_grep "${key##*.}\|config table: [0-9]* *object item\|config table: Expected" err &&
		flux config get >after &&
		test_cmp before after || return 1
	done <<-\EOF
	queues 7
	queues.batch 7
	queues.batch.foo 1
	queues.batch.requires "x"
	queues.batch.parent 1
	policy.foo 1
	policy.limits 1
	policy.limits.duration 1
	policy.jobspec.defaults.system.duration -1
	ingest.batch-count "x"
	ingest.foo 1
	ingest.validator.plugins "jobspec"
	ingest.validator.disable 1
	job-manager.foo 1
	job-manager.plugins 7
	job-manager.inactive-num-limit -1
	job-manager.limit-active.max-running "x"
	job-manager.prolog.foo 1
	sched-simple.queue-depth 0
	sched-simple.foo 1
	sched-fifo.log-level "loud"
	sched-backfill.queue-depth "all"
	EOF
'

test_expect_success 'reload without files changes nothing' '
	flux config reload &&
	flux config get t.x >actual &&
	echo 1 >expect &&
	test_cmp expect actual
'

test_expect_success 'get can read files without an instance' '
	FLUX_URI=local:///nonexistent flux config get --config-path=conf.d t.y >actual &&
	echo 2 >expect &&
	test_cmp expect actual
'

test_expect_success 'builtin values follow from the installation' '
	flux config builtin rundir >actual &&
	echo /run/flux >expect &&
	test_cmp expect actual &&
	test_expect_code 1 flux config builtin zz 2>actual &&
	echo "flux-config: zz is invalid" >expect &&
	test_cmp expect actual
'

test_done
