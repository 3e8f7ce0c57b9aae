"""A thread of a `FluxExecutor`: it has a connection of its own, submits the jobs that it is
given, and tells their futures what happens to them.
"""

from __future__ import annotations

import atexit
import errno
import os
import threading
import weakref
from collections import deque
from typing import Any, Deque, Dict, List, NamedTuple, Optional, Set, Tuple

from flux.job.event import EventLogEvent, JobEventWatchFuture, JobException
from flux.job.JobID import JobID
from flux.job.submit import SubmitFuture


class Task(NamedTuple):
    """A job to be followed: one to be submitted, or one that exists."""

    future: Any
    request: Optional[Dict[str, Any]] = None
    jobid: Optional[JobID] = None


class Worker:
    """One thread. It starts with its first task, and ends with its last one after `finish`."""

    def __init__(self, name: str, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> None:
        self._name = name
        self._args = args
        self._kwargs = kwargs
        self._lock = threading.Lock()
        # Tasks that other threads leave for it, and the pipe that tells it so.
        self._tasks: Deque[Task] = deque()
        self._pipe: Optional[Tuple[int, int]] = None
        self._is_told = False
        self._is_finishing = False
        self._is_abandoned = False
        self._thread: Optional[threading.Thread] = None
        # Used by the thread itself only.
        self._handle: Any = None
        self._active: Set[Any] = set()

    # For other threads.

    def put(self, task: Task) -> None:
        """Gives it a task."""
        with self._lock:
            self._tasks.append(task)
            if self._thread is None:
                self._pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                _running.add(self)
                self._thread.start()
            self._tell()

    def finish(self, cancel: bool) -> None:
        """Has the thread end when all jobs have finished; with `cancel` those that were not
        submitted are canceled."""
        with self._lock:
            self._is_finishing = True
            canceled = list(self._tasks) if cancel else []
            self._tell()
        for task in canceled:
            task.future.cancel()

    def abandon(self) -> None:
        """Has the thread end now, though its jobs run on."""
        with self._lock:
            self._is_abandoned = True
            self._tell()
        self.join()

    def join(self) -> None:
        """Waits for the end of the thread."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _tell(self) -> None:
        """Wakes the thread up, with the lock held."""
        if self._pipe is not None and not self._is_told:
            self._is_told = True
            os.write(self._pipe[1], b"x")

    # The thread.

    def _run(self) -> None:
        import flux

        error: BaseException = OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        try:
            self._handle = flux.Flux(*self._args, **self._kwargs)
            assert self._pipe is not None
            self._handle.fd_watcher_create(self._pipe[0], self._told).start()
            self._handle.reactor_run()
        except BaseException as why:
            error = why
        finally:
            self._end(error)

    def _end(self, error: BaseException) -> None:
        """Leaves nothing behind; after an error nobody waits for ever."""
        with self._lock:
            if self._pipe is not None:
                os.close(self._pipe[0])
                os.close(self._pipe[1])
            self._pipe = self._thread = None
            left = [task.future for task in self._tasks]
            self._tasks.clear()
        _running.discard(self)
        if not self._is_abandoned:
            for future in [*self._active, *left]:
                future.fail(error)
        self._active.clear()
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def _told(self, *_: Any) -> None:
        """Takes what other threads have left."""
        with self._lock:
            assert self._pipe is not None
            os.read(self._pipe[0], 1)
            self._is_told = False
            tasks = list(self._tasks)
            self._tasks.clear()
        if not self._is_abandoned:
            self._begin(tasks)
        self._stop_if_over()

    def _begin(self, tasks: List[Task]) -> None:
        for future, request, jobid in tasks:
            if not future.set_running_or_notify_cancel():
                continue
            self._active.add(future)
            if jobid is not None:
                self._follow(future, jobid)
                continue
            call = SubmitFuture(self._handle, "job-ingest.submit", request)
            call.then(self._submitted, future)

    def _submitted(self, call: SubmitFuture, future: Any) -> None:
        try:
            jobid = call.get_id()
        except OSError as error:
            self._over(future, error)
            return
        self._follow(future, jobid)

    def _follow(self, future: Any, jobid: JobID) -> None:
        future.set_jobid(jobid)
        watch = JobEventWatchFuture(self._handle, jobid, "eventlog", 0)
        watch.then(self._happened, future)

    def _happened(self, watch: JobEventWatchFuture, future: Any) -> None:
        try:
            event = watch.get_event()
        except OSError as error:
            self._over(future, error)
            return
        if event is None:
            self._over(future, RuntimeError("the log of the job ended before the job did"))
            return
        if not future.done():
            _settle(future, event)
        future.set_event(event)

    def _over(self, future: Any, error: BaseException) -> None:
        """There is no more to come. `error` is why, if there is no result yet."""
        self._active.discard(future)
        future.fail(error)
        self._stop_if_over()

    def _stop_if_over(self) -> None:
        with self._lock:
            is_over = self._is_finishing and not self._active and not self._tasks
            if is_over or self._is_abandoned:
                self._handle.reactor_stop()


def _settle(future: Any, event: EventLogEvent) -> None:
    """The result of a job, if an event says it."""
    if event.name == "exception" and event.context["severity"] == 0:
        future.set_exception(JobException(event))
    elif event.name == "finish":
        status = event.context["status"]
        signaled = os.WIFSIGNALED(status)
        future.set_result(-os.WTERMSIG(status) if signaled else os.WEXITSTATUS(status))


#: Workers whose thread runs.
_running: weakref.WeakSet[Worker] = weakref.WeakSet()


@atexit.register
def _abandon_all() -> None:
    """The interpreter ends: no thread of ours may be inside of it."""
    for worker in list(_running):
        worker.abandon()
