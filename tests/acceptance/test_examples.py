"""Every program in `examples/` runs, on one shared fleet, and says what it should."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from outgrow import local
from tests import mariadb

EXAMPLES = Path(__file__).parents[2] / "examples"

SAYS = {
    "orders.py": ["order 1: 99.90, read from app/s", "order 2: 0.10, read from app/s", "orders on all shards: ("],
    "many_at_once.py": ["100 of 100 sessions read their own write", "('NL', 100)"],
    "order_saga.py": [
        "the process of order 1 was killed between charge and shipment",
        "another process went on: on its way to Delft",
        "order 2 was undone: ship: no ship goes there",
        "order 1: done",
        "order 2: compensated (ship: no ship goes there)",
        "payments was told: charge 1.10 for order 2\npayments was told: charge 9.90 for order 1",
        "payments was told: refund for order 2\nshipping was told: ship to Delft for order 1",
        "stock: [(1, 9), (2, 10)]",
    ],
    "hand_over.py": [f"round {number}: the other process read [({number},)] from app/s" for number in range(1, 6)],
}

#: Over several engines: it makes its own servers.
ACROSS = {
    "create_order.py": [
        "order 1 of Ada: 55.00",
        "order 1 of Bob: 37.50",
        "rejected: there is no user 9",
        "rejected: user 3 is not active",
        "rejected: there is no product 12",
        "rejected: 2 of Book are wanted, 1 are there",
        "rejected: order 1 of user 1 is there already",
        "orders: (2,)",
        "revenue: GB Abacus 2 25.00\nrevenue: GB Book 1 30.00\nrevenue: NL Abacus 3 37.50",
        "bring from products: products.products as p (id, name)",
    ]
}


@pytest.fixture(scope="module")
def fleet_yaml() -> Iterator[Path]:
    with local.temporary(shards=2, replicas=1) as (_, directory):
        yield directory / "fleet.yaml"


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} - {"shop.py"} == set(SAYS) | set(ACROSS)


@pytest.mark.parametrize("name", SAYS)
def test_example(name: str, fleet_yaml: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), str(fleet_yaml)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for line in SAYS[name]:
        assert line in done.stdout, done.stdout


@pytest.mark.parametrize("name", ACROSS)
def test_an_example_over_several_engines(name: str) -> None:
    mariadb.required()
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)], capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    for line in ACROSS[name]:
        assert line in done.stdout, done.stdout


def test_an_example_makes_its_own_fleet() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "orders.py")], capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "order 2: 0.10" in done.stdout
