"""The two sides: a sharded fleet and one plain database with the same rows."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg

import outgrow
from outgrow.keyspace import coerce
from outgrow.plan.bringing import staging
from outgrow.topology import Copied, Domain, Placement, Sharded, Single, TableName, Topology
from tests import pgbouncer
from tests.differential.block import Case
from tests.differential.compare import Answer, Failure, Verdict, judge
from tests.differential.own import definitions
from tests.differential.strategies import Places, placed
from tests.differential.world import COLLATION, EVERY, Tab, ddl, rows_of
from tests.servers import Servers, serving

LEVELS = ("session", "strong", "eventual", "bounded(60)")
#: DDL's spelling of a type → the catalogue's.
CATALOGUE = {"varchar": "varchar", "char": "bpchar"}

#: Types as outgrow names them.
TYPE_NAMES = """
    SELECT t.oid, CASE WHEN n.nspname = 'pg_catalog' THEN t.typname ELSE n.nspname || '.' || t.typname END
    FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
"""


@dataclass(frozen=True, slots=True)
class How:
    """How a statement is asked: the session's level, inside a transaction or not, as a stream, explained before."""

    level: str = "session"
    transaction: bool = False
    stream: bool = False
    explain: bool = False

    @classmethod
    def drawn(cls, rng: random.Random) -> How:
        return cls(rng.choice(LEVELS), rng.random() < 0.25, rng.random() < 0.15, rng.random() < 0.05)


class Undo(Exception):
    """Leaves a transaction without committing it."""


class Sides:
    """Ask both, compare.  For one thread."""

    def __init__(self, fleet: outgrow.Fleet, plain: psycopg.Connection[Any], atomic: bool = False) -> None:
        self.fleet = fleet
        self.plain = plain
        #: All sessions have atomic_reads, and transactions are such that they can be.
        self.atomic = atomic
        self.sessions = {level: fleet.session(level=level, atomic_reads=atomic) for level in LEVELS}
        self.cursors = {"%s": plain.cursor(), "$": psycopg.RawCursor(plain)}
        self.type_names = dict(plain.execute(TYPE_NAMES).fetchall())

    def verdict(self, case: Case, how: How) -> tuple[Verdict, Answer | Failure, Answer | Failure]:
        """(verdict, the plain answer, the fleet's)."""
        text, params = case.render()
        if case.written:
            expected, given = self.write_plain(case), self.write_fleet(case, how)
        else:
            expected = self.ask_plain(text, params, case.style)
            given = self.ask_fleet(text, params, how)
            if how.stream and isinstance(given, Answer) and isinstance(expected, Answer):
                # A stream gives rows alone.
                given = replace(given, columns=expected.columns, types=expected.types)

        def unlimited() -> Answer | Failure:
            return self.ask_plain(*case.render(unlimited=True), case.style)

        return judge(case, expected, given, unlimited), expected, given

    def ask_plain(self, text: str, params: list[object] | None, style: str) -> Answer | Failure:
        cursor = self.cursors[style]
        try:
            cursor.execute(text, params)
            if cursor.description is None:
                return Answer((), (), [("affected", cursor.rowcount)])
            description = cursor.description
            types = tuple(self.type_names[column.type_code] for column in description)
            return Answer(tuple(column.name for column in description), types, cursor.fetchall())
        except psycopg.Error as error:
            return Failure("", error.sqlstate or "", type(error).__name__, str(error))

    def ask_fleet(self, text: str, params: list[object] | None, how: How) -> Answer | Failure:
        session = self.sessions[how.level]
        try:
            if how.explain:
                str(self.fleet.explain(text, params))
            with session.transaction(read_only=self.atomic) if how.transaction else contextlib.nullcontext():
                if how.stream:
                    return Answer((), (), list(session.stream(text, params)))
                return _answer(session.execute(text, params))
        except Exception as error:
            return self._failed(error, how)

    def write_plain(self, case: Case) -> Answer | Failure:
        """What the write says, then the table as it left it."""
        with self.plain.transaction(force_rollback=True):
            given = self.ask_plain(*case.render(), case.style)
            after = self.ask_plain(f"SELECT * FROM {case.written}", None, "%s")
        return _with(given, after.rows) if isinstance(after, Answer) else given

    def write_fleet(self, case: Case, how: How) -> Answer | Failure:
        session = self.sessions[how.level]
        given: Answer | Failure = Failure("crash", "", "AssertionError", "not asked")
        try:
            with session.transaction("REPEATABLE READ" if self.atomic else ""):
                given = _answer(session.execute(*case.render()))
                given = _with(given, session.execute(f"SELECT * FROM {case.written}").fetchall())
                raise Undo
        except Undo:
            return given
        except Exception as error:
            return self._failed(error, how)

    def _failed(self, error: Exception, how: How) -> Failure:
        if isinstance(error, outgrow.Error):
            return Failure(error.code, error.sqlstate or "", type(error).__name__, str(error))
        # A defect: never the right answer, and its place is worth knowing.
        self.sessions[how.level] = self.fleet.session(level=how.level, atomic_reads=self.atomic)
        return Failure("crash", "", type(error).__name__, f"{type(error).__name__}: {error} {_place(error)}")


