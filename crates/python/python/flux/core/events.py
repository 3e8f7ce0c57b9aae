"""Events for coroutines."""

from __future__ import annotations

import errno

from flux.future import Future
from flux.limits import EVENTS_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from flux import _core
    from flux.core.handle import Flux
    from flux.message import Message


class EventStream:
    """The events whose topic begins with `topic`.

    >>> async with handle.events("job-state") as events:
    ...     async for event in events:
    ...         print(event.topic, event.payload)

    It is subscribed within `async with`. Raises OSError: the connection was lost, or ENOBUFS:
    events were lost.
    """

    def __init__(self, flux_handle: Flux, topic: str) -> None:
        self._flux = flux_handle
        self.topic = topic
        self._events: list[Message] = []
        self._error: Optional[OSError] = None
        self._more = Future(flux_handle)

    def takes(self, message: _core.Message) -> bool:
        """Whether it is one of these events."""
        return (message.topic or "").startswith(self.topic)

    def put(self, event: Message) -> None:
        """Takes an event in."""
        if len(self._events) >= EVENTS_MAX:
            self.fail(OSError(errno.ENOBUFS, f"more than {EVENTS_MAX} events wait to be taken"))
        elif self._error is None:
            self._events.append(event)
            self._wake()

    def fail(self, error: OSError) -> None:
        """Ends it, after the events that have come."""
        self._error = self._error or error
        self._wake()

    def _wake(self) -> None:
        if not self._more._ready:
            self._more._fulfill()

    async def __aenter__(self) -> EventStream:
        self._flux._streams.append(self)
        try:
            await self._flux.rpc("event.subscribe", {"topic": self.topic})
        except BaseException:
            self._flux._streams.remove(self)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._flux._streams.remove(self)
        if self._error is None:
            await self._flux.rpc("event.unsubscribe", {"topic": self.topic})

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> Message:
        while not self._events:
            if self._error is not None:
                raise self._error
            self._more.reset()
            await self._more
        return self._events.pop(0)
