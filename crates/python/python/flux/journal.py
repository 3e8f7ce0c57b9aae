"""Journals: the events of a service in one stream, those that were and those that happen."""

from __future__ import annotations

import errno
import json
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterable, List, Mapping, Optional

from flux import constants
from flux.rpc import RPC

__all__ = ["JournalConsumerBase", "JournalEventBase"]


class JournalEventBase:
    """An event: `name`, `timestamp` (seconds since the epoch) and `context`."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.name: str = event.get("name", "")
        self.timestamp: float = event.get("timestamp", 0.0)
        self.context: Dict[str, Any] = dict(event.get("context", {}))

    @property
    def context_string(self) -> str:
        """`context` as JSON; empty if there is nothing."""
        if not self.context:
            return ""
        return json.dumps(self.context, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    def is_empty(self) -> bool:
        """True if it is no event, but says that those before it are history."""
        return not self.name

    def __str__(self) -> str:
        if self.is_empty():
            return "sentinel"
        return f"{self.timestamp:.5f} {self.name} {self.context_string}".rstrip()


class JournalConsumerBase:
    """Reads a journal, one event after the other. For the owner of the instance.

    `since` leaves out events up to a time, in seconds since the epoch. Events that were come
    first, in the order of their times; with `include_sentinel` an empty event follows them.
    """

    #: The methods that begin and end the stream.
    topic = ""
    cancel_topic = ""
    SENTINEL_EVENT: Any = JournalEventBase({})

    def __init__(
        self, flux_handle: Any, since: float = 0.0, include_sentinel: bool = False
    ) -> None:
        self.handle = flux_handle
        self.since = since
        self.include_sentinel = include_sentinel
        self._rpc: Optional[RPC] = None
        self._history: List[Any] = []
        self._past = True
        self._queue: Deque[Any] = deque()
        self._callback: Optional[Callable[..., None]] = None
        self._args: Any = ()
        self._kwargs: Dict[str, Any] = {}

    # For subclasses.

    def request(self) -> Dict[str, Any]:
        """The payload of the request."""
        return {}

    def process_response(self, resp: Mapping[str, Any]) -> Optional[Iterable[Any]]:
        """Returns the events of an answer; None if it ends those that were."""
        raise NotImplementedError

    # For programs.

    def start(self) -> Any:
        """Begins to read, and returns itself."""
        if self._rpc is not None:
            raise RuntimeError("this consumer has been started already")
        self._rpc = RPC(
            self.handle, self.topic, self.request(), flags=constants.FLUX_RPC_STREAMING
        )
        if self._callback is not None:
            self._rpc.then(self._arrived)
        return self

    def stop(self) -> None:
        """Ends the stream; what has arrived can still be read."""
        if self._rpc is not None:
            self._rpc.cancel(topic=self.cancel_topic)

    def is_active(self) -> bool:
        """True if it has been started."""
        return self._rpc is not None

    def set_callback(self, event_cb: Callable[..., None], *args: Any, **kwargs: Any) -> None:
        """Has the reactor call `event_cb(event, *args, **kwargs)` for each event, and with None
        at the end: instead of `poll`."""
        self._callback = event_cb
        self._args = args
        self._kwargs = kwargs
        if self._rpc is not None:
            self._rpc.then(self._arrived)

    def poll(self, timeout: float = -1.0) -> Any:
        """Returns the next event, None after the last one; waits for it.

        `timeout` are seconds, less than 0 for as long as it takes. Raises `TimeoutError` if
        they pass, `RuntimeError` before `start` or with a callback, and `OSError` if the
        caller may not read the journal.
        """
        if self._callback is not None:
            raise RuntimeError("poll() cannot be used with a callback")
        while not self._queue:
            if self._rpc is None:
                raise RuntimeError("the consumer has not been started")
            self._rpc.wait_for(timeout)
            if not self._take():
                return None
        return self._queue.popleft()

    def _take(self) -> bool:
        """Takes one answer in; says whether the stream goes on."""
        assert self._rpc is not None
        try:
            answer = self._rpc.get()
        except OSError as error:
            if error.errno == errno.ENODATA:
                return False
            raise
        self._rpc.reset()
        events = self.process_response(answer)
        if events is None:
            self._end_of_history()
            return True
        wanted = (event for event in events if event.timestamp > self.since)
        (self._history if self._past else self._queue).extend(wanted)
        return True

    def _end_of_history(self) -> None:
        self._past = False
        self._history.sort(key=lambda event: event.timestamp)
        self._queue.extend(self._history)
        self._history = []
        if self.include_sentinel:
            self._queue.append(self.SENTINEL_EVENT)

    def _arrived(self, _: RPC) -> None:
        goes_on = self._take()
        assert self._callback is not None
        while self._queue:
            self._callback(self._queue.popleft(), *self._args, **self._kwargs)
        if not goes_on:
            self._callback(None, *self._args, **self._kwargs)
