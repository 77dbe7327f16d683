"""INSERT … SELECT where every row is written to the shard that selects it."""

from __future__ import annotations

from outgrow.plan.blocks import Ctes, Shared, bare_column, family
from outgrow.plan.cutting.colocate import Colocation
from outgrow.plan.cutting.copies import is_sharded
from outgrow.plan.placing import Places
from outgrow.plan.refusals import Refused
from outgrow.schema import Column
from outgrow.statement.tree import Insert, Query, Select, SetOperation


def stays(tree: Insert, places: Places, outer: Ctes) -> bool:
    """The key of each row that the INSERT adds is the key of the row that it was selected from.

    `outer` are the CTEs of a statement around it.
    """
    source = tree.source
    columns = places.key_columns(tree.table)
    if source is None or not all(column.name in tree.columns for column in columns):
        return False
    ctes = {**outer, **{cte.name: Shared(cte, None) for cte in tree.with_.ctes}}
    if not is_sharded(source, places, ctes):
        return False
    try:
        locus, keys = Colocation(places).arms(source, None, ctes)
    except Refused:
        return False
    positions = tuple(tree.columns.index(column.name) for column in columns)
    if positions not in keys or locus.families != tuple(family(column.type) for column in columns):
        return False
    return all(_unchanged(source, at, column, places) for at, column in zip(positions, columns, strict=True))


def _unchanged(query: Query, at: int, column: Column, places: Places) -> bool:
    """The value is stored as it is: a modifier such as that of varchar(3) may cut it, of timestamp(0) round it."""
    if column.typmod == -1:
        return True
    if isinstance(query, SetOperation):
        return _unchanged(query.left, at, column, places) and _unchanged(query.right, at, column, places)
    if not isinstance(query, Select):
        return False
    read = bare_column(query.items[at].expr)
    table = places.table(read.table) if read is not None and read.table is not None else None
    origin = table.column(read.name) if table is not None and read is not None else None
    return origin is not None and (origin.type, origin.typmod) == (column.type, column.typmod)
