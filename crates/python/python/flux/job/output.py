"""Output of jobs: what their tasks wrote, and what the job shell had to say (RFC 24).

It is in the KVS unless the job asked for files: then there are only the names of these.
"""

from __future__ import annotations

import base64
import errno
from typing import Any, Dict, Generator, Iterator, List, NamedTuple, Optional, Tuple, Union

from flux.idset import IDset
from flux.job.event import (
    WATCH_SENTINEL,
    WATCH_WAITCREATE,
    EventLogEvent,
    JobEventWatchFuture,
)
from flux.job.kvslookup import job_kvs_lookup

__all__ = [
    "JobExceptionEvent",
    "JobOutput",
    "JobOutputEventWatch",
    "JobOutputWatch",
    "JobOutputWatchLines",
    "LogEvent",
    "OutputEvent",
    "RedirectEvent",
    "job_output",
    "output_event_watch",
    "output_event_watch_async",
    "output_watch",
    "output_watch_async",
    "output_watch_lines",
    "output_watch_lines_async",
]

_LOG_LEVELS = ("FATAL", "FATAL", "FATAL", "ERROR", " WARN", "NOTICE", "", "DEBUG")

#: The next chunk: its stream (`stdout`, `stderr` or `log`) and text; `(None, None)` at the end.
Chunk = Tuple[Optional[str], Optional[str]]


class OutputEvent(EventLogEvent):
    """Output of tasks: `stream`, `rank` (an `IDset`, or `all`), `data` and `eof`."""

    def __init__(self, entry: Any, labelio: bool = False) -> None:
        super().__init__(entry)
        context = self.context
        self.stream: str = context["stream"]
        self.rank: Any = context["rank"] if context["rank"] == "all" else IDset(context["rank"])
        self.eof: bool = bool(context.get("eof", False))
        self.data: str = _data(context)
        self._labelio = labelio

    def render(self) -> Tuple[str, str]:
        """Returns the stream and the text, with the rank before each line if so wished."""
        if not self._labelio or not self.data:
            return self.stream, self.data
        lines = self.data.splitlines(keepends=True)
        return self.stream, "".join(f"{self.rank}: {line}" for line in lines)


def _data(context: Dict[str, Any]) -> str:
    data = context.get("data", "")
    if context.get("encoding") == "base64":
        data = base64.b64decode(data).decode("utf-8", errors="replace")
    return data * context.get("repeat", 1)


class RedirectEvent(EventLogEvent):
    """A stream of tasks goes to a file: `stream`, `rank` and `path`."""

    def __init__(self, entry: Any) -> None:
        super().__init__(entry)
        self.stream: str = self.context["stream"]
        self.rank = IDset(self.context["rank"])
        self.path: str = self.context.get("path", "")

    def render(self) -> Tuple[str, str]:
        """Returns the stream `stderr` and a sentence."""
        to = f" to {self.path}" if self.path else ""
        return "stderr", f"{self.rank}: {self.stream} redirected{to}\n"


class LogEvent(EventLogEvent):
    """A message of the job shell: `level` (0 to 7), `message`, `rank`, `component`."""

    def __init__(self, entry: Any) -> None:
        super().__init__(entry)
        self.level: int = self.context["level"]
        self.message: str = self.context["message"]
        self.rank: int = self.context.get("rank", -1)
        self.component: str = self.context.get("component", "")
        self.file: str = self.context.get("file", "")
        self.line: int = self.context.get("line", -1)

    def render(self) -> Tuple[str, str]:
        """Returns the stream `log` and a line."""
        rank = f"[{self.rank}]" if self.rank >= 0 else ""
        level = _LOG_LEVELS[min(max(self.level, 0), 7)]
        component = f"{self.component}: " if self.component else ""
        level = f" {level}:" if level else ""
        return "log", f"flux-shell{rank}:{level} {component}{self.message}\n"


