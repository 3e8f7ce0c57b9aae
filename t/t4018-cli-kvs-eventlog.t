#!/bin/sh

test_description='flux kvs eventlog, option by option'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 kvs

# has_lines FILE N: the file has N lines by now.
has_lines() {
	test "$(wc -l <"$1")" = "$2"
}

test_expect_success 'append: contexts are pairs or an object, times are given or now' '
	flux kvs eventlog append -t 1795329798.981964 log foo a=1 b=x &&
	flux kvs eventlog append --timestamp=1795329799 log bar "{\"c\": {\"d\":" "null}}" &&
	flux kvs eventlog append log baz &&
	flux kvs eventlog get -u log >actual &&
	head -n 2 actual >first &&
	cat >expect <<-\EOF &&
	{"timestamp":1795329798.981964,"name":"foo","context":{"a":1,"b":"x"}}
	{"timestamp":1795329799.0,"name":"bar","context":{"c":{"d":null}}}
	EOF
	test_cmp expect first &&
	has_lines actual 3
'

test_expect_success 'append: what makes no entry is refused' '
	test_expect_code 1 flux kvs eventlog append log "two words" &&
	test_expect_code 1 flux kvs eventlog append log x "{" &&
	test_expect_code 1 flux kvs eventlog append log x nopair &&
	test_expect_code 1 flux kvs eventlog append -t -1 log x &&
	flux kvs eventlog get log >actual &&
	has_lines actual 3
'

test_expect_success 'get: text, JSON, for people, in colour' '
	flux kvs eventlog get -c 2 log >actual &&
	cat >expect <<-\EOF &&
	1795329798.981964 foo a=1 b="x"
	1795329799.000000 bar c={"d":null}
	EOF
	test_cmp expect actual &&
	TZ=UTC flux kvs eventlog get -H -c 2 log >actual &&
	cat >expect <<-\EOF &&
	[Nov22 06:43] foo a=1 b="x"
	[  +0.018036] bar c={"d":null}
	EOF
	test_cmp expect actual &&
	flux kvs eventlog get -L -c 1 log >coloured &&
	printf "\033[32m1795329798.981964\033[0m \033[33mfoo\033[0m" >expect &&
	head -c "$(wc -c <expect)" coloured >actual &&
	cmp expect actual &&
	flux kvs eventlog get --color=never -c 1 log >actual &&
	echo "1795329798.981964 foo a=1 b=\"x\"" >expect &&
	test_cmp expect actual
'

test_expect_success 'get: in parts, watched, and not there yet' '
	flux kvs eventlog get log >expect &&
	flux kvs eventlog get -S log >actual &&
	test_cmp expect actual &&
	flux kvs eventlog get -w -c 3 log >actual &&
	test_cmp expect actual &&
	{ flux kvs eventlog get -W -w -c 2 late >late & } &&
	flux kvs eventlog append -t 1 late one &&
	flux kvs eventlog append -t 2 late two &&
	wait $! &&
	printf "%s\n" "1.000000 one" "2.000000 two" >expect &&
	test_cmp expect late &&
	test_expect_code 1 flux kvs eventlog get nope 2>err &&
	echo "flux-kvs: nope: No such file or directory" >expect &&
	test_cmp expect err
'

test_expect_success 'wait-event: what it prints' '
	flux kvs eventlog wait-event late two >actual &&
	echo "2.000000 two" >expect &&
	test_cmp expect actual &&
	flux kvs eventlog wait-event -q late two >actual &&
	test_cmp /dev/null actual &&
	flux kvs eventlog wait-event -v late two >actual &&
	printf "%s\n" "1.000000 one" "2.000000 two" >expect &&
	test_cmp expect actual &&
	flux kvs eventlog wait-event -u late two >actual &&
	echo "{\"timestamp\":2.0,\"name\":\"two\"}" >expect &&
	test_cmp expect actual &&
	flux kvs eventlog wait-event -H late two >actual &&
	echo "[  +1.000000] two" >expect &&
	test_cmp expect actual
'

test_expect_success 'wait-event: waits for the event, and for the log' '
	{ flux kvs eventlog wait-event -t 30 late three >three & } && three=$! &&
	{ flux kvs eventlog wait-event -W -t 30s newlog begin >begin & } && begin=$! &&
	flux kvs eventlog append -t 3 late three &&
	flux kvs eventlog append -t 1 newlog begin &&
	wait $three && wait $begin &&
	has_lines three 1 && has_lines begin 1
'

# refused TEXT COMMAND...: the command fails with 1 and says just TEXT.
refused() {
	echo "$1" >expect &&
	shift &&
	test_expect_code 1 flux kvs eventlog "$@" 2>actual >out &&
	test_cmp expect actual
}

test_expect_success 'wait-event: waiting in vain' '
	refused "flux-kvs: wait-event timeout on event '\''never'\''" \
		wait-event -t 0.01 late never &&
	refused "flux-kvs: eventlog path nope not found" wait-event nope never &&
	flux kvs put nolog=x &&
	refused "flux-kvs: cannot decode improperly formatted eventlog" wait-event nolog never &&
	refused "flux-kvs: cannot decode improperly formatted eventlog" get -w nolog
'

test_expect_success 'logs are in namespaces too' '
	flux kvs namespace create ns &&
	flux kvs eventlog append -N ns -t 1 log here &&
	flux kvs eventlog get -N ns log >actual &&
	FLUX_KVS_NAMESPACE=ns flux kvs eventlog wait-event log here >expect &&
	test_cmp expect actual &&
	refused "flux-kvs: log: Operation not supported" append -N nope log x
'

test_done
