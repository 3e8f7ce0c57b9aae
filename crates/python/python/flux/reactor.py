"""The reactor: one loop that waits for a handle, timers, descriptors and signals, and calls
what programs have registered for them. It runs in `Flux.reactor_run`.
"""

from __future__ import annotations

import os
import select
from heapq import heappop, heappush
from time import monotonic

from flux.constants import FLUX_REACTOR_NOWAIT, FLUX_REACTOR_ONCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional

    from flux.core.handle import Flux


class Timer:
    """Something that is called once, at a time of `time.monotonic`."""

    __slots__ = ("when", "call", "is_active")

    def __init__(self, when: float, call: Callable[[], Any]) -> None:
        self.when = when
        self.call = call
        self.is_active = True

    def cancel(self) -> None:
        """Has it not called any more."""
        self.is_active = False

    def __lt__(self, other: Timer) -> bool:
        return self.when < other.when


class Reactor:
    """The loop of one handle."""

    def __init__(self, handle: Flux) -> None:
        self._handle = handle
        self._timers: list[Timer] = []
        # Descriptors: what is called with the events of poll(2), and which are asked for.
        self._fds: dict[int, list[tuple[int, Callable[[int], Any]]]] = {}
        self.prepare: list[Callable[[], Any]] = []
        self.check: list[Callable[[], Any]] = []
        self.idle: list[Callable[[], Any]] = []
        # Watchers for which it goes on running.
        self.n_active = 0
        self._stopped: Optional[int] = None
        self.is_running = False

    def call_later(self, delay: float, call: Callable[[], Any]) -> Timer:
        """Has `call` called in `delay` seconds."""
        timer = Timer(monotonic() + delay, call)
        heappush(self._timers, timer)
        return timer

    def add_fd(self, fd: int, events: int, call: Callable[[int], Any]) -> None:
        """Has `call` called with the events of poll(2) that `fd` is ready for."""
        self._fds.setdefault(fd, []).append((events, call))

    def remove_fd(self, fd: int, call: Callable[[int], Any]) -> None:
        """Takes that back."""
        left = [entry for entry in self._fds.get(fd, ()) if entry[1] != call]
        if left:
            self._fds[fd] = left
        else:
            self._fds.pop(fd, None)

    def stop(self) -> None:
        """Ends `run`, which gives back how many watchers are active."""
        self._stopped = 0

    def stop_error(self) -> None:
        """Ends `run`, which gives back -1."""
        self._stopped = -1

    @property
    def is_stopped(self) -> bool:
        """Whether it ends when the callback that runs is over."""
        return self._stopped is not None

    def count(self) -> int:
        """How many watchers and futures it runs for."""
        return self.n_active + len(self._handle._pending)

    def run(self, flags: int = 0) -> int:
        """Runs until it is stopped or nothing is active. Gives back how many watchers are
        active, -1 after `stop_error`. What a callback raises ends it."""
        self._stopped = None
        was, self.is_running = self.is_running, True
        try:
            while self._stopped is None and self.count() > 0:
                self._turn(0.0 if flags & FLUX_REACTOR_NOWAIT else None)
                if flags & (FLUX_REACTOR_NOWAIT | FLUX_REACTOR_ONCE):
                    break
        finally:
            self.is_running = was
        stopped, self._stopped = self._stopped, None
        return -1 if stopped == -1 else self.count()

    def run_until(self, is_done: Callable[[], bool], timeout: float = -1.0) -> None:
        """Runs until `is_done`, at most `timeout` seconds; less than 0 is for ever."""
        end = None if timeout < 0.0 else monotonic() + timeout
        while not is_done():
            left = None if end is None else end - monotonic()
            if left is not None and left <= 0.0:
                return
            self._turn(left)

    def _turn(self, timeout: Optional[float]) -> None:
        for call in tuple(self.prepare):
            call()
        try:
            ready = self._poll(self._timeout(timeout))
        except OSError:
            # The connection is lost, which is the answer of all calls that wait.
            self._handle._dispatch()
            if self.count() > 0:
                raise
            return
        for call in tuple(self.check):
            call()
        self._expire()
        self._handle._dispatch()
        for call_ready, events in ready:
            call_ready(events)
        if not ready:
            for call in tuple(self.idle):
                call()

    def _timeout(self, timeout: Optional[float]) -> Optional[float]:
        """How long to wait, in seconds, if what was asked for is `timeout`."""
        if self.idle or self._handle._has_work():
            return 0.0
        while self._timers and not self._timers[0].is_active:
            heappop(self._timers)
        if self._timers:
            until = max(0.0, self._timers[0].when - monotonic())
            timeout = until if timeout is None else min(timeout, until)
        return timeout

    def _poll(self, timeout: Optional[float]) -> list[tuple[Callable[[int], Any], int]]:
        """Waits, and gives back who is to be called with which events."""
        core = self._handle._core
        if not self._fds:
            core.turn(timeout)
            return []
        poll = select.poll()
        own = core.fileno()
        poll.register(own, select.POLLIN | (select.POLLOUT if core.wants_to_write() else 0))
        for fd, entries in self._fds.items():
            mask = 0
            for events, _ in entries:
                mask |= events
            poll.register(fd, mask)
        # Rounded up: a timer that is early would have us turn in vain.
        found = poll.poll(None if timeout is None else int(timeout * 1000.0) + (timeout > 0.0))
        ready = []
        errors = select.POLLERR | select.POLLHUP | select.POLLNVAL
        for fd, events in found:
            if fd == own:
                core.turn(0.0)
                continue
            for mask, call in self._fds.get(fd, ()):
                if events & (mask | errors):
                    ready.append((call, events))
        return ready

    def _expire(self) -> None:
        now = monotonic()
        while self._timers and (self._timers[0].when <= now or not self._timers[0].is_active):
            timer = heappop(self._timers)
            if timer.is_active:
                timer.is_active = False
                timer.call()


class SignalPipe:
    """A descriptor that becomes readable when a signal has come; it holds their numbers."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def put(self, signum: int, _frame: Any = None) -> None:
        """Is the signal's handler."""
        try:
            os.write(self._writer, bytes([signum]))
        except BlockingIOError:
            # It is full of signals that nobody has looked at: one more says nothing new.
            pass

    def take(self) -> bytes:
        """The numbers of the signals that have come."""
        try:
            return os.read(self.reader, 4096)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Closes both ends."""
        os.close(self.reader)
        os.close(self._writer)
