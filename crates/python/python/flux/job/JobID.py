"""Numbers of jobs, and the ways to write them (RFC 19)."""

from __future__ import annotations

from typing import Union

from flux import _core

__all__ = ["JobID", "id_encode", "id_parse"]


def id_parse(jobid_str: str) -> int:
    """Returns the number of a job that is written in any encoding.

    Raises `ValueError` if the text is none.
    """
    return _core.id_parse(jobid_str)


def id_encode(jobid: int, encoding: str = "f58") -> str:
    """Writes the number of a job.

    `encoding` is one of `dec`, `hex`, `dothex`, `kvs`, `words`, `f58`, `f58plain` and
    `emoji`. Raises `ValueError` for another one.
    """
    return _core.id_encode(int(jobid), encoding)


class JobID(int):
    """The number of a job: an `int`, made of a number or of its text in any encoding.

    Raises `ValueError` if the text is no number of a job.
    """

    orig: str

    def __new__(cls, value: Union[int, str] = 0) -> JobID:
        number = id_parse(value) if isinstance(value, str) else int(value)
        if not 0 <= number < 1 << 64:
            raise ValueError(f"{value} is not a valid Flux jobid")
        return int.__new__(cls, number)

    def __init__(self, value: Union[int, str] = 0) -> None:
        # As it was written, for messages.
        self.orig = str(value) if isinstance(value, str) else str(int(value))

    def encode(self, encoding: str = "dec") -> str:
        """Writes it; see `id_encode`."""
        return id_encode(self, encoding)

    @property
    def dec(self) -> str:
        """Decimal."""
        return self.encode("dec")

    @property
    def hex(self) -> str:
        """Hexadecimal, with `0x` in front."""
        return self.encode("hex")

    @property
    def dothex(self) -> str:
        """Four groups of hexadecimal digits."""
        return self.encode("dothex")

    @property
    def kvs(self) -> str:
        """The folder of the job in the KVS."""
        return self.encode("kvs")

    @property
    def f58(self) -> str:
        """Base 58, as commands print it."""
        return self.encode("f58")

    @property
    def f58plain(self) -> str:
        """Base 58 with an ASCII prefix."""
        return self.encode("f58plain")

    @property
    def words(self) -> str:
        """Words."""
        return self.encode("words")

    @property
    def emoji(self) -> str:
        """Emoji."""
        return self.encode("emoji")

    def __str__(self) -> str:
        return self.f58

    def __repr__(self) -> str:
        return f"JobID({int(self)})"

    def __format__(self, spec: str) -> str:
        # As a number where the format is one of numbers, else as its text.
        if spec and spec[-1] in "bdoxXn":
            return int(self).__format__(spec)
        return str(self).__format__(spec)