class JobExceptionEvent(EventLogEvent):
    """An exception of the job: `severity`, `exc_type` and `note`."""

    def __init__(self, entry: Any) -> None:
        super().__init__(entry)
        self.severity: int = self.context["severity"]
        self.exc_type: str = self.context["type"]
        self.note: str = self.context.get("note", "")

    def render(self) -> Tuple[str, str]:
        """Returns the stream `log` and a line."""
        text = f"job.exception: type={self.exc_type} severity={self.severity} {self.note}"
        return "log", text.rstrip() + "\n"


class JobOutputEventWatch(JobEventWatchFuture):
    """Future of `output_event_watch_async`: one event after the other."""

    def __init__(
        self, flux_handle: Any, jobid: Union[int, str], labelio: bool = False, nowait: bool = False
    ) -> None:
        flags = WATCH_SENTINEL if nowait else WATCH_WAITCREATE
        super().__init__(flux_handle, jobid, "output", flags)
        self._labelio = labelio
        self._nowait = nowait

    def get_event(self, autoreset: bool = True) -> Optional[EventLogEvent]:
        """Returns the next event, None after the last one; waits for it.

        It is an `OutputEvent`, a `LogEvent`, a `RedirectEvent`, or what stands at the head of
        the log. Raises `OSError` if there is no such job, or it is somebody else's.
        """
        answer = self._next(autoreset)
        return None if answer is None else self._typed(EventLogEvent(answer["event"]))

    def _next(self, autoreset: bool) -> Any:
        if not self._nowait:
            return super()._next(autoreset)
        try:
            answer = super()._next(autoreset)
        except FileNotFoundError:
            # Nothing was written yet.
            return None
        if answer is None:
            self.cancel(stop=True)
        return answer

    def _typed(self, entry: EventLogEvent) -> EventLogEvent:
        if entry.name == "data":
            return OutputEvent(entry, self._labelio)
        kinds = {"log": LogEvent, "redirect": RedirectEvent}
        return kinds.get(entry.name, EventLogEvent)(entry)


class JobOutputWatch(JobOutputEventWatch):
    """Future of `output_watch_async`: one chunk after the other, also in `async for`."""

    #: Messages of the job shell up to this level are in `stderr`, not in `log`.
    log_stderr_level = -1

    def get_output(self) -> Chunk:
        """Returns the stream and the text of the next chunk; `(None, None)` at the end. The text
        is empty where a stream ends."""
        event = self.get_event()
        return (None, None) if event is None else self._render(event)

    async def __anext__(self) -> Any:
        await self.ready()
        chunk = self.get_output()
        if chunk[0] is None:
            raise StopAsyncIteration
        return chunk

    def _render(self, event: Any) -> Tuple[str, str]:
        if not hasattr(event, "render"):
            return "log", ""
        stream, text = event.render()
        if isinstance(event, LogEvent) and event.level <= self.log_stderr_level:
            stream = "stderr"
        return stream, text


class JobOutputWatchLines(JobOutputWatch):
    """Future of `output_watch_lines_async`: one line after the other, also in `async for`."""

    keepends = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lines: List[Tuple[str, str]] = []

    def getline(self) -> Chunk:
        """Returns the stream and the next line; `(None, None)` at the end. The line is empty
        where a stream ends, too."""
        if not self._lines:
            event = self.get_event(autoreset=False)
            if event is None:
                return None, None
            stream, text = self._render(event)
            self._lines = [(stream, line) for line in text.splitlines(self.keepends)]
            if not self._lines:
                self.reset()
                return stream, ""
        stream, line = self._lines.pop(0)
        if self._lines:
            # Still fulfilled: a callback is called again for the lines that are left.
            self._resets += 1
        else:
            self.reset()
        return stream, line

    async def __anext__(self) -> Any:
        await self.ready()
        line = self.getline()
        if line[0] is None:
            raise StopAsyncIteration
        return line


