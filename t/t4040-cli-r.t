#!/bin/sh

test_description='flux R: resource sets in pipes, against those of an instance

Options, errors and output of every sub-command are in the tests of the command; here is what
takes a live instance and a shell.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job

host=$(hostname)

test_expect_success 'R of the instance is read, and printed as it was' '
	flux resource R >R &&
	flux R decode <R >again &&
	flux R decode --short <R >expect &&
	flux R decode --short <again >actual &&
	test_cmp expect actual &&
	flux R decode --nodelist --ranks --count=node <R >actual &&
	printf "%s\n" $host 0 1 >expect &&
	test_cmp expect actual
'

test_expect_success 'this machine is what the instance has' '
	flux R encode --local >local &&
	flux R decode --count=core <local >actual &&
	flux R decode --count=core <R >expect &&
	test_cmp expect actual &&
	cat R local | flux R verify
'

test_expect_success 'sets are made, joined and taken apart in pipes' '
	{
		flux R encode -r 0-1 -c 0-3 -H a[0-1] -p big:1 &&
		flux R encode -r 2 -c 0-1 -g 0 -H b
	} | flux R append >all &&
	flux R decode --short <all >actual &&
	flux R decode -p big <all | cat all - | flux R diff | flux R remap | flux R decode -sn >>actual &&
	flux R rerank b,a[0-1] <all | flux R decode -sn >>actual &&
	cat >expect <<-EOF &&
	rank[0-1]/core[0-3] rank2/core[0-1],gpu0
	rank0/core[0-3] rank1/core[0-1],gpu0
	a0,b
	rank0/core[0-1],gpu0 rank[1-2]/core[0-3]
	b,a[0-1]
	EOF
	test_cmp expect actual
'

test_expect_success 'what is wrong is said with 1' '
	test_expect_code 1 flux R decode </dev/null 2>actual &&
	test_expect_code 1 flux R verify <all 2>>actual &&
	cat all all >twice &&
	test_expect_code 1 flux R append <twice 2>>actual &&
	cat >expect <<-EOF &&
	flux-R: Failed to read an R object: '\''['\'' or '\''{'\'' expected near end of file
	flux-R: verify requires exactly 2 R objects on stdin
	flux-R: R objects '\''$(flux R decode -s <all)'\'' and '\''$(flux R decode -s <all)'\'' overlap
	EOF
	test_cmp expect actual
'

test_expect_success 'the set of a configuration is printed as any other' '
	cat >r.toml <<-EOF &&
	[[resource.config]]
	hosts = "$host"
	cores = "0-3"
	properties = ["p"]
	EOF
	flux R parse-config r.toml >parsed &&
	flux R decode -s -p p <parsed >actual &&
	echo "rank0/core[0-3]" >expect &&
	test_cmp expect actual
'

test_done
