"""Messages, and watchers of those that nobody has asked for: events and requests."""

from __future__ import annotations

import errno
import os

from flux import _core
from flux.constants import (
    FLUX_MATCHTAG_NONE,
    FLUX_MSGTYPE_CONTROL,
    FLUX_MSGTYPE_EVENT,
    FLUX_MSGTYPE_REQUEST,
    FLUX_MSGTYPE_RESPONSE,
    FLUX_ROLE_OWNER,
)
from flux.core.watchers import Watcher
from flux.payload import decode, encode, topic_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional

    from flux.core.handle import Flux

_NAMES = {
    FLUX_MSGTYPE_REQUEST: "request",
    FLUX_MSGTYPE_RESPONSE: "response",
    FLUX_MSGTYPE_EVENT: "event",
    FLUX_MSGTYPE_CONTROL: "control",
}


def msg_typestr(msg_type: int) -> str:
    """The name of a FLUX_MSGTYPE_*."""
    return _NAMES.get(msg_type, "unknown")


class Message:
    """One message: a request, a response or an event."""

    __slots__ = ("_core",)

    def __init__(self, type_id: int = FLUX_MSGTYPE_REQUEST, handle: Optional[_core.Message] = None) -> None:
        self._core = _core.Message(type_id) if handle is None else handle

    @classmethod
    def from_event_encode(cls, topic: str, payload: Any = None) -> Message:
        """An event, to be sent with `Flux.send`."""
        return cls(handle=_core.Message(FLUX_MSGTYPE_EVENT, topic_of(topic), encode(payload)))

    @property
    def type(self) -> int:
        """One of FLUX_MSGTYPE_*."""
        return self._core.type

    @property
    def type_str(self) -> str:
        """The name of its type, such as "event"."""
        return msg_typestr(self._core.type)

    @property
    def topic(self) -> Optional[str]:
        """Its topic, or None."""
        return self._core.topic

    @property
    def payload_str(self) -> Optional[str]:
        """Its payload as text, or None without one."""
        return self._core.payload_str

    @property
    def payload(self) -> Any:
        """Its payload read as JSON, or None without one."""
        return decode(self._core.payload_str)

    @property
    def payload_bytes(self) -> Optional[bytes]:
        """Its payload as it is, or None without one."""
        return self._core.payload_bytes

    @property
    def errnum(self) -> int:
        """The error number of a response, 0 on success."""
        return self._core.errnum

    @property
    def matchtag(self) -> int:
        """The matchtag of a request or response."""
        return self._core.matchtag

    @property
    def userid(self) -> int:
        """The user id of its sender."""
        return self._core.userid

    @property
    def rolemask(self) -> int:
        """The roles of its sender, FLUX_ROLE_*."""
        return self._core.rolemask

    @property
    def sequence(self) -> Optional[int]:
        """The place of an event in the sequence of its instance; None for other messages."""
        return self._core.sequence

    @property
    def is_streaming(self) -> bool:
        """Whether the sender of a request takes more than one answer."""
        return bool(self._core.flags & 0x40)

    def decode(self) -> tuple[int, Optional[str], Optional[str]]:
        """Its type, topic and payload as text.

        Raises OSError: it is a response with an error.
        """
        if self.errnum:
            raise OSError(self.errnum, self.payload_str or os.strerror(self.errnum))
        return self.type, self.topic, self.payload_str

    def __repr__(self) -> str:
        return f"<flux.message.Message {self.type_str} {self.topic}>"


class MessageWatcher(Watcher):
    """Calls `callback(handle, watcher, message, args)` for events and requests whose type is in
    `type_mask` and whose topic matches `topic_glob`.

    Senders need a role of `rolemask`; without one they are the owner of the instance.
    """

    def __init__(
        self,
        flux_handle: Flux,
        type_mask: int,
        callback: Callable[[Flux, MessageWatcher, Message, Any], Any],
        topic_glob: str = "*",
        match_tag: int = FLUX_MATCHTAG_NONE,
        rolemask: Optional[int] = None,
        args: Any = None,
    ) -> None:
        super().__init__(flux_handle, callback, args)
        seen = FLUX_MSGTYPE_REQUEST | FLUX_MSGTYPE_EVENT
        if match_tag != FLUX_MATCHTAG_NONE or not type_mask & seen:
            raise OSError(errno.EINVAL, "a watcher sees events and requests: futures take answers")
        self.type_mask = type_mask
        self.topic_glob = topic_glob
        self.rolemask = FLUX_ROLE_OWNER if rolemask is None else rolemask | FLUX_ROLE_OWNER

    def matches(self, message: _core.Message) -> bool:
        """Whether it is for this watcher, no matter who sent it."""
        return bool(message.type & self.type_mask) and matches_glob(self.topic_glob, message.topic)

    def allows(self, message: _core.Message) -> bool:
        """Whether its sender may speak to this watcher."""
        return bool(message.rolemask & self.rolemask)

    def deliver(self, message: Message) -> None:
        """Calls the callback."""
        if self._is_active and self.callback is not None:
            self.callback(self.flux_handle, self, message, self.args)

    def _begin(self) -> None:
        self.flux_handle._watchers_of_messages.insert(0, self)

    def _end(self) -> None:
        self.flux_handle._watchers_of_messages.remove(self)


def matches_glob(glob: Optional[str], topic: Optional[str]) -> bool:
    """Whether a topic matches a pattern as of glob(7); None and "" match all."""
    if not glob or glob == "*" or glob == topic:
        return True
    if not any(special in glob for special in "*?["):
        return False
    from fnmatch import fnmatchcase

    return fnmatchcase(topic or "", glob)
