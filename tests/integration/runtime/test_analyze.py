"""`explain(analyze=True)`: what each part of a SELECT gave and took, whoever finishes it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

import outgrow
from outgrow import Fleet
from outgrow.finish import duckdb_missing
from outgrow.runtime.reading import staged
from outgrow.topology import Copied, FinishLimits, Placement, Sharded, TableName
from tests.integration.across.conftest import Sides, sides  # noqa: F401
from tests.servers import Servers

TABLES: dict[TableName, Placement] = {
    TableName("public", "parts"): Sharded(("id",)),
    TableName("public", "uses"): Sharded(("place",)),
    TableName("public", "kinds"): Copied(),
}
PARTS, USES = 3_000, 90
JOIN = "SELECT u.place, p.label FROM uses u JOIN parts p ON p.id = u.part ORDER BY u.place LIMIT 5"
GROUPED = (
    "SELECT k.name, count(*) FROM uses u JOIN parts p ON p.id = u.part JOIN kinds k ON k.id < p.kind + 1 GROUP BY 1"
)


@pytest.fixture(scope="module")
def topology(fleet_servers: Servers) -> Iterator[Any]:
    topology = fleet_servers.fresh(TABLES)
    for number, shard in enumerate(topology.domains[0].shards):
        with psycopg.connect(shard.primary.dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE parts (id int8 PRIMARY KEY, kind int4, label text)")
            connection.execute("CREATE TABLE uses (place int8, part int8)")
            connection.execute("CREATE TABLE kinds (id int4 PRIMARY KEY, name text)")
            connection.execute("INSERT INTO kinds SELECT x, 'kind ' || x FROM generate_series(0, 6) x")
            mine = f"generate_series({number}, %s, 2) x"
            connection.execute(f"INSERT INTO parts SELECT x, x %% 7, 'part ' || x FROM {mine}", [PARTS - 1])
            connection.execute(f"INSERT INTO uses SELECT x, x * 5 FROM {mine}", [USES - 1])
            connection.execute("ANALYZE")
    with outgrow.open(topology, install=True, rows_in_place=True):
        pass
    yield topology
    fleet_servers.drop(topology)


@pytest.fixture
def opened(topology: Any) -> Iterator[Any]:
    """Opens fleets with these limits of the finish."""
    fleets: list[Fleet] = []

    def open_(**limits: Any) -> Fleet:
        domain = replace(topology.domains[0], finish=replace(FinishLimits(), **limits))
        fleets.append(outgrow.open(replace(topology, domains=(domain,))))
        return fleets[-1]

    yield open_
    for fleet in fleets:
        fleet.close()


def analyzed(fleet: Fleet, sql: str, params: Any = None, **more: Any) -> tuple[dict[str, Any], str]:
    explanation = fleet.explain(sql, params, analyze=True, **more)
    facts = explanation.to_dict()["analyzed"]
    assert all(part["seconds"] >= 0 for part in facts["parts"])
    return facts, str(explanation)


def test_one_shard(opened: Any) -> None:
    fleet = opened()
    facts, shown = analyzed(fleet, "SELECT label FROM parts WHERE id = %s", [14])
    (part,) = facts["parts"]
    assert (part["stage"], part["rows"], part["rows_expected"], part["bytes"]) == (1, 1, 1, len("part 14"))
    assert part["node"].startswith("app/") and facts["rows"] == 1
    assert facts["finish"] == {"by": "nobody: one shard answered"}
    assert f"1. fragment of {part['node']}: 1 rows (some 1 expected), 7 bytes" in shown


def test_fragments(opened: Any) -> None:
    facts, shown = analyzed(opened(), "SELECT kind, count(*) FROM parts GROUP BY kind")
    assert [(part["rows"], part["rows_expected"]) for part in facts["parts"]] == [(7, 7), (7, 7)]
    assert {part["node"].split("/")[1] for part in facts["parts"]} == {"s1", "s2"}
    finish = facts["finish"]
    assert (finish["by"], finish["rows_in"], finish["rows"]) == ("stream", 14, 7)
    assert finish["bytes_in"] == sum(part["bytes"] for part in facts["parts"])
    assert "finished by stream at this process: 14 rows" in shown


def test_rows_in_stages(opened: Any) -> None:
    """Few rows say which of many matter; what was expected stands beside what came."""
    facts, shown = analyzed(opened(), JOIN)
    stages = [(part["stage"], part["asked_for"], part["rows"]) for part in facts["parts"]]
    assert sorted(stages) == [(1, "b1", 45), (1, "b1", 45), (2, "b2", 30), (2, "b2", 60)] or (
        sum(rows for stage, _, rows in stages if stage == 1) == USES
        and sum(rows for stage, _, rows in stages if stage == 2) == USES
    )
    assert all("bytes_sent" in part for part in facts["parts"] if part["stage"] == 2)
    came = {each["bring"]: each for each in facts["brought"]}
    assert (came["b1"]["rows"], came["b1"]["rows_expected"]) == (USES, USES)
    assert came["b2"]["rows"] == USES and came["b2"]["rows_expected"] == PARTS
    finish = facts["finish"]
    assert (finish["by"], finish["rows_in"], finish["rows"]) == ("PostgreSQL", 2 * USES, 5)
    assert finish["bytes_in"] > 0 and finish["at"].startswith("app/s")
    assert f"b2: {USES} rows (some {PARTS:,} expected)" in shown


def test_rows_all_at_once(opened: Any) -> None:
    """In a transaction its branches answer, and nobody is asked for estimates."""
    with opened().session() as session, session.transaction():
        session.execute("INSERT INTO uses VALUES (1000, 7)")
        facts, _ = analyzed(opened(), JOIN, session=session)
        session.execute("DELETE FROM uses WHERE place = 1000")
    assert sum(part["rows"] for part in facts["parts"]) == PARTS + USES + 1
    assert {part["stage"] for part in facts["parts"]} == {1}
    assert [each["rows"] for each in facts["brought"]] == [USES + 1, PARTS]
    assert "rows_expected" not in facts["brought"][0]
    assert facts["finish"]["rows_in"] == PARTS + USES + 1


@pytest.mark.parametrize("isolation", ["", "REPEATABLE READ"])
def test_rows_in_stages_in_a_transaction(opened: Any, isolation: str) -> None:
    fleet = opened()
    with fleet.session() as session, session.transaction():
        if isolation:
            session.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
        facts, _ = analyzed(fleet, JOIN, session=session)
    assert {part["asked_for"] for part in facts["parts"]} == {"b1", "b2"}
    assert facts["finish"]["rows_in"] == 2 * USES
    assert [each["rows_expected"] for each in facts["brought"]] == [USES, PARTS]


def test_what_was_for_nothing_is_not_counted(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages that end in the loss of a server are left for one try of all at once."""
    lost = outgrow.errors.NodeLost("OG-NODE-001", "gone")
    monkeypatch.setattr(staged.Staging, "_finish_steps", lambda *_: (_ for _ in ()).throw(lost))
    facts, _ = analyzed(opened(), JOIN)
    assert [each["rows"] for each in facts["brought"]] == [USES, PARTS]
    assert sum(part["rows"] for part in facts["parts"]) == USES + PARTS


