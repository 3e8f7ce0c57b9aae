#!/bin/sh

test_description='job-list knows every job again as soon as it is back

Covers a reload with thousands of finished jobs: the list is whole at once, again and
again, though job-list learns of jobs from the journal alone.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

cat >cores.toml <<EOF
[resource]
noverify = true
norestrict = true
[[resource.config]]
hosts = "$(uname -n)"
cores = "0-63"
EOF

cat >reload.sh <<'EOF'
flux submit --quiet --cc=1-10240 --setattr=exec.test.run_duration=1ms true &&
flux queue drain &&
for round in 1 2 3
do
	flux module reload job-list && flux jobs -nac0 | wc -l || exit 1
done &&
flux jobs -nac0 -o "{status}" | sort | uniq -c | sed "s/^ *//"
EOF

test_expect_success 'three reloads, and each time all of 10240 finished jobs at once' '
	flux start --config-path=cores.toml sh reload.sh >actual &&
	printf "%s\n" 10240 10240 10240 "10240 COMPLETED" >expect &&
	test_cmp expect actual
'

test_done
