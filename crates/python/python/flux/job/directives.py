"""Directives: options that stand in comments of a batch script (RFC 36).

`python -m flux.job.directives FILE` prints those of a script.
"""

from __future__ import annotations

import sys
from typing import Any, Iterator, List

from flux import _core

__all__ = ["Directive", "DirectiveParser"]


class Directive:
    """One directive: an `action`, its `args`, and the line it stands in.

    The action is `SETARGS`, or `NOOP` where nothing but a comment follows the sentinel.
    """

    def __init__(self, lineno: int, args: List[str]) -> None:
        self.lineno = lineno
        self.args = args
        self.action = "SETARGS" if args else "NOOP"

    def __str__(self) -> str:
        return f"{self.action}({self.args})"


class DirectiveParser:
    """The directives of a script, given as an open file.

    `script` is the whole text, `directives` the list. Raises `ValueError` with the line and the
    reason if a directive is malformed.
    """

    def __init__(self, inputfile: Any) -> None:
        self.name: str = getattr(inputfile, "name", "<stdin>")
        self.script: str = inputfile.read()
        found = _core.directives(self.script)
        self.directives = [Directive(line, words) for line, words in found]

    def __iter__(self) -> Iterator[Directive]:
        return iter(self.directives)


def _main(arguments: List[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m flux.job.directives FILE", file=sys.stderr)
        return 2
    try:
        with open(arguments[0], encoding="utf-8") as script:
            for directive in DirectiveParser(script):
                print(directive)
    except (OSError, ValueError) as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
