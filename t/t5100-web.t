#!/bin/sh

test_description='the web page: who may look, what the API answers, and what is told as it happens

Covers a real server: its address and token file, refusals, answers about real jobs, queues and
nodes, one stream of events through reloads of services, TLS, and settings. The page in a browser is
in t5101; each kind of refusal and what is counted are covered by the tests of the module.
'

. "$(dirname "$0")/sharness.sh"
test_need_web
test_under_flux 2 full

# has FILE TEXT...: the file has each text as it is.
has() {
	answer=$1
	shift
	for text in "$@"
	do
		test_grep -F -- "$text" "$answer" || return 1
	done
}

test_expect_success 'flux web loads the module and prints an address on loopback' '
	web_address &&
	grep -x "http://127\.0\.0\.1:[0-9]*/#[0-9a-f]\{64\}" web.address &&
	flux module list | grep "^web " &&
	flux ping -c1 web &&
	flux web >again &&
	test_cmp web.address again
'

test_expect_success 'the token is in a file of the owner alone, and stays over a reload' '
	token_file=$(flux getattr rundir)/web.token &&
	test "$(stat -c %a "$token_file")" = 600 &&
	test "$(cat "$token_file")" = "$token" &&
	flux module reload web &&
	old=$token &&
	web_address &&
	test "$token" = "$old"
'

test_expect_success 'the page tells nothing, and the API nothing without the token' '
	test "$(status "$url/")" = 200 &&
	has web.answer "<!doctype html>" &&
	test "$(status "$url/api/v1/jobs.json")" = 401 &&
	has web.answer "{\"error\":\"the token of the page is missing\",\"hint\":" &&
	test "$(status -H "Authorization: Bearer x" "$url/api/v1/jobs.json")" = 401 &&
	test "$(status "$url/api/v1/events")" = 401
'

test_expect_success 'other methods, hosts and paths are refused' '
	test "$(status -X POST "$url/")" = 405 &&
	test "$(status -X DELETE -H "Authorization: Bearer $token" "$url/api/v1/jobs.json")" = 405 &&
	test "$(status -H "Host: evil.example" "$url/")" = 403 &&
	test "$(status -H "Host: $(hostname):80" "$url/")" = 200 &&
	test "$(status "$url/../../etc/passwd" --path-as-is)" = 404 &&
	flux module stats web >stats &&
	test_grep "\"refused\": [1-9]" stats
'

test_expect_success 'answers load nothing from elsewhere' '
	curl -sS -D headers -o page "$url/" &&
	test_grep -i "^content-security-policy: default-src .none.; script-src .self.;" headers &&
	test_grep -i "^referrer-policy: no-referrer" headers &&
	! grep -i "://" page
'

test_expect_success 'jobs are listed, chosen and turned over' '
	good=$(flux submit --job-name=good true) &&
	bad=$(flux submit --job-name=bad false) &&
	long=$(flux submit --job-name=long tail -f /dev/null) &&
	wait_event $good clean && wait_event $bad clean && wait_event $long start &&
	api jobs.json >jobs &&
	has jobs "\"id\":\"$good\"" "\"id\":\"$bad\"" "\"id\":\"$long\"" "\"user\":\"$(id -un)\"" &&
	api "jobs.json?state=running&name=long" >one &&
	has one "\"id\":\"$long\"" "\"state\":\"run\"" "\"next\":null" &&
	! grep -F "$good" one &&
	api "jobs.json?result=failed" >one &&
	has one "\"id\":\"$bad\"" "\"result\":\"failed\"" "\"waitstatus\":256" &&
	api "jobs.json?limit=2&user=$(id -u)" >first &&
	next=$(sed "s/.*\"next\":\"\([^\"]*\)\".*/\1/" first) &&
	api "jobs.json?limit=2" -G --data-urlencode "after=$next" >second &&
	has second "\"id\":\"$good\"" "\"next\":null"
'

