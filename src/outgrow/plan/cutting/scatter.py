"""One query over several shards: what each runs, and how the rows are finished."""

from __future__ import annotations

from dataclasses import replace

from outgrow.plan.blocks import Block, first_items, has_aggregate, has_window
from outgrow.plan.cutting.colocate import Colocation
from outgrow.plan.cutting.locus import Settled
from outgrow.plan.cutting.meaning import Meaning
from outgrow.plan.cutting.splitting import Splitter
from outgrow.plan.cutting.vetted import translate
from outgrow.plan.cutting.vetting import vet
from outgrow.plan.mariadb.meaning import MariadbMeaning
from outgrow.plan.model import Plan, Reason
from outgrow.plan.placing import Places
from outgrow.plan.refusals import refused
from outgrow.plan.rendering import fragment
from outgrow.plan.spec import Constant, Final, Finish, Given, Output, Position, Sort
from outgrow.plan.viewing import by_name
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

_MEANINGS: dict[str, type[Meaning]] = {"postgresql": Meaning, "mariadb": MariadbMeaning}


def scatter(plan: Plan, places: Places) -> Plan:
    """The plan with its fragment and finish.  Raises Refused with what cannot be done."""
    vet(plan.statement)
    tree = plan.statement.tree
    assert tree is not None
    return gathered(plan, tree, places)


def gathered(plan: Plan, tree: Tree, places: Places) -> Plan:
    """`scatter` of a query that is vetted."""
    meaning = _MEANINGS[places.schema.engine](places.schema, plan.statement, tree)
    meaning.check(tree)
    if isinstance(tree, Select):
        sent, finish, reasons = _Block(tree, places, meaning).plan()
    elif isinstance(tree, SetOperation):
        sent, finish, reasons = _set_operation(tree, places, meaning)
    else:
        raise refused("table form", "VALUES")
    enums = frozenset(name for name, kind in places.schema.types.items() if kind == "enum")
    sql, params = fragment(by_name(meaning.fragment(sent), plan.views))
    return replace(
        plan,
        fragment_sql=meaning.spelt(sql),
        fragment_params=params,
        sums=meaning.sums,
        finish=replace(finish, enums=enums, text_bytes=meaning.text_bytes, language=meaning.language),
        reasons=(*plan.reasons, *(Reason("plan.scatter", what) for what in reasons)),
    )


Sent = tuple[Query, Finish, list[str]]


class _Block:
    """A SELECT over several shards."""

    def __init__(self, select: Select, places: Places, meaning: Meaning) -> None:
        self.select = select = meaning.in_order(select)
        self.meaning = meaning
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
        if select.distinct:
            self.meaning.check_distinct(select)
        suspect = tuple(at for at in distinct or () if not self.meaning.check_equality(columns[at].expr))
        limit, offset, pushed = limits(select.limit, select.offset, self.meaning)
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
            suspect=suspect,
        )
        if pushed is not None:
            reasons.append("no shard needs to return more than LIMIT + OFFSET rows")
        return sent, finish, reasons

    def _sorted(self, key: SortKey, columns: list[Item]) -> Sort:
        by, by_bytes = self.meaning.sorted_by(key.expr)
        return Sort(_column(by, columns), key.descending, key.nulls_first, by_bytes)

    # --- partial aggregates ----------------------------------------------------------------------------------------

    def _split(self) -> Sent:
        select = self.select
        if has_window(select):
            raise refused("window", "over groups", self.key_columns)
        if any(isinstance(item.expr, Call) and item.expr.kind is CallKind.SET for item in select.items):
            raise refused("expression", "a set-returning function")
        self.meaning.check_groups(select)
        splitter = Splitter(select, self.meaning, self.covered, self.key_columns)
        outputs = [(item.name, item.expr, splitter.final(item.expr)) for item in select.items]
        having = splitter.final(select.having) if select.having is not None else None
        sort: list[Sort] = []
        for key in select.order:
            if not _is_constant(key.expr):
                by, by_bytes = self.meaning.sorted_by(key.expr)
                at = self._output(by, outputs, splitter)
                sort.append(Sort(at, key.descending, key.nulls_first, by_bytes))
        distinct: tuple[int, ...] | None = None
        if select.distinct:
            distinct = tuple(range(len(select.items)))
        elif select.distinct_on:
            distinct = tuple(self._output(expr, outputs, splitter) for expr in select.distinct_on)
        if select.distinct:
            self.meaning.check_distinct(select)
        limit, offset, _ = limits(select.limit, select.offset, self.meaning)
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
            suspect=splitter.suspect,
        )
        return sent, finish, ["groups span shards: each shard computes partial results, which are combined"]

    def _output(self, expr: Expr, outputs: list[tuple[str, Expr, Final]], splitter: Splitter) -> int:
        for at, (_, other, _) in enumerate(outputs):
            if other == expr:
                return at
        outputs.append((f"_sort{len(outputs) + 1}", expr, splitter.final(expr)))
        return len(outputs) - 1


def _set_operation(tree: SetOperation, places: Places, meaning: Meaning) -> Sent:
    deduplicate = tree.operator == "union" and not tree.all
    proof = Colocation(places)
    _, common = proof.arms(tree, None, {}, deduplicate, top=True)
    items = first_items(tree)
    by_bytes = meaning.check_sorted_set(tree, items)
    told = tuple(range(len(items))) if deduplicate and not common else None
    limit, offset, pushed = limits(tree.limit, tree.offset, meaning)
    sort = tuple(Sort(at, descending, nulls_first, by_bytes) for at, descending, nulls_first in tree.order)
    finish = Finish(
        tuple(Output(item.name, Position(at)) for at, item in enumerate(items)),
        len(items),
        len(items),
        sort=sort,
        merged=bool(sort),
        distinct=told,
        limit=limit,
        offset=offset,
        suspect=meaning.suspects(tree) if told else (),
    )
    reasons = ["each arm's rows are the shards' rows together"]
    return replace(tree, limit=pushed, offset=None), finish, reasons


# --- order and limits ----------------------------------------------------------------------------------------------


def _is_constant(expr: Expr) -> bool:
    while isinstance(expr, Cast):
        expr = expr.operand
    return isinstance(expr, Literal | Parameter)


def _column(expr: Expr, columns: list[Item]) -> int:
    """The position of an expression among the fragment's columns; a hidden one is added where it is missing."""
    for at, item in enumerate(columns):
        if item.expr == expr:
            return at
    name = f"_sort{len(columns) + 1}"
    columns.append(Item(expr, name, name))
    return len(columns) - 1


def limits(limit: Expr | None, offset: Expr | None, meaning: Meaning) -> tuple[Final | None, Final | None, Expr | None]:
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
    return final_limit, final_offset, meaning.both(limit, offset)


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
