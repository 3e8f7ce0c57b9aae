"""Formats of listings, as the option `--format` of commands has them.

A format is text with fields, such as `{id.f58:>12} ?:{queue:<8.8} {runtime!F:>8h}`. Before a
field `?:` drops its column if it is empty everywhere, `+:` makes it as wide as its longest
value, and `?+:` does both. After the width `h` shows what is empty as `-`, and `+` marks what
was cut. Conversions are `!D` (date and time), `!d` (the same, `{t_run!d:%b%d %R::>12}`), `!F`
(duration), `!H` (hours, minutes, seconds) and `!P` (percent).
"""

from __future__ import annotations

import re
import string
import time
from functools import lru_cache
from typing import Any, Iterable, List, Mapping, NamedTuple, Optional

from flux import _core

__all__ = ["OutputFormat"]

#: Values that are shown as `-` with `h`.
_EMPTY = ("", "0s", "0.0", "0:00:00", "1970-01-01T00:00:00")

_SPEC = re.compile(r"(?P<align>(?:.?[<>^])?)(?P<width>\d*)(?:\.(?P<cut>\d+))?(?P<kind>[a-gA-GxXn%s]?)$")


class _Column(NamedTuple):
    """A field and the text before it."""

    text: str
    field: str
    convert: Optional[str]
    spec: str
    #: Drop it if it is empty everywhere.
    drop: bool
    #: Make it as wide as its longest value.
    widen: bool


class OutputFormat:
    """A format for objects whose attributes are its fields, by dotted names.

    `headings` are the fields that there are, and what stands above each. Raises `ValueError` if
    the format is malformed or has another field.
    """

    headings: Mapping[str, str] = {}

    def __init__(self, fmt: str, headings: Optional[Mapping[str, str]] = None) -> None:
        if headings is not None:
            self.headings = headings
        self.fmt = fmt
        self._sort_keys: List[str] = []
        if fmt.startswith("sort:"):
            keys, _, fmt = fmt[len("sort:") :].partition(" ")
            self._sort_keys = keys.split(",")
        self._columns: List[_Column] = []
        self._rest = ""
        for text, field, spec, convert in string.Formatter().parse(fmt):
            if field is None:
                self._rest = text
                continue
            marks = re.search(r"(\?\+|\?|\+):$", text)
            mark = marks.group(1) if marks else ""
            text = text[: -len(mark) - 1] if mark else text
            self._columns.append(
                _Column(text, field, convert, spec or "", "?" in mark, "+" in mark)
            )
        for column in self._columns:
            self.heading(column.field)
            _parse(column)

    def heading(self, field: str) -> str:
        """Returns what stands above a field. Raises `ValueError` if there is no such field."""
        if field not in self.headings:
            raise ValueError(f"Unknown format field: {field}")
        return self.headings[field]

    @property
    def fields(self) -> List[str]:
        """The names of its fields."""
        return [column.field for column in self._columns]

    def get_format(self) -> str:
        """The format as it was given."""
        return self.fmt

    def header(self) -> str:
        """Returns the line of headings."""
        return self._line([_pad(column, self.heading(column.field), None) for column in self._columns])

    def format(self, obj: Any) -> str:
        """Returns the line of a job."""
        return self._line([_pad(column, _value(column, obj), None) for column in self._columns])

    def _line(self, cells: List[str]) -> str:
        pairs = zip(self._columns, cells)
        return "".join(column.text + cell for column, cell in pairs) + self._rest

    def sort_items(self, items: List[Any]) -> None:
        """Sorts jobs as `sort:` at its beginning says."""
        for key in reversed(self._sort_keys):
            name = key.lstrip("-")
            self.heading(name)
            items.sort(key=lambda job: _order(_attr(job, name)), reverse=key.startswith("-"))

    def lines(self, items: Iterable[Any], no_header: bool = False) -> List[str]:
        """Returns the lines of a listing."""
        jobs = list(items)
        self.sort_items(jobs)
        texts = [[_value(column, job) for column in self._columns] for job in jobs]
        kept, widths = [], []
        for place, column in enumerate(self._columns):
            values = [row[place] for row in texts]
            kept.append(not column.drop or any(value not in ("", "0", "-") for value in values))
            longest = max(map(len, [self.heading(column.field), *values]))
            widths.append(longest if column.widen else None)
        if not no_header:
            texts.insert(0, [self.heading(column.field) for column in self._columns])
        return ["".join(self._cells(row, kept, widths)) + self._rest for row in texts]

    def _cells(self, row: List[str], kept: List[bool], widths: List[Any]) -> Iterable[str]:
        for column, value, is_kept, width in zip(self._columns, row, kept, widths):
            if is_kept:
                yield column.text + _pad(column, value, width)

    def print_items(
        self, items: Iterable[Any], no_header: bool = False, pre: Any = None, post: Any = None
    ) -> None:
        """Prints a listing; `pre(job)` and `post(job)` are called around each line."""
        jobs = list(items)
        self.sort_items(jobs)
        lines = self.lines(jobs, no_header)
        if not no_header:
            print(lines.pop(0))
        for job, line in zip(jobs, lines):
            if pre is not None:
                pre(job)
            print(line)
            if post is not None:
                post(job)