def output_event_watch_async(
    flux_handle: Any, jobid: Union[int, str], labelio: bool = False, nowait: bool = False
) -> JobOutputEventWatch:
    """Follows the output of a job as events; with `nowait` only what there is now."""
    return JobOutputEventWatch(flux_handle, jobid, labelio, nowait)


def output_watch_async(
    flux_handle: Any,
    jobid: Union[int, str],
    labelio: bool = False,
    log_stderr_level: int = -1,
    nowait: bool = False,
) -> JobOutputWatch:
    """Follows the output of a job in chunks.

    With `labelio` lines begin with the rank of their task. Messages of the job shell of up to
    `log_stderr_level` (0 to 7) are in `stderr`. With `nowait` only what there is now.
    """
    future = JobOutputWatch(flux_handle, jobid, labelio, nowait)
    future.log_stderr_level = log_stderr_level
    return future


def output_watch_lines_async(
    flux_handle: Any,
    jobid: Union[int, str],
    labelio: bool = False,
    log_stderr_level: int = -1,
    nowait: bool = False,
    keepends: bool = False,
) -> JobOutputWatchLines:
    """Follows the output of a job in lines; with `keepends` their ends stay."""
    future = JobOutputWatchLines(flux_handle, jobid, labelio, nowait)
    future.log_stderr_level = log_stderr_level
    future.keepends = keepends
    return future


def output_event_watch(
    flux_handle: Any, jobid: Union[int, str], labelio: bool = False, nowait: bool = False
) -> Generator[EventLogEvent, None, None]:
    """Yields the output of a job as events, then its exceptions."""
    future = output_event_watch_async(flux_handle, jobid, labelio, nowait)
    event = future.get_event()
    while event is not None:
        yield event
        event = future.get_event()
    yield from _exceptions(flux_handle, jobid)


def output_watch(
    flux_handle: Any,
    jobid: Union[int, str],
    labelio: bool = False,
    log_stderr_level: int = -1,
    nowait: bool = False,
) -> Iterator[Tuple[str, str]]:
    """Yields the output of a job as `(stream, text)`; see `output_watch_async`."""
    future = output_watch_async(flux_handle, jobid, labelio, log_stderr_level, nowait)
    stream, text = future.get_output()
    while stream is not None and text is not None:
        if text:
            yield stream, text
        stream, text = future.get_output()


def output_watch_lines(
    flux_handle: Any,
    jobid: Union[int, str],
    labelio: bool = False,
    log_stderr_level: int = -1,
    nowait: bool = False,
    keepends: bool = False,
) -> Iterator[Tuple[str, str]]:
    """Yields the output of a job as `(stream, line)`; see `output_watch_lines_async`."""
    for stream, text in output_watch(flux_handle, jobid, labelio, log_stderr_level, nowait):
        for line in text.splitlines(keepends):
            yield stream, line


def _exceptions(flux_handle: Any, jobid: Union[int, str]) -> Iterator[JobExceptionEvent]:
    found = job_kvs_lookup(flux_handle, jobid, ["eventlog"])
    if found is None:
        raise OSError(errno.ENOENT, f"job {jobid} not found")
    for line in found["eventlog"].splitlines():
        event = EventLogEvent(line)
        if event.name == "exception":
            yield JobExceptionEvent(event)


class JobOutput(NamedTuple):
    """All output of a job."""

    stdout: str
    stderr: str
    #: Messages of the job shell, and exceptions.
    log: str


def job_output(
    flux_handle: Any, jobid: Union[int, str], labelio: bool = False, nowait: bool = False
) -> JobOutput:
    """Returns the output of a job; waits for its end unless `nowait`.

    Raises `OSError` if there is no such job, or it is somebody else's.
    """
    texts: Dict[str, List[str]] = {"stdout": [], "stderr": [], "log": []}
    for event in output_event_watch(flux_handle, jobid, labelio, nowait):
        if hasattr(event, "render"):
            stream, text = event.render()
            texts[stream].append(text)
    return JobOutput(**{stream: "".join(parts) for stream, parts in texts.items()})
