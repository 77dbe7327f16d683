"""A table that an outer join off the key fills up with NULLs, condensed to groups before its rows travel.

`SELECT c.id, count(o.id) FROM customers c LEFT JOIN orders o ON o.customer = c.id GROUP BY c.id` needs of all orders
how many each customer has.  So the table becomes a query of its own, which its shards can work on: the columns that the
block mentions outside of its aggregates are grouped by, and each group has its number of rows and partial results.

Why it is the same: rows that are equal in all these columns meet the same partners, pass or fail the same conditions
and fall into the same groups; so one row may stand for n of them, if every aggregate knows.  `count(*)` adds up the n,
and 1 for a row without a partner, whose n is NULL; sums, counts, averages and extremes of the table's columns are made
of partial results; what does not mind duplicates (min, max, DISTINCT) stays.  Anything else has to see all rows.

Two things must hold besides: a row without a partner adds nothing to an aggregate of the table's columns (what it
computes is NULL there), and partial results of rows that nobody joins cannot fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from outgrow.plan.blocks import alias_of, has_aggregate, has_unknown, is_aggregate, leaves_of, returns_set
from outgrow.plan.bringing.conditions import TRUE, plain, speaks_of, together
from outgrow.plan.bringing.partials import combined, counted
from outgrow.plan.bringing.repeating import repeats
from outgrow.plan.bringing.reshaping import cuttable, keeping_names, mentioned, rebuilt, with_columns
from outgrow.plan.cutting.colocate import Colocation
from outgrow.plan.cutting.vetting import joined_alike
from outgrow.plan.placing import Places, Sharded
from outgrow.plan.refusals import Refused
from outgrow.plan.walking import conjuncts, everything_below, within_block
from outgrow.schema import Table
from outgrow.statement import transform, type_of
from outgrow.statement.tree import (
    Call,
    CallKind,
    Cast,
    ColumnRef,
    Derived,
    Expr,
    Item,
    Join,
    JoinKind,
    Literal,
    Operation,
    Parameter,
    Query,
    Relation,
    Scan,
    Select,
)
from outgrow.statement.walk import columns_of

_NO_MATTER_HOW_OFTEN = frozenset(("min", "max", "bool_and", "bool_or", "every"))
_COMPARISONS = frozenset(("=", "<>", "<", "<=", ">", ">="))
_ARITHMETIC = frozenset(("+", "-", "*"))


def condensed(query: Query, places: Places, names: Iterator[str]) -> Query:
    """The query with such tables condensed; `names` are those that the statement does not use."""

    def change(node: object) -> object:
        return _block(node, places, names) if isinstance(node, Select) and node.source is not None else node

    changed = transform(query, change)
    assert isinstance(changed, Query)
    return changed


def _block(select: Select, places: Places, names: Iterator[str]) -> Select:
    if not has_aggregate(select) or has_unknown(select) or returns_set(select) or not cuttable(select):
        return select
    joins = list(_joins(select.source))
    if any(join.using or join.natural for join in joins) or _reaches_in(select):
        return select
    for join in joins:
        scan = _nullable(join)
        if scan is None or not isinstance(places.of(scan.table), Sharded) or _alone(join, places):
            continue
        try:
            return _Condensing(select, join, scan, places, names).condensed()
        except _AllRows:
            continue
    return select


def _joins(relation: Relation | None) -> Iterator[Join]:
    if isinstance(relation, Join):
        yield relation
        yield from _joins(relation.left)
        yield from _joins(relation.right)


def _nullable(join: Join) -> Scan | None:
    """The table that the join fills up with NULLs."""
    side = {JoinKind.LEFT: join.right, JoinKind.RIGHT: join.left}.get(join.kind)
    plainly = isinstance(side, Scan) and not (side.only or side.sample or side.column_aliases)
    return side if isinstance(side, Scan) and plainly else None


def _alone(join: Join, places: Places) -> bool:
    """Each shard can join its rows alone, which is better still."""
    if not joined_alike(join, {alias_of(leaf) for leaf in leaves_of(join)}):
        return False
    try:
        _, settled = Colocation(places).block(Select((Item(Literal("number", "1"), "?column?"),), join), None, {})
    except Refused:
        return False
    return settled.locus.sharded


def _reaches_in(select: Select) -> bool:
    """A subquery has an aggregate of this block's rows, or this block has one of a block outside."""
    kept = replace(select, with_=type(select.with_)())
    return any(is_aggregate(node) and _of_outside(node) for node in everything_below(kept))


def _of_outside(call: Call) -> bool:
    depths = [depth for _, depth in columns_of(call)]
    return bool(depths) and min(depths) > 0


def _nested(select: Select) -> Iterator[Query]:
    kept = replace(select, with_=type(select.with_)())
    return (node for node in within_block(kept) if isinstance(node, Query) and node is not kept)


class _AllRows(Exception):
    """Something has to see all rows of the table."""


