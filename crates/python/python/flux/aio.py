"""Futures in coroutines: a handle has the loop of asyncio watch its descriptor.

Nothing polls and no thread is started. Callbacks given to `then` are called by that loop too;
timers and other watchers need the reactor.
"""

from __future__ import annotations

import asyncio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from flux.core.handle import Flux
    from flux.future import Future


async def wait(future: Future) -> None:
    """Suspends the coroutine until the future is fulfilled."""
    loop = asyncio.get_running_loop()
    handle = future.get_flux()
    if handle is not None:
        attach(handle, loop)
    waiter: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    future._listen(wake)
    future._start()
    await waiter


def attach(handle: Flux, loop: asyncio.AbstractEventLoop) -> None:
    """Has `loop` read what comes for the handle, as long as both are open."""
    if loop.is_closed():
        detach(handle)
        return
    if handle._loop is not loop:
        detach(handle)
        handle._loop = loop
        loop.add_reader(handle._core.fileno(), _turn, handle)
    _watch_writing(handle)
    if handle._has_work() and not handle._is_scheduled:
        handle._is_scheduled = True
        loop.call_soon(_dispatch, handle)


def detach(handle: Flux) -> None:
    """Has its loop leave the handle alone."""
    loop, handle._loop = handle._loop, None
    handle._is_writing = handle._is_scheduled = False
    if loop is not None and not loop.is_closed():
        loop.remove_reader(handle._core.fileno())
        loop.remove_writer(handle._core.fileno())


def _turn(handle: Flux) -> None:
    try:
        handle._core.turn(0.0)
    except OSError:
        # The connection is lost: calls hear of it as their answer, and nothing else comes.
        detach(handle)
        handle._dispatch()
        handle._lose_streams()
        return
    _watch_writing(handle)
    _dispatch(handle)


def _dispatch(handle: Flux) -> None:
    handle._is_scheduled = False
    if handle._core.closed:
        return
    try:
        handle._dispatch()
    finally:
        # What a callback raises, the loop reports; the others get their turn.
        handle._touched()


def _watch_writing(handle: Flux) -> None:
    """Has the loop wait for room in the socket as long as bytes are left to send."""
    if handle._loop is None or handle._core.wants_to_write() == handle._is_writing:
        return
    handle._is_writing = not handle._is_writing
    if handle._is_writing:
        handle._loop.add_writer(handle._core.fileno(), _turn, handle)
    else:
        handle._loop.remove_writer(handle._core.fileno())
