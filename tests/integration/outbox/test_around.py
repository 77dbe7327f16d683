"""What is told of deliveries, emitting behind poolers, other engines, and the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import outgrow
from outgrow import Fleet
from outgrow.doors.cli.app import run
from outgrow.events import Event, MessagesDelivered, StatementEnded
from outgrow.topology import write
from tests import pgbouncer
from tests.integration.outbox.conftest import eventually, relaying
from tests.integration.watch.test_telemetry import Traced

ROOT = Path(__file__).parents[3]

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `outgrow outbox …` on the test's fleet; its exit code, output and errors."""
    (tmp_path / "fleet.yaml").write_text(write(fleet.topology), encoding="utf-8")

    def ran(verb: str, *arguments: str) -> tuple[int, str, str]:
        code = run(["outbox", verb, "--fleet", str(tmp_path / "fleet.yaml"), *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return ran


HANDLERS = """
import pathlib

def take(message):
    with pathlib.Path(__file__).with_name("got").open("a") as got:
        got.write(f"{message.payload}\\n")

def refuse(message):
    raise ValueError("no, thank you")
"""


def test_the_command_line(fleet: Fleet, keys: tuple[int, int], command: Command, tmp_path: Path) -> None:
    assert command("status") == (0, "nothing waits\n", "")
    with fleet.session() as session:
        ids = [session.emit("orders", n, key=keys[n % 2]) for n in range(4)]
    code, out, _ = command("status", "--json")
    assert code == 0 and {(one["shard"], one["waiting"]) for one in json.loads(out)["topics"]} == {("s1", 2), ("s2", 2)}
    (tmp_path / "outbox_handlers.py").write_text(HANDLERS)
    sys.path.insert(0, str(tmp_path))
    try:
        code, out, _ = command("run", "--once", "--to", "orders=outbox_handlers:refuse")
        assert (code, out) == (1, "orders: 0 delivered, 2 refused\n")
        code, out, _ = command("status", "--json")
        told = json.loads(out)
        assert code == 1 and {key["id"] for key in told["blocked"]} == {str(ids[0]), str(ids[1])}
        code, out, _ = command("status")
        assert code == 1 and "no, thank you" in out and str(ids[0]) in out
        assert command("drop", str(ids[0])) == (0, "dropped from orders\n", "")
        assert command("drop", str(ids[0]))[0] == 1 and command("drop", "x")[0] == 2
        assert json.loads(command("retry", "--topic", "orders", "--json")[1]) == {"keys": 2}
        code, out, error = command("run", "--once", "--to", "orders=outbox_handlers:take", "--json")
        assert code == 0, error
        assert json.loads(out)["delivered"] == {"orders": 3}
    finally:
        sys.path.remove(str(tmp_path))
    assert sorted((tmp_path / "got").read_text().split()) == ["1", "2", "3"]
    for wrong in ("orders", "orders=", "orders=nowhere", "orders=no_such_module:take"):
        assert command("run", "--once", "--to", wrong)[0] == 2
    twice = [f"--to=orders=outbox_handlers:{name}" for name in ("take", "refuse")]
    code, _, error = command("run", "--once", *twice)
    assert code == 2 and "given twice" in error
    code, _, error = command("run", "--once", "--to", "orders=kafka://x")
    assert code == 1 and "OG-TARGET-003" in error


def test_a_relay_of_the_command_line_ends_when_it_is_told_to(
    fleet: Fleet, keys: tuple[int, int], command: Command, tmp_path: Path
) -> None:
    (tmp_path / "outbox_handlers.py").write_text(HANDLERS)
    line = [sys.executable, "-c", "from outgrow.doors.cli import main; main()", "outbox", "run", "--json"]
    line += ["--fleet", str(tmp_path / "fleet.yaml"), "--to", "orders=outbox_handlers:take"]
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(line, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE)
    try:
        with fleet.session() as session:
            for n in range(3):
                session.emit("orders", n, key=keys[0])
        eventually(lambda: fleet.outbox().lag() == (), 30)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0 and json.loads(out)["delivered"] == {"orders": 3}
    assert (tmp_path / "got").read_text().split() == ["0", "1", "2"]


def test_deliveries_are_told(fleet: Fleet, keys: tuple[int, int]) -> None:
    told: list[Event] = []
    with fleet.session() as session:
        leave = fleet.subscribe(told.append)
        session.emit("orders", {"secret": 1}, key=keys[0])
        time.sleep(0.2)
        fleet.relay({"orders": lambda message: None}).run_once()
        leave()
    (delivered,) = (event for event in told if isinstance(event, MessagesDelivered))
    assert (delivered.topic, delivered.shard, delivered.delivered, delivered.refused) == ("orders", "s1", 1, 0)
    assert delivered.oldest_seconds >= 0.1 and not delivered.unavailable
    (statement,) = (event for event in told if isinstance(event, StatementEnded))
    assert (statement.command, statement.shards, statement.rows) == ("EMIT", ("s1",), 1)
    assert "secret" not in repr(told)


def test_deliveries_are_measured(fleet: Fleet, keys: tuple[int, int]) -> None:
    traced = Traced(fleet)
    with fleet.session() as session:
        for n in range(3):
            session.emit("orders", n, key=keys[0])

    def take(message: Any) -> None:
        if message.payload == 2:
            raise ValueError

    fleet.relay({"orders": take}).run_once()
    metrics = traced.metrics()
    traced.leave()
    points: Any = metrics["outgrow.outbox.messages"].data.data_points
    counted = {point.attributes["outgrow.outcome"]: point.value for point in points}
    assert counted == {"delivered": 2, "refused": 1}
    assert metrics["outgrow.outbox.age"].unit == "s"


def test_behind_a_pooler(fleet: Fleet, keys: tuple[int, int]) -> None:
    got: list[int] = []
    with (
        pgbouncer.before(fleet.topology) as pooler,
        outgrow.open(pooler.topology) as pooled,
        relaying(pooled, {"orders": lambda message: got.append(message.payload)}),
    ):
        pooled.session().emit("orders", 0, key=keys[0])
        with pooled.session() as session, session.transaction():
            session.emit("orders", 1, key=keys[0])
            session.emit("orders", 2, key=keys[1])
        eventually(lambda: sorted(got) == [0, 1, 2])
    with pgbouncer.before(fleet.topology, direct=False) as pooler, outgrow.open(pooler.topology) as pooled:
        pooled.session().emit("orders", 3, key=keys[0])
        with pytest.raises(outgrow.NotSupportedError) as caught:
            pooled.relay({"orders": got.append}).run_once()
        assert caught.value.code == "OG-TX-089"


def test_a_relay_runs_once_at_a_time(fleet: Fleet) -> None:
    with relaying(fleet, {"orders": lambda message: None}) as relay:
        eventually(lambda: len(relay.now.serving) == 2)
        with pytest.raises(outgrow.InterfaceError) as caught:
            relay.run_once()
        assert caught.value.code == "OG-TX-088"
    for wrong in ({}, {"": print}):
        with pytest.raises(outgrow.Error):
            fleet.relay(wrong)
