"""DDL on real servers: recorded, resumed, never in the way for long; and placements that follow the tables."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

import outgrow
from outgrow import Fleet
from outgrow.runtime import domain
from outgrow.runtime.definitions import exclusive, parts
from outgrow.topology import Copied, Placement, Sharded, TableName
from tests.servers import Servers

TABLES: dict[TableName, Placement] = {
    TableName("public", "customers"): Sharded(("customer_id",)),
    TableName("public", "countries"): Copied(),
}


@pytest.fixture
def fleet(fleet_servers: Servers) -> Iterator[Fleet]:
    topology = fleet_servers.fresh(TABLES)
    try:
        with outgrow.open(topology, install=True) as opened:
            opened.execute("CREATE TABLE customers (customer_id int8 PRIMARY KEY, name text, email text)")
            yield opened
    finally:
        fleet_servers.drop(topology)


def columns(servers: Servers, fleet: Fleet, table: str) -> dict[str, list[str]]:
    """The table's columns on every shard, as its server has them."""
    sql = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
    return {
        shard.name: [name for (name,) in servers.sql(shard.primary, sql, [table])]
        for shard in fleet.topology.domains[0].shards
    }


def indexes(servers: Servers, fleet: Fleet, table: str) -> dict[str, list[tuple[str, bool]]]:
    sql = """SELECT indexrelid::regclass::text, indisvalid FROM pg_index
             WHERE indrelid = to_regclass(%s) AND NOT indisprimary ORDER BY 1"""
    return {shard.name: servers.sql(shard.primary, sql, [table]) for shard in fleet.topology.domains[0].shards}


def states(servers: Servers, fleet: Fleet) -> list[str]:
    home = fleet.topology.domains[0].home.primary
    return [state for (state,) in servers.sql(home, "SELECT state FROM outgrow.definitions ORDER BY number")]


def connect(servers: Servers, fleet: Fleet, shard: str) -> psycopg.Connection[object]:
    node = fleet.topology.domains[0].shard(shard).primary
    return psycopg.connect(psycopg.conninfo.make_conninfo(node.dsn))


def test_a_ddl_leaves_its_record_and_a_note_on_every_shard(fleet_servers: Servers, fleet: Fleet) -> None:
    fleet.execute("ALTER TABLE customers ADD COLUMN vip boolean")
    home = fleet.topology.domains[0].home.primary
    row = fleet_servers.sql(home, "SELECT sql, shards, done, state FROM outgrow.definitions ORDER BY number")[-1]
    assert row == ("ALTER TABLE customers ADD COLUMN vip boolean", ["s1", "s2"], ["s1", "s2"], "done")
    for shard in fleet.topology.domains[0].shards:
        notes = fleet_servers.sql(shard.primary, "SELECT state FROM outgrow.definition_parts")
        assert notes == [("done",), ("done",)]


def test_a_ddl_that_no_shard_took_is_over(fleet_servers: Servers, fleet: Fleet) -> None:
    with pytest.raises(outgrow.ProgrammingError, match="OG-NODE-"):
        fleet.execute("ALTER TABLE customers ADD COLUMN vip nonsense")
    assert states(fleet_servers, fleet)[-1] == "failed"
    assert fleet.unfinished_definitions() == ()
    fleet.execute("ALTER TABLE customers ADD COLUMN vip boolean")


def test_a_ddl_that_fails_on_the_second_shard_is_resumed_when_mended(fleet_servers: Servers, fleet: Fleet) -> None:
    fleet.execute("INSERT INTO customers VALUES (1, 'a', 'x')")
    second = fleet.topology.domains[0].shards[1]
    fleet_servers.sql(second.primary, "INSERT INTO customers VALUES (-1, 'a', 'x'), (-2, 'b', 'x')")
    unique = "ALTER TABLE customers ADD CONSTRAINT one UNIQUE (email)"
    with pytest.raises(outgrow.OperationalError) as caught:
        fleet.execute(unique)
    assert caught.value.code == "OG-RUN-032"
    assert "done on s1; failed on s2: " in caught.value.message
    (left,) = fleet.unfinished_definitions()
    assert (left.sql, left.done, left.state, left.failed_shard) == (unique, ("s1",), "stopped", "s2")
    # The next DDL finds it, tries it first, and says why it was not run itself.
    with pytest.raises(outgrow.OperationalError) as caught:
        fleet.execute("ALTER TABLE customers ADD COLUMN vip boolean")
    assert caught.value.code == "OG-RUN-052"
    assert "vip" not in columns(fleet_servers, fleet, "customers")["s1"]
    fleet_servers.sql(second.primary, "DELETE FROM customers WHERE customer_id < 0")
    assert [done.number for done in fleet.resume_definitions()] == [left.number]
    assert states(fleet_servers, fleet)[-1] == "done"
    assert [len(found) for found in indexes(fleet_servers, fleet, "customers").values()] == [1, 1]


