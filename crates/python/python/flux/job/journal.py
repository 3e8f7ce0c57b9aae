"""The journal of the job manager: the events of all jobs in one stream."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Mapping, Optional

from flux.job.JobID import JobID
from flux.journal import JournalConsumerBase, JournalEventBase

__all__ = ["JournalConsumer", "JournalEvent", "SENTINEL_EVENT"]


class JournalEvent(JournalEventBase):
    """An event of a job.

    `jobspec` comes with `submit`, `R` with `alloc`, as objects.
    """

    def __init__(
        self,
        jobid: int,
        event: Mapping[str, Any],
        jobspec: Optional[Mapping[str, Any]] = None,
        R: Optional[Mapping[str, Any]] = None,
    ) -> None:
        super().__init__(event)
        self.jobid = JobID(jobid) if jobid >= 0 else None
        self.jobspec = jobspec
        self.R = R

    def __str__(self) -> str:
        return f"{self.jobid or -1}: {super().__str__()}"


#: Stands between events that were and those that happen.
SENTINEL_EVENT = JournalEvent(-1, {})


class JournalConsumer(JournalConsumerBase):
    """Reads the events of all jobs, one after the other. For the owner of the instance.

    With `full` those of finished jobs come too; the rest as for
    `flux.journal.JournalConsumerBase`. The sentinel is `SENTINEL_EVENT`.
    """

    topic = "job-manager.events-journal"
    cancel_topic = "job-manager.events-journal-cancel"
    SENTINEL_EVENT = SENTINEL_EVENT

    def __init__(
        self,
        flux_handle: Any,
        full: bool = True,
        since: float = 0.0,
        include_sentinel: bool = False,
    ) -> None:
        super().__init__(flux_handle, since, include_sentinel)
        self.full = full

    def request(self) -> Dict[str, Any]:
        """The payload of the request."""
        return {"full": self.full}

    def process_response(self, resp: Mapping[str, Any]) -> Optional[Iterable[JournalEvent]]:
        """Returns the events of a job; None if those that were have come."""
        if resp["id"] == -1:
            return None
        events = []
        for entry in resp["events"]:
            jobspec = resp.get("jobspec") if entry["name"] == "submit" else None
            resources = resp.get("R") if entry["name"] == "alloc" else None
            events.append(JournalEvent(resp["id"], entry, jobspec, resources))
        return events
