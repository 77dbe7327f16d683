"""Relays, writers and servers are killed: nothing is lost, the order holds, and what comes twice `once` knows."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from outgrow import Fleet
from outgrow.transactions.outbox import Message
from tests.integration.outbox.conftest import eventually, relaying
from tests.integration.outbox.processes import consume, killed_relay, killed_writer
from tests.integration.transactions.coordinators import child
from tests.servers import Servers

KEYS = 5


@pytest.fixture
def consuming(fleet: Fleet) -> Iterator[Fleet]:
    """No unique constraint: what is done twice is there twice."""
    fleet.place("done", shard_by="customer")
    with fleet.session() as session:
        session.execute("CREATE TABLE done (customer int8, n int8)")
    yield fleet


def left(fleet: Fleet) -> int:
    return sum(lag.waiting for lag in fleet.outbox().lag())


def check_first_ones(log: list[tuple[str, int, int]], count: int) -> int:
    """How many came again."""
    first: dict[str, tuple[int, int]] = {}
    for id, key, payload in log:
        first.setdefault(id, (key, payload))
    for key in range(KEYS):
        assert [payload for of, payload in first.values() if of == key] == list(range(key, count, KEYS))
    return len(log) - len(first)


def test_a_relay_is_killed_between_delivery_and_deletion(consuming: Fleet, tmp_path: Path, seed: int) -> None:
    chance, log, count = random.Random(seed), tmp_path / "log", 40
    with consuming.session() as session:
        for n in range(count):
            session.emit("orders", n, key=n % KEYS)
    for _ in range(60):
        # Eight are a batch: at eight all of one is delivered, and nothing deleted.
        with child(killed_relay, consuming.topology, log, chance.choice((1, 3, 8, 8, 12, 20))) as (_, says):
            try:
                said = says.recv()
            except EOFError:
                continue
            assert said == "done"
        if left(consuming) == 0:
            break
    lines = [line.split() for line in log.read_text().splitlines()]
    again = check_first_ones([(id, int(key), int(payload)) for id, key, payload in lines], count)
    assert again > 0
    done = consuming.execute("SELECT customer, n FROM done").fetchall()
    assert sorted(n for _, n in done) == list(range(count))


@pytest.mark.long
def test_a_writer_is_killed_at_every_wait_of_its_commit(
    fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers
) -> None:
    got: list[tuple[int, int]] = []
    shards = fleet.topology.domains[0].shards
    prepared = "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()"

    def settled() -> bool:
        fleet.recover()
        return all(fleet_servers.sql(shard.primary, prepared) == [(0,)] for shard in shards)

    for waits in range(12):
        with child(killed_writer, fleet.topology, keys, waits, waits) as (_, says):
            try:
                said = says.recv()
            except EOFError:
                said = "killed"
        # Its keys' locks are held until then.  What the dead had sent may be worked off a moment later.
        eventually(settled, 30)
        time.sleep(0.2)
        eventually(settled, 30)
        if said == "committed":
            break
    fleet.relay({"orders": lambda message: got.append((message.key, message.payload))}).run_once()
    rows = fleet.execute("SELECT customer, id FROM orders").fetchall()
    assert sorted(got) == sorted(rows)
    numbers = {n for _, n in got}
    assert waits in numbers and 0 < len(numbers) <= waits + 1
    assert sorted(got) == sorted((key, n) for key in keys for n in numbers)


def test_a_shard_is_killed(consuming: Fleet, keys: tuple[int, int], fleet_servers: Servers) -> None:
    """Its messages wait, the other shard's do not; and what was delivered and not deleted comes again."""
    log: list[tuple[str, int, int]] = []
    lost = consuming.topology.domains[0].shards[0].primary

    def take(message: Message) -> None:
        log.append((str(message.id), message.key, message.payload))  # type: ignore[arg-type]
        consume(consuming, message)

    with fleet_servers.restored(), relaying(consuming, {"orders": take}, batch=4) as relay:
        with consuming.session() as session:
            for n in range(60):
                session.emit("orders", n, key=n % KEYS)
        eventually(lambda: len(log) > 5)
        fleet_servers.kill(lost)
        with consuming.session() as session:
            for n in range(1000, 1010):
                session.emit("others", n, key=keys[1])
        eventually(lambda: any("s1" in name for name in relay.now.waiting))
        fleet_servers.start()
        eventually(lambda: relay.now.serving and len({id for id, _, _ in log}) >= 60, 60)
        eventually(lambda: all(lag.topic == "others" for lag in consuming.outbox().lag()), 60)
    check_first_ones(log, 60)
    done = consuming.execute("SELECT n FROM done").fetchall()
    assert sorted(n for (n,) in done) == list(range(60))


