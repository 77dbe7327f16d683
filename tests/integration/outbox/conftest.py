"""A fleet of two shards with one table, and what relays have delivered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

import outgrow
from outgrow import Fleet
from outgrow.topology import Sharded, TableName
from tests.servers import Servers

TABLES = {TableName("public", "orders"): Sharded(("customer",))}


@pytest.fixture
def fleet(fleet_servers: Servers) -> Iterator[Fleet]:
    topology = fleet_servers.fresh(TABLES)
    with outgrow.open(topology, install=True) as opened:
        with opened.session() as session:
            session.execute("CREATE TABLE orders (customer int8, id int8, PRIMARY KEY (customer, id))")
        yield opened
    fleet_servers.drop(topology)


@pytest.fixture
def keys(fleet: Fleet) -> tuple[int, int]:
    """A customer on each shard."""
    placed: dict[str, int] = {}
    for customer in range(1, 41):
        found = fleet.explain("SELECT * FROM orders WHERE customer = %s", [customer]).to_dict()["shards"]["shards"]
        placed.setdefault(found[0], customer)
    return placed["s1"], placed["s2"]


@contextmanager
def relaying(fleet: Fleet, targets: Mapping[str, Any], **settings: Any) -> Iterator[Any]:
    """A relay that runs in a thread."""
    relay = fleet.relay(targets, **settings)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            relay.run()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield relay
    finally:
        relay.stop()
        thread.join(20)
    assert not thread.is_alive() and errors == []


def eventually(holds: Callable[[], object], seconds: float = 15.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.01)
