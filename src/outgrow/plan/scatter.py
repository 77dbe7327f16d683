"""One query over several shards: what each runs, and how the rows are finished."""

from __future__ import annotations

from dataclasses import replace

from outgrow.statement.tree import (
    Call,
    CallKind,
    Cast,
    Expr,
    Item,
    Literal,
    Operation,
    Parameter,
    Query,
    Select,
    SetOperation,
    SortKey,
    Tree,
)

from .blocks import Block, first_items, has_aggregate, has_window
from .colocate import Colocation
from .locus import Settled
from .model import Plan, Reason
from .ordering import TextOrder
from .placing import Places
from .refusals import refused
from .rendering import fragment
from .spec import ORDERED_TYPES, Constant, Final, Finish, Given, Output, Position, Sort
from .splitting import Splitter
from .vetted import translate
from .vetting import vet


def scatter(plan: Plan, places: Places) -> Plan:
    """The plan with its fragment and finish.  Raises Refused with what cannot be done."""
    vet(plan.statement)
    tree = plan.statement.tree
    assert tree is not None
    return gathered(plan, tree, places)


def gathered(plan: Plan, tree: Tree, places: Places) -> Plan:
    """`scatter` of a query that is vetted."""
    order = TextOrder(places.schema, tree)
    if isinstance(tree, Select):
        sent, finish, reasons = _Block(tree, places, order).plan()
    elif isinstance(tree, SetOperation):
        sent, finish, reasons = _set_operation(tree, places, order)
    else:
        raise refused("table form", "VALUES")
    enums = frozenset(name for name, kind in places.schema.types.items() if kind == "enum")
    sql, params = fragment(sent)
    return replace(
        plan,
        fragment_sql=sql,
        fragment_params=params,
        finish=replace(finish, enums=enums, text_bytes=order.all_bytes),
        reasons=(*plan.reasons, *(Reason("plan.scatter", what) for what in reasons)),
    )


Sent = tuple[Query, Finish, list[str]]


class _Block:
    """A SELECT over several shards."""

    def __init__(self, select: Select, places: Places, order: TextOrder) -> None:
        self.select = select
        self.order = order
        self.proof = Colocation(places)
        self.block: Block
        self.settled: Settled
        self.block, self.settled = self.proof.block(select, None, {})
        locus = self.settled.locus
        if not locus.sharded:
            raise refused("subquery", "the subquery", "it reads a sharded table for rows that every shard has")
        self.key_columns = ", ".join(locus.columns)

    def plan(self) -> Sent:
        select = self.select
        if select.grouping_sets:
            raise refused("grouping sets")
        grouped = has_aggregate(select)
        if grouped and not self.covered(select.group):
            return self._split()
        if has_window(select):
            self.proof.check_windows(select, self.block, self.settled)
        why = f"each shard evaluates it alone: rows that meet share the key ({self.key_columns})"
        if grouped:
            why = f"each group lies on one shard, because it contains the key ({self.key_columns})"
        return self._rows([why])

    def covered(self, exprs: tuple[Expr, ...]) -> bool:
        return self.proof.covered(self.block, exprs, self.settled)

    # --- rows as the shards compute them ---------------------------------------------------------------------------

    def _rows(self, reasons: list[str]) -> Sent:
        select = self.select
        columns: list[Item] = list(select.items)
        order = tuple(key for key in select.order if not _is_constant(key.expr))
        sort = tuple(self._sorted(key, columns) for key in order)
        distinct: tuple[int, ...] | None = None
        if select.distinct:
            if self.covered(tuple(item.expr for item in select.items)):
                reasons.append("equal rows share a shard, which drops the duplicates")
            else:
                distinct = tuple(range(len(select.items)))
        elif select.distinct_on and not self.covered(select.distinct_on):
            distinct = tuple(_column(expr, columns) for expr in select.distinct_on)
        for at in distinct or ():
            self.order.check_equality(columns[at].expr)
        limit, offset, pushed = limits(select.limit, select.offset)
        sent = replace(select, items=tuple(columns), order=order, limit=pushed, offset=None)
        finish = Finish(
            tuple(Output(item.name, Position(at)) for at, item in enumerate(columns)),
            len(select.items),
            len(columns),
            sort=sort,
            merged=bool(sort),
            distinct=distinct,
            limit=limit,
            offset=offset,
        )
        if pushed is not None:
            reasons.append("no shard needs to return more than LIMIT + OFFSET rows")
        return sent, finish, reasons

    def _sorted(self, key: SortKey, columns: list[Item]) -> Sort:
        _check_ordered(key.expr)
        by_bytes = self.order.by_bytes(key.expr)
        return Sort(_column(key.expr, columns), key.descending, key.nulls_first, by_bytes)

    # --- partial aggregates ----------------------------------------------------------------------------------------

    def _split(self) -> Sent:
        select = self.select
        if has_window(select):
            raise refused("window", "over groups", self.key_columns)
        if any(isinstance(item.expr, Call) and item.expr.kind is CallKind.SET for item in select.items):
            raise refused("expression", "a set-returning function")
        splitter = Splitter(select, self.order, self.covered, self.key_columns)
        outputs = [(item.name, item.expr, splitter.final(item.expr)) for item in select.items]
        having = splitter.final(select.having) if select.having is not None else None
        sort: list[Sort] = []
        for key in select.order:
            if not _is_constant(key.expr):
                _check_ordered(key.expr)
                at = self._output(key.expr, outputs, splitter)
                sort.append(Sort(at, key.descending, key.nulls_first, self.order.by_bytes(key.expr)))
        distinct: tuple[int, ...] | None = None
        if select.distinct:
            distinct = tuple(range(len(select.items)))
        elif select.distinct_on:
            distinct = tuple(self._output(expr, outputs, splitter) for expr in select.distinct_on)
        limit, offset, _ = limits(select.limit, select.offset)
        sent = splitter.fragment()
        finish = Finish(
            tuple(Output(name, splitter.placed(final)) for name, _, final in outputs),
            len(select.items),
            len(sent.items),
            combine=splitter.combine(),
            having=splitter.placed(having) if having is not None else None,
            sort=tuple(sort),
            distinct=distinct,
            limit=limit,
            offset=offset,
        )
        return sent, finish, ["groups span shards: each shard computes partial results, which are combined"]

    def _output(self, expr: Expr, outputs: list[tuple[str, Expr, Final]], splitter: Splitter) -> int:
        for at, (_, other, _) in enumerate(outputs):
            if other == expr:
                return at
        outputs.append((f"_sort{len(outputs) + 1}", expr, splitter.final(expr)))
        return len(outputs) - 1


