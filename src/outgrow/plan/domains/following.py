"""Whose values say which rows of others matter, in a query over several domains.

Where a condition that must hold equates columns of two tables, rows of either matter only if the other has their value.
A table *follows* another so; what may be said of it is what `bringing` may say of one table alone: nothing of a side
that an outer join keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from outgrow.plan.blocks import leaves_of
from outgrow.plan.walking import conjuncts, everything_below
from outgrow.schema import Table
from outgrow.statement.tree import ColumnRef, Expr, Join, JoinKind, Operation, Relation, Scan, Select, Tree

_INTEGERS = frozenset(("int2", "int4", "int8"))
_TEXTS = frozenset(("text", "varchar"))
_SELF = frozenset(("uuid", "date"))


class Follow(NamedTuple):
    """Rows of `scan` matter only if their `column` is among the values of `source`'s.  Scans by identity."""

    scan: int
    column: str
    source: int
    source_column: str
    #: As what the values compare: the array's element type.
    type: str


def follows(tree: Tree, table_of: Callable[[Scan], Table | None]) -> list[Follow]:
    found: dict[Follow, None] = {}
    for node in everything_below(tree):
        if isinstance(node, Select) and node.source is not None:
            for each in _Block(node.source, table_of).follows(node.where):
                found[each] = None
    return list(found)


def compared_as(column: str, source: str) -> str:
    """As what the source's values are compared with the column, alike on every PostgreSQL; "": as nothing."""
    if source in _INTEGERS and (column in _INTEGERS or column == "numeric"):
        # MariaDB's BIGINT UNSIGNED is a numeric here.
        return "int8"
    if column in _TEXTS and source in _TEXTS:
        return "text"
    return column if column == source and column in _SELF else ""


class _Block:
    def __init__(self, source: Relation, table_of: Callable[[Scan], Table | None]) -> None:
        self.source, self.table_of = source, table_of
        leaves = [leaf for leaf in leaves_of(source) if isinstance(leaf, Scan) and not leaf.column_aliases]
        self.leaves = {leaf.alias: leaf for leaf in leaves}

    def follows(self, where: Expr | None) -> Iterator[Follow]:
        yield from self._told(where, kept(self.source))
        yield from self._joins(self.source)

    def _joins(self, relation: Relation) -> Iterator[Follow]:
        if not isinstance(relation, Join):
            return
        left, right = kept(relation.left), kept(relation.right)
        match relation.kind:
            case JoinKind.INNER:
                yield from self._told(relation.on, left + right)
                yield from self._using(relation, left + right)
            case JoinKind.LEFT:
                yield from self._told(relation.on, right)
                yield from self._using(relation, right)
            case JoinKind.RIGHT:
                yield from self._told(relation.on, left)
                yield from self._using(relation, left)
        yield from self._joins(relation.left)
        yield from self._joins(relation.right)

    def _told(self, condition: Expr | None, scans: list[Scan]) -> Iterator[Follow]:
        for conjunct in conjuncts(condition):
            match conjunct:
                case Operation(operator="=", operands=(ColumnRef(depth=0) as one, ColumnRef(depth=0) as other)):
                    yield from self._pair(one.relation, one.name, other.relation, other.name, scans)
                    yield from self._pair(other.relation, other.name, one.relation, one.name, scans)

    def _using(self, join: Join, scans: list[Scan]) -> Iterator[Follow]:
        for name in join.using:
            sides = [[leaf for leaf in leaves_of(side) if self._has(leaf, name)] for side in (join.left, join.right)]
            if all(len(side) == 1 for side in sides):
                one, other = (getattr(side[0], "alias", "") for side in sides)
                yield from self._pair(one, name, other, name, scans)
                yield from self._pair(other, name, one, name, scans)

    def _has(self, leaf: Relation, name: str) -> bool:
        """Whether the item can have such a column; of what is no table, nobody knows."""
        table = self.table_of(leaf) if isinstance(leaf, Scan) and not leaf.column_aliases else None
        return table is None or table.column(name) is not None

    def _pair(self, alias: str, column: str, source: str, source_column: str, scans: list[Scan]) -> Iterator[Follow]:
        scan, other = self.leaves.get(alias), self.leaves.get(source)
        if scan is None or other is None or scan is other or not any(scan is each for each in scans):
            return
        one, two = self._type(scan, column), self._type(other, source_column)
        kind = compared_as(one, two)
        if kind:
            yield Follow(id(scan), column, id(other), source_column, kind)

    def _type(self, scan: Scan, name: str) -> str:
        table = self.table_of(scan)
        column = table.column(name) if table is not None else None
        return column.type if column is not None and not column.nondeterministic else ""


def kept(relation: Relation) -> list[Scan]:
    """The tables in it of which an outer join of its own makes no rows of NULLs."""
    if not isinstance(relation, Join):
        return [relation] if isinstance(relation, Scan) and not relation.column_aliases else []
    left = kept(relation.left) if relation.kind not in (JoinKind.RIGHT, JoinKind.FULL) else []
    right = kept(relation.right) if relation.kind not in (JoinKind.LEFT, JoinKind.FULL) else []
    return left + right
