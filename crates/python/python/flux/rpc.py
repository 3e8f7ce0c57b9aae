"""Calls: a request to a service, and the future of its answers."""

from __future__ import annotations

import errno
import os
from _weakref import ref

from flux.constants import FLUX_NODEID_ANY, FLUX_RPC_NORESPONSE, FLUX_RPC_STREAMING
from flux.future import Future
from flux.limits import ANSWERS_MAX
from flux.payload import decode, encode, topic_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, AsyncIterator, Optional

    from flux._core import Message
    from flux.core.handle import Flux


class RPC(Future):
    """A call of `topic`, sent when it is made.

    With FLUX_RPC_NORESPONSE there is no answer, and the future is fulfilled at once. With
    FLUX_RPC_STREAMING there may be many: `reset` makes room for the next. The last one is an
    error, ENODATA if all went well.
    """

    _end: Optional[OSError] = None
    _backlog: Optional[list[Any]] = None
    _is_done = False

    def __init__(
        self,
        flux_handle: Flux,
        topic: str,
        payload: Any = None,
        nodeid: int = FLUX_NODEID_ANY,
        flags: int = 0,
    ) -> None:
        self._flux: Flux = flux_handle
        self.topic = topic_of(topic)
        self.nodeid = nodeid
        self._is_stream = bool(flags & FLUX_RPC_STREAMING)
        self._core = flux_handle._core
        self.matchtag = self._core.request(self.topic, encode(payload), nodeid, flags)
        if flags & FLUX_RPC_NORESPONSE:
            self._is_done = True
            self._fulfill(None)
        else:
            flux_handle._calls[self.matchtag] = ref(self)
            flux_handle._touched()

    def get_message(self) -> Optional[Message]:
        """The answer as a message; blocks until it is there."""
        self.wait_for(-1.0)
        message: Optional[Message] = self._result()
        return message

    def get_raw(self) -> Optional[bytes]:
        """The bytes of the answer's payload, or None without one."""
        message = self.get_message()
        return None if message is None else message.payload_bytes

    def get_str(self) -> Optional[str]:
        """The payload as text, or None without one.

        Raises OSError: the service refused the call; or EPROTO: the payload is no text.
        """
        message = self.get_message()
        return None if message is None else message.payload_str

    def get(self) -> Any:
        """The payload read as JSON, or None without one."""
        return decode(self.get_str())

    def cancel(self, stop: bool = False, topic: Optional[str] = None) -> None:
        """Asks the service to end a stream, which still gets its last answer.

        `topic` is the method for that, SERVICE.cancel unless given. With `stop` the callback
        is not called any more.
        """
        topic = topic or self.topic.partition(".")[0] + ".cancel"
        self._flux.rpc(topic, {"matchtag": self.matchtag}, self.nodeid, FLUX_RPC_NORESPONSE)
        if stop:
            self.stop()

    def reset(self) -> None:
        super().reset()
        if self._backlog:
            self._accept(self._backlog.pop(0))
            if self._callback is not None and not self._firing:
                self._schedule()
        elif self._is_done:
            self._rest()

    def __aiter__(self) -> AsyncIterator[Any]:
        """The answers of a stream as an asynchronous iterator, until ENODATA."""
        return self

    async def __anext__(self) -> Any:
        await self.ready()
        if isinstance(self._error, OSError) and self._error.errno == errno.ENODATA:
            raise StopAsyncIteration
        resets = self._resets
        value = self.get()
        if self._resets == resets:
            self.reset()
        return value

    def __del__(self) -> None:
        if not self._is_done and hasattr(self, "matchtag"):
            self._flux._forget(self.matchtag)

    def _poll(self) -> bool:
        if self._ready:
            return True
        if self._end is not None:
            self._fulfill(error=self._end)
            return True
        if not self._take():
            try:
                self._core.turn(0.0)
            except OSError:
                # The connection is lost, which is the answer of all that wait.
                if not self._take():
                    raise
            else:
                self._take()
            self._flux._touched()
        return self._ready

    def _take(self) -> bool:
        try:
            answer = self._core.take_answer(self.matchtag)
        except OSError as error:
            self._arrive(error)
            return True
        if answer is None:
            return False
        self._arrive(answer)
        return True

    def _wait(self, timeout: float) -> None:
        try:
            answer = self._core.wait(self.matchtag, None if timeout < 0.0 else timeout)
        except OSError as error:
            self._arrive(error)
        else:
            if answer is not None:
                self._arrive(answer)
        self._flux._touched()

    def _arrive(self, answer: Any) -> None:
        """Takes an answer in: a message, or the error that is the last one."""
        if isinstance(answer, OSError) or not self._is_stream:
            self._is_done = True
            self._flux._calls.pop(self.matchtag, None)
        if not self._ready:
            self._accept(answer)
            self._tell()
        elif self._backlog is None:
            self._backlog = [answer]
        elif len(self._backlog) < ANSWERS_MAX or self._is_done:
            self._backlog.append(answer)
        else:
            self._flux._forget(self.matchtag)
            self._arrive(OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS)))

    def _accept(self, answer: Any) -> None:
        self._ready = True
        if isinstance(answer, OSError):
            self._error = self._end = answer
        else:
            self._value = answer
