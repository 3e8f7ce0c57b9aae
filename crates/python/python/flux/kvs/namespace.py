"""Namespaces of the key-value store."""

from __future__ import annotations

import os

from flux.constants import FLUX_USERID_UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from flux.core.handle import Flux


def name_of(namespace: Optional[str]) -> str:
    """The namespace that is meant if a function is given this one."""
    return namespace or os.environ.get("FLUX_KVS_NAMESPACE") or "primary"


def namespace_create(flux_handle: Flux, namespace: str, owner: int = FLUX_USERID_UNKNOWN, flags: int = 0) -> None:
    """Creates a namespace that belongs to the user id `owner`, or else to the owner of the
    instance. Raises FileExistsError: there is one of that name."""
    request = {"namespace": namespace, "rootref": _empty(flux_handle), "owner": owner, "flags": flags}
    flux_handle.rpc("kvs.namespace-create", request, nodeid=0).get()


def namespace_remove(flux_handle: Flux, namespace: str) -> None:
    """Removes a namespace, if there is one of that name."""
    flux_handle.rpc("kvs.namespace-remove", {"namespace": namespace}, nodeid=0).get()


def namespace_list(flux_handle: Flux) -> list[dict[str, Any]]:
    """The namespaces that this rank knows: `namespace`, `owner` (a user id) and `flags`."""
    namespaces: list[dict[str, Any]] = flux_handle.rpc("kvs.namespace-list").get()["namespaces"]
    return namespaces


def _empty(flux_handle: Flux) -> str:
    """The reference of an empty directory, which the store always has."""
    import hashlib

    algorithm = flux_handle.attr_get("content.hash")
    digest = hashlib.new(algorithm, b'{"data":{},"type":"dir","ver":1}')
    return f"{algorithm}-{digest.hexdigest()}"
