"""Writes that hand rows from shard to shard as text, where the servers are not set alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import outgrow
from outgrow import Fleet
from outgrow.errors import NotSupportedError
from outgrow.runtime.transaction import sources
from outgrow.topology import Sharded, TableName
from tests.servers import Servers

#: The whole of its digits is needed to tell it from 1.1.
VALUE = 1.1000000000000003


@pytest.fixture(params=["s1", "s2"])
def fleet(request: pytest.FixtureRequest, fleet_servers: Servers) -> Iterator[Fleet]:
    """One shard's database shortens numbers in text, as its owner has set it."""
    tables = {TableName("public", name): Sharded(("id",)) for name in ("here", "there")}
    topology = fleet_servers.fresh(tables)
    (shard,) = [shard for shard in topology.domains[0].shards if shard.name == request.param]
    [[database]] = fleet_servers.sql(shard.primary, "SELECT current_database()")
    fleet_servers.sql(shard.primary, f"ALTER DATABASE {database} SET extra_float_digits = 0")
    try:
        with outgrow.open(topology, install=True) as opened:
            with opened.session() as session:
                for name in ("here", "there"):
                    session.execute(f"CREATE TABLE {name} (id int8 PRIMARY KEY, value float8, groups int4)")
                for key in range(1, 13):
                    session.execute("INSERT INTO here VALUES (%s, %s, 1)", [key, VALUE])
                session.execute("INSERT INTO there VALUES (1001, 0, 1), (1002, 0, 1)")
            yield opened
    finally:
        fleet_servers.sql(shard.primary, f"ALTER DATABASE {database} RESET extra_float_digits")
        fleet_servers.drop(topology)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO there (id, value) SELECT id + 100, value FROM here",
        "INSERT INTO there (id, value) SELECT id + 100, value FROM here ORDER BY id LIMIT 7",
        "INSERT INTO there (id, value) SELECT min(id) + 100, max(value) FROM here GROUP BY groups",
        "UPDATE there SET value = (SELECT max(value) FROM here)",
        "MERGE INTO there t USING (SELECT id + 100 AS id, value FROM here) s ON s.id = t.id "
        "WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.value)",
        "WITH gone AS (DELETE FROM here RETURNING id, value) INSERT INTO there SELECT id + 100, value FROM gone",
        "WITH gone AS (UPDATE here SET id = id + 50 RETURNING id, value) "
        "INSERT INTO there SELECT id + 100, value FROM gone",
    ],
)
def test_no_value_is_shortened_on_its_way(fleet: Fleet, sql: str) -> None:
    with fleet.session() as session:
        with pytest.raises(NotSupportedError, match="OG-RUN-101"):
            session.execute(sql)
        # (What is read is text as well.)
        session.execute("SET extra_float_digits = 1")
        assert session.execute("SELECT count(*), min(value), max(value) FROM here").fetchall() == [(12, VALUE, VALUE)]
        assert session.execute("SELECT count(*), max(value) FROM there").fetchall() == [(2, 0.0)]


def test_rows_that_come_at_once(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_follow_each_other", lambda plan: False)
    test_no_value_is_shortened_on_its_way(fleet, "INSERT INTO there (id, value) SELECT id + 100, value FROM here")


def test_rows_of_one_shard(fleet: Fleet) -> None:
    """Of a shard that says all of its values they go wherever they belong; the other one's are refused."""
    for key in range(1, 13):
        with fleet.session() as session:
            # The branch that says the types is not the one that has the row.
            session.execute("BEGIN")
            session.execute("UPDATE there SET groups = 2")
            try:
                session.execute("INSERT INTO there (id, value) SELECT id + 100, value FROM here WHERE id = %s", [key])
            except NotSupportedError as error:
                assert error.code == "OG-RUN-101"
                session.execute("ROLLBACK")
            else:
                session.execute("COMMIT")
    with fleet.session() as session:
        session.execute("SET extra_float_digits = 1")
        found = session.execute("SELECT DISTINCT value FROM there WHERE id < 1000").fetchall()
        assert found in ([], [(VALUE,)])


def test_servers_that_are_set_alike_again(fleet: Fleet) -> None:
    with fleet.session() as session:
        session.execute("SET extra_float_digits = 1")
        session.execute("INSERT INTO there (id, value) SELECT id + 100, value FROM here")
        found = session.execute("SELECT count(*), min(value) FROM there WHERE id < 1000").fetchall()
        assert found == [(12, VALUE)]
