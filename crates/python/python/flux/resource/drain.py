"""Taking nodes out of use, and putting them back. For the owner of the instance."""

from __future__ import annotations

from typing import Any, Dict, Optional

from flux.rpc import RPC

__all__ = ["drain", "undrain"]

_DRAIN_MODES = (None, "update", "overwrite", "force-overwrite")
_UNDRAIN_MODES = (None, "update")


def _request(modes: Any, targets: Any, reason: Optional[str], mode: Optional[str]) -> Any:
    if mode not in modes:
        known = ", ".join(filter(None, modes))
        raise ValueError(f"unknown mode '{mode}': use {known} or None")
    request: Dict[str, Any] = {"targets": str(targets)}
    if reason is not None:
        request["reason"] = reason
    if mode is not None:
        request["mode"] = mode
    return request


def drain(
    flux_handle: Any, targets: Any, reason: Optional[str] = None, mode: Optional[str] = None
) -> RPC:
    """Has no more jobs start on nodes, and returns a future without a value.

    `targets` are ranks or hosts. For those that are drained already `mode` says what to do:
    `update` leaves them, `overwrite` replaces the reason, `force-overwrite` the time too;
    without it they make the call fail with EEXIST.
    """
    return RPC(flux_handle, "resource.drain", _request(_DRAIN_MODES, targets, reason, mode))


def undrain(
    flux_handle: Any, targets: Any, reason: Optional[str] = None, mode: Optional[str] = None
) -> RPC:
    """Puts nodes back in use, and returns a future without a value.

    With `mode` `update` those that are not drained are left; without it they make the call fail.
    """
    return RPC(flux_handle, "resource.undrain", _request(_UNDRAIN_MODES, targets, reason, mode))
