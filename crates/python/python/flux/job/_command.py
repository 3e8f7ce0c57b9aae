"""Jobspecs with the options of commands: those that `flux submit`, `flux alloc` and `flux batch`
would make, which make them here too.
"""

from __future__ import annotations

import json
from typing import Any, List, Mapping, Optional, Sequence, Type, TypeVar

#: The class whose method makes one.
_Spec = TypeVar("_Spec", bound="Commands")


class Commands:
    """Makers of `JobspecV1` that run a command."""

    @classmethod
    def from_submit(cls: Type[_Spec], command: Sequence[str], **options: Any) -> _Spec:
        """Makes the jobspec that `flux submit` makes of a command.

        `options` are its long options with `_` for `-`: a value, True for an option without one, a
        list for one that is given several times, a mapping for one of the form NAME=VALUE. So
        `ntasks=4, time_limit="5m", setopt={"mpi": "none"}`. Raises `ValueError` with the reason if
        one is refused. It starts a program: to make many jobspecs, change one of them.
        """
        jobspec: _Spec = _made(cls, "submit", options, list(command))
        return jobspec

    @classmethod
    def from_alloc(cls: Type[_Spec], command: Sequence[str] = (), **options: Any) -> _Spec:
        """Makes the jobspec that `flux alloc` makes: an instance that runs a command. Options as
        those of `from_submit`."""
        jobspec: _Spec = _made(cls, "alloc", options, list(command))
        return jobspec

    @classmethod
    def from_batch(cls: Type[_Spec], script: str, args: Sequence[str] = (), **options: Any) -> _Spec:
        """Makes the jobspec that `flux batch` makes of a script, given as its text, with the options
        in its directives. Options as those of `from_submit`."""
        jobspec: Any = _made(cls, "batch", options, [], script)
        if args:
            jobspec.tasks[0]["command"] += list(args)
        return jobspec


def _made(
    cls: Any, name: str, options: Mapping[str, Any], words: List[str], script: Optional[str] = None
) -> Any:
    import subprocess

    ran = subprocess.run(
        ["flux", name, "--dry-run", *_flags(options), *words],
        input=script or "",
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if ran.returncode != 0:
        last = ran.stderr.strip().splitlines()[-1:] or [f"flux {name} failed"]
        raise ValueError(last[0].replace(f"flux-{name}: ERROR: ", ""))
    return cls(**json.loads(ran.stdout))


def _flags(options: Mapping[str, Any]) -> List[str]:
    flags = []
    for name, given in options.items():
        flag = "--" + name.replace("_", "-")
        for value in given if isinstance(given, (list, tuple)) else [given]:
            if value is True:
                flags.append(flag)
            elif isinstance(value, Mapping):
                flags += [f"{flag}={key}={_value(one)}" for key, one in value.items()]
            elif value is not None and value is not False:
                flags.append(f"{flag}={value}")
    return flags


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
