"""TABLESAMPLE over shards: a sample of a table is its shards' samples together."""

from __future__ import annotations

import pytest

import outgrow
from tests.integration.runtime.test_bringing import Sides, sides

__all__ = ["sides"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT buyer, good FROM sales TABLESAMPLE BERNOULLI (100) ORDER BY 1, 2, amount, note",
        "SELECT count(*), sum(amount) FROM sales s TABLESAMPLE SYSTEM (100) REPEATABLE (1) WHERE s.amount > 1",
        "SELECT count(*) FROM sales TABLESAMPLE BERNOULLI (0)",
        "SELECT g.id, s.buyer FROM goods g TABLESAMPLE SYSTEM (100) JOIN sales s TABLESAMPLE BERNOULLI (100)"
        " ON s.good = g.id ORDER BY 1, 2, s.amount",
        "SELECT c.code, g.id FROM goods g JOIN countries c TABLESAMPLE SYSTEM (100) ON c.name = g.label ORDER BY 1, 2",
        "SELECT g.id FROM goods g JOIN countries c TABLESAMPLE SYSTEM (0) ON c.name = g.label",
        "SELECT h.n, g.id FROM here h TABLESAMPLE SYSTEM (100) JOIN goods g ON g.label = h.name ORDER BY 1, 2",
        "SELECT id FROM goods WHERE id NOT IN (SELECT good FROM sales TABLESAMPLE SYSTEM (0)) ORDER BY id",
    ],
)
def test_all_and_none(sides: Sides, sql: str) -> None:
    sides.same(sql)


def test_a_sample_is_some_of_the_rows(sides: Sides) -> None:
    counts = set()
    for _ in range(20):
        rows = sides.fleet.execute("SELECT buyer, good, amount, note FROM sales TABLESAMPLE BERNOULLI (50)").fetchall()
        counts.add(len(rows))
        every = sides.fleet.execute("SELECT buyer, good, amount, note FROM sales").fetchall()
        assert all(rows.count(row) <= every.count(row) for row in rows)
    assert len(counts) > 1
    assert 0 < min(counts) < max(counts) < 41


def test_one_that_can_be_repeated_is(sides: Sides) -> None:
    sql = "SELECT buyer, good, amount FROM sales TABLESAMPLE BERNOULLI (50) REPEATABLE (7) ORDER BY 1, 2, 3"
    assert len({tuple(sides.fleet.execute(sql).fetchall()) for _ in range(5)}) == 1


def test_each_occurrence_is_drawn_by_itself(sides: Sides) -> None:
    """Were they shared, every row that is drawn would meet itself."""
    sql = (
        "SELECT (SELECT count(*) FROM sales TABLESAMPLE BERNOULLI (50)) AS one,"
        " (SELECT count(*) FROM sales TABLESAMPLE BERNOULLI (50)) AS other"
    )
    assert any(one != other for one, other in (sides.fleet.execute(sql).fetchone() for _ in range(20)))  # type: ignore[misc]


def test_writes_do_not_depend_on_a_sample_of_each_shard(sides: Sides) -> None:
    with pytest.raises(outgrow.NotSupportedError, match=r"OG-PLAN-021.*TABLESAMPLE"):
        sides.fleet.execute("DELETE FROM goods WHERE id IN (SELECT good FROM sales TABLESAMPLE SYSTEM (50))")
