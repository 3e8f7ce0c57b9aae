#!/bin/sh

test_description='flux job journal: what happened to jobs, from where the reader was

Covers the command against a job-manager and a broker that are killed, and asked by guests. What
job-manager sends is in its transcripts, which kills a reader outlives in its tests.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# names FILE: each job of a journal with the names of its events, in their order.
names() {
	sed -n "s/^{\"id\":\([0-9]*\),\"events\":\(\[.*\)$/\1 \2/p" "$1" |
		while read id events
		do
			echo "$events" | grep -o "\"timestamp\":[0-9.]*,\"name\":\"[a-z.-]*\"" |
				sed "s/.*\"name\":\"\(.*\)\"/$id \1/"
		done
}

# numbers FILE: the number of each line.
numbers() {
	grep -o "\"seq\":[0-9.]*" "$1" | cut -d: -f2
}

# logs ID...: what `names` says of these jobs, from their logs.
logs() {
	for id
	do
		flux job eventlog $id | cut -d" " -f2 | sed "s/^/$(flux job id --to=dec $id) /"
	done
}

test_expect_success 'a journal without jobs is a mark' '
	flux job journal --full >actual &&
	test_grep "^{\"id\":-1,\"events\":\[\],\"seq\":[0-9.]*,\"snapshot\":true}$" actual &&
	test $(wc -l <actual) = 1 &&
	numbers actual >start
'

test_expect_success 'it has every event of jobs that are over' '
	flux submit --cc=1-3 --wait true >ids &&
	flux job journal --full >whole &&
	logs $(cat ids) | sort >expect &&
	names whole | sort >actual &&
	test_cmp expect actual &&
	flux job journal >active &&
	test $(wc -l <active) = 1
'

test_expect_success 'with a number only what came later is printed, in order' '
	flux job journal --since=$(cat start) >all &&
	names all | sort >actual &&
	test_cmp expect actual &&
	numbers all >ordered &&
	sort -g ordered >sorted &&
	test_cmp sorted ordered &&
	test_must_fail grep snapshot all &&
	middle=$(sed -n 9p ordered) &&
	flux job journal --since=$middle >later &&
	sed 1,9d all >expect.later &&
	test_cmp expect.later later
'

test_expect_success 'numbers are the same after job-manager was killed' '
	pkill -KILL -P "$(flux getattr broker.pid)" -f "flux-module-job-manager\$" &&
	flux job journal --since=$(cat start) >again &&
	test_cmp all again
'

test_expect_success 'a number that is too large gets a snapshot' '
	flux job journal --full --since=9999999999 >actual &&
	test $(grep -c "\"snapshot\":true" actual) = 4 &&
	numbers actual | tail -n 1 >last &&
	sed -n \$p ordered >expect.last &&
	test_cmp expect.last last
'

test_expect_success 'events are chosen by name' '
	flux job journal --since=$(cat start) --allow=start,finish >actual &&
	names actual | cut -d" " -f2 | sort | uniq -c | tr -s " " >counts &&
	printf " 3 finish\n 3 start\n" >expect.counts &&
	test_cmp expect.counts counts &&
	flux job journal --since=$(cat start) --deny=start >actual &&
	names actual >denied &&
	test_must_fail grep " start$" denied
'

test_expect_success 'a guest has his own jobs and no others' '
	guest() {
		FLUX_HANDLE_USERID=4242 FLUX_HANDLE_ROLEMASK=0x2 "$@"
	} &&
	guest flux job journal --full >actual &&
	test $(wc -l <actual) = 1 &&
	test_expect_code 1 guest flux job journal --user=all 2>err &&
	test_grep "owner credentials" err &&
	test_expect_code 1 guest flux job journal --user=4243 2>err &&
	test_grep "guests may follow only their own jobs" err &&
	flux job journal --full --user=4242 >actual &&
	test $(wc -l <actual) = 1
'

test_expect_success 'a number that is none is refused' '
	for bad in x nan inf ""
	do
		test_must_fail flux job journal --since=$bad || return 1
	done
'

test_expect_success 'a reader outlives job-manager, killed again and again, and misses nothing' '
	{ flux job journal --follow --since=$(cat start) >followed 2>err & } &&
	pid=$! &&
	wait_for 20 grep -q "\"id\":-1" followed &&
	for round in 1 2 3 4
	do
		flux submit --cc=1-5 true >>ids &&
		pkill -KILL -P "$(flux getattr broker.pid)" -f "flux-module-job-manager\$" &&
		flux submit --cc=1-5 true >>ids || return 1
	done &&
	flux queue drain &&
	flux submit --wait true >>ids &&
	logs $(cat ids) | sort >expect &&
	is_whole() {
		names followed | sort >actual && cmp expect actual
	} &&
	wait_for 30 is_whole &&
	kill $pid &&
	numbers followed >all.followed &&
	grep -v "\"id\":-1" followed >records &&
	numbers records >ordered.followed &&
	sort -gu ordered.followed >sorted.followed &&
	test_cmp sorted.followed ordered.followed
'

# The instance with kept state that `uri` is of: in the background, until `stop` is written.
instance() {
	rm -f up
	flux start -Srundir="$PWD/run" -Sstatedir="$PWD/state" sh -c "
		flux submit --quiet --cc=1-5 --wait --setattr=exec.test.run_duration=1ms true &&
		touch up
		read line <stop" >log 2>&1 &
	instance=$!
	wait_for 30 test -e up
}

test_expect_success 'a reader outlives the broker, which is killed, and hears nothing twice' '
	mkdir run state &&
	mkfifo stop &&
	uri="local://$PWD/run/local-0" &&
	instance &&
	{ FLUX_URI=$uri flux job journal --follow --since=0 >kept 2>err & } &&
	pid=$! &&
	wait_for 20 grep -q "\"id\":-1" kept &&
	kill -KILL $(FLUX_URI=$uri flux getattr broker.pid) &&
	{ wait $instance || true; } &&
	instance &&
	has_all() {
		test "$(names kept | grep -c " clean$")" = 10
	} &&
	wait_for 30 has_all &&
	kill $pid &&
	echo end >stop &&
	{ wait $instance || true; } &&
	grep -v "\"id\":-1" kept >records &&
	numbers records >ordered.kept &&
	sort -gu ordered.kept >sorted.kept &&
	test_cmp sorted.kept ordered.kept
'

test_done
