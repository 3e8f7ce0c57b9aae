"""Sets of resources (RFC 20): the cores and GPUs of nodes."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Optional, Union

from flux import _core
from flux.hostlist import Hostlist
from flux.idset import IDset

__all__ = ["ResourceSet"]

Ranks = Union[str, IDset, Any]


def _text(ranks: Ranks) -> str:
    return ranks if isinstance(ranks, str) else str(IDset(ranks))


class ResourceSet:
    """A set of resources, made of its JSON (R) as text or object; empty without.

    Raises `ValueError` if that is malformed, and for another `version` than 1.
    """

    def __init__(self, arg: Any = None, version: int = 1) -> None:
        if version != 1:
            raise ValueError(f"R version {version} is not supported")
        if isinstance(arg, _core.Rset):
            self._set = arg
        elif isinstance(arg, Mapping):
            self._set = _core.Rset(json.dumps(arg))
        elif arg is None or isinstance(arg, str):
            self._set = _core.Rset(arg)
        else:
            raise TypeError(f"a ResourceSet is made of text or a mapping, not {type(arg).__name__}")
        self.version = version
        #: State in listings, such as `free`.
        self.state: Optional[str] = None

    # As text.

    def encode(self) -> str:
        """Returns it as JSON."""
        return self._set.encode()

    def to_dict(self) -> Dict[str, Any]:
        """Returns it as an object."""
        return json.loads(self.encode())

    def dumps(self) -> str:
        """Returns the short text of listings, such as `rank[0-1]/core[0-3]`."""
        return self._set.dumps()

    def __str__(self) -> str:
        return self.dumps()

    def __repr__(self) -> str:
        return f"ResourceSet({self.encode()})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResourceSet) and self.encode() == other.encode()

    __hash__ = None  # type: ignore[assignment]

    # Contents.

    @property
    def nodelist(self) -> Hostlist:
        """Its hosts, in the order of their ranks."""
        return Hostlist(self._set.nodelist())

    @property
    def ranks(self) -> IDset:
        """Its ranks."""
        return IDset(self._set.ranks())

    @property
    def nnodes(self) -> int:
        """Number of ranks."""
        return self._set.nnodes()

    @property
    def ncores(self) -> int:
        """Number of cores."""
        return self._set.ncores()

    @property
    def ngpus(self) -> int:
        """Number of GPUs."""
        return self._set.ngpus()

    @property
    def rlist(self) -> str:
        """The short text of listings."""
        return self.dumps()

    def count(self, name: str) -> int:
        """Number of resources of a kind: `node`, `core` or `gpu`. Raises `ValueError` for another."""
        counts = {"node": self.nnodes, "core": self.ncores, "gpu": self.ngpus}
        if name not in counts:
            raise ValueError(f"unknown resource type '{name}': use node, core or gpu")
        return counts[name]

    def host(self, rank: int) -> str:
        """Returns the host of a rank. Raises `ValueError` if it has no such rank."""
        host = self._set.host(rank)
        if host is None:
            raise ValueError(f"there is no rank {rank} in this set")
        return host

    @property
    def starttime(self) -> float:
        """Begin of the allocation, in seconds since the epoch; 0 if that is not said."""
        return self._set.starttime()

    @property
    def expiration(self) -> float:
        """End of the allocation, in seconds since the epoch; 0 for none."""
        return self._set.expiration()

    @expiration.setter
    def expiration(self, expiration: float) -> None:
        self._set.set_times(self.starttime, expiration)

    # Properties of nodes.

    @property
    def properties(self) -> str:
        """Names of its properties, with commas."""
        return ",".join(name for name, _ in self._set.properties())

    def get_properties(self) -> str:
        """Returns the JSON object of its properties and the ranks that have each."""
        return json.dumps(dict(self._set.properties()))

    def set_property(self, name: str, ranks: Optional[Ranks] = None) -> None:
        """Gives ranks a property, all of them if none are named. Raises `ValueError` if the
        name has a forbidden character, or a rank is not in the set."""
        self._set.add_property(name, self._set.ranks() if ranks is None else _text(ranks))

    # Changing it.

    def append(self, *args: ResourceSet) -> ResourceSet:
        """Adds the resources of other sets, and returns itself."""
        for other in args:
            self._set.add(other._set.copy())
        return self

    add = append

    def remove_ranks(self, ranks: Ranks) -> ResourceSet:
        """Takes ranks out, and returns itself."""
        self._set.remove_ranks(_text(ranks))
        return self

    # Sets made of sets.

    def copy(self) -> ResourceSet:
        """Returns another set of the same resources."""
        copied = ResourceSet(self._set.copy())
        copied.state = self.state
        return copied

    def union(self, *args: ResourceSet) -> ResourceSet:
        """Returns the set of the resources of this and of all others."""
        return self.copy().append(*args)

    def diff(self, *args: ResourceSet) -> ResourceSet:
        """Returns the set of its resources that are in none of the others."""
        made = self.copy()
        for other in args:
            made._set.subtract(other._set.copy())
        return made

    def intersect(self, *args: ResourceSet) -> ResourceSet:
        """Returns the set of its resources that are in all the others."""
        made = self.copy()
        for other in args:
            made._set.intersect(other._set.copy())
        return made

    def copy_ranks(self, ranks: Ranks) -> ResourceSet:
        """Returns the set of the resources of some of its ranks."""
        made = self.copy()
        made._set.keep_ranks(_text(ranks))
        return made

    def copy_constraint(self, constraint: Union[str, Mapping[str, Any]]) -> ResourceSet:
        """Returns the set of the resources of the ranks for which a constraint (RFC 31) holds.

        Raises `ValueError` if the constraint is malformed.
        """
        text = constraint if isinstance(constraint, str) else json.dumps(constraint)
        return self.copy_ranks(self._set.matching(text))

    def __or__(self, other: ResourceSet) -> ResourceSet:
        return self.union(other)

    def __add__(self, other: ResourceSet) -> ResourceSet:
        return self.union(other)

    def __sub__(self, other: ResourceSet) -> ResourceSet:
        return self.diff(other)

    def __and__(self, other: ResourceSet) -> ResourceSet:
        return self.intersect(other)

    def by_rank(self) -> List[ResourceSet]:
        """Returns a set for each of its ranks."""
        return [self.copy_ranks(str(rank)) for rank in self.ranks]
