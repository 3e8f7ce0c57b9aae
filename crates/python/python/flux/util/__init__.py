"""Helpers for programs around the API: times, formats of listings, command lines.

Each is loaded when it is first used.
"""

from __future__ import annotations

_MODULES = {
    "flux.util.times": ("fsd", "parse_datetime", "parse_fsd"),
    "flux.util.trees": ("Tree", "dict_merge", "get_treedict", "set_treedict", "del_treedict"),
    "flux.util.command": ("CLIMain", "FilterAction", "FilterActionSetUpdate", "FilterTrueAction", "help_formatter"),
    "flux.util.config": ("UtilConfig",),
    "flux.util.format": ("OutputFormat",),
}

__all__ = sorted(name for names in _MODULES.values() for name in names)


def __getattr__(name: str) -> object:
    from importlib import import_module

    for module, names in _MODULES.items():
        if name in names:
            value = getattr(import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'flux.util' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
