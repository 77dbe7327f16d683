"""Shards compared object by object, and the statements that bring one to the definition of another.

`Schema` holds what planning needs; this holds what a person wants equal: indexes, functions, triggers, sequences too.
The servers write the definitions themselves (`pg_get_…def`), so equal texts mean equal objects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any

from outgrow import sqlfile
from outgrow.schema import columns
from outgrow.schema.columns import ObjectColumn
from outgrow.topology import TableName

#: In which order kinds are made: each may need those before it.  They are dropped the other way round.
ORDER = (
    *("schema", "extension", "enum", "domain", "composite type", "range", "sequence", "function", "table"),
    *("foreign table", "column", "order of columns", "owner of sequence", "constraint", "index", "foreign key"),
    *("view", "materialized view", "late function", "trigger", "rule", "policy"),
)
#: What has rows or a state of its own.
_PRECIOUS = frozenset(("schema", "extension", "sequence", "table", "foreign table", "column"))


@dataclass(frozen=True, slots=True)
class Object:
    """One thing of a schema; `create`, `drop` and `replace` are statements, () where nobody can write them."""

    kind: str
    name: str
    table: TableName | None
    definition: str
    create: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    #: None: drop and create.
    replace: tuple[str, ...] | None = None
    columns: tuple[ObjectColumn, ...] = ()


Objects = Mapping[tuple[str, str], Object]


@dataclass(frozen=True, slots=True)
class ObjectDifference:
    """What `shard` has otherwise than the shard it is compared with: `what` is missing, extra or differs."""

    shard: str
    kind: str
    name: str
    what: str
    #: The definition on the shard compared with, and on this one; "" where there is none.
    wanted: str
    found: str
    #: What mends it; empty where it takes a person, as `note` says.
    statements: tuple[str, ...]
    #: Mending it loses rows or a state.
    drops: bool = False
    note: str = ""
    table: TableName | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {'is ' if self.what != 'differs' else ''}{self.what} on {self.shard}"


@cache
def object_queries() -> Mapping[str, str]:
    """The queries that `objects` wants answered; `objects_search_path` first, and all in one transaction."""
    every = sqlfile.load("outgrow.schema")
    return MappingProxyType({name: sql for name, sql in every.items() if name.startswith("object")})


def objects(rows: Mapping[str, Sequence[Sequence[Any]]]) -> Objects:
    """The objects that the answers to `object_queries()` describe."""
    by_table: dict[TableName, list[ObjectColumn]] = defaultdict(list)
    for schema, table, name, own, type_, not_null, default, identity, generated in rows["object_columns"]:
        column = ObjectColumn(name, own, type_, not_null, default, identity, generated)
        by_table[TableName(schema, table)].append(column)
    found: dict[tuple[str, str], Object] = {}
    for query, answers in rows.items():
        if query in ("object_columns", "objects_search_path"):
            continue
        for kind, name, schema, table, definition, create, drop, replace in answers:
            belongs = TableName(schema, table) if table is not None else None
            made = Object(
                kind,
                name,
                belongs,
                definition,
                tuple(create or ()),
                tuple(drop),
                None if replace is None else tuple(replace),
                tuple(by_table[belongs]) if belongs is not None and kind in ("table", "foreign table") else (),
            )
            found[kind, name] = made
    return found


def compare(
    wanted: Objects, found: Objects, shard: str, apart: Collection[TableName] = ()
) -> tuple[ObjectDifference, ...]:
    """How `shard`, which has `found`, differs from `wanted`, in the order in which mending it works.

    `apart` are tables that are not meant to be equal, because all their rows live on one shard.
    """
    differences: list[ObjectDifference] = []
    gone = {one.table for key, one in found.items() if one.columns and key not in wanted}
    for key in dict.fromkeys((*wanted, *found)):
        here, there = wanted.get(key), found.get(key)
        either = here or there
        assert either is not None
        if either.table is not None and (either.table in apart or (here is None and _goes_along(either, gone))):
            continue
        differences.extend(_differences(here, there, shard))
    drops = [one for one in differences if one.what == "extra"]
    others = [one for one in differences if one.what != "extra"]
    return (
        *sorted(drops, key=lambda one: -ORDER.index(one.kind)),
        *sorted(others, key=lambda one: ORDER.index(one.kind)),
    )


def _goes_along(one: Object, gone: Collection[TableName | None]) -> bool:
    """Whether it is dropped with its table."""
    return one.table in gone and one.kind not in ("table", "foreign table")


def _differences(here: Object | None, there: Object | None, shard: str) -> Iterator[ObjectDifference]:
    if here is None:
        assert there is not None
        precious = there.kind in _PRECIOUS
        yield ObjectDifference(
            shard, there.kind, there.name, "extra", "", there.definition, there.drop, precious, table=there.table
        )
        return
    if there is None:
        create = columns.create_table(here.create, here.columns) if here.kind == "table" else here.create
        note = "" if create else f"outgrow does not write the statement for a {here.kind}"
        yield ObjectDifference(
            shard, here.kind, here.name, "missing", here.definition, "", create, note=note, table=here.table
        )
        return
    if here.definition != there.definition:
        statements, note = _replacing(here, there)
        yield ObjectDifference(
            *(shard, here.kind, here.name, "differs", here.definition, there.definition, statements),
            note=note,
            table=here.table,
        )
    if here.table is not None and here.kind == "table":
        for difference in columns.differences(here.name, here.columns, there.columns):
            yield ObjectDifference(
                shard,
                "order of columns" if difference.order else "column",
                difference.name,
                difference.what,
                difference.wanted,
                difference.found,
                difference.statements,
                difference.drops,
                difference.note,
                here.table,
            )


def _replacing(here: Object, there: Object) -> tuple[tuple[str, ...], str]:
    if here.kind == "enum":
        return _labels(here, there)
    if here.kind == "table" and _behind(here) != _behind(there):
        return (), "partitioning and inheritance are the table's from its making: make it anew"
    if here.replace is not None:
        return here.replace, "" if here.replace else f"outgrow does not write the statement for a {here.kind}"
    return (*there.drop, *here.create), ""


def _behind(table: Object) -> str:
    return table.create[1] if len(table.create) > 1 else ""


def _labels(here: Object, there: Object) -> tuple[tuple[str, ...], str]:
    """ALTER TYPE … ADD VALUE for the labels that are missing."""
    wanted, found = here.definition.split("\n"), there.definition.split("\n")
    if [label for label in wanted if label in found] != found:
        return (), "labels of an enum can be added but neither dropped nor put into another order"
    statements = []
    for at, label in enumerate(wanted):
        if label not in found:
            place = f" AFTER {_quoted(wanted[at - 1])}" if at else f" BEFORE {_quoted(found[0])}" if found else ""
            statements.append(f"ALTER TYPE {here.name} ADD VALUE {_quoted(label)}{place}")
    return tuple(statements), ""


def _quoted(label: str) -> str:
    return "'" + label.replace("'", "''") + "'"
