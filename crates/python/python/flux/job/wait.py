"""Waiting for jobs, and their results."""

from __future__ import annotations

from typing import Any, Dict, Generator, NamedTuple, Union

from flux import constants
from flux.job.JobID import JobID
from flux.rpc import RPC

__all__ = [
    "JobResultFuture",
    "JobWaitFuture",
    "JobWaitResult",
    "result",
    "result_async",
    "wait",
    "wait_async",
    "wait_get_status",
]


class JobWaitResult(NamedTuple):
    """End of a job that was waited for."""

    jobid: JobID
    success: bool
    #: Reason of a failure; empty for a success.
    errstr: str


class JobWaitFuture(RPC):
    """Future of `wait_async`."""

    def get_status(self) -> JobWaitResult:
        """Returns how the job ended; waits for it.

        Raises `OSError` if there is no job to wait for.
        """
        answer = self.get()
        return JobWaitResult(JobID(answer["id"]), bool(answer["success"]), answer["errstr"])

    def __await__(self) -> Generator[Any, None, JobWaitResult]:
        yield from self.ready().__await__()
        return self.get_status()


def wait_async(flux_handle: Any, jobid: int = constants.FLUX_JOBID_ANY) -> JobWaitFuture:
    """Waits for a job that was submitted with `waitable`, or for the next one to end.

    Each job can be waited for once, by the owner of the instance.
    """
    number = int(jobid)
    # On the wire numbers of jobs are signed.
    if number >= 1 << 63:
        number -= 1 << 64
    return JobWaitFuture(flux_handle, "job-manager.wait", {"id": number})


def wait_get_status(future: JobWaitFuture) -> JobWaitResult:
    """Returns how a job ended from the future that `wait_async` gave."""
    return future.get_status()


def wait(flux_handle: Any, jobid: int = constants.FLUX_JOBID_ANY) -> JobWaitResult:
    """Waits for a job and returns how it ended; see `wait_async`."""
    return wait_async(flux_handle, jobid).get_status()


#: Attributes of a result.
_RESULT_ATTRS = [
    "t_submit",
    "t_run",
    "t_cleanup",
    "state",
    "result",
    "waitstatus",
    "exception_occurred",
    "exception_type",
    "exception_severity",
    "exception_note",
]


class JobResultFuture(RPC):
    """Future of `result_async`."""

    def get_dict(self) -> Dict[str, Any]:
        """Returns the result as `{id, result, t_submit, ...}`; waits for it."""
        job = dict(self.get()["job"])
        job.setdefault("exception_occurred", False)
        return job

    def get_info(self) -> Any:
        """Returns the result as a `JobInfo`; waits for it."""
        from flux.job.info import JobInfo

        return JobInfo(self.get_dict())

    def __await__(self) -> Generator[Any, None, Any]:
        yield from self.ready().__await__()
        return self.get_info()


def result_async(flux_handle: Any, jobid: Union[int, str], flags: int = 0) -> JobResultFuture:
    """Waits until a job has finished. `flags` must be 0.

    Any number of clients can do so, before and after its end.
    """
    if flags != 0:
        raise ValueError("there are no flags: flags must be 0")
    number = int(jobid if isinstance(jobid, int) else JobID(jobid))
    payload = {
        "id": number,
        "attrs": _RESULT_ATTRS,
        "state": constants.FLUX_JOB_STATE_INACTIVE,
    }
    return JobResultFuture(flux_handle, "job-list.list-id", payload)


def result(flux_handle: Any, jobid: Union[int, str], flags: int = 0) -> Any:
    """Waits until a job has finished and returns a `JobInfo` of how it ended.

    It has `id`, `t_submit`, `t_run`, `t_cleanup`, `runtime`, `result`, `returncode`,
    `waitstatus` and `exception`. Raises `OSError` if there is no such job.
    """
    return result_async(flux_handle, jobid, flags).get_info()
