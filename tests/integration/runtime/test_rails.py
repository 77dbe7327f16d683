"""Guard rails: scatters that are refused or warned of, limits, and what becomes of a statement's other shards."""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

import outgrow
from outgrow import Fleet
from outgrow.doors import dbapi
from outgrow.doors.dbapi import aio as dbapi_aio
from outgrow.errors import Error, InterfaceError, NotSupportedError, OperationalError, ScatterWarning
from outgrow.events import ScatterWarned
from outgrow.topology import FinishLimits, Node
from tests.servers import Servers

SCATTER = "SELECT count(*), sum(total) FROM orders"
#: Not cut into fragments: rows come to one server.
BROUGHT = "SELECT o.order_id, p.total FROM orders o JOIN orders p ON p.total = o.total WHERE o.order_id > 0"
COPIED = "UPDATE countries SET name = 'x' WHERE code = 'NL'"


@pytest.fixture
def filled(fleet: Fleet) -> Fleet:
    with fleet.session() as session:
        for customer in range(20):
            session.execute("INSERT INTO orders VALUES (%s, %s, %s)", [customer, customer + 1, customer])
        session.execute("INSERT INTO countries VALUES ('NL', 'Netherlands')")
    return fleet


def refused(run: Callable[[], object]) -> str:
    with pytest.raises(NotSupportedError) as caught:
        run()
    assert caught.value.code == "OG-RUN-135"
    return str(caught.value)


def test_a_session_refuses_scatters(filled: Fleet) -> None:
    with filled.session(scatter="refuse") as session:
        said = refused(lambda: session.execute(SCATTER))
        assert "s1, s2 of " in said and "public" not in said and "orders's customer_id" in said, said
        refused(lambda: session.execute(BROUGHT))
        refused(lambda: list(session.stream(SCATTER)))
        refused(lambda: session.execute("UPDATE orders SET total = 0"))
        refused(lambda: session.execute("INSERT INTO orders VALUES (1, 100, 1), (2, 100, 1), (3, 100, 1), (4, 100, 1)"))
        refused(lambda: session.execute("SELECT * FROM orders WHERE customer_id = ANY(%s)", [list(range(9))]))
        refused(lambda: session.unload("SELECT total FROM orders", io.BytesIO()))
        # What needs one shard, or every shard by its nature, goes on.
        assert session.execute("SELECT total FROM orders WHERE customer_id = 3").fetchall()[0][0] == 3
        assert session.execute(COPIED).rowcount == 1
        session.execute("CREATE INDEX by_total ON orders (total)")
        with session.transaction():
            session.execute("UPDATE orders SET total = 5 WHERE customer_id = 3")
            session.execute("UPDATE orders SET total = 5 WHERE customer_id = 4")
    with pytest.raises(InterfaceError, match="OG-RUN-134"):
        filled.session(scatter="never")


def test_a_connection_refuses_scatters(filled: Fleet) -> None:
    with dbapi.connect(filled, scatter="refuse") as connection, connection.cursor() as cursor:
        refused(lambda: cursor.execute(SCATTER))


def test_an_awaited_connection_refuses_scatters(filled: Fleet) -> None:
    async def run() -> None:
        async with await dbapi_aio.connect(filled, scatter="refuse") as connection, connection.cursor() as cursor:
            with pytest.raises(NotSupportedError, match="OG-RUN-135"):
                await cursor.execute(SCATTER)

    asyncio.run(run())


def test_a_domain_refuses_and_a_session_allows(filled: Fleet) -> None:
    (domain,) = filled.topology.domains
    topology = replace(filled.topology, domains=(replace(domain, scatter="refuse"),))
    with outgrow.open(topology) as strict:
        refused(lambda: strict.execute(SCATTER))
        with strict.session(scatter="allow") as session:
            assert session.execute(SCATTER).fetchall()[0][0] == 20


def test_a_warning_names_the_caller_and_is_told(filled: Fleet) -> None:
    told: list[Any] = []
    stop = filled.subscribe(told.append)
    with filled.session(scatter="warn") as session, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert session.execute(SCATTER).fetchall()[0][0] == 20
        session.execute("SELECT total FROM orders WHERE customer_id = 3")
        list(session.stream(SCATTER))
    stop()
    assert [warning.category for warning in caught] == [ScatterWarning, ScatterWarning]
    assert {warning.filename for warning in caught} == {__file__}
    assert "s1, s2" in str(caught[0].message) and "?" not in str(caught[0].message)
    events = [event for event in told if isinstance(event, ScatterWarned)]
    assert [event.shards for event in events] == [("s1", "s2")] * 2
    with filled.session(scatter="warn") as session, warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ScatterWarning):
            session.execute(SCATTER)
        assert session.execute("SELECT 1").fetchall() == [(1,)]


@pytest.mark.parametrize("limits", [FinishLimits(bytes_max=200), FinishLimits(rows_max=15)])
def test_what_comes_to_one_server_is_limited(filled: Fleet, limits: FinishLimits) -> None:
    (domain,) = filled.topology.domains
    with outgrow.open(replace(filled.topology, domains=(replace(domain, finish=limits),))) as fleet:
        with pytest.raises(NotSupportedError, match=r"OG-RUN-1(36|00)"):
            fleet.execute(BROUGHT)
        assert len(fleet.execute(BROUGHT + " AND o.customer_id = 3 AND p.customer_id = 3").fetchall()) == 1
    assert len(filled.execute(BROUGHT).fetchall()) == 20


