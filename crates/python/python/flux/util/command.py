"""Command lines: a frame for `main`, and help in the form of Flux commands."""

from __future__ import annotations

import argparse
import logging
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Callable, Optional, Union


class CLIMain:
    """A decorator of a `main` without arguments: what it raises is printed as one line, and
    the program exits with 1. With FLUX_PYCLI_LOGLEVEL=10 in the environment the traceback is
    printed too.

    >>> @CLIMain(logging.getLogger("my-tool"))
    ... def main():
    ...     ...
    """

    def __init__(self, logger: Optional[logging.Logger] = None) -> None:
        self.logger = logger or logging.getLogger()

    def __call__(self, main_func: Callable[[], Any]) -> None:
        import os

        level = int(os.environ.get("FLUX_PYCLI_LOGLEVEL", logging.INFO))
        logging.basicConfig(level=level, format="%(name)s: %(levelname)s: %(message)s")
        code: Any = 0
        try:
            main_func()
        except SystemExit as error:
            code = error.code
        except KeyboardInterrupt:
            code = 130
        except Exception as error:
            code = 1
            self.logger.error("%s", _sentence(error))
            self.logger.debug("where that was raised:", exc_info=True)
        finally:
            logging.shutdown()
            if code:
                sys.exit(code)


def _sentence(error: Exception) -> str:
    strerror: Optional[str] = getattr(error, "strerror", None)
    return strerror or str(error) or type(error).__name__


def help_formatter(argwidth: int = 40, raw_description: bool = False) -> type[argparse.HelpFormatter]:
    """A class for `formatter_class` of an ArgumentParser: the names of an option stand before
    one value, as in `-n, --name=VALUE`, in a column `argwidth` wide."""
    base: type[argparse.HelpFormatter] = argparse.HelpFormatter
    if raw_description:
        base = argparse.RawDescriptionHelpFormatter

    class Formatter(base):  # type: ignore[misc, valid-type]
        """As above."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs["max_help_position"] = argwidth
            super().__init__(*args, **kwargs)

        def _format_action_invocation(self, action: argparse.Action) -> str:
            if not action.option_strings or action.nargs == 0:
                return str(super()._format_action_invocation(action))
            value: str = self._format_args(action, self._get_default_metavar_for_optional(action))
            names = ", ".join(action.option_strings)
            joint = "=" if action.option_strings[-1].startswith("--") else " "
            return names + joint + value

    return Formatter


class FilterAction(argparse.Action):
    """An option that also notes in `namespace.filtered` that a filter was given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Union[str, Sequence[Any], None],
        option_string: Optional[str] = None,
    ) -> None:
        setattr(namespace, self.dest, values)
        namespace.filtered = True


class FilterTrueAction(argparse.Action):
    """The same for an option without a value, which is True when given."""

    def __init__(self, option_strings: Sequence[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, default=False, **kwargs)

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Optional[str] = None) -> None:
        setattr(namespace, self.dest, True)
        namespace.filtered = True


class FilterActionSetUpdate(argparse.Action):
    """The same for an option whose comma-separated values are gathered in a set."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Optional[str] = None) -> None:
        namespace.filtered = True
        gathered = set(getattr(namespace, self.dest, None) or ())
        gathered.update(values.split(",") if isinstance(values, str) else values)
        setattr(namespace, self.dest, gathered)
