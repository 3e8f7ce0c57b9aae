#!/bin/sh

test_description='requests that make no sense are refused, and nobody else notices

Covers the services of a whole instance as a program meets them that speaks the
protocol wrongly: unknown names, payloads of the wrong shape, bytes that are no
message. What each handler accepts is covered by its unit tests.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

perl -MSocket -e 1 2>/dev/null && test_set_prereq PERL

# rpc TOPIC PAYLOAD: prints number and text of the answer. The payload is a format of
# printf and gets its NUL here.
rpc() {
	printf "$2\\0" | perl "$TEST_HARNESS_DIR/sharness.d/client.pl" "$(flux getattr local-uri)" \
		rpc "$1"
}

# bytes: sends standard input as it is; prints how that ends.
bytes() {
	perl "$TEST_HARNESS_DIR/sharness.d/client.pl" "$(flux getattr local-uri)" bytes
}

# For texts that quote: bodies cannot.
q="'"

services="broker attr log event service module config state-machine shutdown runat overlay
	connector-local content content-backing kvs kvs-watch job-ingest job-manager job-list
	job-info job-exec resource sched-simple"

test_expect_success 'there is a job and a key to lose' '
	flux submit true >id &&
	flux queue drain &&
	flux kvs put a=1 &&
	flux module list | cut -c 1-33 >modules
'

test_expect_success PERL 'a service that is not there is named' '
	rpc nosuch.method "{}" >actual &&
	echo "38 No service matching nosuch.method is registered" >expect &&
	test_cmp expect actual
'

test_expect_success PERL 'so is a method that a service does not have' '
	for service in $services
	do
		rpc $service.nosuch "{}" >actual &&
		echo "38 Unknown service method ${q}$service.nosuch${q}" >expect &&
		test_cmp expect actual || return 1
	done
'

cat >topics <<'EOF'
attr.get
attr.set
event.publish
event.subscribe
service.add
module.load
module.remove
kvs.lookup
kvs.commit
kvs.getroot
kvs.namespace-create
kvs-watch.lookup
job-ingest.submit
job-manager.submit
job-manager.raise
job-manager.kill
job-manager.urgency
job-manager.list
job-list.list
job-list.list-id
job-info.lookup
resource.drain
EOF

test_expect_success PERL 'payloads of the wrong shape are protocol errors' '
	cat >payloads <<-\EOF &&
	garbage
	{"cut": "sho
	[]
	7
	\\001\\377\\376
	{"name":7,"topic":[],"service":{},"path":1,"namespace":7,"key":{},"ops":3,"J":4,"id":"x"}
	EOF
	while read topic
	do
		while read -r payload
		do
			rpc $topic "$payload" >answer &&
			test_grep "^71" answer || return 1
		done <payloads
	done <topics
'

test_expect_success PERL 'a payload that is missing, not terminated, or nested without end' '
	client="perl $TEST_HARNESS_DIR/sharness.d/client.pl $(flux getattr local-uri)" &&
	$client rpc attr.get </dev/null >answer && test_grep "^71" answer &&
	printf "{\"name\":\"rank\"}" | $client rpc attr.get >answer && test_grep "^71" answer &&
	head -c 200000 /dev/zero | tr "\\0" "[" >deep && printf "\\0" >>deep &&
	$client rpc attr.get <deep >answer && test_grep "^71" answer
'

test_expect_success PERL 'a name of many megabytes is just an unknown name' '
	{
		printf "{\"name\":\"" &&
		head -c 20000000 /dev/zero | tr "\\0" x &&
		printf "\"}\\0"
	} >long &&
	perl "$TEST_HARNESS_DIR/sharness.d/client.pl" "$(flux getattr local-uri)" rpc attr.get \
		<long >answer &&
	test_grep "^2 " answer
'

test_expect_success PERL 'who speaks another protocol is cut off, and others are not' '
	{ flux event sub -c1 witness >event & } &&
	witness=$! &&
	head -c 100000 /dev/urandom | bytes >answers &&
	printf "GET / HTTP/1.0\\r\\n\\r\\n" | bytes >>answers &&
	printf "\\022\\000\\356\\377\\377\\377\\377\\377abc" | bytes >>answers &&
	printf "\\022\\000\\356\\377\\000\\000\\000\\003abc" | bytes >>answers &&
	printf "\\022\\000\\356\\377\\000\\000\\000\\000" | bytes >>answers &&
	printf "\\022\\000\\356\\377\\000\\000\\001\\000half" | bytes >>answers &&
	printf "\\022\\000" | bytes >>answers &&
	test "$(grep -c "^closed$" answers)" = 7 &&
	subscribed() { flux event pub witness && test -s event; } &&
	wait_for 10 subscribed &&
	wait $witness
'

test_expect_success 'jobs that are not there' '
	for command in "job raise" "job kill" "job urgency" "job eventlog" "job attach" \
		"job status" cancel
	do
		test_expect_code 1 flux $command 123456789 16 2>err || return 1
	done &&
	test_expect_code 1 flux job raise 123456789 2>actual &&
	echo "flux-job: raise ƒBukQL: unknown job id" >expect &&
	test_cmp expect actual &&
	test_expect_code 1 flux job raise nonsense 2>actual &&
	echo "flux-job: error parsing jobid: \"nonsense\"" >expect &&
	test_cmp expect actual
'

# bad_job TEXT: standard input is no jobspec, and this is why.
bad_job() {
	cat >jobspec &&
	test_expect_code 1 flux job submit jobspec 2>actual &&
	echo "flux-job: $1" >expect &&
	test_cmp expect actual
}

test_expect_success 'jobspecs of several kinds of wrong' '
	echo | bad_job "required jobspec is empty" &&
	echo garbage | bad_job "jobspec: invalid JSON: ${q}[${q} or ${q}{${q} expected near ${q}garbage${q}" &&
	echo "[]" | bad_job "jobspec is not an object" &&
	echo "{}" | bad_job "Missing key (resources)" &&
	flux submit --dry-run true >good &&
	sed "s/\"version\": *1/\"version\":2/" good | bad_job "version must be 1" &&
	sed "s/\"count\": *1/\"count\":-1/g" good |
		bad_job "node, slot, or core count must be > 0" &&
	sed "s/\[\"true\"\]/[]/" good | bad_job "command array cannot have length of zero" &&
	sed "s/\"duration\": *[0-9.]*/\"duration\":-1/" good |
		bad_job "attributes.system.duration must be >= 0"
'

test_expect_success 'nothing was lost: modules, jobs, keys, and the means to run more' '
	flux module list | cut -c 1-33 >after &&
	cut -d " " -f 1 modules >expect && cut -d " " -f 1 after >actual &&
	test_cmp expect actual &&
	flux dmesg >log &&
	test_must_fail grep -E "being restarted|panicked" log &&
	flux jobs -nac0 -o "{id.f58}" >listed &&
	test_cmp id listed &&
	test "$(flux kvs get a)" = 1 &&
	flux run true
'

test_done