def test_a_claim_is_lost_while_the_target_is_spoken_to(
    fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers
) -> None:
    """A backend is ended by hand: another relay takes over, and the first one's late words do no harm."""
    log: list[tuple[str, int]] = []
    inside, go_on = threading.Event(), threading.Event()

    def slow(message: Message) -> None:
        log.append(("slow", message.payload))
        if message.payload == 2:
            inside.set()
            go_on.wait(20)

    with fleet.session() as session:
        for n in range(6):
            session.emit("orders", n, key=keys[0])
    with relaying(fleet, {"orders": slow}):
        inside.wait(20)
        locks = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        with relaying(fleet, {"orders": lambda message: log.append(("other", message.payload))}) as other:
            for shard in fleet.topology.domains[0].shards:
                fleet_servers.sql(shard.primary, locks)
            # Mostly the other one takes over; the first may also have claimed it anew.
            until = time.monotonic() + 3
            while ("other", 5) not in log and "orders on s1" not in other.now.serving and time.monotonic() < until:
                time.sleep(0.01)
            go_on.set()
            eventually(lambda: left(fleet) == 0)
    seen: list[int] = []
    for _, payload in log:
        if payload not in seen:
            seen.append(payload)
    assert seen == list(range(6))


def test_two_shards_relay_by_themselves(fleet: Fleet, keys: tuple[int, int]) -> None:
    """A target that stands still for one shard's messages holds up no other's."""
    got: list[int] = []
    go_on = threading.Event()

    def take(message: Message) -> None:
        if message.shard == "s1":
            go_on.wait(20)
        got.append(message.payload)

    with relaying(fleet, {"orders": take}), fleet.session() as session:
        try:
            session.emit("orders", 1, key=keys[0])
            session.emit("orders", 2, key=keys[1])
            eventually(lambda: got == [2])
        finally:
            go_on.set()
        eventually(lambda: got == [2, 1])


@pytest.mark.parametrize("noticed", [True, False])
def test_a_server_that_took_over_gives_numbers_again(
    fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers, noticed: bool
) -> None:
    """Lost are the messages that it never had; not new ones that have their numbers.

    What was delivered is written down there before anybody has `noticed` that it is another server.
    """
    got: list[str] = []
    inside, go_on = threading.Event(), threading.Event()
    primary = fleet.topology.domains[0].shards[0].primary

    def take(message: Message) -> None:
        got.append(message.payload)
        if message.payload == "held":
            inside.set()
            go_on.wait(20)

    with relaying(fleet, {"orders": take}, poll_seconds=0.1) as relay, fleet.session() as session:
        eventually(lambda: len(relay.now.serving) == 2)
        for _ in range(20):
            session.emit("orders", "before", key=keys[0])
        # The floor is behind them.
        (lane,) = (lane for keeper, lane in relay._lanes if keeper.shard == "s1")
        eventually(lambda: lane._floor.number == 20)
        session.emit("orders", "held", key=keys[0])
        assert inside.wait(20)
        claim = lane._keeper.claim("orders")
        locks = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        if noticed:
            fleet_servers.sql(primary, locks)
            eventually(lambda: lane._keeper.claim("orders") not in (None, claim))
        # As one that had none of it.
        fleet_servers.sql(primary, "DELETE FROM outgrow.outbox")
        fleet_servers.sql(primary, "SELECT setval('outgrow.outbox_number', 20)")
        session.emit("orders", "in its place", key=keys[0])
        if noticed:
            fleet_servers.sql(primary, "SELECT setval('outgrow.outbox_number', 1, false)")
            session.emit("orders", "below the floor", key=keys[0])
        go_on.set()
        eventually(lambda: "in its place" in got and ("below the floor" in got or not noticed))
        eventually(lambda: left(fleet) == 0)
