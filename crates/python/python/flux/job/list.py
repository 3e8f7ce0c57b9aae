"""Lists of jobs."""

from __future__ import annotations

import errno
import os
import pwd
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Union

from flux import constants
from flux.job._names import RESULT_MASKS, STATE_MASKS, masks
from flux.job.info import JobInfo
from flux.job.JobID import JobID
from flux.rpc import RPC

__all__ = [
    "JobList",
    "JobListIdRPC",
    "JobListIdsFuture",
    "JobListRPC",
    "get_job",
    "job_list",
    "job_list_id",
    "job_list_inactive",
]


class JobListRPC(RPC):
    """Future of `job_list`: `get()` returns `{"jobs": [...]}`."""

    def get_jobs(self) -> List[Dict[str, Any]]:
        """Returns the jobs as objects with the attributes that were asked for."""
        return self.get()["jobs"]

    def get_jobinfos(self) -> Iterator[JobInfo]:
        """Yields the jobs as `JobInfo`."""
        return map(JobInfo, self.get_jobs())


class JobListIdRPC(RPC):
    """Future of `job_list_id`: `get()` returns `{"job": {...}}`."""

    def get_job(self) -> Dict[str, Any]:
        """Returns the job as an object."""
        return self.get()["job"]

    def get_jobinfo(self) -> JobInfo:
        """Returns the job as a `JobInfo`."""
        return JobInfo(self.get_job())


def job_list(
    flux_handle: Any,
    max_entries: int = 1000,
    attrs: Sequence[str] = ("all",),
    userid: Optional[int] = None,
    states: int = 0,
    results: int = 0,
    since: float = 0.0,
    name: Optional[str] = None,
    queue: Union[str, Sequence[str], None] = None,
    constraint: Optional[Mapping[str, Any]] = None,
) -> JobListRPC:
    """Asks which jobs there are.

    At most `max_entries` of them (0 for all), with the attributes `attrs`. `userid` are the
    caller's own if not given, and `flux.constants.FLUX_USERID_UNKNOWN` everybody's. `states`
    and `results` are masks of `flux.constants`, 0 for all. `since` leaves out those that ended
    before, in seconds since the epoch. `constraint` is one more (RFC 31, RFC 43).

    The answer refuses an unknown attribute or a wrong constraint with `OSError`.
    """
    terms: List[Mapping[str, Any]] = []
    userid = os.getuid() if userid is None else userid
    if userid != constants.FLUX_USERID_UNKNOWN:
        terms.append({"userid": [userid]})
    terms += _ended(states, results)
    if name:
        terms.append({"name": [name]})
    if queue:
        terms.append({"queue": [queue] if isinstance(queue, str) else list(queue)})
    if constraint:
        terms.append(constraint)
    payload: Dict[str, Any] = {
        "max_entries": int(max_entries),
        "attrs": list(attrs),
        "since": float(since),
        "constraint": {"and": terms},
    }
    return JobListRPC(flux_handle, "job-list.list", payload)


def _ended(states: int, results: int) -> List[Mapping[str, Any]]:
    """Constraints on states and results; a result says that the job has finished."""
    if not results:
        return [{"states": [states]}] if states else []
    active = states & ~constants.FLUX_JOB_STATE_INACTIVE
    if not active:
        return [{"results": [results]}]
    return [{"or": [{"states": [active]}, {"results": [results]}]}]


def job_list_inactive(
    flux_handle: Any,
    since: float = 0.0,
    max_entries: int = 1000,
    attrs: Sequence[str] = ("all",),
    name: Optional[str] = None,
    queue: Optional[str] = None,
) -> JobListRPC:
    """Asks which jobs of the caller have finished; arguments as those of `job_list`."""
    return job_list(
        flux_handle,
        max_entries=max_entries,
        attrs=attrs,
        states=constants.FLUX_JOB_STATE_INACTIVE,
        since=since,
        name=name,
        queue=queue,
    )


def job_list_id(
    flux_handle: Any, jobid: Union[int, str], attrs: Sequence[str] = ("all",)
) -> JobListIdRPC:
    """Asks of one job. Its answer is `OSError` with ENOENT if there is none."""
    number = int(jobid if isinstance(jobid, int) else JobID(jobid))
    return JobListIdRPC(
        flux_handle, "job-list.list-id", {"id": number, "attrs": list(attrs)}
    )


