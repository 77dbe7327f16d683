"""What guards tables that come in groups, and rows that come once, each switched off: that must be seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from outgrow.errors import Error
from outgrow.plan.bringing import bundles, condensing
from tests.integration.runtime.test_bringing import Sides, sides  # noqa: F401

JOIN = "FROM goods g LEFT JOIN sales s ON s.good = g.id"


def says(answer: Any) -> Callable[..., Any]:
    return lambda *_: answer


#: Where, what is switched off, what it says then, and a query of which that is wrong.
MUTANTS: list[tuple[Any, str, Callable[..., Any], str]] = [
    (condensing, "_null_of_none", says(True), f"SELECT count(coalesce(s.amount, 1)) {JOIN} AND g.id > 3"),
    (condensing, "_null_of_none", says(True), f"SELECT count(*) FILTER (WHERE s.amount IS NULL) {JOIN} AND g.id > 3"),
    (condensing, "_null_of_none", says(True), f"SELECT sum(1 / (s.good - 10)) {JOIN}"),
    (
        condensing,
        "_reaches_in",
        says(False),
        f"SELECT g.id, (SELECT count(g.id) FROM here WHERE n = 1) {JOIN} GROUP BY g.id ORDER BY 1",
    ),
    (condensing, "_nested", says(()), f"SELECT count(*) {JOIN} WHERE EXISTS (SELECT FROM here WHERE n = s.amount)"),
    (
        condensing,
        "repeats",
        says(True),
        "SELECT count(*) FROM goods g LEFT JOIN kinds k ON k.exact = g.id + 0.5 WHERE k.exact::text = '1.5'",
    ),
    (
        condensing._Condensing,
        "_keys",
        says([]),
        "SELECT count(*) FROM goods g LEFT JOIN sales s ON s.note = 'none'",
    ),
    (bundles, "repeats", says(True), "SELECT id FROM goods WHERE (id + 0.5)::text IN (SELECT exact::text FROM kinds)"),
    (
        bundles,
        "has_aggregate",
        says(False),
        "SELECT id FROM goods WHERE 4 IN (SELECT count(*) FROM sales WHERE good = id) ORDER BY 1",
    ),
    (
        bundles,
        "narrowable",
        says(True),
        "SELECT id FROM goods WHERE id IN (SELECT good FROM sales ORDER BY good LIMIT 5) ORDER BY 1",
    ),
]


@pytest.mark.parametrize("number", range(len(MUTANTS)))
def test_what_is_switched_off_is_seen(sides: Sides, number: int, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    where, name, instead, sql = MUTANTS[number]
    sides.same(sql)
    monkeypatch.setattr(where, name, instead)
    with pytest.raises((AssertionError, Error, psycopg.Error)):
        # A text of its own, as plans are kept.
        sides.same(f"{sql} --")
