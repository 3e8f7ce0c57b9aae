#!/bin/sh

test_description='a jobspec that was not validated harms nobody but its own job

Submits every row of the table of wrong values without validation. Covers that each job
ends, and that every service goes on. What a submitter is told of each is in the table.
'

. "$(dirname "$0")/sharness.sh"
perl -MJSON::PP -e 1 2>/dev/null && test_set_prereq PERL
test_under_flux 1 job

table=$TEST_HARNESS_DIR/../crates/proto/tests/jobspec-refusals.txt

# Prints the jobspec of each row of the table: pointer, value, sentence. Values that the
# shell is to accept are left out.
cat >rows.pl <<'EOS'
use strict;
use JSON::PP;
my $json = JSON::PP->new->allow_nonref->canonical;
my $whole = <STDIN>;
while (<STDIN>) {
	my ($pointer, $value, $told) = split /\t|\n/;
	next if $told eq "ok";
	my $job = $json->decode($whole);
	my @path = split m{/}, $pointer;
	shift @path;
	my $key = pop @path;
	my $above = $job;
	$above = ref $above eq "ARRAY" ? $above->[$_] : $above->{$_} for @path;
	if (ref $above eq "ARRAY") {
		if ($value eq "-") { splice @$above, $key, 1 } else { $above->[$key] = $json->decode($value) }
	} elsif ($value eq "-") { delete $above->{$key} }
	else { $above->{$key} = $json->decode($value) }
	print $json->encode($job), "\n";
}
EOS

test_expect_success PERL 'every row is a job' '
	perl rows.pl <"$table" >jobs &&
	test $(wc -l <jobs) -gt 300
'

test_expect_success PERL 'jobs are taken without validation' '
	while read -r job
	do
		echo "$job" >job &&
		flux job submit --flags=novalidate job >>ids 2>>refused || :
	done <jobs &&
	test $(wc -l <ids) -gt 300
'

test_expect_success PERL 'each of them ends' '
	while read -r id
	do
		wait_state $id inactive || return 1
	done <ids &&
	flux jobs -no {id} >actual &&
	test ! -s actual
'

test_expect_success PERL 'those that fail say why' '
	flux jobs -a -c0 -f failed -no "{exception.type} {exception.note}" >notes &&
	test $(wc -l <notes) -gt 300 &&
	! grep -v -e "^exec ." -e "^alloc ." notes
'

test_expect_success PERL 'no service was harmed' '
	flux dmesg >log &&
	! grep -e panicked -e "restarted" log &&
	flux run echo well >actual &&
	echo well >expect &&
	test_cmp expect actual
'

test_done
