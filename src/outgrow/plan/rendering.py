"""Fragment trees as SQL with their own parameter numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeVar

from outgrow.plan.walking import everything_below
from outgrow.plan.writes.change import Piece
from outgrow.statement import render, transform
from outgrow.statement.tree import Parameter, Template, Tree

N = TypeVar("N")
T = TypeVar("T", bound=Tree)


def fragment(tree: Tree) -> tuple[str, tuple[int, ...]]:
    """The SQL of a fragment, and which of the statement's parameters are its $1, $2, …"""
    numbered, used = renumbered(tree)
    return render(numbered), used


def renumbered(tree: T) -> tuple[T, tuple[int, ...]]:
    """The tree with its parameters numbered without gaps, and which of the statement's those are."""
    used = sorted({node.index for node in everything_below(tree) if isinstance(node, Parameter)})
    if used == list(range(1, len(used) + 1)):
        return tree, tuple(used)
    numbers = {index: number for number, index in enumerate(used, 1)}

    def change(node: object) -> object:
        return Parameter(numbers[node.index]) if isinstance(node, Parameter) else node

    return transform(tree, change), tuple(used)


#: A hole in rendered SQL; no SQL that a server accepts has a zero byte.
_HOLE = re.compile("\0([0-9]+)\0")


def with_holes(tree: N) -> N:
    """The tree with marks instead of parameters, for `pieces`."""

    def change(node: object) -> object:
        return Template((f"\0{node.index}\0",), ()) if isinstance(node, Parameter) else node

    return transform(tree, change)


def piece(sql: str) -> Piece:
    """Rendered SQL with marks, taken apart at them."""
    parts = _HOLE.split(sql)
    return Piece(tuple(parts[::2]), tuple(map(int, parts[1::2])))


def filled(pieces: Iterable[Piece]) -> tuple[str, list[int]]:
    """The SQL of pieces one after another, and which of the statement's parameters are its $1, $2, …"""
    texts: list[str] = []
    numbers: dict[int, int] = {}
    for each in pieces:
        texts.append(each.texts[0])
        for index, text in zip(each.params, each.texts[1:], strict=True):
            texts.append(f"${numbers.setdefault(index, len(numbers) + 1)}")
            texts.append(text)
    return "".join(texts), list(numbers)
