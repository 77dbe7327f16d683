"""Catalogue rows → `Schema`.  Pure: `runtime` runs `queries()` on a server and hands the rows over."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from outgrow import sqlfile
from outgrow.errors import InternalError, OperationalError
from outgrow.schema.model import (
    Apart,
    Column,
    FleetUnique,
    ForeignKey,
    Function,
    Order,
    Schema,
    SequenceDefinition,
    StatementTrigger,
    Table,
    TableKind,
    Volatility,
)
from outgrow.topology import TableName

OLDEST_SERVER = 150000

Rows = Sequence[Sequence[Any]]

_KINDS = {
    "r": TableKind.TABLE,
    "p": TableKind.PARTITIONED,
    "v": TableKind.VIEW,
    "m": TableKind.MATERIALIZED_VIEW,
    "f": TableKind.FOREIGN,
    "S": TableKind.SEQUENCE,
}
_FUNCTION_KINDS = {"f": "function", "a": "aggregate", "w": "window", "p": "procedure"}
_VOLATILITIES = {"i": Volatility.IMMUTABLE, "s": Volatility.STABLE, "v": Volatility.VOLATILE}
_TYPE_KINDS = {"b": "base", "c": "composite", "d": "domain", "e": "enum", "r": "range", "m": "multirange"}
_BY_CODE_POINT = frozenset({"C", "POSIX", "C.UTF-8", "C.UTF8", "C.utf8"})
#: Bits of pg_trigger.tgtype.
_EVENTS = {4: "insert", 8: "delete", 16: "update", 32: "truncate"}
_SPREADING = {"c": "cascade", "n": "set null", "d": "set default"}
_IDENTITIES = {"a": "always", "d": "by default", "": ""}


@cache
def queries() -> Mapping[str, str]:
    """The catalogue queries by name.  Each yields plain text, integers, booleans, and arrays of text."""
    every = sqlfile.load("outgrow.schema")
    return MappingProxyType({name: sql for name, sql in every.items() if not name.startswith("object")})


class _Server(NamedTuple):
    version: int
    search_path: tuple[str, ...]
    encoding: str
    default_order: Order
    default_collation: str


def build(domain: str, epoch: int, rows: Mapping[str, Rows]) -> Schema:
    """The snapshot that the answers to `queries()` describe, by query name.

    Raises OperationalError OG-SCHEMA-001 for a server older than PostgreSQL 15 and InternalError OG-SCHEMA-002 when
    an answer is missing.
    """
    missing = queries().keys() - rows.keys()
    if missing:
        raise InternalError("OG-SCHEMA-002", f"no answer to the catalogue queries {', '.join(sorted(missing))}")
    server = _server(rows["server"])
    tables = _tables(rows, server)
    return Schema(
        domain=domain,
        epoch=epoch,
        search_path=server.search_path,
        tables=MappingProxyType(tables),
        functions=MappingProxyType(_functions(rows["functions"])),
        types=MappingProxyType({name: _TYPE_KINDS[kind] for _, name, kind in rows["types"]}),
        sequences=MappingProxyType(_sequences(rows["sequences"])),
        default_order=server.default_order,
        default_collation=server.default_collation,
        server_version=server.version,
        fleet_unique=MappingProxyType({one.number: one for table in tables.values() for one in table.fleet_unique}),
    )


def _server(rows: Rows) -> _Server:
    version, search_path, encoding, provider, collate, locale, *more = rows[0]
    if version < OLDEST_SERVER:
        raise OperationalError(
            "OG-SCHEMA-001",
            f"the server is PostgreSQL {version // 10000}; {OLDEST_SERVER // 10000} is the oldest that outgrow knows",
            cure=f"upgrade the server to PostgreSQL {OLDEST_SERVER // 10000} or newer",
        )
    order = _order_of(provider, collate if provider == "c" else locale, encoding)
    collation = " ".join(str(part) for part in (encoding, provider, collate, locale, *more) if part)
    return _Server(version, tuple(search_path), encoding, order, collation)


def _order_of(provider: str, locale: str | None, encoding: str) -> Order:
    """Code point order holds for PostgreSQL's builtin provider and libc's C family, where bytes follow code points."""
    if encoding not in ("UTF8", "LATIN1"):
        return Order.LINGUISTIC
    if provider == "b" or (provider == "c" and locale in _BY_CODE_POINT):
        return Order.BYTES
    return Order.LINGUISTIC


def _tables(rows: Mapping[str, Rows], server: _Server) -> dict[TableName, Table]:
    columns: dict[tuple[str, str], list[Column]] = defaultdict(list)
    draws = _draws(rows["sequences"])
    for row in rows["columns"]:
        column = _column(row, server)
        if (drawn := draws.get(tuple(row[:3]))) is not None:
            column = replace(column, identity=drawn[0], sequence=drawn[1])
        columns[row[0], row[1]].append(column)
    primary, unique, foreign, apart = _keys(rows["keys"])
    reached = cascades(foreign)
    tables = {}
    for row in rows["relations"]:
        schema, relation, kind, parent_schema, parent, definition, security, triggers, rules = row[:9]
        by_statement, barrier, own = row[9:12]
        name = TableName(schema, relation)
        tables[name] = Table(
            name=name,
            kind=_KINDS[kind],
            columns=tuple(columns[schema, relation]),
            primary_key=primary.get(name, ()),
            unique_keys=tuple(unique.get(name, ())),
            apart=tuple(apart.get(name, ())),
            triggers=(*(triggers or ()), *(rules or ())),
            statement_triggers=tuple(_statement_triggers(by_statement or (), rules or ())),
            cascades_to=reached.get(name, ()),
            foreign_keys=tuple(foreign.get(name, ())),
            partition_of=TableName(parent_schema, parent) if parent else None,
            definition=definition,
            row_security=security,
            security_barrier=barrier,
            fleet_unique=tuple(_fleet_unique(said) for said in own or ()),
        )
    return tables


def fleet_unique_text(unique: FleetUnique) -> str:
    """What its trigger says of it, as an argument; without bytes that catalogue functions would escape."""
    parts = (unique.number, unique.name, unique.columns, unique.key, unique.shards)
    return json.dumps(parts)


def _fleet_unique(said: str) -> FleetUnique:
    number, name, *lists = json.loads(said)
    return FleetUnique(number, name, *map(tuple, lists))


def _statement_triggers(triggers: Sequence[str], rules: Sequence[str]) -> Iterator[StatementTrigger]:
    for trigger in triggers:
        kind, _, name = trigger.partition(" ")
        yield StatementTrigger(name, tuple(event for bit, event in _EVENTS.items() if int(kind) & bit))
    for rule in rules:
        yield StatementTrigger(rule, ("insert", "delete", "update"))


def _column(row: Sequence[Any], server: _Server) -> Column:
    name, type_, typmod, not_null, default, volatile, draws, identity, generated = row[2:11]
    foreign_text, collation, provider, locale, deterministic, written = row[11:17]
    order = Order.NONE
    if collation is not None:
        # A collatable type of one's own (citext) may compare by rules of its own.
        if foreign_text:
            order = Order.LINGUISTIC
        elif provider == "d":
            order = server.default_order
        elif collation == "ucs_basic":
            order = _order_of("b", None, server.encoding)
        else:
            order = _order_of(provider, locale, server.encoding)
    return Column(
        name=name,
        type=type_,
        typmod=typmod,
        not_null=not_null,
        default=default,
        default_volatile=volatile or identity,
        serial=draws or identity,
        generated=generated,
        order=order,
        nondeterministic=deterministic is False,
        collation=written or "",
    )


def _sequences(rows: Rows) -> dict[TableName, SequenceDefinition]:
    return {TableName(*row[:2]): SequenceDefinition(TableName(*row[:2]), *row[2:7]) for row in rows}


def _draws(rows: Rows) -> dict[tuple[str, ...], tuple[str, TableName | None]]:
    """Schema, table and column → identity kind and sequence; no sequence where a default draws from several."""
    draws: dict[tuple[str, ...], tuple[str, TableName | None]] = {}
    for row in rows:
        for *column, kind in row[7]:
            several = tuple(column) in draws
            draws[tuple(column)] = (_IDENTITIES[kind], None if several else TableName(*row[:2]))
    return draws


class _Keys(NamedTuple):
    primary: dict[TableName, tuple[str, ...]]
    unique: dict[TableName, list[tuple[str, ...]]]
    foreign: dict[TableName, list[ForeignKey]]
    apart: dict[TableName, list[Apart]]


def _keys(rows: Rows) -> _Keys:
    primary: dict[TableName, tuple[str, ...]] = {}
    unique: dict[TableName, list[tuple[str, ...]]] = defaultdict(list)
    foreign: dict[TableName, list[ForeignKey]] = defaultdict(list)
    apart: dict[TableName, list[Apart]] = defaultdict(list)
    for kind, schema, table, columns, target_schema, target, referenced, on_update, on_delete in rows:
        name = TableName(schema, table)
        if kind == "primary":
            primary[name] = tuple(columns)
        elif kind == "unique":
            unique[name].append(tuple(columns))
        elif kind == "other":
            apart[name].append(Apart(target, tuple(columns)))
        else:
            actions = [_SPREADING.get(action, "") for action in (on_update, on_delete)]
            parent = TableName(target_schema, target)
            foreign[name].append(ForeignKey(tuple(columns), parent, tuple(referenced), any(actions), *actions))
    return _Keys(primary, unique, foreign, apart)


def cascades(foreign: Mapping[TableName, Iterable[ForeignKey]]) -> dict[TableName, tuple[TableName, ...]]:
    """Every table → the tables that a write to it may write, transitively."""
    direct: dict[TableName, list[TableName]] = defaultdict(list)
    for child, keys in foreign.items():
        for key in keys:
            if key.cascades:
                direct[key.table].append(child)
    reached = {}
    for start in direct:
        seen: dict[TableName, None] = {}
        waiting = list(direct[start])
        while waiting:
            table = waiting.pop(0)
            if table not in seen:
                seen[table] = None
                waiting.extend(direct.get(table, ()))
        reached[start] = tuple(seen)
    return reached


def _functions(rows: Rows) -> dict[str, tuple[Function, ...]]:
    found: dict[str, list[Function]] = defaultdict(list)
    for schema, name, kind, volatility, returns, returns_set, builtin in rows:
        found[name].append(
            Function(schema, name, _FUNCTION_KINDS[kind], _VOLATILITIES[volatility], returns, returns_set, builtin)
        )
    return {name: tuple(overloads) for name, overloads in found.items()}
