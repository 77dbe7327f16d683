"""CREATE INDEX CONCURRENTLY and its kind: run alone, checked by looking, never leaving an invalid index behind."""

from __future__ import annotations

import threading
import time

import pytest

import outgrow
from outgrow import Fleet
from outgrow.nodes import Link
from outgrow.runtime.definitions import concurrent_index
from tests.integration.definitions.test_ddl import connect, fleet, indexes, states
from tests.servers import Servers

__all__ = ["fleet"]

BUILD = "CREATE INDEX CONCURRENTLY by_name ON customers (name)"


def test_named_and_unnamed_and_dropped(fleet_servers: Servers, fleet: Fleet) -> None:
    fleet.execute(BUILD)
    fleet.execute("CREATE INDEX CONCURRENTLY ON customers (name, email)")
    fleet.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS by_name ON customers (email)")
    found = indexes(fleet_servers, fleet, "customers")
    assert found["s1"] == found["s2"] == [("by_name", True), ("customers_name_email_idx", True)]
    fleet.execute("REINDEX TABLE CONCURRENTLY customers")
    fleet.execute("DROP INDEX CONCURRENTLY by_name")
    fleet.execute("DROP INDEX CONCURRENTLY IF EXISTS customers_name_email_idx")
    assert indexes(fleet_servers, fleet, "customers") == {"s1": [], "s2": []}
    with pytest.raises(outgrow.ProgrammingError):
        fleet.execute("DROP INDEX CONCURRENTLY by_name")
    assert set(states(fleet_servers, fleet)) == {"done", "failed"}


def test_a_failed_build_leaves_nothing(fleet_servers: Servers, fleet: Fleet) -> None:
    second = fleet.topology.domains[0].shards[1].primary
    fleet_servers.sql(second, "INSERT INTO customers VALUES (1, 'a', 'x'), (2, 'a', 'x')")
    with pytest.raises(outgrow.OperationalError, match="OG-RUN-032"):
        fleet.execute("CREATE UNIQUE INDEX CONCURRENTLY one ON customers (name)")
    assert indexes(fleet_servers, fleet, "customers") == {"s1": [("one", True)], "s2": []}
    fleet_servers.sql(second, "DELETE FROM customers WHERE customer_id = 2")
    fleet.resume_definitions()
    assert indexes(fleet_servers, fleet, "customers") == {"s1": [("one", True)], "s2": [("one", True)]}


def test_an_invalid_index_in_the_way_is_built_again(fleet_servers: Servers, fleet: Fleet) -> None:
    first = fleet.topology.domains[0].home.primary
    fleet_servers.sql(first, "INSERT INTO customers VALUES (1, 'a', 'x'), (2, 'a', 'x')")
    with pytest.raises(Exception, match="could not create unique"):
        fleet_servers.sql(first, "CREATE UNIQUE INDEX CONCURRENTLY by_name ON customers (name)")
    assert indexes(fleet_servers, fleet, "customers")["s1"] == [("by_name", False)]
    fleet.execute(BUILD)
    assert indexes(fleet_servers, fleet, "customers") == {"s1": [("by_name", True)], "s2": [("by_name", True)]}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("sql", [BUILD, "CREATE INDEX CONCURRENTLY ON customers (name)"])
def test_a_crash_around_the_build_is_found_out_by_looking(
    fleet_servers: Servers, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, sql: str, after: bool
) -> None:
    real = concurrent_index._run_steps

    def dies(link: Link, definition: object, until: float | None):  # type: ignore[no-untyped-def]
        if link.node.shard == "s2":
            if after:
                yield from real(link, definition, until)  # type: ignore[arg-type]
            link.close()
            raise GeneratorExit
        return (yield from real(link, definition, until))  # type: ignore[arg-type]

    monkeypatch.setattr(concurrent_index, "_run_steps", dies)
    with pytest.raises(GeneratorExit):
        fleet.execute(sql)
    monkeypatch.undo()
    assert states(fleet_servers, fleet)[-1] == "running"
    with outgrow.open(fleet.topology) as other:
        other.resume_definitions()
    found = indexes(fleet_servers, fleet, "customers")
    assert found["s1"] == found["s2"]
    assert [valid for _, valid in found["s2"]] == [True]


def test_a_build_whose_client_died_is_waited_for(fleet_servers: Servers, fleet: Fleet) -> None:
    """The server goes on building when its client is gone: a second build beside it would make two indexes."""
    with connect(fleet_servers, fleet, "s1") as reader:
        # An open transaction that wrote: the build waits for its end.
        reader.execute("INSERT INTO customers VALUES (1, 'a', 'x')")
        dying = outgrow.open(fleet.topology)
        thread = threading.Thread(target=lambda: _quietly(dying, "CREATE INDEX CONCURRENTLY ON customers (name)"))
        thread.start()
        until = time.monotonic() + 20
        while indexes(fleet_servers, fleet, "customers")["s1"] != [("customers_name_idx", False)]:
            assert time.monotonic() < until
            time.sleep(0.02)
        # As `kill -9` would have it: sockets closed without a word.
        for pool in dying._nodes._pools.values():
            for link in list(pool._out):
                link.shut_down()
        thread.join(20)
        resumed: list[object] = []
        other = threading.Thread(target=lambda: resumed.extend(fleet.resume_definitions()))
        other.start()
        time.sleep(0.7)
        assert other.is_alive()
        reader.commit()
        other.join(30)
    assert len(resumed) == 1
    found = indexes(fleet_servers, fleet, "customers")
    assert found == {"s1": [("customers_name_idx", True)], "s2": [("customers_name_idx", True)]}


def _quietly(fleet: Fleet, sql: str) -> None:
    try:
        fleet.execute(sql)
    except outgrow.Error:
        pass
    finally:
        fleet.close()
