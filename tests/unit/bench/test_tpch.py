"""What `bench.tpch` counts as the same answer, and the means it takes."""

from __future__ import annotations

from decimal import Decimal

import pytest

pytest.importorskip("rich")
answers = pytest.importorskip("bench.tpch.answers", reason="benches are run from the working copy")
bench = pytest.importorskip("bench.tpch.__main__")
tables = pytest.importorskip("bench.tpch.tables")

COLUMNS = [("n_name", 1042), ("revenue", 1700)]


def answer(*rows: tuple[object, ...]) -> object:
    return answers.Answer(COLUMNS, list(rows))


def test_values_are_the_same_with_their_scale_only() -> None:
    right = answer(("A", Decimal("1.50")))
    assert answers.differs(2, right, answer(("A", Decimal("1.50")))) == ""
    assert answers.differs(2, right, answer(("A", Decimal("1.5"))))
    assert answers.differs(2, right, answer(("A", Decimal("1.50")), ("A", Decimal("1.50"))))
    assert answers.differs(2, right, answers.Answer([("n_name", 25), ("revenue", 1700)], right.rows))


def test_order_counts_where_it_is_asked_for() -> None:
    right = answer(("A", Decimal(2)), ("B", Decimal(2)), ("C", Decimal(1)))
    tied = answer(("B", Decimal(2)), ("A", Decimal(2)), ("C", Decimal(1)))
    assert answers.differs(5, right, tied) == "", "Q5 orders by revenue, which does not tell A from B"
    assert answers.differs(2, right, tied), "Q2's order tells all rows apart"
    assert answers.differs(5, right, answer(("A", Decimal(2)), ("C", Decimal(1)), ("B", Decimal(2))))


def test_means_are_over_what_both_answered() -> None:
    def asked(*seconds: float, verdict: str = "right") -> object:
        return bench.Asked(list(seconds), verdict)

    plain = {1: asked(1.0), 2: asked(2.0), 3: asked(1.0)}
    ours = {1: asked(0.5, 0.5, 9.0), 2: asked(4.0), 3: asked(1.0, verdict="refused")}
    assert bench.geomean(ours, plain) == 1.0
    assert bench.geomean({3: ours[3]}, plain) is None


def test_all_queries_and_tables_are_there() -> None:
    texts = tables.queries(0.1)
    assert list(texts) == list(range(1, 23))
    assert "* 0.0010000000" in texts[11]
    assert len(list(tables.definitions())) == len(tables.TABLES)
    assert all(set(layout) == set(tables.TABLES) for layout in tables.LAYOUTS.values())
