"""Reading keys."""

from __future__ import annotations

import errno
from binascii import a2b_base64
from json import loads

from flux.constants import FLUX_KVS_READDIR, FLUX_KVS_TREEOBJ
from flux.kvs.namespace import name_of
from flux.rpc import RPC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from flux.core.handle import Flux


def lookup_async(flux_handle: Flux, key: str, flags: int = 0, namespace: Optional[str] = None) -> RPC:
    """Looks `key` up; `flags` are of FLUX_KVS_READDIR, _READLINK and _TREEOBJ. The answer has
    the tree object `val` (RFC 11)."""
    if not isinstance(key, str):
        raise TypeError(f"a key is a str, not {type(key).__name__}")
    return flux_handle.rpc("kvs.lookup", {"key": key, "flags": flags, "namespace": name_of(namespace)})


def lookup(flux_handle: Flux, key: str, flags: int = 0, namespace: Optional[str] = None) -> dict[str, Any]:
    """The tree object at `key`."""
    treeobj: dict[str, Any] = lookup_async(flux_handle, key, flags, namespace).get()["val"]
    return treeobj


def bytes_of(treeobj: dict[str, Any]) -> bytes:
    """The bytes of a tree object that is a value."""
    if treeobj["type"] != "val":
        raise OSError(errno.EISDIR, f"this is a {treeobj['type']}, and no value")
    return a2b_base64(treeobj["data"])


def value_of(data: bytes) -> Any:
    """What some bytes stand for: JSON, else text, else the bytes themselves; None for none."""
    if not data:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data
    try:
        return loads(text)
    except ValueError:
        return text


def get_key_raw(flux_handle: Flux, key: str, namespace: Optional[str] = None) -> bytes:
    """The bytes at `key`."""
    return bytes_of(lookup(flux_handle, key, 0, namespace))


def get_key_direct(flux_handle: Flux, key: str, namespace: Optional[str] = None) -> Any:
    """The value at `key`, which is no directory: JSON, else text, else bytes."""
    return value_of(get_key_raw(flux_handle, key, namespace))


def get(flux_handle: Flux, key: str, namespace: Optional[str] = None) -> Any:
    """The value at `key`: JSON, else text, else bytes; or the `KVSDir` there."""
    try:
        return get_key_direct(flux_handle, key, namespace)
    except IsADirectoryError:
        from flux.kvs.directory import KVSDir

        return KVSDir(flux_handle, key, namespace=namespace)


def type_at(flux_handle: Flux, key: str, namespace: Optional[str] = None) -> str:
    """The type of what is at `key`: "val", "valref", "dir", "dirref" or "symlink"."""
    found: str = lookup(flux_handle, key, FLUX_KVS_TREEOBJ, namespace)["type"]
    return found


def exists(flux_handle: Flux, key: str, namespace: Optional[str] = None) -> bool:
    """Whether there is anything at `key`."""
    try:
        type_at(flux_handle, key, namespace)
    except FileNotFoundError:
        return False
    return True


def isdir(flux_handle: Flux, key: str, namespace: Optional[str] = None) -> bool:
    """Whether there is a directory at `key`, or a link to one."""
    try:
        lookup(flux_handle, key, FLUX_KVS_READDIR, namespace)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def entries(flux_handle: Flux, key: str, namespace: Optional[str] = None) -> dict[str, Any]:
    """The tree objects in the directory at `key`, by name."""
    data: dict[str, Any] = lookup(flux_handle, key, FLUX_KVS_READDIR, namespace)["data"]
    return data


def listdir(flux_handle: Flux, key: str = ".", namespace: Optional[str] = None) -> list[str]:
    """The names in the directory at `key`, sorted."""
    return sorted(entries(flux_handle, key, namespace))


def join(*args: str) -> str:
    """The key made of these parts; empty ones and `.` are left out."""
    parts = [part.strip(".") for part in args]
    return ".".join(part for part in parts if part) or "."


def dropcache(flux_handle: Flux) -> None:
    """Has this rank forget the blobs that it has no use for at the moment."""
    flux_handle.rpc("content.dropcache").get()
