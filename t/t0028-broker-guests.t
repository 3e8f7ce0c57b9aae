#!/bin/sh

test_description='another user of the machine gets in only when let in, and as a guest

Covers the local socket with a second uid: who may connect, what a guest may ask, and
that nobody can say to be somebody else. The roles of single methods are covered by the
unit tests of the broker.
'

. "$(dirname "$0")/sharness.sh"
if ! test_have_prereq ROOT || ! command -v setpriv >/dev/null
then
	skip_all='it takes root and setpriv to be somebody else'
	test_done
fi
test_under_flux 1 job

# guest COMMAND...: runs it as another user, who has a home elsewhere.
guest() {
	HOME=/nonexistent setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

# owners_only WHAT COMMAND...: a guest is told that only the owner may.
owners_only() {
	what=$1
	shift
	test_expect_code 1 guest "$@" 2>actual &&
	echo "$what: Request requires owner credentials" >expect &&
	test_cmp expect actual
}

allow() {
	printf "[access]\nallow-guest-user = true\n" | flux config load
}

test_expect_success 'a guest that is not let in is told so, and the log has it' '
	test_expect_code 1 guest flux ping --count=1 broker 2>err &&
	test_grep "^flux-ping: .*Operation not permitted" err &&
	flux dmesg >log &&
	test_grep "broker.err.*client_authenticate: uid=65534 no assigned roles" log
'

test_expect_success 'with allow-guest-user a guest gets in, at once, and is known as one' '
	allow &&
	for service in broker job-manager kvs
	do
		guest flux ping --count=1 --userid $service >out &&
		test_grep "userid=65534 rolemask=0x6 " out || return 1
	done
'

test_expect_success 'a guest cannot say to be the owner' '
	FLUX_HANDLE_USERID=0 FLUX_HANDLE_ROLEMASK=1 \
		guest flux ping --count=1 --userid broker >out &&
	test_grep "userid=65534 rolemask=0x6 " out
'

test_expect_success 'the owner can say to be a guest' '
	FLUX_HANDLE_USERID=42 FLUX_HANDLE_ROLEMASK=0x2 \
		flux ping --count=1 --userid broker >out &&
	test_grep "userid=42 rolemask=0x2 " out &&
	flux ping --count=1 --userid broker >out &&
	test_grep "userid=0 rolemask=0x5 " out
'

test_expect_success 'what everybody may look at, a guest may' '
	test "$(guest flux getattr rank)" = 0 &&
	guest flux module list >list && test_grep "^kvs " list &&
	guest flux config get >config && test_grep allow-guest-user config &&
	guest flux jobs -a >jobs &&
	guest flux event pub guests.event
'

test_expect_success 'what changes the instance, only the owner may' '
	owners_only "flux-setattr: log-stderr-level" flux setattr log-stderr-level 7 &&
	owners_only "flux-module: load heartbeat" flux module load heartbeat &&
	owners_only "flux-module: remove kvs" flux module remove kvs &&
	owners_only "flux-module: kvs.debug" flux module debug --setbit 1 kvs &&
	owners_only "flux-shutdown" flux shutdown &&
	owners_only "flux-config: load" flux config load /dev/null &&
	owners_only "flux-dmesg" flux dmesg &&
	owners_only "flux-queue: stop" flux queue stop
'

test_expect_success 'keys and jobs of the owner are out of reach' '
	flux kvs put a=1 &&
	test_expect_code 1 guest flux kvs get a 2>err &&
	test_grep "Operation not permitted" err &&
	test_expect_code 1 guest flux kvs put a=2 2>err &&
	test "$(flux kvs get a)" = 1 &&
	flux submit tail -f /dev/null >id &&
	wait_state "$(cat id)" run &&
	test_expect_code 1 guest flux cancel "$(cat id)" 2>err &&
	test_expect_code 1 guest flux job kill "$(cat id)" 2>err &&
	test_expect_code 1 guest flux job eventlog "$(cat id)" 2>err &&
	flux jobs -no "{state}" "$(cat id)" >state && test_grep RUN state &&
	flux cancel "$(cat id)" && wait_state "$(cat id)" inactive
'

test_expect_success 'events that something listens to are of no use to a guest' '
	flux submit tail -f /dev/null >id &&
	wait_state "$(cat id)" run &&
	dec=$(flux job id --to=dec "$(cat id)") &&
	for event in "job-exception {\"id\":$dec,\"type\":\"x\",\"severity\":0}" \
		"job-purge-inactive {\"jobs\":[$dec]}" "shell-$dec.kill {\"signum\":9}" \
		"heartbeat.pulse" "job-list.stats-clear"
	do
		guest flux event pub $event &&
		test_expect_code 1 guest flux event pub -s $event 2>err &&
		test_grep "only the instance owner may publish ${event%% *}" err || return 1
	done &&
	flux jobs -no "{state}" "$(cat id)" >state && test_grep RUN state &&
	flux dmesg >log && test_grep "event job-exception by user 65534 is refused" log &&
	flux cancel "$(cat id)" && wait_state "$(cat id)" inactive &&
	flux jobs -nac0 -o "{id.f58}" >listed && test_grep "^$(cat id)\$" listed
'

test_expect_success 'a guest that is no longer let in is refused again' '
	flux config load </dev/null &&
	test_expect_code 1 guest flux ping --count=1 broker 2>err
'

test_expect_success 'an [access] table with other keys is refused, and the old one stays' '
	allow &&
	echo "[access]
	allow-everybody = true" | test_expect_code 1 flux config load 2>err &&
	test_grep "error parsing .access. configuration: allow-everybody: unknown key" err &&
	guest flux ping --count=1 broker
'

test_done
