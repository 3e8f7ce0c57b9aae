"""Watching several jobs at a time: their output, their events and how they end."""

from __future__ import annotations

import sys
from typing import Any, Dict, Iterable, List, Optional, TextIO, Union

from flux.job.event import EventLogEvent, event_watch_async
from flux.job.JobID import JobID
from flux.job.output import JobOutputWatch, output_watch_async

__all__ = ["JobWatcher"]


class _Watched:
    """State of one job."""

    def __init__(self, jobid: JobID, stdout: TextIO, stderr: TextIO) -> None:
        self.jobid = jobid
        self.stdout = stdout
        self.stderr = stderr
        self.t_submit = 0.0
        self.status: Optional[int] = None
        self.failed = False


class JobWatcher:
    """Watches jobs until they have finished.

    `jobs` are numbers of jobs or `JobInfo`. With `watch` their output is written to `stdout`
    and `stderr` (those of the program if not given), each line after the job and the rank with
    `labelio`. `log_events` writes their events to `stderr`, `log_status` how they end.

    `start` begins, `flux_handle.reactor_run()` does it, and `exitcode` is the highest exit code
    then: 128 and the signal for a job that a signal ended, 1 for one that never ran.
    """

    def __init__(
        self,
        flux_handle: Any,
        jobs: Iterable[Any] = (),
        watch: bool = True,
        labelio: bool = False,
        log_events: bool = False,
        log_status: bool = False,
        stdout: Optional[TextIO] = None,
        stderr: Optional[TextIO] = None,
    ) -> None:
        self.handle = flux_handle
        self.watch = watch
        self.labelio = labelio
        self.log_events = log_events
        self.log_status = log_status
        self.stdout = stdout
        self.stderr = stderr
        self._jobs: Dict[JobID, _Watched] = {}
        self._is_started = False
        self.add_jobs(*jobs)

    def add_jobs(self, *jobs: Any) -> None:
        """Adds jobs: numbers or `JobInfo`."""
        for job in jobs:
            self.add_jobid(getattr(job, "id", job))

    def add_jobid(
        self,
        jobid: Union[int, str],
        stdout: Optional[TextIO] = None,
        stderr: Optional[TextIO] = None,
    ) -> None:
        """Adds a job, which may have streams of its own."""
        number = JobID(jobid)
        if number in self._jobs:
            return
        out = stdout or self.stdout or sys.stdout
        err = stderr or self.stderr or sys.stderr
        self._jobs[number] = _Watched(number, out, err)
        if self._is_started:
            self._begin(self._jobs[number])

    def start(self) -> JobWatcher:
        """Begins to watch, and returns itself."""
        if not self._is_started:
            self._is_started = True
            for job in list(self._jobs.values()):
                self._begin(job)
        return self

    @property
    def jobs(self) -> List[JobID]:
        """The numbers of its jobs."""
        return list(self._jobs)

    @property
    def exitcode(self) -> int:
        """The highest exit code of the finished jobs."""
        return max((_code(job) for job in self._jobs.values()), default=0)

    def _begin(self, job: _Watched) -> None:
        event_watch_async(self.handle, job.jobid).then(self._event, job)
        if self.watch:
            output = output_watch_async(self.handle, job.jobid, labelio=self.labelio)
            output.then(self._output, job)

    def _event(self, future: Any, job: _Watched) -> None:
        try:
            event = future.get_event()
        except OSError as error:
            job.failed = True
            job.stderr.write(f"{job.jobid}: {error.strerror}\n")
            return
        if event is None:
            return
        if event.name == "submit":
            job.t_submit = event.timestamp
        elif event.name == "finish":
            job.status = event.context["status"]
        elif event.name == "exception" and event.context["severity"] == 0:
            job.failed = True
        self._log(job, event)

    def _log(self, job: _Watched, event: EventLogEvent) -> None:
        since = event.timestamp - job.t_submit
        if self.log_events:
            text = f"{job.jobid}: {since:.3f}s: {event.name} {event.context_string}"
            job.stderr.write(text.rstrip() + "\n")
        if self.log_status and event.name == "finish":
            how = "complete" if job.status == 0 else "failed"
            job.stderr.write(f"{job.jobid}: {since:.3f}s: {how}: status={job.status}\n")

    def _output(self, future: JobOutputWatch, job: _Watched) -> None:
        try:
            stream, text = future.get_output()
        except OSError:
            # The job never ran, or its events have said what is wrong.
            return
        if stream is None or text is None:
            return
        if self.labelio:
            lines = text.splitlines(keepends=True)
            text = "".join(f"{job.jobid}: {line}" for line in lines)
        target = job.stdout if stream == "stdout" else job.stderr
        target.write(text)
        target.flush()


def _code(job: _Watched) -> int:
    if job.status is None:
        return 1 if job.failed else 0
    signum = job.status & 0x7F
    return 128 + signum if signum else job.status >> 8
