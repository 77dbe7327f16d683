"""A frozen picture of one domain's schema.  Types are *names*: their OIDs differ from server to server."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from outgrow.topology import TableName


class Order(enum.StrEnum):
    """How values of a text column compare."""

    #: By code point (C, POSIX, C.UTF-8 and PostgreSQL's builtin provider): Python can compare them.
    BYTES = "bytes"
    #: By a language's rules (glibc, ICU): only a server can compare them.
    LINGUISTIC = "linguistic"
    #: As another domain's servers compare, and these may not: nothing is to be compared.
    ELSEWHERE = "elsewhere"
    #: Not text.
    NONE = "none"


class Volatility(enum.StrEnum):
    IMMUTABLE = "immutable"
    STABLE = "stable"
    VOLATILE = "volatile"


@dataclass(frozen=True, slots=True)
class Column:
    """One column.  `type` is pg_catalog's name (`int8`, `text`, `bpchar`), else `schema.name`; arrays begin `_`."""

    name: str
    type: str
    typmod: int = -1
    not_null: bool = False
    default: str | None = None
    #: The default calls something volatile (`nextval`, `random`, `now` is stable) or the column is an identity.
    default_volatile: bool = False
    #: The default draws from a sequence of the shard (serial, identity, nextval).
    serial: bool = False
    #: The one sequence that it draws from; None where the catalogue does not say which.
    sequence: TableName | None = None
    #: "always" or "by default" for an identity column, else "".
    identity: str = ""
    generated: bool = False
    order: Order = Order.NONE
    #: The collation calls equal what differs in bytes (nondeterministic): cannot be a hash key nor a group key here.
    nondeterministic: bool = False
    #: As SQL (`pg_catalog."C"`), where it is not its type's own.
    collation: str = ""


@dataclass(frozen=True, slots=True)
class SequenceDefinition:
    """A sequence as it was made; how far it has got is each server's own business."""

    name: TableName
    start: int = 1
    increment: int = 1
    minimum: int = 1
    maximum: int = 2**63 - 1
    cycle: bool = False


class TableKind(enum.StrEnum):
    TABLE = "table"
    PARTITIONED = "partitioned"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialized view"
    FOREIGN = "foreign table"
    SEQUENCE = "sequence"


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`columns` of the table it belongs to refer to `referenced` of `table`; whether deleting or updating spreads."""

    columns: tuple[str, ...]
    table: TableName
    referenced: tuple[str, ...]
    #: ON DELETE or ON UPDATE is CASCADE, SET NULL or SET DEFAULT: a write to `table` writes here too.
    cascades: bool = False
    #: "cascade", "set null" or "set default"; "" for what only checks.
    on_update: str = ""
    on_delete: str = ""


@dataclass(frozen=True, slots=True)
class StatementTrigger:
    """A trigger FOR EACH STATEMENT, or a rewrite rule; `events` among "insert", "delete", "update", "truncate"."""

    name: str
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Apart:
    """What keeps rows apart otherwise than by plain columns alone: by expressions, under a condition, by EXCLUDE."""

    name: str
    #: Those of its columns that rows must have alike to be in each other's way.
    columns: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.columns)})"


@dataclass(frozen=True, slots=True)
class FleetUnique:
    """What no two rows of the whole domain have alike, kept by an index that is spread over `shards` by value.

    Triggers of the table note what changes; who writes brings it to the index before the transaction ends.
    """

    number: int
    #: As the unique key is called that holds on each shard.
    name: str
    columns: tuple[str, ...]
    #: The table's shard key, which each entry knows.
    key: tuple[str, ...]
    #: In the order in which the index counts them.
    shards: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.columns)}) in the whole domain"


@dataclass(frozen=True, slots=True)
class Table:
    name: TableName
    kind: TableKind
    columns: tuple[Column, ...]
    #: Column names of the primary key and of every *other* unique constraint or unique index (at once, not deferred)
    #: without expression or predicate.
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    #: Unique indexes with expression or predicate, and exclusion constraints.
    apart: tuple[Apart, ...] = ()
    #: The user's triggers and rewrite rules: writing here may run anything.
    triggers: tuple[str, ...] = ()
    #: Those among them that run once for a statement (or instead of it), whatever rows it writes.
    statement_triggers: tuple[StatementTrigger, ...] = ()
    #: Tables that ON DELETE/UPDATE CASCADE, SET NULL … reach from here, over any number of steps.
    cascades_to: tuple[TableName, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    partition_of: TableName | None = None
    #: A view's SELECT as the server prints it.
    definition: str | None = None
    #: A view whose rows nobody may see before its own conditions have chosen them.
    security_barrier: bool = False
    row_security: bool = False
    fleet_unique: tuple[FleetUnique, ...] = ()

    def statement_trigger(self, *events: str) -> str | None:
        """The first trigger that a statement with one of these events runs."""
        return next((each.name for each in self.statement_triggers if not set(each.events).isdisjoint(events)), None)

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class Function:
    """All overloads of one name share an entry list; `builtin` ones are in pg_catalog."""

    schema: str
    name: str
    kind: str  # "function", "aggregate", "window", "procedure"
    volatility: Volatility
    returns: str
    returns_set: bool
    builtin: bool


@dataclass(frozen=True, slots=True)
class Schema:
    """One domain's schema at one epoch."""

    domain: str
    epoch: int
    search_path: tuple[str, ...]
    tables: Mapping[TableName, Table]
    #: By unqualified name.
    functions: Mapping[str, tuple[Function, ...]] = field(default_factory=dict)
    #: By unqualified type name: user-defined types → kind ("enum", "domain", "composite", "range", "multirange",
    #: "base").
    types: Mapping[str, str] = field(default_factory=dict)
    sequences: Mapping[TableName, SequenceDefinition] = field(default_factory=dict)
    default_order: Order = Order.BYTES
    #: What the database compares text by, and what it calls letters: equal where they are the same.
    default_collation: str = ""
    server_version: int = 150000
    #: Whose language and functions these are.
    engine: str = "postgresql"
    #: All that is unique in the whole domain, by number.
    fleet_unique: Mapping[int, FleetUnique] = field(default_factory=dict)

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains whose tables it has."""
        return (self.domain,)

    def find(self, name: str, schema: str | None = None) -> Table | None:
        """The table that an unqualified or qualified name means under the search_path."""
        for candidate in (schema,) if schema else self.search_path:
            table = self.tables.get(TableName(candidate, name))
            if table is not None:
                return table
        return None

    def find_sequence(self, name: str, schema: str | None = None) -> SequenceDefinition | None:
        """The sequence that an unqualified or qualified name means under the search_path."""
        for candidate in (schema,) if schema else self.search_path:
            sequence = self.sequences.get(TableName(candidate, name))
            if sequence is not None:
                return sequence
        return None
