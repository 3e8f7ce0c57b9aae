"""Ending jobs: exceptions, of which `cancel` is one, and signals."""

from __future__ import annotations

from typing import Any, Dict, Optional, Union

from flux.rpc import RPC

__all__ = ["cancel", "cancel_async", "kill", "kill_async", "raise_async", "raise_exception"]

_SIGTERM = 15


def _id(jobid: Union[int, str]) -> int:
    from flux.job.JobID import JobID

    return int(jobid if isinstance(jobid, int) else JobID(jobid))


def raise_async(
    flux_handle: Any,
    jobid: Union[int, str],
    severity: int = 0,
    type: str = "cancel",
    note: Optional[str] = None,
) -> RPC:
    """Raises an exception on a job and returns a future without a value.

    `severity` is 0 (the job ends) to 7, `type` one word, `note` a sentence for people.
    """
    payload: Dict[str, Any] = {"id": _id(jobid), "severity": severity, "type": type}
    if note is not None:
        payload["note"] = note
    return RPC(flux_handle, "job-manager.raise", payload)


def raise_exception(
    flux_handle: Any,
    jobid: Union[int, str],
    severity: int = 0,
    type: str = "cancel",
    note: Optional[str] = None,
) -> None:
    """Raises an exception on a job; see `raise_async`.

    Raises `OSError`: there is no such job, it has finished, or it is not the caller's.
    """
    raise_async(flux_handle, jobid, severity, type, note).get()


def cancel_async(flux_handle: Any, jobid: Union[int, str], reason: Optional[str] = None) -> RPC:
    """Cancels a job and returns a future without a value; `reason` goes into its log."""
    return raise_async(flux_handle, jobid, note=reason)


def cancel(flux_handle: Any, jobid: Union[int, str], reason: Optional[str] = None) -> None:
    """Cancels a job, pending or running.

    Raises `OSError`: there is no such job, it has finished, or it is not the caller's.
    """
    cancel_async(flux_handle, jobid, reason).get()


def kill_async(
    flux_handle: Any, jobid: Union[int, str], signum: Optional[int] = None
) -> RPC:
    """Sends a signal to the tasks of a job, SIGTERM if none is named."""
    number = _SIGTERM if signum is None else int(signum)
    return RPC(flux_handle, "job-manager.kill", {"id": _id(jobid), "signum": number})


def kill(flux_handle: Any, jobid: Union[int, str], signum: Optional[int] = None) -> None:
    """Sends a signal to the tasks of a running job, SIGTERM if none is named.

    Raises `OSError`: there is no such job, it does not run, or it is not the caller's.
    """
    kill_async(flux_handle, jobid, signum).get()
