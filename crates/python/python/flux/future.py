"""Futures: results that come later.

A future is fulfilled with a value or an error. `get` blocks until it is; `then` has a
function called by the reactor (`Flux.reactor_run`) when it is; and in a coroutine it can be
awaited, by the loop of asyncio that runs it. A future that is fulfilled again and again, such
as that of a streaming call, waits for its next value after `reset`.
"""

from __future__ import annotations

import errno
import os
from time import monotonic

from flux.limits import ANSWERS_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Generator, Iterable, Optional

    from flux.core.handle import Flux
    from flux.reactor import Reactor


class Future:
    """Base of all futures; subclasses say in `_poll` and `_wait` where results come from."""

    # Most futures have none of these, so they cost nothing until they are set.
    _ready = False
    _value: Any = None
    _error: Optional[BaseException] = None
    _callback: Optional[Callable[..., Any]] = None
    _args: tuple[Any, ...] = ()
    _kwargs: dict[str, Any] = {}
    _timer: Any = None
    _firing = False
    _resets = 0
    # Who else wants to know: futures made of this one, and coroutines.
    _listeners: Optional[list[Callable[[], None]]] = None

    def __init__(self, flux_handle: Optional[Flux] = None) -> None:
        self._flux = flux_handle

    # What a program does with a future.

    def get(self) -> Any:
        """The value; blocks until there is one.

        Raises OSError: it was fulfilled with an error.
        """
        self.wait_for(-1.0)
        return self._result()

    def wait_for(self, timeout: float = -1.0) -> Future:
        """Blocks until it is fulfilled, at most `timeout` seconds; less than 0 is for ever.

        Raises TimeoutError (ETIMEDOUT): it was not fulfilled in time.
        """
        if not self._ready and not self._poll():
            self._wait(timeout)
            if not self._ready:
                raise _timed_out()
        return self

    def is_ready(self) -> bool:
        """Whether `get` would not block."""
        return self._ready or self._poll()

    def then(self, callback: Callable[..., Any], *args: Any, timeout: float = -1.0, **kwargs: Any) -> Future:
        """Has the reactor call `callback(future, *args, **kwargs)` when it is fulfilled.

        If that is not within `timeout` seconds (less than 0: no limit), it is fulfilled with
        ETIMEDOUT, which the reactor looks after, and no loop of asyncio. Raises OSError with
        EEXIST: there is a callback already; with EINVAL: it belongs to no handle.
        """
        if self._callback is not None:
            raise OSError(errno.EEXIST, "this future has a callback already")
        if self._flux is None:
            raise OSError(errno.EINVAL, "this future belongs to no handle: see set_flux")
        self._callback = callback
        self._args = args
        self._kwargs = kwargs
        self._start()
        self._flux._pending.add(self)
        self._flux._follow_loop()
        if timeout >= 0.0:
            self._timer = self.get_reactor().call_later(timeout, self._time_out)
        if self._ready:
            self._schedule()
        return self

    def stop(self) -> None:
        """Has the callback not called any more."""
        self._callback = None
        self._rest()

    def reset(self) -> None:
        """Makes it wait for its next value."""
        self._resets += 1
        self._ready = False
        self._value = self._error = None
        if self._callback is not None and self._flux is not None:
            self._flux._pending.add(self)

    def check(self) -> None:
        """Raises the error it was fulfilled with, if any."""
        if self._ready and self._error is not None:
            raise self._error

    def strerror(self) -> str:
        """The text of the error it was fulfilled with, or `Success`."""
        if self._error is None:
            return "Success"
        return getattr(self._error, "strerror", None) or str(self._error)

    def error_string(self) -> Optional[str]:
        """The same, or None without an error."""
        return None if self._error is None else self.strerror()

    def fulfill_error(self, errnum: int = errno.ENOENT, errstr: Optional[str] = None) -> None:
        """Fulfills it with an error."""
        self._fulfill(error=OSError(errnum, errstr or os.strerror(errnum)))

    def get_flux(self) -> Optional[Flux]:
        """The handle it belongs to."""
        return self._flux

    def set_flux(self, flux_handle: Flux) -> None:
        """Says which handle it belongs to."""
        self._flux = flux_handle

    def get_reactor(self) -> Reactor:
        """The reactor that calls its callback."""
        if self._flux is None:
            raise OSError(errno.EINVAL, "this future belongs to no handle")
        return self._flux.get_reactor()

    def incref(self) -> None:
        """Does nothing: Python counts its references."""

    def raise_if_handle_exception(self) -> None:
        """Raises what a callback of the handle's reactor has raised and nobody has seen."""
        if self._flux is not None:
            self._flux.raise_if_exception()

    async def ready(self) -> None:
        """Suspends the coroutine until `get` would not block."""
        if not self._ready and not self._poll():
            from flux.aio import wait

            await wait(self)

    def __await__(self) -> Generator[Any, None, Any]:
        yield from self.ready().__await__()
        return self.get()

    # What subclasses say.

    def _start(self) -> None:
        """Begins what fulfills it, if that has not begun."""

    def _poll(self) -> bool:
        """Looks for the result without blocking; says whether it is there."""
        return self._ready

    def _wait(self, timeout: float) -> None:
        """Blocks until the result is there, or `timeout` seconds have passed."""
        self._start()
        if self._ready:
            return
        self.get_reactor().run_until(lambda: self._ready, timeout)

    # What fulfills it.

    def _fulfill(self, value: Any = None, error: Optional[BaseException] = None) -> None:
        self._ready = True
        self._value = value
        self._error = error
        self._tell()

    def _tell(self) -> None:
        """Tells all that wait for it."""
        listeners, self._listeners = self._listeners, None
        for listener in listeners or ():
            listener()
        if self._callback is not None:
            self._fire()

    def _listen(self, listener: Callable[[], None]) -> None:
        """Has `listener` called when it is fulfilled next."""
        if self._listeners is None:
            self._listeners = []
        self._listeners.append(listener)

    def _result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value

    def _fire(self) -> None:
        """Calls the callback, once for each value that it makes room for."""
        if self._firing:
            return
        self._disarm()
        self._firing = True
        try:
            while self._ready and self._callback is not None:
                resets = self._resets
                self._callback(self, *self._args, **self._kwargs)
                if self._resets == resets:
                    break
        finally:
            self._firing = False
            if self._ready or self._callback is None:
                self._rest()

    def _schedule(self) -> None:
        """Has the reactor call the callback for a result that is here already."""
        if self._flux is not None:
            self._flux._due.append(self)
            self._flux._follow_loop()

    def _rest(self) -> None:
        """The reactor need not run for it."""
        self._disarm()
        if self._flux is not None:
            self._flux._pending.discard(self)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self) -> None:
        self._timer = None
        if not self._ready:
            self._fulfill(error=_timed_out())


