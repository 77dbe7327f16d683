"""Queries whose rows come to one server, beside one PostgreSQL with the same rows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

import outgrow
from outgrow import Fleet
from outgrow.plan.bringing import staging
from outgrow.runtime.reading.staged import NoEstimate, Staging
from outgrow.topology import Copied, FinishLimits, Placement, Sharded, Single, TableName
from tests.servers import Servers

TABLES: dict[TableName, Placement] = {
    TableName("public", "goods"): Sharded(("id",)),
    TableName("public", "sales"): Sharded(("buyer",)),
    TableName("public", "kinds"): Sharded(("id",)),
    TableName("public", "loud"): Sharded(("id",)),
    TableName("public", "countries"): Copied(),
    TableName("public", "here"): Single("s1"),
    TableName("public", "there"): Single("s2"),
}
#: Every kind of type whose text or arrays have ways of their own.
COLUMNS = {
    "mood": ("mood", "'sad'", "'ok'"),
    "code": ("char(4)", "'a'", "'b  '"),
    "bits": ("bit(5)", "'10110'", "'00001'"),
    "few": ("varbit", "'1'", "'101101'"),
    "nums": ("int4[]", "'{1,NULL,3}'", "'[2:3]={4,5}'"),
    "grid": ("text[]", r"""'{{a,"b,c"},{NULL,"d\"e"}}'""", "'{}'"),
    "pair": ("pair", "ROW(1, 'x,\"y')", "ROW(NULL, '')"),
    "limited": ("limited", "7", "99"),
    "box": ("box", "'(1,1),(0,0)'", "'(3,4),(1,2)'"),
    "span": ("int4range", "'[1,5)'", "'empty'"),
    "spans": ("nummultirange", "'{[1,2],(3.5,)}'", "'{}'"),
    "doc": ("jsonb", """'{"a": [1, "{x}", null]}'""", "'\"\"'"),
    "raw": ("json", """'{ "a" : 1.0 }'""", "'[1 ,2]'"),
    "half": ("float4", "0.1", "'NaN'"),
    "wide": ("float8", "1e-310", "0.30000000000000004"),
    "exact": ("numeric", "1.500", "'NaN'"),
    "blob": ("bytea", r"'\x00ff5c'", "''"),
    "long": ("interval", "'1 year -3 days 04:05:06.7'", "'-00:00:01'"),
    "zoned": ("timestamptz", "'0044-03-15 12:00:00 BC'", "'infinity'"),
    "daily": ("timetz", "'12:34:56.789+05:30'", "'24:00:00-08'"),
    "found": ("tsvector", "'a:1A b:2'", "''"),
    "said": ('text COLLATE "POSIX"', "E'quo\"te\\\\slash'", "'NULL'"),
    "name": ("name", "'x'", "'y z'"),
    "money": ("money", "'12.34'", "'-0.05'"),
    "net": ("inet", "'10.0.0.0/8'", "'::1'"),
    "path": ("ltree_like", "'a'", "'b'"),
}
SETUP = (
    "CREATE TYPE mood AS ENUM ('sad', 'ok')",
    "CREATE TYPE pair AS (a int4, b text)",
    "CREATE DOMAIN limited AS int4 CHECK (VALUE < 100)",
    'CREATE DOMAIN ltree_like AS text COLLATE "C"',
    f"CREATE TABLE kinds (id int8 PRIMARY KEY, {', '.join(f'{name} {kind[0]}' for name, kind in COLUMNS.items())})",
    "CREATE TABLE goods (id int8 PRIMARY KEY, label text, price numeric(8,2), made date)",
    "CREATE TABLE sales (buyer int8, good int8, amount int4, at timestamptz DEFAULT '2024-01-01', note text)",
    "CREATE TABLE countries (code text PRIMARY KEY, name text)",
    "CREATE TABLE here (name text, n int4)",
    "CREATE TABLE there (name text, n int4)",
)
FILLED = (
    *(f"INSERT INTO goods VALUES ({n}, 'good {n % 4}', {n}.50, '2024-01-{n:02}')" for n in range(1, 10)),
    *(
        f"INSERT INTO sales (buyer, good, amount, note) VALUES ({n % 7}, {n % 11}, {n % 5}, 'note {n % 3}')"
        for n in range(1, 40)
    ),
    "INSERT INTO sales (buyer, good, amount) VALUES (3, NULL, NULL), (NULL, 4, 2)",
    "INSERT INTO countries VALUES ('DE', 'good 1'), ('FR', 'good 9')",
    "INSERT INTO here VALUES ('good 1', 1), ('x', 2)",
    "INSERT INTO there VALUES ('good 1', 1), ('good 2', 5)",
    *(
        f"INSERT INTO kinds VALUES ({n}, "
        + ", ".join("NULL" if n == 3 else kind[1 + n % 2] for kind in COLUMNS.values())
        + ")"
        for n in range(1, 6)
    ),
    # Equal to those of others, and not the same.
    "INSERT INTO kinds (id, exact) SELECT n, 1.500 FROM generate_series(11, 20) n",
    "INSERT INTO kinds (id, exact) SELECT n, 1.5 FROM generate_series(21, 30) n",
)


@dataclass
class Sides:
    fleet: Fleet
    plain: psycopg.Connection[Any]

    def same(self, sql: str, params: Sequence[Any] | None = None, session: Any = None) -> None:
        """Names, types, values and order."""
        theirs = self.plain.execute(sql, params)  # type: ignore[call-overload]
        ours = (session or self.fleet).execute(sql, params)
        described = theirs.description or []
        assert [field.name for field in ours.fields] == [column.name for column in described]
        for field, column in zip(ours.fields, described, strict=True):
            # Numbers of one's own types differ from server to server.
            assert field.oid == column.type_code or min(field.oid, column.type_code) >= 16384, (sql, field)
        # As text, so that NaN equals itself.
        assert repr(ours.fetchall()) == repr(theirs.fetchall()), sql


@pytest.fixture(scope="module")
def sides(fleet_servers: Servers) -> Iterator[Sides]:
    topology, plain = fleet_servers.fresh(TABLES), fleet_servers.fresh()
    with (
        outgrow.open(topology, install=True) as fleet,
        psycopg.connect(plain.domains[0].home.primary.dsn, autocommit=True) as connection,
    ):
        for sql in (*SETUP, *FILLED):
            fleet.execute(sql)
            connection.execute(sql)  # type: ignore[call-overload]
        yield Sides(fleet, connection)
    fleet_servers.drop(topology)
    fleet_servers.drop(plain)


QUERIES = [
    line for line in Path(__file__).with_name("bringing.sql").read_text().splitlines() if line[:2] not in ("--", "")
]


@pytest.mark.parametrize("sql", QUERIES)
def test_the_same_answer(sides: Sides, sql: str) -> None:
    sides.same(sql)


@pytest.fixture
def narrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few rows there are, those that come first say which of the others do."""
    monkeypatch.setattr(staging, "FEW_ROWS", 0)
    monkeypatch.setattr(staging, "TIMES_FEWER", 0)


