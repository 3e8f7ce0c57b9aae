"""Watchers: what the reactor calls, and for what.

A callback is called as `callback(handle, watcher, revents, args)`. A watcher is stopped until
`start`; used with `with` it is started, and destroyed at the end.
"""

from __future__ import annotations

import select
import signal

from flux.constants import FLUX_POLLERR, FLUX_POLLIN, FLUX_POLLOUT
from flux.reactor import SignalPipe, Timer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional

    from flux.core.handle import Flux

    Callback = Callable[[Flux, "Watcher", int, Any], Any]


class Watcher:
    """Base of all watchers."""

    def __init__(self, flux_handle: Flux, callback: Optional[Callable[..., Any]], args: Any = None) -> None:
        self.flux_handle = flux_handle
        self.callback = callback
        self.args = args
        self._is_active = False
        self._is_referenced = True
        self._reactor = flux_handle.get_reactor()

    def start(self) -> Watcher:
        """Has the callback called from now on."""
        if not self._is_active:
            self._is_active = True
            self._reactor.n_active += self._is_referenced
            self.flux_handle.add_watcher(self)
            self._begin()
        return self

    def stop(self) -> None:
        """Has the callback not called any more, until it is started again."""
        if self._is_active:
            self._is_active = False
            self._reactor.n_active -= self._is_referenced
            self.flux_handle.del_watcher(self)
            self._end()

    def destroy(self) -> None:
        """Stops it for good."""
        self.stop()
        self.callback = None

    def is_active(self) -> bool:
        """Whether it is started."""
        return self._is_active

    def ref(self) -> None:
        """Has the reactor run for it, as it does unless `unref` was called."""
        self._set_referenced(True)

    def unref(self) -> None:
        """Lets the reactor end though it is active."""
        self._set_referenced(False)

    def is_referenced(self) -> bool:
        """Whether the reactor runs for it."""
        return self._is_referenced

    def __enter__(self) -> Watcher:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.destroy()

    def _set_referenced(self, is_referenced: bool) -> None:
        if self._is_active:
            self._reactor.n_active += is_referenced - self._is_referenced
        self._is_referenced = is_referenced

    def _call(self, revents: int = 0) -> None:
        if self._is_active and self.callback is not None:
            self.callback(self.flux_handle, self, revents, self.args)

    def _begin(self) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        raise NotImplementedError


class TimerWatcher(Watcher):
    """Calls in `after` seconds, and then every `repeat` seconds unless that is 0."""

    def __init__(
        self, flux_handle: Flux, after: float, callback: Callback, repeat: float = 0, args: Any = None
    ) -> None:
        super().__init__(flux_handle, callback, args)
        self.after = after
        self.repeat = repeat
        self._timer: Optional[Timer] = None

    def reset(self, after: Optional[float] = None, repeat: Optional[float] = None) -> None:
        """Starts it from the beginning, with other times where they are given."""
        self.after = self.after if after is None else after
        self.repeat = self.repeat if repeat is None else repeat
        self.stop()
        self.start()

    def _begin(self) -> None:
        self._timer = self._reactor.call_later(self.after, self._expired)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expired(self) -> None:
        if self.repeat > 0:
            self._timer = self._reactor.call_later(self.repeat, self._expired)
            self._call()
            return
        callback = self.callback
        self.stop()
        if callback is not None:
            callback(self.flux_handle, self, 0, self.args)


class FDWatcher(Watcher):
    """Calls when the descriptor `fd_int` is ready for `events`: a mask of FLUX_POLLIN and
    FLUX_POLLOUT."""

    def __init__(self, flux_handle: Flux, fd_int: int, events: int, callback: Callback, args: Any = None) -> None:
        super().__init__(flux_handle, callback, args)
        self.fd_int = fd_int
        self.events = events

    def _begin(self) -> None:
        mask = select.POLLIN if self.events & FLUX_POLLIN else 0
        mask |= select.POLLOUT if self.events & FLUX_POLLOUT else 0
        self._reactor.add_fd(self.fd_int, mask, self._ready)

    def _end(self) -> None:
        self._reactor.remove_fd(self.fd_int, self._ready)

    def _ready(self, events: int) -> None:
        revents = FLUX_POLLIN if events & (select.POLLIN | select.POLLHUP) else 0
        revents |= FLUX_POLLOUT if events & select.POLLOUT else 0
        revents |= FLUX_POLLERR if events & (select.POLLERR | select.POLLNVAL) else 0
        self._call(revents)


class SignalWatcher(Watcher):
    """Calls when the signal `signal_int` has come, in place of its handler. Only the main
    thread can start one (ValueError)."""

    def __init__(self, flux_handle: Flux, signal_int: int, callback: Callback, args: Any = None) -> None:
        super().__init__(flux_handle, callback, args)
        self.signal_int = int(signal_int)
        self._pipe: Optional[SignalPipe] = None
        self._before: Any = None

    def _begin(self) -> None:
        pipe = SignalPipe()
        try:
            self._before = signal.signal(self.signal_int, pipe.put)
        except BaseException:
            pipe.close()
            raise
        self._pipe = pipe
        self._reactor.add_fd(pipe.reader, select.POLLIN, self._came)

    def _end(self) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            signal.signal(self.signal_int, self._before)
            self._reactor.remove_fd(pipe.reader, self._came)
            pipe.close()

    def _came(self, _events: int) -> None:
        if self._pipe is not None and self._pipe.take():
            self._call()


class PrepareWatcher(Watcher):
    """Calls each time before the reactor waits."""

    def _begin(self) -> None:
        self._reactor.prepare.append(self._call)

    def _end(self) -> None:
        self._reactor.prepare.remove(self._call)


class CheckWatcher(Watcher):
    """Calls each time after the reactor has waited."""

    def _begin(self) -> None:
        self._reactor.check.append(self._call)

    def _end(self) -> None:
        self._reactor.check.remove(self._call)


class IdleWatcher(Watcher):
    """Keeps the reactor from waiting, and calls each time that nothing else was to be done."""

    def __init__(self, flux_handle: Flux, callback: Optional[Callback] = None, args: Any = None) -> None:
        super().__init__(flux_handle, callback, args)

    def _begin(self) -> None:
        self._reactor.idle.append(self._call)

    def _end(self) -> None:
        self._reactor.idle.remove(self._call)
