"""Which bundles of a query meet which others on equal columns, so that one's values say which rows of another matter.

A row matters if it can be in the result: where a block's WHERE equates columns of two bundles, rows of either matter
only if the other has their value; where it equates a column with one of a block outside, rows inside do; IN as a
condition that must be true is such an equality too.  NULL equals nothing, so rows with NULL do not matter there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from outgrow.plan.blocks import family, has_aggregate, narrowable, output_names
from outgrow.plan.bringing.bundles import Bundle, BundleColumn, BundleScan
from outgrow.plan.bringing.conditions import equated, factored
from outgrow.plan.walking import everything_below
from outgrow.statement.tree import (
    ColumnRef,
    Derived,
    Expr,
    Join,
    JoinKind,
    Quantified,
    Query,
    Relation,
    RowOf,
    Select,
)

#: Beside families of types whose values compare alike.
_ALIKE = frozenset(("bpchar", "oid", "bytea", "time", "inet", "macaddr"))


class Place(NamedTuple):
    """A column of a bundle; `outside` where the bundle belongs to a block outside of the one that mentions it."""

    bundle: str
    column: str
    outside: bool = False


class Link(NamedTuple):
    """Rows of `bundle` matter only if their `column` is among the values of another's."""

    bundle: str
    column: str
    source: str
    source_column: str


def links(query: Query, bundles: Mapping[str, Bundle]) -> list[Link]:
    found: dict[Link, None] = {}
    for node in everything_below(query):
        if isinstance(node, Select) and node.source is not None:
            for target, source in _Block(node, bundles).pairs():
                keyed = bundles[target.bundle].keyed
                if target.bundle != source.bundle and (keyed is None or target.column in keyed):
                    found[Link(target.bundle, target.column, source.bundle, source.column)] = None
    return list(found)


def _alike(bundles: Mapping[str, Bundle], first: Place, second: Place) -> bool:
    """What is equal to the same is equal: not so under every collation, nor across all types."""
    one, other = _column(bundles, first), _column(bundles, second)
    if one.collation or other.collation:
        return False
    if family(one.type) is not None:
        return family(one.type) == family(other.type)
    return one.type == other.type and one.type in _ALIKE


def _column(bundles: Mapping[str, Bundle], place: Place) -> BundleColumn:
    return next(column for column in bundles[place.bundle].columns if column.name == place.column)


class _Block:
    def __init__(self, select: Select, bundles: Mapping[str, Bundle]) -> None:
        self.select = select
        self.bundles = bundles
        self.here: set[str] = set()
        self.derived: dict[str, Derived] = {}
        self.conditions = factored(select.where)
        assert select.source is not None
        self._enter(select.source)

    def _enter(self, relation: Relation) -> None:
        """FROM items whose rows are never padding, and what inner joins say."""
        match relation:
            case BundleScan():
                self.here.add(relation.alias)
            case Derived() if not relation.lateral:
                self.derived[relation.alias] = relation
            case Join(kind=JoinKind.INNER | JoinKind.CROSS):
                self.conditions += factored(relation.on)
                self._enter(relation.left)
                self._enter(relation.right)

    def pairs(self) -> Iterator[tuple[Place, Place]]:
        """(whose rows are told, who tells)."""
        classes: dict[Place, set[Place]] = defaultdict(set)
        for conjunct in self.conditions:
            sides = equated(conjunct)
            for one, other in _rowwise(*sides) if sides is not None else ():
                first, second = self.place(one), self.place(other)
                if first is not None and second is not None and _alike(self.bundles, first, second):
                    whole = {first, second} | classes[first] | classes[second]
                    for each in whole:
                        classes[each] = whole
            if isinstance(conjunct, Quantified):
                yield from self._membership(conjunct)
        for place, whole in classes.items():
            if not place.outside:
                yield from ((place, other) for other in sorted(whole))

    def _membership(self, conjunct: Quantified) -> Iterator[tuple[Place, Place]]:
        query = conjunct.of
        if (conjunct.operator, conjunct.quantifier) != ("=", "any") or not isinstance(query, Select):
            return
        operands = conjunct.operand.items if isinstance(conjunct.operand, RowOf) else (conjunct.operand,)
        if len(operands) != len(query.items):
            return
        for at, operand in enumerate(operands):
            outer, inner = self.place(operand), output(query, at, self.bundles)
            if outer is not None and inner is not None and _alike(self.bundles, outer, inner):
                yield inner, outer
                if not outer.outside:
                    yield outer, inner

    def place(self, expr: Expr) -> Place | None:
        if not isinstance(expr, ColumnRef):
            return None
        if expr.depth:
            return Place(expr.relation, expr.name, True) if expr.relation in self.bundles else None
        if expr.relation in self.here:
            return Place(expr.relation, expr.name)
        derived = self.derived.get(expr.relation)
        if derived is None or not isinstance(derived.query, Select):
            return None
        names = output_names(derived.query, derived.column_aliases)
        return output(derived.query, names.index(expr.name), self.bundles) if names.count(expr.name) == 1 else None


def output(query: Select, at: int, bundles: Mapping[str, Bundle]) -> Place | None:
    """The bundle's column that an output column is, where rows without the wanted values can be left out inside."""
    if query.source is None or not narrowable(query):
        return None
    expr = query.items[at].expr
    if has_aggregate(query) and expr not in query.group:
        return None
    found = _Block(query, bundles).place(expr)
    return None if found is None or found.outside else found


def _rowwise(one: Expr, other: Expr) -> Iterable[tuple[Expr, Expr]]:
    if isinstance(one, RowOf) and isinstance(other, RowOf) and len(one.items) == len(other.items):
        return zip(one.items, other.items, strict=True)
    return ((one, other),)
