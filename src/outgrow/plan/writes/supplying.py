"""UPDATE and DELETE that need rows of other shards: those are brought to every shard that has rows to change.

Which rows are changed, and to what, stays each shard's own affair; what it reads beside its rows is the same that one
PostgreSQL would read, because every occurrence of a table that it does not have whole is replaced by the rows of all
shards (`bringing`).  What shards could choose or compute differently of the same rows is refused.
"""

from __future__ import annotations

from dataclasses import replace

from outgrow.plan.bringing.brought import Brought
from outgrow.plan.bringing.builder import away, brought_rows, vet_sums
from outgrow.plan.cutting.copies import check_copies
from outgrow.plan.cutting.vetting import vet_change
from outgrow.plan.model import Plan
from outgrow.plan.placing import Places
from outgrow.plan.refusals import refused
from outgrow.plan.rendering import fragment
from outgrow.plan.walking import everything_below
from outgrow.plan.writes.alike import checked
from outgrow.plan.writes.answers import answered, numbered
from outgrow.plan.writes.change import Change, Gather
from outgrow.plan.writes.changing import (
    check_literals,
    check_triggers,
    per_row,
    returned,
    told,
    with_defaults,
    writes_below,
)
from outgrow.plan.writes.moments import Once
from outgrow.plan.writes.selection import Build
from outgrow.plan.writes.written import Write, as_query
from outgrow.schema import TableKind
from outgrow.statement.tree import Delete, Derived, Query, Select, SetOperation, Tree, Update, Values
from outgrow.topology import Copied, Single


def may_supply(tree: object, places: Places) -> bool:
    return isinstance(tree, Update | Delete) and places.schema.engine == "postgresql" and not writes_below(tree)


def supplying(plan: Plan, places: Places, build: Build) -> Plan:
    """The plan with what is read beforehand, and what each shard runs over it.  Raises Refused."""
    tree = plan.statement.tree
    assert isinstance(tree, Update | Delete)
    if plan.key_changes:
        raise refused("key update", str(tree.table))
    table, standing = places.table(tree.table), places.of(tree.table)
    if table is None or table.row_security or table.kind not in (TableKind.TABLE, TableKind.PARTITIONED):
        raise refused("table form", f"{plan.statement.command} of {tree.table}")
    here = standing.shard if isinstance(standing, Single) else ""
    once = Once(plan.statement.placeholders.count)
    answers, tree = answered(plan.statement, once.moments(tree), places, build)
    copied = isinstance(standing, Copied)
    changed, timed = checked(plan.statement, tree, once, places) if copied else _own(plan, tree, once, places)
    assert isinstance(changed, Update | Delete)
    vet_sums(changed)
    first = plan.statement.placeholders.count + len(once.sql) + 1
    changed = numbered(changed, first)
    first += sum(max(1, answer.width) for answer in answers)
    scans = away(changed, places, here)
    if not scans and not answers:
        # Something else stands in the way.
        raise refused("write to several shards", plan.statement.command, str(tree.table))
    brings, supplied = brought_rows(plan, changed, as_query(changed), scans, first, places)
    sql, params = fragment(supplied)
    gather = Gather.SAME if copied else Gather.SUM
    change = Change(gather, tuple(once.sql), timed=timed, returns=len(tree.returning))
    brought = Brought(brings, sql, params, (), here, places.domain.finish.rows_max)
    made = replace(
        plan, fragment_sql=sql, fragment_params=params, change=change, brought=brought, answers=answers,
        finish=returned(changed), refusal=None,
    )  # fmt: skip
    tables = ", ".join(dict.fromkeys(str(table) for each in brings for table in each.tables))
    what = [f"the rows of {tables}"] if brings else []
    what += ["what its subqueries answer"] if answers else []
    return told(made, f"{' and '.join(what)} come to every shard that has rows of {tree.table} to change")


def _own(plan: Plan, tree: Write, once: Once, places: Places) -> tuple[Write, tuple[int, ...]]:
    """What each shard does to its own rows; no parameter of it needs to be watched."""
    table = places.table(tree.table)
    assert table is not None
    check_triggers(tree, table)
    tree = with_defaults(tree, table, once, places, copied=False)
    vet_change(plan.statement, tree, per_row(tree))
    check_literals(tree, table)
    _check_choices(tree)
    return tree, ()


def _check_choices(tree: Tree) -> None:
    """All shards read the same rows, but each by itself: what is free to choose among them may choose differently."""
    for node in everything_below(tree):
        if isinstance(node, Query) and not isinstance(node, Values):
            check_copies(node)
        if isinstance(node, Derived) and node.lateral:
            limited = isinstance(node.query, Select | SetOperation) and node.query.limit is not None
            if limited:
                raise refused("subquery", "LATERAL with LIMIT", "each shard could choose other rows")
