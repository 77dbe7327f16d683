"""The slow log of an opened fleet."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import outgrow
from outgrow import Fleet, Observe
from outgrow.topology import write
from tests.integration.watch.test_events import POINT, tell_secrets

SLEEP = "SELECT pg_sleep(%s), 'hunter2' FROM customers WHERE customer_id = 1"


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(record.getMessage()) for record in caplog.records if record.name == "outgrow.slow"]


def test_slow_statements_are_logged(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    with (
        outgrow.open(fleet.topology, observe=Observe(slow_statement_seconds=0.3)) as opened,
        opened.session() as session,
    ):
        session.execute(POINT, [1])
        session.execute(SLEEP, [0.31])
    [line] = [line for line in lines(caplog) if "pg_sleep" in line["statement"]]
    assert line["statement"] == "select pg_sleep(?), ? from customers where customer_id = ?"
    assert (line["shards"], line["nodes"], line["rows"]) == (["s1"], ["app/s1/primary"], 1)
    assert 0.3 <= line["seconds"] < 20
    assert len(line["fingerprint"]) == 16
    assert "parameters" not in line


def test_the_file_may_say_it_and_the_argument_wins(
    fleet: Fleet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(write(replace(fleet.topology, observe=Observe(slow_statement_seconds=0.0, with_parameters=True))))
    with outgrow.open(path) as opened:
        opened.execute(POINT, [1])
    [line] = lines(caplog)
    assert (line["parameters"], line["command"]) == (["1"], "SELECT")
    caplog.clear()
    with outgrow.open(path, observe=Observe()) as opened:
        opened.execute(POINT, [1])
        assert opened._states["app"].tell is None
    assert lines(caplog) == []


def test_no_value_is_in_the_log(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    with outgrow.open(fleet.topology, observe=Observe(slow_statement_seconds=0.0)) as opened:
        tell_secrets(opened, "hunter2")
    assert len(lines(caplog)) > 14
    with caplog.at_level(logging.DEBUG):
        assert "hunter2" not in caplog.text