# --- all fragments end together --------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(servers: Servers, node: Node, table: str = "orders") -> Iterator[None]:
    """The table on this primary: who reads it waits."""
    import psycopg

    with psycopg.connect(psycopg.conninfo.make_conninfo(node.dsn, user="postgres", host=servers.sockets)) as link:
        link.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")  # type: ignore[call-overload]
        yield
        link.rollback()


def busy(servers: Servers, node: Node) -> list[Any]:
    """What the application's backends run there now, or hold open."""
    return servers.sql(
        node,
        "SELECT state, query FROM pg_stat_activity WHERE usename = 'app' AND datname = current_database()"
        " AND state <> 'idle' AND query LIKE '%%total%%'",
    )


def ends(servers: Servers, node: Node, within_seconds: float = 2.0) -> None:
    until = time.monotonic() + within_seconds
    while found := busy(servers, node):
        assert time.monotonic() < until, found
        time.sleep(0.01)


WAYS: dict[str, Callable[[outgrow.Session, str, Sequence[Any] | None, float | None], Any]] = {
    "scatter": lambda s, where, p, t: s.execute(f"SELECT count(*), sum({where}) FROM orders", p, timeout_seconds=t),
    "brought": lambda s, where, p, t: s.execute(
        # No equality: there is nobody to narrow, so that all shards are asked at once, and none for an estimate.
        "SELECT o.total FROM orders o JOIN orders p ON p.total <= o.total AND p.total >= o.total"
        f" WHERE {where.replace('customer', 'o.customer')} >= 0",
        p,
        timeout_seconds=t,
    ),
    "stream": lambda s, where, p, t: list(
        s.stream(f"SELECT {where}, total FROM orders ORDER BY total", p, timeout_seconds=t)
    ),
    "write": lambda s, where, p, t: s.execute(f"UPDATE orders SET total = {where}", p, timeout_seconds=t),
}


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_a_time_limit_ends_all_fragments(filled: Fleet, fleet_servers: Servers, way: str, within: bool) -> None:
    first, second = filled.topology.domains[0].shards
    with filled.session(level="strong") as session:
        if within:
            session.execute("BEGIN")
        with locked(fleet_servers, second.primary):
            began = time.monotonic()
            with pytest.raises(OperationalError) as caught:
                WAYS[way](session, "customer_id", None, 0.5)
            assert time.monotonic() - began < 3
            assert caught.value.sqlstate == "57014" or "time" in caught.value.message, caught.value
            for shard in (first, second):
                if not within:
                    ends(fleet_servers, shard.primary)
                assert not any(state == "active" for state, _ in busy(fleet_servers, shard.primary))
        if within:
            session.execute("ROLLBACK")
        assert session.execute(SCATTER).fetchall()[0][0] == 20


@pytest.mark.parametrize("way", WAYS)
def test_the_first_error_ends_all_other_fragments(filled: Fleet, fleet_servers: Servers, way: str) -> None:
    first, second = filled.topology.domains[0].shards
    there = next(
        customer
        for customer in range(20)
        if filled.explain("SELECT * FROM orders WHERE customer_id = %s", [customer]).to_dict()["shards"]["shards"]
        == [first.name]
    )
    with filled.session(level="strong") as session, locked(fleet_servers, second.primary):
        began = time.monotonic()
        with pytest.raises(Error) as caught:
            WAYS[way](session, f"1 / (customer_id - {there})", None, 20)
        assert caught.value.sqlstate == "22012", caught.value
        assert caught.value.shard == "s1" or "s1" in str(caught.value.node)
        assert time.monotonic() - began < 5
        ends(fleet_servers, second.primary)
    assert filled.session(level="strong").execute(SCATTER).fetchall()[0] == (20, 190)


@pytest.mark.parametrize("way", ["scatter", "brought", "stream"])
def test_a_shard_lost_in_mid_query(filled: Fleet, fleet_servers: Servers, way: str) -> None:
    """A read whose rows nobody has seen goes again; a stream, and whatever has a branch, is an error that names it."""
    second = filled.topology.domains[0].shards[1].primary

    def lose() -> None:
        until = time.monotonic() + 5
        while time.monotonic() < until:
            waiting = fleet_servers.sql(
                second,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'"
                " AND datname = current_database() AND wait_event_type = 'Lock'",
            )
            if waiting:
                return
            time.sleep(0.01)

    for within in (False, True):
        with filled.session(level="strong") as session:
            if within:
                session.execute("BEGIN")
                session.execute("SELECT count(*) FROM customers")
            with contextlib.ExitStack() as held:
                held.enter_context(locked(fleet_servers, second))
                loser = threading.Thread(target=lambda: (lose(), held.close()))
                loser.start()
                try:
                    found = WAYS[way](session, "customer_id", None, 10)
                    assert not within, "a transaction that has lost a branch went on"
                    rows = found if way == "stream" else found.fetchall()
                    assert len(rows) == (1 if way == "scatter" else 20)
                except OperationalError as error:
                    assert within or way == "stream", error
                    assert error.node == second.name and error.cure, error
                finally:
                    loser.join()
            if within:
                session.execute("ROLLBACK")
    assert filled.session(level="strong").execute(SCATTER).fetchall()[0][0] == 20
