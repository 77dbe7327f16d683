"""All rows of one key of the directory: which tables have them, in which order they move, and with which statements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outgrow.errors import Error, NotSupportedError
from outgrow.keyspace import KINDS, key_text
from outgrow.runtime.directories import mariadb_rows
from outgrow.runtime.picture import Picture
from outgrow.schema import Table, TableKind
from outgrow.statement import name_sql, string_sql
from outgrow.topology import Sharded, TableName


@dataclass(frozen=True, slots=True)
class KeyedRows:
    """The rows of one table, as SQL."""

    name: TableName
    copy_out: str
    copy_in: str
    delete: str
    #: Whether rows are left that are the table's by inheritance.
    left: str
    #: Whether there is any.
    any: str


def keyed_rows(picture: Picture, family: str, value: Any) -> list[KeyedRows]:
    """The tables whose rows the directory places by such keys, each behind those that its foreign keys refer to.

    Raises NotSupportedError OG-RUN-113 where deleting rows here and inserting them there could lose or add more.
    """
    keys = _keys(picture, family)
    tables = {name: picture.schema.tables[name] for name in keys}
    for name, table in tables.items():
        if (disagreement := picture.disagreements.get(name)) is not None:
            raise disagreement
        if (why := _obstacle(picture, table, keys)) is not None:
            raise _refused(name, why)
    written = _mariadb_rows if picture.domain.engine == "mariadb" else _rows
    return [written(tables[name], keys[name], family, value) for name in _parents_first(tables)]


def messages(picture: Picture, family: str, value: Any) -> list[KeyedRows]:
    """What waits in the outbox for such a key to be delivered, and what consumers have seen of it.

    Messages get new numbers where they arrive, in their order: whoever emits there does so later.
    """
    if picture.domain.engine != "postgresql":
        return []
    where = f"WHERE family = {string_sql(family)} AND key = {string_sql(key_text(family, value))}"
    return [
        _own("outbox", "topic, id, family, key, headers, form, body, emitted_at", where, "ORDER BY number"),
        _own("inbox", "id, consumer, family, key, seen_at", where, ""),
    ]


def _own(table: str, columns: str, where: str, order: str) -> KeyedRows:
    whole = f"outgrow.{table}"
    there = f"SELECT EXISTS (SELECT FROM {whole} {where})"
    return KeyedRows(
        TableName("outgrow", table),
        f"COPY (SELECT {columns} FROM {whole} {where} {order}) TO STDOUT",
        f"COPY {whole} ({columns}) FROM STDIN",
        f"DELETE FROM {whole} {where}",
        there,
        there,
    )


def _keys(picture: Picture, family: str) -> dict[TableName, str]:
    """Table → its first key column.  What lies in partitions is their parent's."""
    found = {}
    for name, placed in picture.domain.tables.items():
        table = picture.schema.tables.get(name)
        if table is None or table.partition_of is not None or not isinstance(placed, Sharded):
            continue
        column = table.column(placed.columns[0])
        known = KINDS.get(column.type) if column is not None else None
        if column is not None and known is not None and known.family == family:
            found[name] = column.name
    return found


def _obstacle(picture: Picture, table: Table, keys: Mapping[TableName, str]) -> str | None:
    parts = [other for other in picture.schema.tables.values() if other.partition_of == table.name]
    for each in (table, *parts):
        if each.triggers:
            return f"its trigger or rule {each.triggers[0]} would see a deletion and an insertion"
    if picture.domain.engine == "mariadb" and (why := mariadb_rows.lossy(table)) is not None:
        return why
    if table.row_security:
        return "row security decides about its rows"
    if table.kind not in (TableKind.TABLE, TableKind.PARTITIONED):
        return f"it is a {table.kind}"
    for other in picture.schema.tables.values():
        for foreign in other.foreign_keys:
            if foreign.table != table.name or not foreign.on_delete:
                continue
            pairs: list[tuple[str | None, str]] = [*zip(foreign.columns, foreign.referenced, strict=True)]
            if (keys.get(other.name), keys[table.name]) not in pairs:
                return f"{other.name} refers to it by other columns than the key, and would follow (ON DELETE …)"
    return None


def _parents_first(tables: Mapping[TableName, Table]) -> list[TableName]:
    """Rings of foreign keys are cut anywhere: only deferred constraints allow rows in them."""
    order: list[TableName] = []
    entered: set[TableName] = set()

    def enter(name: TableName) -> None:
        if name in entered:
            return
        entered.add(name)
        for foreign in tables[name].foreign_keys:
            if foreign.table in tables:
                enter(foreign.table)
        order.append(name)

    for name in sorted(tables, key=str):
        enter(name)
    return order


def _rows(table: Table, key: str, family: str, value: Any) -> KeyedRows:
    whole = f"{name_sql(table.name.schema)}.{name_sql(table.name.name)}"
    own = whole if table.kind is TableKind.PARTITIONED else f"ONLY {whole}"
    literal = string_sql(key_text(family, value))
    # Compared as text, int8 or uuid, whatever the column is: no value is rounded or cut to fit.
    where = f"WHERE {name_sql(key)} = {literal}::pg_catalog.{_COMPARED[family]}"
    columns = ", ".join(name_sql(column.name) for column in table.columns if not column.generated)
    return KeyedRows(
        table.name,
        f"COPY (SELECT {columns} FROM {own} {where}) TO STDOUT",
        f"COPY {whole} ({columns}) FROM STDIN",
        f"DELETE FROM {own} {where}",
        f"SELECT EXISTS (SELECT FROM {whole} {where})",
        f"SELECT EXISTS (SELECT FROM {whole} {where})",
    )


def _mariadb_rows(table: Table, key: str, family: str, value: Any) -> KeyedRows:
    return KeyedRows(table.name, *mariadb_rows.statements(table, key, family, key_text(family, value)))


_COMPARED = {"integer": "int8", "text": "text", "uuid": "uuid"}


def _refused(name: TableName, why: str) -> Error:
    return NotSupportedError(
        "OG-RUN-113",
        f"rows of {name} cannot go to another shard with their key: {why}",
        cure="drop what stands in the way while the key is migrated",
    )
