#!/bin/sh

test_description='resources that are configured, over several brokers
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

ncores=$(nproc)
host=$(uname -n)

# instance SIZE COMMAND: runs COMMAND in an instance with resource.toml.
instance() {
	flux start --test-size="$1" --config-path=resource.toml sh -c "$2"
}

test_expect_success 'R of a file is used as it is' '
	cat >r.json <<-EOS &&
	{"version":1,"execution":{"R_lite":[{"rank":"0-1","children":{"core":"0-77"}}],
	"nodelist":["$host,$host"],"properties":{"odd":"1"}}}
	EOS
	cat >resource.toml <<-EOS &&
	[resource]
	path = "$PWD/r.json"
	noverify = true
	EOS
	instance 2 "flux resource list -s all -no \"{nnodes} {ncores}\"; flux resource R" >actual &&
	test_grep "^2 156$" actual &&
	test_grep "\"properties\":{\"odd\":\"1\"}" actual
'

test_expect_success 'the scheduler finds what is for it in a file of its own' '
	echo "{\"writer\":\"somebody\"}" >scheduling.json &&
	echo "scheduling = \"$PWD/scheduling.json\"" >>resource.toml &&
	instance 2 "flux kvs get resource.R" >actual &&
	test_grep "\"scheduling\":{\"writer\":\"somebody\"}" actual &&
	echo "{" >scheduling.json &&
	test_must_fail instance 2 true 2>err &&
	test_grep "resource.scheduling: $PWD/scheduling.json: EOF while parsing an object on line" err &&
	sed -i "/scheduling/d" resource.toml
'

test_expect_success 'ranks are those that the hosts have today' '
	sed "s/$host,$host/foo[0-1]/" r.json >foo.json &&
	sed "s/r.json/foo.json/" resource.toml >foo.toml &&
	flux start --test-size=2 --test-hosts="foo[1,0]" --config-path=foo.toml \
		sh -c "flux resource R | flux R decode --nodelist; flux resource list -s up -no {ranks}; flux resource R" >actual &&
	test_grep "^foo\[1,0\]$" actual &&
	test_grep "^0-1$" actual &&
	test_grep "\"properties\":{\"odd\":\"0\"}" actual
'

test_expect_success 'where hosts are others the instance starts all the same' '
	flux start --test-size=2 --test-hosts="bar[1,0]" --config-path=foo.toml \
		flux resource R >actual 2>err &&
	test_grep "foo\[0-1\]" actual
'

test_expect_success 'properties may change while they are in use' '
	cat >conf.toml <<-EOS &&
	[resource]
	noverify = true
	[[resource.config]]
	hosts = "foo[0-1]"
	cores = "0"
	[[resource.config]]
	hosts = "foo1"
	properties = ["old"]
	EOS
	sed "s/old/new/" conf.toml >new.toml &&
	test_expect_code 1 flux start --test-size=2 --test-hosts="foo[0-1]" --config-path=conf.toml \
		sh -c "flux run --requires=old flux getattr rank &&
		flux config load <new.toml && flux run --requires=new flux getattr rank &&
		flux run --requires=old true" >actual 2>err &&
	printf "1\n1\n" >expect && test_cmp expect actual &&
	test_grep "unsatisfiable" err
'

test_expect_success 'ranks that have less than they should are drained' '
	sed -i "/noverify/d" resource.toml &&
	instance 2 "flux resource drain -no \"{ranks} {reason}\"" >actual 2>err &&
	echo "0 rank 0 ($host) missing resources: core[$ncores-77]" >expect &&
	echo "1 rank 1 ($host) missing resources: core[$ncores-77]" >>expect &&
	test_cmp expect actual &&
	test_grep "draining: rank 0" err &&
	test_grep "draining: rank 1" err
'

test_expect_success 'a rank that R does not know is drained' '
	sed "s/0-77/0/" r.json >few.json && mv few.json r.json &&
	instance 3 "flux resource drain -no \"{ranks} {reason}\"" >actual 2>err &&
	echo "2 rank 2 not found in expected ranks" >expect &&
	test_cmp expect actual &&
	test_grep "draining: rank 2 not found in expected ranks" err
