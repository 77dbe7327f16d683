"""What foreign keys write beside the statement: refused where that would put rows on the wrong shard.

ON DELETE SET NULL on a shard key would leave the row where it is, though a NULL key belongs to another shard; a cascade
into a copied table from one that is not would change one copy alone.
"""

from __future__ import annotations

from outgrow.plan.placing import Places
from outgrow.plan.refusals import refused
from outgrow.schema import ForeignKey
from outgrow.statement.tree import Delete, Insert, Update
from outgrow.topology import Copied, Sharded, TableName

#: The columns that are assigned; None where rows are deleted.
Event = tuple[str, ...] | None


def check_cascades(tree: Insert | Update | Delete, places: Places) -> None:
    """Raises Refused for the first table that a foreign key would write wrongly."""
    begin = _event(tree, places)
    if begin == ():
        return
    referring: dict[TableName, list[tuple[TableName, ForeignKey]]] = {}
    for table in places.schema.tables.values():
        for key in table.foreign_keys:
            if key.cascades:
                referring.setdefault(key.table, []).append((table.name, key))
    waiting: list[tuple[TableName, Event]] = [(tree.table, begin)]
    seen = set(waiting)
    while waiting:
        parent, event = waiting.pop()
        for child, key in referring.get(parent, ()):
            spread = _spread(key, event)
            if spread == () or (child, spread) in seen:
                continue
            _check(tree.table, child, spread, places)
            seen.add((child, spread))
            waiting.append((child, spread))


def _event(tree: Insert | Update | Delete, places: Places) -> Event:
    """What the statement does to its target; () for nothing that spreads.  A key that stays spreads nothing."""
    if isinstance(tree, Delete):
        return None
    names = tree.conflict_assigns if isinstance(tree, Insert) else tuple(name for name, _ in tree.assigns)
    own = {column.name for column in places.key_columns(tree.table)}
    return tuple(name for name in names if name not in own)


def _spread(key: ForeignKey, event: Event) -> Event:
    if event is None:
        return None if key.on_delete == "cascade" else key.columns if key.on_delete else ()
    return key.columns if key.on_update and set(event) & set(key.referenced) else ()


def _check(target: TableName, child: TableName, event: Event, places: Places) -> None:
    standing = places.of(child)
    if isinstance(standing, Copied) and not isinstance(places.of(target), Copied):
        raise refused("cascade", str(target), f"the copied table {child} on one shard alone")
    if isinstance(standing, Sharded) and event is not None and set(event) & set(standing.columns):
        raise refused("cascade", str(target), f"the shard key of {child} without moving its rows")
