#!/bin/sh

test_description='flux batch: a script has an instance of its own
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 2 job

cat >env.sh <<'EOT'
#!/bin/sh
# flux: -n1 --output=env.out
echo "$0 $*"
pwd
env
flux getattr instance-level
flux getattr jobid
flux getattr jobid-path
flux getattr parent-uri
flux getattr parent-kvs-namespace
EOT

test_expect_success 'a script runs in an instance that knows whose job it is' '
	id=$(FLUX_JOB_ID=x PMI_X=x SLURM_X=x flux batch env.sh a "b c") &&
	flux job status "$id" &&
	sed -n 1p env.out | grep "^$(flux getattr rundir)/jobtmp-0-.*/script a b c\$" &&
	sed -n 2p env.out >cwd &&
	pwd >expect &&
	test_cmp expect cwd &&
	cat >expect <<-EOT &&
	1
	$id
	/$id
	$FLUX_URI
	job-$(flux job id --to=dec "$id")
	EOT
	tail -n 5 env.out >actual &&
	test_cmp expect actual
'

test_expect_success 'the environment is that of the instance' '
	grep "^FLUX_ENCLOSING_ID=$id\$" env.out &&
	grep "^FLUX_URI=local://" env.out &&
	! grep "^FLUX_URI=$FLUX_URI\$" env.out &&
	for name in JOB_ID JOB_SIZE JOB_NNODES JOB_TMPDIR TASK_RANK TASK_LOCAL_ID \
		KVS_NAMESPACE PROXY_REMOTE PMI_LIBRARY_PATH
	do
		! grep "^FLUX_$name=" env.out || return 1
	done &&
	! grep -E "^(PMI|PMIX|SLURM|PALS)_" env.out
'

test_expect_success 'output goes to a file, and attach says where' '
	id=$(flux batch -n1 --wrap echo hello) &&
	flux job attach "$id" 2>err >out &&
	test_grep "0: stdout redirected to flux-$id.out" err &&
	grep hello "flux-$id.out"
'

test_expect_success 'output may stay in the key-value store' '
	id=$(flux batch -n1 --output=kvs --wrap echo hello) &&
	flux job attach "$id" >out &&
	grep hello out
'

test_expect_success 'a job of two nodes is an instance of two brokers with what it has' '
	id=$(flux batch -N2 --output=two.out --wrap \
		"flux resource list -s free -no \"{nnodes} {ncores} {ranks}\"") &&
	flux job status "$id" &&
	echo "2 $(flux resource list -s all -no "{ncores}") 0-1" >expect &&
	test_cmp expect two.out
'

test_expect_success 'the instance has the configuration that it is given' '
	id=$(flux batch -n1 --output=conf.out --conf=resource.noverify=true --conf="
[queues.q]
" --wrap flux config get) &&
	flux job status "$id" &&
	echo "{\"resource\":{\"noverify\":true},\"queues\":{\"q\":{}}}" >expect &&
	test_cmp expect conf.out
'

test_expect_success 'a dump is written at the end' '
	id=$(flux batch -n1 --output=none --dump --wrap flux kvs put x=1) &&
	flux job status "$id" &&
	tar tf "flux-$id-dump.tgz" | grep "^x\$" &&
	id=$(flux batch -n1 --output=none --dump=d.tgz --wrap true) &&
	flux job status "$id" &&
	test -s d.tgz
'

test_expect_success 'the job ends as its script does' '
	id=$(flux batch -n1 --output=end.out --wrap exit 7) &&
	test_expect_code 7 flux job status "$id" &&
	grep "broker.err\[0\]: rc2.0: .*/script 7 Exited (rc=7)" end.out
'

test_done
