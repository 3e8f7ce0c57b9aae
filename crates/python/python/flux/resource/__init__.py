"""Resources: sets of them, what an instance has, and which nodes are to be used.

Read on in `ResourceSet.py`, `list.py` (as the scheduler sees them), `status.py` (as the
resource service does), `journal.py`, and `drain.py`, whose function wins over the module of its
name.
"""

from __future__ import annotations

import importlib
from typing import Any

from flux.resource.drain import drain, undrain
from flux.resource.ResourceSet import ResourceSet

_LAZY = {
    "ResourceListRPC": "list",
    "SchedResourceList": "list",
    "resource_list": "list",
    "ResourceStatus": "status",
    "ResourceStatusRPC": "status",
    "resource_status": "status",
    "ResourceJournalConsumer": "journal",
    "ResourceJournalEvent": "journal",
}

__all__ = ["ResourceSet", "drain", "undrain", *_LAZY]


def __getattr__(name: str) -> Any:
    """Loads a name of a submodule, or the submodule itself, when it is first used."""
    if name in _LAZY:
        value = getattr(importlib.import_module("flux.resource." + _LAZY[name]), name)
        globals()[name] = value
        return value
    if name.startswith("_"):
        raise AttributeError(f"module 'flux.resource' has no attribute '{name}'")
    try:
        return importlib.import_module("flux.resource." + name)
    except ModuleNotFoundError as error:
        if error.name != "flux.resource." + name:
            raise
        raise AttributeError(f"module 'flux.resource' has no attribute '{name}'") from None
