"""Settings of a tool: files in the folders of the system and of the user."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from flux.util.trees import dict_merge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional


class UtilConfig(Mapping):  # type: ignore[type-arg]
    """The settings of the tool `name`, as a mapping.

    They are those of `initial_dict`, and over them those of `flux/NAME.toml`, `.yaml` or
    `.json` in each folder of XDG_CONFIG_DIRS and then in XDG_CONFIG_HOME; with `subcommand`
    only the table of that name is seen. TOML needs Python 3.11, YAML the package PyYAML.

    Raises ValueError: a file cannot be read, with its path.
    """

    def __init__(
        self,
        name: str,
        toolname: Optional[str] = None,
        subcommand: Optional[str] = None,
        initial_dict: Optional[dict[str, Any]] = None,
    ) -> None:
        self.name = name
        self.tool_name = toolname or f"flux-{name}"
        self.subcommand = subcommand
        self.dict: dict[str, Any] = json.loads(json.dumps(initial_dict or {}))

    def load(self) -> UtilConfig:
        """Reads the files. Gives back itself."""
        for folder in _folders():
            for suffix, read in (("toml", _read_toml), ("yaml", _read_yaml), ("json", _read_json)):
                path = folder / "flux" / f"{self.name}.{suffix}"
                if path.exists():
                    try:
                        dict_merge(self.dict, read(path))
                    except Exception as error:
                        raise ValueError(f"{self.tool_name}: {path}: {error}") from error
        return self

    def _seen(self) -> dict[str, Any]:
        return self.dict if self.subcommand is None else self.dict.get(self.subcommand, {})

    def __getitem__(self, key: str) -> Any:
        return self._seen()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._seen())

    def __len__(self) -> int:
        return len(self._seen())


def _folders() -> list[Path]:
    """From the least important to the most."""
    system = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    own = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return [Path(folder) for folder in [*reversed(system.split(":")), own] if folder]


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        import tomllib
    except ImportError:
        raise ValueError("files in TOML need Python 3.11: write it in JSON") from None
    return tomllib.loads(path.read_text())


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        import yaml  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise ValueError("files in YAML need the package PyYAML: write it in JSON") from None
    loaded: dict[str, Any] = yaml.safe_load(path.read_text()) or {}
    return loaded


def _read_json(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded
