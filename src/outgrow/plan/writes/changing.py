"""A write over several shards: the proof that each can do its part alone, and what it runs.

A statement changes the rows of its target.  For UPDATE and DELETE the target's rows and all that decides on them must
meet on one shard, which is what `colocate` proves of a SELECT over the target and FROM; INSERT … SELECT must read the
target's key from its source's key.  Whatever each row gets is then computed by its own shard.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from outgrow.plan.blocks import Ctes
from outgrow.plan.cutting.colocate import Colocation
from outgrow.plan.cutting.vetting import vet_change
from outgrow.plan.model import Plan, Reason
from outgrow.plan.narrowing.facts import is_default
from outgrow.plan.placing import Places
from outgrow.plan.refusals import refused
from outgrow.plan.rendering import fragment
from outgrow.plan.spec import Finish, Output, Position
from outgrow.plan.walking import everything_below, within_block
from outgrow.plan.writes.change import Change, Gather
from outgrow.plan.writes.moments import Once, is_moment_word, is_timed
from outgrow.plan.writes.rowwise import given_rows
from outgrow.plan.writes.selected import stays
from outgrow.plan.writes.written import Write, as_query
from outgrow.schema import Column, Table
from outgrow.statement.tree import (
    Delete,
    Expr,
    Insert,
    Item,
    Query,
    Scan,
    Select,
    Tree,
    Update,
    Values,
)


def spread(plan: Plan, places: Places) -> Plan:
    """The plan with its change.  Raises Refused with what cannot be done."""
    tree = plan.statement.tree
    if not isinstance(tree, Insert | Update | Delete) or writes_below(tree):
        raise refused("write to several shards", plan.statement.command, _key_columns(plan))
    table = _target(tree, places)
    once = Once(plan.statement.placeholders.count)
    tree = with_defaults(once.moments(tree), table, once, places, copied=False)
    vet_change(plan.statement, tree, per_row(tree))
    check_literals(tree, table)
    why = prove(tree, places, {})
    if isinstance(tree, Insert) and isinstance(tree.source, Values):
        given = given_rows(tree, places)
        change = Change(Gather.ROWS, tuple(once.sql), given, returns=len(tree.returning))
        return told(replace(plan, change=change, finish=returned(tree)), why)
    sql, params = fragment(tree)
    change = Change(Gather.SUM, tuple(once.sql), returns=len(tree.returning))
    return told(replace(plan, fragment_sql=sql, fragment_params=params, change=change, finish=returned(tree)), why)


def told(plan: Plan, why: str) -> Plan:
    return replace(plan, reasons=(*plan.reasons, Reason("plan.changing", why)))


def returned(tree: Write) -> Finish:
    """RETURNING: the shards' rows as they are."""
    if any(item.name == "*" for item in tree.returning):
        raise refused("table form", "RETURNING * of columns that outgrow does not know")
    width = len(tree.returning)
    return Finish(tuple(Output(item.name, Position(at)) for at, item in enumerate(tree.returning)), width, width)


def writes_below(tree: Write) -> bool:
    return any(isinstance(node, Insert | Update | Delete) for node in everything_below(tree) if node is not tree)


def _key_columns(plan: Plan) -> str:
    written = next((scan for scan in plan.scans if scan.role != "reads"), plan.scans[0])
    return ", ".join(written.columns)


def _target(tree: Write, places: Places) -> Table:
    """The table written; refused where its triggers would run once for each shard and not once."""
    table = places.table(tree.table)
    assert table is not None
    check_triggers(tree, table)
    return table


def check_triggers(tree: Write, table: Table) -> None:
    also = ["update"] if isinstance(tree, Insert) and tree.conflict == "update" else []
    trigger = table.statement_trigger(type(tree).__name__.lower(), *also)
    if trigger is not None:
        raise refused("trigger", trigger, str(tree.table))


# --- what each row gets --------------------------------------------------------------------------------------------


def per_row(tree: Write) -> set[int]:
    """The nodes that are evaluated for each row written, nested queries left out."""
    parts: list[object] = [item.expr for item in tree.returning]
    if isinstance(tree, Insert):
        if isinstance(tree.source, Values):
            parts.extend(chain.from_iterable(tree.source.rows))
        elif isinstance(tree.source, Select):
            parts.extend(item.expr for item in tree.source.items)
        parts.extend(tree.conflict_values)
        parts.append(tree.conflict_where)
    else:
        parts.append(tree.where)
        if isinstance(tree, Update):
            parts.extend(expr for _, expr in tree.assigns)
    return {id(node) for part in parts if part is not None for node in within_block(part)}


def assigned(tree: Tree, table: Table) -> Iterator[tuple[Column, Expr]]:
    """The columns that the statement writes, with the expressions for them (not those that a query selects)."""
    pairs: list[tuple[str, Expr]] = []
    if isinstance(tree, Update):
        pairs.extend(tree.assigns)
    elif isinstance(tree, Insert):
        pairs.extend(zip(tree.conflict_assigns, tree.conflict_values, strict=True))
        if isinstance(tree.source, Values):
            for row in tree.source.rows:
                pairs.extend(zip(tree.columns, row, strict=False))
        elif isinstance(tree.source, Select):
            pairs.extend((name, item.expr) for name, item in zip(tree.columns, tree.source.items, strict=False))
    for name, expr in pairs:
        column = table.column(name)
        if column is not None:
            yield column, expr