def _set_operation(tree: SetOperation, places: Places, order: TextOrder) -> Sent:
    deduplicate = tree.operator == "union" and not tree.all
    proof = Colocation(places)
    _, common = proof.arms(tree, None, {}, deduplicate, top=True)
    items = first_items(tree)
    if not order.all_bytes and tree.order:
        # Which collation a column of a set operation has is decided over all of its arms.
        raise refused("text order", "ORDER BY over a set operation", "…")
    for at, _, _ in tree.order:
        _check_ordered(items[at].expr)
    limit, offset, pushed = limits(tree.limit, tree.offset)
    sort = tuple(Sort(at, descending, nulls_first) for at, descending, nulls_first in tree.order)
    finish = Finish(
        tuple(Output(item.name, Position(at)) for at, item in enumerate(items)),
        len(items),
        len(items),
        sort=sort,
        merged=bool(sort),
        distinct=tuple(range(len(items))) if deduplicate and not common else None,
        limit=limit,
        offset=offset,
    )
    reasons = ["each arm's rows are the shards' rows together"]
    return replace(tree, limit=pushed, offset=None), finish, reasons


# --- order and limits ----------------------------------------------------------------------------------------------


def _is_constant(expr: Expr) -> bool:
    while isinstance(expr, Cast):
        expr = expr.operand
    return isinstance(expr, Literal | Parameter)


def _check_ordered(expr: Expr) -> None:
    """Known types whose order Python does not reproduce are refused before any shard is asked."""
    kind = getattr(expr, "type", None)
    if isinstance(kind, str) and not isinstance(expr, Cast) and kind not in ORDERED_TYPES:
        raise refused("expression", f"the order of type {kind}")


def _column(expr: Expr, columns: list[Item]) -> int:
    """The position of an expression among the fragment's columns; a hidden one is added where it is missing."""
    for at, item in enumerate(columns):
        if item.expr == expr:
            return at
    name = f"_sort{len(columns) + 1}"
    columns.append(Item(expr, name, name))
    return len(columns) - 1


def limits(limit: Expr | None, offset: Expr | None) -> tuple[Final | None, Final | None, Expr | None]:
    """LIMIT and OFFSET for the finish, and the LIMIT that each shard gets."""
    final_limit, final_offset = _count(limit, "LIMIT"), _count(offset, "OFFSET")
    if limit is None or (isinstance(final_limit, Constant) and final_limit.kind == "null"):
        return None, final_offset, None
    if offset is None:
        return final_limit, None, limit
    if isinstance(limit, Literal) and isinstance(offset, Literal):
        if not (limit.text.isdigit() and offset.text.isdigit()):
            return final_limit, final_offset, None
        return final_limit, final_offset, Literal("number", str(int(limit.text) + int(offset.text)))
    sides = (Cast(limit, "int8"), Cast(offset, "int8"))
    return final_limit, final_offset, Operation("+", (sides[0], sides[1]))


def _count(expr: Expr | None, clause: str) -> Final | None:
    """LIMIT or OFFSET: numbers and parameters, and arithmetic on them."""
    if expr is None or isinstance(expr, Literal):
        return Constant(expr.kind, expr.text) if isinstance(expr, Literal) else None
    if isinstance(expr, Parameter):
        return Given(expr.index)
    if isinstance(expr, Cast | Operation):
        return translate(expr, lambda below: _operand(below, clause))
    raise refused("limit", f"a computed {clause}")


def _operand(expr: Expr, clause: str) -> Final:
    final = _count(expr, clause)
    assert final is not None
    return final
