#!/bin/sh

test_description='instances in instances: four levels deep, and several side by side
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 2 job

unset FLUX_SSH FLUX_URI_RESOLVE_LOCAL

cat >deeper.sh <<'EOT'
#!/bin/sh
# deeper.sh N: says where it is, and goes N levels deeper.
flux getattr instance-level
flux getattr jobid-path
test $1 = 0 || exec flux alloc -n1 "$0" $(($1 - 1)) </dev/null
EOT
chmod +x deeper.sh

test_expect_success 'four levels know where they are' '
	flux alloc -n1 ./deeper.sh 3 >out </dev/null &&
	sed -n "1~2p" out >actual &&
	printf "%s\n" 1 2 3 4 >expect &&
	test_cmp expect actual &&
	id=$(flux job last) &&
	grep -c "^/$id" out >actual &&
	echo 4 >expect &&
	test_cmp expect actual &&
	tail -n1 out | tr -cd / | wc -c >actual &&
	test "$(cat actual)" -eq 4
'

test_expect_success 'the parent and the root are reached from below' '
	flux alloc -n1 flux alloc -n1 \
		sh -c "flux -p getattr instance-level; flux -p -p getattr instance-level
		flux -r getattr local-uri; flux uri /; flux uri ../.." >actual </dev/null &&
	printf "%s\n" 1 0 $FLUX_URI $FLUX_URI $FLUX_URI >expect &&
	test_cmp expect actual
'

test_expect_success 'jobs of instances are listed with those around them' '
	cat >inner.sh <<-"EOT" &&
	#!/bin/sh
	flux submit --job-name=deep tail -f /dev/null
	flux kvs put ready=1
	tail -f /dev/null
	EOT
	id=$(flux batch -n1 --output=none inner.sh) &&
	uri=$(flux uri --wait --local $id) &&
	wait_for 30 flux proxy $uri "flux kvs get ready && flux jobs -f running -no {name} | grep deep" &&
	flux jobs -R -no "{name}" >out &&
	cat >expect <<-EOT &&
	inner.sh

	$id:
	deep
	EOT
	test_cmp expect out &&
	flux jobs -no "{instance.stats} {instance.resources.all.ncores} {instance.utilization!P}" $id >actual &&
	echo "PD:0 R:1 CD:0 F:0 1 100%" >expect &&
	test_cmp expect actual
'

test_expect_success 'canceling the outer job ends everything in it in order' '
	flux cancel $id &&
	flux job wait-event -t 30 $id clean &&
	test_must_fail flux uri $id 2>err &&
	test_grep "jobid $id is not running" err
'

test_expect_success 'a time limit ends an instance' '
	id=$(flux batch -n1 -t 2s --output=limit.out --dump=limit.tgz --wrap tail -f /dev/null) &&
	flux job wait-event -t 60 $id clean &&
	flux job eventlog $id >log &&
	test_grep "exception type=\"timeout\"" log &&
	test -s limit.tgz
'

test_expect_success 'the job says where it is and which nodes it needs' '
	id=$(flux batch -N2 --output=none --wrap true) &&
	flux job wait-event -t 30 $id clean &&
	flux job eventlog $id | awk "{ print \$2 }" >names &&
	sed -n "/^start/,/^finish/p" names >actual &&
	printf "%s\n" start memo finish >expect &&
	test_cmp expect actual &&
	flux job eventlog -p exec $id >actual &&
	test_grep "critical-ranks" actual
'

test_expect_success 'instances run jobs side by side' '
	cat >ten.sh <<-"EOT" &&
	#!/bin/sh
	flux submit --quiet --cc=1-10 true &&
	flux queue drain &&
	test $(flux jobs -nf completed -c0 -o "{id}" | wc -l) = 10
	EOT
	ids=$(for i in 1 2 3 4; do flux batch -n1 --output=none ten.sh || return 1; done) &&
	flux job status $ids
'

test_done
