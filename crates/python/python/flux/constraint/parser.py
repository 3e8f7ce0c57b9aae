"""Queries (RFC 35): short texts that become constraints (RFC 31).

`python -m flux.constraint.parser QUERY...` prints the constraints of queries, where terms
without an operator are properties.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Callable, Dict, List, Mapping, Optional, Set

from flux import _core

__all__ = ["ConstraintParser", "ConstraintSyntaxError"]


class ConstraintSyntaxError(SyntaxError):
    """A text is no query; the sentence says where."""


class ConstraintParser:
    """Reads queries. A subclass says what its operators are."""

    #: Other names of operators; that of None is the operator of terms that have none.
    operator_map: Mapping[Optional[str], str] = {}
    #: Operators whose operand is a list, and what separates it.
    split_values: Mapping[str, str] = {}
    #: Operators of which one term with many values stands for many terms that hold together.
    combined_terms: Set[str] = set()

    #: Operators whose values are no texts, and what makes them of the list of these.
    convert_values: Mapping[str, Callable[[List[str]], List[Any]]] = {}

    def parse(self, query: str) -> Dict[str, Any]:
        """Returns the constraint of a query. Raises `ConstraintSyntaxError`."""
        aliases = [(alias, name) for alias, name in self.operator_map.items() if alias is not None]
        try:
            parsed = _core.constraint_parse(query, self.operator_map.get(None), aliases)
        except ValueError as error:
            raise ConstraintSyntaxError(str(error)) from None
        return self._finish(json.loads(parsed))

    def _finish(self, constraint: Dict[str, Any]) -> Dict[str, Any]:
        ((operator, values),) = constraint.items()
        if operator in ("and", "or", "not"):
            inner = [self._finish(value) for value in values]
            if operator == "and":
                inner = self._combine(inner)
                if len(inner) == 1:
                    return inner[0]
            return {operator: inner}
        separator = self.split_values.get(operator)
        if separator is not None:
            values = [part for value in values for part in value.split(separator)]
        convert = self.convert_values.get(operator)
        return {operator: values if convert is None else convert(values)}

    def _combine(self, terms: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
        combined: List[Dict[str, Any]] = []
        first: Dict[str, List[Any]] = {}
        for term in terms:
            ((operator, values),) = term.items()
            if operator in self.combined_terms and operator in first:
                first[operator].extend(values)
                continue
            combined.append(term)
            if operator in self.combined_terms:
                first[operator] = values
        return combined


class _Requires(ConstraintParser):
    """The queries of `--requires`."""

    operator_map = {
        None: "properties",
        "host": "hostlist",
        "hosts": "hostlist",
        "rank": "ranks",
    }
    split_values = {"properties": ","}
    combined_terms = {"properties"}


def _main(queries: List[str]) -> int:
    try:
        for query in queries:
            print(json.dumps(_Requires().parse(query)))
    except ConstraintSyntaxError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
