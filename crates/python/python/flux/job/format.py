"""Formats of listings of jobs; see `flux.util.format` for what can be in one."""

from __future__ import annotations

from typing import Dict, Iterable, List, Sequence

from flux.util.format import OutputFormat

__all__ = ["JobInfoFormat", "job_fields_to_attrs"]

#: Headings that are not the name in capitals.
_HEADINGS = {
    "userid": "UID",
    "username": "USER",
    "urgency": "URG",
    "priority": "PRI",
    "state_single": "S",
    "state_emoji": "STATE",
    "status_abbrev": "ST",
    "status_emoji": "STATUS",
    "result_abbrev": "RS",
    "result_emoji": "RESULT",
    "waitstatus": "WSTATUS",
    "returncode": "RC",
    "contextual_info": "INFO",
    "contextual_time": "TIME",
    "inactive_reason": "INACTIVE-REASON",
    "exception.occurred": "EXCEPTION-OCCURRED",
    "exception.severity": "EXCEPTION-SEVERITY",
    "exception.type": "EXCEPTION-TYPE",
    "exception.note": "EXCEPTION-NOTE",
    "sched.reason_pending": "REASON",
    "sched.resource_summary": "RESOURCES",
    "uri.local": "URI",
    "uri.remote": "URI",
    "instance.stats.total": "NJOBS",
    "instance.utilization": "CORE%",
    "instance.gpu_utilization": "GPU%",
    "instance.progress": "PROG",
}

#: Fields that are attributes of the list of jobs by the same name.
_PLAIN = (
    "userid urgency priority t_submit t_depend t_priority t_sched t_run t_cleanup t_inactive "
    "state name cwd queue project bank ntasks ncores duration nnodes ranks nodelist success "
    "result expiration annotations waitstatus dependencies"
).split()

#: Attributes of the list of jobs that other fields are made of.
_ATTRS: Dict[str, Sequence[str]] = {
    "id": (),
    "username": ("userid",),
    "state_single": ("state",),
    "state_emoji": ("state",),
    "status": ("state", "result"),
    "status_abbrev": ("state", "result"),
    "status_emoji": ("state", "result"),
    "result": ("state", "result"),
    "result_abbrev": ("state", "result"),
    "result_emoji": ("state", "result"),
    "returncode": ("state", "result", "waitstatus"),
    "runtime": ("t_run", "t_cleanup"),
    "t_remaining": ("expiration", "state"),
    "exception": (
        "exception_occurred",
        "exception_severity",
        "exception_type",
        "exception_note",
    ),
    "sched": ("annotations",),
    "user": ("annotations",),
    "uri": ("annotations", "state"),
    "instance": ("annotations", "state"),
    "contextual_info": ("state", "nodelist", "dependencies", "urgency", "priority", "annotations"),
    "contextual_time": ("state", "t_run", "t_cleanup", "duration"),
    "inactive_reason": (
        "state",
        "result",
        "waitstatus",
        "exception_occurred",
        "exception_severity",
        "exception_type",
        "exception_note",
    ),
}

def job_fields_to_attrs(fields: Iterable[str]) -> List[str]:
    """Returns the attributes that the list of jobs has to give for fields of a format.

    Raises `ValueError` for a field that jobs do not have.
    """
    attrs: Dict[str, None] = {}
    for field in fields:
        name = field.split(".")[0]
        if name in _ATTRS:
            attrs.update(dict.fromkeys(_ATTRS[name]))
        elif name in _PLAIN:
            attrs[name] = None
        else:
            raise ValueError(f"Unknown format field: {field}")
    return list(attrs)


class JobInfoFormat(OutputFormat):
    """A format for jobs. Raises `ValueError` if it is malformed or has an unknown field.

    `attrs` are what the list of jobs has to tell of each.
    """

    headings = _HEADINGS

    def __init__(self, fmt: str) -> None:
        super().__init__(fmt)
        self.attrs = job_fields_to_attrs(self.fields)

    def heading(self, field: str) -> str:
        """Returns what stands above a field. Raises `ValueError` if jobs have none of that
        name."""
        job_fields_to_attrs([field])
        if field == "id" or field.startswith("id."):
            return "JOBID"
        return _HEADINGS.get(field, field.split(".")[-1].upper())
