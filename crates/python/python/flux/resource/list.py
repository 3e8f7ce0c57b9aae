"""Resources as the scheduler sees them."""

from __future__ import annotations

from typing import Any, Mapping

from flux.resource.ResourceSet import ResourceSet
from flux.rpc import RPC

__all__ = ["ResourceListRPC", "SchedResourceList", "resource_list"]


class SchedResourceList:
    """The resources of an instance: `all`, `down`, `allocated`, `up` (not down) and `free`
    (neither down nor allocated)."""

    def __init__(self, resp: Mapping[str, Any]) -> None:
        for state in ("all", "down", "allocated"):
            setattr(self, state, self._named(ResourceSet(resp.get(state)), state))
        self.up: ResourceSet = self._named(self.all.diff(self.down), "up")
        self.free: ResourceSet = self._named(self.up.diff(self.allocated), "free")

    all: ResourceSet
    down: ResourceSet
    allocated: ResourceSet

    @staticmethod
    def _named(resources: ResourceSet, state: str) -> ResourceSet:
        resources.state = state
        return resources


class ResourceListRPC(RPC):
    """Future of `resource_list`."""

    def get(self) -> SchedResourceList:
        """Returns the resources; waits for them."""
        return SchedResourceList(super().get())


def resource_list(flux_handle: Any) -> ResourceListRPC:
    """Asks which resources there are, and which are free."""
    return ResourceListRPC(flux_handle, "resource.sched-status", {})
