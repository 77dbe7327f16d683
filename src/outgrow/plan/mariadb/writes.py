"""Writes of a MariaDB domain: what several shards do, and what not even one may do unseen.

That each shard can do its part alone is proved as for PostgreSQL (`changing`, `alike`, `rowwise`); what it runs is the
statement as the user wrote it, or its own rows of it.  One moment holds for all of them: each is told what time it is.
"""

from __future__ import annotations

import re
from dataclasses import replace

from outgrow.plan.model import Plan, Reason
from outgrow.plan.placing import Places
from outgrow.plan.refusals import refused
from outgrow.plan.walking import everything_below
from outgrow.plan.writes.change import Change, Gather, GivenRows, Piece
from outgrow.plan.writes.written import Write
from outgrow.schema import Table
from outgrow.statement import Kind, rows_written
from outgrow.statement.tree import ColumnRef, Delete, Insert, Query, Scan, Select, Update, Values
from outgrow.topology import Sharded

#: One shard is asked what time it is, and all are told: `now()`, defaults and ON UPDATE follow it.
_MOMENT = "SELECT UNIX_TIMESTAMP(NOW(6))"
#: What follows the moment by itself, as functions and as defaults.
_TIMED = re.compile(
    r"(?:current_timestamp|now|localtime|localtimestamp|current_date|curdate|current_time|curtime|utc_date|utc_time"
    r"|utc_timestamp|unix_timestamp)\s*(?:\(\s*\d?\s*\))?",
    re.IGNORECASE,
)


def check_meeting(plan: Plan, places: Places) -> None:
    """Refuse a row that could meet another one on a shard where its key does not belong.  For one shard, too."""
    tree = plan.statement.tree
    if not isinstance(tree, Insert) or not tree.conflict or not isinstance(places.of(tree.table), Sharded):
        return
    manner = {"replace": "REPLACE", "ignore": "INSERT IGNORE"}.get(plan.statement.argument, "ON DUPLICATE KEY UPDATE")
    if manner == "INSERT IGNORE":
        raise refused("MariaDB ignore", str(tree.table))
    table = places.table(tree.table)
    own = {column.name for column in places.key_columns(tree.table)}
    for key in (table.primary_key, *table.unique_keys) if table is not None else ():
        if key and not own <= set(key):
            raise refused("meeting", manner, str(tree.table), ", ".join(key))
    if manner == "REPLACE" and table is not None and table.cascades_to:
        raise refused("MariaDB write", f"REPLACE of rows that {table.cascades_to[0]} refers to with an action")


def over_shards(plan: Plan, places: Places) -> Plan:
    """The plan with what several shards run.  Raises Refused."""
    change, tree = plan.change, plan.statement.tree
    if change is None or plan.move is not None or plan.key_changes:
        raise refused("MariaDB write", f"{plan.statement.command} of the shard key")
    if plan.statement.kind is Kind.QUERY:
        return _locking(plan, change)
    if not isinstance(tree, Insert | Update | Delete) or change.gather not in (Gather.SUM, Gather.ROWS, Gather.SAME):
        raise refused("MariaDB write", f"this {plan.statement.command}")
    table = places.table(tree.table)
    assert table is not None
    _check_form(tree)
    _check_once(change, table, tree)
    told = replace(change, once=(), moment=_MOMENT)
    said = (*plan.reasons, Reason("plan.mariadb_writes", "each shard runs it as written, told the same moment"))
    if change.given is not None:
        return replace(plan, change=replace(told, given=_given(plan, change.given)), reasons=said)
    count = plan.statement.placeholders.count
    params = tuple(range(1, count + 1))
    return replace(plan, fragment_sql=plan.statement.sql, fragment_params=params, change=told, reasons=said)


def _locking(plan: Plan, change: Change) -> Plan:
    tree = plan.statement.tree
    assert isinstance(tree, Select) and plan.fragment_sql is not None
    if change.once or change.gather is not Gather.TURN:
        raise refused("MariaDB write", "a locking query with now()")
    sql = plan.fragment_sql
    return replace(plan, fragment_sql=re.sub(r" FOR SHARE\Z", " LOCK IN SHARE MODE", sql))


def _check_form(tree: Write) -> None:
    """What MariaDB says otherwise, or what the proofs were not made for."""
    if tree.with_.ctes:
        raise refused("MariaDB write", "a statement with WITH")
    if isinstance(tree, Update | Delete) and tree.source is not None:
        raise refused("MariaDB write", "a change of rows joined with others")
    if isinstance(tree, Update) and tree.returning:
        raise refused("MariaDB write", "UPDATE … RETURNING, which MariaDB does not have,")
    for item in tree.returning:
        if item.alias is None and not isinstance(item.expr, ColumnRef):
            raise refused("MariaDB write", "an expression without alias in RETURNING")
    inside = [node for node in everything_below(tree) if isinstance(node, Query)]
    if isinstance(tree, Insert) and tree.source is not None:
        inside.remove(tree.source)
        if isinstance(tree.source, Select) and not isinstance(tree.source.source, Scan):
            raise refused("MariaDB write", "INSERT … SELECT from anything but one table")
        if not isinstance(tree.source, Select | Values):
            raise refused("MariaDB write", "INSERT of this query")
    if inside:
        raise refused("MariaDB write", "a change with a subquery")


def _check_once(change: Change, table: Table, tree: Write) -> None:
    """What was to be computed once is a moment: of anything else, each shard would compute its own."""
    for expression in change.once:
        if not _TIMED.fullmatch(expression.replace('"', "").strip()):
            raise refused("MariaDB write", f"{expression}, which each shard would compute for itself,")
    if change.gather is Gather.SAME and isinstance(tree, Insert):
        drawn = next((column for column in table.columns if column.default_volatile and not column.serial), None)
        if drawn is not None:
            raise refused("MariaDB write", f"the default of {drawn.name}, which each copy would compute for itself,")


def _given(plan: Plan, given: GivenRows) -> GivenRows:
    """The rows as they are written."""
    written = rows_written(plan.statement.sql)
    if written is None or len(written.rows) != len(given.rows):
        raise refused("MariaDB write", "an INSERT whose rows are not all written out")
    head, tail = Piece(*written.head), Piece(*written.tail)
    return replace(given, head=head, rows=tuple(Piece(*row) for row in written.rows), tail=tail)
