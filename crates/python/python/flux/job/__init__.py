"""Jobs: making, submitting, watching, listing and cancelling them.

Read on in `Jobspec.py` (requests), `submit.py`, `event.py` (logs), `wait.py` (results),
`list.py` and `info.py` (lists of jobs), and `executor.py` (jobs in the manner of
`concurrent.futures`).

Names are loaded when they are first used. Those of modules that share their name with a
function are the exception: the function has to win.
"""

from __future__ import annotations

import importlib
from typing import Any

from flux.job.JobID import JobID, id_encode, id_parse
from flux.job.Jobspec import Jobspec, JobspecV1, validate_jobspec
from flux.job.kill import cancel, cancel_async, kill, kill_async, raise_async, raise_exception
from flux.job.submit import SubmitFuture, submit, submit_async, submit_get_id
from flux.job.wait import (
    JobResultFuture,
    JobWaitFuture,
    JobWaitResult,
    result,
    result_async,
    wait,
    wait_async,
    wait_get_status,
)

_LAZY = {
    "EventLogEvent": "event",
    "JobEventWatchFuture": "event",
    "JobException": "event",
    "MAIN_EVENTS": "event",
    "event_wait": "event",
    "event_watch": "event",
    "event_watch_async": "event",
    "FluxExecutor": "executor",
    "FluxExecutorFuture": "executor",
    "AnnotationsInfo": "info",
    "ExceptionInfo": "info",
    "InfoList": "info",
    "InstanceInfo": "info",
    "JobInfo": "info",
    "JobInfoFormat": "format",
    "job_fields_to_attrs": "format",
    "JournalConsumer": "journal",
    "JournalEvent": "journal",
    "JobKVSLookup": "kvslookup",
    "job_info_lookup": "kvslookup",
    "job_kvs_lookup": "kvslookup",
    "JobList": "list",
    "get_job": "list",
    "job_list": "list",
    "job_list_id": "list",
    "job_list_inactive": "list",
    "job_kvs": "kvs",
    "job_kvs_guest": "kvs",
    "JobOutput": "output",
    "job_output": "output",
    "output_event_watch": "output",
    "output_event_watch_async": "output",
    "output_watch": "output",
    "output_watch_async": "output",
    "output_watch_lines": "output",
    "output_watch_lines_async": "output",
    "JobStats": "stats",
    "timeleft": "timeleft",
    "set_urgency": "urgency",
    "JobWatcher": "watcher",
}

__all__ = [
    "JobID",
    "id_encode",
    "id_parse",
    "Jobspec",
    "JobspecV1",
    "validate_jobspec",
    "cancel",
    "cancel_async",
    "kill",
    "kill_async",
    "raise_async",
    "raise_exception",
    "SubmitFuture",
    "submit",
    "submit_async",
    "submit_get_id",
    "JobResultFuture",
    "JobWaitFuture",
    "JobWaitResult",
    "result",
    "result_async",
    "wait",
    "wait_async",
    "wait_get_status",
    *_LAZY,
]


def __getattr__(name: str) -> Any:
    """Loads what is asked for: a name of a submodule, or the submodule itself."""
    if name in _LAZY:
        value = getattr(importlib.import_module("flux.job." + _LAZY[name]), name)
        globals()[name] = value
        return value
    if name.startswith("_"):
        raise AttributeError(f"module 'flux.job' has no attribute '{name}'")
    try:
        return importlib.import_module("flux.job." + name)
    except ModuleNotFoundError as error:
        if error.name != "flux.job." + name:
            raise
        raise AttributeError(f"module 'flux.job' has no attribute '{name}'") from None
