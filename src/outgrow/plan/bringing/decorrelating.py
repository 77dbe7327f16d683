"""`x > (SELECT avg(…) FROM … WHERE a = outer.b)` as a join with the groups of all `a`, where that is the same.

One group for each `a` is computed at once, instead of once for each row outside.  A row whose `b` has no group would
compare with NULL, which is not true, and has no partner in the join.  So the comparison must be a condition by itself,
what is computed must be NULL of no rows (no count), and nothing in it may fail of groups that nobody asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from outgrow.plan.blocks import alias_of, family, has_window, leaves_of, returns_set
from outgrow.plan.bringing.conditions import equated, together
from outgrow.plan.placing import Places, Sharded
from outgrow.plan.walking import conjuncts, everything_below
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
    Query,
    ScalarQuery,
    Scan,
    Select,
)
from outgrow.statement.walk import columns_of

_COMPARISONS = frozenset(("=", "<>", "<", "<=", ">", ">="))
#: NULL of no rows, and of no group an error.
_AGGREGATES = frozenset(("sum", "avg", "min", "max"))
#: Their sums do not overflow.
_EXACT = frozenset(("int2", "int4", "int8", "numeric"))
_ARITHMETIC = frozenset(("+", "-", "*"))


def decorrelated(query: Query, places: Places, names: Iterator[str]) -> Query:
    """The query with such subqueries, of sharded tables, as joins."""

    def change(node: object) -> object:
        return _joined(node, places, names) if isinstance(node, Select) and node.source is not None else node

    changed = transform(query, change)
    assert isinstance(changed, Query)
    return changed


def _joined(select: Select, places: Places, names: Iterator[str]) -> Select:
    kept: list[Expr] = []
    source = select.source
    assert source is not None
    for conjunct in conjuncts(select.where):
        found = _groups(conjunct, select, places)
        if found is None:
            kept.append(conjunct)
            continue
        groups, keys, compared = found
        name = next(names)
        source = Join(JoinKind.CROSS, source, Derived(groups, name))
        for (outer, _), item in zip(keys, groups.items, strict=False):
            kept.append(Operation("=", (ColumnRef(name, item.name, type_of(item.expr)), outer)))
        kept.append(compared(ColumnRef(name, groups.items[-1].name, type_of(groups.items[-1].expr))))
    if source is select.source:
        return select
    return replace(select, source=source, where=together("and", kept))


_Found = tuple[Select, list[tuple[ColumnRef, ColumnRef]], Callable[[Expr], Expr]]


def _groups(conjunct: Expr, select: Select, places: Places) -> _Found | None:
    """The groups that stand for the subquery, whose last item is its value; what they are equal to; the comparison."""
    if not isinstance(conjunct, Operation) or conjunct.operator not in _COMPARISONS:
        return None
    left, right = conjunct.operands
    nested, other = (right, left) if isinstance(right, ScalarQuery) else (left, right)
    if (
        not isinstance(nested, ScalarQuery)
        or nested.array
        or any(isinstance(n, Query) for n in everything_below(other))
    ):
        return None
    query = nested.query
    if not isinstance(query, Select) or not _plain_block(query, places) or not _null_of_nothing(query.items[0].expr):
        return None
    inside, keys = [], []
    here = {alias_of(leaf) for leaf in leaves_of(select.source)}
    for each in conjuncts(query.where):
        depths = {depth for _, depth in columns_of(each)}
        if depths <= {0}:
            inside.append(each)
            continue
        key = _key(each)
        if key is None or key[0].relation not in here:
            return None
        keys.append(key)
    if not keys or any(depth for _, depth in columns_of(query.items[0].expr)):
        return None
    grouped = tuple(inner for _, inner in keys)
    items = (*(Item(inner, f"k{at}", f"k{at}") for at, inner in enumerate(grouped, 1)), _named(query.items[0], "v"))
    groups = replace(query, items=items, where=together("and", inside), group=grouped)
    operator = conjunct.operator

    def compared(value: Expr) -> Expr:
        return Operation(operator, (other, value) if nested is right else (value, other))

    return groups, keys, compared


def _named(item: Item, name: str) -> Item:
    return Item(item.expr, name, name)


def _plain_block(query: Select, places: Places) -> bool:
    """It only computes an aggregate of rows, some of them sharded."""
    if query.source is None or len(query.items) != 1 or query.group or query.grouping_sets or query.having is not None:
        return False
    if query.distinct or query.distinct_on or query.limit is not None or query.offset is not None or query.locking:
        return False
    if query.with_.ctes or query.order or has_window(query) or returns_set(query):
        return False
    leaves = list(leaves_of(query.source))
    if any(depth for _, depth in columns_of(query.source)) or not all(isinstance(leaf, Scan) for leaf in leaves):
        return False
    return any(isinstance(leaf, Scan) and isinstance(places.of(leaf.table), Sharded) for leaf in leaves)


def _key(conjunct: Expr) -> tuple[ColumnRef, ColumnRef] | None:
    """A column of the block outside, as that block sees it, and the column of the subquery that equals it."""
    sides = equated(conjunct)
    if sides is None or not isinstance(sides[0], ColumnRef) or not isinstance(sides[1], ColumnRef):
        return None
    inner, outer = sides if sides[0].depth == 0 else (sides[1], sides[0])
    assert isinstance(inner, ColumnRef) and isinstance(outer, ColumnRef)
    # Grouped by it is equal to it: not so for every type.
    kinds = family(inner.type), family(outer.type)
    if inner.depth or outer.depth != 1 or outer.shadowed or kinds[0] is None or kinds[0] != kinds[1]:
        return None
    return replace(outer, depth=0), inner


def _null_of_nothing(expr: Expr) -> bool:
    """NULL where there are no rows, and of rows that nobody asks for no error."""
    if isinstance(expr, Cast):
        return type_of(expr) == "numeric" and "(" not in expr.type and _null_of_nothing(expr.operand)
    if isinstance(expr, Operation) and expr.operator in _ARITHMETIC and type_of(expr) == "numeric":
        made = [operand for operand in expr.operands if not isinstance(operand, Literal)]
        return bool(made) and all(_null_of_nothing(operand) for operand in made)
    if not isinstance(expr, Call) or expr.kind is not CallKind.AGGREGATE or expr.name not in _AGGREGATES:
        return False
    if not expr.builtin or expr.order or expr.within_group or expr.over or len(expr.args) != 1:
        return False
    exact = expr.name in ("min", "max") or type_of(expr.args[0]) in _EXACT
    return exact and isinstance(expr.args[0], ColumnRef) and expr.filter is None