def test_a_shard_that_the_file_has_lost_is_said_so(fleet_servers: Servers, fleet: Fleet) -> None:
    home = fleet.topology.domains[0].home.primary
    record = """INSERT INTO outgrow.definitions (domain, number, sql, settings, shards, state)
                VALUES ('app', 99, 'ALTER TABLE customers ADD COLUMN c int', '{}', '{s1,s9}', 'stopped')"""
    fleet_servers.sql(home, record)
    with pytest.raises(outgrow.ConfigurationError, match="OG-RUN-063"):
        fleet.resume_definitions()
    assert "c" not in columns(fleet_servers, fleet, "customers")["s1"]
    fleet.abandon_definition(99)


def test_an_abandoned_ddl_is_in_nobodys_way(fleet_servers: Servers, fleet: Fleet) -> None:
    fleet.execute(
        "ALTER TABLE customers ADD COLUMN odd int",
    )
    with fleet.session() as session:
        session.execute("ALTER TABLE customers DROP COLUMN odd", shard="s1")
    with pytest.raises(outgrow.OperationalError, match="OG-RUN-032"):
        fleet.execute("ALTER TABLE customers ADD COLUMN odd int")
    (left,) = fleet.unfinished_definitions()
    with pytest.raises(outgrow.ProgrammingError, match="OG-RUN-054"):
        fleet.abandon_definition(left.number + 1)
    assert fleet.abandon_definition(left.number).state == "abandoned"
    fleet.execute("ALTER TABLE customers ADD COLUMN vip boolean")
    assert states(fleet_servers, fleet)[-2:] == ["abandoned", "done"]


def test_a_reader_in_the_way_is_waited_for_without_stopping_others(
    fleet_servers: Servers, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "LOCK_SECONDS", 0.4)
    failed: list[outgrow.Error] = []

    def define() -> None:
        try:
            fleet.execute("ALTER TABLE customers ADD COLUMN vip boolean")
        except outgrow.Error as error:
            failed.append(error)

    with connect(fleet_servers, fleet, "s2") as reader:
        reader.execute("SELECT * FROM customers")
        thread = threading.Thread(target=define)
        thread.start()
        slowest = 0.0
        until = time.monotonic() + 2.5
        with connect(fleet_servers, fleet, "s2") as other:
            other.autocommit = True
            while time.monotonic() < until:
                began = time.monotonic()
                other.execute("SELECT * FROM customers")
                slowest = max(slowest, time.monotonic() - began)
                time.sleep(0.01)
        assert thread.is_alive()
        reader.rollback()
        thread.join(30)
    assert failed == []
    assert 0.1 < slowest < 2.0, "somebody waited, but no longer than one try"
    assert columns(fleet_servers, fleet, "customers")["s2"][-1] == "vip"


def test_when_patience_ends_the_error_says_who_holds_the_lock(
    fleet_servers: Servers, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "LOCK_SECONDS", 0.4)
    monkeypatch.setattr(parts, "PATIENCE_SECONDS", 1.0)
    with connect(fleet_servers, fleet, "s1") as reader:
        reader.execute("SELECT * FROM customers")
        with pytest.raises(outgrow.OperationalError) as caught:
            fleet.execute("ALTER TABLE customers ADD COLUMN vip boolean")
        assert caught.value.code == "OG-RUN-050"
        assert f"pid {reader.info.backend_pid} " in caught.value.message
        assert "SELECT * FROM customers" in caught.value.message
    assert fleet.unfinished_definitions() == ()


def test_another_processes_ddl_is_waited_for(
    fleet_servers: Servers, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exclusive, "WAIT_SECONDS", 0.5)
    (lock,) = fleet_servers.sql(fleet.topology.domains[0].home.primary, "SELECT x'6f7567726f7764'::int8")[0]
    with connect(fleet_servers, fleet, "s1") as other:
        other.execute("SELECT pg_advisory_lock(%s)", [lock])
        with pytest.raises(outgrow.OperationalError) as caught:
            fleet.execute("ALTER TABLE customers ADD COLUMN vip boolean")
        assert caught.value.code == "OG-RUN-051"
        assert f"backend {other.info.backend_pid}" in caught.value.message
    monkeypatch.setattr(exclusive, "WAIT_SECONDS", 20.0)
    fleet.execute("ALTER TABLE customers ADD COLUMN vip boolean")


