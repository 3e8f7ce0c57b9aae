#!/bin/sh

test_description='jobs are made, submitted, followed and listed from Python

What is tested is in crates/python/tests, a file of unittest for each part.
'

. "$(dirname "$0")/sharness.sh"
test_flux_python
test_under_flux 1 job

test_expect_success 'numbers of jobs have many encodings' 'flux_python_test test_jobid'
test_expect_success 'jobspecs are made of commands and checked' 'flux_python_test test_jobspec'
test_expect_success 'lists, sets, queries, shapes and directives are read' 'flux_python_test test_texts'
test_expect_success 'jobs are submitted, followed, listed and canceled' 'flux_python_test test_job'
test_expect_success 'jobs are futures of an executor' 'flux_python_test test_executor'

test_done
