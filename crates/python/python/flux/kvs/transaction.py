"""Changing keys: transactions."""

from __future__ import annotations

from binascii import b2a_base64

from flux.constants import FLUX_KVS_APPEND
from flux.kvs.namespace import name_of
from flux.payload import encode_json
from flux.rpc import RPC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from flux.core.handle import Flux


class KVSTxn:
    """Changes that are made together, or not at all, by `commit`."""

    def __init__(self) -> None:
        self.ops: list[dict[str, Any]] = []

    def put(self, key: str, value: Any, append: bool = False) -> KVSTxn:
        """Sets `key` to `value`: bytes as they are, anything else as JSON. With `append` it
        is added to the bytes that are there. Raises TypeError: JSON cannot hold it."""
        data = bytes(value) if isinstance(value, (bytes, bytearray)) else encode_json(value).encode()
        flags = FLUX_KVS_APPEND if append else 0
        return self._add(key, _treeobj("val", b2a_base64(data, newline=False).decode()), flags)

    def mkdir(self, key: str) -> KVSTxn:
        """Makes an empty directory, in place of what is at `key`."""
        return self._add(key, _treeobj("dir", {}))

    def unlink(self, key: str) -> KVSTxn:
        """Removes `key`, and all in it."""
        return self._add(key, None)

    def symlink(self, key: str, target: str, namespace: Optional[str] = None) -> KVSTxn:
        """Makes `key` a link to the key `target`, in another namespace if one is given."""
        data = {"target": target}
        if namespace is not None:
            data["namespace"] = namespace
        return self._add(key, _treeobj("symlink", data))

    def clear(self) -> None:
        """Forgets all changes."""
        self.ops = []

    def commit_async(self, flux_handle: Flux, flags: int = 0, namespace: Optional[str] = None) -> RPC:
        """Sends the changes; the future is fulfilled when they are stored. The transaction is
        empty afterwards."""
        request = {"namespace": name_of(namespace), "flags": flags, "ops": self.ops}
        future = flux_handle.rpc("kvs.commit", request)
        self.clear()
        return future

    def commit(self, flux_handle: Flux, flags: int = 0, namespace: Optional[str] = None) -> int:
        """Makes the changes and blocks until they are stored. Gives back the version of the
        namespace that has them."""
        version: int = self.commit_async(flux_handle, flags, namespace).get()["rootseq"]
        return version

    def _add(self, key: str, dirent: Optional[dict[str, Any]], flags: int = 0) -> KVSTxn:
        if not isinstance(key, str):
            raise TypeError(f"a key is a str, not {type(key).__name__}")
        self.ops.append({"key": key, "flags": flags, "dirent": dirent})
        return self


def _treeobj(kind: str, data: Any) -> dict[str, Any]:
    return {"ver": 1, "type": kind, "data": data}


def txn_of(flux_handle: Flux, txn: Optional[KVSTxn] = None) -> KVSTxn:
    """A given transaction, or that of the handle."""
    if txn is not None:
        return txn
    if flux_handle._kvstxn is None:
        flux_handle._kvstxn = KVSTxn()
    own: KVSTxn = flux_handle._kvstxn
    return own


def put(flux_handle: Flux, key: str, value: Any, _kvstxn: Optional[KVSTxn] = None) -> None:
    """Sets `key` to `value` with the next `commit`."""
    txn_of(flux_handle, _kvstxn).put(key, value)


def put_mkdir(flux_handle: Flux, key: str, _kvstxn: Optional[KVSTxn] = None) -> None:
    """Makes an empty directory with the next `commit`."""
    txn_of(flux_handle, _kvstxn).mkdir(key)


def put_unlink(flux_handle: Flux, key: str, _kvstxn: Optional[KVSTxn] = None) -> None:
    """Removes `key` with the next `commit`."""
    txn_of(flux_handle, _kvstxn).unlink(key)


def put_symlink(flux_handle: Flux, key: str, target: str, _kvstxn: Optional[KVSTxn] = None) -> None:
    """Makes `key` a link to `target` with the next `commit`."""
    txn_of(flux_handle, _kvstxn).symlink(key, target)


def commit_async(
    flux_handle: Flux, flags: int = 0, namespace: Optional[str] = None, _kvstxn: Optional[KVSTxn] = None
) -> RPC:
    """Sends what was put, and gives back the future of its being stored."""
    return txn_of(flux_handle, _kvstxn).commit_async(flux_handle, flags, namespace)


def commit(
    flux_handle: Flux, flags: int = 0, namespace: Optional[str] = None, _kvstxn: Optional[KVSTxn] = None
) -> int:
    """Makes what was put one step, and blocks until it is stored."""
    return txn_of(flux_handle, _kvstxn).commit(flux_handle, flags, namespace)
