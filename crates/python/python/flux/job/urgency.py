"""Changing how urgent a job is."""

from __future__ import annotations

from typing import Any, Union

from flux import constants
from flux.job.JobID import JobID
from flux.rpc import RPC

__all__ = ["set_urgency", "set_urgency_async"]

_NAMES = {
    "hold": constants.FLUX_JOB_URGENCY_HOLD,
    "default": constants.FLUX_JOB_URGENCY_DEFAULT,
    "expedite": constants.FLUX_JOB_URGENCY_EXPEDITE,
}


def set_urgency_async(
    flux_handle: Any, jobid: Union[int, str], urgency: Union[int, str]
) -> RPC:
    """Changes it and returns a future of `{"old_urgency": N}`; see `set_urgency`."""
    number = int(jobid if isinstance(jobid, int) else JobID(jobid))
    value = _NAMES.get(urgency) if isinstance(urgency, str) else None
    payload = {"id": number, "urgency": int(urgency) if value is None else value}
    return RPC(flux_handle, "job-manager.urgency", payload)


def set_urgency(
    flux_handle: Any, jobid: Union[int, str], urgency: Union[int, str]
) -> int:
    """Changes how urgent a pending job is, and returns how urgent it was.

    `urgency` is 0 to 31, `hold`, `default` or `expedite`. Raises `OSError` if there is no such
    job or it has resources already.
    """
    return set_urgency_async(flux_handle, jobid, urgency).get()["old_urgency"]
