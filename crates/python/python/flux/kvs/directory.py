"""Directories of keys as mappings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping

from flux.constants import FLUX_KVS_READDIR
from flux.kvs import lookup
from flux.kvs.transaction import KVSTxn
from flux.rpc import RPC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from flux.core.handle import Flux


class KVSDir(MutableMapping):  # type: ignore[type-arg]
    """The directory at the key `path`, as a mapping of names to values.

    >>> directory = flux.kvs.KVSDir(handle, "results")
    >>> directory["best"] = 17
    >>> directory.commit()

    Changes are made by `commit`; until then it reads as before. Directories that are read from
    one share its changes. Raises OSError: there is no directory at `path`.
    """

    def __init__(
        self,
        flux_handle: Flux,
        path: str = ".",
        handle: Any = None,
        namespace: Optional[str] = None,
        _kvstxn: Optional[KVSTxn] = None,
    ) -> None:
        if handle is not None:
            raise ValueError("a directory is named by its path, not by a handle of C")
        self.fhdl = flux_handle
        self.path = path
        self._namespace = namespace
        self._txn = KVSTxn() if _kvstxn is None else _kvstxn
        lookup.lookup(flux_handle, path, FLUX_KVS_READDIR, namespace)

    def key_at(self, key: str) -> str:
        """The whole key of a name in it."""
        return lookup.join(self.path, key)

    def exists(self, name: str) -> bool:
        """Whether there is anything of that name in it."""
        return lookup.exists(self.fhdl, self.key_at(name), self._namespace)

    def __getitem__(self, key: str) -> Any:
        try:
            return lookup.get_key_direct(self.fhdl, self.key_at(key), self._namespace)
        except FileNotFoundError:
            raise KeyError(self.key_at(key)) from None
        except IsADirectoryError:
            return KVSDir(self.fhdl, self.key_at(key), namespace=self._namespace, _kvstxn=self._txn)

    def __setitem__(self, key: str, value: Any) -> None:
        self._txn.put(self.key_at(key), value)

    def __delitem__(self, key: str) -> None:
        self._txn.unlink(self.key_at(key))

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries())

    def __len__(self) -> int:
        return len(self._entries())

    def fill(self, contents: Mapping[str, Any]) -> None:
        """Sets all keys of a mapping, which may be dotted, and makes that one step."""
        for key, value in contents.items():
            self[key] = value
        self.commit()

    def mkdir(self, key: str, contents: Optional[Mapping[str, Any]] = None) -> None:
        """Makes a directory in it, with these keys, and makes that one step."""
        self._txn.mkdir(self.key_at(key))
        for name, value in (contents or {}).items():
            self._txn.put(lookup.join(self.path, key, name), value)
        self.commit()

    def files(self) -> list[str]:
        """The names in it that are no directories."""
        return [name for name, entry in self._entries().items() if not _is_dir(entry)]

    def directories(self) -> list[str]:
        """The names of directories in it."""
        return [name for name, entry in self._entries().items() if _is_dir(entry)]

    def list_all(self) -> tuple[list[str], list[str]]:
        """The names of its files, and of its directories."""
        found = self._entries()
        dirs = [name for name, entry in found.items() if _is_dir(entry)]
        return [name for name in found if name not in dirs], dirs

    def commit(self, flags: int = 0) -> int:
        """Makes the changes one step, and blocks until they are stored."""
        return self._txn.commit(self.fhdl, flags, self._namespace)

    def commit_async(self, flags: int = 0) -> RPC:
        """The same, and gives back the future of it."""
        return self._txn.commit_async(self.fhdl, flags, self._namespace)

    def _entries(self) -> dict[str, Any]:
        return lookup.entries(self.fhdl, self.path, self._namespace)

    def __repr__(self) -> str:
        return f"<flux.kvs.KVSDir {self.path}>"


def _is_dir(treeobj: dict[str, Any]) -> bool:
    return treeobj["type"] in ("dir", "dirref")


def get_dir(flux_handle: Flux, key: str = ".", namespace: Optional[str] = None) -> KVSDir:
    """The directory at `key`."""
    return KVSDir(flux_handle, key, namespace=namespace)


def walk(
    directory: Any, topdown: bool = False, flux_handle: Optional[Flux] = None, namespace: Optional[str] = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """For `directory`, a `KVSDir` or a key, and all below: its key, the names of directories in
    it and those of files. With `topdown` a directory comes before those in it."""
    if not isinstance(directory, KVSDir):
        if flux_handle is None:
            raise ValueError("walk needs a handle where it is given a key")
        directory = get_dir(flux_handle, directory, namespace)
    files, dirs = directory.list_all()
    if topdown:
        yield directory.path, dirs, files
    for name in dirs:
        yield from walk(directory[name], topdown)
    if not topdown:
        yield directory.path, dirs, files
