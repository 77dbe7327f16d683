"""The shell runs what is complete, waits for the rest, and outlives every error."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from outgrow.doors.cli.shell import Shell
from outgrow.errors import ProgrammingError
from outgrow.topology import parse

FILE = """\
fleet: f
domains:
  sales:
    engine: postgresql
    shards:
      s1: {primary: "postgresql://app:hunter2@db1/shop"}
    tables: {a: {shard_by: [x, y]}, b: {copy: everywhere}, c: {single: s1}}
"""


class FakeSession:
    in_transaction = False

    def __init__(self, level: str) -> None:
        self.level = level
        self.ran: list[str] = []
        self.closed = False

    def execute(self, text: str, parameters: None, *, shard: str | None = None) -> Any:
        self.ran.append(text)
        if "boom" in text:
            raise ProgrammingError("OG-X-001", "boom", cure="do not")
        if "slow" in text:
            raise KeyboardInterrupt
        return SimpleNamespace(columns=(), statusmessage="DID", nodes=("n",), notices=())

    def close(self) -> None:
        self.closed = True


class FakeFleet:
    topology = parse(FILE)

    def __init__(self) -> None:
        self.sessions: list[FakeSession] = []

    def session(self, domain: str | None, *, level: str) -> FakeSession:
        self.sessions.append(FakeSession(level))
        return self.sessions[-1]

    def explain(self, text: str, *, domain: str | None, session: FakeSession) -> str:
        return f"explained {text}"


@pytest.fixture
def fleet() -> FakeFleet:
    return FakeFleet()


@pytest.fixture
def shell(fleet: FakeFleet) -> Shell:
    return Shell(fleet, None, "session")  # type: ignore[arg-type]


def test_statements_may_span_lines(shell: Shell, fleet: FakeFleet) -> None:
    assert shell.take("SELECT 1; SELECT") == "SELECT"
    assert shell.take("SELECT\n'a;") == "SELECT\n'a;"
    assert shell.take("SELECT\n'a;\nb';") == ""
    assert fleet.sessions[0].ran == ["SELECT 1", "SELECT\n'a;\nb'"]


def test_errors_and_interrupts_are_told(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.take("boom; slow; fine;") == ""
    said = capsys.readouterr()
    assert said.err == "OG-X-001: boom\n  cure: do not\n"
    assert "cancelled" in said.out
    assert "DID" in said.out


def test_commands(shell: Shell, fleet: FakeFleet, capsys: pytest.CaptureFixture[str]) -> None:
    for line in ("\\tables", "\\shards", "\\explain SELECT 1;", "\\level strong", "\\level", "\\nope", "\\?"):
        shell.command(line)
    said = capsys.readouterr().out
    for words in ("sharded by x, y", "copied to every shard", "on s1 alone", "postgresql://app@db1/shop"):
        assert words in said
    for words in ("explained SELECT 1\n", "strong\n", "no such command: \\nope"):
        assert words in said
    assert "hunter2" not in said
    assert [session.closed for session in fleet.sessions] == [True, False]
