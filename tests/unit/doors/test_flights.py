"""The demo's own parts that need no server: its data's place, its fleet file, how it compares answers."""

from __future__ import annotations

import importlib.metadata
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from outgrow.doors.cli import flights
from outgrow.doors.cli.demo import Answer, Seen, same_rows
from outgrow.doors.cli.drills import Load, OwnWrites
from outgrow.errors import ConfigurationError


class FakeFile:
    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path

    def locate(self) -> Path:
        return self._path


def test_unpacks_the_zipped_file_and_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "data", tmp_path / "unpacked"
    source.mkdir()
    target.mkdir()
    for data in flights.TABLES:
        if data.table != "flights":
            (source / data.file).write_text(f"{data.table}\n")
    with zipfile.ZipFile(source / "flights.csv.zip", "w") as archive:
        archive.writestr("flights.csv", "flights\n")
    monkeypatch.setattr(importlib.metadata, "files", lambda _: [FakeFile(path) for path in source.iterdir()])
    files = flights.unpack(target)
    assert {table: path.read_text() for table, path in files.items()} == {
        d.table: f"{d.table}\n" for d in flights.TABLES
    }
    assert [path.name for path in target.iterdir()] == ["flights.csv"]


def test_missing_data_is_an_error_with_a_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", missing)
    with pytest.raises(ConfigurationError) as error:
        flights.unpack(tmp_path)
    assert error.value.code == "OG-CLI-020"
    assert "make demo" in error.value.cure


def test_fleet_yaml_quotes_addresses() -> None:
    text = flights.fleet_yaml([("s1", "host=a password='x: \"y\"'", ["postgresql://b/c?d=e"])], "postgresql://p#q")
    told = yaml.safe_load(text)["domains"]
    assert told["flights"]["shards"]["s1"] == {
        "primary": "host=a password='x: \"y\"'",
        "replicas": ["postgresql://b/c?d=e"],
    }
    assert told["plain"]["shards"]["only"]["primary"] == "postgresql://p#q"
    assert set(told["flights"]["tables"]) == set(told["plain"]["tables"]) == {data.table for data in flights.TABLES}


def test_same_rows_sees_type_scale_and_order() -> None:
    assert same_rows([(1, "a"), (2, None)], [(2, None), (1, "a")], ordered=False)
    assert not same_rows([(1,), (2,)], [(2,), (1,)], ordered=True)
    assert not same_rows([(1,), (1,)], [(1,)], ordered=False)
    assert not same_rows([(Decimal("1.50"),)], [(Decimal("1.5"),)], ordered=False)
    assert not same_rows([(1,)], [(Decimal(1),)], ordered=False)


def test_every_promise_counts() -> None:
    def seen() -> Seen:
        total = sum(data.rows for data in flights.TABLES)
        return Seen(rows_loaded=total, own=OwnWrites(2, 2, 2, 0, True, 0.1), load=Load(reads=5, back_seconds=0.1))

    whole = seen()
    whole.answers = [_answer(question, True) for question in flights.QUESTIONS]
    assert whole.as_promised
    assert whole.figures()["answers_equal"] is True
    for spoil in ("answer", "rows", "own", "behind", "failed", "never back"):
        broken = seen()
        broken.answers = [_answer(question, spoil != "answer") for question in flights.QUESTIONS]
        if spoil == "rows":
            broken.rows_loaded -= 1
        elif spoil == "own":
            broken.own = OwnWrites(2, 1, 2, 0, True, 0.1)
        elif spoil == "behind":
            broken.own = OwnWrites(2, 2, 2, 0, False, 0.1)
        elif spoil == "failed":
            broken.load = Load(reads=5, failed=1, back_seconds=0.1)
        elif spoil == "never back":
            broken.load = Load(reads=5)
        assert not broken.as_promised, spoil


def _answer(question: flights.Question, equal: bool) -> Answer:
    return Answer(question, 1, equal, "s1", 0.0, 0.0)
