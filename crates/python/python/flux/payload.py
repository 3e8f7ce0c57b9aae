"""Topics and payloads on their way to messages and back."""

from __future__ import annotations

import errno
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def encode(payload: Any) -> Optional[bytes]:
    """The bytes of a payload.

    None is no payload. A str, or bytes, is text and gets the NUL that ends texts; a bytearray
    or memoryview is sent as it is. Anything else is written as JSON.

    Raises TypeError: JSON cannot hold it.
    """
    if payload is None:
        return None
    if isinstance(payload, str):
        return payload.encode() + b"\0"
    if isinstance(payload, bytes):
        return payload + b"\0"
    if isinstance(payload, (bytearray, memoryview)):
        return bytes(payload)
    return encode_json(payload).encode() + b"\0"


def decode(text: Optional[str]) -> Any:
    """The value that a text in JSON stands for; None for None.

    Raises ValueError: it is no JSON.
    """
    return None if text is None else json.loads(text)


def topic_of(topic: Any) -> str:
    """A topic as str.

    Raises OSError with EINVAL for None or an empty topic, TypeError for what is no text.
    """
    if topic is None or topic == "" or topic == b"":
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    if isinstance(topic, bytes):
        return topic.decode()
    if not isinstance(topic, str):
        raise TypeError(f"a topic is a str, not {type(topic).__name__}")
    return topic
