"""What a brought query's columns are before their rows are looked at."""

from __future__ import annotations

from outgrow.plan.walking import everything_below
from outgrow.statement import catalogue_name
from outgrow.statement.tree import Call, Cast, FunctionScan, Parameter, Query

from .types import Type

#: Of numerics as a rule; the rows say which it is.
_SCALE = 2


def shapes_of(tree: Query, by_bytes: bool) -> dict[int, Type]:
    """The types of the arrays that stand in the tree as `unnest($n::type[], …)`, by n."""
    found: dict[int, Type] = {}
    for node in everything_below(tree):
        if isinstance(node, FunctionScan) and isinstance(node.call, Call) and node.call.name == "unnest":
            for arg in node.call.args:
                if isinstance(arg, Cast) and isinstance(arg.operand, Parameter):
                    name = catalogue_name(arg.type.removesuffix("[]")).strip('"')
                    scale = _SCALE if name == "numeric" else 0
                    found[arg.operand.index] = Type(name, scale=scale, bytes=by_bytes)
    return found
