"""Several databases of one server as shards, one more with all rows: the quickest way to find a wrong answer.

No fleet, no session: a statement is bound, planned, located, its fragments run one after the other through psycopg,
and finished.  The same statement runs on the database with all rows; `Difference` says how the answers differ.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import make_conninfo

from outgrow import schema as schemas
from outgrow.errors import Error
from outgrow.finish import Finisher
from outgrow.keyspace import Keyspace, stored
from outgrow.plan import Plan, build, locate
from outgrow.schema import queries
from outgrow.statement import bind
from outgrow.topology import Copied, Domain, Node, Placement, Role, Shard, Sharded, ShardMap, Single, TableName
from tests.differential.world import TABLES, Tab, ddl, rows_of

SLOTS = 64


class Field(NamedTuple):
    """As `nodes.Field`."""

    name: str
    type: str
    typmod: int
    oid: int


@dataclass
class Answer:
    names: list[str]
    types: list[str]
    rows: list[tuple[Any, ...]]
    shards: tuple[str, ...] = ()


@dataclass
class Failure:
    """An error of the library or of the server."""

    code: str
    message: str


class OneServer:
    """`dsn` may create databases; call `close()` to drop them."""

    def __init__(
        self,
        dsn: str,
        shards: int = 3,
        seed: int = 1,
        tables: Sequence[Tab] = TABLES,
        rows: Callable[[Tab, int], list[tuple[Any, ...]]] = rows_of,
    ) -> None:
        self.dsn = dsn
        self.names = tuple(f"s{n}" for n in range(1, shards + 1))
        self.tables = tables
        self._rows = rows
        self.admin = psycopg.connect(dsn, autocommit=True)
        self.links: dict[str, psycopg.Connection[Any]] = {}
        for name in (*self.names, "whole"):
            self.admin.execute(f"DROP DATABASE IF EXISTS {self._database(name)} WITH (FORCE)")
            self.admin.execute(f"CREATE DATABASE {self._database(name)}")
            link = self.links[name] = psycopg.connect(make_conninfo(dsn, dbname=self._database(name)), autocommit=True)
            link.prepare_threshold = None
            for table in tables:
                link.execute(ddl(table))
        self.types = {row[0]: row[1] for row in self.admin.execute("SELECT oid::int, typname FROM pg_type")}
        placements = {TableName("public", table.name): self._placement(table) for table in tables}
        nodes = [Node(f"d/{name}/primary", "d", name, Role.PRIMARY, "") for name in self.names]
        self.domain = Domain(
            "d", "postgresql", SLOTS, tuple(Shard(node.shard, node) for node in nodes), MappingProxyType(placements)
        )
        self.keyspace = Keyspace(SLOTS, ShardMap.first(self.domain))
        rows = {name: self.links["whole"].execute(text).fetchall() for name, text in queries().items()}
        self.schema = schemas.build("d", 1, rows)
        for table in tables:
            self._load(table, seed)

    def _database(self, name: str) -> str:
        return f"og_{os.getpid()}_{name}"

    def _placement(self, table: Tab) -> Placement:
        if table.placement == "sharded":
            return Sharded(table.key)
        return Copied() if table.placement == "copied" else Single(self.names[0])

    def _load(self, table: Tab, seed: int) -> None:
        rows = self._rows(table, seed)
        for name, link in self.links.items():
            mine = [row for row in rows if name == "whole" or name in self._homes(table, row)]
            if mine:
                places = ", ".join(["%s"] * len(table.cols))
                with link.cursor() as cursor:
                    cursor.executemany(f"INSERT INTO {table.name} VALUES ({places})", mine)

    def _homes(self, table: Tab, row: tuple[Any, ...]) -> tuple[str, ...]:
        if table.placement != "sharded":
            return self.names if table.placement == "copied" else self.names[:1]
        described = self.schema.tables[TableName("public", table.name)]
        columns = [column for name in table.key for column in described.columns if column.name == name]
        positions = [next(at for at, col in enumerate(table.cols) if col.name == name) for name in table.key]
        key = tuple(stored(c.type, c.typmod, row[at]) for c, at in zip(columns, positions, strict=True))
        return (self.keyspace.shard(tuple(column.type for column in columns), key),)

    # --- asking ----------------------------------------------------------------------------------------------------

    def one(self, text: str, params: Sequence[Any] | None) -> Answer | Failure:
        """The answer of the database with all rows."""
        try:
            statement = bind(text, self.schema, parameters=params is not None)
            return self._run("whole", statement.sql, list(params or []))
        except Error as error:
            return Failure(error.code, error.message)
        except psycopg.Error as error:
            return Failure(error.sqlstate or "", str(error))

    def plan(self, text: str, params: Sequence[Any] | None) -> Plan:
        return build(bind(text, self.schema, parameters=params is not None), self.schema, self.domain)

    def sharded(self, text: str, params: Sequence[Any] | None) -> Answer | Failure:
        """The answer of the shards."""
        try:
            plan = self.plan(text, params)
            values = list(params or [])
            located = locate(plan, values, self.keyspace)
            if not located.scatter:
                answer = self._run(located.shards[0], plan.statement.sql, values)
                answer.shards = located.shards
                return answer
            if plan.change is not None:
                # Several shards change together: the random writes of tests.differential have whole fleets for that.
                return Failure("OG-PLAN-CHANGE", "several shards change together")
            if plan.refusal is not None:
                # Its rows would come to one server: for that too.
                return Failure(plan.refusal.code, plan.refusal.message)
            assert plan.fragment_sql is not None and plan.finish is not None
            fragment = plan.fragment_values(values)
            finisher = Finisher(plan.finish, values)
            answers = [self._run(shard, plan.fragment_sql, fragment) for shard in located.shards]
            fields = finisher.begin([self._fields(answer) for answer in answers])
            rows: list[tuple[Any, ...]] = []
            for number, answer in enumerate(answers):
                # In small pieces, and the fragments in turn, so that streaming is exercised too.
                for at in range(0, len(answer.rows), 7):
                    finisher.feed(number, answer.rows[at : at + 7])
                    rows.extend(finisher.ready())
                finisher.end(number)
                rows.extend(finisher.ready())
            return Answer([f.name for f in fields], [f.type for f in fields], rows, located.shards)
        except Error as error:
            return Failure(error.code, error.message)
        except psycopg.Error as error:
            return Failure(error.sqlstate or "", str(error))

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        """What is written inside is rolled back everywhere."""
        for link in self.links.values():
            link.execute("BEGIN")
        try:
            yield
        finally:
            for link in self.links.values():
                link.execute("ROLLBACK")

    def table(self, name: str) -> tuple[Answer, Answer]:
        """All rows of a table: of the one database, and of the shards that own them."""
        placement = next(table.placement for table in self.tables if table.name == name)
        shards = self.names if placement == "sharded" else self.names[:1]
        parts = [self._run(shard, f"SELECT * FROM {name}", []) for shard in shards]
        rows = [row for part in parts for row in part.rows]
        return self._run("whole", f"SELECT * FROM {name}", []), Answer(parts[0].names, parts[0].types, rows)

    def _fields(self, answer: Answer) -> list[Field]:
        return [Field(name, type, -1, 0) for name, type in zip(answer.names, answer.types, strict=True)]

    def _run(self, name: str, sql: str, params: list[Any]) -> Answer:
        link = self.links[name]
        with psycopg.RawCursor(link) as cursor:
            cursor.execute(sql.encode(), params if params else None)
            if cursor.description is None:
                return Answer([], [], [], (name,))
            # A table's row type has another OID in each database.
            types = [self.types.get(column.type_code, "other") for column in cursor.description]
            return Answer([column.name for column in cursor.description], types, cursor.fetchall(), (name,))

    def close(self) -> None:
        for name, link in self.links.items():
            link.close()
            self.admin.execute(f"DROP DATABASE IF EXISTS {self._database(name)} WITH (FORCE)")
        self.admin.close()


# --- comparing ----------------------------------------------------------------------------------------------------


def same_value(one: Any, other: Any) -> bool:
    """Equal as shown; floats within 1e-12."""
    if isinstance(one, float) and isinstance(other, float):
        if one != one or other != other:
            return one != one and other != other
        return one == other or abs(one - other) <= 1e-12 * max(abs(one), abs(other))
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return str(one) == str(other)
    return type(one) is type(other) and bool(one == other)


def _shown(row: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(f"{value:.9g}" if isinstance(value, float) else repr(value) for value in row)


def same_rows(one: list[tuple[Any, ...]], other: list[tuple[Any, ...]]) -> bool:
    return len(one) == len(other) and all(
        len(left) == len(right) and all(map(same_value, left, right)) for left, right in zip(one, other, strict=True)
    )


def difference(whole: Answer, sharded: Answer, order: str, keys: Sequence[int], unlimited: Answer | None) -> str | None:
    """What is wrong with the shards' answer, None if nothing is."""
    if whole.names != sharded.names:
        return f"names {sharded.names} instead of {whole.names}"
    if whole.types != sharded.types:
        return f"types {sharded.types} instead of {whole.types}"
    if len(whole.rows) != len(sharded.rows):
        return f"{len(sharded.rows)} rows instead of {len(whole.rows)}"
    if order == "total":
        return None if same_rows(whole.rows, sharded.rows) else "other rows, or another order"
    if order == "keys":
        padded = {at for at, type in enumerate(whole.types) if type == "bpchar"}
        ours = [_keys(row, keys, padded) for row in sharded.rows]
        theirs = [_keys(row, keys, padded) for row in whole.rows]
        # Sums of floats differ in their last digit with the order of addition, and so may the order by them.
        added = any(whole.types[at] in ("float4", "float8") for at in keys)
        if not same_rows(theirs, ours) and not added:
            return "another order"
    if unlimited is not None:
        missing = _extra(sharded.rows, unlimited.rows)
        return f"rows that are not there: {missing[:3]}" if missing else None
    one, other = sorted(whole.rows, key=_shown), sorted(sharded.rows, key=_shown)
    return None if same_rows(one, other) else "other rows"


def _keys(row: tuple[Any, ...], keys: Sequence[int], padded: set[int]) -> tuple[Any, ...]:
    """What the order is about; trailing blanks of char(n) are not."""
    return tuple(row[at].rstrip(" ") if at in padded and row[at] is not None else row[at] for at in keys)


def _extra(rows: list[tuple[Any, ...]], among: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    pool: dict[tuple[str, ...], int] = {}
    for row in among:
        pool[_shown(row)] = pool.get(_shown(row), 0) + 1
    extra = []
    for row in rows:
        if pool.get(_shown(row), 0) > 0:
            pool[_shown(row)] -= 1
        else:
            extra.append(row)
    return extra
