"""Handing jobs in."""

from __future__ import annotations

import os
from typing import Any, Dict, Generator, Mapping

from flux import _core, constants
from flux.job.JobID import JobID
from flux.rpc import RPC

__all__ = ["SubmitFuture", "submit", "submit_async", "submit_get_id"]


class SubmitFuture(RPC):
    """Future of `submit_async`: the number of the job."""

    def get_id(self) -> JobID:
        """Returns the number; waits for it.

        Raises `OSError` with the reason if the job is not taken.
        """
        return JobID(self.get()["id"])

    def __await__(self) -> Generator[Any, None, JobID]:
        yield from self.ready().__await__()
        return self.get_id()


def submission(
    jobspec: Any,
    urgency: int = constants.FLUX_JOB_URGENCY_DEFAULT,
    waitable: bool = False,
    debug: bool = False,
    pre_signed: bool = False,
    novalidate: bool = False,
) -> Dict[str, Any]:
    """The request that submits a job; see `submit_async`."""
    flags = 0
    if debug:
        flags |= constants.FLUX_JOB_DEBUG
    if waitable:
        flags |= constants.FLUX_JOB_WAITABLE
    if novalidate:
        flags |= constants.FLUX_JOB_NOVALIDATE
    request = jobspec if pre_signed else _core.sign(os.getuid(), _text(jobspec))
    return {"J": request, "urgency": urgency, "flags": flags}


def submit_async(
    flux_handle: Any,
    jobspec: Any,
    urgency: int = constants.FLUX_JOB_URGENCY_DEFAULT,
    waitable: bool = False,
    debug: bool = False,
    pre_signed: bool = False,
    novalidate: bool = False,
) -> SubmitFuture:
    """Submits a job and does not wait for its number.

    `jobspec` is a `Jobspec`, its text or its object as JSON. `urgency` is 0 (hold) to 31
    (expedite). `waitable` allows `wait` (for the owner of the instance only), `debug` makes
    the job write more events, and `novalidate` skips the checks at submission (for the owner
    only). With `pre_signed` the text is a signed request.
    """
    request = submission(jobspec, urgency, waitable, debug, pre_signed, novalidate)
    return SubmitFuture(flux_handle, "job-ingest.submit", request)


def submit_get_id(future: SubmitFuture) -> JobID:
    """Returns the number of a job from the future that `submit_async` gave."""
    return future.get_id()


def submit(
    flux_handle: Any,
    jobspec: Any,
    urgency: int = constants.FLUX_JOB_URGENCY_DEFAULT,
    waitable: bool = False,
    debug: bool = False,
    pre_signed: bool = False,
    novalidate: bool = False,
) -> JobID:
    """Submits a job and returns its number; arguments as those of `submit_async`.

    Raises `OSError` with the reason if the job is not taken.
    """
    return submit_async(
        flux_handle, jobspec, urgency, waitable, debug, pre_signed, novalidate
    ).get_id()


def _text(jobspec: Any) -> str:
    """A jobspec as its text."""
    if isinstance(jobspec, str):
        return jobspec
    if isinstance(jobspec, bytes):
        return jobspec.decode("utf-8")
    if isinstance(jobspec, Mapping):
        import json

        return json.dumps(jobspec)
    dumps = getattr(jobspec, "dumps", None)
    if dumps is None:
        raise TypeError(f"jobspec must be a Jobspec, text or a mapping, not {type(jobspec).__name__}")
    return dumps()
