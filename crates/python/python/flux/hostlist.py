"""Lists of hosts (RFC 29): in order, and a host may be in them more than once."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, List, Union, overload

from flux import _core

__all__ = ["Hostlist", "decode"]

#: Types that a list can be made of.
Hosts = Union[str, "Hostlist", Iterable[str]]


def _names(arg: Hosts) -> List[str]:
    if isinstance(arg, str):
        return _core.hostlist_decode(arg)
    if isinstance(arg, Hostlist):
        return list(arg)
    names: List[str] = []
    for part in arg:
        if not isinstance(part, str):
            raise TypeError(f"a list of hosts is made of text, not of {type(part).__name__}")
        names += _core.hostlist_decode(part)
    return names


class Hostlist:
    """A list of hosts, made of its text such as `n[0-3],login`, or of such texts.

    Raises `ValueError` if a text is malformed.
    """

    def __init__(self, arg: Hosts = "") -> None:
        self._hosts = _names(arg)

    def encode(self) -> str:
        """Returns its text."""
        return _core.hostlist_encode(self._hosts)

    def __str__(self) -> str:
        return self.encode()

    def __repr__(self) -> str:
        return f"Hostlist('{self}')"

    def count(self) -> int:
        """Number of hosts."""
        return len(self._hosts)

    def __len__(self) -> int:
        return len(self._hosts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts)

    def __contains__(self, host: object) -> bool:
        return host in self._hosts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hostlist) and self._hosts == other._hosts

    __hash__ = None  # type: ignore[assignment]

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: Union[slice, Iterable[int]]) -> Hostlist: ...

    def __getitem__(self, index: Any) -> Union[str, Hostlist]:
        """The host at an index; the list of those at several, or in a slice."""
        if isinstance(index, int):
            if not -len(self._hosts) <= index < len(self._hosts):
                raise IndexError("Hostlist index out of range")
            return self._hosts[index]
        picked = Hostlist()
        if isinstance(index, slice):
            picked._hosts = self._hosts[index]
        else:
            picked._hosts = [self[one] for one in index]
        return picked

    def index(self, hosts: str, ignore_nomatch: bool = False) -> Any:
        """Returns the index of a host, or the list of those of several.

        Raises `FileNotFoundError` if one is not in it, unless `ignore_nomatch`: then there is
        no index for it.
        """
        names = _core.hostlist_decode(hosts)
        found = []
        for name in names:
            if name in self._hosts:
                found.append(self._hosts.index(name))
            elif not ignore_nomatch:
                import errno

                raise FileNotFoundError(errno.ENOENT, f"host '{name}' not found", hosts)
        return found[0] if len(names) == 1 and found else found

    def append(self, arg: Hosts) -> int:
        """Adds hosts at its end, and returns how many."""
        names = _names(arg)
        self._hosts += names
        return len(names)

    def delete(self, hosts: Hosts) -> int:
        """Takes hosts out, each as often as it is named, and returns how many there were."""
        removed = 0
        for name in _names(hosts):
            if name in self._hosts:
                self._hosts.remove(name)
                removed += 1
        return removed

    def sort(self) -> Hostlist:
        """Sorts it by names and numbers, and returns it."""
        self._hosts = _core.hostlist_sorted(self._hosts)
        return self

    def uniq(self) -> Hostlist:
        """Sorts it and leaves each host once, and returns it."""
        self._hosts = list(dict.fromkeys(_core.hostlist_sorted(self._hosts)))
        return self

    def expand(self) -> List[str]:
        """Returns its hosts as a list."""
        return list(self._hosts)

    def copy(self) -> Hostlist:
        """Returns another list of the same hosts."""
        copied = Hostlist()
        copied._hosts = list(self._hosts)
        return copied


def decode(arg: str) -> Hostlist:
    """Returns the list of a text. Raises `ValueError` if it is malformed."""
    return Hostlist(arg)