@pytest.mark.parametrize("sql", [query for query in QUERIES if "JOIN" in query or "goods" in query])
def test_the_same_answer_from_narrowed_rows(sides: Sides, sql: str, narrowed: None) -> None:
    # A text of its own: estimates are kept with a plan.
    sides.same(sql + " ")


def test_explain_shows_who_narrows_whom(sides: Sides, narrowed: None) -> None:
    shown = sides.fleet.explain(
        "SELECT s.note FROM goods g JOIN sales s ON s.good = g.id WHERE g.price = 1.5"
    ).to_dict()
    assert [line.split(":")[0] for line in shown["stages"]] == ["1. b1", "2. b2"]
    assert shown["stages"][1].endswith("narrowed to s.good among b1.c1"), shown["stages"]


def test_a_shards_rows_are_of_one_moment(sides: Sides, narrowed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two stages somebody changes rows of both on one shard: that is seen wholly or not at all."""
    whole = Staging._stage_steps
    changed = "WITH g AS (UPDATE goods SET label = 'late' WHERE id = 5) UPDATE sales SET note = 'late' WHERE good = 5"

    def disturbed(self: Staging, *arguments: Any) -> Any:
        yield from whole(self, *arguments)
        for shard in sides.fleet.topology.domains[0].shards:
            with psycopg.connect(shard.primary.dsn, autocommit=True) as connection:
                connection.execute(changed)  # type: ignore[call-overload]

    sql = "SELECT DISTINCT g.label, s.note FROM goods g JOIN sales s ON s.good = g.id WHERE g.id = 5"
    with sides.fleet.session(level="strong") as session:
        before = session.execute(sql + " ORDER BY 1, 2").fetchall()
        try:
            monkeypatch.setattr(Staging, "_stage_steps", disturbed)
            assert session.execute(sql + " ORDER BY 2, 1").fetchall() == sorted(before, key=lambda row: row[::-1])
            monkeypatch.undo()
            assert session.execute(sql).fetchall() == [("late", "late")]
        finally:
            for sqls in ("UPDATE goods SET label = 'good 1' WHERE id = 5", *restored(sides)):
                session.execute(sqls)


def restored(sides: Sides) -> list[str]:
    rows = sides.plain.execute("SELECT buyer, amount, note FROM sales WHERE good = 5").fetchall()
    return [f"UPDATE sales SET note = '{note}' WHERE buyer = {b} AND amount = {a} AND good = 5" for b, a, note in rows]


def test_tables_without_statistics(sides: Sides, narrowed: None) -> None:
    """Nobody has analysed them: what servers expect then is anything, and what comes is right."""
    for table in ("fresh", "older"):
        for sql in (
            f"CREATE TABLE {table} (id int8, part int8)",
            f"INSERT INTO {table} SELECT x, x % 7 FROM generate_series(1, 200) x",
        ):
            sides.plain.execute(sql)  # type: ignore[call-overload]
    for table in ("fresh", "older"):
        sides.fleet.place(table, shard_by="id")
        sides.fleet.execute(f"CREATE TABLE {table} (id int8, part int8)")
        sides.fleet.execute(f"INSERT INTO {table} SELECT x, x % 7 FROM generate_series(1, 200) x")
    with psycopg.connect(sides.fleet.topology.domains[0].home.primary.dsn) as connection:
        known = connection.execute("SELECT count(*) FROM pg_stats WHERE tablename IN ('fresh', 'older')").fetchone()
    assert known == (0,)
    sql = "SELECT count(*), sum(o.id) FROM fresh f JOIN older o ON o.part = f.id WHERE f.id % 3 = 0"
    sides.same(sql)
    assert all("some " in line and "rows" in line for line in sides.fleet.explain(sql).to_dict()["stages"])


def test_with_parameters(sides: Sides) -> None:
    sql = (
        "SELECT s.note, g.label, %s::text FROM sales s JOIN goods g ON g.id = s.good"
        " WHERE s.amount = %s AND g.price > %s ORDER BY 1, 2, s.buyer"
    )
    sides.same(sql, ["it's %", 2, 3])
    sides.same(sql, [None, 77, 3])


@pytest.mark.parametrize("column", COLUMNS)
def test_values_of_every_type_come_unchanged(sides: Sides, column: str) -> None:
    sides.same(
        f"SELECT a.id, a.{column}::text, b.{column}::text FROM kinds a JOIN kinds b ON a.id + b.id = 6 ORDER BY 1"
    )


def test_values_mean_the_same_afterwards(sides: Sides) -> None:
    """Collations, order of enums, lengths of bits: what a column's type says beyond its values."""
    sides.same("SELECT count(*) FROM kinds a JOIN kinds b ON a.said < b.said")
    sides.same("SELECT a.mood FROM kinds a JOIN kinds b ON a.mood > b.mood ORDER BY 1")
    sides.same("SELECT count(*) FROM kinds a JOIN kinds b ON a.code = b.code AND length(a.bits) = length(b.bits)")
    sides.same("SELECT a.nums[1], a.nums[2], (a.pair).b FROM kinds a JOIN kinds b ON a.id = b.id + 1 ORDER BY a.id")


def test_a_collation_that_is_blind_to_case(sides: Sides) -> None:
    made = "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
    try:
        sides.plain.execute(made)
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this server has no ICU")
    table = 'CREATE TABLE loud (id int8, word text COLLATE blind, other text COLLATE "und-x-icu")'
    sides.plain.execute(table)
    sides.fleet.execute(made)
    sides.fleet.execute(table)
    rows = "INSERT INTO loud VALUES (1, 'Ä', 'b'), (2, 'ä', 'B'), (3, 'x', 'a'), (4, 'X', 'C')"
    sides.fleet.execute(rows)
    sides.plain.execute(rows)  # type: ignore[call-overload]
    sides.same("SELECT a.id, b.id FROM loud a JOIN loud b ON a.word = b.word ORDER BY 1, 2")
    sides.same("SELECT a.id, b.id FROM loud a JOIN loud b ON a.other < b.other ORDER BY 1, 2")


def test_a_transactions_own_writes_count(sides: Sides) -> None:
    """Of sharded, copied and single tables, and of nobody else."""
    sql = (
        "SELECT g.id, c.name, h.n, s.buyer FROM goods g LEFT JOIN countries c ON c.name = g.label"
        " LEFT JOIN here h ON h.name = g.label LEFT JOIN sales s ON s.good = g.id + 100 ORDER BY 1, 2, 3, 4"
    )
    writes = (
        "UPDATE goods SET label = 'other' WHERE id IN (1, 2, 3)",
        "INSERT INTO countries VALUES ('XX', 'other')",
        "INSERT INTO here VALUES ('other', 7)",
        "INSERT INTO sales (buyer, good) VALUES (1, 101), (2, 102), (3, 103)",
    )
    with sides.fleet.session() as session:
        session.execute("BEGIN")
        for write in writes:
            session.execute(write)
        ours = session.execute(sql).fetchall()
        before = sides.fleet.execute(sql).fetchall()
        session.execute("ROLLBACK")
    assert before == sides.plain.execute(sql).fetchall() != ours
    with sides.plain.transaction(force_rollback=True):
        for write in writes:
            sides.plain.execute(write)  # type: ignore[call-overload]
        assert ours == sides.plain.execute(sql).fetchall()


def test_replicas_answer_too(sides: Sides) -> None:
    result = sides.fleet.session(level="eventual").execute(QUERIES[0])
    assert all("replica" in node for node in result.nodes), result.nodes


def test_a_stream(sides: Sides) -> None:
    with sides.fleet.session() as session:
        rows = list(session.stream(QUERIES[0], chunk_rows=2))
    assert rows == sides.plain.execute(QUERIES[0]).fetchall()  # type: ignore[call-overload]


def test_under_asyncio(sides: Sides) -> None:
    async def main() -> list[Any]:
        async with sides.fleet.async_session() as session:
            return (await session.execute(QUERIES[0])).fetchall()

    assert asyncio.run(main()) == sides.plain.execute(QUERIES[0]).fetchall()  # type: ignore[call-overload]


def test_too_many_rows_are_refused(sides: Sides) -> None:
    domain = replace(sides.fleet.topology.domains[0], finish=FinishLimits(rows_max=30))
    with outgrow.open(replace(sides.fleet.topology, domains=(domain,))) as fleet:
        with pytest.raises(outgrow.NotSupportedError, match=r"OG-RUN-100.*30 rows of sales"):
            fleet.execute("SELECT count(*) FROM sales s JOIN goods g ON g.id = s.good")
        rows = fleet.execute("SELECT count(*) FROM sales s JOIN goods g ON g.id = s.good WHERE s.note = 'note 1'")
        assert (
            rows.fetchone()
            == sides.plain.execute(
                "SELECT count(*) FROM sales s JOIN goods g ON g.id = s.good WHERE s.note = 'note 1'"
            ).fetchone()
        )


@pytest.mark.parametrize("setting", ["extra_float_digits = 0", "DateStyle = 'SQL, DMY'"])
def test_settings_that_cut_values_off_are_refused(sides: Sides, setting: str) -> None:
    with sides.fleet.session() as session:
        session.execute(f"SET {setting}")
        with pytest.raises(outgrow.NotSupportedError, match="OG-RUN-101"):
            session.execute("SELECT a.wide, b.zoned::text FROM kinds a JOIN kinds b ON a.id = b.id + 1")
        session.execute("RESET ALL")
        sides.same(
            "SELECT a.wide, b.zoned::text FROM kinds a JOIN kinds b ON a.id = b.id + 1 ORDER BY a.id", None, session
        )


def test_in_another_time_zone_and_interval_style(sides: Sides) -> None:
    sql = "SELECT a.long::text, b.zoned::text, a.money::text FROM kinds a JOIN kinds b ON a.id = b.id + 1 ORDER BY a.id"
    settings = ("SET TimeZone = 'America/St_Johns'", "SET IntervalStyle = 'sql_standard'")
    with sides.fleet.session() as session:
        try:
            for setting in settings:
                session.execute(setting)
                sides.plain.execute(setting)  # type: ignore[call-overload]
            sides.same(sql, None, session)
        finally:
            sides.plain.execute("RESET ALL")


def test_what_is_still_refused(sides: Sides) -> None:
    for sql, code in {
        "SELECT random() FROM goods g JOIN sales s ON s.good = g.id": "OG-PLAN-018",
        "SELECT g FROM goods g JOIN sales s ON s.good = g.id": "OG-PLAN-010",
        "SELECT sum(a.half) FROM kinds a JOIN kinds b ON a.id = b.id + 1": "OG-PLAN-010",
        "SELECT g.id FROM goods g JOIN sales s ON s.good = g.id FOR UPDATE": "OG-PLAN-010",
    }.items():
        with pytest.raises(outgrow.NotSupportedError) as refused:
            sides.fleet.execute(sql)
        assert refused.value.code == code, sql


def test_a_shard_that_is_gone_may_be_missing(fleet_servers: Servers, sides: Sides) -> None:
    sql = "SELECT g.id FROM goods g JOIN sales s ON s.good = g.id ORDER BY 1"
    shard = sides.fleet.topology.domains[0].shards[1]
    with fleet_servers.restored():
        for node in (shard.primary, *shard.replicas):
            fleet_servers.kill(node)
        with sides.fleet.session() as session:
            with pytest.raises(outgrow.Error):
                session.execute(sql, timeout_seconds=5)
            # Each shard has its turn to run the query.
            results = [
                session.execute(sql, timeout_seconds=5, allow_partial=True)
                for _ in sides.fleet.topology.domains[0].shards
            ]
    for result in results:
        assert result.missing == (shard.name,)
        assert set(result.fetchall()) < set(sides.plain.execute(sql).fetchall())


def test_a_shard_that_says_nothing_holds_up_no_other(
    sides: Sides, narrowed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without estimates everything is brought at once."""

    def silent(self: Staging, *arguments: Any) -> Any:
        raise NoEstimate
        yield

    sql = "SELECT g.label, s.note FROM goods g JOIN sales s ON s.good = g.id WHERE g.price < 3 ORDER BY 1, 2, s.buyer  "
    monkeypatch.setattr(Staging, "_estimate_steps", silent)
    sides.same(sql)
    assert sides.fleet.explain(sql).to_dict()["stages"][0].startswith("not known")
