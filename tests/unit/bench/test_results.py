"""The page of results: each section keeps its day when others are run again."""

from __future__ import annotations

import datetime

import pytest

pytest.importorskip("rich")
page = pytest.importorskip("bench.__main__", reason="benches are run from the working copy")


def test_a_section_keeps_its_day() -> None:
    one = page.section("point", 'a table\n{"vs_x": 1.5}\n', datetime.date(2026, 1, 2))
    assert one.startswith("## bench.point\n\n2026-01-02\n\n```text\na table\n```\n")
    two = page.section("ring", '{"n": 1}\n', datetime.date(2026, 3, 4))
    head = page.HEAD.format(versions="psycopg 3")
    assert page.sections(f"{head}\n{one}\n{two}\n## Notes\n\nwords\n") == {"point": one, "ring": two}
