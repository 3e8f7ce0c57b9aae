"""Queues of an instance: which there are, and whether they take and run jobs."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

from flux import _core
from flux.resource.list import SchedResourceList, resource_list
from flux.rpc import RPC

__all__ = ["QueueInfo", "QueueLimits", "QueueList"]


class QueueLimits:
    """Limits of jobs in a queue: `timelimit` in seconds, `min` and `max` with `nnodes`,
    `ncores` and `ngpus`. `inf` is no limit."""

    def __init__(self, *policies: Mapping[str, Any]) -> None:
        self.timelimit = float("inf")
        self.min = _Sizes(0)
        self.max = _Sizes(float("inf"))
        # Limits of the queue itself come last.
        for policy in policies:
            limits = policy.get("limits", {})
            if "duration" in limits:
                self.timelimit = _seconds(limits["duration"])
            for name in ("min", "max"):
                getattr(self, name).update(limits.get("job-size", {}).get(name, {}))


class _Sizes:
    """Numbers of nodes, cores and GPUs."""

    def __init__(self, default: float) -> None:
        self.nnodes = self.ncores = self.ngpus = default

    def update(self, sizes: Mapping[str, float]) -> None:
        """Takes what a policy says."""
        for name, size in sizes.items():
            # -1 is no limit.
            setattr(self, name, float("inf") if size == -1 else size)


def _seconds(duration: Any) -> float:
    return _core.parse_fsd(duration) if isinstance(duration, str) else float(duration)


class QueueInfo:
    """A queue.

    `name` (empty for the only one of an instance without named queues), `is_default`, `parent`,
    `enabled` (it takes jobs) and `started` (it runs them) with `disable_reason` and
    `stop_reason`, `timelimit_default` in seconds, `limits`, and `resources`.
    """

    def __init__(
        self,
        name: str,
        config: Mapping[str, Any],
        status: Mapping[str, Any],
        resources: SchedResourceList,
    ) -> None:
        queue = config.get("queues", {}).get(name, {})
        policies = [config.get("policy", {}), queue.get("policy", {})]
        defaults: Dict[str, Any] = {}
        for policy in policies:
            defaults.update(policy.get("jobspec", {}).get("defaults", {}).get("system", {}))
        everywhere = policies[0].get("jobspec", {}).get("defaults", {}).get("system", {})
        self.name = name
        self.is_default = bool(name) and everywhere.get("queue") == name
        self.parent: str = status.get("parent", "")
        self.enabled: bool = status["enable"]
        self.started: bool = status["start"]
        self.disable_reason: str = status.get("disable_reason", "")
        self.stop_reason: str = status.get("stop_reason", "")
        duration = defaults.get("duration")
        self.timelimit_default = float("inf") if duration is None else _seconds(duration)
        self.limits = QueueLimits(*policies)
        self.requires: List[str] = list(queue.get("requires", ()))
        self._resources = resources

    @property
    def resources(self) -> SchedResourceList:
        """The resources that its jobs may have."""
        if not self.requires:
            return self._resources
        constraint = {"properties": self.requires}
        parts = {
            state: getattr(self._resources, state).copy_constraint(constraint).to_dict()
            for state in ("all", "down", "allocated")
        }
        return SchedResourceList(parts)

    def __repr__(self) -> str:
        return f"QueueInfo('{self.name}')"


class QueueList:
    """The queues of an instance, or some of them.

    Raises `ValueError` if a queue is unknown.
    """

    def __init__(self, handle: Any, queues: Optional[Sequence[str]] = None) -> None:
        config_rpc = RPC(handle, "config.get", {})
        names_rpc = RPC(handle, "job-manager.queue-list", {})
        resources_rpc = resource_list(handle)
        names: List[str] = names_rpc.get()["queues"] or [""]
        for queue in queues or ():
            if queue not in names:
                raise ValueError(f"No such queue: {queue}")
        names = list(queues or names)
        status_rpcs = [
            RPC(handle, "job-manager.queue-status", {"name": name} if name else {})
            for name in names
        ]
        config, resources = config_rpc.get() or {}, resources_rpc.get()
        self._queues = {
            name: QueueInfo(name, config, rpc.get(), resources)
            for name, rpc in zip(names, status_rpcs)
        }

    @property
    def queues(self) -> List[str]:
        """Their names."""
        return list(self._queues)

    def __iter__(self) -> Iterator[QueueInfo]:
        return iter(self._queues.values())

    def __len__(self) -> int:
        return len(self._queues)

    def __getitem__(self, name: str) -> QueueInfo:
        return self._queues[name]

    def __getattr__(self, name: str) -> QueueInfo:
        try:
            return self.__dict__["_queues"][name]
        except KeyError:
            raise AttributeError(f"there is no queue '{name}'") from None
