"""Jobspecs: requests for jobs (RFC 14, RFC 25).

`Jobspec` is the object with its settings; how one is made of a command is in `_build.py`
(here) and `_command.py` (by the commands of `flux`), files that go with it in `_files.py`.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple, Union

from flux import _core
from flux.job import _build, _files
from flux.job._build import Builders
from flux.job._command import Commands

__all__ = ["Jobspec", "JobspecV1", "validate_jobspec"]

#: Seconds, a text such as `1.5h`, or a `datetime.timedelta`.
Duration = Union[int, float, str, Any]


def validate_jobspec(
    jobspec: Any, require_version: Optional[int] = None
) -> Tuple[bool, Optional[Exception]]:
    """Checks a jobspec, as text or as an object: `(True, None)`, or `(False, why)`."""
    try:
        _core.jobspec_check(_text(jobspec), require_version)
    except Exception as error:
        return False, error
    return True, None


def _text(jobspec: Any) -> str:
    if isinstance(jobspec, Jobspec):
        return jobspec.dumps()
    if isinstance(jobspec, (str, bytes)):
        return jobspec if isinstance(jobspec, str) else jobspec.decode("utf-8")
    return json.dumps(jobspec)


class Jobspec:
    """Request for a job, of any version.

    `jobspec` is the object as it is submitted. Raises `ValueError` with the rule that does not
    hold if it would be refused.
    """

    top_level_keys = {"resources", "tasks", "version", "attributes"}
    _require_version: Optional[int] = None

    def __init__(
        self,
        resources: List[Any],
        tasks: List[Any],
        attributes: Optional[Dict[str, Any]] = None,
        version: int = 1,
    ) -> None:
        if attributes is None:
            attributes = {"system": {"duration": 0}}
        self.jobspec: Dict[str, Any] = {
            "resources": resources,
            "tasks": tasks,
            "attributes": attributes,
            "version": version,
        }
        self.validate()

    def validate(self) -> None:
        """Checks all of it again. Raises `ValueError` with the first rule that does not hold."""
        _core.jobspec_check(self.dumps(), self._require_version)

    @classmethod
    def from_yaml_stream(cls, yaml_stream: Any) -> Any:
        """Reads a jobspec from an open file of YAML or JSON. Needs the package `yaml`."""
        import yaml

        return cls(**yaml.safe_load(yaml_stream))

    @classmethod
    def from_yaml_file(cls, filename: str) -> Any:
        """Reads a jobspec from a file of YAML or JSON. Needs the package `yaml`."""
        with open(filename, "rb") as stream:
            return cls.from_yaml_stream(stream)

    def dumps(self, **kwargs: Any) -> str:
        """Returns it as JSON; `kwargs` are those of `json.dumps`."""
        return json.dumps(self.jobspec, **kwargs)

    # The parts.

    @property
    def resources(self) -> List[Any]:
        """The section of resources."""
        return self.jobspec["resources"]

    @property
    def tasks(self) -> List[Any]:
        """The section of tasks."""
        return self.jobspec["tasks"]

    @property
    def attributes(self) -> Dict[str, Any]:
        """The section of attributes."""
        return self.jobspec["attributes"]

    @property
    def version(self) -> int:
        """The version of the format."""
        return self.jobspec["version"]

    # Attributes and options of the job shell, by dotted names.

    def setattr(self, key: str, val: Any) -> None:
        """Sets an attribute: `system.job.name`, `user.note`, or `queue` for `system.queue`."""
        _build.set_dotted(self.jobspec, _build.attribute_path(key), val)

    def getattr(self, key: str) -> Any:
        """Returns an attribute. Raises `KeyError` if there is none."""
        return _build.get_dotted(self.jobspec, _build.attribute_path(key))

    def setattr_shell_option(self, key: str, val: Any) -> None:
        """Sets an option of the job shell, such as `mpi` or `output.stdout.label`."""
        self.setattr("system.shell.options." + key, val)

    def getattr_shell_option(self, key: str) -> Any:
        """Returns an option of the job shell. Raises `KeyError` if it is not set."""
        return self.getattr("system.shell.options." + key)

    def add_file(
        self,
        path: str,
        data: Any,
        perms: Optional[int] = None,
        encoding: Optional[str] = None,
    ) -> None:
        """Adds a file that the job finds as `{{tmpdir}}/PATH`.

        `data` is an object (stored as JSON), the content if it has a newline or `encoding`
        (`utf-8` or `base64`) is given, or the path of a local file. `perms` are 0600 if not
        given; a local file keeps its own. Raises `OSError` if it cannot be read.
        """
        files = self.attributes.setdefault("system", {}).setdefault("files", {})
        files[path] = _files.file_object(data, perms, encoding)

    # Settings of most jobs.

    @property
    def duration(self) -> float:
        """Time limit in seconds; 0 is none."""
        return self.getattr("system.duration")

    @duration.setter
    def duration(self, duration: Duration) -> None:
        self.setattr("system.duration", _build.seconds(duration))

    @property
    def queue(self) -> Optional[str]:
        """Queue of the job."""
        return self._get("system.queue")

    @queue.setter
    def queue(self, queue: str) -> None:
        if not isinstance(queue, str):
            raise TypeError("queue must be a string")
        self.setattr("system.queue", queue)

    @property
    def cwd(self) -> Optional[str]:
        """Directory in which its tasks start."""
        return self._get("system.cwd")

    @cwd.setter
    def cwd(self, cwd: Union[str, os.PathLike]) -> None:
        self.setattr("system.cwd", os.fspath(cwd))

    @property
    def environment(self) -> Optional[Dict[str, str]]:
        """Environment of its tasks."""
        return self._get("system.environment")

    @environment.setter
    def environment(self, environ: Mapping[str, str]) -> None:
        if not isinstance(environ, Mapping):
            raise ValueError("environment must be a mapping")
        self.setattr("system.environment", dict(environ))

    @property
    def stdin(self) -> Optional[str]:
        """Path of the file that is its standard input."""
        return self._get_stream("input.stdin")

    @stdin.setter
    def stdin(self, path: Union[str, os.PathLike]) -> None:
        self._set_stream("input.stdin", path)

    @property
    def stdout(self) -> Optional[str]:
        """Path of the file for its standard output; may have `{{id}}` and the like."""
        return self._get_stream("output.stdout")

    @stdout.setter
    def stdout(self, path: Union[str, os.PathLike]) -> None:
        self._set_stream("output.stdout", path)

    @property
    def stderr(self) -> Optional[str]:
        """Path of the file for its standard error; where not set it goes with `stdout`."""
        return self._get_stream("output.stderr")

    @stderr.setter
    def stderr(self, path: Union[str, os.PathLike]) -> None:
        self._set_stream("output.stderr", path)

    # The names that the options of commands have.
    input = stdin
    output = stdout
    error = stderr

    @property
    def unbuffered(self) -> bool:
        """Output of tasks is passed on at once, not line by line or in batches."""
        return self._get("system.shell.options.output.stdout.buffer.type") == "none"

    @unbuffered.setter
    def unbuffered(self, unbuffered: bool) -> None:
        _build.set_unbuffered(self, unbuffered)

    @property
    def label_io(self) -> bool:
        """Lines in files of output begin with the number of their task."""
        return bool(self._get("system.shell.options.output.stdout.label"))

    @label_io.setter
    def label_io(self, label: bool) -> None:
        for stream in ("stdout", "stderr"):
            self.setattr_shell_option(f"output.{stream}.label", bool(label))

    def _get(self, key: str) -> Any:
        try:
            return self.getattr(key)
        except KeyError:
            return None

    def _get_stream(self, name: str) -> Optional[str]:
        return self._get(f"system.shell.options.{name}.path")

    def _set_stream(self, name: str, path: Union[str, os.PathLike]) -> None:
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"{name.split('.')[1]} must be a path, not {type(path).__name__}")
        self.setattr_shell_option(f"{name}.type", "file")
        self.setattr_shell_option(f"{name}.path", os.fspath(path))

    # Counting.

    def resource_walk(self) -> Iterator[Tuple[Optional[Any], Any, int]]:
        """Yields `(parent, resource, count)` of each resource, those above before those
        below. `count` is that in the whole job."""
        return _build.walk(self.resources)

    def resource_counts(self) -> Dict[str, int]:
        """Returns how many of each type of resource the job asks for."""
        counts: Dict[str, int] = {}
        for _, resource, count in self.resource_walk():
            counts[resource["type"]] = counts.get(resource["type"], 0) + count
        return counts

    def __iter__(self) -> Iterator[Any]:
        """Yields all resources."""
        for _, resource, _ in self.resource_walk():
            yield resource

    def __str__(self) -> str:
        return self.dumps()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.dumps()})"


class JobspecV1(Jobspec, Builders, Commands):
    """Request for a job, version 1: nodes, slots, cores and GPUs, and one command."""

    _require_version = 1
