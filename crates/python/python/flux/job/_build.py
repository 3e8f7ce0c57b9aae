"""Making jobspecs of commands: the counts of resources, and what goes with every job."""

from __future__ import annotations

import math
import os
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Type, TypeVar, Union

from flux import _core

#: The class whose method makes one.
_Spec = TypeVar("_Spec", bound="Builders")

#: Places of the script and of the configuration among the files of a job.
_SCRIPT_PATH = "{{tmpdir}}/script"
_CONF_PATH = "{{tmpdir}}/conf.json"


def attribute_path(key: str) -> str:
    """The path of an attribute from the top of a jobspec."""
    if key.startswith("attributes."):
        return key
    if key.startswith("."):
        return "attributes" + key
    if key.split(".", 1)[0] in ("system", "user"):
        return "attributes." + key
    return "attributes.system." + key


def set_dotted(tree: Dict[str, Any], path: str, value: Any) -> None:
    """Sets what is at a path, and makes the objects on the way to it."""
    *above, last = path.split(".")
    for name in above:
        below = tree.get(name)
        if not isinstance(below, dict):
            below = tree[name] = {}
        tree = below
    tree[last] = value


def get_dotted(tree: Any, path: str) -> Any:
    """Value at a path. Raises `KeyError` if there is none."""
    for name in path.split("."):
        if not isinstance(tree, dict):
            raise KeyError(path)
        tree = tree[name]
    return tree


def seconds(duration: Any) -> float:
    """A duration in seconds, of a number, a text or a `timedelta`."""
    if isinstance(duration, str):
        duration = _core.parse_fsd(duration)
        # Without end.
        duration = 0.0 if math.isinf(duration) else duration
    elif hasattr(duration, "total_seconds"):
        duration = duration.total_seconds()
    if isinstance(duration, bool) or not isinstance(duration, (int, float)):
        raise TypeError("duration must be a number, a text such as '1.5h' or a timedelta")
    if not 0 <= duration < math.inf:
        raise ValueError("duration must not be negative, and must have an end: 0 is none")
    return duration


def set_unbuffered(jobspec: Any, unbuffered: bool) -> None:
    """Sets, or takes away, the options that pass output on at once."""
    options: List[Tuple[str, Any]] = [("output.batch-timeout", 0.05), ("input.batch-timeout", 0.0)]
    options += [(f"output.{stream}.buffer.type", "none") for stream in ("stdout", "stderr")]
    for name, value in options:
        if unbuffered:
            jobspec.setattr_shell_option(name, value)
            continue
        *above, last = name.split(".")
        try:
            jobspec.getattr_shell_option(".".join(above)).pop(last, None)
        except KeyError:
            pass


def walk(resources: Sequence[Any]) -> Iterator[Tuple[Optional[Any], Any, int]]:
    """Each resource with the one above and its number in all."""

    def _below(parent: Optional[Any], children: Sequence[Any], times: int) -> Iterator[Any]:
        for resource in children:
            count = times * resource["count"]
            yield parent, resource, count
            yield from _below(resource, resource.get("with", ()), count)

    return _below(None, resources, 1)


