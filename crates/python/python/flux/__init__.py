"""Programs for a Ferroflux or Flux instance.

>>> import flux
>>> handle = flux.Flux()
>>> handle.rpc("broker.ping", {"seq": 1}).get()

`flux.Flux` is a connection; `flux.kvs`, `flux.job` and the other modules have functions that
take one. Modules are loaded when they are first used.
"""

from __future__ import annotations


TYPE_CHECKING = False
if TYPE_CHECKING:
    from flux.core.handle import Flux

__all__ = ["Flux"]

_MODULES = (
    "constants",
    "constraint",
    "core",
    "future",
    "hostlist",
    "idset",
    "job",
    "journal",
    "kvs",
    "message",
    "queue",
    "resource",
    "rpc",
    "shape",
    "uri",
    "util",
)


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "Flux":
        value: object = import_module("flux.core.handle").Flux
    elif name in _MODULES:
        value = import_module("flux." + name)
    else:
        raise AttributeError(f"module 'flux' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, "Flux"})
