"""ON CONFLICT on a sharded table: a row that the new one should meet must be on the new row's own shard.

A unique key without the shard key's columns holds on each shard only, so what meets by it may lie on another shard,
which this one does not see.  Refused for one shard, too.  Without a target every index counts that keeps rows apart,
those over expressions or under a condition and exclusion constraints too.
"""

from __future__ import annotations

from outgrow.plan.placing import Places
from outgrow.plan.refusals import refused
from outgrow.schema import Table
from outgrow.statement.tree import ColumnRef, Insert
from outgrow.topology import Sharded


def check_meeting(tree: Insert, places: Places) -> None:
    """Raises Refused for an ON CONFLICT that could overlook a row."""
    table = places.table(tree.table)
    if not tree.conflict or not isinstance(places.of(tree.table), Sharded) or table is None:
        return
    own = {column.name for column in places.key_columns(tree.table)}
    if tree.conflict_target:
        # The index that it means has exactly these columns.
        named = {expr.name for expr in tree.conflict_target if isinstance(expr, ColumnRef)}
        keys = [tuple(expr.name if isinstance(expr, ColumnRef) else "…" for expr in tree.conflict_target)]
        overlooked = [] if own <= named else keys
    else:
        keys = [key for key in (table.primary_key, *table.unique_keys) if key and not own <= set(key)]
        overlooked = [key for key in keys if not any(_is_new(table, name, tree) for name in key)]
        overlooked += [(apart.name,) for apart in table.apart if not own <= set(apart.columns)]
    if overlooked:
        raise refused("meeting", "ON CONFLICT", str(tree.table), ", ".join(overlooked[0]))


def _is_new(table: Table, name: str, tree: Insert) -> bool:
    """The INSERT leaves the column to a number of the fleet's, or to chance: no row has its value yet."""
    column = table.column(name)
    left = name not in tree.columns and column is not None
    return left and column is not None and (column.serial or bool(column.identity) or column.default_volatile)