def _attr(obj: Any, path: str) -> Any:
    for name in path.split("."):
        obj = getattr(obj, name)
    return obj


def _order(value: Any) -> Any:
    """Empty values first, then numbers, then texts."""
    if value == "" or value is None:
        return (0, 0, "")
    return (1, value, "") if isinstance(value, (int, float)) else (2, 0, str(value))


class _Spec(NamedTuple):
    date: str
    align: str
    width: int
    cut: Optional[int]
    kind: str
    #: Show what is empty as `-`.
    dash: bool
    #: Mark what was cut.
    mark: bool


@lru_cache(maxsize=None)
def _parse(column: _Column) -> _Spec:
    spec, date = column.spec, ""
    if column.convert not in (None, "D", "d", "F", "H", "P"):
        raise ValueError(f"Unknown conversion specifier {column.convert}")
    if column.convert == "d":
        date, _, spec = spec.rpartition("::") if "::" in spec else (spec, "", "")
    mark = spec.endswith("+")
    spec = spec[:-1] if mark else spec
    dash = spec.endswith("h")
    spec = spec[:-1] if dash else spec
    found = _SPEC.match(spec)
    if found is None:
        raise ValueError(f"Invalid format specifier '{column.spec}' of {column.field}")
    cut = found["cut"]
    width = int(found["width"] or 0)
    return _Spec(date, found["align"], width, int(cut) if cut else None, found["kind"], dash, mark)


def _value(column: _Column, job: Any) -> str:
    """The text of a field, before it is cut and padded."""
    spec = _parse(column)
    value = _attr(job, column.field)
    text = _converted(value, column.convert, spec)
    return "-" if spec.dash and text in _EMPTY else text


def _converted(value: Any, convert: Optional[str], spec: _Spec) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if convert is None:
        if is_number and spec.kind not in ("", "s"):
            cut = "" if spec.cut is None else f".{spec.cut}"
            return format(value, cut + spec.kind)
        return str(value)
    if not is_number:
        return str(value)
    if convert == "F":
        return _core.format_fsd(max(value, 0.0))
    if convert == "H":
        minutes, seconds = divmod(int(round(value)), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    if convert == "P":
        percent = value * 100
        return f"{percent:.3g}%" if percent < 1 or percent % 1 else f"{percent:.0f}%"
    if value == 0:
        return ""
    return time.strftime(spec.date or "%Y-%m-%dT%H:%M:%S", time.localtime(value))


def _pad(column: _Column, text: str, width: Optional[int]) -> str:
    spec = _parse(column)
    cut = spec.cut if spec.kind in ("", "s") and width is None else None
    if cut is not None and len(text) > cut:
        text = text[: cut - 1] + "+" if spec.mark else text[:cut]
    return format(text, f"{spec.align}{max(width or 0, spec.width) or ''}")