def check_literals(tree: Write, table: Table) -> None:
    """`'now'` written to a column of a time type is a moment."""
    for column, expr in assigned(tree, table):
        if is_moment_word(expr) and is_timed(column.type):
            raise refused("moment", f"{expr.text!r} for {column.name}")


def with_defaults(tree: Write, table: Table, once: Once, places: Places, *, copied: bool) -> Write:
    """The statement with those defaults written out that every shard would compute for itself.

    Volatile ones only in the rows given: elsewhere each row that is met draws its own, and nobody knows how many.
    """

    def default(name: str, expr: Expr, draw: bool = False) -> Expr:
        column = table.column(name)
        if column is None or not is_default(expr):
            return expr
        return once.default(column, places.schema, draw) or expr

    if isinstance(tree, Update):
        return replace(tree, assigns=tuple((name, default(name, expr)) for name, expr in tree.assigns))
    if not isinstance(tree, Insert):
        return tree
    pairs = zip(tree.conflict_assigns, tree.conflict_values, strict=True)
    tree = replace(tree, conflict_values=tuple(default(name, expr) for name, expr in pairs))
    missing = [column for column in table.columns if column.name not in tree.columns]
    if tree.source is None or isinstance(tree.source, Values):
        given = tree.source.rows if isinstance(tree.source, Values) else ((),)
        _check_width(tree, len(given[0]))
        rows = [[default(name, expr, copied) for name, expr in zip(tree.columns, row, strict=True)] for row in given]
        return _with_rows(tree, rows, missing, once, places, copied)
    added = [(column.name, once.default(column, places.schema, False)) for column in missing]
    items = tuple(Item(expr, name, name) for name, expr in added if expr is not None)
    if not items:
        return tree
    if not isinstance(tree.source, Select):
        raise refused("moment", f"the default of {items[0].name}")
    _check_width(tree, len(tree.source.items))
    return _with_columns(tree, replace(tree.source, items=(*tree.source.items, *items)), [item.name for item in items])


def _check_width(tree: Insert, width: int) -> None:
    """Columns that are added must not stand where the server expects those that were forgotten."""
    if width < len(tree.columns) and tree.source is not None:
        raise refused("missing values", str(tree.table), str(len(tree.columns)), str(width))


def _with_rows(
    tree: Insert, rows: list[list[Expr]], missing: list[Column], once: Once, places: Places, copied: bool
) -> Insert:
    """The rows with the defaults of columns that the statement leaves out."""
    names: list[str] = []
    for column in missing:
        for number, row in enumerate(rows):
            value = once.default(column, places.schema, copied)
            if value is None:
                break
            row.append(value)
            if not number:
                names.append(column.name)
    if tree.source is None and not names:
        return tree
    source = tree.source if isinstance(tree.source, Values) else Values(())
    return _with_columns(tree, replace(source, rows=tuple(map(tuple, rows))), names)


def _with_columns(tree: Insert, source: Query, names: list[str]) -> Insert:
    if not names:
        return replace(tree, source=source)
    return replace(tree, source=source, columns=(*tree.columns, *names), columns_written=True)


# --- proofs --------------------------------------------------------------------------------------------------------


def prove(tree: Write, places: Places, ctes: Ctes) -> str:
    """Why each shard can do its part alone, as a sentence; `ctes` are those of a statement around it."""
    proof = Colocation(places)
    if not isinstance(tree, Insert):
        _, settled = proof.block(as_query(tree), None, ctes)
        shown = ", ".join(settled.locus.columns)
        return f"each shard changes its own rows: all that decides on them shares the key ({shown})"
    why = "the rows selected are written where they are read: the key comes from the key"
    if isinstance(tree.source, Values):
        if tree.source.order or tree.source.limit is not None or tree.source.offset is not None:
            raise refused("table form", "VALUES with ORDER BY or LIMIT in an INSERT")
        for row in tree.source.rows:
            # Each row on its own, so that what is proved of one is not mixed with another's.
            if any(isinstance(node, Query) for expr in row for node in within_block(expr)):
                proof.block(Select(tuple(Item(expr, "") for expr in row), with_=tree.with_), None, ctes)
        why = "the rows given do not depend on each other"
    elif tree.source is not None and not stays(tree, places, ctes):
        raise refused("insert from select", str(tree.table), ", ".join(c.name for c in places.key_columns(tree.table)))
    after = (*(Item(expr, "") for expr in tree.conflict_values), *tree.returning)
    target = Scan(tree.table, tree.alias)
    proof.block(Select(after, target, tree.conflict_where, with_=tree.with_), None, ctes)
    return why
