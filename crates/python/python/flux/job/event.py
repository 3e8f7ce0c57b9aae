"""Events of jobs: what is in their logs, and following them."""

from __future__ import annotations

import errno
import json
import os
from typing import Any, Dict, Generator, Iterator, Mapping, Optional, Union

from flux import constants
from flux.job.JobID import JobID
from flux.rpc import RPC

__all__ = [
    "EventLogEvent",
    "JobEventWatchFuture",
    "JobException",
    "MAIN_EVENTS",
    "event_wait",
    "event_watch",
    "event_watch_async",
]

#: Names of the events of a job's main log (RFC 21).
MAIN_EVENTS = frozenset(
    {
        "submit",
        "validate",
        "depend",
        "dependency-add",
        "dependency-remove",
        "jobspec-update",
        "resource-update",
        "memo",
        "priority",
        "urgency",
        "flux-restart",
        "alloc",
        "prolog-start",
        "prolog-finish",
        "start",
        "exception",
        "finish",
        "epilog-start",
        "epilog-finish",
        "release",
        "free",
        "clean",
    }
)

#: Short names of logs, as commands take them.
_LOGS = {
    "exec": "guest.exec.eventlog",
    "output": "guest.output",
    "input": "guest.input",
}

#: Flags of a watch: wait for a log that does not exist yet.
WATCH_WAITCREATE = 1
#: Flags of a watch: say where the entries end that were there when it began.
WATCH_SENTINEL = 2