def _answer(result: outgrow.Result) -> Answer:
    if not result.fields and not result.statusmessage.startswith("SELECT"):
        return Answer((), (), [("affected", result.rowcount)])
    return Answer(result.columns, tuple(field.type for field in result.fields), result.fetchall())


def _with(answer: Answer | Failure, after: list[Any]) -> Answer | Failure:
    """The rows of the table are marked, so that they cannot stand in for rows returned."""
    if isinstance(answer, Failure):
        return answer
    return replace(answer, rows=[*answer.rows, *(("after", *row) for row in after)])


def _place(error: BaseException) -> str:
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return f"at {at.tb_frame.f_code.co_filename.rpartition('outgrow/')[2]}:{at.tb_lineno}" if at else ""


def placements(shards: list[str]) -> dict[TableName, Placement]:
    """What `fleet.yaml` would say of the world's tables; single tables live on the last shard."""
    found: dict[TableName, Placement] = {}
    for table in EVERY:
        kinds: dict[str, Placement] = {"copied": Copied(), "single": Single(shards[-1])}
        found[TableName("public", table.name)] = kinds.get(table.placement, Sharded(table.key))
    return found


@contextlib.contextmanager
def narrowed() -> Iterator[None]:
    """Rows that are brought are narrowed by others', however few there are."""
    before = staging.FEW_ROWS, staging.TIMES_FEWER
    staging.FEW_ROWS, staging.TIMES_FEWER = 0, 1
    try:
        yield
    finally:
        staging.FEW_ROWS, staging.TIMES_FEWER = before


@contextlib.contextmanager
def opened(
    shards: int = 3,
    seed: int = 1,
    servers: Servers | None = None,
    strategy: str = "hash",
    behind: str = "",
    finish: str = "auto",
    atomic: bool = False,
) -> Iterator[Sides]:
    """Both sides with data; `servers` that run already are used (then `shards` counts for nothing)."""
    with contextlib.ExitStack() as stack:
        if servers is None:
            servers = stack.enter_context(serving(shards, 0))
        empty = servers.fresh()
        stack.callback(servers.drop, empty)
        names = [shard.name for shard in empty.domains[0].shards]
        domain = placed(empty.domains[0], strategy, placements(names))
        domain = replace(domain, finish=replace(domain.finish, engine=finish))
        topology = replace(empty, domains=(domain,))
        places = Places(domain)
        fill_shards(domain, seed, places)
        plain = stack.enter_context(plain_side(servers, seed))
        stack.enter_context(narrowed())
        fleet = stack.enter_context(outgrow.open(stood(stack, topology, behind), install=True, rows_in_place=True))
        places.record()
        yield Sides(fleet, plain, atomic)


def stood(stack: contextlib.ExitStack, topology: Topology, behind: str) -> Topology:
    """The topology with the pooler before every server, if there is to be one."""
    if not behind:
        return topology
    pooler = stack.enter_context(pgbouncer.before(topology))
    assert pooler.topology is not None
    return pooler.topology


@contextlib.contextmanager
def plain_side(servers: Servers, seed: int) -> Iterator[psycopg.Connection[Any]]:
    """One database more, on the first shard's server, that has all rows."""
    primary = servers.domain.home.primary
    servers.sql(primary, "DROP DATABASE IF EXISTS plain WITH (FORCE)", database="postgres")
    servers.sql(primary, "CREATE DATABASE plain OWNER app", database="postgres")
    dsn = psycopg.conninfo.make_conninfo(primary.dsn, dbname="plain")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(COLLATION)
        for table in EVERY:
            connection.execute(ddl(table))
            _copy(connection, table, rows_of(table, seed))
        for sql in definitions():
            connection.execute(sql)  # type: ignore[call-overload]
        yield connection


def fill_shards(domain: Domain, seed: int, places: Places, tables: Sequence[Tab] = EVERY) -> None:
    for shard in domain.shards:
        with psycopg.connect(shard.primary.dsn, autocommit=True) as connection:
            connection.execute(COLLATION)
            for table in tables:
                connection.execute(ddl(table))
                rows = rows_of(table, seed)
                if table.placement == "single" and shard is not domain.shards[-1]:
                    connection.execute(f"DROP TABLE {table.name}")
                    continue
                if table.key:
                    rows = [row for row in rows if _owner(places, table, row) == shard.name]
                _copy(connection, table, rows)
            for sql in definitions() if tables is EVERY else ():
                connection.execute(sql)  # type: ignore[call-overload]


def _owner(places: Places, table: Tab, row: tuple[Any, ...]) -> str:
    columns = [table.col(name) for name in table.key]
    spelled = [column.type.split("(")[0] for column in columns]
    types = tuple(CATALOGUE.get(name, name) for name in spelled)
    values = [row[table.cols.index(column)] for column in columns]
    return places.shard(types, tuple(coerce(t, v) for t, v in zip(types, values, strict=True)))


def _copy(connection: psycopg.Connection[Any], table: Tab, rows: list[tuple[Any, ...]]) -> None:
    with connection.cursor().copy(f"COPY {table.name} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
