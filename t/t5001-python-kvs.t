#!/bin/sh

test_description='the Python package reads, changes and follows keys, also in coroutines

What is tested is in crates/python/tests, a file of unittest for each part.
'

. "$(dirname "$0")/sharness.sh"
test_flux_python
test_under_flux 1 kvs

test_expect_success 'keys, directories, namespaces and watches' 'flux_python_test test_kvs'
test_expect_success 'futures, streams and events in coroutines' 'flux_python_test test_aio'

test_done
