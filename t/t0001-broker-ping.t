#!/bin/sh

test_description='flux start gives an instance whose broker answers

Covers the shortest way through everything: flux start, the broker, the local
socket, one request and its response. Also that test_under_flux is believed only
while it tells the truth: codes come through, and what remains is an error.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

test_expect_success 'flux start runs its initial program' '
	flux start echo hello >actual &&
	echo hello >expect &&
	test_cmp expect actual
'

test_expect_success 'flux start ends with the code of its initial program' '
	test_expect_code 7 flux start sh -c "exit 7"
'

test_expect_success 'the broker answers a ping, on any rank and on rank 0' '
	flux start flux ping --count=1 broker >any &&
	test_grep "broker.ping pad=0 seq=0 time=" any &&
	flux start flux ping --count=1 --rank=0 broker >zero &&
	test_grep "^0!broker.ping pad=0 seq=0 time=" zero
'

test_expect_success 'a ping of a service that is not there is refused' '
	test_must_fail flux start flux ping --count=1 nosuch 2>actual &&
	test_grep "nosuch.ping: Function not implemented" actual
'

# under_flux CODE NAME: runs the script NAME.t, whose text comes on standard
# input, in an instance of its own, and wants it to end with CODE.
under_flux() {
	{
		echo ". \"\$TEST_HARNESS_DIR/sharness.sh\"" &&
		echo "test_under_flux 1 minimal" &&
		cat
	} >"$2.t" &&
	test_expect_code "$1" sh "$2.t" --root=results >"$2.tap"
}

test_expect_success 'a script can run under flux' '
	under_flux 0 good <<-\EOF &&
	test_expect_success "there is an instance" "flux getattr rank >rank"
	test_done
	EOF
	test_grep "^ok 1 - there is an instance" good.tap
'

test_expect_success 'the failure of a script under flux comes through' '
	under_flux 1 bad <<-\EOF &&
	test_expect_success "it fails" false
	test_done
	EOF
	test_grep "^not ok 1 - it fails" bad.tap
'

test_expect_success 'a module that is left loaded is an error' '
	under_flux 1 module <<-\EOF &&
	test_expect_success "load it" "flux module load heartbeat"
	test_done
	EOF
	test_grep "^# error: left loaded: heartbeat" module.tap
'

test_expect_success 'a process that outlives the instance is an error' '
	under_flux 1 leak <<-\EOF &&
	test_expect_success "start it" "
		{ setsid tail -f /dev/null & } &&
		wait_for 30 grep -z /dev/null /proc/\$!/cmdline
	"
	test_done
	EOF
	test_grep "^# error: process .* remains: tail -f /dev/null" leak.tap
'

test_done
