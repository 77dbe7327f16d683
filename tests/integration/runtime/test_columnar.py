"""Queries that DuckDB finishes: when it is chosen, what it sees, its limits, and what it leaves to PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest

import outgrow
from outgrow import Fleet
from outgrow.finish import DuckFinish, duckdb_missing
from outgrow.runtime.reading import columnar
from outgrow.topology import Copied, FinishLimits, Placement, Sharded, TableName
from tests.servers import Servers

pytestmark = pytest.mark.skipif(bool(duckdb_missing()), reason=duckdb_missing())
TABLES: dict[TableName, Placement] = {
    TableName("public", "parts"): Sharded(("id",)),
    TableName("public", "uses"): Sharded(("place",)),
    TableName("public", "kinds"): Copied(),
}
ROWS = 600
JOIN = (
    "SELECT k.name, count(*), sum(u.amount), avg(u.amount) FROM uses u JOIN parts p ON p.id = u.part "
    "JOIN kinds k ON k.id = p.kind GROUP BY k.name ORDER BY 1"
)


@pytest.fixture(scope="module")
def servers_with_rows(fleet_servers: Servers) -> Iterator[Any]:
    topology = fleet_servers.fresh(TABLES)
    for number, shard in enumerate(topology.domains[0].shards):
        with psycopg.connect(shard.primary.dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE parts (id int8 PRIMARY KEY, kind int4, label text)")
            connection.execute("CREATE TABLE uses (place int8, part int8, amount numeric(10,2), day date)")
            connection.execute("CREATE TABLE kinds (id int4 PRIMARY KEY, name text)")
            connection.execute("INSERT INTO kinds SELECT x, 'kind ' || x FROM generate_series(0, 6) x")
            mine = f"generate_series({number}, {ROWS}, 2) x"
            connection.execute(f"INSERT INTO parts SELECT x, x % 7, repeat('part ', 50) || x FROM {mine}")
            connection.execute(f"INSERT INTO uses SELECT x, x * 7 % {ROWS}, x / 100.0, date '2024-01-01' FROM {mine}")
    with outgrow.open(topology, install=True, rows_in_place=True):
        pass
    yield topology
    fleet_servers.drop(topology)


@pytest.fixture
def opened(servers_with_rows: Any) -> Iterator[Any]:
    """Opens fleets with these limits of the finish."""
    fleets: list[Fleet] = []

    def open_(**limits: Any) -> Fleet:
        domain = servers_with_rows.domains[0]
        changed = replace(domain, finish=replace(FinishLimits(), **limits))
        fleets.append(outgrow.open(replace(servers_with_rows, domains=(changed,))))
        return fleets[-1]

    yield open_
    for fleet in fleets:
        fleet.close()


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queries that DuckDB has answered."""
    found: list[str] = []
    rows = DuckFinish.rows

    def noted(self: DuckFinish, rendered: Any, zone: Any) -> Any:
        answer = rows(self, rendered, zone)
        found.append(rendered.sql)
        return answer

    monkeypatch.setattr(DuckFinish, "rows", noted)
    return found


def test_it_answers_as_postgresql_does(opened: Any, taken: list[str]) -> None:
    expected = opened(engine="postgresql").session().execute(JOIN)
    assert not taken
    given = opened(engine="duckdb").session().execute(JOIN)
    assert len(taken) == 1
    assert given.fields == expected.fields
    rows = given.fetchall()
    assert rows == (wanted := expected.fetchall()) and repr(rows) == repr(wanted)
    assert (given.statusmessage, given.rowcount) == (expected.statusmessage, 7)


