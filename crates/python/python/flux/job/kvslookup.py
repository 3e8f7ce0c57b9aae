"""Stored data of jobs: jobspec, resources, logs."""

from __future__ import annotations

import errno
import json
from typing import Any, Dict, List, Sequence, Union

from flux.job.JobID import JobID
from flux.rpc import RPC

__all__ = [
    "JobInfoLookupRPC",
    "JobKVSLookup",
    "JobKVSLookupFuture",
    "decode_special_data",
    "job_info_lookup",
    "job_kvs_lookup",
]

#: Flags of a lookup: with all updates since the submission.
LOOKUP_CURRENT = 2

#: Keys whose values are JSON.
_JSON_KEYS = ("jobspec", "R")


def decode_special_data(data: Dict[str, Any]) -> Dict[str, Any]:
    """Replaces the texts of `jobspec` and `R` by their objects."""
    for key in _JSON_KEYS:
        if isinstance(data.get(key), str):
            data[key] = json.loads(data[key])
    return data


def _original_jobspec(request: str) -> str:
    """The jobspec within a signed request."""
    import base64

    return base64.b64decode(request.split(".")[1]).decode("utf-8")


class JobInfoLookupRPC(RPC):
    """Future of `job_info_lookup`: `{"id": ..., KEY: TEXT}`."""

    original = False

    def get(self) -> Dict[str, Any]:
        """Returns the values, as texts."""
        data = super().get()
        if self.original and "J" in data:
            data["jobspec"] = _original_jobspec(data.pop("J"))
        return data

    def get_decode(self) -> Dict[str, Any]:
        """Returns the values, `jobspec` and `R` as objects."""
        return decode_special_data(self.get())



def job_info_lookup(
    flux_handle: Any,
    jobid: Union[int, str],
    keys: Sequence[str] = ("jobspec",),
    flags: int = 0,
) -> JobInfoLookupRPC:
    """Asks for values below the folder of a job in the KVS, such as `eventlog`, `R` and
    `guest.output`. Flag 2 applies the updates since the submission to `jobspec` and `R`."""
    number = int(jobid if isinstance(jobid, int) else JobID(jobid))
    payload = {"id": number, "keys": list(keys), "flags": flags}
    return JobInfoLookupRPC(flux_handle, "job-info.lookup", payload)


def _lookup(
    flux_handle: Any,
    jobid: Union[int, str],
    keys: Sequence[str],
    original: bool,
    base: bool,
) -> JobInfoLookupRPC:
    names = list(keys)
    if original and "jobspec" in names:
        names[names.index("jobspec")] = "J"
    rpc = job_info_lookup(flux_handle, jobid, names, 0 if base else LOOKUP_CURRENT)
    rpc.original = original
    return rpc


def job_kvs_lookup(
    flux_handle: Any,
    jobid: Union[int, str],
    keys: Sequence[str] = ("jobspec",),
    decode: bool = True,
    original: bool = False,
    base: bool = False,
) -> Any:
    """Returns what is stored of a job as `{"id": ..., KEY: VALUE}`; None if there is no such
    job or key.

    With `decode` `jobspec` and `R` are objects; with `original` the jobspec is that which was
    submitted, environment included; with `base` updates since then are not applied.
    """
    rpc = _lookup(flux_handle, jobid, keys, original, base)
    try:
        return rpc.get_decode() if decode else rpc.get()
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise


class JobKVSLookupFuture:
    """The answers of several lookups; `errors` has the sentences of those that failed."""

    def __init__(self) -> None:
        self.errors: List[str] = []
        self._calls: List[Any] = []

    def push(self, jobid: JobID, rpc: JobInfoLookupRPC) -> None:
        """Adds a lookup."""
        self._calls.append((jobid, rpc))

    def is_ready(self) -> bool:
        """True if all answers are there."""
        return all(rpc.is_ready() for _, rpc in self._calls)

    def get(self) -> List[Dict[str, Any]]:
        """Returns the answers that are none of an error, as texts."""
        return self._all(JobInfoLookupRPC.get)

    def get_decode(self) -> List[Dict[str, Any]]:
        """The same, `jobspec` and `R` as objects."""
        return self._all(JobInfoLookupRPC.get_decode)

    def _all(self, get: Any) -> List[Dict[str, Any]]:
        found = []
        self.errors = []
        for jobid, rpc in self._calls:
            try:
                found.append(get(rpc))
            except OSError as error:
                unknown = error.errno == errno.ENOENT
                why = f"JobID {jobid.orig} unknown" if unknown else f"rpc: {error.strerror}"
                self.errors.append(why)
        return found


class JobKVSLookup:
    """A question for what is stored of several jobs; arguments as for `job_kvs_lookup`."""

    def __init__(
        self,
        flux_handle: Any,
        ids: Sequence[Union[int, str]] = (),
        keys: Sequence[str] = ("jobspec",),
        decode: bool = True,
        original: bool = False,
        base: bool = False,
    ) -> None:
        self.handle = flux_handle
        self.ids = [jobid if isinstance(jobid, JobID) else JobID(jobid) for jobid in ids]
        self.keys = list(keys)
        self.decode = decode
        self.original = original
        self.base = base
        #: Sentences of the jobs that were not found.
        self.errors: List[str] = []

    def fetch_data(self) -> JobKVSLookupFuture:
        """Asks, and returns the future."""
        future = JobKVSLookupFuture()
        for jobid in self.ids:
            rpc = _lookup(self.handle, jobid, self.keys, self.original, self.base)
            future.push(jobid, rpc)
        return future

    def data(self) -> List[Dict[str, Any]]:
        """Asks, and returns the values of all jobs that there are."""
        future = self.fetch_data()
        data = future.get_decode() if self.decode else future.get()
        self.errors = future.errors
        return data
