"""The language of `--resources-shape` (RFC 46).

`python -m flux.shape.parser SHAPE...` prints the resources that shapes stand for.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any, Dict, List

from flux import _core

__all__ = ["ShapeParser", "ShapeSyntaxError"]


class ShapeSyntaxError(ValueError):
    """A text is no shape; the sentence says where."""


class ShapeParser:
    """Reads shapes.

    `default_label` names a slot that has no label. With `range_dict` ranges of counts are
    objects with `min`, `max`, `operand` and `operator`, else texts as they stand.
    """

    def __init__(self, default_label: str = "task", range_dict: bool = False) -> None:
        self.default_label = default_label
        self.range_dict = range_dict

    def parse(self, shape: str) -> List[Dict[str, Any]]:
        """Returns the resources that a shape stands for. Raises `ShapeSyntaxError`."""
        try:
            resources = json.loads(_core.shape_parse(shape, self.default_label))
        except ValueError as error:
            raise ShapeSyntaxError(str(error)) from None
        if self.range_dict:
            _ranges_to_dicts(resources)
        return resources


_RANGE = re.compile(r"\[?(\d+)(?:-(\d+)|\+)(?::(\d+)(?::([+*^]))?)?\]?$")


def _ranges_to_dicts(resources: List[Dict[str, Any]]) -> None:
    for vertex in resources:
        found = _RANGE.match(vertex["count"]) if isinstance(vertex["count"], str) else None
        if found:
            least, most, operand, operator = found.groups()
            count: Dict[str, Any] = {"min": int(least)}
            if most:
                count["max"] = int(most)
            count["operand"] = int(operand or 1)
            count["operator"] = operator or "+"
            vertex["count"] = count
        _ranges_to_dicts(vertex.get("with", []))


def _main(arguments: List[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="flux.shape.parser", description="Print the resources that shapes stand for"
    )
    parser.add_argument("-y", "--yaml", action="store_true", help="print YAML, not JSON")
    parser.add_argument("-r", "--range-dict", action="store_true", help="print ranges as objects")
    parser.add_argument("-w", "--wrap", action="store_true", help="print them as `resources`")
    parser.add_argument("-l", "--label", default="task", help="label of a slot without one")
    parser.add_argument("shape", nargs="+", metavar="SHAPE")
    args = parser.parse_args(arguments)
    shapes = ShapeParser(default_label=args.label, range_dict=args.range_dict)
    try:
        for shape in args.shape:
            resources: Any = shapes.parse(shape)
            print(_written({"resources": resources} if args.wrap else resources, args.yaml))
    except ShapeSyntaxError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _written(value: Any, as_yaml: bool) -> str:
    if not as_yaml:
        return json.dumps(value)
    import yaml

    return yaml.safe_dump(value, sort_keys=False).rstrip("\n")


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