def get_job(flux_handle: Any, jobid: Union[int, str]) -> Optional[Dict[str, Any]]:
    """Returns what there is to know of a job, with names for states; None if there is none."""
    try:
        return job_list_id(flux_handle, jobid).get_jobinfo().to_dict()
    except FileNotFoundError:
        return None


class JobListIdsFuture:
    """The answers of several `job_list_id`: `get()` returns `{"jobs": [...]}`, and `errors` has
    the sentences of those that failed."""

    def __init__(self, flux_handle: Any, ids: Sequence[JobID], attrs: Sequence[str]) -> None:
        self.errors: List[str] = []
        self._ids = list(ids)
        self._calls = [job_list_id(flux_handle, jobid, attrs) for jobid in self._ids]
        self._jobs: Optional[List[Dict[str, Any]]] = None

    def is_ready(self) -> bool:
        """True if all answers are there."""
        return all(call.is_ready() for call in self._calls)

    def get(self) -> Dict[str, Any]:
        """Returns the jobs that there are; waits for all answers."""
        if self._jobs is None:
            self._jobs = []
            for jobid, call in zip(self._ids, self._calls):
                try:
                    self._jobs.append(call.get_job())
                except OSError as error:
                    what = f"JobID {jobid.orig}"
                    unknown = error.errno == errno.ENOENT
                    self.errors.append(f"{what} unknown" if unknown else f"{what}: {error}")
        return {"jobs": self._jobs}

    def get_jobs(self) -> List[Dict[str, Any]]:
        """Returns the jobs as objects."""
        return self.get()["jobs"]

    def get_jobinfos(self) -> Iterator[JobInfo]:
        """Yields the jobs as `JobInfo`."""
        return map(JobInfo, self.get_jobs())


class JobList:
    """A question for jobs.

    `filters` are names of states and results, such as `pending` and `failed`; `user` is a name
    or number, None for everybody. With `ids` only these jobs are asked for, and nothing else
    counts. The rest is as for `job_list`. Raises `ValueError` if a filter or a user is unknown.
    """

    STATES = STATE_MASKS
    RESULTS = RESULT_MASKS

    def __init__(
        self,
        flux_handle: Any,
        attrs: Sequence[str] = ("all",),
        filters: Sequence[str] = (),
        ids: Sequence[Union[int, str]] = (),
        user: Union[int, str, None] = None,
        max_entries: int = 1000,
        since: float = 0.0,
        name: Optional[str] = None,
        queue: Union[str, Sequence[str], None] = None,
        constraint: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self.handle = flux_handle
        self.attrs = list(attrs)
        self.states = 0
        self.results = 0
        self.max_entries = max_entries
        self.since = since
        self.name = name
        self.queue = queue
        self.constraint = constraint
        self.ids = [jobid if isinstance(jobid, JobID) else JobID(jobid) for jobid in ids]
        #: Sentences of the jobs in `ids` that were not found.
        self.errors: List[str] = []
        self._future: Any = None
        self.set_user("all" if user is None else user)
        for one in filters:
            self.add_filter(one)

    def set_user(self, user: Union[int, str]) -> None:
        """Asks for the jobs of one user, by name or number, or of `all`."""
        if user == "all":
            self.userid = constants.FLUX_USERID_UNKNOWN
            return
        try:
            self.userid = pwd.getpwnam(user).pw_uid  # type: ignore[arg-type]
        except (KeyError, TypeError):
            try:
                self.userid = int(user)
            except ValueError:
                raise ValueError(f"Invalid user {user} specified") from None

    def add_filter(self, fname: str) -> None:
        """Asks for jobs in one more state or with one more result; `all` is all of them."""
        if fname.lower() == "all":
            self.states |= STATE_MASKS["active"] | STATE_MASKS["inactive"]
            return
        states, results = masks([fname])
        self.states |= states
        self.results |= results

    def fetch_jobs(self) -> Union[JobListRPC, JobListIdsFuture]:
        """Asks, and returns the future."""
        if self.ids:
            return JobListIdsFuture(self.handle, self.ids, self.attrs)
        return job_list(
            self.handle,
            max_entries=self.max_entries,
            attrs=self.attrs,
            userid=self.userid,
            states=self.states,
            results=self.results,
            since=self.since,
            name=self.name,
            queue=self.queue,
            constraint=self.constraint,
        )

    def jobs(self) -> List[JobInfo]:
        """Returns the jobs; asks and waits if that was not done yet."""
        if self._future is None:
            self._future = self.fetch_jobs()
        jobs = list(self._future.get_jobinfos())
        self.errors = list(getattr(self._future, "errors", ()))
        return jobs