class EventLogEvent(dict):
    """One entry of an event log (RFC 18), of its line or its object."""

    def __init__(self, event: Union[str, Mapping[str, Any]]) -> None:
        super().__init__(json.loads(event) if isinstance(event, (str, bytes)) else event)
        if "name" not in self or "timestamp" not in self:
            raise ValueError("an event must have a name and a timestamp")
        self.setdefault("context", {})

    @property
    def name(self) -> str:
        """Its name."""
        return self["name"]

    @property
    def timestamp(self) -> float:
        """Time of the event, in seconds since the epoch."""
        return self["timestamp"]

    @property
    def context(self) -> Dict[str, Any]:
        """Data of the event."""
        return self["context"]

    @property
    def context_string(self) -> str:
        """The same as JSON; empty if there is nothing."""
        if not self.context:
            return ""
        return json.dumps(self.context, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    def __str__(self) -> str:
        return f"{self.timestamp:-0.5f}: {self.name} {self.context_string}".rstrip()


class JobException(Exception):
    """An `exception` event of a job."""

    def __init__(self, event: EventLogEvent) -> None:
        context = event.context
        #: Time of the exception, in seconds since the epoch.
        self.timestamp: float = event.timestamp
        #: A word that says which kind it is, such as `cancel` and `timeout`.
        self.type: str = context.get("type", "")
        #: A sentence for people.
        self.note: str = context.get("note", "")
        #: 0 if the job ends by it, else up to 7.
        self.severity: int = context.get("severity", 0)
        super().__init__(event)

    def __str__(self) -> str:
        return f"job.exception: type={self.type} severity={self.severity} {self.note}".rstrip()


class JobEventWatchFuture(RPC):
    """Future of `event_watch_async`: one event after the other.

    In a coroutine `async for event in future` yields them, to the end of the log.
    """

    def __init__(
        self, flux_handle: Any, jobid: Union[int, str], eventlog: str, flags: int
    ) -> None:
        number = int(jobid if isinstance(jobid, int) else JobID(jobid))
        payload = {"id": number, "path": _LOGS.get(eventlog, eventlog), "flags": flags}
        super().__init__(
            flux_handle,
            "job-info.eventlog-watch",
            payload,
            flags=constants.FLUX_RPC_STREAMING,
        )

    def get_event(self, autoreset: bool = True) -> Optional[EventLogEvent]:
        """Returns the next event, None after the last one; waits for it.

        With `autoreset=False` the same event is returned until `reset` is called. Raises
        `OSError` if there is no such job or log, or it is somebody else's.
        """
        answer = self._next(autoreset)
        return None if answer is None else EventLogEvent(answer["event"])

    def _next(self, autoreset: bool) -> Any:
        """The next answer; None at the end, and where a watch says that this is all there is."""
        try:
            answer = self.get()
        except OSError as error:
            if error.errno == errno.ENODATA:
                return None
            raise
        if autoreset:
            self.reset()
        return answer

    def cancel(self, stop: bool = False, topic: Optional[str] = None) -> None:
        """Ends the stream; with `stop` the callback is not called any more."""
        super().cancel(stop, topic or "job-info.eventlog-watch-cancel")

    def __await__(self) -> Generator[Any, None, Optional[EventLogEvent]]:
        yield from self.ready().__await__()
        return self.get_event(autoreset=False)

    async def __anext__(self) -> EventLogEvent:
        await self.ready()
        event = self.get_event()
        if event is None:
            raise StopAsyncIteration
        return event


def event_watch_async(
    flux_handle: Any,
    jobid: Union[int, str],
    eventlog: str = "eventlog",
    waitcreate: bool = False,
) -> JobEventWatchFuture:
    """Follows a log of a job, from its beginning to its end.

    `eventlog` is the main log, or `guest.exec.eventlog` (or `exec`), `guest.output`
    (`output`) and `guest.input` (`input`). `waitcreate` waits for a log that is not there yet.
    """
    flags = WATCH_WAITCREATE if waitcreate else 0
    return JobEventWatchFuture(flux_handle, jobid, eventlog, flags)


class _EventWatch:
    """The events of a job, for `for` and for `async for`. Leaving the loop ends the stream."""

    def __init__(self, future: JobEventWatchFuture) -> None:
        self._future = future
        self._is_over = False

    def __iter__(self) -> Iterator[EventLogEvent]:
        return self

    def __next__(self) -> EventLogEvent:
        event = self._future.get_event()
        if event is None:
            self._is_over = True
            raise StopIteration
        return event

    def __aiter__(self) -> _EventWatch:
        return self

    async def __anext__(self) -> EventLogEvent:
        try:
            return await self._future.__anext__()
        except StopAsyncIteration:
            self._is_over = True
            raise

    def __del__(self) -> None:
        if self._is_over:
            return
        try:
            self._future.cancel(stop=True)
        except (OSError, RuntimeError, ValueError):
            # The connection is closed, or another thread's.
            pass


def event_watch(
    flux_handle: Any,
    jobid: Union[int, str],
    eventlog: str = "eventlog",
    waitcreate: bool = False,
) -> Any:
    """Yields the events of a job as they come, to the end of its log.

    Works in `for` and, in a coroutine, in `async for`. Arguments as those of
    `event_watch_async`.
    """
    return _EventWatch(event_watch_async(flux_handle, jobid, eventlog, waitcreate))


def event_wait(
    flux_handle: Any,
    jobid: Union[int, str],
    name: str,
    eventlog: str = "eventlog",
    raiseJobException: bool = True,
    waitcreate: bool = False,
) -> EventLogEvent:
    """Waits for an event of a name and returns it.

    Raises `JobException` if an exception of severity 0 comes first, unless that is what is
    waited for or `raiseJobException` is False; `OSError` with ENODATA if the log ends first.
    """
    future = event_watch_async(flux_handle, jobid, eventlog, waitcreate)
    event = future.get_event()
    while event is not None:
        if event.name == name:
            future.cancel(stop=True)
            return event
        if event.name == "exception" and raiseJobException and event.context["severity"] == 0:
            future.cancel(stop=True)
            raise JobException(event)
        event = future.get_event()
    raise OSError(errno.ENODATA, f"event '{name}' never received: {os.strerror(errno.ENODATA)}")
