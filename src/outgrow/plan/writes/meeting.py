"""ON CONFLICT on a sharded table: a row that the new one should meet must be on the new row's own shard.

A unique key without the shard key's columns holds on each shard only, so what meets by it may lie on another shard,
which this one does not see.  Refused for one shard, too.  Without a target every index counts that keeps rows apart,
those over expressions or under a condition and exclusion constraints too.
"""

from __future__ import annotations

import re

from outgrow.plan.placing import Places
from outgrow.plan.refusals import refused
from outgrow.schema import Table
from outgrow.statement.tree import ColumnRef, Insert
from outgrow.topology import Sharded

#: A default that is the next number of a sequence and nothing done to it, as the server prints it.
_NUMBER = re.compile(r"\(?nextval\('(?:[^']|'')+'::regclass\)\)?(?:::(?:text|bigint|integer|numeric))?")
#: One that is a UUID which nobody has drawn, by a function of the server's own.
_UUID = re.compile(r"\(?(gen_random_uuid|uuidv4|uuidv7)\(\)\)?(?:::(?:text|bigint|integer|numeric))?")


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
        overlooked = [key for key in keys if not any(_is_new(table, name, tree, places) for name in key)]
        overlooked += [(apart.name,) for apart in table.apart if not own <= set(apart.columns)]
    if overlooked:
        raise refused("meeting", "ON CONFLICT", str(tree.table), ", ".join(overlooked[0]))


def _is_new(table: Table, name: str, tree: Insert, places: Places) -> bool:
    """The INSERT leaves the column to a number of the fleet's, or to a UUID: no row has its value yet.

    What else a default draws (`random()`, a function of the user's) another row may have drawn as well.
    """
    column = table.column(name)
    if column is None or name in tree.columns:
        return False
    default = column.default or ""
    if column.identity or (column.serial and _NUMBER.fullmatch(default)):
        return True
    drawn = _UUID.fullmatch(default)
    return drawn is not None and any(one.builtin for one in places.schema.functions.get(drawn[1], ()))