def test_another_process_learns_of_it_without_a_heartbeat(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "EPOCHS_SECONDS", 0.1)
    with outgrow.open(fleet.topology) as other, other.session(level="strong") as reader:
        assert reader.execute("SELECT * FROM customers").columns == ("customer_id", "name", "email")
        fleet.execute("ALTER TABLE customers ADD COLUMN since date")
        time.sleep(0.2)
        assert reader.execute("SELECT * FROM customers").columns == ("customer_id", "name", "email", "since")


def test_ddl_of_many_processes_runs_one_after_another(fleet_servers: Servers, fleet: Fleet) -> None:
    errors: list[BaseException] = []

    def define(number: int) -> None:
        try:
            with outgrow.open(fleet.topology) as own:
                own.execute(f"ALTER TABLE customers ADD COLUMN c{number} int")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=define, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    there = columns(fleet_servers, fleet, "customers")
    assert sorted(there["s1"]) == sorted(there["s2"])
    assert there["s1"] == there["s2"], "in the same order on both"
    assert set(states(fleet_servers, fleet)) == {"done"}


# -- placements ------------------------------------------------------------------------------------------------------


def test_a_table_without_a_placement_is_asked_about_before_anything_runs(fleet_servers: Servers, fleet: Fleet) -> None:
    with pytest.raises(outgrow.ProgrammingError) as caught:
        fleet.execute("CREATE TABLE notes (id int8 PRIMARY KEY, text text)")
    assert caught.value.code == "OG-RUN-056"
    assert "outgrow place notes --shard-by id" in caught.value.cure
    assert columns(fleet_servers, fleet, "notes") == {"s1": [], "s2": []}
    fleet.place("notes", shard_by="id")
    fleet.execute("CREATE TABLE notes (id int8 PRIMARY KEY, text text)")
    fleet.execute("INSERT INTO notes VALUES (1, 'a')")
    with outgrow.open(fleet.topology) as other, other.session(level="strong") as session:
        assert session.execute("SELECT text FROM notes WHERE id = 1").fetchall() == [("a",)]


def test_placements_follow_their_tables(fleet_servers: Servers, fleet: Fleet) -> None:
    fleet.place("notes", copy=True)
    fleet.execute("CREATE TABLE notes (id int8 PRIMARY KEY)")
    fleet.execute("ALTER TABLE notes RENAME TO remarks")
    assert fleet.execute("SELECT count(*) FROM remarks").fetchall() == [(0,)]
    fleet.execute("CREATE SCHEMA apart")
    fleet.execute("ALTER TABLE remarks SET SCHEMA apart")
    assert fleet.execute("SELECT count(*) FROM apart.remarks").fetchall() == [(0,)]
    fleet.execute("DROP SCHEMA apart CASCADE")
    home = fleet.topology.domains[0].home.primary
    placed = fleet_servers.sql(home, "SELECT schema_name, table_name FROM outgrow.placements ORDER BY 2")
    assert placed == [("public", "countries"), ("public", "customers")]
    with pytest.raises(outgrow.ProgrammingError, match="OG-RUN-056"):
        fleet.execute("CREATE TABLE notes (id int8 PRIMARY KEY)")


def test_a_dropped_table_of_the_file_can_be_made_again(fleet: Fleet) -> None:
    fleet.execute("DROP TABLE customers")
    fleet.execute("CREATE TABLE customers (customer_id int8, name text)")
    with fleet.session() as session:
        session.execute("INSERT INTO customers VALUES (1, 'a')")
        assert session.execute("SELECT * FROM customers").fetchall() == [(1, "a")]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("CREATE TABLE t AS SELECT * FROM customers", "OG-RUN-055"),
        ("SELECT * INTO t FROM customers", "OG-RUN-055"),
        ("CREATE TABLE customers_2 (LIKE customers)", "OG-RUN-056"),
        ("CREATE TEMP TABLE t (a int)", "OG-RUN-034"),
        ("CREATE TABLE pg_temp.t (a int)", "OG-RUN-034"),
        ("CREATE TABLE countries (code text) INHERITS (customers)", "OG-RUN-057"),
        ("CREATE TABLE heir (a int) INHERITS (customers, countries)", "OG-RUN-057"),
    ],
)
def test_tables_that_cannot_be_right_are_refused(fleet: Fleet, sql: str, code: str) -> None:
    with pytest.raises(outgrow.Error) as caught:
        fleet.execute(sql)
    assert caught.value.code == code
    assert caught.value.cure