class _Condensing:
    """One table of one block."""

    def __init__(self, select: Select, join: Join, scan: Scan, places: Places, names: Iterator[str]) -> None:
        table = places.table(scan.table)
        if table is None:
            raise _AllRows
        self.select, self.join, self.scan, self.names = select, join, scan, names
        self.table: Table = table
        self.alias = scan.alias
        #: Partial results: what each is of the table's rows, and the column that it becomes.
        self.halves: list[tuple[Expr, ColumnRef]] = []

    def condensed(self) -> Select:
        if [alias_of(leaf) for leaf in leaves_of(self.select.source)].count(self.alias) > 1:
            raise _AllRows
        if any(
            ref.relation == self.alias and depth == 1
            for nested in _nested(self.select)
            for ref, depth in columns_of(nested)
        ):
            raise _AllRows
        told = [each for each in conjuncts(self.join.on) if speaks_of(each, {self.alias}) and plain(each)]
        said = [each for each in conjuncts(self.join.on) if each not in told]
        join = replace(self.join, on=together("and", said) or TRUE)
        changed = self._with_sums(replace(self.select, source=_instead(self.select.source, self.join, join)))
        keys = self._keys(changed)
        items = [Item(key, key.name, key.name) for key in keys]
        items += [Item(expr, column.name, column.name) for expr, column in self.halves]
        groups = Select(tuple(items), self.scan, together("and", told), tuple(keys))
        source = _instead(changed.source, self.scan, Derived(groups, self.alias))
        return with_columns(replace(changed, source=source), self._of_groups)

    def _of_groups(self, ref: ColumnRef, depth: int) -> Expr:
        return replace(ref, table=None) if not depth and ref.relation == self.alias else ref

    def _keys(self, changed: Select) -> list[ColumnRef]:
        """The columns that are mentioned outside of partial results."""
        made = {column.name for _, column in self.halves}
        found: dict[str, ColumnRef] = {}
        for ref in mentioned(changed, {self.alias}):
            if ref.name not in made:
                found.setdefault(ref.name, replace(ref, bare=False, shadowed=False))
        # Without any column a group would be there even where no row is.
        if not found or not repeats(self.table, found) or any(map(self._collated, found.values())):
            raise _AllRows
        return list(found.values())

    def _collated(self, ref: ColumnRef) -> bool:
        column = self.table.column(ref.name)
        return column is None or bool(column.collation) or column.nondeterministic

    # --- aggregates ------------------------------------------------------------------------------------------------

    def _with_sums(self, select: Select) -> Select:
        def change(node: Any) -> Any:
            if isinstance(node, Query):
                return node
            if isinstance(node, Call) and node.kind is CallKind.AGGREGATE and node.over is None:
                return self._aggregate(node)
            return None

        kept = replace(select, with_=type(select.with_)())
        return replace(keeping_names(rebuilt(kept, change), select), with_=select.with_)

    def _aggregate(self, call: Call) -> Expr:
        whose = {ref.relation for ref, depth in columns_of(call) if not depth}
        often = call.builtin and (call.distinct or call.name in _NO_MATTER_HOW_OFTEN)
        if often and (call.distinct or self.alias not in whose):
            return call
        if call.star and call.filter is None and call.name == "count" and call.builtin:
            number = Call("coalesce", (self._half(call, "int8"), Literal("number", "1")), builtin=True, type="int8")
            return counted(number)
        if not (all(map(_null_of_none, call.args)) and all(map(_never_of_none, conjuncts(call.filter)))):
            raise _AllRows
        found = combined(call, {self.alias}, self._collated, self._half)
        if found is None:
            raise _AllRows
        return found

    def _half(self, expr: Expr, type: str) -> ColumnRef:
        for known, column in self.halves:
            if known == expr:
                return column
        made = ColumnRef(self.alias, next(self.names), type)
        self.halves.append((expr, made))
        return made


def _instead(relation: Relation | None, old: Relation, new: Relation) -> Relation | None:
    if relation is old or not isinstance(relation, Join):
        return new if relation is old else relation
    left, right = _instead(relation.left, old, new), _instead(relation.right, old, new)
    assert left is not None and right is not None
    return relation if left is relation.left and right is relation.right else replace(relation, left=left, right=right)


def _null_of_none(expr: Expr) -> bool:
    """NULL where all columns are, and never an error."""
    if isinstance(expr, ColumnRef):
        return True
    if not isinstance(expr, Operation):
        return False
    if expr.operator in _ARITHMETIC and type_of(expr) == "numeric":
        made = [operand for operand in expr.operands if not isinstance(operand, Literal)]
        return bool(made) and all(map(_null_of_none, made))
    constants = [operand for operand in expr.operands if not isinstance(operand, ColumnRef)]
    compares = expr.operator in _COMPARISONS and len(constants) < len(expr.operands)
    return compares and all(map(_constant, constants))


def _never_of_none(condition: Expr) -> bool:
    """Not true where all columns are NULL, and never an error."""
    match condition:
        case Operation(operator="is not null", operands=(ColumnRef(),)):
            return True
    return _null_of_none(condition)


def _constant(expr: Expr) -> bool:
    return isinstance(expr, Literal | Parameter) or (isinstance(expr, Cast) and isinstance(expr.operand, Literal))


__all__ = ["condensed"]
