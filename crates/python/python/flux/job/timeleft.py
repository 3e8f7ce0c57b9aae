"""The time that a job still has."""

from __future__ import annotations

import math
import os
import time
from typing import Any, Optional, Union

from flux.job.list import job_list_id

__all__ = ["timeleft"]


def timeleft(flux_handle: Any = None, jobid: Optional[Union[int, str]] = None) -> float:
    """Returns the seconds until the time limit of a job, `inf` if it has none.

    Without `jobid` it is the job that the caller runs in, or the one that its instance is.
    Raises `OSError` if there is no such job, `ValueError` if it has not started, or the caller
    runs in none.
    """
    import flux

    if flux_handle is None:
        flux_handle = flux.Flux()
    if jobid is None:
        jobid = os.environ.get("FLUX_JOB_ID")
    if jobid is None:
        return _instance(flux_handle)
    info = job_list_id(flux_handle, jobid, ["state", "expiration"]).get_jobinfo()
    if info.state in ("CLEANUP", "INACTIVE"):
        return 0.0
    if info.state != "RUN":
        raise ValueError(f"job {info.id} has not started")
    return _left(info.expiration)


def _instance(flux_handle: Any) -> float:
    """Time left of the resources of the instance."""
    try:
        enclosing = flux_handle.attr_get("jobid")
    except OSError:
        raise ValueError("neither this process nor its instance is part of a job") from None
    if not enclosing:
        raise ValueError("neither this process nor its instance is part of a job")
    everything = flux_handle.rpc("resource.status").get()["R"]
    return _left(everything["execution"].get("expiration", 0.0))


def _left(expiration: float) -> float:
    return max(expiration - time.time(), 0.0) if expiration > 0.0 else math.inf