'

test_expect_success 'what is looked at can be chosen' '
	sed "s/\"core\":\"0\"/\"core\":\"0\",\"gpu\":\"0-98\"/" r.json >gpus.json && mv gpus.json r.json &&
	cat >>resource.toml <<-EOS &&
	verify.default = "ignore"
	verify.gpu = "strict"
	EOS
	instance 2 "flux resource drain -no \"{ranks} {reason}\"" >actual 2>err &&
	test_grep "^1 rank 1 ($host) missing resources: gpu\[[0-9]*-98\]$" actual
'

test_expect_success 'R of another version is none' '
	sed "s/\"version\":1/\"version\":42/" r.json >bad.json && mv bad.json r.json &&
	test_must_fail instance 2 true 2>err &&
	test_grep "error parsing R: invalid version=42" err
'

test_expect_success 'ranks and hosts that are excluded have to be there' '
	for exclude in 7 nosuchhost
	do
		echo "resource.exclude = \"$exclude\"" >resource.toml &&
		test_must_fail instance 2 true 2>err.$exclude || return 1
	done &&
	test_grep "idset is out of range" err.7 &&
	test_grep "invalid hosts: nosuchhost" err.nosuchhost
'

test_expect_success 'an excluded rank is not used, and not drained' '
	echo "resource.exclude = \"1\"" >resource.toml &&
	test_must_fail instance 2 "
		flux resource list -s all -no {ranks}
		flux resource status -s exclude -no {ranks}
		flux resource drain 1
	" >actual 2>err &&
	printf "%s\n" 0 1 >expect &&
	test_cmp expect actual &&
	test_grep "rank 1 already drained or excluded" err
'

# hosts N: writes the table of N hosts, of which the first is this one.
hosts() {
	cat >>resource.toml <<-EOS
	[bootstrap]
	curve_cert = "$PWD/cert"
	default_bind = "ipc://$PWD/tbon-%h"
	default_connect = "ipc://$PWD/tbon-%h"
	hosts = [ { host = "fake[0-$(($1 - 1))]" } ]
	EOS
}

# alone COMMAND: runs COMMAND on rank 0 of an instance of which nobody else comes.
alone() {
	flux broker --config-path=resource.toml -S hostname=fake0 -S broker.quorum=1 sh -c "$1"
}

test_expect_success 'a rank that does not come is given up after a time' '
	flux keygen cert &&
	echo "resource.discovery-timeout = \"0.1s\"" >resource.toml &&
	hosts 2 &&
	alone "flux resource list -s all -no {ranks}" >actual 2>err &&
	echo 0 >expect &&
	test_cmp expect actual &&
	test_grep "no report of rank(s) 1 (fake1) within 0.1s" err
'

test_expect_success 'sixteen thousand ranks of which one is there' '
	cat >resource.toml <<-EOS &&
	[resource]
	noverify = true
	[[resource.config]]
	hosts = "fake[0-16383]"
	cores = "0-3"
	EOS
	hosts 16384 &&
	alone "
		flux uptime
		flux resource status -s offline -no {nnodes}
		flux run hostname
	" >actual 2>err &&
	test_grep "16383 offline" actual &&
	test_grep "^16383$" actual &&
	test_grep "^$host$" actual
'

test_expect_success 'nodes are invented where that is wanted, for simulated jobs' '
	flux start --conf=fake-resources.nnodes=8 --conf=fake-resources.cores-per-node=2 \
		--conf=fake-resources.gpus-per-node=1 "
		flux resource list -s free -no {nnodes}:{ncores}:{ngpus}:{nodelist} &&
		flux run -N8 --setattr=exec.test.run_duration=1ms true
	" >actual &&
	echo "8:16:8:fake[0-7]" >expect &&
	test_cmp expect actual
'

test_done
