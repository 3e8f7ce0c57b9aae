#!/bin/sh

test_description='flux kvs get --watch and eventlogs: what waits, and what ends it

That watches go on when kvs-watch is restarted is what only processes show.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 kvs

# has_lines FILE N: the file has N lines by now.
has_lines() {
	test "$(wc -l <"$1")" = "$2"
}

test_expect_success 'a key that comes late is waited for' '
	{ flux kvs get --waitcreate late >late & } &&
	flux kvs put late=here &&
	wait $! &&
	echo here >expect &&
	test_cmp expect late
'

test_expect_success 'a watch shows every value and ends by count' '
	flux kvs put w=1 &&
	{ flux kvs get --watch --count=3 w >w & } &&
	wait_for 30 has_lines w 1 &&
	flux kvs put w=2 &&
	flux kvs put w=2 &&
	wait $! &&
	printf "%s\n" 1 2 2 >expect &&
	test_cmp expect w
'

test_expect_success 'a watch of what is unlinked ends with an error' '
	{ flux kvs get --watch w >w 2>err & } &&
	pid=$! &&
	wait_for 30 has_lines w 1 &&
	flux kvs unlink w &&
	test_expect_code 1 wait $pid &&
	echo "flux-kvs: w: No such file or directory" >expect &&
	test_cmp expect err
'

# shows TEXT COMMAND...: flux kvs COMMAND prints TEXT, in which \n is a line end.
shows() {
	printf -- "$1" >expect &&
	shift &&
	flux kvs "$@" >actual &&
	test_cmp expect actual
}

test_expect_success 'get: watching by every rule' '
	flux kvs put rule=1 d.w=1 &&
	for rule in "" --uniq --full --append
	do
		shows "1\n" get --watch $rule --count=1 rule || return 1
	done &&
	{ flux kvs get --watch --uniq --count=3 rule >uniq & } && uniq=$! &&
	{ flux kvs get --watch --full --count=2 d.w >full & } && full=$! &&
	wait_for 30 test -s uniq && wait_for 30 test -s full &&
	flux kvs put rule=1 && flux kvs put rule=2 && flux kvs put rule=2 && flux kvs put rule=3 &&
	wait $uniq &&
	printf "%s\n" 1 2 3 >expect &&
	test_cmp expect uniq &&
	flux kvs put other.w=new &&
	flux kvs copy other d &&
	wait $full &&
	printf "%s\n" 1 new >expect &&
	test_cmp expect full
'

test_expect_success 'get: appends are shown as they come, and parts are joined' '
	flux kvs put grow=a &&
	{ flux kvs get --watch --append --count=3 grow >appends & } &&
	wait_for 30 test -s appends &&
	flux kvs put --append grow=b &&
	flux kvs put -A grow=c &&
	wait $! &&
	printf "%s\n" a b c >expect &&
	test_cmp expect appends &&
	shows "abc\n" get --stream grow &&
	shows "grow=abc\n" get -S -l grow
'

test_expect_success 'an event log is appended to and shown' '
	flux kvs eventlog append --timestamp=1 log one &&
	flux kvs eventlog append --timestamp=2.5 log two a=1 b=x &&
	flux kvs eventlog append --timestamp=3 log three "{\"c\":" "[1,2]}" &&
	flux kvs eventlog get log >actual &&
	cat >expect <<-\EOF &&
	1.000000 one
	2.500000 two a=1 b="x"
	3.000000 three c=[1,2]
	EOF
	test_cmp expect actual &&
	flux kvs eventlog get --stream log >actual &&
	test_cmp expect actual
'

test_expect_success 'what is not a log is told' '
	flux kvs put nolog=x &&
	test_expect_code 1 flux kvs eventlog get nolog 2>actual &&
	echo "flux-kvs: cannot decode improperly formatted eventlog" >expect &&
	test_cmp expect actual
'

test_expect_success 'an event is waited for, and what comes before it left out' '
	flux kvs eventlog wait-event log two >actual &&
	echo "2.500000 two a=1 b=\"x\"" >expect &&
	test_cmp expect actual &&
	{ flux kvs eventlog wait-event -W newlog done >done & } &&
	flux kvs eventlog append newlog begin &&
	flux kvs eventlog append newlog done &&
	wait $! &&
	has_lines done 1
'

test_expect_success 'waiting in vain says how' '
	test_expect_code 1 flux kvs eventlog wait-event -t 10ms log never 2>actual &&
	echo "flux-kvs: wait-event timeout on event '\''never'\''" >expect &&
	test_cmp expect actual &&
	test_expect_code 1 flux kvs eventlog wait-event nope never 2>actual &&
	echo "flux-kvs: eventlog path nope not found" >expect &&
	test_cmp expect actual
'

test_expect_success 'watches go on when their service is reloaded' '
	flux kvs put key=1 &&
	{ flux kvs get --watch --count=2 key >key & } &&
	key=$! &&
	{ flux kvs eventlog get --watch --count=4 log >followed & } &&
	log=$! &&
	wait_for 30 has_lines key 1 &&
	wait_for 30 has_lines followed 3 &&
	flux module reload kvs-watch &&
	flux kvs put key=2 &&
	flux kvs eventlog append --timestamp=4 log four &&
	wait $key &&
	wait $log &&
	printf "%s\n" 1 2 >expect &&
	test_cmp expect key &&
	flux kvs eventlog get log >expect &&
	test_cmp expect followed
'

test_done
