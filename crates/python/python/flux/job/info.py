"""One job as the list of jobs tells of it, and what follows from that."""

from __future__ import annotations

import json
import os
import pwd
import signal
import time
from typing import Any, Dict, Mapping, Optional, Union

from flux import _core
from flux.job._names import result_name, state_name
from flux.job.JobID import JobID

__all__ = [
    "AnnotationsInfo",
    "DependencyList",
    "EmptyObject",
    "ExceptionInfo",
    "InfoList",
    "InstanceInfo",
    "JobInfo",
    "JobInfoFormat",
    "job_fields_to_attrs",
]

#: The return code of a job that was canceled before it ran.
CANCELED_CODE = -128


def __getattr__(name: str) -> Any:
    if name in ("JobInfoFormat", "job_fields_to_attrs"):
        from flux.job import format as job_format

        return getattr(job_format, name)
    raise AttributeError(f"module 'flux.job.info' has no attribute '{name}'")


class EmptyObject:
    """Stands for what a job does not have: every attribute of it is empty too."""

    def __getattr__(self, name: str) -> EmptyObject:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return ""

    def __str__(self) -> str:
        return ""

    def __format__(self, spec: str) -> str:
        return "".__format__(spec.rstrip("dfgeF%") if spec else spec)

    def __eq__(self, other: object) -> bool:
        return not other

    def __hash__(self) -> int:
        return 0


class AnnotationsInfo:
    """Notes of the scheduler and of users, as attributes: `annotations.sched.t_estimate`."""

    def __init__(self, annotations: Optional[Mapping[str, Any]] = None) -> None:
        self.annotationsDict: Dict[str, Any] = dict(annotations or {})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "annotationsDict":
            raise AttributeError(name)
        value = self.annotationsDict.get(name)
        if value is None:
            return EmptyObject()
        return AnnotationsInfo(value) if isinstance(value, dict) else value

    def __bool__(self) -> bool:
        return bool(self.annotationsDict)

    def __repr__(self) -> str:
        return json.dumps(self.annotationsDict) if self.annotationsDict else ""

    def __format__(self, spec: str) -> str:
        return repr(self).__format__(spec)


class ExceptionInfo:
    """The worst exception of a finished job; empty texts if there was none."""

    def __init__(self, occurred: Any, severity: Any, _type: Any, note: Any) -> None:
        self.occurred = occurred
        self.severity = severity
        self.type = _type
        self.note = note

    def __repr__(self) -> str:
        return f"ExceptionInfo({self.occurred}, {self.severity}, {self.type!r}, {self.note!r})"


class InfoList(list):
    """A list that is written with commas."""

    def __str__(self) -> str:
        return ",".join(map(str, self))

    def __format__(self, spec: str) -> str:
        return str(self).__format__(spec)


class DependencyList(InfoList):
    """Dependencies of a job."""


