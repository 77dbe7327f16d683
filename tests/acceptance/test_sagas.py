"""`outgrow saga`: list, show, retry and abort, by their output and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import outgrow
from outgrow import Rejected, Retry, Saga, SagaContext
from outgrow.doors.cli.app import run
from outgrow.topology import Topology, write

Command = Callable[..., tuple[int, str, str]]


def undo(ctx: SagaContext) -> None:
    raise RuntimeError("the payment service [beta] says no")


order = Saga("create_order")


@order.step(compensate=undo, compensate_retry=Retry(tries=1))
def charge(ctx: SagaContext) -> Any:
    return {"payment": 7}


@order.step(compensate=None)
def ship(ctx: SagaContext) -> None:
    if ctx.input["to"] == "nowhere":
        raise Rejected("no such place")


@pytest.fixture
def fleet(fresh_topology: Topology, tmp_path: Path) -> Iterator[outgrow.Fleet]:
    (tmp_path / "fleet.yaml").write_text(write(fresh_topology), encoding="utf-8")
    with outgrow.open(fresh_topology, install=True) as opened:
        yield opened


@pytest.fixture
def saga(fleet: outgrow.Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command on the fleet file of the test; its exit code, output and errors."""

    def ran(verb: str, *arguments: str) -> tuple[int, str, str]:
        code = run(["saga", verb, "--fleet", str(tmp_path / "fleet.yaml"), *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return ran


def test_list_and_show(fleet: outgrow.Fleet, saga: Command) -> None:
    assert json.loads(saga("list", "--json")[1]) == {"sagas": []}
    fleet.sagas.run(order, {"to": "Delft"}, key="o[1]")
    waiting = fleet.sagas.start(order, {"to": "Ghent"}, key="o2")
    code, out, _ = saga("list")
    assert code == 0
    assert [line.split()[1:5] for line in out.splitlines()[2:]] == [
        ["create_order", "v1", "o2", "running"],
        ["create_order", "v1", "o[1]", "done"],
    ]
    found = json.loads(saga("list", "--unfinished", "--json")[1])["sagas"]
    assert [(one["id"], one["state"], one["step"]) for one in found] == [(str(waiting), "running", "charge")]
    found = json.loads(saga("list", "--state", "done", "--name", "create_order", "--json")[1])["sagas"]
    assert [(one["key"], one["results"]) for one in found] == [("o[1]", {"charge": {"payment": 7}, "ship": None})]
    assert json.loads(saga("list", "--name", "others", "--json")[1]) == {"sagas": []}
    assert json.loads(saga("list", "--before", str(waiting), "--json")[1])["sagas"] == found
    code, out, _ = saga("show", str(waiting))
    assert code == 0
    assert '{"to": "Ghent"}' in out
    for verb in ("show", "retry", "abort"):
        code, _, error = saga(verb, "nothing")
        assert (code, error.partition(":")[0]) == (1, "OG-TX-045")
    code, _, error = saga("list", "--state", "lost")
    assert (code, error.partition(":")[0]) == (1, "OG-TX-057")
    assert saga("list", "--limit", "0")[0] == 2
    assert saga("show")[0] == 2


def test_stuck_retried_aborted(fleet: outgrow.Fleet, saga: Command) -> None:
    with pytest.raises(outgrow.OperationalError):
        fleet.sagas.run(order, {"to": "nowhere"}, key="o1")
    code, out, _ = saga("list")
    assert code == 1
    assert "stuck" in out
    # However many came behind it.
    newest = fleet.sagas.start(order, {"to": "Delft"}, key="newest")
    code, out, _ = saga("list", "--limit", "1")
    assert (code, "stuck" in out, "newest" in out) == (1, False, True)
    assert saga("list", "--limit", "1", "--unfinished", "--json")[0] == 1
    assert saga("list", "--limit", "1", "--state", "running")[0] == 0
    assert saga("list", "--name", "others")[0] == 0
    fleet.sagas.abort(newest)
    (found,) = json.loads(saga("list", "--state", "stuck", "--json")[1])["sagas"]
    assert (found["step"], found["failure"]) == ("charge", "ship: no such place")
    code, out, _ = saga("show", found["id"])
    assert code == 1
    assert "the payment service [beta] says no" in out
    code, _, error = saga("abort", found["id"])
    assert (code, error.partition(":")[0]) == (1, "OG-TX-049")
    code, out, _ = saga("retry", found["id"], "--json")
    assert (code, json.loads(out)["state"]) == (0, "compensating")
    waiting = fleet.sagas.start(order, {"to": "Ghent"}, key="o2")
    code, out, _ = saga("abort", str(waiting), "--why", "wrong town", "--json")
    assert code == 0
    assert (json.loads(out)["state"], json.loads(out)["failure"]) == ("compensating", "wrong town")
