#!/bin/sh

test_description='the programs of the page on patterns do what it says, on a tree of brokers
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 2 kvs

page=$TEST_HARNESS_DIR/../doc/patterns.md
sources=$TEST_HARNESS_DIR/../crates/client/examples
PATH=$(dirname "$(command -v flux)")/examples:$PATH

# block LANGUAGE N: the Nth example of the page in this language.
block() {
	awk -v open="\`\`\`$1" -v n="$2" '$0 == open { inside = ++count == n; next } /^```/ { inside = 0 } inside' "$page"
}

# served N: begins to serve requests.
served() {
	touch_point serve "$1" >served &
	server=$!
}

# heard COMMAND: begins a program that says when it listens.
heard() {
	"$@" >out &
	listener=$!
	wait_for 30 grep -q listening out
}

n=0
for program in touch_point told_version notice
do
	n=$((n + 1))
	test_expect_success "the page shows $program as it is run here" '
		block rust $n >shown.rs &&
		test_cmp "$sources/$program.rs" shown.rs &&
		block sh $n >command &&
		test_grep "^\(.* \)*$program" command
	'
done

test_expect_success OURS 'requests that are appended are served in their order, whenever it begins' '
	touch_point ask one &&
	touch_point ask two &&
	touch_point serve 2 >before &&
	served 3 &&
	touch_point ask three &&
	wait $server &&
	printf "served %s\n" one two three >expect &&
	test_cmp expect served &&
	head -n 2 expect | test_cmp - before
'

test_expect_success OURS 'who is told of a version has it on another rank' '
	heard on 1 told_version hear 2 &&
	told_version tell example.a first &&
	told_version tell example.b second &&
	wait $listener &&
	printf "%s\n" listening example.a=first example.b=second >expect &&
	test_cmp expect out
'

test_expect_success OURS 'who hears events sees what it has missed' '
	heard notice hear 4 &&
	notice publish 1 2 &&
	notice publish 5 6 &&
	wait $listener &&
	printf "%s\n" listening "notice 1" "notice 2" "missed 3 to 4" "notice 5" "notice 6" >expect &&
	test_cmp expect out
'

test_done
