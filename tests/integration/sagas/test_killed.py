"""Processes killed and paused, and servers killed, in the middle of sagas: each is done, or undone, exactly."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from outgrow.errors import Error
from outgrow.topology import write
from tests.integration.sagas.conftest import Shop
from tests.integration.sagas.crew_process import order

ORDERS = 40


@contextmanager
def process(fleet_yaml: Path, *keys: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.integration.sagas.crew_process", str(fleet_yaml), *keys]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        try:
            yield running
        finally:
            running.kill()


@pytest.fixture
def fleet_yaml(shop: Shop, tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(write(shop.topology), encoding="utf-8")
    return path


def finish(shop: Shop, seconds: float = 40.0) -> None:
    """Until none is unfinished; compensations need workers here, too."""
    until = time.monotonic() + seconds
    while shop.fleet.sagas.list("running", "compensating", "stuck"):
        assert time.monotonic() < until, shop.fleet.sagas.list("running", "compensating", "stuck")
        time.sleep(0.1)


def check(shop: Shop, keys: set[str], *, paused: bool = False) -> None:
    """Nothing lost, nothing twice."""
    records = {record.key: record for record in shop.fleet.sagas.list(limit=1000)}
    assert set(records) == keys
    there = dict.fromkeys(range(8), 10_000)
    told: dict[str, list[str]] = {}
    with shop.fleet.session(level="strong") as session:
        for key, what in session.execute("SELECT key, what FROM outside ORDER BY number"):
            told.setdefault(key, []).append(what)
    for key, record in records.items():
        assert record.state == ("compensated" if record.input["fail"] else "done"), record
        heard = told[key]
        assert heard[0] == "charge"
        if record.state == "done":
            there[record.input["product"]] -= 1
            assert "ship" in heard and "refund" not in heard, heard
            assert heard.index("ship") > max(at for at, what in enumerate(heard) if what == "charge") or paused, heard
        else:
            assert heard[-1] == "refund" or paused, heard
    assert shop.stock() == there


def begun(shop: Shop, count: int = ORDERS) -> set[str]:
    with shop.fleet.session() as session:
        session.execute("UPDATE stock SET there = 10000")
    for number in range(count):
        shop.fleet.sagas.start(order, {"product": number % 8, "fail": number % 4 == 3}, key=f"o{number}")
    return {f"o{number}" for number in range(count)}


def test_killed_in_the_middle_and_resumed(shop: Shop, fleet_yaml: Path) -> None:
    """kill -9 at moments all along one saga's way; another process goes on when the lease is over."""
    begun(shop, 0)
    keys = [f"k{number}" for number in range(6)]
    for number, key in enumerate(keys):
        with process(fleet_yaml, key) as running:
            time.sleep(0.012 * number)
            running.kill()
    with process(fleet_yaml):
        finish(shop)
    known = {record.key for record in shop.fleet.sagas.list(limit=1000)}
    check(shop, known)
    epochs = {shop.row(record.id, "epoch")[0] for record in shop.fleet.sagas.list(limit=1000)}
    assert max(epochs, default=0) >= 2, "none was taken over"


@pytest.mark.long
def test_workers_are_killed_all_the_time(shop: Shop, fleet_yaml: Path, seed: int) -> None:
    chance = random.Random(seed)
    keys = begun(shop)
    for _ in range(3):
        with process(fleet_yaml), process(fleet_yaml) as second:
            time.sleep(0.1 + chance.random() * 0.4)
            second.kill()
            time.sleep(chance.random() * 0.2)
    with process(fleet_yaml):
        finish(shop)
    check(shop, keys)


@pytest.mark.long
def test_workers_are_paused_beyond_their_leases(shop: Shop, fleet_yaml: Path, seed: int) -> None:
    """They wake up when others have long gone on, and are refused whatever they had in hand."""
    chance = random.Random(seed)
    keys = begun(shop)
    with process(fleet_yaml) as first, process(fleet_yaml) as second:
        for _ in range(3):
            victim = chance.choice((first, second))
            time.sleep(0.1 + chance.random() * 0.2)
            victim.send_signal(signal.SIGSTOP)
            time.sleep(1.5 + chance.random())
            victim.send_signal(signal.SIGCONT)
        finish(shop)
    check(shop, keys, paused=True)


@pytest.mark.parametrize("shard", [0, 1])
def test_a_server_is_killed(shop: Shop, fleet_yaml: Path, shard: int) -> None:
    """The home shard, with the ledger's rows, and the other one, with half of the steps."""
    keys = begun(shop)
    with shop.servers.restored(), process(fleet_yaml), process(fleet_yaml):
        time.sleep(0.3)
        shop.servers.kill(shop.topology.domains[0].shards[shard].primary)
        time.sleep(0.5)
        shop.servers.start()
        until = time.monotonic() + 20
        while True:
            try:
                shop.fleet.sagas.list()
                break
            except Error:
                assert time.monotonic() < until
                time.sleep(0.1)
        finish(shop)
    check_states(shop, keys)


def check_states(shop: Shop, keys: set[str]) -> None:
    """A shard that was away may have cost a step its tries: then its order was undone, and wholly."""
    records = {record.key: record for record in shop.fleet.sagas.list(limit=1000)}
    assert set(records) == keys
    there = dict.fromkeys(range(8), 10_000)
    for record in records.values():
        assert record.state in ("done", "compensated"), record
        assert record.state == "compensated" or not record.input["fail"]
        there[record.input["product"]] -= record.state == "done"
    assert shop.stock() == there