def test_few_rows_stay_with_postgresql(opened: Any, taken: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened().session()
    with mock.patch.object(columnar, "answer_steps", side_effect=AssertionError):
        session.execute(JOIN)
    monkeypatch.setattr(columnar, "ROWS_MIN", ROWS)
    session.execute(JOIN)
    assert len(taken) == 1


def test_a_transaction_sees_its_own_rows(opened: Any, taken: list[str]) -> None:
    with opened(engine="duckdb").session() as session:
        before = session.execute(JOIN).fetchall()
        with pytest.raises(ZeroDivisionError), session.transaction():
            session.execute("INSERT INTO uses VALUES (%s, %s, %s)", [5000, 0, 1000])
            session.execute("UPDATE kinds SET name = 'kind none' WHERE id = 0")
            inside = {name: count for name, count, *_ in session.execute(JOIN).fetchall()}
            assert inside["kind none"] == before[0][1] + 1
            raise ZeroDivisionError
        assert session.execute(JOIN).fetchall() == before
    assert len(taken) == 3


def test_a_replica_is_read_like_by_the_other_finish(opened: Any, taken: list[str]) -> None:
    session = opened(engine="duckdb").session(level="eventual")
    assert all("replica" in node for node in session.execute(JOIN).nodes)
    session = opened(engine="duckdb").session(level="strong")
    assert all("primary" in node for node in session.execute(JOIN).nodes)
    assert len(taken) == 2


def test_what_it_raises_is_postgresql_s_to_raise(opened: Any, taken: list[str]) -> None:
    session = opened(engine="duckdb").session()
    with pytest.raises(outgrow.DataError, match="division by zero") as raised:
        session.execute("SELECT count(*) FROM uses u JOIN parts p ON p.id = u.part / (u.part - u.part + p.id - p.id)")
    assert raised.value.sqlstate == "22012"
    # BC is no date of DuckDB's.
    with session.transaction():
        session.execute("INSERT INTO uses VALUES (6000, 1, 1, '0044-03-15 BC')")
        text = "SELECT count(*) FROM uses u JOIN parts p ON p.id = u.part WHERE u.day + p.kind < '0001-01-01'"
        assert session.execute(text).fetchall() == [(1,)]
        session.execute("DELETE FROM uses WHERE place = 6000")
    assert not taken


def test_parameters_have_the_types_that_the_driver_gives_them(opened: Any, taken: list[str]) -> None:
    text = "SELECT p.id, %s FROM uses u JOIN parts p ON p.id = u.part AND p.id < %s WHERE u.day = %s ORDER BY 1"
    for value in (7, 70_000, 2**40, "it's {0}", None, 1.5, True):
        values = [value, 20, "2024-01-01"]
        expected = opened(engine="postgresql").session().execute(text, values)
        given = opened(engine="duckdb").session().execute(text, values)
        assert (given.fields, given.fetchall()) == (expected.fields, expected.fetchall())
    assert len(taken) == 7


def test_explain_says_who_finishes_and_why(opened: Any) -> None:
    def said(text: str, **limits: Any) -> str:
        finished: str = opened(**limits).explain(text).to_dict()["finished_by"]
        return finished

    assert said(JOIN) == f"DuckDB from {columnar.ROWS_MIN:,} rows on, as everything in it is vetted; PostgreSQL below"
    assert said(JOIN, engine="duckdb") == "DuckDB: everything in it is vetted"
    assert said(JOIN, engine="postgresql").startswith("PostgreSQL: the domain's finish:")
    regular = "SELECT count(*) FROM uses u JOIN parts p ON p.id = u.part AND p.label ~ u.day::text"
    assert said(regular) == "PostgreSQL: not vetted for DuckDB: a cast from date to text"
    with mock.patch.object(columnar, "duckdb_missing", return_value="DuckDB is not installed"):
        assert said(JOIN) == "PostgreSQL: DuckDB is not installed"


def test_without_duckdb_postgresql_finishes(opened: Any, taken: list[str]) -> None:
    with mock.patch.object(columnar, "duckdb_missing", return_value="DuckDB is not installed"):
        assert len(opened(engine="duckdb").session().execute(JOIN).fetchall()) == 7
    assert not taken


def test_too_little_memory_names_the_limit(opened: Any) -> None:
    session = opened(engine="duckdb", memory_bytes=2**20).session()
    text = "SELECT a.label, count(*) FROM parts a JOIN parts b ON b.kind <> a.kind GROUP BY a.label, b.label"
    with pytest.raises(outgrow.OperationalError, match="more than the 1 MB that finish: memory allows") as raised:
        session.execute(text)
    assert raised.value.code == "OG-FINISH-012"
    assert len(session.execute("SELECT code FROM (SELECT id AS code FROM kinds) AS k").fetchall()) == 7


def test_a_spill_directory_that_is_missing_is_named(opened: Any, tmp_path: Path, taken: list[str]) -> None:
    place = tmp_path / "spilled"
    session = opened(engine="duckdb", spill_directory=str(place)).session()
    with pytest.raises(outgrow.OperationalError, match=str(place)) as raised:
        session.execute(JOIN)
    assert raised.value.code == "OG-FINISH-010"
    place.mkdir()
    assert len(session.execute(JOIN).fetchall()) == 7
    assert len(taken) == 1


FULL = """
import resource, sys
from outgrow.finish import DuckFinish, Limits
from outgrow.errors import Error
from outgrow.plan import Rendered, Output
finish = DuckFinish(Limits(20 * 2**20, sys.argv[1], 1))
finish.fill("b1", ["text"], ["{" + ",".join(f"{x:0100}" for x in range(300_000)) + "}"], list)
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
try:
    finish.fill("b2", ["text"], ["{" + ",".join(f"{x:0100}" for x in range(300_000)) + "}"], list)
    finish.rows(Rendered("SELECT r.c1 FROM b1 r JOIN b2 s USING (c1) ORDER BY 1", {}, (Output("text", 0),)), None)
except Error as error:
    print(error)
"""


def test_a_spill_directory_that_is_full_is_named(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, env=environment, timeout=120
    )
    assert "OG-FINISH-011" in ran.stdout and str(tmp_path) in ran.stdout, (ran.stdout, ran.stderr[-2000:])


def test_a_time_limit_stops_it(opened: Any) -> None:
    session = opened(engine="duckdb").session()
    text = "SELECT count(*) FROM parts a, parts b, parts c, uses d WHERE a.id < b.id AND b.id < c.id AND d.place < c.id"
    with pytest.raises(outgrow.OperationalError) as raised:
        session.execute(text, timeout_seconds=0.5)
    assert raised.value.code == "OG-NODE-012"
    assert len(session.execute(JOIN).fetchall()) == 7


def test_asyncio_waits_for_it_and_cancels_it(opened: Any, taken: list[str]) -> None:
    fleet = opened(engine="duckdb")
    slow = "SELECT count(*) FROM parts a, parts b, parts c, uses d WHERE a.id < b.id AND b.id < c.id AND d.place < c.id"

    async def both() -> int:
        async with fleet.async_session() as session:
            rows = (await session.execute(JOIN)).fetchall()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(session.execute(slow), 0.5)
            return len(rows)

    assert asyncio.run(both()) == 7
    assert len(taken) == 1
