"""SELECT … FOR UPDATE and its kin over several shards: one shard after another, each locking what it returns.

All take their shards in the same order, so that two of them cannot wait for each other crosswise.
"""

from __future__ import annotations

from dataclasses import replace

from outgrow.plan.blocks import has_aggregate, has_window
from outgrow.plan.cutting.scatter import scatter
from outgrow.plan.model import Plan, Reason
from outgrow.plan.placing import Places
from outgrow.plan.refusals import refused
from outgrow.plan.writes.change import Change, Gather
from outgrow.plan.writes.moments import Once
from outgrow.statement.tree import Select


def lock(plan: Plan, places: Places) -> Plan:
    """The plan of a locking query.  Raises Refused with what cannot be done."""
    statement = plan.statement
    tree = statement.tree
    if not isinstance(tree, Select) or not tree.locking:
        raise refused("locking", "a locking clause inside of the statement")
    _check(tree)
    effects = tuple(effect for effect in statement.effects if effect.kind != "locking")
    once = Once(statement.placeholders.count)
    reading = replace(statement, tree=once.moments(replace(tree, locking="")), effects=effects)
    read = scatter(replace(plan, statement=reading), places)
    assert read.finish is not None
    return replace(
        read,
        statement=statement,
        fragment_sql=f"{read.fragment_sql} {tree.locking}",
        # A row that was waited for may have changed, so a shard's rows need not come in order.
        finish=replace(read.finish, merged=False),
        change=Change(Gather.TURN, tuple(once.sql)),
        reasons=(*read.reasons, Reason("plan.locking", "locks are taken on one shard after another, in their order")),
    )


def _check(tree: Select) -> None:
    """What decides over all shards which rows are returned would leave others locked."""
    for what, there in (
        ("LIMIT", tree.limit is not None or tree.with_ties),
        ("OFFSET", tree.offset is not None),
        ("DISTINCT", tree.distinct or bool(tree.distinct_on)),
        ("GROUP BY or an aggregate", has_aggregate(tree)),
        ("a window function", has_window(tree)),
    ):
        if there:
            raise refused("locking", f"{tree.locking} with {what}")
