#!/bin/sh

test_description='flux job journal: readers that are killed while jobs run

`cargo xtask crash --part readers` has the long form.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# last FILE: the number of its last line.
last() {
	grep -o "\"seq\":[0-9.]*" "$1" | cut -d: -f2 | tail -n 1
}

# submit N: as many jobs of a moment.
submit() {
	flux submit --quiet --cc=1-$1 --setattr=exec.test.run_duration=1ms true
}

# heard: the reader that writes to part has had an event.
heard() {
	grep -vq "\"id\":-1" part
}

test_expect_success 'a reader that is killed again and again goes on where it was' '
	flux job journal >mark &&
	since=$(last mark) &&
	{ submit 400 & } &&
	submitter=$! &&
	for round in $(seq 20)
	do
		submit 2 &&
		rm -f part &&
		{ flux job journal --follow --since=$since >part 2>err & } &&
		pid=$! &&
		wait_for 30 heard &&
		kill -KILL $pid &&
		{ wait $pid || true; } &&
		sed -n "/^{.*}$/p" part >lines &&
		cat lines >>pieces &&
		since=$(last lines) || return 1
	done &&
	wait $submitter &&
	flux queue drain &&
	flux job journal --since=$since >>pieces &&
	flux job journal --since=$(last mark) >unbroken &&
	grep -v "\"id\":-1" pieces >actual &&
	grep -v "\"id\":-1" unbroken >expect &&
	test_cmp expect actual
'

test_done
