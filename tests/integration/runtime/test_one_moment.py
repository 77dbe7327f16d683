"""A transaction on one shard is seen wholly, also where what is brought stands beside copied and single tables."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

import outgrow
from outgrow import Fleet, Session
from outgrow.runtime.reading import bringing
from outgrow.runtime.reading.staged import NotStaged, Staging
from outgrow.topology import Copied, Placement, Sharded, Single, TableName
from tests.servers import Servers

TABLES: dict[TableName, Placement] = {
    TableName("public", "orders"): Sharded(("id",)),
    TableName("public", "countries"): Copied(),
    TableName("public", "settings"): Single("s1"),
}
#: Nothing in them is narrowed by anything else.
SINGLE = "SELECT (SELECT count(*) FROM orders), (SELECT value FROM settings WHERE name = 'orders')"
COPIED = "SELECT (SELECT count(*) FROM orders), (SELECT orders FROM countries WHERE code = 'DE')"


@pytest.fixture(scope="module")
def shop(fleet_servers: Servers) -> Iterator[Fleet]:
    topology = fleet_servers.fresh(TABLES)
    with outgrow.open(topology, install=True) as fleet:
        fleet.execute("CREATE TABLE orders (id int8 PRIMARY KEY)")
        fleet.execute("CREATE TABLE countries (code text, orders int8)")
        fleet.execute("CREATE TABLE settings (name text, value int8)")
        yield fleet
    fleet_servers.drop(topology)


@pytest.fixture
def fleet(shop: Fleet) -> Fleet:
    for table in ("orders", "countries", "settings"):
        shop.execute(f"DELETE FROM {table}")
    for n in range(1, 9):
        shop.execute("INSERT INTO orders VALUES (%s)", [n])
    shop.execute("INSERT INTO countries VALUES ('DE', 8)")
    shop.execute("INSERT INTO settings VALUES ('orders', 8)")
    return shop


def one_more(fleet: Fleet) -> None:
    """One transaction on every shard, each by itself: an order, and what is told of their number."""
    for shard in fleet.topology.domains[0].shards:
        with psycopg.connect(shard.primary.dsn) as connection:
            connection.execute("INSERT INTO orders SELECT min(id) - 100 FROM orders")
            for table in ("UPDATE countries SET orders", "UPDATE settings SET value"):
                connection.execute(table + " = 8 + 1")  # type: ignore[call-overload]


@contextlib.contextmanager
def between(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> Iterator[list[str]]:
    """The change happens when rows are here, and before the answer is asked for."""
    seen: list[str] = []

    def disturb(owner: Any, name: str) -> None:
        whole = getattr(owner, name)

        def disturbed(*arguments: Any) -> Any:
            found = yield from whole(*arguments)
            seen.append(name)
            change()
            return found

        patched.setattr(owner, name, disturbed)

    with monkeypatch.context() as patched:
        disturb(Staging, "_stage_steps")
        disturb(bringing, "ready_steps")
        yield seen


def told(session: Session, sql: str) -> tuple[int, int]:
    [(orders, value)] = session.execute(sql).fetchall()
    return orders, value


@pytest.mark.parametrize("sql", [SINGLE, COPIED])
@pytest.mark.parametrize("within", [None, "READ COMMITTED", "REPEATABLE READ"])
def test_seen_wholly_or_not_at_all(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, sql: str, within: str | None) -> None:
    with fleet.session(level="strong") as session:
        ground = session.transaction(within) if within else contextlib.nullcontext()
        with ground, between(monkeypatch, lambda: one_more(fleet)) as seen:
            assert told(session, sql) == (8, 8)
        assert seen == ["_stage_steps"]
        assert told(session, sql) == (10, 9)


def test_what_cannot_be_of_one_moment_is_answered_all_the_same(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is lost in between, or no connection to spare: the two statements of before."""

    def not_now(self: Staging, *arguments: Any) -> Any:
        raise NotStaged
        yield

    monkeypatch.setattr(Staging, "run_steps", not_now)
    with fleet.session(level="strong") as session, between(monkeypatch, lambda: one_more(fleet)):
        assert told(session, SINGLE) == (8, 9)


def test_no_server_is_asked_for_estimates(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Staging, "estimated_steps", None)
    with fleet.session() as session:
        assert told(session, SINGLE) == (8, 8)
    assert "stages" not in str(fleet.explain(SINGLE).to_dict().get("stages"))
