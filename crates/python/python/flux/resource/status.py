"""Resources as the resource service sees them: which are there, drained or excluded."""

from __future__ import annotations

from typing import Any, Dict, Generator, List, Mapping, NamedTuple

from flux.idset import IDset
from flux.resource.ResourceSet import ResourceSet
from flux.rpc import RPC

__all__ = ["DrainInfo", "ResourceStatus", "ResourceStatusRPC", "resource_status"]


class DrainInfo(NamedTuple):
    """Ranks that are drained, since when (seconds since the epoch) and why."""

    ranks: IDset
    timestamp: float
    reason: str


class ResourceStatus:
    """Sets of ranks: `all`, `online`, `offline`, `exclude`, `torpid`, `drained`, `draining` and
    `avail` (neither excluded nor drained); `rset` are all resources, `allocated` those of jobs,
    and `drain_info` says why ranks are drained."""

    def __init__(
        self, rstatus: Mapping[str, Any], allocated: Mapping[str, Any]
    ) -> None:
        self.rset = ResourceSet(rstatus["R"])
        self.allocated = ResourceSet(allocated.get("allocated"))
        self.all = self.rset.ranks
        self.online = IDset(rstatus["online"])
        self.offline = IDset(rstatus["offline"])
        self.exclude = IDset(rstatus["exclude"])
        self.torpid = IDset(rstatus.get("torpid", ""))
        self.drain_info: List[DrainInfo] = []
        drained = IDset()
        for ranks, info in rstatus["drain"].items():
            self.drain_info.append(DrainInfo(IDset(ranks), info["timestamp"], info["reason"]))
            drained.add(ranks)
        # Those with jobs still have work to finish.
        self.draining = drained & self.allocated.ranks
        self.drained = drained - self.draining
        self.avail = self.all - self.exclude - drained

    def nodelist(self, ranks: IDset) -> str:
        """Returns the hosts of ranks, as the text of a host list."""
        return str(self.rset.copy_ranks(ranks).nodelist)


class ResourceStatusRPC:
    """Future of `resource_status`."""

    def __init__(self, flux_handle: Any) -> None:
        self._status = RPC(flux_handle, "resource.status", {})
        self._allocated = RPC(flux_handle, "resource.sched-status", {})

    def is_ready(self) -> bool:
        """True if `get` would not wait."""
        return self._status.is_ready() and self._allocated.is_ready()

    def get(self) -> ResourceStatus:
        """Returns the state of all ranks; waits for it."""
        return ResourceStatus(self._status.get(), self._allocated.get())

    def __await__(self) -> Generator[Any, None, ResourceStatus]:
        status: Dict[str, Any] = yield from self._status.__await__()
        allocated: Dict[str, Any] = yield from self._allocated.__await__()
        return ResourceStatus(status, allocated)


def resource_status(flux_handle: Any) -> ResourceStatusRPC:
    """Asks in which state the ranks are."""
    return ResourceStatusRPC(flux_handle)
