"""Fragment trees as SQL with their own parameter numbers."""

from __future__ import annotations

from typing import Any

from outgrow.statement import render
from outgrow.statement.tree import Parameter, Query

from .walking import everything_below, rebuild


def fragment(tree: Query) -> tuple[str, tuple[int, ...]]:
    """The SQL of a fragment, and which of the statement's parameters are its $1, $2, …"""
    used = sorted({node.index for node in everything_below(tree) if isinstance(node, Parameter)})
    renumbered = {index: number for number, index in enumerate(used, 1)}

    def change(node: Any) -> Any | None:
        return Parameter(renumbered[node.index]) if isinstance(node, Parameter) else None

    return render(rebuild(tree, change)), tuple(used)
