#!/bin/sh

test_description='libpmi.so.0 and libpmi2.so.0 serve programs of jobs

Covers what only the libraries show: what they export, that a program linked with them finds
them, and each function, those that fail too. The wire is covered by the tests of crates/pmi.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux

if ! command -v cc >/dev/null
then
	skip_all='there is no cc'
	test_done
fi
test_under_flux 2 job

# Where the libraries are: what a task is told.
libpmi=$(flux run printenv FLUX_PMI_LIBRARY_PATH)
folder=$(dirname "$libpmi")

test_expect_success 'tasks are told of the libraries, unless PMI is off' '
	test -f "$libpmi" &&
	LD_LIBRARY_PATH=/other flux run printenv LD_LIBRARY_PATH >actual &&
	echo "$folder:/other" >expect && test_cmp expect actual &&
	test_expect_code 1 flux run -o pmi=off printenv FLUX_PMI_LIBRARY_PATH
'

# A function each that is not PMI_ or PMI2_ is one too many.
test_expect_success 'they export the interface, the mark of ours and nothing else' '
	for name in libpmi:PMI libpmi2:PMI2
	do
		perl -e "open(F, shift) or die; local \$/; print join(qq(\n),
			grep { /^(${name#*:}_\w+|flux_pmi_library)\$/ } split(/\0/, <F>)), qq(\n)" \
			"$folder/${name%:*}.so" | sort -u >${name%:*}.symbols || return 1
	done &&
	grep -c "^PMI_" libpmi.symbols >count &&
	grep -c "^PMI2_" libpmi2.symbols >>count &&
	printf "33\n21\n" >expect && test_cmp expect count &&
	grep -x flux_pmi_library libpmi.symbols && grep -x flux_pmi_library libpmi2.symbols
'

test_expect_success 'programs are linked with them' '
	cc -w -o pmi1 "$TEST_HARNESS_DIR/pmi/pmi1.c" -L"$folder" -lpmi &&
	cc -w -o pmi2 "$TEST_HARNESS_DIR/pmi/pmi2.c" -L"$folder" -lpmi2
'

test_expect_success 'each function of PMI-1 answers as its interface says' '
	flux run -N2 -n4 ./pmi1 2 >actual &&
	cat >expect <<-EOS &&
	early 1 init 0 again 1 spawned 0 begun 1 null 3
	size: 0 4, null 3
	universe: 0 4, null 3
	appnum: 0 0, null 3
	name-max: 0 64, null 3
	key-max: 0 64, null 3
	value-max: 0 1024, null 3
	id-max: 0 64, null 3
	clique: 0 2, null 3
	name: 0 same, short 8, null 3
	name: 0 same, short 8, null 3
	name: 0 same, short 8, null 3
	put 0 commit 0 barrier 0 get 0 <a value=of 3>
	get: missing 4, short 8, null 3 3 3
	put: long 5 7, null 3 3 3, bad 4 6
	just: 0
	clique: short 8, null 3, 0: 2 3
	failing: -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1
	end 0 begun 0 again 1 late 1
	EOS
	test_cmp expect actual
'

test_expect_success 'who shares the node is not known without a map' '
	flux run -N2 -n4 -o pmi-simple.nomap ./pmi1 2 >actual &&
	test_grep "^clique: short 8, null 3, 0: 2\$" actual
'

test_expect_success 'each function of PMI-2 answers as its interface says' '
	flux run -N2 -n4 ./pmi2 0 >actual &&
	cat >expect <<-EOS &&
	before 0 init 0 again 1 begun 1
	spawned 0 size 4 rank 0 appnum 0
	id 0 same, short 8
	put 0 fence 0 get 0 <a value=of 1> 12
	own 0, short 8, missing 4, null 3 3
	job PMI_process_mapping: 0 1 <(vector,(0,2,2))>
	job universeSize: 0 1 <4>
	job moon: 4 0 <>
	put node 0
	node attribute.0: 0 1 <here>
	node attribute.3: 4 0 <>
	failing: -1 -1 -1 -1 -1 -1 -1 -1 -1 -1
	end 0 begun 0 again 1
	EOS
	test_cmp expect actual
'

test_expect_success 'a program that is aborted ends the job with its words' '
	test_expect_code 143 flux run -N2 -n4 ./pmi1 abort 2>err &&
	test_grep "job.exception .* type=exec severity=0 PMI_Abort: it is over" err &&
	test_expect_code 143 flux run -N2 -n4 ./pmi2 abort 2>err &&
	test_grep "job.exception .* type=exec severity=0 PMI_Abort: it is over" err
'

# Outside of a job nobody serves PMI.
alone() {
	(unset PMI_FD PMI_RANK PMI_SIZE && LD_LIBRARY_PATH=$folder "$@" alone)
}

test_expect_success 'without a launcher they fail, and an abort is told' '
	test_expect_code 5 alone ./pmi1 >actual 2>err &&
	echo "init -1, size 1, finalize 1" >expect && test_cmp expect actual &&
	echo "PMI_Abort: () nobody hears" >expect && test_cmp expect err &&
	test_expect_code 1 alone ./pmi2 >actual 2>err &&
	echo "init -1, begun 0, fence 1" >expect && test_cmp expect actual
'

test_expect_success 'flux pmi does not take them for the library of another launcher' '
	test_must_fail flux run flux pmi --method="libpmi:$libpmi" barrier 2>err &&
	test_grep "dlopen found Flux library ($libpmi)" err
'

test_done
