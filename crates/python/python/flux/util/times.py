"""Durations in the form of Flux (RFC 23), and points in time."""

from __future__ import annotations

from datetime import datetime, timedelta

from flux import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Union


def parse_fsd(fsd_string: str) -> float:
    """The seconds of a duration such as `1.5h`; a number alone is seconds.

    Raises ValueError: it is no duration.
    """
    return _core.parse_fsd(fsd_string)


def fsd(secs: Union[float, str]) -> str:
    """A number of seconds in the short form of listings: `0s`, `1.500s`, `1.021m`.

    Raises ValueError: it is less than zero.
    """
    return _core.format_fsd(float(secs))


def parse_datetime(string: str, now: Optional[datetime] = None) -> datetime:
    """A point in time: `now`, a duration from now such as `+2h` or `-1d`, seconds since the
    epoch, or a date and time in ISO 8601 such as `2030-01-31 18:00`, in local time unless it
    says another.

    Raises ValueError: it is none of these.
    """
    now = now or datetime.now().astimezone()
    text = string.strip()
    if text == "now":
        return now
    if text[:1] in ("+", "-"):
        ahead = timedelta(seconds=parse_fsd(text[1:]))
        return now + ahead if text[0] == "+" else now - ahead
    try:
        return datetime.fromtimestamp(float(text)).astimezone()
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        hint = "use +DURATION such as +2h, or YYYY-MM-DD HH:MM"
        raise ValueError(f"invalid date and time {string!r}: {hint}") from None
