"""What programs read must be stable and lose nothing."""

from __future__ import annotations

import datetime
import io
import json
import uuid
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from outgrow.doors.cli import printing
from outgrow.doors.cli.statements import value_of
from outgrow.errors import InterfaceError, OperationalError


def result(rows: list[tuple[Any, ...]], *fields: tuple[str, str]) -> Any:
    return SimpleNamespace(
        fields=[SimpleNamespace(name=name, type=kind) for name, kind in fields],
        columns=tuple(name for name, _ in fields),
        fetchall=lambda: rows,
        rowcount=len(rows),
        statusmessage=f"SELECT {len(rows)}",
        nodes=("app/s1/primary",),
        notices=(),
    )


def test_json_keeps_every_value(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        (1, Decimal("99.90"), None, "é", True, b"\x00\xff"),
        (2**63, Decimal("NaN"), [1, Decimal("2.0")], {"a": 1.5}, float("nan"), datetime.date(2026, 1, 2)),
    ]
    printing.print_json(result(rows, *((f"c{n}", "text") for n in range(6))))
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    told = json.loads(said)
    assert told["rows"] == [
        [1, "99.90", None, "é", True, "\\x00ff"],
        [2**63, "NaN", [1, "2.0"], {"a": 1.5}, "nan", "2026-01-02"],
    ]
    assert told["columns"][0] == {"name": "c0", "type": "text"}
    assert (told["rowcount"], told["status"], told["nodes"]) == (2, "SELECT 2", ["app/s1/primary"])


def test_csv_tells_null_from_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    printing.print_csv(["a", 'b"c'], [(None, ""), ("x,y", 'say "hi"\n'), (True, Decimal("1.50"))])
    assert capsys.readouterr().out == 'a,"b""c"\n,""\n"x,y","say ""hi""\n"\nt,1.50\n'


def test_a_table_is_never_cut_nor_read_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    long = "[bold]" + "x" * 500
    printing.print_table(
        result([(long, None, uuid.UUID(int=1))], ("text", "text"), ("[a]", "int8"), ("u", "uuid")), 0.0123
    )
    said = capsys.readouterr().out
    assert long in said
    assert "NULL" in said
    assert "[a]" in said
    assert "(1 row, 12.3 ms, app/s1/primary)" in said
    assert "\x1b" not in said


def test_a_failure_names_code_place_and_cure(capsys: pytest.CaptureFixture[str]) -> None:
    printing.failure(OperationalError("OG-X-001", "gone [1]", cure="wait", node="d/s/primary"))
    assert capsys.readouterr().err == "OG-X-001: gone [1] (on d/s/primary)\n  cure: wait\n"


def test_parameters_from_the_command_line() -> None:
    given = ["42", "1.5", "true", "null", '"42"', "Ann", "2026-01-02", ""]
    assert [value_of(text) for text in given] == [42, 1.5, True, None, "42", "Ann", "2026-01-02", ""]
    with pytest.raises(InterfaceError, match="list"):
        value_of("[1]")


def test_console_is_plain_when_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert not printing.console().is_terminal
    assert printing.console().width > 10_000