class JobInfo:
    """A job of which the list of jobs told.

    Attributes of the list are attributes here, with `state` and `result` as their names; those
    that are not set are empty. The rest follows from them when it is asked for. Raises
    `AttributeError` for a name that jobs do not have.
    """

    #: Values of attributes that are not set.
    defaults: Dict[str, Any] = {
        "t_depend": 0.0,
        "t_priority": 0.0,
        "t_sched": 0.0,
        "t_run": 0.0,
        "t_cleanup": 0.0,
        "t_inactive": 0.0,
        "duration": 0.0,
        "expiration": 0.0,
        "name": "",
        "cwd": "",
        "queue": "",
        "project": "",
        "bank": "",
        "ntasks": "",
        "ncores": "",
        "nnodes": "",
        "priority": "",
        "ranks": "",
        "nodelist": "",
        "success": "",
        "waitstatus": "",
    }

    #: Written by `to_dict` besides the attributes of the list.
    properties = (
        "id",
        "t_submit",
        "t_remaining",
        "state",
        "result",
        "username",
        "userid",
        "urgency",
        "runtime",
        "status",
        "returncode",
        "dependencies",
    )

    def __init__(self, info_resp: Mapping[str, Any]) -> None:
        self._job = dict(info_resp)
        self.id = JobID(self._job["id"])
        self._instance: Optional[InstanceInfo] = None

    def __getattr__(self, name: str) -> Any:
        job = self.__dict__.get("_job", {})
        if name in job:
            return job[name]
        if name in self.defaults:
            return self.defaults[name]
        raise AttributeError(f"'JobInfo' has no attribute '{name}'")

    # State and result.

    @property
    def state_id(self) -> Union[int, str]:
        """The bit of its state."""
        return self._job.get("state", "")

    @property
    def result_id(self) -> Union[int, str]:
        """The bit of its result, empty while it is active."""
        return self._job.get("result", "")

    @property
    def state(self) -> str:
        """Its state, such as `RUN`."""
        return state_name(self.state_id).long

    @property
    def state_single(self) -> str:
        """Its state as one letter."""
        return state_name(self.state_id).short

    @property
    def state_emoji(self) -> str:
        """Its state as a picture."""
        return state_name(self.state_id).emoji

    @property
    def result(self) -> str:
        """Result, such as `COMPLETED`; empty while it is active."""
        return result_name(self.result_id).long

    @property
    def result_abbrev(self) -> str:
        """Result in one or two letters."""
        return result_name(self.result_id).short

    @property
    def result_emoji(self) -> str:
        """Result as a picture."""
        return result_name(self.result_id).emoji

    @property
    def status(self) -> str:
        """State, or the result of a finished job."""
        return self.result if self._is_inactive else self.state

    @property
    def status_abbrev(self) -> str:
        """The same in one or two letters."""
        return self.result_abbrev if self._is_inactive else self.state_single

    @property
    def status_emoji(self) -> str:
        """The same as a picture."""
        return self.result_emoji if self._is_inactive else self.state_emoji

    @property
    def _is_inactive(self) -> bool:
        return bool(self.result) and self.state in ("INACTIVE", "")

    @property
    def returncode(self) -> Union[int, str]:
        """The highest exit code of its tasks, or minus the signal that ended them.

        -128 if it was canceled before it ran, 1 if it failed without a status, and empty while
        it is active.
        """
        if not self._is_inactive:
            return ""
        status = self._job.get("waitstatus")
        if status is None:
            return CANCELED_CODE if self.result == "CANCELED" else 1
        return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    @property
    def exception(self) -> ExceptionInfo:
        """The worst exception that was raised on it."""
        job = self._job
        names = ("occurred", "severity", "type", "note")
        return ExceptionInfo(*(job.get("exception_" + name, "") for name in names))

    @property
    def inactive_reason(self) -> str:
        """Reason of its end, as a short sentence; empty while it is active."""
        if not self._is_inactive:
            return ""
        exception = self.exception
        if self.result == "CANCELED":
            return f"Canceled: {exception.note}" if exception.note else "Canceled"
        if self.result == "TIMEOUT":
            return "Timeout"
        if exception.occurred and exception.severity == 0:
            note = f" note={exception.note}" if exception.note else ""
            return f"Exception: type={exception.type}{note}"
        status = self._job.get("waitstatus")
        return "" if status is None else _ending(status)

    # Times.

    @property
    def runtime(self) -> float:
        """Seconds that it has run."""
        return self.get_runtime()

    def get_runtime(self) -> float:
        """Seconds that it has run, 0 if it has not begun."""
        if self.t_run <= 0.0:
            return 0.0
        end = self.t_cleanup if self.t_cleanup > 0.0 else time.time()
        return max(end - self.t_run, 0.0)

    @property
    def t_remaining(self) -> float:
        """Seconds that it may still run."""
        return self.get_remaining_time()

    def get_remaining_time(self) -> float:
        """Seconds that it may still run; 0 if it does not run or has no limit."""
        if self.state not in ("RUN", "CLEANUP") or self.expiration <= 0.0:
            return 0.0
        return max(self.expiration - time.time(), 0.0)

    @property
    def contextual_time(self) -> float:
        """Seconds that it has run, or may run while it is pending."""
        return self.duration if self._is_pending else self.runtime

    @property
    def _is_pending(self) -> bool:
        return self.state in ("NEW", "DEPEND", "PRIORITY", "SCHED")

    # The rest.

    @property
    def contextual_info(self) -> str:
        """Reason of its waiting while it is pending, then its hosts."""
        state = self.state
        if state == "PRIORITY":
            return "priority-wait"
        if state == "DEPEND":
            return f"depends:{self.dependencies}"
        if state != "SCHED":
            return self.nodelist
        if self._job.get("urgency") == 0:
            return "held"
        if self.priority == 0:
            return "priority-hold"
        estimate = self.annotations.sched.t_estimate
        if not isinstance(estimate, (int, float)):
            return ""
        left = estimate - time.time()
        return "eta:now" if left < 1.0 else "eta:" + _core.format_fsd(left)

    @property
    def username(self) -> str:
        """The name of its user, or the number if it has no name here."""
        try:
            return pwd.getpwuid(self.userid).pw_name
        except KeyError:
            return str(self.userid)

    @property
    def dependencies(self) -> DependencyList:
        """Dependencies that are not met yet."""
        return DependencyList(self._job.get("dependencies", ()))

    @property
    def annotations(self) -> AnnotationsInfo:
        """Notes of the scheduler and of users."""
        return AnnotationsInfo(self._job.get("annotations"))

    @property
    def sched(self) -> Any:
        """Notes of the scheduler."""
        return self.annotations.sched

    @property
    def user(self) -> Any:
        """Notes of users."""
        return self.annotations.user

    @property
    def uri(self) -> Any:
        """URI of the instance that it runs, a `JobURI`; empty if it runs none."""
        uri = self.annotations.user.uri
        if not isinstance(uri, str) or self.state != "RUN":
            return EmptyObject()
        from flux.uri import JobURI

        return JobURI(uri)

    @property
    def instance(self) -> InstanceInfo:
        """Statistics and resources of the instance that it runs, asked for at the first use."""
        if self._instance is None:
            self._instance = InstanceInfo(str(self.uri) or None)
        return self._instance

    def to_dict(self, filtered: bool = True) -> Dict[str, Any]:
        """The job as an object for JSON; `filtered` leaves out what is not set."""
        names = [*self._job, *(name for name in self.properties if name not in self._job)]
        job: Dict[str, Any] = {}
        value: Any
        for name in names:
            if name.startswith("exception_"):
                name, value = "exception", dict(self.exception.__dict__)
            elif name == "annotations":
                value = self.annotations.annotationsDict
            elif name == "id":
                value = int(self.id)
            else:
                value = getattr(self, name, None)
            if not filtered or value not in ("", None):
                job[name] = value
        return job

    def __repr__(self) -> str:
        return f"JobInfo({self.id})"


