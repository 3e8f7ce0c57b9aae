"""Jobs in the manner of `concurrent.futures`: submitted here, followed in the background.

`FluxExecutor` is what programs use; the thread that does its work is in `_worker.py`.
"""

from __future__ import annotations

import concurrent.futures as cf
import threading
import weakref
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

from flux.job._worker import Task, Worker
from flux.job.event import MAIN_EVENTS, EventLogEvent
from flux.job.JobID import JobID

__all__ = ["FluxExecutor", "FluxExecutorFuture"]


class FluxExecutorFuture(cf.Future):
    """A job of a `FluxExecutor`; such futures are made by it alone.

    Its result is the highest exit code of the tasks, or minus the number of the signal that
    ended them. It is set when the job finishes; events may come after that. Its exception is a
    `flux.job.JobException` if one of severity 0 was raised on the job, and an `OSError` if the
    job was not taken or the connection is lost.
    """

    #: Names of the events that `add_event_callback` takes.
    EVENTS = MAIN_EVENTS

    def __init__(self, owning_thread_id: Optional[int] = None) -> None:
        super().__init__()
        self._jobid: Optional[JobID] = None
        self._jobid_error: Optional[BaseException] = None
        self._has_jobid = threading.Event()
        self._jobid_callbacks: List[Callable[[Any], None]] = []
        self._events: List[EventLogEvent] = []
        self._event_callbacks: Dict[str, List[Callable[[Any, EventLogEvent], None]]] = {}

    def jobid(self, timeout: Optional[float] = None) -> JobID:
        """Returns the number of the job; waits for it, at most `timeout` seconds.

        Raises `concurrent.futures.TimeoutError` if they pass, `CancelledError` if the future
        was canceled before, `RuntimeError` if the job was not taken.
        """
        if not self._has_jobid.wait(timeout):
            raise cf.TimeoutError()
        if self._jobid is not None:
            return self._jobid
        if self.cancelled():
            raise cf.CancelledError()
        raise RuntimeError(f"job could not be submitted: {self._jobid_error}") from self._jobid_error

    def jobid_ready(self) -> bool:
        """True if `jobid` would not wait."""
        return self._has_jobid.is_set()

    def add_jobid_callback(self, callback: Callable[[Any], None]) -> None:
        """Has `callback(future)` called when `jobid` would not wait: now, or by a thread of the
        executor. What it raises is logged."""
        with self._condition:
            if not self._has_jobid.is_set():
                self._jobid_callbacks.append(callback)
                return
        self._call(callback, self)

    def add_event_callback(
        self, event: str, callback: Callable[[Any, EventLogEvent], None]
    ) -> None:
        """Has `callback(future, event)` called for each event of a name: now for those that
        were, and by a thread of the executor for those that come. What it raises is logged.

        Raises `ValueError` for a name that is not in `EVENTS`, besides `debug.` ones.
        """
        if event not in self.EVENTS and not event.startswith("debug."):
            raise ValueError(f"unknown event name '{event}'")
        with self._condition:
            self._event_callbacks.setdefault(event, []).append(callback)
            past = [entry for entry in self._events if entry.name == event]
        for entry in past:
            self._call(callback, self, entry)

    def cancel(self, *args: Any, **kwargs: Any) -> bool:
        """Cancels it if its job was not submitted yet; says whether that was so.

        `flux.job.cancel` cancels the job itself.
        """
        canceled = super().cancel()
        if canceled:
            self._settle_jobid()
        return canceled

    # For the thread of the executor.

    def set_jobid(self, jobid: JobID) -> None:
        """Says which job it is. For the executor."""
        self._jobid = jobid
        self._settle_jobid()

    def fail(self, error: BaseException) -> None:
        """Says that there will be no result. For the executor."""
        if not self._has_jobid.is_set():
            self._jobid_error = error
        if not self.done():
            self.set_exception(error)
        self._settle_jobid()

    def _settle_jobid(self) -> None:
        with self._condition:
            self._has_jobid.set()
            callbacks, self._jobid_callbacks = self._jobid_callbacks, []
        for callback in callbacks:
            self._call(callback, self)

    def set_event(self, event: EventLogEvent) -> None:
        """Takes an event in. For the executor."""
        with self._condition:
            self._events.append(event)
            callbacks = list(self._event_callbacks.get(event.name, ()))
        for callback in callbacks:
            self._call(callback, self, event)

    @staticmethod
    def _call(callback: Callable[..., None], *args: Any) -> None:
        try:
            callback(*args)
        except Exception:
            import logging

            logging.getLogger("flux.job").exception("exception in callback of %r", args[0])


class FluxExecutor(cf.Executor):
    """Submits jobs and follows them, in threads of its own.

    `threads` connections share the jobs; their threads are named `thread_name_prefix` and a
    number. `handle_args` and `handle_kwargs` are arguments of `flux.Flux`. `poll_interval` is
    accepted for programs that give it: nothing polls here.

    Used with `with` it waits for its jobs at the end. Raises `OSError` at the first use of a
    future if there is no instance to connect to.
    """

    def __init__(
        self,
        threads: int = 1,
        thread_name_prefix: str = "",
        poll_interval: float = 0.1,
        handle_args: Sequence[Any] = (),
        handle_kwargs: Optional[Mapping[str, Any]] = None,
    ) -> None:
        if threads < 1:
            raise ValueError("the number of threads must be > 0")
        if poll_interval < 0:
            raise ValueError("poll_interval must be >= 0")
        prefix = thread_name_prefix or "flux-executor"
        self._workers = [
            Worker(f"{prefix}-{number}", tuple(handle_args), dict(handle_kwargs or {}))
            for number in range(threads)
        ]
        self._next = 0
        self._is_shut_down = False
        self._lock = threading.Lock()
        # Jobs that are on their way are followed to their end even if nobody holds it.
        weakref.finalize(self, _finish, self._workers).atexit = False

    def submit(self, *args: Any, **kwargs: Any) -> FluxExecutorFuture:
        """Submits a job and returns its future.

        Arguments are those of `flux.job.submit_async` without the handle: `jobspec`,
        `urgency`, and so on. Raises `RuntimeError` after `shutdown`.
        """
        from flux.job.submit import submission

        request = submission(*args, **kwargs)
        return self._hand_out(lambda future: Task(future, request=request))

    def attach(self, jobid: Union[int, str]) -> FluxExecutorFuture:
        """Returns the future of a job that exists already. Raises `RuntimeError` after
        `shutdown`."""
        number = JobID(jobid)
        return self._hand_out(lambda future: Task(future, jobid=number))

    def _hand_out(self, make: Callable[[FluxExecutorFuture], Task]) -> FluxExecutorFuture:
        with self._lock:
            if self._is_shut_down:
                raise RuntimeError("cannot schedule new futures after shutdown")
            future = FluxExecutorFuture()
            self._workers[self._next % len(self._workers)].put(make(future))
            self._next += 1
        return future

    def map(self, *args: Any, **kwargs: Any) -> Any:
        """Is not there: jobs are made of jobspecs, not of functions."""
        raise NotImplementedError("FluxExecutor has no map: submit jobspecs one by one")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no more jobs. With `wait` it returns when all jobs have finished; with
        `cancel_futures` those that were not submitted yet are canceled."""
        with self._lock:
            self._is_shut_down = True
        for worker in self._workers:
            worker.finish(cancel_futures)
        if wait:
            for worker in self._workers:
                worker.join()


def _finish(workers: List[Worker]) -> None:
    for worker in workers:
        worker.finish(False)
