"""Writes to copied tables: every shard must do the same, so whatever a shard could compute differently is refused.

What is evaluated once (`moments`) is the same by itself.  The rest may read copied tables alone, and must not depend
on the order in which a shard happens to have its rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from outgrow.plan.blocks import alias_of, leaves_of
from outgrow.plan.cutting.copies import check_copies
from outgrow.plan.cutting.vetting import vet_change
from outgrow.plan.model import Plan
from outgrow.plan.narrowing.facts import is_default
from outgrow.plan.placing import Places
from outgrow.plan.refusals import Refused, refused
from outgrow.plan.rendering import fragment
from outgrow.plan.walking import conjuncts, everything_below
from outgrow.plan.writes.change import Change, Gather
from outgrow.plan.writes.changing import assigned, check_literals, returned, told, with_defaults, writes_below
from outgrow.plan.writes.moments import Once, timed_parameters
from outgrow.plan.writes.written import Write
from outgrow.schema import Table, TableKind
from outgrow.statement import type_of
from outgrow.statement.model import Statement
from outgrow.statement.tree import (
    Call,
    ColumnRef,
    Delete,
    Expr,
    Insert,
    Join,
    JoinKind,
    Operation,
    Query,
    Relation,
    Scan,
    Select,
    SetOperation,
    Update,
    Values,
)
from outgrow.topology import TableName

#: Types whose addition rounds, so that the order of the rows shows.
_ROUNDED = frozenset(("float4", "float8", None, "unknown"))


def alike(plan: Plan, places: Places, elsewhere: Sequence[TableName]) -> Plan:
    """The plan of a write to a copied table; `elsewhere` are tables it uses that not every shard has whole."""
    tree = plan.statement.tree
    if not isinstance(tree, Insert | Update | Delete) or writes_below(tree):
        raise refused("write to several shards", plan.statement.command, "…")
    if elsewhere:
        raise _differs(tree, f"it reads {elsewhere[0]}, of which a shard has its own rows only")
    once = Once(plan.statement.placeholders.count)
    tree, timed = checked(plan.statement, tree, once, places)
    sql, params = fragment(tree)
    change = Change(Gather.SAME, tuple(once.sql), timed=timed, returns=len(tree.returning))
    plan = replace(plan, fragment_sql=sql, fragment_params=params, change=change, finish=returned(tree))
    return told(plan, f"every shard has a copy of {tree.table}, and all of them change alike")


def checked(statement: Statement, tree: Write, once: Once, places: Places) -> tuple[Write, tuple[int, ...]]:
    """What all shards do alike for one writing statement, and its parameters that must be no moments."""
    table = _target(tree, places)
    tree = with_defaults(once.moments(tree), table, once, places, copied=True)
    tree = _drawn(tree, once)
    _no_serials(tree, table)
    vet_change(statement, tree, ())
    check_literals(tree, table)
    _check_reading(tree, places)
    if isinstance(tree, Update) and tree.source is not None:
        _check_one_partner(tree, tree.source, places)
    timed = timed_parameters(tree, ((column.type, expr) for column, expr in assigned(tree, table)))
    return tree, tuple(index for index in timed if index <= statement.placeholders.count)


def _differs(tree: Write, why: str) -> Refused:
    return refused("write to a copied table", str(tree.table), why)


def _target(tree: Write, places: Places) -> Table:
    table = places.table(tree.table)
    assert table is not None
    if table.triggers:
        raise _differs(tree, f"the trigger or rule {table.triggers[0]} could do something else on each shard")
    return table


# --- what is written -----------------------------------------------------------------------------------------------


def _drawn(tree: Write, once: Once) -> Write:
    """Volatile calls in the rows given are evaluated once for each row."""
    if not isinstance(tree, Insert) or not isinstance(tree.source, Values):
        return tree
    rows = tuple(tuple(once.drawn(expr) for expr in row) for row in tree.source.rows)
    return replace(tree, source=replace(tree.source, rows=rows))


def _no_serials(tree: Write, table: Table) -> None:
    """No default is left to the shards that would not be the same on all of them."""
    left: list[str] = [column.name for column, expr in assigned(tree, table) if is_default(expr)]
    if isinstance(tree, Insert):
        left += [column.name for column in table.columns if column.name not in tree.columns]
    for name in left:
        column = table.column(name)
        assert column is not None
        if column.serial:
            raise refused("insert leaves serial", str(tree.table), name)
        if column.default_volatile:
            raise _differs(tree, f"each shard would compute the default of {name}, {column.default}, for itself")


# --- what is read --------------------------------------------------------------------------------------------------


def _check_reading(tree: Write, places: Places) -> None:
    for node in everything_below(tree):
        if isinstance(node, Scan):
            _check_table(tree, node.table, node.sample, places)
        elif isinstance(node, Query) and not (isinstance(node, Values) and node.limit is None and node.offset is None):
            check_copies(node)
            if isinstance(node, Select | SetOperation | Values) and (node.limit is not None or node.offset is not None):
                raise _differs(tree, "LIMIT could choose other rows on each shard")
        elif isinstance(node, Call) and node.name in ("sum", "avg") and type_of(node.args[0]) in _ROUNDED:
            raise _differs(tree, f"{node.name} of floating point numbers depends on the order of rows")
    _check_table(tree, tree.table, "", places)
    if isinstance(tree, Insert) and tree.conflict and not isinstance(tree.source, Values | None):
        raise _differs(tree, "which of the selected rows meets a conflict first depends on their order")


def _check_table(tree: Write, name: TableName, sample: str, places: Places) -> None:
    table = places.table(name)
    if sample:
        raise _differs(tree, f"TABLESAMPLE on {name}")
    if places.kind(name) not in (TableKind.TABLE, TableKind.PARTITIONED):
        raise _differs(tree, f"{name} is a {places.kind(name)}")
    if table is not None and table.row_security:
        raise _differs(tree, f"row security on {name}")


def _check_one_partner(tree: Update, source: Relation, places: Places) -> None:
    """At most one row of FROM belongs to each row changed, because the server is free to choose among several."""
    conditions = list(conjuncts(tree.where))
    scans: dict[str, Scan] = {}
    for relation in leaves_of(source):
        if not isinstance(relation, Scan) or relation.column_aliases:
            raise _differs(tree, f"more than one row of {alias_of(relation) or 'FROM'} could belong to a row changed")
        scans[relation.alias] = relation
    conditions += _inner_conditions(tree, source)
    settled = {tree.alias}
    while scans:
        found = next((name for name, scan in scans.items() if _settled(scan, conditions, settled, places)), None)
        if found is None:
            shown = next(iter(scans))
            raise _differs(tree, f"more than one row of {shown} could belong to a row changed: join on a unique key")
        settled.add(found)
        del scans[found]


def _inner_conditions(tree: Update, relation: Relation) -> list[Expr]:
    if not isinstance(relation, Join):
        return []
    if relation.kind not in (JoinKind.INNER, JoinKind.CROSS) or relation.using or relation.natural:
        raise _differs(tree, "FROM with an outer join, USING or NATURAL")
    sides = _inner_conditions(tree, relation.left) + _inner_conditions(tree, relation.right)
    return [*conjuncts(relation.on), *sides]


def _settled(scan: Scan, conditions: Sequence[Expr], settled: set[str], places: Places) -> bool:
    """A unique key of the table is equal to what is known for a row."""
    table = places.table(scan.table)
    if table is None:
        return False
    known: set[str] = set()
    for condition in conditions:
        if isinstance(condition, Operation) and condition.operator == "=":
            one, other = condition.operands
            for column, value in ((one, other), (other, one)):
                if isinstance(column, ColumnRef) and column.relation == scan.alias and not column.depth:
                    below = list(everything_below(value))
                    plain = not any(isinstance(node, Query) for node in below)
                    if plain and all(node.relation in settled for node in below if isinstance(node, ColumnRef)):
                        known.add(column.name)
    return any(key and set(key) <= known for key in (table.primary_key, *table.unique_keys))