class Builders:
    """Makers of `JobspecV1`."""

    @classmethod
    def from_command(
        cls: Type[_Spec],
        command: Sequence[str],
        num_tasks: Optional[int] = 1,
        cores_per_task: Optional[int] = 1,
        gpus_per_task: Optional[int] = None,
        num_nodes: Optional[int] = None,
        exclusive: bool = False,
        **settings: Any,
    ) -> _Spec:
        """Makes the jobspec of a command.

        `num_tasks` tasks run it, each with `cores_per_task` cores and `gpus_per_task` GPUs, over
        `num_nodes` nodes if that is given, and nobody else's with `exclusive`.

        Settings: `duration`, `environment` (the caller's if not given), `env_expand`, `cwd` (the
        caller's if not given), `rlimits` (name to limit, -1 for none), `name`, `input`, `output`,
        `error`, `label_io`, `unbuffered`, `queue`, `bank`.

        Raises `TypeError` or `ValueError` if a value makes no sense.
        """
        # Programs pass None for what their users have not said.
        num_tasks = 1 if num_tasks is None else num_tasks
        cores_per_task = 1 if cores_per_task is None else cores_per_task
        _positive(num_tasks=num_tasks, cores_per_task=cores_per_task)
        _at_least_0(gpus_per_task=gpus_per_task)
        slot = _slot(num_tasks, cores_per_task, gpus_per_task)
        count: Dict[str, int] = {"per_slot": 1}
        resources = [slot]
        if num_nodes is not None:
            _positive(num_nodes=num_nodes)
            if num_nodes > num_tasks:
                raise ValueError("node count must not be greater than task count")
            slot["count"] = math.ceil(num_tasks / num_nodes)
            if num_tasks % num_nodes != 0:
                count = {"total": num_tasks}
            resources = [_node(num_nodes, exclusive, slot)]
        elif exclusive:
            raise ValueError("exclusive can only be set with a node count")
        jobspec: _Spec = _make(cls, resources, command, count, settings)
        return jobspec

    @classmethod
    def per_resource(
        cls: Type[_Spec],
        command: Sequence[str],
        ncores: Optional[int] = None,
        nnodes: Optional[int] = None,
        per_resource_type: Optional[str] = None,
        per_resource_count: Optional[int] = None,
        gpus_per_node: Optional[int] = None,
        exclusive: bool = False,
        **settings: Any,
    ) -> _Spec:
        """Makes the jobspec of a command that runs a number of times on each resource.

        The job gets `ncores` cores, or `nnodes` whole nodes, or both, and `gpus_per_node` GPUs on
        each. On each resource of `per_resource_type` (`node` or `core`) it runs
        `per_resource_count` tasks. Settings as those of `from_command`.
        """
        if ncores is None and nnodes is None:
            raise ValueError("must specify node or core count with per_resource")
        if per_resource_type not in (None, "node", "core"):
            raise ValueError(f"invalid per_resource_type '{per_resource_type}': use node or core")
        if gpus_per_node is not None and nnodes is None:
            raise ValueError("gpus_per_node must be specified with nnodes")
        _at_least_0(gpus_per_node=gpus_per_node)
        if nnodes is None:
            _positive(ncores=ncores)
            if exclusive:
                raise ValueError("exclusive can only be set with a node count")
            resources = [_slot(ncores, 1, None)]
        else:
            _positive(nnodes=nnodes)
            cores = 1
            if ncores is None:
                exclusive = True
            else:
                _positive(ncores=ncores)
                if ncores < nnodes:
                    raise ValueError("number of cores cannot be less than nnodes")
                if ncores % nnodes != 0:
                    raise ValueError("number of cores must be evenly divisible by node count")
                cores = ncores // nnodes
            resources = [_node(nnodes, exclusive, _slot(1, cores, gpus_per_node))]
        jobspec: Any = _make(cls, resources, command, {"per_slot": 1}, settings)
        if per_resource_type is not None:
            _positive(per_resource_count=per_resource_count)
            jobspec.setattr_shell_option(
                "per-resource", {"type": per_resource_type, "count": per_resource_count}
            )
        elif per_resource_count is not None:
            raise ValueError("must specify a per_resource_type with per_resource_count")
        return jobspec

    @classmethod
    def from_nest_command(
        cls: Type[_Spec],
        command: Sequence[str],
        num_slots: int = 1,
        cores_per_slot: int = 1,
        gpus_per_slot: Optional[int] = None,
        num_nodes: Optional[int] = None,
        broker_opts: Optional[Sequence[str]] = None,
        exclusive: bool = False,
        conf: Optional[Mapping[str, Any]] = None,
        **settings: Any,
    ) -> _Spec:
        """Makes the jobspec of an instance that runs a command, and has the resources of the job.

        The job has `num_slots` slots, each of `cores_per_slot` cores and `gpus_per_slot` GPUs,
        over `num_nodes` nodes if that is given. `broker_opts` are options of `flux broker`, `conf`
        the configuration of the instance. Settings as those of `from_command`.
        """
        options = list(broker_opts or ())
        if conf:
            options.append("-c" + _CONF_PATH)
        jobspec: Any = cls.from_command(
            ["flux", "broker", *options, *_words(command)],
            num_tasks=num_slots,
            cores_per_task=cores_per_slot,
            gpus_per_task=gpus_per_slot,
            num_nodes=num_nodes,
            exclusive=exclusive,
            **settings,
        )
        if conf:
            jobspec.add_file("conf.json", dict(conf))
        jobspec.setattr_shell_option("per-resource", {"type": "node"})
        jobspec.setattr_shell_option("mpi", "none")
        jobspec.setattr_shell_option("exit-timeout", "none")
        return jobspec

    @classmethod
    def from_batch_command(
        cls: Type[_Spec],
        script: str,
        jobname: str,
        args: Optional[Sequence[str]] = None,
        num_slots: int = 1,
        cores_per_slot: int = 1,
        gpus_per_slot: Optional[int] = None,
        num_nodes: Optional[int] = None,
        broker_opts: Optional[Sequence[str]] = None,
        exclusive: bool = False,
        conf: Optional[Mapping[str, Any]] = None,
        **settings: Any,
    ) -> _Spec:
        """Makes the jobspec of an instance that runs a script, given as its text.

        `args` are the script's arguments; the rest as for `from_nest_command`. Output goes to
        `flux-{{id}}.out` unless a setting says otherwise. Raises `ValueError` if the script does
        not begin with `#!`.
        """
        if not script.startswith("#!"):
            raise ValueError(f"{jobname} does not appear to start with '#!'")
        settings.setdefault("name", jobname)
        settings.setdefault("output", "flux-{{id}}.out")
        jobspec: Any = cls.from_nest_command(
            [_SCRIPT_PATH, *(args or ())],
            num_slots=num_slots,
            cores_per_slot=cores_per_slot,
            gpus_per_slot=gpus_per_slot,
            num_nodes=num_nodes,
            broker_opts=broker_opts,
            exclusive=exclusive,
            conf=conf,
            **settings,
        )
        jobspec.add_file("script", script, perms=0o700, encoding="utf-8")
        return jobspec


