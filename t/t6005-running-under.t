#!/bin/sh

test_description='the examples of doc/running-under.md do what the page says

The scripts run, under a real hydra where there is one; the table of the pods of Kubernetes
joins two hosts; the configuration of a system is read. Slurm itself is covered by t1051.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux
test -z "$FLUX_TEST_PEER" || skip_all='the examples are for the programs of this tree'
test -z "$skip_all" || test_done
examples=$TEST_HARNESS_DIR/../doc/examples
command -v mpiexec.hydra >/dev/null && test_set_prereq HYDRA
test_python YAML pyyaml==6.0.3

# Prints a line for each of the jobs of work.sh, with host names left out.
jobs() {
	sed "s/ on .*//" "$1" | sort
}

test_expect_success 'the scripts are shell' '
	for script in "$examples"/*.sh
	do
		sh -n "$script" && test -x "$script" || return 1
	done
'

test_expect_success 'the work of an instance is done' '
	flux start "$examples/work.sh" >out &&
	jobs out >actual &&
	seq 8 >expect &&
	test_cmp expect actual
'

# It runs what Slurm would run on the first node.
test_expect_success 'the batch file of Slurm gives srun an instance' '
	mkdir bin &&
	cat >bin/srun <<-\EOF &&
	#!/bin/sh
	echo "$1" >option && shift && exec "$@"
	EOF
	chmod +x bin/srun &&
	PATH=$PWD/bin:$PATH "$examples/slurm.sh" "$examples/work.sh" >out &&
	jobs out >actual &&
	test_cmp expect actual &&
	test_grep -x -e "--mpi=pmi2" option &&
	test_grep "^#SBATCH --ntasks-per-node=1$" "$examples/slurm.sh"
'

test_expect_success HYDRA 'that of hydra starts a broker a line' '
	{ echo localhost && echo localhost; } >hosts &&
	"$examples/hydra.sh" hosts flux getattr size >actual &&
	echo 2 >expect.size &&
	test_cmp expect.size actual
'

test_expect_success 'the configuration of a system is one that a broker takes' '
	flux keygen cert &&
	sed "s,/etc/flux/system/curve.cert,$PWD/cert,; s,tcp://eth0:%p,ipc://$PWD/%h," \
		"$examples/system/flux.toml" >system.toml &&
	flux start --config-path="$PWD/system.toml" -Shostname=node1 -Sbroker.quorum=1 sh -c "
		flux getattr size
		flux config get bootstrap.hosts
		flux resource R | flux R decode --nodelist" >actual &&
	cat >expect.system <<-\EOF &&
	4
	[{"host":"node[1-4]"}]
	node[1-4]
	EOF
	test_cmp expect.system actual
'

# check.py FILE: what kubectl would see first: each object, and names that lead somewhere.
cat >check.py <<'EOS'
import sys
import tomllib
import yaml

config, service, pods = yaml.safe_load_all(open(sys.argv[1]))
print(*(item["kind"] for item in (config, service, pods)))
table = tomllib.loads(config["data"]["flux.toml"])["bootstrap"]
spec = pods["spec"]
pod = spec["template"]["spec"]
assert table["hosts"] == [{"host": f"flux-[0-{spec['replicas'] - 1}]"}]
assert table["default_port"] == service["spec"]["ports"][0]["port"]
assert spec["serviceName"] == service["metadata"]["name"]
assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
assert service["spec"]["selector"] == spec["selector"]["matchLabels"]
volumes = {volume["name"] for volume in pod["volumes"]}
containers = pod["initContainers"] + pod["containers"]
assert volumes == {mount["name"] for one in containers for mount in one["volumeMounts"]}
assert table["curve_cert"] == pod["initContainers"][0]["command"][-1]
print(*pod["containers"][0]["command"])
EOS

test_expect_success YAML 'the objects of Kubernetes belong together' '
	python3 check.py "$examples/kubernetes/flux.yaml" >actual &&
	echo "ConfigMap Service StatefulSet" >expect.kinds &&
	sed -n 1p actual | test_cmp expect.kinds - &&
	flux start --noexec $(sed -n "2s/^flux start//p" actual)
'

# Only root can make the hosts: the rest is skipped without it.
test_expect_success 'the table of the pods is in the configuration' '
	sed -n "/^  flux.toml: |/,/^---/s/^    //p" "$examples/kubernetes/flux.yaml" |
		sed "s,/var/flux/curve.cert,$PWD/cert," >pods.toml &&
	flux config get --type=string --config-path="$PWD/pods.toml" bootstrap.default_connect >actual &&
	echo "tcp://%h.flux:%p" >expect.uri &&
	test_cmp expect.uri actual
'

test_done
