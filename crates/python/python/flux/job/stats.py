"""Numbers of jobs by state and result."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional, Sequence

from flux.rpc import RPC

__all__ = ["JobStats"]

_STATES = ("depend", "priority", "sched", "run", "cleanup", "inactive", "total")
_RESULTS = ("successful", "failed", "canceled", "timeout", "inactive_purged")


class JobStats:
    """Numbers of jobs, in all or in some queues.

    After `update` these are attributes: `depend`, `priority`, `sched`, `run`, `cleanup`,
    `inactive` and `total`; `pending`, `running` and `active`; `successful`, `failed`,
    `canceled`, `timeout` and `inactive_purged`. Before they are -1.
    """

    depend: int
    priority: int
    sched: int
    run: int
    cleanup: int
    inactive: int
    total: int
    successful: int
    failed: int
    canceled: int
    timeout: int
    inactive_purged: int

    def __init__(self, handle: Any, queues: Optional[Sequence[str]] = None) -> None:
        self.handle = handle
        self.queues = [queues] if isinstance(queues, str) else queues
        self.callback: Optional[Callable[..., None]] = None
        self.cb_kwargs: Dict[str, Any] = {}
        for name in (*_STATES, *_RESULTS, "pending", "running", "active"):
            setattr(self, name, -1)

    def _ask(self) -> RPC:
        return RPC(self.handle, "job-list.job-stats", {})

    def _take(self, answer: Dict[str, Any]) -> None:
        parts = [answer]
        if self.queues:
            known = {queue["name"]: queue for queue in answer["queues"]}
            unknown = [name for name in self.queues if name not in known]
            if unknown:
                raise ValueError(f"no stats available for queue {unknown[0]}")
            parts = [known[name] for name in self.queues]
        for name in _STATES:
            setattr(self, name, sum(part["job_states"][name] for part in parts))
        for name in _RESULTS:
            setattr(self, name, sum(part[name] for part in parts))
        self.pending = self.depend + self.priority + self.sched
        self.running = self.run + self.cleanup
        self.active = self.total - self.inactive

    def update_sync(self) -> JobStats:
        """Asks for the numbers, and returns itself with them.

        Raises `OSError` if the caller may not ask, `ValueError` if a queue is unknown.
        """
        self._take(self._ask().get())
        return self

    def update(self, callback: Optional[Callable[..., None]] = None, **kwargs: Any) -> JobStats:
        """Asks for the numbers; the reactor calls `callback(stats, **kwargs)` with them."""
        self.callback = callback
        self.cb_kwargs = kwargs
        self._future = self._ask()
        self._future.then(self._ready)
        return self

    def _ready(self, future: RPC) -> None:
        self._take(future.get())
        if self.callback is not None:
            self.callback(self, **self.cb_kwargs)
