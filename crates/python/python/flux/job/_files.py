"""Files that go with a job (RFC 37), and the configuration of an instance that is a job."""

from __future__ import annotations

import os
import stat
from typing import Any, Dict, Mapping, Optional

#: Permissions of a file of which no others are said.
PERMS_DEFAULT = 0o600


def file_object(data: Any, perms: Optional[int], encoding: Optional[str]) -> Dict[str, Any]:
    """One file, of an object, a text or a path."""
    if isinstance(data, Mapping):
        return {"mode": stat.S_IFREG | _perms(perms), "data": dict(data)}
    if not isinstance(data, (str, os.PathLike)):
        raise TypeError(f"data of a file must be text, a path or a mapping, not {type(data).__name__}")
    if encoding not in (None, "utf-8", "base64"):
        raise ValueError(f"unsupported encoding '{encoding}': use utf-8 or base64")
    if isinstance(data, str) and (encoding is not None or "\n" in data):
        return {
            "mode": stat.S_IFREG | _perms(perms),
            "data": data,
            "encoding": encoding or "utf-8",
        }
    return _local(os.fspath(data))


def _perms(perms: Optional[int]) -> int:
    return PERMS_DEFAULT if perms is None else stat.S_IMODE(perms)


def _local(path: str) -> Dict[str, Any]:
    with open(path, "rb") as stream:
        content = stream.read()
        mode = os.fstat(stream.fileno()).st_mode
    try:
        text, encoding = content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        import base64

        text, encoding = base64.b64encode(content).decode("ascii"), "base64"
    return {"mode": mode, "size": len(content), "data": text, "encoding": encoding}
