"""Trees: dicts in dicts by dotted keys, and trees that are drawn."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Optional


def set_treedict(in_dict: dict[str, Any], key: str, val: Any) -> None:
    """Sets `key`, such as `a.b.c`, in dicts in dicts; those that are not there are made."""
    *above, last = key.split(".")
    for part in above:
        in_dict = in_dict.setdefault(part, {})
    in_dict[last] = val


def get_treedict(in_dict: dict[str, Any], key: str, default: Any = None) -> Any:
    """The value at `key`, such as `a.b.c`, or `default`."""
    value: Any = in_dict
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            return default
        value = value[part]
    return value


def del_treedict(in_dict: dict[str, Any], key: str) -> None:
    """Removes `key`, and the dicts above it that are empty then. Raises KeyError."""
    first, _, rest = key.partition(".")
    if rest:
        del_treedict(in_dict[first], rest)
        if in_dict[first]:
            return
    del in_dict[first]


def dict_merge(src: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Puts what is in `new` into `src`, dicts into dicts; gives back `src`."""
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(src.get(key), dict):
            dict_merge(src[key], value)
        else:
            src[key] = value
    return src


class Tree:
    """A tree of labels that can be drawn, with `prefix` before each label.

    Equal leaves of one parent are drawn once, as `3*[label]`, if `combine_children` is set.
    """

    def __init__(self, label: str, prefix: str = "", combine_children: bool = False) -> None:
        self.label = label
        self.prefix = prefix
        self.combine_children = combine_children
        self.children: list[Tree] = []

    def append(self, label: str, prefix: str = "") -> Tree:
        """Adds a child, and gives it back."""
        return self.append_tree(Tree(label, prefix, self.combine_children))

    def append_tree(self, tree: Tree) -> Tree:
        """Adds a tree as a child, and gives it back."""
        self.children.append(tree)
        return tree

    def lines(self, indent: str = "", connector: str = "", level: Optional[int] = None) -> Iterator[str]:
        """The lines of the drawing, down to `level` levels below this one."""
        yield self.prefix + indent + connector + self.label
        if level == 0:
            return
        if connector:
            indent += "    " if connector.startswith("└") else "│   "
        children = self._combined()
        for child in children:
            is_last = child is children[-1]
            below = None if level is None else level - 1
            yield from child.lines(indent, "└── " if is_last else "├── ", below)

    def render(self, level: Optional[int] = None) -> None:
        """Prints the drawing."""
        for line in self.lines(level=level):
            print(line)

    def _combined(self) -> list[Tree]:
        if not self.combine_children:
            return self.children
        leaves: dict[str, int] = {}
        for child in self.children:
            if not child.children:
                leaves[child.label] = leaves.get(child.label, 0) + 1
        combined: list[Tree] = []
        for child in self.children:
            count = 1 if child.children else leaves.pop(child.label, 0)
            if count == 1:
                combined.append(child)
            elif count > 1:
                combined.append(Tree(f"{count}*[{child.label}]", child.prefix, True))
        return combined