def _ending(status: int) -> str:
    """Sentence for the end of a job that no exception ended."""
    code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    if code == 126:
        return "Command invoked cannot execute"
    if code == 127:
        return "command not found"
    if code == 128:
        return "Invalid argument to exit"
    if code > 128:
        try:
            return signal.strsignal(code - 128) or f"Signal {code - 128}"
        except ValueError:
            return f"Signal {code - 128}"
    return f"Exit {code}"


class InstanceInfo:
    """Statistics and resources of an instance; empty where it cannot be reached."""

    def __init__(self, uri: Optional[str] = None) -> None:
        self.initialized = False
        self.stats: Any = EmptyObject()
        self.resources: Any = EmptyObject()
        if uri is None:
            return
        try:
            import flux
            from flux.job.stats import JobStats
            from flux.resource.list import resource_list

            handle = flux.Flux(uri)
            stats = JobStats(handle).update_sync()
            self.resources = resource_list(handle).get()
            self.stats = stats
            self.initialized = True
        except (OSError, ValueError):
            # It has just ended, or is on a host that cannot be reached.
            pass

    @property
    def utilization(self) -> Any:
        """Share of its cores that are allocated."""
        return self._share("ncores")

    @property
    def gpu_utilization(self) -> Any:
        """Share of its GPUs that are allocated."""
        return self._share("ngpus")

    @property
    def progress(self) -> Any:
        """Share of its jobs that have finished."""
        if not self.initialized or self.stats.total == 0:
            return ""
        return self.stats.inactive / self.stats.total

    def _share(self, what: str) -> Any:
        if not self.initialized:
            return ""
        everything = getattr(self.resources.all, what)
        if everything == 0:
            return ""
        return getattr(self.resources.allocated, what) / everything

