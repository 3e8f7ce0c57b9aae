#!/bin/sh

test_description='flux getattr, setattr and lsattr

Which attributes there are is covered with the broker; here is what a shell sees.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 minimal

test_expect_success 'getattr prints a value' '
	flux getattr rank >actual &&
	echo 0 >expect &&
	test_cmp expect actual
'

test_expect_success 'getattr of what is not there fails' '
	test_expect_code 1 flux getattr nosuch 2>actual &&
	echo "flux-getattr: nosuch: No such file or directory" >expect &&
	test_cmp expect actual
'

test_expect_success 'setattr sets what may change' '
	flux setattr log-stderr-level 4 &&
	flux getattr log-stderr-level >actual &&
	echo 4 >expect &&
	test_cmp expect actual
'

test_expect_success 'setattr refuses what may not' '
	test_expect_code 1 flux setattr nosuch 1 2>actual &&
	echo "flux-setattr: nosuch: unknown attribute" >expect &&
	test_cmp expect actual &&
	test_expect_code 1 flux setattr rank 1 2>actual &&
	echo "flux-setattr: rank: attribute may not be updated" >expect &&
	test_cmp expect actual
'

test_expect_success 'lsattr lists names in order' '
	flux lsattr >names &&
	LC_ALL=C sort names >sorted &&
	test_cmp sorted names &&
	grep -x local-uri names
'

test_expect_success 'lsattr -v lists values in a column of their own' '
	flux lsattr -v >values &&
	printf "%-40s%s\n" rank 0 >expect &&
	grep "^rank " values >actual &&
	test_cmp expect actual
'

test_expect_success 'every attribute listed with a value has it' '
	flux lsattr -v >values &&
	while read name value
	do
		test "$value" = - && continue
		flux getattr "$name" >/dev/null || exit 1
	done <values
'

test_done