def _words(command: Sequence[str]) -> List[str]:
    if isinstance(command, (str, bytes)) or not isinstance(command, Sequence):
        raise TypeError("command must be a list of words, not a text")
    words = [os.fspath(word) for word in command]
    if not all(isinstance(word, str) for word in words):
        raise TypeError("command must be a list of strings")
    return words


def _make(
    cls: Any,
    resources: List[Any],
    command: Sequence[str],
    count: Dict[str, int],
    settings: Dict[str, Any],
) -> Any:
    tasks = [{"command": _words(command), "slot": "task", "count": count}]
    jobspec = cls(resources, tasks, attributes={"system": {"duration": 0}}, version=1)
    _apply(jobspec, **settings)
    return jobspec


def _apply(
    jobspec: Any,
    duration: Any = None,
    environment: Optional[Mapping[str, str]] = None,
    env_expand: Optional[Mapping[str, str]] = None,
    cwd: Union[str, os.PathLike, None] = None,
    rlimits: Optional[Mapping[str, int]] = None,
    name: Optional[str] = None,
    input: Union[str, os.PathLike, None] = None,
    output: Union[str, os.PathLike, None] = None,
    error: Union[str, os.PathLike, None] = None,
    label_io: bool = False,
    unbuffered: bool = False,
    queue: Optional[str] = None,
    bank: Optional[str] = None,
) -> None:
    """The settings that all commands have."""
    jobspec.environment = os.environ if environment is None else environment
    jobspec.cwd = os.getcwd() if cwd is None else cwd
    if duration is not None:
        jobspec.duration = duration
    if env_expand:
        jobspec.setattr_shell_option("env-expand", dict(env_expand))
    if rlimits:
        jobspec.setattr_shell_option("rlimit", dict(rlimits))
    if name is not None:
        jobspec.setattr("system.job.name", name)
    if input is not None:
        jobspec.input = input
    # Output that is kept in the KVS is in no file.
    if output not in (None, "none", "kvs"):
        jobspec.output = output
    if error is not None:
        jobspec.error = error
    if label_io:
        jobspec.label_io = True
    if unbuffered:
        jobspec.unbuffered = True
    if queue is not None:
        jobspec.queue = queue
    if bank is not None:
        jobspec.setattr("system.bank", bank)


def _slot(count: Any, cores: int, gpus: Optional[int]) -> Dict[str, Any]:
    children = [{"type": "core", "count": cores}]
    if gpus:
        children.append({"type": "gpu", "count": gpus})
    return {"type": "slot", "count": count, "with": children, "label": "task"}


def _node(count: int, exclusive: bool, slot: Dict[str, Any]) -> Dict[str, Any]:
    node: Dict[str, Any] = {"type": "node", "count": count}
    if exclusive:
        node["exclusive"] = True
    node["with"] = [slot]
    return node


def _positive(**numbers: Any) -> None:
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int):
            raise TypeError(f"{name} must be an integer")
        if number < 1:
            raise ValueError(f"{name} must be > 0")


def _at_least_0(**numbers: Any) -> None:
    for name, number in numbers.items():
        if number is None:
            continue
        if isinstance(number, bool) or not isinstance(number, int):
            raise TypeError(f"{name} must be an integer")
        if number < 0:
            raise ValueError(f"{name} must be >= 0")
