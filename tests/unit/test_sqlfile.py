from __future__ import annotations

import pytest

from outgrow import sqlfile


def test_sections_become_queries_without_comments() -> None:
    first = "-- about the file\n\n-- name: one\n-- Says what.\nSELECT 1\n  -- inside\nFROM t;\n\n"
    text = first + "-- name: two\n-- More.\nSELECT 2\n"
    assert dict(sqlfile.parse(text)) == {"one": "SELECT 1\nFROM t", "two": "SELECT 2"}


@pytest.mark.parametrize("text", ["SELECT 1\n", "-- name: a\nSELECT 1\n-- name: a\nSELECT 2\n"])
def test_sloppy_files_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        sqlfile.parse(text)


@pytest.mark.parametrize("package", ["outgrow.schema", "outgrow.ledger"])
def test_every_query_of_every_room_says_what_it_is_for(package: str) -> None:
    import importlib.resources

    lines = importlib.resources.files(package).joinpath("queries.sql").read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("-- name:"):
            assert lines[number + 1].startswith("-- "), line
    assert all(sqlfile.load(package).values())