test_expect_success 'a job has its log, its jobspec without environment, and its resources' '
	api "jobs/$(flux job id --to=dec $good).json" >job &&
	has job "\"id\":\"$good\"" "\"name\":\"alloc\"" "\"name\":\"clean\"" "\"command\":[\"true\"]" "\"R_lite\"" &&
	! grep environment job &&
	test "$(status -H "Authorization: Bearer $token" "$url/api/v1/jobs/f1.json")" = 404 &&
	test "$(status -H "Authorization: Bearer $token" "$url/api/v1/jobs/=.json")" = 400
'

test_expect_success 'questions that are wrong are refused in words' '
	test "$(status -H "Authorization: Bearer $token" "$url/api/v1/jobs.json?color=red")" = 400 &&
	has web.answer "unknown field" &&
	test "$(status -H "Authorization: Bearer $token" "$url/api/v1/jobs.json?state=red")" = 400 &&
	has web.answer "invalid states value" &&
	test "$(status -H "Authorization: Bearer $token" "$url/api/v1/jobs.json?user=no-such-user")" = 400
'

test_expect_success 'the instance, queues, nodes and rates' '
	api instance.json >instance &&
	has instance "\"state\":\"run\"" "\"size\":2" "\"allocated\":{\"nodes\":1,\"cores\":1," &&
	flux queue disable -m "for a test" &&
	api queues.json >queues &&
	has queues "\"name\":null,\"enable\":false,\"start\":true,\"disable_reason\":\"for a test\"" "\"successful\":1,\"failed\":1" &&
	flux queue enable &&
	flux resource drain 1 "bad fan" &&
	api nodes.json >nodes &&
	has nodes "\"tree\":{\"rank\":0,\"size\":2,\"children\":[{\"rank\":1," "\"rank\":1,\"host\":" "\"reason\":\"bad fan\"" &&
	flux resource undrain 1 &&
	api rates.json >rates &&
	has rates "\"step\":60.0" "\"completed\":[0," "\"is_cut\":false"
'

# told KIND TEXT: the stream has had an event of this kind with this text.
told() {
	grep -A1 "^event: $1" events | grep -q -F -- "$2"
}

test_expect_success 'changes are told as they happen, also after a service was reloaded' '
	{ curl -sSN -H "Authorization: Bearer $token" "$url/api/v1/events" >events & } &&
	stream=$! &&
	wait_for 30 told counts "\"run\":1" &&
	id=$(flux submit true) &&
	wait_for 30 told jobs "\"id\":\"$id\"" &&
	flux resource drain 1 &&
	wait_for 30 told nodes "{}" &&
	flux resource undrain 1 &&
	flux module reload job-list &&
	wait_for 30 told again "{}" &&
	id=$(flux submit true) &&
	wait_for 30 told jobs "\"id\":\"$id\"" &&
	flux module stats web >stats &&
	test_grep "\"viewers\": 1" stats
'

viewers() {
	flux module stats web | grep -q "\"viewers\": $1"
}

test_expect_success 'a browser that leaves is forgotten' '
	kill $stream &&
	wait_for 30 viewers 0
'

test_expect_success 'other addresses take TLS' '
	test_must_fail flux module reload web address=0.0.0.0 2>err &&
	test_grep "set web.tls-certificate and web.tls-key, or use 127.0.0.1 and an SSH tunnel" err
'

command -v openssl >/dev/null && test_set_prereq OPENSSL

test_expect_success OPENSSL 'with certificate and key the page is on https' '
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
		-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem 2>openssl.log &&
	web_start tls-certificate=$PWD/cert.pem tls-key=$PWD/key.pem &&
	grep "^https://127" web.address &&
	api instance.json --cacert cert.pem >instance &&
	has instance "\"state\":\"run\"" &&
	flux module remove web
'

test_expect_success 'a token that others may read is refused' '
	chmod 644 "$token_file" &&
	test_must_fail flux module load web 2>err &&
	test_grep "others may read the token in .*web.token" err
'

test_expect_success 'the last job ends' '
	flux cancel $long &&
	wait_event $long clean
'

test_done
