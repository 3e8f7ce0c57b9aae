#!/bin/sh

test_description='programs that run workflows drive the instance by its commands alone

Snakemake submits the steps of a workflow as jobs and asks how they are; Parsl runs its pool of
workers in a job. Both come from PyPI. Programs that need a Python binding of Flux are not here.
'

. "$(dirname "$0")/sharness.sh"
test_under_flux 1 job
test_python SNAKEMAKE snakemake==9.27.1 snakemake-executor-plugin-cluster-generic==1.0.9
test_python PARSL parsl==2026.10.26

cat >Snakefile <<'EOS'
rule sum:
    input: expand("square-{n}", n=range(1, 5))
    output: "sum"
    shell: "cat {input} | awk '{{ sum += $1 }} END {{ print sum }}' >{output}"

rule square:
    output: "square-{n}"
    shell: "echo $(({wildcards.n} * {wildcards.n})) >{output}"
EOS

# What Snakemake wants to hear of a job: success, failed or running.
cat >status <<'EOS'
#!/bin/sh
case $(flux jobs --no-header --format='{result}' "$1") in
COMPLETED) echo success ;;
'') echo running ;;
*) echo failed ;;
esac
EOS
chmod +x status

snake() {
	snakemake --quiet --executor=cluster-generic --cluster-generic-submit-cmd='flux submit' \
		--cluster-generic-status-cmd="$PWD/status" --seconds-between-status-checks=1 \
		--jobs=4 "$@"
}

test_expect_success SNAKEMAKE 'Snakemake runs a step a job, and waits for those that a step needs' '
	snake sum &&
	echo 30 >expect &&
	test_cmp expect sum &&
	flux jobs --no-header --filter=completed --format="{id}" >jobs &&
	test "$(wc -l <jobs)" = 5
'

test_expect_success SNAKEMAKE 'Snakemake hears of a step that fails' '
	printf "rule fail:\n    output: \"none\"\n    shell: \"exit 3\"\n" >Snakefile.fail &&
	test_must_fail snake --snakefile=Snakefile.fail none &&
	flux jobs --no-header --filter=failed --format="{returncode}" >codes &&
	test -s codes
'

cat >squares.py <<'EOS'
import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.launchers import WrappedLauncher
from parsl.providers import LocalProvider


@parsl.python_app
def square(n):
    import os
    return n * n, "FLUX_JOB_ID" in os.environ


workers = HighThroughputExecutor(
    address="127.0.0.1",
    encrypted=False,
    max_workers_per_node=2,
    provider=LocalProvider(
        init_blocks=1,
        max_blocks=1,
        launcher=WrappedLauncher(prepend="flux run -n1"),
    ),
)
with parsl.load(Config(executors=[workers], usage_tracking=0)):
    for future in [square(n) for n in range(4)]:
        print(*future.result())
EOS

test_expect_success PARSL 'Parsl runs its workers in a job' '
	python3 squares.py >actual &&
	printf "%s True\n" 0 1 4 9 >expect &&
	test_cmp expect actual
'

test_done
