from __future__ import annotations

from pathlib import Path

import pytest

import outgrow
from outgrow import sqlfile


def test_sections_become_queries_without_comments() -> None:
    first = "-- about the file\n\n-- name: one\n-- Says what.\nSELECT 1\n  -- inside\nFROM t;\n\n"
    text = first + "-- name: two\n-- More.\nSELECT 2\n"
    assert dict(sqlfile.parse(text)) == {"one": "SELECT 1\nFROM t", "two": "SELECT 2"}


@pytest.mark.parametrize("text", ["SELECT 1\n", "-- name: a\nSELECT 1\n-- name: a\nSELECT 2\n"])
def test_sloppy_files_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        sqlfile.parse(text)


FILES = sorted(Path(outgrow.__file__).parent.rglob("*.sql"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_every_query_of_every_room_says_what_it_is_for(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if line.startswith("-- name:"):
            assert lines[number + 1].startswith("-- "), line
    assert all(sqlfile.parse(file.read_text(encoding="utf-8")).values())


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
def test_a_folder_is_read_as_one_file(engine: str) -> None:
    found = sqlfile.load_folder("outgrow.ledger", engine)
    steps = [name for name in found if name.startswith("v")]
    assert {"guard", "token", "stamp", "decide"} <= found.keys() and len(steps) > 5