@pytest.mark.skipif(bool(duckdb_missing()), reason=duckdb_missing())
@pytest.mark.parametrize("inside", [False, True])
def test_duckdb(opened: Any, inside: bool) -> None:
    fleet = opened(engine="duckdb")
    with fleet.session() as session, session.transaction() if inside else contextlib.nullcontext():
        facts, shown = analyzed(fleet, GROUPED, session=session)
    finish = facts["finish"]
    assert (finish["by"], finish["at"], finish["rows"], finish["rows_of_server"]) == ("DuckDB", "this process", 7, 7)
    assert "before: types, and 7 rows of tables that a server has itself" in shown


def test_domains(sides: Sides) -> None:  # noqa: F811
    sql = "SELECT o.id, u.name FROM orders o JOIN users u ON u.id = o.customer WHERE o.id = 5"
    facts, shown = analyzed(sides.fleet, sql)
    assert {part["node"].split("/")[0] for part in facts["parts"]} == {"sales", "users"}
    assert {part["stage"]: part["rows"] for part in facts["parts"] if part["rows"]} == {1: 1, 2: 1}
    assert [(each["bring"], each["rows"]) for each in facts["brought"]] == [
        ("sales: orders", 1),
        ("users: users.users", 1),
    ]
    finish = facts["finish"]
    assert (finish["by"], finish["rows_in"], finish["rows"]) == ("PostgreSQL", 2, 1)
    assert "finished by PostgreSQL at sales/" in shown


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO uses VALUES (2000, 1)",
        "UPDATE uses SET part = 0",
        "SELECT * FROM uses FOR UPDATE",
        "WITH gone AS (DELETE FROM uses RETURNING part) SELECT count(*) FROM gone",
        "SELECT pg_advisory_lock(1)",
        "CREATE TABLE more (id int8)",
        "BEGIN",
        "SET work_mem = '1MB'",
    ],
)
def test_only_reads_are_run(opened: Any, sql: str) -> None:
    fleet = opened()
    before = fleet.execute("SELECT count(*), sum(part) FROM uses").fetchall()
    with pytest.raises(outgrow.NotSupportedError) as raised:
        fleet.explain(sql, analyze=True)
    assert raised.value.code == "OG-RUN-170"
    assert fleet.execute("SELECT count(*), sum(part) FROM uses").fetchall() == before


def test_its_errors_are_the_statement_s(opened: Any) -> None:
    fleet = opened(rows_max=10)
    with fleet.session() as session:
        with pytest.raises(outgrow.NotSupportedError, match="OG-RUN-100"):
            fleet.explain(JOIN, analyze=True, session=session)
        session.execute("SELECT 1")
