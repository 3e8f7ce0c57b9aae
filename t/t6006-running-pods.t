#!/bin/sh

test_description='the table of doc/examples/kubernetes joins brokers by the names of pods

Two hosts with real TCP between them, each with the name that a pod has.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

test_net_hosts job

# What the service of the pods does: each finds the other by its name.
test__at_end="remove_names $test__at_end"
remove_names() {
	rm -rf /etc/netns/${net}0 /etc/netns/${net}1
}
for host in 0 1
do
	mkdir -p /etc/netns/$net$host
	printf '127.0.0.1 localhost\n10.77.0.10 flux-0.flux\n10.77.0.11 flux-1.flux\n' \
		>/etc/netns/$net$host/hosts
done
sed -n '/^  flux.toml: |/,/^---/s/^    //p' "$TEST_HARNESS_DIR/../doc/examples/kubernetes/flux.yaml" |
	sed "s,/var/flux/curve.cert,$PWD/cert," >conf.toml

test_expect_success 'both become one instance, and run a job' '
	boot 1 -S hostname=flux-1 &&
	boot 0 -S hostname=flux-0 -S broker.rc2_none &&
	await 0 full &&
	flux run -N2 flux getattr hostname >out &&
	sort out >actual &&
	printf "%s\n" flux-0 flux-1 >expect &&
	test_cmp expect actual &&
	flux uptime >out &&
	test_grep " run .* size 2" out
'

test_expect_success 'the instance ends in order' '
	flux shutdown &&
	ended 1 0 && ended 0 0
'

test_done
