"""Fragment trees as SQL with their own parameter numbers."""

from __future__ import annotations

from outgrow.statement import render, transform
from outgrow.statement.tree import Parameter, Query

from .walking import everything_below


def fragment(tree: Query) -> tuple[str, tuple[int, ...]]:
    """The SQL of a fragment, and which of the statement's parameters are its $1, $2, …"""
    used = sorted({node.index for node in everything_below(tree) if isinstance(node, Parameter)})
    if used == list(range(1, len(used) + 1)):
        return render(tree), tuple(used)
    renumbered = {index: number for number, index in enumerate(used, 1)}

    def change(node: object) -> object:
        return Parameter(renumbered[node.index]) if isinstance(node, Parameter) else node

    return render(transform(tree, change)), tuple(used)
