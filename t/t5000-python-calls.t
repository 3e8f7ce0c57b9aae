#!/bin/sh

test_description='the Python package makes calls, serves requests and runs callbacks

What is tested is in crates/python/tests, a file of unittest for each part.
'

. "$(dirname "$0")/sharness.sh"
test_flux_python
test_under_flux 1 minimal

test_expect_success 'the package is whole, documented and quick to load' 'flux_python_test test_package'
test_expect_success 'a handle is opened, asked and closed' 'flux_python_test test_handle'
test_expect_success 'calls are answered, streamed and called back' 'flux_python_test test_rpc'
test_expect_success 'a broker that goes away is an error of all that wait' 'flux_python_test test_lost'
test_expect_success 'the reactor watches time, descriptors, signals and messages' 'flux_python_test test_reactor'
test_expect_success 'times, trees, command lines and settings' 'flux_python_test test_util'

test_done
