#!/bin/sh

test_description='flux jobs --follow: the list, and then a line for each change of a job

What job-list tells followers, and when, is covered by its tests.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

# follows FILE OPTION...: flux jobs --follow in the background, its process in $follower.
follows() {
	file=$1
	shift
	rm -f $file
	flux jobs --follow "$@" >$file 2>err &
	follower=$!
	wait_for 20 test -s $file
}

# has FILE PATTERN: waits until a line of the file has it.
has() {
	wait_for 20 grep -q "$2" "$1"
}

test_expect_success 'the list comes first, then each change' '
	flux submit --job-name=old --wait true &&
	follows out -a -o "{name} {state}" &&
	has out "^old INACTIVE" &&
	flux submit --job-name=new --wait true &&
	has out "^new INACTIVE" &&
	kill -INT $follower &&
	cat >expect <<-EOF &&
	NAME STATE
	old INACTIVE
	new DEPEND
	new PRIORITY
	new SCHED
	new RUN
	new CLEANUP
	new INACTIVE
	EOF
	test_cmp expect out
'

test_expect_success 'a job that is not what was asked for any more is shown once more' '
	follows out -o "{name} {state}" &&
	flux submit --job-name=next --wait true &&
	has out "^next INACTIVE" &&
	kill $follower &&
	test_must_fail grep old out
'

test_expect_success 'JSON comes as one object a line' '
	follows out --json -a &&
	flux submit --job-name=json --wait true &&
	has out "\"name\": *\"json\".*COMPLETED" &&
	kill $follower &&
	test "$(cut -c1 <out | sort -u)" = "{"
'

test_expect_success 'a reload of job-list is not seen, nor is anything lost' '
	follows out -an -o "{name} {state}" &&
	has out "^next" &&
	flux module reload job-list &&
	flux submit --job-name=after --wait true &&
	has out "^after INACTIVE" &&
	kill $follower &&
	sort out >sorted &&
	sort -u out >once &&
	test_cmp once sorted
'

test_expect_success 'it ends when nobody reads' '
	{ { flux jobs -anF -o "{name}" 2>pipe.err; echo $? >code; } | head -n 1 >first & } &&
	wait_for 20 test -s first &&
	flux submit --wait --quiet --cc=1-3 true &&
	wait_for 20 test -s code &&
	test_must_fail grep -i panic pipe.err
'

test_expect_success 'it ends with the instance' '
	flux start sh -c "
		flux jobs -aF >followed 2>followed.err & echo \$! >pid
		flux submit --wait true >/dev/null" &&
	gone_follower() {
		! kill -0 $(cat pid)
	} &&
	wait_for 20 gone_follower &&
	test_must_fail test -s followed.err
'

test_expect_success 'what does not go with it is refused' '
	for option in --recursive --stats --stats-only --sort=id --count=3 $(flux job last)
	do
		test_must_fail flux jobs -F $option 2>err &&
		test_grep "cannot be used with" err || return 1
	done
'

test_done
