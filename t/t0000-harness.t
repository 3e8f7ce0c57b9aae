#!/bin/sh

test_description='the test harness itself

Each test writes a small script, runs it, and looks at the TAP it printed and at
how it ended. Needs no flux; test_under_flux is covered by t0001.
'

. "$(dirname "$0")/sharness.sh"

# run_script CODE NAME [OPTION...]: runs the script NAME.t, whose text comes on
# standard input without its first line, and wants it to end with CODE. TAP goes
# to NAME.tap, with tab-indented detail left out.
run_script() {
	want=$1 name=$2 code=0
	shift 2
	{ echo '. "$TEST_HARNESS_DIR/sharness.sh"' && cat; } >"$name.t" || return 1
	sh "$name.t" --root=results "$@" >"$name.out" 2>"$name.err" || code=$?
	grep -v '^#	' "$name.out" >"$name.tap"
	test "$code" = "$want" && return 0
	echo "$name.t ended with $code, not $want" &&
	cat "$name.out" "$name.err" &&
	return 1
}

test_expect_success 'a script of passing tests prints ok and a plan, and ends with 0' '
	run_script 0 pass <<-\EOF &&
	test_expect_success "true is true" true
	test_expect_success "files go to the trash" "echo hello >greeting && test -s greeting"
	test_done
	EOF
	cat >expect <<-\EOF &&
	ok 1 - true is true
	ok 2 - files go to the trash
	1..2
	EOF
	test_cmp expect pass.tap &&
	test ! -e results/trash.pass
'

test_expect_success 'a failing test shows what it printed, and the script ends with 1' '
	run_script 1 fail <<-\EOF &&
	test_expect_success "it tries" "echo tried && (exit 3)"
	test_expect_success "the next one runs" true
	test_done
	EOF
	cat >expect <<-EOF &&
	not ok 1 - it tries
	# the body returned 3:
	# output:
	ok 2 - the next one runs
	1..2
	# failed: 1 of 2, see $PWD/results/trash.fail
	EOF
	test_cmp expect fail.tap &&
	test_grep "^#	tried" fail.out &&
	test -d results/trash.fail
'

test_expect_success 'a missing && is an error, and nothing of the body has run' '
	run_script 1 lint <<-\EOF &&
	test_expect_success "a link is missing" "
		true &&
		true
		touch ../../evidence \$HOME/../../evidence && echo >evidence
	"
	test_expect_success "it left no file" "test ! -e evidence"
	test_done
	EOF
	test_grep "^not ok 1 - a link is missing" lint.tap &&
	test_grep "^# error: .* && is missing" lint.tap &&
	test_grep "^ok 2 - it left no file" lint.tap &&
	test ! -e evidence
'

test_expect_success 'a body that does not parse is an error too' '
	run_script 1 parse <<-\EOF &&
	test_expect_success "an if without fi" "if true"
	test_done
	EOF
	test_grep "^not ok 1 - an if without fi" parse.tap
'

test_expect_success 'a missing prerequisite skips, a set one does not' '
	run_script 0 prereq <<-\EOF &&
	test_set_prereq HERE
	test_expect_success HERE "here" true
	test_expect_success !HERE "not here" false
	test_expect_success HERE,AWAY,FAR "away" false
	test_expect_success HERE,!AWAY "here, not away" true
	test_done
	EOF
	cat >expect <<-\EOF &&
	ok 1 - here
	ok 2 # skip not here (missing !HERE)
	ok 3 # skip away (missing AWAY FAR)
	ok 4 - here, not away
	1..4
	EOF
	test_cmp expect prereq.tap
'

test_expect_success 'the prerequisite LONG comes with --long' '
	cat >body <<-\EOF &&
	test_expect_success LONG "takes its time" true
	test_done
	EOF
	run_script 0 short <body &&
	test_grep "^ok 1 # skip takes its time (missing LONG)" short.tap &&
	run_script 0 long --long <body &&
	test_grep "^ok 1 - takes its time" long.tap
'

# ran LIST EXPECTED: with --run=LIST, exactly the tests EXPECTED (as a string of
# digits) ran, out of six.
ran() {
	run_script 0 select "--run=$1" <<-\EOF &&
	for n in 1 2 3 4 5 6
	do
		test_expect_success "test $n" true
	done
	test_done
	EOF
	echo "$2" >expect &&
	sed -n "s/^ok \([0-9]\) - .*/\1/p" select.tap | tr -d "\n" >actual &&
	echo >>actual &&
	test_cmp expect actual
}

test_expect_success '--run selects by number, range, open range and exclusion' '
	ran 2 2 &&
	ran 1-3,5 1235 &&
	ran -2,5- 1256 &&
	ran "1-4,!3" 124 &&
	ran "!2-5" 16
'

test_expect_success '--run refuses what is not a list' '
	run_script 99 badlist --run=two <<-\EOF &&
	test_done
	EOF
	test_grep "^Bail out! badlist: --run takes a list" badlist.out
'

test_expect_success 'a known breakage does not fail the script, a repaired one does' '
	run_script 0 todo <<-\EOF &&
	test_expect_failure "still broken" false
	test_done
	EOF
	test_grep "^not ok 1 - still broken # TODO known breakage" todo.tap &&
	run_script 1 repaired <<-\EOF &&
	test_expect_failure "no longer broken" true
	test_done
	EOF
	test_grep "^# the known breakage is gone" repaired.tap
'

test_expect_success 'skip_all skips the script with its reason' '
	run_script 0 skipped <<-\EOF &&
	skip_all="no such luck"
	test_done
	EOF
	echo "1..0 # SKIP no such luck" >expect &&
	test_cmp expect skipped.out
'

test_expect_success 'a script that ends without test_done, or without a test, bails out' '
	run_script 99 early <<-\EOF &&
	test_expect_success "a body must not exit" "exit 0"
	test_done
	EOF
	test_grep "^Bail out! early: ended with 0 before test_done" early.out &&
	run_script 99 empty <<-\EOF &&
	test_done
	EOF
	test_grep "^Bail out! empty: no test was run" empty.out
'

test_expect_success 'a process that outlives the script fails it, is named, and is ended' '
	run_script 1 leak <<-\EOF &&
	test_expect_success "start it" "
		{ tail -f /dev/null & } &&
		echo \$! >../../pid &&
		wait_for 30 grep -z /dev/null /proc/\$!/cmdline
	"
	test_done
	EOF
	test_grep "^# error: process $(cat pid) remains: tail -f /dev/null" leak.tap &&
	test_must_fail grep -z . "/proc/$(cat pid)/cmdline"
'

test_done
