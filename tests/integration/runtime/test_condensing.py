"""What guards tables that come in groups, and rows that come once, each switched off: that must be seen."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from outgrow.errors import Error
from outgrow.plan.bringing import bundles, condensing
from outgrow.runtime.reading import columnar
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


# --- at random -------------------------------------------------------------------------------------------------------

FROM = (
    "goods g LEFT JOIN sales s ON s.good = g.id{and_}",
    "sales s RIGHT JOIN goods g ON s.good = g.id{and_}",
    "goods g LEFT JOIN sales s ON s.amount < g.id AND g.id <> s.good{and_}",
    "countries c JOIN goods g ON g.label <> c.code LEFT JOIN sales s ON s.good = g.id{and_}",
    "countries c JOIN (goods g LEFT JOIN sales s ON s.good = g.id{and_}) ON c.name = g.label",
    "here h FULL JOIN (goods g LEFT JOIN sales s ON s.good = g.id{and_}) ON h.n = s.amount",
    "there h LEFT JOIN (goods g LEFT JOIN sales s ON s.good = g.id{and_}) ON h.n = g.id + 3",
)
AND = ("", "", " AND s.note <> 'note 1'", " AND g.id > 3", " AND s.amount IS NOT NULL AND g.price < 7")
WHERE = ("", "", " WHERE g.id <> 5", " WHERE s.amount IS NULL OR s.amount > 1", " WHERE s.note = 'note 2'")
GROUPS = ((), ("g.id",), ("g.label",), ("s.note",), ("g.label", "s.note"), ("s.good", "s.amount"))
SUMS = (
    *("count(*)", "count(s.amount)", "sum(s.amount)", "avg(s.amount)", "min(s.note)", "max(s.amount)"),
    *("bool_or(s.amount > 2)", "bool_and(s.good <> s.amount)", "count(DISTINCT s.note)", "count(DISTINCT g.label)"),
    *("max(g.price)", "count(*) FILTER (WHERE s.amount > 1)", "sum(s.good) FILTER (WHERE s.note IS NOT NULL)"),
)
#: They see all rows.
REST = ("count(coalesce(s.amount, 0))", "sum(g.price)", "count(*) FILTER (WHERE s.amount IS NULL)", "count(g.id)")


def drawn(rng: random.Random) -> str:
    groups = rng.choice(GROUPS)
    pool = SUMS if rng.random() < 0.85 else (*SUMS, *REST)
    items = (*groups, *rng.sample(pool, rng.choice((1, 2, 4))))
    source = rng.choice(FROM).format(and_=rng.choice(AND))
    sql = f"SELECT {', '.join(items)} FROM {source}{rng.choice(WHERE)}"
    if groups:
        sql += f" GROUP BY {', '.join(groups)}" + rng.choice(
            ("", "", " HAVING count(*) > 1", " HAVING sum(s.good) > 9")
        )
    return f"{sql} ORDER BY {', '.join(map(str, range(1, len(items) + 1)))}"


@pytest.mark.parametrize("rows_min", [0, columnar.ROWS_MIN])
@pytest.mark.parametrize("seed", range(4))
def test_at_random(sides: Sides, seed: int, rows_min: int, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """Finished by DuckDB, where it is installed and may, and by PostgreSQL."""
    monkeypatch.setattr(columnar, "ROWS_MIN", rows_min)
    made = 0
    whole = condensing._Condensing.condensed

    def counted(self: condensing._Condensing) -> Any:
        nonlocal made
        found = whole(self)
        made += 1
        return found

    monkeypatch.setattr(condensing._Condensing, "condensed", counted)
    rng = random.Random(seed)
    for _ in range(40):
        # Plans are kept by their text.
        sides.same(f"{drawn(rng)} -- {rows_min}")
    assert made > 20, made
