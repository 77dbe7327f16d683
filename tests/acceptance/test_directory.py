"""`outgrow directory`: show, assign and migrate, by their output and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outgrow.doors.cli.app import run
from outgrow.topology import Topology, write
from tests.integration.keyspace.directory_world import made, opened, rows_by_shard, topology_of
from tests.servers import Servers

Directory = Callable[..., tuple[int, str, str]]


@pytest.fixture
def directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Directory:
    """Runs the command on the fleet file of the test; its exit code, output and errors."""

    def ran(verb: str, *arguments: str) -> tuple[int, str, str]:
        code = run(["directory", verb, "--fleet", str(tmp_path / "fleet.yaml"), *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return ran


def told(directory: Directory, *arguments: str) -> Any:
    code, out, error = directory(*arguments, "--json")
    assert code == 0, error
    return json.loads(out)


def test_show_assign_migrate(fleet_servers: Servers, tmp_path: Path, directory: Directory) -> None:
    with topology_of(fleet_servers) as topology:
        (tmp_path / "fleet.yaml").write_text(write(topology), encoding="utf-8")
        with opened(topology, install=True) as fleet:
            made(fleet)
            with fleet.session() as session:
                session.execute("INSERT INTO t VALUES (1, 10), (-2, 20)")
        checked(directory, topology)


def checked(directory: Directory, topology: Topology) -> None:
    assert told(directory, "show") == {
        "types": [
            {"type": "int8", "assign": "s1", "keys": {"s1": 2, "s2": 0}},
            {"type": "text", "assign": "s2", "keys": {"s1": 0, "s2": 0}},
        ]
    }
    done = told(directory, "migrate", "1", "s2", "--type", "int8")
    assert (done["key"], done["source"], done["target"], done["rows"]["t"]) == ("1", "s1", "s2", 1)
    assert rows_by_shard(topology, "SELECT id FROM t") == {"s1": [(-2,)], "s2": [(1,)]}
    code, out, _ = directory("migrate", "1", "s2", "--type", "int8")
    assert (code, out) == (0, "1 lives on s2 already\n")
    code, out, _ = directory("migrate", "--type", "int8", "--", "-2", "s2")
    assert code == 0
    assert out.endswith("-2 went from s1 to s2\n")
    assert told(directory, "assign", "9", "s2", "--type", "int8")["shard"] == "s2"
    code, out, error = directory("assign", "9", "s1", "--type", "int8")
    assert code == 1
    assert error.startswith("OG-RUN-115: ")
    assert [each["key"] for each in told(directory, "show", "--shard", "s2")["entries"]] == ["-2", "1", "9"]
    assert [
        each["key"] for each in told(directory, "show", "--shard", "s2", "--after", "-2", "--limit", "1")["entries"]
    ] == ["1"]
    code, out, error = directory("show", "1", "77", "--type", "int8")
    assert code == 1
    assert "s2" in out
    assert error == "no entry: 77\n"
    code, _, error = directory("migrate", "77", "s1", "--type", "int8")
    assert code == 1
    assert error.startswith("OG-RUN-111: ")
    for wrong in (("migrate", "1"), ("assign",), ("show", "--limit", "0")):
        assert directory(*wrong)[0] == 2


@pytest.mark.parametrize("verb", [("show",), ("assign", "1", "s1"), ("migrate", "1", "s1")])
def test_a_domain_without_a_directory(
    fleet_servers: Servers, tmp_path: Path, directory: Directory, verb: tuple[str, ...]
) -> None:
    topology = fleet_servers.fresh()
    (tmp_path / "fleet.yaml").write_text(write(topology), encoding="utf-8")
    with opened(topology, install=True):
        code, _, error = directory(*verb)
    fleet_servers.drop(topology)
    assert code == 1
    assert error.startswith("OG-RUN-117: ")
