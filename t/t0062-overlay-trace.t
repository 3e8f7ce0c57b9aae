#!/bin/sh

test_description='what goes over the links between brokers, as flux overlay trace shows it'

. "$(dirname "$0")/sharness.sh"
test_under_flux 3 minimal -S tbon.topo=kary:1

# traced PATTERN COMMAND OPTION...: traces into the file out, with these options of flux
# overlay trace, and repeats the command until a line of the trace has the pattern.
traced() {
	pattern=$1 during=$2
	shift 2
	flux overlay trace "$@" >out 2>&1 &
	pid=$!
	code=0
	wait_for 30 sh -c "$during; grep -E '$pattern' out" || code=$?
	kill $pid
	wait $pid
	test "$code" = 0 || cat out
	return "$code"
}

test_expect_success 'a request and its answer are a line each, seen from this rank' '
	traced "rx 1 < broker.ping .* success$" \
		"flux ping --count=1 --rank=1 broker; grep -q \" tx 1 > broker.ping\" out || exit 1" \
		-t request,response "broker.*" &&
	grep -E "^[0-9T:.-]+ tx 1 > broker.ping \[[0-9]+\]$" out &&
	grep -E "^[0-9T:.-]+ rx 1 < broker.ping \[[0-9]+\] success$" out
'

test_expect_success 'how a refusal went is shown by the name of its error, and where it stopped' '
	traced "rx 1 < nosuch.ping .* ENOSYS \(no-service@1\)$" \
		"flux ping --count=1 --rank=1 nosuch" "nosuch.*"
'

cat >ask <<'EOF2'
printf '{}\0' | perl "$TEST_HARNESS_DIR/sharness.d/client.pl" "$FLUX_URI" deliver broker.ping $1 1
EOF2
export TEST_HARNESS_DIR

test_expect_success 'what a request wants when its service is away is shown, with what is left of its time' '
	traced "tx 1 > broker.ping \[3\] wait [45]\.[0-9]{3}$" "sh ./ask 5000" "broker.*" &&
	traced "tx 1 > broker.ping \[3\] now$" "sh ./ask now" "broker.*" &&
	traced "tx 1 > broker.ping \[3\] best-effort$" "sh ./ask best-effort" "broker.*"
'

test_expect_success 'payloads are shown on demand' '
	traced "^{.*\"seq\":" "flux ping --count=1 --rank=1 broker" --full "broker.*"
'

test_expect_success 'one link can be picked, and what is for others goes over it too' '
	traced " tx 1 > broker.ping" "flux ping --count=1 --rank=2 broker" --rank=1 "broker.*"
'

test_expect_success 'another rank has its own view, and a trace does not trace itself' '
	FLUX_URI=$(flux getattr local-uri | sed "s/-0$/-1/") && export FLUX_URI &&
	test "$(flux getattr rank)" = 1 &&
	traced "rx 0 < broker.ping" "flux ping --count=1 --rank=0 broker" "*" &&
	test_expect_code 1 grep "< overlay.trace" out
'

test_expect_success 'types that do not exist are refused' '
	test_expect_code 1 flux overlay trace -t nosuch 2>err &&
	grep "valid types: request, response, event, control" err &&
	test_expect_code 1 flux overlay trace --delta 2>err &&
	grep -e "--delta can only be used with --human" err
'

test_done
