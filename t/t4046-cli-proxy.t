#!/bin/sh

test_description='flux proxy and flux relay: another instance through a socket of our own
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

unset FLUX_SSH FLUX_SSH_RCMD FLUX_URI_RESOLVE_LOCAL
export TMPDIR=$PWD
SHELL=/bin/sh
export SHELL

cat >fake-ssh <<'EOT'
#!/bin/sh
shift
exec "$@"
EOT
chmod +x fake-ssh

test_expect_success 'a command uses another instance' '
	id=$(flux alloc -n1 --bg) &&
	flux uri --local $id >uri &&
	flux proxy $(cat uri) flux getattr jobid >actual &&
	echo $id >expect &&
	test_cmp expect actual &&
	flux proxy $id flux getattr jobid >actual &&
	test_cmp expect actual
'

test_expect_success 'through ssh too' '
	FLUX_SSH=./fake-ssh flux proxy $id "flux getattr jobid; echo \$FLUX_PROXY_REMOTE; flux getattr parent-uri" >actual &&
	cat >expect <<-EOT &&
	$id
	$(hostname)
	ssh://$(hostname)${FLUX_URI#local://}
	EOT
	test_cmp expect actual &&
	FLUX_SSH=$PWD/fake-ssh flux proxy $id flux -p getattr local-uri >actual &&
	echo $FLUX_URI >expect &&
	test_cmp expect actual
'

test_expect_success 'jobs, events, streams and services go through' '
	flux proxy $id "flux run -n1 echo hello; flux submit true; flux queue idle; flux jobs -nao {id}" >actual &&
	test_grep hello actual &&
	test $(wc -l <actual) -ge 4 &&
	flux proxy $id "flux event sub -c1 mine & 
		until flux event pub mine >/dev/null && ! kill -0 \$! 2>/dev/null; do :; done; wait" >actual &&
	test_grep mine actual &&
	flux proxy $id flux ping --userid -c1 broker >actual &&
	test_grep "userid=$(id -u) rolemask=0x5" actual
'

test_expect_success 'a client that leaves with messages unread disturbs no other' '
	flux proxy $id "for n in 1 2 3 4 5 6 7 8 9
		do
			flux event sub gone >/dev/null & 
			flux event pub gone; flux event pub gone & kill -KILL \$!; flux event pub gone; kill -KILL %1
		done 2>/dev/null; flux getattr size" >actual &&
	tail -n 1 actual >last &&
	echo 1 >expect &&
	test_cmp expect last
'

test_expect_success 'the socket is gone afterwards' '
	flux proxy $id "echo \$FLUX_URI" >actual &&
	grep "^local://$PWD/flux-proxy-.*/local\$" actual &&
	! ls -d flux-proxy-* 2>/dev/null
'

test_expect_success 'the exit code is that of the command' '
	test_expect_code 7 flux proxy $id exit 7 &&
	test_expect_code 143 flux proxy $id "kill -TERM \$\$"
'

test_expect_success 'a relay is a client on standard streams' '
	echo | flux relay ${FLUX_URI#local://} >out &&
	test $(od -An -tx1 out | tr -d " ") = 00 &&
	test_must_fail flux relay /nonexistent 2>actual &&
	echo "$(hostname): broker socket /nonexistent was not found" >expect &&
	test_cmp expect actual &&
	test_must_fail flux relay
'

test_expect_success 'what leads nowhere says why' '
	test_must_fail flux proxy 2>err &&
	test_grep "flux-proxy: URI argument is required" err &&
	test_must_fail flux proxy 1234 2>actual &&
	cat >expect <<-EOT &&
	flux-uri: ERROR: jobid 1234 not found
	flux-proxy: Unable to resolve 1234 to a URI
	EOT
	test_cmp expect actual &&
	test_must_fail flux proxy local:///nonexistent 2>actual &&
	echo "flux-proxy: local:///nonexistent: broker socket /nonexistent was not found" >expect &&
	test_cmp expect actual &&
	TMPDIR=/nonexistent flux proxy $id true 2>actual &&
	echo "flux-proxy: TMPDIR (/nonexistent) is not a directory. Using /tmp instead" >expect &&
	test_cmp expect actual
'

# start_proxy OPTIONS: a command that waits in a proxy of the inner instance.
start_proxy() {
	rm -f ready code &&
	{ flux proxy $* $(cat uri) "touch ready; until test -e go; do flux getattr rank >/dev/null 2>&1; done; flux getattr jobid >id 2>/dev/null; exit 3" 2>err; echo $? >code; } &
	wait_for 30 test -e ready
}

test_expect_success 'when the instance is gone, its users are hung up on' '
	rm -f go &&
	start_proxy &&
	flux cancel $id &&
	wait_for 30 test -s code &&
	echo 129 >expect &&
	test_cmp expect code &&
	cat >expect <<-EOT &&
	flux-proxy: Lost connection to Flux
	flux-proxy: Sending SIGHUP to child processes
	EOT
	test_cmp expect err
'

test_expect_success 'or left alone' '
	id=$(flux alloc -n1 --bg) &&
	flux uri --local $id >uri &&
	start_proxy -n &&
	flux cancel $id &&
	wait_for 30 test -s err &&
	touch go &&
	wait_for 30 test -s code &&
	echo 3 >expect &&
	test_cmp expect code &&
	echo "flux-proxy: Lost connection to Flux" >expect &&
	test_cmp expect err
'

test_expect_success 'or are led to the next one in its place' '
	rm -f go &&
	mkdir run &&
	one() {
		flux alloc -n1 --bg --broker-opts=-Srundir=$PWD/run
	} &&
	id=$(one) &&
	flux uri --local $id >uri &&
	start_proxy --reconnect &&
	flux cancel $id &&
	wait_for 30 grep reconnecting err &&
	id=$(one) &&
	wait_for 30 grep reconnected err &&
	touch go &&
	wait_for 30 test -s code &&
	echo $id >expect &&
	test_cmp expect id &&
	flux cancel $id
'

test_done
