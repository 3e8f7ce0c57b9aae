#!/bin/sh

test_description='what the harness offers to test bodies

The commands of sharness.d/commands.sh, and wait_for. Needs no flux.
'

. "$(dirname "$0")/sharness.sh"

test_expect_success 'test_must_fail wants an orderly refusal' '
	test_must_fail false &&
	test_must_fail sh -c "exit 128" &&
	! test_must_fail true 2>err &&
	test_grep "it succeeded: true" err
'

test_expect_success 'test_must_fail takes neither a signal nor a missing command for one' '
	! test_must_fail sh -c "kill -TERM \$\$" 2>err &&
	test_grep "died with 143" err &&
	! test_must_fail ./nosuch 2>err &&
	test_grep "not found: ./nosuch" err
'

test_expect_success 'test_might_fail takes success or refusal, not a signal' '
	test_might_fail true &&
	test_might_fail false &&
	! test_might_fail sh -c "kill -KILL \$\$"
'

test_expect_success 'test_expect_code wants that code and no other' '
	test_expect_code 3 sh -c "exit 3" &&
	! test_expect_code 3 sh -c "exit 4" 2>err &&
	test_grep "wanted 3, got 4" err
'

test_expect_success 'test_cmp shows the difference' '
	echo one >one &&
	echo two >two &&
	test_cmp one one &&
	test_expect_code 1 test_cmp one two >difference &&
	test_grep "^+two" difference
'

test_expect_success 'test_grep shows where it found nothing' '
	echo something >file &&
	test_grep ^some file &&
	! test_grep -v some file 2>err &&
	grep "^something" err
'

test_expect_success 'test_when_finished runs after the body, last registered first' '
	cat >order.t <<-\EOF &&
	. "$TEST_HARNESS_DIR/sharness.sh"
	test_expect_success "register" "
		test_when_finished echo one \>\>../../order &&
		test_when_finished echo two \>\>../../order &&
		echo body >>../../order
	"
	test_expect_success "even after a failure" "
		test_when_finished echo three \>\>../../order &&
		false
	"
	test_expect_success "and its own failure counts" "
		test_when_finished false
	"
	test_done
	EOF
	test_expect_code 1 sh order.t --root=results >order.tap &&
	printf "%s\n" body two one three >expect &&
	test_cmp expect order &&
	test_grep "^not ok 3 - and its own failure counts" order.tap
'

test_expect_success 'test_when_finished in a subshell is an error in the script' '
	cat >sub.t <<-\EOF &&
	. "$TEST_HARNESS_DIR/sharness.sh"
	test_expect_success "subshell" "( test_when_finished true )"
	test_done
	EOF
	test_expect_code 1 sh sub.t --root=results >sub.tap &&
	test_grep "^Bail out! sub: test_when_finished was called in a subshell" sub.tap
'

test_expect_success 'test_debug runs only under --debug, which keeps the trash' '
	cat >debug.t <<-\EOF &&
	. "$TEST_HARNESS_DIR/sharness.sh"
	test_expect_success "debug" "test_debug echo \>\>../../debugged"
	test_done
	EOF
	sh debug.t --root=results &&
	test ! -e debugged &&
	sh debug.t --root=results --debug 2>trace &&
	test -e debugged &&
	test -d results/trash.debug
'

test_expect_success 'wait_for asks until the answer is yes, and shows the last no' '
	mkfifo gate &&
	{ (read line <gate && touch opened) & } &&
	echo >gate &&
	wait_for 30 test -e opened &&
	! wait_for 0 sh -c "echo not yet; exit 1" 2>err &&
	test_grep "^not yet" err
'

test_expect_success 'a body may return early' '
	for n in 1 2 3
	do
		test "$n" != 4 || return 1
	done
'

test_done
