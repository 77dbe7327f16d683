"""Nodes that say nothing, or are at work for long: the doctor waits for the one not for long, and for the other."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outgrow.doors.cli.app import run
from outgrow.errors import NodeLost
from outgrow.nodes import Link, Nodes, recovery
from outgrow.runtime import doctor
from outgrow.runtime.doctor import Finding, examine, patience, reading
from outgrow.runtime.doctor.examination import QUERIES
from outgrow.topology import Node, write
from outgrow.waits import Steps
from tests.integration.definitions.planting import World, made, summary, world

__all__ = ["made", "world"]

#: What the doctor allows a node here, and what all of its looks may then take (generous: the machine may be busy).
ANSWER_SECONDS, ALL_SECONDS = 1.5, 15.0


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "ANSWER_SECONDS", ANSWER_SECONDS)


def by_file(world: World) -> list[Finding]:
    return world.findings()


def by_open_fleet(world: World) -> list[Finding]:
    return [finding for finding in world.fleet.doctor() if finding.severity != "info"]


@pytest.mark.parametrize("look", [by_file, by_open_fleet])
@pytest.mark.parametrize("name", ["s2/replica1", "s2/primary", "s1/primary"])
def test_a_frozen_node(world: World, name: str, look: Callable[[World], list[Finding]]) -> None:
    """It is said once, and what was not looked at because of it; nothing waits for it again."""
    with world.servers.restored():
        world.servers.freeze(world.node(name))
        started = time.monotonic()
        silent, unmade = look(world)
        assert time.monotonic() - started < ALL_SECONDS
    primary = name.endswith("primary")
    assert (silent.severity, silent.check, silent.where) == (
        "error" if primary else "warning",
        "servers",
        f"app/{name}",
    )
    assert silent.what == "the node does not answer within 1.5 s"
    assert (unmade.severity, unmade.check, unmade.where) == ("warning", "not made", f"app/{name}")
    left = unmade.what.rpartition(": ")[2].split(", ")
    if look is by_open_fleet and primary:
        assert left.pop(0) == "opening"
    assert left[:3] == ["identity", "versions", "clock"]
    assert {"settings", "text", "long transactions"} <= set(left)
    assert ({"rows", "copies", "schema", "sequences"} <= set(left)) is primary
    assert ({"ledger", "definitions"} <= set(left)) is (name == "s1/primary")


@pytest.mark.parametrize("look", [by_file, by_open_fleet])
def test_a_lost_node_is_waited_for_once(world: World, look: Callable[[World], list[Finding]]) -> None:
    """Not by each check, nor by what makes the domain known."""
    asked: Counter[str] = Counter()
    lost: set[str] = set()
    again: list[str] = []
    asking, connecting = patience.asked_steps, doctor.opening("postgresql")

    def asked_steps(nodes: Nodes, node: Node, *told: Any) -> Steps[Any]:
        asked[node.name] += 1
        try:
            return (yield from asking(nodes, node, *told))
        except NodeLost:
            lost.add(node.name)
            raise

    def link_steps(node: Node, *told: Any) -> Steps[Link]:
        if node.name in lost:
            again.append(node.name)
        return (yield from connecting(node, *told))

    world.monkeypatch.setattr(patience, "asked_steps", asked_steps)
    world.monkeypatch.setattr(doctor, "opening", lambda engine: link_steps)
    with world.servers.restored():
        world.servers.freeze(world.node("s2/primary"))
        assert len(look(world)) == 2
    assert lost == {"app/s2/primary"} and asked["app/s2/primary"] == 1
    assert asked["app/s1/primary"] > 5 and again == []


def test_the_exit_code_of_what_could_not_be_examined(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text(write(world.topology))
    with world.servers.restored():
        world.servers.freeze(world.node("s1/replica1"))
        assert run(("doctor", "--fleet", str(file))) == 1
    said = capsys.readouterr().out
    assert "warning app/s1/replica1: the node does not answer within 1.5 s" in said
    assert "warning app/s1/replica1: not examined, because it could not be asked: identity, " in said


def test_a_node_that_freezes_while_its_rows_are_read(world: World) -> None:
    frozen = False
    cancelled = []
    stopping = recovery.stop_steps

    def freeze(read: int, all_pages: int) -> None:
        nonlocal frozen
        if not frozen:
            frozen = True
            world.servers.freeze(world.node("s2/primary"))

    def stop_steps(*told: Any) -> Steps[Any]:
        cancelled.append(told)
        return (yield from stopping(*told))

    world.monkeypatch.setattr(reading, "_CHUNK_PAGES", 1)
    world.monkeypatch.setattr(recovery, "stop_steps", stop_steps)
    with world.servers.restored():
        started = time.monotonic()
        found = examine(world.topology, all_rows=True, progress=freeze)
        assert time.monotonic() - started < ALL_SECONDS
    silent, unmade = [finding for finding in found if finding.severity != "info"]
    assert summary([silent, unmade]) == [
        ("error", "servers", "app/s2/primary"),
        ("warning", "not made", "app/s2/primary"),
    ]
    assert silent.what == "the node does not answer within 1.5 s"
    assert unmade.what.endswith(": rows, work, single tables, copies")
    # Its link was shut down: a look that is cancelled waits for an answer to that, too.
    assert cancelled == []
    assert world.findings() == []


def test_a_look_that_takes_long_on_a_node_that_answers(world: World) -> None:
    slow = f"SELECT false, current_user::text FROM pg_sleep({ANSWER_SECONDS * 1.5})"
    world.monkeypatch.setitem(QUERIES, "read_only", slow)
    assert world.findings() == []


def test_a_table_that_somebody_has_locked(world: World) -> None:
    with world.connected("s2/primary") as other:
        other.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
        pid = other.info.backend_pid
        found = world.findings()
    assert {finding.where for finding in found} == {"app/s2/primary"}
    assert "rows" in {finding.check for finding in found}
    for finding in found:
        assert finding.what == f"could not be examined: a lock stands in the way, held by pid {pid}"
        assert finding.cure
    assert world.findings() == []
