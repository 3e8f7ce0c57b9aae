"""Sets of ids (RFC 22): numbers from 0, with a text such as `0-3,7`."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, List, Optional, Union

from flux import _core

__all__ = ["IDSET_FLAG_BRACKETS", "IDSET_FLAG_RANGE", "IDset", "decode"]

#: Flags of an encoding: `[0,1,2]` if there are several, and `0-2`.
IDSET_FLAG_BRACKETS = 2
IDSET_FLAG_RANGE = 4

#: Types that a set can be made of.
Ids = Union[str, "IDset", Iterable[int]]

_ID_MAX = (1 << 32) - 1


def _set_of(arg: Ids) -> IDset:
    return arg if isinstance(arg, IDset) else IDset(arg)


class IDset(_core.IdSet):
    """A set of ids, made of its text or of numbers.

    `flags` are those of its text: ranges unless something else is said. Raises `ValueError` if
    the text is malformed or a number is no id, `TypeError` if it is neither.
    """

    def __init__(self, arg: Ids = "", flags: int = IDSET_FLAG_RANGE) -> None:
        super().__init__()
        self._flags = flags
        if isinstance(arg, str):
            self.add_text(arg)
        else:
            self.add(arg)

    # Changing it.

    def add(self, arg: Ids) -> None:
        """Adds the ids of a set, a text or numbers."""
        if isinstance(arg, IDset):
            if arg is not self:
                self.add_set(arg)
        elif isinstance(arg, str):
            self.add_text(arg)
        else:
            for number in arg:
                self.set(number)

    def subtract(self, arg: Ids) -> None:
        """Takes out the ids of a set, a text or numbers."""
        other = _set_of(arg)
        self.subtract_set(other.copy() if other is self else other)

    def set(self, start: int, end: Optional[int] = None) -> IDset:
        """Adds an id, or those from `start` to `end`, and returns itself."""
        self.add_range(*_range(start, end))
        return self

    def clear(self, start: int, end: Optional[int] = None) -> IDset:
        """Takes out an id, or those from `start` to `end`, and returns itself."""
        self.remove_range(*_range(start, end))
        return self

    def set_flags(self, flags: int) -> None:
        """Says how its text is written."""
        self._flags = flags

    # Asking it.

    def test(self, i: int) -> bool:
        """True if it has an id."""
        return self.contains(*_range(i, None)[:1])

    def first(self) -> int:
        """The lowest id. Raises `ValueError` if it is empty."""
        return _found(self.lowest())

    def last(self) -> int:
        """The highest id. Raises `ValueError` if it is empty."""
        return _found(self.highest())

    def next(self, i: int) -> int:
        """The lowest id above `i`. Raises `ValueError` if there is none."""
        return _found(self.above(i))

    def expand(self) -> List[int]:
        """Returns its ids as a list."""
        return self.list()

    def equal(self, idset: IDset) -> bool:
        """True if another set has the same ids."""
        return self.equals(idset)

    def has_overlap(self, arg: Ids) -> bool:
        """True if another set has one of its ids."""
        return self.overlaps(_set_of(arg))

    def encode(self, flags: Optional[int] = None) -> str:
        """Returns its text; `flags` are as those of the class."""
        return self.text(self._flags if flags is None else flags)

    # Sets made of sets.

    def copy(self) -> IDset:
        """Returns another set of the same ids."""
        copied = IDset(flags=self._flags)
        copied.add_set(self)
        return copied

    def union(self, *args: Ids) -> IDset:
        """Returns the set of the ids of this and of all others."""
        made = self.copy()
        for arg in args:
            made.add(arg)
        return made

    def difference(self, *args: Ids) -> IDset:
        """Returns the set of its ids that are in none of the others."""
        made = self.copy()
        for arg in args:
            made.subtract(arg)
        return made

    def intersect(self, *args: Ids) -> IDset:
        """Returns the set of its ids that are in all the others."""
        made = self.copy()
        for arg in args:
            made.keep_set(_set_of(arg))
        return made

    def __or__(self, other: Ids) -> IDset:
        return self.union(other)

    def __add__(self, other: Ids) -> IDset:
        return self.union(other)

    def __sub__(self, other: Ids) -> IDset:
        return self.difference(other)

    def __and__(self, other: Ids) -> IDset:
        return self.intersect(other)

    # In the manner of other collections.

    def __len__(self) -> int:
        return self.count()

    def __bool__(self) -> bool:
        return self.lowest() is not None

    def __contains__(self, i: object) -> bool:
        return isinstance(i, int) and 0 <= i <= _ID_MAX and self.contains(i)

    def __iter__(self) -> Iterator[int]:
        number = self.lowest()
        while number is not None:
            yield number
            number = self.above(number)

    def __getitem__(self, index: Any) -> Any:
        """The id at an index, counted from the lowest; the list of those in a slice."""
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        number = self.nth(place) if place >= 0 else None
        if number is None:
            raise IndexError("IDset index out of range")
        return number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IDset) and self.equals(other)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.encode()

    def __repr__(self) -> str:
        return f"IDset('{self}')"


def _range(start: int, end: Optional[int]) -> Any:
    for number in (start, start if end is None else end):
        if isinstance(number, bool) or not isinstance(number, int):
            raise TypeError(f"an id is an integer, not {type(number).__name__}")
        if not 0 <= number <= _ID_MAX:
            raise ValueError(f"{number} is no id")
    return start, start if end is None else end


def _found(number: Optional[int]) -> int:
    if number is None:
        raise ValueError("there is no such id")
    return number


def decode(arg: str) -> IDset:
    """Returns the set of a text. Raises `ValueError` if it is malformed."""
    return IDset(arg)
