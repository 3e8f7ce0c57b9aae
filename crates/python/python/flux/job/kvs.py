"""The folders of jobs in the KVS."""

from __future__ import annotations

import os
from typing import Any, Union

from flux.job.JobID import JobID

__all__ = ["job_kvs", "job_kvs_guest"]


def job_kvs(flux_handle: Any, jobid: Union[int, str]) -> Any:
    """Returns the folder of a job as a `flux.kvs.KVSDir`. For the owner of the instance."""
    import flux.kvs

    return flux.kvs.KVSDir(flux_handle, JobID(jobid).kvs)


def job_kvs_guest(flux_handle: Any, jobid: Union[int, str]) -> Any:
    """Returns the folder for the job's own use as a `flux.kvs.KVSDir`: within the job that of
    its namespace, elsewhere `guest` below the folder of the job."""
    import flux.kvs

    if "FLUX_KVS_NAMESPACE" in os.environ:
        return flux.kvs.KVSDir(flux_handle, ".")
    return flux.kvs.KVSDir(flux_handle, JobID(jobid).kvs + ".guest")
