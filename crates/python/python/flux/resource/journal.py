"""The journal of the resource service: nodes that come and go, are drained and put back."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Optional

from flux.journal import JournalConsumerBase, JournalEventBase

__all__ = ["ResourceJournalConsumer", "ResourceJournalEvent", "SENTINEL_EVENT"]


class ResourceJournalEvent(JournalEventBase):
    """An event of resources; `R` comes with `resource-define`, as an object."""

    def __init__(self, event: Mapping[str, Any], R: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__(event)
        self.R = R


#: Stands between events that were and those that happen.
SENTINEL_EVENT = ResourceJournalEvent({})


class ResourceJournalConsumer(JournalConsumerBase):
    """Reads the events of resources, as `flux.journal.JournalConsumerBase` does."""

    topic = "resource.journal"
    cancel_topic = "resource.journal-cancel"
    SENTINEL_EVENT = SENTINEL_EVENT

    def process_response(
        self, resp: Mapping[str, Any]
    ) -> Optional[Iterable[ResourceJournalEvent]]:
        """Returns the events of an answer; None if those that were have come."""
        if not resp["events"]:
            return None
        events = []
        for entry in resp["events"]:
            resources = resp.get("R") if entry["name"] == "resource-define" else None
            events.append(ResourceJournalEvent(entry, resources))
        return events
