"""Formats of listings of jobs, as the option `--format` of `flux jobs` has them.

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
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence

from flux import _core
from flux.job.JobID import JobID

__all__ = ["JobInfoFormat", "job_fields_to_attrs"]

#: Headings that are not the name in capitals.
_HEADINGS = {
    "userid": "UID",
    "username": "USER",
    "urgency": "URG",
    "priority": "PRI",
    "state_single": "S",
    "state_emoji": "STATE",
    "status_abbrev": "ST",
    "status_emoji": "STATUS",
    "result_abbrev": "RS",
    "result_emoji": "RESULT",
    "waitstatus": "WSTATUS",
    "returncode": "RC",
    "contextual_info": "INFO",
    "contextual_time": "TIME",
    "inactive_reason": "INACTIVE-REASON",
    "exception.occurred": "EXCEPTION-OCCURRED",
    "exception.severity": "EXCEPTION-SEVERITY",
    "exception.type": "EXCEPTION-TYPE",
    "exception.note": "EXCEPTION-NOTE",
    "sched.reason_pending": "REASON",
    "sched.resource_summary": "RESOURCES",
    "uri.local": "URI",
    "uri.remote": "URI",
    "instance.stats.total": "NJOBS",
    "instance.utilization": "CORE%",
    "instance.gpu_utilization": "GPU%",
    "instance.progress": "PROG",
}

#: Fields that are attributes of the list of jobs by the same name.
_PLAIN = (
    "userid urgency priority t_submit t_depend t_priority t_sched t_run t_cleanup t_inactive "
    "state name cwd queue project bank ntasks ncores duration nnodes ranks nodelist success "
    "result expiration annotations waitstatus dependencies"
).split()

#: What the list of jobs has to tell for other fields.
_ATTRS: Dict[str, Sequence[str]] = {
    "id": (),
    "username": ("userid",),
    "state_single": ("state",),
    "state_emoji": ("state",),
    "status": ("state", "result"),
    "status_abbrev": ("state", "result"),
    "status_emoji": ("state", "result"),
    "result": ("state", "result"),
    "result_abbrev": ("state", "result"),
    "result_emoji": ("state", "result"),
    "returncode": ("state", "result", "waitstatus"),
    "runtime": ("t_run", "t_cleanup"),
    "t_remaining": ("expiration", "state"),
    "exception": (
        "exception_occurred",
        "exception_severity",
        "exception_type",
        "exception_note",
    ),
    "sched": ("annotations",),
    "user": ("annotations",),
    "uri": ("annotations", "state"),
    "instance": ("annotations", "state"),
    "contextual_info": ("state", "nodelist", "dependencies", "urgency", "priority", "annotations"),
    "contextual_time": ("state", "t_run", "t_cleanup", "duration"),
    "inactive_reason": (
        "state",
        "result",
        "waitstatus",
        "exception_occurred",
        "exception_severity",
        "exception_type",
        "exception_note",
    ),
}

#: What is shown as `-` with `h`.
_EMPTY = ("", "0s", "0.0", "0:00:00", "1970-01-01T00:00:00")

_SPEC = re.compile(r"(?P<align>(?:.?[<>^])?)(?P<width>\d*)(?:\.(?P<cut>\d+))?(?P<kind>[a-gA-GxXn%s]?)$")


def job_fields_to_attrs(fields: Iterable[str]) -> List[str]:
    """Returns the attributes that the list of jobs has to give for fields of a format.

    Raises `ValueError` for a field that jobs do not have.
    """
    attrs: Dict[str, None] = {}
    for field in fields:
        name = field.split(".")[0]
        if name in _ATTRS:
            attrs.update(dict.fromkeys(_ATTRS[name]))
        elif name in _PLAIN:
            attrs[name] = None
        else:
            raise ValueError(f"Unknown format field: {field}")
    return list(attrs)


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


class JobInfoFormat:
    """A format for jobs. Raises `ValueError` if it is malformed or has an unknown field."""

    headings = _HEADINGS

    def __init__(self, fmt: str) -> None:
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
        self.attrs = job_fields_to_attrs(self.fields)
        for column in self._columns:
            _parse(column)

    @property
    def fields(self) -> List[str]:
        """The names of its fields."""
        return [column.field for column in self._columns]

    def get_format(self) -> str:
        """The format as it was given."""
        return self.fmt

    def header(self) -> str:
        """Returns the line of headings."""
        return self._line([_pad(column, _heading(column.field), None) for column in self._columns])

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
            job_fields_to_attrs([name])
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
            longest = max(map(len, [_heading(column.field), *values]))
            widths.append(longest if column.widen else None)
        if not no_header:
            texts.insert(0, [_heading(column.field) for column in self._columns])
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


def _heading(field: str) -> str:
    if field == "id" or field.startswith("id."):
        return "JOBID"
    return _HEADINGS.get(field, field.split(".")[-1].upper())


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
    is_number = isinstance(value, (int, float)) and not isinstance(value, (bool, JobID))
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
