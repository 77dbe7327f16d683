"""`outgrow up` and its like, without servers: what is asked of `local`, and what is refused before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import outgrow
from outgrow.doors.cli import app, fleets
from outgrow.local import addresses, state
from outgrow.topology import Topology, parse, write


def run(*arguments: str) -> int:
    return app.run(arguments)


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
def test_a_directory_is_for_both_engines(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    class Asked(Exception):
        pass

    def up(*arguments: Any, **more: Any) -> None:
        asked.update(more)
        raise Asked

    monkeypatch.setattr(fleets, "local_up", up)
    with pytest.raises(Asked):
        run("up", "--engine", engine, "--strategy", "directory", "--dir", str(tmp_path))
    assert (asked["engine"], asked["strategy"]) == (engine, "directory")

    servers = tuple(state.Server(shard, "primary", 5432 + number) for number, shard in enumerate(("s1", "s2")))
    known = state.State(1, "/bin", 16, 2, 0, "password", "/tmp/s", True, True, servers, engine=engine)
    text = write(Topology("local", (addresses.domain_of(known, strategy="directory"),), None))
    assert [listing.type for listing in parse(text).domains[0].directory] == ["int8", "text", "uuid"]


def test_one_shard_has_no_directory(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("up", "--shards", "1", "--strategy", "directory") == 2
    assert "two shards or more" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"outgrow {outgrow.__version__}\n"
