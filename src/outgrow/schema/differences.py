"""How two snapshots of what should be one schema differ: shards must agree before a statement may meet several."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType

from outgrow.errors import ConfigurationError
from outgrow.schema.model import Column, Schema, Table
from outgrow.topology import TableName

SYSTEM = frozenset({"pg_catalog", "information_schema"})
#: What differs where shards do not keep the same indexes of the whole domain.
FLEET_UNIQUE = "fleet unique"


@dataclass(frozen=True, slots=True)
class Difference:
    """One disagreement.  `here` and `there` are the two sides' values for people; "" where a side has nothing."""

    code: str
    table: TableName | None
    what: str
    here: str
    there: str

    def __str__(self) -> str:
        subject = f"table {self.table}: " if self.table else ""
        return f"{subject}{self.what}: {self.here or 'absent'} against {self.there or 'absent'}"

    def error(self, here: str, there: str) -> ConfigurationError:
        """What to raise when shard `there` disagrees with shard `here` in a way that the caller will not bear."""
        cure = f"`outgrow schema diff` shows what brings {there} to the definition of {here}; with --mend it runs it"
        if self.what == FLEET_UNIQUE:
            # Its triggers are outgrow's own, which a diff of the user's definitions leaves alone.
            cure = f"`outgrow unique build {self.table}` with the key's columns makes its triggers on every shard anew"
        return ConfigurationError(self.code, f"shards {here} and {there} differ: {self}", cure=cure, shard=there)


def differences(a: Schema, b: Schema, tables: Collection[TableName] | None = None) -> tuple[Difference, ...]:
    """What differs from `a` to `b`, in the order of table names; system relations are never compared.

    `tables` narrows the question, as for a domain whose other tables live on one shard only.  The order of columns
    counts, because an INSERT without a column list means it; the names of triggers and views' texts count too.  What is
    `apart` does not: servers name such indexes as they like, and no answer depends on them (`with_apart_of`).
    """
    wanted = {name for name in a.tables.keys() | b.tables.keys() if name.schema not in SYSTEM}
    if tables is not None:
        wanted &= set(tables)
    return (*_of_servers(a, b), *(d for name in sorted(wanted, key=_by_name) for d in _of_tables(a, b, name)))


def with_tables_of(schema: Schema, other: Schema, tables: Collection[TableName]) -> Schema:
    """`schema` with `tables` as `other` has them: single tables live on a shard of their own."""
    taken = {name: other.tables[name] for name in tables if name in other.tables}
    return replace(schema, tables=MappingProxyType({**schema.tables, **taken}))


def with_apart_of(schema: Schema, other: Schema) -> Schema:
    """`schema` with what keeps rows apart in `other` only: what a row may meet counts wherever it may meet it."""
    tables = {}
    for name, table in other.tables.items():
        own = schema.tables.get(name)
        more = tuple(apart for apart in table.apart if own is not None and apart not in own.apart)
        if own is not None and more:
            tables[name] = replace(own, apart=own.apart + more)
    return replace(schema, tables=MappingProxyType({**schema.tables, **tables})) if tables else schema


def _by_name(name: TableName) -> tuple[str, str]:
    return (name.schema, name.name)


def _of_servers(a: Schema, b: Schema) -> Iterator[Difference]:
    if a.default_order is not b.default_order:
        yield Difference("OG-SCHEMA-017", None, "default text order", a.default_order, b.default_order)
    if a.search_path != b.search_path:
        yield Difference("OG-SCHEMA-018", None, "search_path", ", ".join(a.search_path), ", ".join(b.search_path))


def _of_tables(a: Schema, b: Schema, name: TableName) -> Iterator[Difference]:
    here, there = a.tables.get(name), b.tables.get(name)
    if here is None or there is None:
        yield Difference("OG-SCHEMA-010", name, "table", here.kind if here else "", there.kind if there else "")
        return
    if here.kind is not there.kind:
        yield Difference("OG-SCHEMA-011", name, "kind", here.kind, there.kind)
    yield from _of_columns(here, there)
    if here.primary_key != there.primary_key:
        yield Difference("OG-SCHEMA-015", name, "primary key", _list(here.primary_key), _list(there.primary_key))
    if set(here.unique_keys) != set(there.unique_keys):
        keys = [", ".join(sorted(map(_list, side.unique_keys))) for side in (here, there)]
        yield Difference("OG-SCHEMA-015", name, "unique keys", *keys)
    if set(here.foreign_keys) != set(there.foreign_keys):
        keys = [", ".join(sorted(f"{_list(k.columns)} to {k.table}" for k in t.foreign_keys)) for t in (here, there)]
        yield Difference("OG-SCHEMA-015", name, "foreign keys", *keys)
    for what in ("triggers", "definition", "security_barrier", "row_security", "partition_of", "fleet_unique"):
        one, other = getattr(here, what), getattr(there, what)
        if one != other:
            yield Difference("OG-SCHEMA-016", name, what.replace("_", " "), _shown(one), _shown(other))


def _of_columns(here: Table, there: Table) -> Iterator[Difference]:
    ours, theirs = ({column.name: column for column in table.columns} for table in (here, there))
    for name in (*ours, *(name for name in theirs if name not in ours)):
        one, other = ours.get(name), theirs.get(name)
        if one is None or other is None:
            shown = [column.type if column else "" for column in (one, other)]
            yield Difference("OG-SCHEMA-012", here.name, f"column {name}", *shown)
        else:
            yield from _of_column(here.name, one, other)
    if ours.keys() == theirs.keys() and list(ours) != list(theirs):
        yield Difference("OG-SCHEMA-014", here.name, "order of columns", _list(tuple(ours)), _list(tuple(theirs)))


def _of_column(table: TableName, one: Column, other: Column) -> Iterator[Difference]:
    if (one.type, one.typmod) != (other.type, other.typmod):
        yield Difference("OG-SCHEMA-013", table, f"type of column {one.name}", _type(one), _type(other))
    for what in ("not_null", "default", "generated", "serial", "identity", "order", "nondeterministic"):
        left, right = getattr(one, what), getattr(other, what)
        if left != right:
            shown = _shown(left), _shown(right)
            yield Difference("OG-SCHEMA-014", table, f"{what.replace('_', ' ')} of column {one.name}", *shown)


def _type(column: Column) -> str:
    return column.type if column.typmod == -1 else f"{column.type} (modifier {column.typmod})"


def _list(names: tuple[str, ...]) -> str:
    return f"({', '.join(names)})" if names else ""


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
