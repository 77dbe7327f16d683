"""Which rows of other domains come, by the values of those that the statement says something of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import outgrow
from outgrow.errors import NotSupportedError
from outgrow.plan.domains import across as planning
from outgrow.plan.domains import portions
from outgrow.runtime.reading import across as running
from outgrow.topology import FinishLimits
from tests.integration.across.conftest import Sides
from tests.integration.across.test_across import QUERIES


def narrowed(sides: Sides, **limits: int) -> outgrow.Fleet:
    """The fleet with other limits for the domain that finishes."""
    sales, *others = sides.fleet.topology.domains
    return outgrow.open(replace(sides.fleet.topology, domains=(replace(sales, finish=FinishLimits(**limits)), *others)))


KEYED = (
    ("SELECT o.id, u.name FROM orders o JOIN users u ON u.id = o.customer WHERE o.id = %s", [5]),
    ("SELECT o.id, u.name FROM orders o JOIN users.users u ON u.id = o.customer WHERE o.id IN (%s, 9) ORDER BY 1", [5]),
    ('SELECT g.label, l.n FROM lines l, goods g WHERE g.id = l.good AND l."order" = %s', [7]),
    ("SELECT u.name, l.who FROM users u JOIN audit.log l ON l.who = u.id WHERE u.id = %s ORDER BY l.at LIMIT 3", [3]),
    ("SELECT x.label FROM notes n LEFT JOIN goods x ON x.id = n.id WHERE n.id = %s", [1]),
)


@pytest.mark.parametrize(("sql", "params"), KEYED)
def test_a_selective_join_does_not_ship_the_other_table(sides: Sides, sql: str, params: list[Any]) -> None:
    """Four rows of a table may come, and every other table has more."""
    with narrowed(sides, rows_max=4) as fleet:
        ours = fleet.execute(sql, params).fetchall()
    assert ours
    assert ours == sides.plain.execute(sql.replace("users.users", "users"), params).fetchall()  # type: ignore[call-overload]


def test_without_its_values_it_does(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test above finds out about."""
    monkeypatch.setattr(planning, "follows", lambda tree, table_of: [])
    for sql, params in KEYED[:4]:
        with narrowed(sides, rows_max=4) as fleet, pytest.raises(NotSupportedError, match="OG-RUN-100"):
            fleet.execute(sql, params)


@pytest.mark.parametrize("keys_max", [0, 3])
def test_what_does_not_narrow_is_given_up(sides: Sides, monkeypatch: pytest.MonkeyPatch, keys_max: int) -> None:
    """More rows than are worth their values: the same answer, in another way."""
    monkeypatch.setattr(portions, "KEYS_MAX", keys_max)
    monkeypatch.setattr(running, "KEYS_MAX", keys_max)
    with outgrow.open(sides.fleet.topology) as fleet:
        anew = replace_fleet(sides, fleet)
        for sql in QUERIES:
            anew.same(sql)
        for sql, params in KEYED:
            anew.same(sql, params, sql.replace("users.users", "users"))


def replace_fleet(sides: Sides, fleet: outgrow.Fleet) -> Sides:
    return Sides(fleet, sides.plain, sides.servers)


def test_explain_says_who_comes_first(sides: Sides) -> None:
    shown = str(sides.fleet.explain(*KEYED[0]))
    assert "first tried" in shown and "u.id = ANY ($" in shown.replace('"', ""), shown
