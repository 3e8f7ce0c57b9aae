#!/bin/sh

test_description='cargo xtask dist wheel: what pip installs has the programs and the bindings

In a virtual environment without a network: flux on its PATH runs a job, and Python
imports flux.
'

. "$(dirname "$0")/sharness.sh"
test_need_flux
test -z "$FLUX_TEST_PEER" || skip_all='packages are made of the programs of this tree'
python3 -m venv venv >venv.log 2>&1 || skip_all='python3 makes no virtual environment (Debian: python3-venv)'
test -z "$skip_all" || test_done
programs=$(dirname "$(command -v flux)")
SOURCE_DATE_EPOCH=1700000000 && export SOURCE_DATE_EPOCH

pack() {
	xtask dist --fast --from="$programs" --out="$PWD/$1" wheel
}

# pip leaves empty folders behind.
files() {
	find venv ! -type d ! -name "*.pyc" | sort
}

test_expect_success 'a wheel is made, and the same again' '
	pack one >out &&
	wheel=$(sed -n 1p out) &&
	test_grep "/ferroflux-.*-cp39-abi3-manylinux_2_[0-9]*_$(uname -m).whl$" out &&
	pack another &&
	cmp "$wheel" another/*.whl
'

test_expect_success 'pip installs it' '
	files >before &&
	venv/bin/pip install --quiet --no-index --no-cache-dir "$wheel"
'

test_expect_success 'flux runs a job' '
	venv/bin/flux start flux run sh -c "command -v flux" >actual &&
	echo "$PWD/venv/bin/flux" >expect &&
	test_cmp expect actual
'

test_expect_success 'Python talks to an instance' '
	venv/bin/flux start venv/bin/python -c "
import flux
print(flux.Flux().rpc(\"attr.get\", {\"name\": \"rank\"}).get()[\"value\"])" >actual &&
	echo 0 >expect &&
	test_cmp expect actual
'

test_expect_success 'pip removes all of it' '
	venv/bin/pip uninstall --quiet --yes ferroflux &&
	files >after &&
	test_cmp before after
'

test_done
