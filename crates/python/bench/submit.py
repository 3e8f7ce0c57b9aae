"""Measures how fast one thread of Python submits jobs: `flux start python3 submit.py [COUNT]`.

First with the asynchronous functions, the jobspec as text and as an object, for jobs that are
held; then with an executor, for jobs whose execution is simulated, to their end.
"""

import sys
import time

import flux
import flux.job
from flux.job import FluxExecutor, JobspecV1


def rate(what, count, begun, ended, spent):
    print(f"{what:>24} {count / (ended - begun):10.0f}/s {spent * 1e6 / count:10.1f} us of Python")


def submissions(handle, what, jobspec, count):
    begun, spent = time.perf_counter(), time.process_time()
    futures = [flux.job.submit_async(handle, jobspec, urgency=0) for _ in range(count)]
    jobids = {future.get_id() for future in futures}
    rate(what, count, begun, time.perf_counter(), time.process_time() - spent)
    assert len(jobids) == count


def executor(jobspec, count):
    begun, spent = time.perf_counter(), time.process_time()
    with FluxExecutor() as jobs:
        futures = [jobs.submit(jobspec) for _ in range(count)]
        for future in futures:
            future.jobid()
        rate("executor, numbers", count, begun, time.perf_counter(), time.process_time() - spent)
        assert not any(future.result() for future in futures)
    rate("executor, results", count, begun, time.perf_counter(), time.process_time() - spent)


def main(count):
    jobspec = JobspecV1.from_command(["true"], environment={"PATH": "/usr/bin:/bin"})
    with flux.Flux() as handle:
        submissions(handle, "jobspec as text", jobspec.dumps(), count)
        submissions(handle, "jobspec as object", jobspec, count)
        handle.rpc("job-manager.raiseall", {
            "dry_run": False,
            "userid": flux.constants.FLUX_USERID_UNKNOWN,
            "states": flux.constants.FLUX_JOB_STATE_PENDING,
            "severity": 0,
            "type": "cancel",
        }).get()
    jobspec.setattr("system.exec.test.run_duration", "0.0001s")
    executor(jobspec, count)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10000)