def test_partitions_heirs_and_empty_copies_lie_as_their_parents_do(fleet: Fleet) -> None:
    fleet.place("events", shard_by="customer_id")
    fleet.execute("CREATE TABLE events (customer_id int8, day date) PARTITION BY RANGE (day)")
    fleet.execute("CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')")
    with fleet.session() as session:
        session.execute("INSERT INTO events VALUES (1, '2026-05-01')")
        assert session.execute("SELECT count(*) FROM events_2026").fetchall() == [(1,)]
        session.execute("CREATE TABLE heir (extra int) INHERITS (customers)")
        session.execute("INSERT INTO heir (customer_id, extra) VALUES (7, 1)")
        assert session.execute("SELECT customer_id FROM customers WHERE customer_id = 7").fetchall() == [(7,)]
    fleet.place("empty", shard_by="customer_id")
    fleet.execute("CREATE TABLE empty AS SELECT customer_id FROM customers WITH NO DATA")
    assert fleet.execute("SELECT count(*) FROM empty").fetchall() == [(0,)]
    fleet.execute("CREATE TABLE IF NOT EXISTS events (a int)")


def test_a_key_that_the_table_lacks_is_refused(fleet: Fleet) -> None:
    fleet.place("notes", shard_by="nowhere")
    with pytest.raises(outgrow.ProgrammingError, match="OG-RUN-057"):
        fleet.execute("CREATE TABLE notes (id int8)")
    with pytest.raises(outgrow.ProgrammingError, match="OG-RUN-057"):
        fleet.place("customers", shard_by="nowhere")


def test_a_table_that_is_there_is_not_placed_anew(fleet: Fleet) -> None:
    fleet.place("notes", copy=True)
    fleet.place("notes", shard_by="id")
    with fleet.session() as session:
        for shard in ("s1", "s2"):
            session.execute("CREATE TABLE stray (id int8)", shard=shard)
    fleet.place("stray", shard_by="id")
    with pytest.raises(outgrow.NotSupportedError, match="OG-RUN-059"):
        fleet.place("stray", copy=True)
    fleet.execute("INSERT INTO customers VALUES (1, 'a', 'x')")
    fleet.place("customers", shard_by="customer_id")
    with pytest.raises(outgrow.NotSupportedError, match="OG-RUN-059"):
        fleet.place("customers", copy=True)
    for wrong in ({}, {"copy": True, "single": "s1"}, {"shard_by": []}):
        with pytest.raises(outgrow.InterfaceError, match="OG-RUN-058"):
            fleet.place("customers", **wrong)  # type: ignore[arg-type]
    with pytest.raises(outgrow.InterfaceError, match="OG-RUN-007"):
        fleet.place("notes", single="s9")


def test_a_unique_key_without_the_shard_key_is_said_to_hold_per_shard(fleet: Fleet) -> None:
    fleet.place("notes", shard_by="id")
    made = fleet.execute("CREATE TABLE notes (id int8 PRIMARY KEY, slug text UNIQUE)")
    assert [notice.split(" is unique")[0] for notice in made.notices] == ["notes_slug_key (slug)"]
    assert fleet.execute("CREATE UNIQUE INDEX slug_and_id ON notes (slug, id)").notices == ()
    assert len(fleet.execute("ALTER TABLE customers ADD UNIQUE (email)").notices) == 1


def test_ddl_runs_in_the_sessions_dress(fleet_servers: Servers, fleet: Fleet) -> None:
    for shard in fleet.topology.domains[0].shards:
        fleet_servers.sql(shard.primary, "DROP ROLE IF EXISTS maker", database="postgres")
        fleet_servers.sql(shard.primary, "CREATE ROLE maker", database="postgres")
        fleet_servers.sql(shard.primary, "GRANT maker TO app", database="postgres")
        fleet_servers.sql(shard.primary, "GRANT ALL ON SCHEMA public TO maker")
    try:
        fleet.place("notes", copy=True)
        with fleet.session() as session:
            session.execute("SET ROLE maker")
            session.execute("CREATE TABLE notes (id int8)")
        for shard in fleet.topology.domains[0].shards:
            owner = fleet_servers.sql(shard.primary, "SELECT tableowner FROM pg_tables WHERE tablename = 'notes'")
            assert owner == [("maker",)]
    finally:
        for shard in fleet.topology.domains[0].shards:
            fleet_servers.sql(shard.primary, "DROP OWNED BY maker CASCADE")
            fleet_servers.sql(shard.primary, "DROP ROLE maker", database="postgres")