def _timed_out() -> OSError:
    return OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


class FutureExt(Future):
    """A future that a program fulfills itself, with `fulfill` or `fulfill_error`.

    `init_cb(future, *args, **kwargs)` is called once, when somebody begins to wait; it starts
    what is to fulfill the future, such as a call with a callback.
    """

    def __init__(
        self,
        init_cb: Optional[Callable[..., Any]] = None,
        *args: Any,
        flux_handle: Optional[Flux] = None,
        **kw_args: Any,
    ) -> None:
        super().__init__(flux_handle)
        self._init = init_cb
        self._init_args = args
        self._init_kwargs = kw_args
        # Values that came before the last one was taken.
        self._waiting: list[tuple[Any, Optional[BaseException]]] = []

    def fulfill(self, result: Any = None) -> None:
        """Fulfills it with a value, or as another future was fulfilled."""
        if isinstance(result, Future):
            self._fulfill(result._value, result._error)
        else:
            self._fulfill(result)

    def reset(self) -> None:
        super().reset()
        if self._waiting:
            value, error = self._waiting.pop(0)
            self._fulfill(value, error)

    def _start(self) -> None:
        init, self._init = self._init, None
        if init is not None:
            init(self, *self._init_args, **self._init_kwargs)

    def _fulfill(self, value: Any = None, error: Optional[BaseException] = None) -> None:
        if not self._ready:
            super()._fulfill(value, error)
        elif len(self._waiting) < ANSWERS_MAX:
            self._waiting.append((value, error))


class WaitAllFuture(Future):
    """A future that is fulfilled when all its `children` are; its value is their dict by name.

    The names of children are those given to `push`, and "0", "1" and so on for others.
    """

    def __init__(self, children: Optional[Iterable[Future]] = None) -> None:
        super().__init__()
        self.children: dict[str, Future] = {}
        for child in children or ():
            self.push(child)

    def push(self, child: Future, name: Optional[str] = None) -> None:
        """Adds a child."""
        self.children[str(len(self.children)) if name is None else name] = child
        if self._flux is None:
            self._flux = child.get_flux()

    def _start(self) -> None:
        for child in self.children.values():
            if not child._ready:
                child._listen(self._look)
                child._start()
        self._look()

    def _look(self) -> None:
        if not self._ready and all(child._ready for child in self.children.values()):
            self._fulfill(self.children)

    def _poll(self) -> bool:
        if all([child.is_ready() for child in self.children.values()]) and not self._ready:
            self._fulfill(self.children)
        return self._ready

    def _wait(self, timeout: float) -> None:
        end = None if timeout < 0.0 else monotonic() + timeout
        for child in self.children.values():
            child.wait_for(-1.0 if end is None else max(0.0, end - monotonic()))
        self._poll()
