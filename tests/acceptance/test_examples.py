"""Every program in `examples/` runs, on one shared fleet, and says what it should."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from outgrow import local

EXAMPLES = Path(__file__).parents[2] / "examples"

SAYS = {
    "orders.py": ["order 1: 99.90, read from app/s", "order 2: 0.10, read from app/s", "orders on all shards: ("],
    "many_at_once.py": ["100 of 100 sessions read their own write", "('NL', 100)"],
    "hand_over.py": [f"round {number}: the other process read [({number},)] from app/s" for number in range(1, 6)],
}


@pytest.fixture(scope="module")
def fleet_yaml() -> Iterator[Path]:
    with local.temporary(shards=2, replicas=1) as (_, directory):
        yield directory / "fleet.yaml"


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} - {"shop.py"} == set(SAYS)


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


def test_an_example_makes_its_own_fleet() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "orders.py")], capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "order 2: 0.10" in done.stdout
