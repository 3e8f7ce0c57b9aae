"""URIs of instances, and finding them.

An instance is reached at a `local://` or `ssh://` URI. What users know of it is the job that it
is, or a process, or a job of another resource manager: a resolver finds the URI of that. The
command `flux uri` does most of it; a program can bring resolvers of its own.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
from abc import ABC, abstractmethod
from typing import Any, Dict, List, Optional, Sequence
from urllib.parse import parse_qs, urlparse

__all__ = [
    "URI",
    "FluxURIResolver",
    "JobURI",
    "URIResolverPlugin",
    "URIResolverURI",
    "resolve_uri",
]

#: In the environment: URIs of this host are wanted.
_RESOLVE_LOCAL = "FLUX_URI_RESOLVE_LOCAL"

#: Schemes of `flux uri`.
_COMMAND_SCHEMES = {
    "jobid": "Get URI for a given Flux JOBID",
    "pid": "Get FLUX_URI for a given process id",
    "slurm": "Get URI for a Flux instance in a Slurm job",
    "lsf": "Get URI for a Flux instance in an LSF job",
}


class URI:
    """A URI and its parts: `scheme`, `netloc`, `path`, `params`, `query`, `query_dict` and
    `fragment`, which can be changed; `uri` is what it was made of."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        parts = urlparse(uri)
        self.scheme = parts.scheme
        self.netloc = parts.netloc
        self.path = parts.path
        self.params = parts.params
        self.query = parts.query
        self.fragment = parts.fragment

    @property
    def query_dict(self) -> Dict[str, List[str]]:
        """The query by its names."""
        return parse_qs(self.query, keep_blank_values=True)

    def __str__(self) -> str:
        has_place = self.netloc or self.uri.startswith(f"{self.scheme}://")
        text = f"{self.scheme}:" + (f"//{self.netloc}" if has_place else "") + self.path
        for mark, part in ((";", self.params), ("?", self.query), ("#", self.fragment)):
            text += mark + part if part else ""
        return text

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self}')"


class JobURI(URI):
    """The URI of an instance.

    `remote_hostname` is the host of a local one, this host if it is not given. Raises
    `ValueError` unless it is a `local://` or `ssh://` URI.
    """

    #: Its text is that for its own host.
    force_local = _RESOLVE_LOCAL in os.environ

    def __init__(self, uri: str, remote_hostname: Optional[str] = None) -> None:
        super().__init__(uri)
        if self.scheme not in ("local", "ssh"):
            raise ValueError(f"JobURI '{uri}' must have scheme local or ssh")
        self._remote_hostname = remote_hostname

    @property
    def remote(self) -> str:
        """The same for other hosts."""
        if self.scheme == "ssh":
            return super().__str__()
        return f"ssh://{self._remote_hostname or socket.gethostname()}{self._plain_path}"

    @property
    def local(self) -> str:
        """The same for its own host."""
        return super().__str__() if self.scheme == "local" else f"local://{self._plain_path}"

    @property
    def _plain_path(self) -> str:
        return "/" + os.path.normpath(self.path).lstrip("/")

    def __str__(self) -> str:
        return self.local if self.force_local else super().__str__()


class URIResolverURI(URI):
    """URI to be resolved: without a scheme it is the path of a job."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri if urlparse(uri).scheme else f"jobid:{uri}")


class URIResolverPlugin(ABC):
    """A resolver for one scheme. A module that has a class `URIResolver` of this kind and is
    named for the scheme can be found in `pluginpath` of a `FluxURIResolver`."""

    def __init__(self, *args: Any) -> None:
        pass

    @abstractmethod
    def describe(self) -> str:
        """Returns what it resolves, in a few words."""

    @abstractmethod
    def resolve(self, uri: URIResolverURI) -> str:
        """Returns the URI of the instance that is meant. Raises `ValueError` if there is none."""


class _Command(URIResolverPlugin):
    """The command `flux uri`."""

    def __init__(self, description: str) -> None:
        self._description = description

    def describe(self) -> str:
        """Returns what the command resolves."""
        return self._description

    def resolve(self, uri: URIResolverURI) -> str:
        """Returns what the command finds. Raises `ValueError` with what it says else."""
        ran = subprocess.run(
            ["flux", "uri", str(uri)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
        if ran.returncode != 0:
            last = ran.stderr.strip().splitlines()[-1:] or [f"flux uri failed for {uri}"]
            raise ValueError(last[0].replace("flux-uri: ERROR: ", ""))
        return ran.stdout.strip()


class FluxURIResolver:
    """Finds the URIs of instances; `pluginpath` are folders with resolvers that come first."""

    def __init__(self, pluginpath: Optional[Sequence[str]] = None) -> None:
        self.resolvers: Dict[str, URIResolverPlugin] = {
            scheme: _Command(description) for scheme, description in _COMMAND_SCHEMES.items()
        }
        for folder in reversed(list(pluginpath or ())):
            for name in sorted(os.listdir(folder)):
                scheme, dot, suffix = name.partition(".")
                if dot and suffix == "py" and not scheme.startswith("_"):
                    self.resolvers[scheme] = _load(scheme, os.path.join(folder, name))

    def plugins(self) -> Dict[str, str]:
        """Returns what it resolves: schemes and their descriptions."""
        return {scheme: plugin.describe() for scheme, plugin in self.resolvers.items()}

    def resolve(self, uri: str) -> JobURI:
        """Returns the URI of the instance that is meant; without a scheme that is a job.

        `?local` and `?remote` at its end say for whom. Raises `NotImplementedError` if nothing
        resolves the scheme, `ValueError` if there is no such instance.
        """
        target = URIResolverURI(uri)
        if target.scheme in ("local", "ssh"):
            return JobURI(uri)
        if target.scheme not in self.resolvers:
            raise NotImplementedError(f"No plugin for URI scheme {target.scheme}")
        wish = target.query_dict
        if "local" in wish and "remote" in wish:
            raise ValueError("Only one of 'local' or 'remote' is allowed")
        found = JobURI(self.resolvers[target.scheme].resolve(target))
        if "local" in wish or _RESOLVE_LOCAL in os.environ:
            return JobURI(found.local)
        return JobURI(found.remote) if "remote" in wish else found


def _load(scheme: str, path: str) -> URIResolverPlugin:
    spec = importlib.util.spec_from_file_location(f"flux.uri.resolvers.{scheme}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.URIResolver()


def resolve_uri(uri: str) -> JobURI:
    """Returns the URI of the instance that is meant; see `FluxURIResolver.resolve`."""
    return FluxURIResolver().resolve(uri)
