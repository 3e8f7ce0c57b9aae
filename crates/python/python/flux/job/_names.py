"""States and results of jobs, in the ways they are written."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Tuple, Union

from flux import constants


class Name(NamedTuple):
    """A state or a result."""

    long: str
    short: str
    emoji: str


STATES: Dict[int, Name] = {
    constants.FLUX_JOB_STATE_NEW: Name("NEW", "N", "📄"),
    constants.FLUX_JOB_STATE_DEPEND: Name("DEPEND", "D", "🔗"),
    constants.FLUX_JOB_STATE_PRIORITY: Name("PRIORITY", "P", "🕔"),
    constants.FLUX_JOB_STATE_SCHED: Name("SCHED", "S", "📅"),
    constants.FLUX_JOB_STATE_RUN: Name("RUN", "R", "🏃"),
    constants.FLUX_JOB_STATE_CLEANUP: Name("CLEANUP", "C", "🧹"),
    constants.FLUX_JOB_STATE_INACTIVE: Name("INACTIVE", "I", "💤"),
}

RESULTS: Dict[int, Name] = {
    constants.FLUX_JOB_RESULT_COMPLETED: Name("COMPLETED", "CD", "😀"),
    constants.FLUX_JOB_RESULT_FAILED: Name("FAILED", "F", "😭"),
    constants.FLUX_JOB_RESULT_CANCELED: Name("CANCELED", "CA", "💔"),
    constants.FLUX_JOB_RESULT_TIMEOUT: Name("TIMEOUT", "TO", "⌛"),
}

#: Several states in a word.
STATE_MASKS: Dict[str, int] = {
    "pending": constants.FLUX_JOB_STATE_PENDING,
    "running": constants.FLUX_JOB_STATE_RUNNING,
    "active": constants.FLUX_JOB_STATE_ACTIVE,
    **{name.long.lower(): bit for bit, name in STATES.items()},
}

RESULT_MASKS: Dict[str, int] = {name.long.lower(): bit for bit, name in RESULTS.items()}

_NONE = Name("", "", "")


def state_name(bit: Union[int, str, None]) -> Name:
    """The names of a state, all empty if it has none."""
    return STATES.get(bit, _NONE)  # type: ignore[arg-type]


def result_name(bit: Union[int, str, None]) -> Name:
    """The names of a result, all empty if it has none."""
    return RESULTS.get(bit, _NONE)  # type: ignore[arg-type]


def masks(words: List[str]) -> Tuple[int, int]:
    """The states and the results that words name.

    Raises `ValueError` for a word that names neither.
    """
    states = results = 0
    for word in words:
        name = word.lower()
        if name in STATE_MASKS:
            states |= STATE_MASKS[name]
        elif name in RESULT_MASKS:
            results |= RESULT_MASKS[name]
        else:
            raise ValueError(f"Invalid filter specified: {word}")
    return states, results
