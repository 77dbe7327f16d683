"""The command line as a program: what it prints and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from outgrow import local
from outgrow.local import processes
from outgrow.local.temporary import reserved

PG = os.environ.get("OUTGROW_TEST_PG") or ""


@pytest.fixture
def place() -> Iterator[Path]:
    with reserved() as directory:
        yield directory
        local.down(directory, delete=True)


def outgrow(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "outgrow"
    environment = {**os.environ, "PYTHONWARNINGS": "error", "TERM": "dumb", "COLUMNS": "80"}
    return subprocess.run(
        [str(program), *arguments],
        input=stdin,
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def told(run: subprocess.CompletedProcess[str]) -> Any:
    assert run.stdout.count("\n") == 1, run.stdout
    return json.loads(run.stdout)


def test_up_status_down(place: Path) -> None:
    where = ("--dir", str(place))
    which = ("--pg", PG) if PG else ()
    chosen = ("--strategy", "directory", "--no-init")
    up = outgrow("up", "--shards", "2", "--replicas", "1", *chosen, *where, *which, "--json")
    assert up.returncode == 0, up.stderr
    assert "strategy: directory" in (place / "fleet.yaml").read_text()
    assert outgrow("sql", "SELECT 1", *where).stderr.startswith("OG-RUN-040: ")
    assert "s1/replica1: copying its primary" in up.stderr
    document = told(up)
    assert document["running"] is True
    assert document["fleet_yaml"] == str(place / "fleet.yaml")
    assert [(server["shard"], server["name"], server["replays"]) for server in document["servers"]] == [
        *(("s1", "primary", False), ("s1", "replica1", True), ("s2", "primary", False), ("s2", "replica1", True))
    ]

    shown = outgrow("status", *where)
    assert shown.returncode == 0
    assert shown.stdout.count("running") == 4
    assert "\x1b" not in shown.stdout

    victim = document["servers"][1]["pid"]
    processes.send(victim, place, 9)  # type: ignore[arg-type]
    processes.end_all(place / "s1/replica1")
    status = outgrow("status", *where, "--json")
    assert status.returncode == 1
    assert [server["condition"] for server in told(status)["servers"]] == ["running", "stopped", "running", "running"]

    assert outgrow("up", *where).returncode == 0
    assert outgrow("status", *where, "--json").returncode == 0

    assert outgrow("directory", "show", *where).returncode == 0
    other = outgrow("up", "--strategy", "ring", *where)
    assert other.stderr.startswith("OG-LOCAL-040: ")

    wrong = outgrow("up", "--shards", "5", *where)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("OG-LOCAL-024: ")
    assert "\n  cure: " in wrong.stderr
    assert "Traceback" not in wrong.stderr
    assert "Traceback" in outgrow("--debug", "up", "--shards", "5", *where).stderr
    assert told(outgrow("up", "--shards", "5", *where, "--json"))["error"]["code"] == "OG-LOCAL-024"

    down = outgrow("down", *where, "--delete", "--json")
    assert told(down) == {"directory": str(place), "found": True, "deleted": True}
    assert not place.exists()
    assert processes.of(place) == []
    again = outgrow("down", *where)
    assert (again.returncode, again.stdout) == (0, f"Nothing runs in {place}.\n")


def test_no_fleet(place: Path) -> None:
    for arguments in (["status"], ["sql", "SELECT 1"], ["explain", "SELECT 1"], ["init"]):
        run = outgrow(*arguments, "--dir", str(place))
        assert run.returncode == 1
        assert run.stderr.startswith("OG-LOCAL-026: there is no fleet in ")
        assert "outgrow up" in run.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["upp"],
        ["up", "--shards", "0"],
        ["up", "--shards", "two"],
        ["up", "--nonsense"],
        ["sql", "--json", "--csv", "SELECT 1"],
        ["sql", "--dir", "/x", "--fleet", "/y", "SELECT 1"],
        ["explain"],
        ["up", "--strategy", "range"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    run = outgrow(*arguments)
    assert (run.returncode, run.stdout) == (2, "")
    assert "Usage: outgrow" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_broken_file(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text("fleet: f\ndomians: {}\n")
    run = outgrow("sql", "--fleet", str(path), "SELECT 1")
    assert run.returncode == 1
    assert run.stderr == f"OG-TOPO-003: {path}, line 2: unknown key 'domians'\n  cure: did you mean 'domains'?\n"


def test_every_verb_is_listed() -> None:
    run = outgrow("--help")
    assert run.returncode == 0
    for verb in ("up", "status", "down", "init", "sql", "explain", "load", "unload", "directory", "demo"):
        assert f" {verb} " in run.stdout
