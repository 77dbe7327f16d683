"""Rows that may come several times over, of which one can stand for all."""

from __future__ import annotations

from collections.abc import Collection

from outgrow.schema import Table

#: Types of which equal values are the same value (of numeric, 1.0 and 1.00 are not).
_SAME = frozenset("int2 int4 int8 oid bool date timestamp timestamptz uuid text varchar bytea".split())


def repeats(table: Table, names: Collection[str]) -> bool:
    """Rows of the table can be equal in all of these columns, and then they are the same in them."""
    columns = [table.column(name) for name in names]
    if any(column is None or column.type not in _SAME or column.nondeterministic for column in columns):
        return False
    return not any(key and set(names).issuperset(key) for key in (table.primary_key, *table.unique_keys))
