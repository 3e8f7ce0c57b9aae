#!/bin/sh

test_description='queues, limits and defaults, as doc/queues.md has them to copy
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

# block N: the Nth example of the page.
block() {
	awk -v n="$1" '/^```toml/ { inside = ++count == n; next } /^```/ { inside = 0 } inside' \
		"$TEST_HARNESS_DIR/../doc/queues.md"
}

block 1 >queues.toml
block 2 >resource.toml
block 3 >ingest.toml
block 4 >users.toml
cat queues.toml resource.toml >site.toml

# site OPTION...: runs standard input in an instance of the first of the nodes of the page.
site() {
	cat >helpers.sh <<-\EOF &&
	# A job of these options, without what the client sets besides them.
	stored() {
		id=$(flux submit --urgency=hold "$@" true) || return 1
		flux job info "$id" jobspec >jobspec
		flux cancel "$id"
		for key in duration queue constraints
		do
			grep -o "\"$key\":\(\"[^\"]*\"\|[0-9]*\|{.*\]}\)" jobspec
		done | tr -d "\"" | paste -s -d " "
	}
	told() {
		flux submit --urgency=hold "$@" true 2>&1 | sed "s/ƒ.*/taken/"
	}
	EOF
	{ echo ". ./helpers.sh" && cat; } >site.sh &&
	flux start -Shostlist=node1 --conf=resource.noverify=true "$@" \
		--config-path="$PWD/site.toml" sh site.sh >actual
}

test_expect_success 'the examples are there' '
	test_grep "^\[queues.short\]" queues.toml &&
	test_grep "^\[resource\]" resource.toml &&
	test_grep "^\[ingest.validator\]" ingest.toml
'

test_expect_success 'a job gets what its queue has' '
	site <<-\EOF &&
	stored
	stored -q batch
	stored -q debug
	stored -q short
	stored -q debug -t 7s
	told -q x
	EOF
	cat >expect <<-\EOF &&
	duration:3600 queue:batch constraints:{properties:[batch]}
	duration:3600 queue:batch constraints:{properties:[batch]}
	duration:600 queue:debug constraints:{properties:[debug]}
	duration:300 queue:short constraints:{properties:[batch]}
	duration:7 queue:debug constraints:{properties:[debug]}
	[Errno 1] Invalid queue '\''x'\'' specified
	EOF
	test_cmp expect actual
'

test_expect_success 'queues run jobs on their nodes once they are started' '
	site <<-\EOF &&
	id=$(flux submit -q batch hostname)
	flux queue status batch
	flux queue start --all >/dev/null
	flux job wait-event -t 60 $id clean >/dev/null
	for queue in batch short
	do
		id=$(flux submit -q $queue true)
		flux job wait-event -t 60 $id clean >/dev/null
		echo $queue $(flux jobs -no "{ranks}" $id)
	done
	for queue in batch short debug
	do
		echo $queue has $(flux resource list -s all -q $queue -no "{nodelist}")
	done
	EOF
	test_grep "Scheduling is stopped" actual &&
	sed "1,/Scheduling is stopped/d" actual >ran &&
	cat >expect <<-\EOF &&
	batch 0
	short 0
	batch has node[1-2]
	short has node[1-2]
	debug has node3
	EOF
	test_cmp expect ran
'

test_expect_success 'a later start finds queues as they were' '
	mkdir state &&
	echo "flux queue start batch" | site -Sstatedir="$PWD/state" &&
	echo "flux queue status -v batch; flux queue status -v debug" |
		site -Sstatedir="$PWD/state" &&
	test_grep "^batch: Scheduling is started" actual &&
	test_grep "^debug: Scheduling is stopped" actual
'

test_expect_success 'limits hold key by key, the nearest first' '
	site <<-\EOF &&
	told -q batch -t 24h
	told -q batch -t 48h
	told -q batch -n 4
	told -q debug -t 4h
	told -q debug -t 5h
	told -q debug -N 2 -n 2
	told -q debug -n 4
	told -q short -t 30m
	told -q short -t 31m
	told -q short -n 4
	told -t 0
	EOF
	cat >expect <<-\EOF &&
	taken
	[Errno 22] requested duration (2d) exceeds policy limit of 1d for queue batch
	[Errno 22] requested ncores (4) exceeds policy limit of 3 for queue batch
	taken
	[Errno 22] requested duration (5h) exceeds policy limit of 4h for queue debug
	[Errno 22] requested nnodes (2) exceeds policy limit of 1 for queue debug
	taken
	taken
	[Errno 22] requested duration (31m) exceeds policy limit of 30m for queue short
	[Errno 22] requested ncores (4) exceeds policy limit of 3 for queue short
	taken
	EOF
	test_cmp expect actual
'

test_expect_success 'the list of queues shows them' '
	site <<-\EOF &&
	flux queue list -no "{queuem} {defaults.timelimit!F} {limits.timelimit!F} {limits.max.ncores}" | sort
	EOF
	test_grep "^batch.* 1h 1d 3$" actual
'

test_expect_success 'large jobs must be instances as the last example says' '
	cat ingest.toml >>site.toml &&
	site <<-\EOF &&
	told -q debug -n 1
	told -q debug -n 64
	told -q debug -n 5
	EOF
	text="Direct job submission disabled for jobs >= 4 nodes or 64 cores." &&
	test_grep -F "$text Please use flux-batch(1) or flux-alloc(1)" actual &&
	test "$(grep -c taken actual)" = 1 &&
	test "$(grep -c "^.Errno 75. unsatisfiable" actual)" = 2
'

test_expect_success 'what is wrong ends the start' '
	sed "s/\"1d\"/86400/" queues.toml >site.toml &&
	test_expect_code 1 flux start --config-path="$PWD/site.toml" true 2>actual &&
	test_grep -F "error parsing [queues.batch.policy.limits] config table:" actual
'

cat >users.sh <<-\EOF
flux jobtap list
flux jobtap query priority-factor | grep -o "\"users.*\"name" | tr -d "\""
flux jobtap query limit-active >/dev/null && echo counted
id=$(flux submit --urgency=17 --setattr=bank=physics true)
flux job wait-event -t 60 $id clean >/dev/null
flux job eventlog $id | grep -o "priority=.*"
id=$(flux submit --setattr=bank=chemistry true)
flux job wait-event -t 60 $id depend >/dev/null
flux jobs -no "{status}" $id
flux cancel $id
EOF

test_expect_success 'users have a number of jobs, which come first by user and bank' '
	flux start --config-path="$PWD/users.toml" sh users.sh >actual &&
	cat >expect <<-\EOF &&
	limit-active
	priority-factor
	users:{1000:500,default:0},banks:{physics:2000},name
	counted
	priority=2017
	PRIORITY
	EOF
	test_cmp expect actual
'

test_done
