"""The native half of the package: the connection and its messages.

Payloads are bytes as they are in messages: texts, JSON too, end with a NUL there. Failures are
OSError with the number and text of the refusal. All times are in seconds.
"""

from typing import Any, Optional, Union, final

@final
class Message:
    """One message: a request, a response or an event. It does not change."""

    def __new__(
        cls,
        type: int,
        topic: Optional[str] = None,
        payload: Optional[bytes] = None,
        number: Optional[int] = None,
        flags: int = 0,
    ) -> Message: ...
    @property
    def type(self) -> int: ...
    @property
    def topic(self) -> Optional[str]: ...
    @property
    def payload_bytes(self) -> Optional[bytes]: ...
    @property
    def payload_str(self) -> Optional[str]: ...
    @property
    def errnum(self) -> int: ...
    @property
    def matchtag(self) -> int: ...
    @property
    def nodeid(self) -> Optional[int]: ...
    @property
    def sequence(self) -> Optional[int]: ...
    @property
    def userid(self) -> int: ...
    @property
    def rolemask(self) -> int: ...
    @property
    def flags(self) -> int: ...

@final
class Handle:
    """A connection to a broker. One thread at a time may use it, in the process that opened
    it: RuntimeError otherwise. ValueError once it is closed."""

    def __new__(cls, uri: Optional[str] = None) -> Handle: ...
    def close(self) -> None: ...
    @property
    def closed(self) -> bool: ...
    def fileno(self) -> int: ...
    def wants_to_write(self) -> bool: ...
    def has_arrivals(self) -> bool: ...
    def request(
        self, topic: str, payload: Optional[bytes] = None, nodeid: int = 0xFFFFFFFF, flags: int = 0
    ) -> int:
        """Sends a request; gives back the matchtag of its answers, 0 if it wants none."""
    def wait(self, matchtag: int, timeout: Optional[float] = None) -> Optional[Message]:
        """Blocks until the next answer of a call; None when `timeout` has passed."""
    def turn(self, timeout: Optional[float] = None) -> None:
        """Waits once for what arrives and takes it in; may return early."""
    def take(self) -> Optional[tuple[int, Union[Message, OSError]]]:
        """The first that has arrived: (matchtag, answer), or (0, event or request)."""
    def take_answer(self, matchtag: int) -> Optional[Message]: ...
    def take_event(self) -> Optional[Message]: ...
    def take_request(self) -> Optional[Message]: ...
    def forget(self, matchtag: int) -> None:
        """Stops waiting for a call."""
    def send(self, message: Message) -> None: ...
    def respond(self, request: Message, payload: Optional[bytes] = None, errnum: int = 0) -> None: ...
    def flush(self) -> None:
        """Blocks until the broker has read everything that was sent."""
    def log(self, level: int, appname: str, text: str) -> None:
        """Adds lines to the broker's log."""
    def attr(self, name: str) -> str:
        """The value of a broker attribute."""
