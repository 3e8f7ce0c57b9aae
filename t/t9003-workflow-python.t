#!/bin/sh

test_description='programs that use the Python package of Flux run with ours

Parsl, PSI/J, executorlib, Snakemake, Maestro and ReFrame come from PyPI, and each submits jobs
through its own code for Flux. Programs that need only commands are in t9001.
'

. "$(dirname "$0")/sharness.sh"
test_flux_python
test_under_flux 1 job
test_python WORKFLOWS parsl==2026.10.26 psij-python==0.9.11 "executorlib[cluster]==1.11.0" \
	snakemake==9.27.1 snakemake-executor-plugin-flux==0.1.1 maestrowf==1.2.1 reframe-hpc==4.10.4

cat >with-parsl.py <<'EOS'
import parsl
from parsl.config import Config
from parsl.executors import FluxExecutor


@parsl.python_app
def square(n):
    import os
    return n * n, "FLUX_JOB_ID" in os.environ


# Here, not in an instance of its own.
here = FluxExecutor(launch_cmd="{python} {manager} {protocol} {hostname} {port}")
with parsl.load(Config(executors=[here], usage_tracking=0)):
    for future in [square(n) for n in range(3)]:
        print(*future.result())
EOS

test_expect_success WORKFLOWS 'Parsl runs each call in a job' '
	printf "%s True\n" 0 1 4 >expect &&
	python3 with-parsl.py >actual &&
	test_cmp expect actual
'

cat >with-psij.py <<'EOS'
from datetime import timedelta
from threading import Event

from flux.job import JobID
from psij import Job, JobAttributes, JobExecutor, JobSpec, JobState

executor = JobExecutor.get_instance("flux")
minutes = timedelta(minutes=1)
for code in 0, 3:
    spec = JobSpec("/bin/sh", ["-c", f"exit {code}"], attributes=JobAttributes(duration=minutes))
    job = Job(spec)
    executor.submit(job)
    print(job.wait(minutes).state.name)

active = Event()
job = Job(JobSpec("/bin/sleep", ["inf"]))
job.set_job_status_callback(lambda _, status: status.state == JobState.ACTIVE and active.set())
executor.submit(job)
active.wait(60)
print(JobID(job.native_id) in executor.list())
job.cancel()
print(job.wait(minutes).state.name)
EOS

test_expect_success WORKFLOWS 'PSI/J submits, follows, lists and cancels' '
	printf "%s\n" COMPLETED FAILED True CANCELED >expect &&
	python3 with-psij.py >actual &&
	test_cmp expect actual
'

cat >with-executorlib.py <<'EOS'
from executorlib import FluxClusterExecutor, FluxJobExecutor


def square(n):
    return n * n


if __name__ == "__main__":
    with FluxJobExecutor(max_cores=1) as executor:
        print(executor.submit(square, 2).result())
    with FluxJobExecutor(max_workers=1, block_allocation=True) as executor:
        print(executor.submit(square, 3).result())
    with FluxClusterExecutor(resource_dict={"cores": 1}, cache_directory="cache") as executor:
        print(executor.submit(square, 4).result())
EOS

test_expect_success WORKFLOWS 'executorlib runs functions in jobs, in workers and in batch jobs' '
	printf "%s\n" 4 9 16 >expect &&
	python3 with-executorlib.py >actual &&
	test_cmp expect actual
'

cat >Snakefile <<'EOS'
rule twice:
    input: "once"
    output: "twice"
    shell: "cat {input} {input} >{output}"

rule once:
    output: "once"
    shell: "echo $FLUX_JOB_ID >{output}"
EOS

test_expect_success WORKFLOWS 'Snakemake runs a step a job' '
	snakemake --quiet --executor=flux --jobs=2 --seconds-between-status-checks=1 twice &&
	test "$(wc -l <twice)" = 2 &&
	flux job id "$(head -n 1 twice)"
'

cat >study.yaml <<'EOS'
description:
    name: study
    description: squares and their sum
batch:
    type: flux
    host: here
    bank: none
    queue: none
study:
    - name: square
      description: a square
      run:
          cmd: echo $(( $(N) * $(N) )) >square
          nodes: 1
          procs: 1
          nested: False
          walltime: "00:01:00"
    - name: sum
      description: the sum
      run:
          cmd: cat $(square.workspace)/*/square | awk '{ sum += $1 } END { print sum }' >sum
          nodes: 1
          procs: 1
          nested: True
          depends: [square_*]
          walltime: "00:01:00"
global.parameters:
    N:
        values: [1, 2]
        label: N.%%
EOS

test_expect_success WORKFLOWS 'Maestro runs the steps of a study, one of them in an instance' '
	maestro run -fg -y -s 1 -o study study.yaml >log 2>&1 &&
	echo 5 >expect &&
	test_cmp expect study/sum/sum
'

cat >settings.py <<'EOS'
site_configuration = {
    "systems": [
        {
            "name": "here",
            "hostnames": [".*"],
            "partitions": [
                {
                    "name": "flux",
                    "scheduler": "flux",
                    "launcher": "local",
                    "environs": ["builtin"],
                }
            ],
        }
    ],
    "environments": [{"name": "builtin", "cc": "cc", "cxx": "", "ftn": ""}],
}
EOS

cat >hello.py <<'EOS'
import reframe as rfm
import reframe.utility.sanity as sn


@rfm.simple_test
class Hello(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    executable = "printenv"
    executable_opts = ["FLUX_JOB_ID"]

    @sanity_function
    def says_which_job_it_is(self):
        return sn.assert_found(r"^\S+$", self.stdout)
EOS

test_expect_success WORKFLOWS 'ReFrame runs a test in a job' '
	reframe -C settings.py -c hello.py -r >log &&
	grep "PASSED.*Ran 1/1" log
'

test_done
