"""In which order rows are brought, given what servers estimate."""

from __future__ import annotations

import pytest

from outgrow.plan.bringing import staging
from outgrow.plan.bringing.brought import Bring, Brought, Keys
from outgrow.plan.bringing.staging import Expected
from outgrow.plan.writes.change import Piece


def bring(alias: str, *sources: int) -> Bring:
    keys = tuple(Keys(source, source + 1, Piece(("k AND ",)), f"k among b{source + 1}.c1") for source in sources)
    return Bring((), alias, ("c1",), Piece(("a ",)), Piece(("true z",)), keys=keys)


#: A line: each of the three may narrow its neighbours.
THREE = Brought((bring("b1", 1), bring("b2", 0, 2), bring("b3", 1)), "", (), (), "", 10)


def order(*expected: float | tuple[float, float]) -> list[list[tuple[int, list[int]]]]:
    """Of rows, or rows with what they cost."""
    known = [Expected(*each) if isinstance(each, tuple) else Expected(each) for each in expected]
    return [
        [(turn.bring, [keys.source for keys in turn.keys]) for turn in stage] for stage in staging.stages(THREE, known)
    ]


def test_few_rows_narrow_many() -> None:
    assert order(100, 50_000, 90_000) == [[(0, []), (2, [])], [(1, [0])]]
    assert order(100, 20_000, 90_000) == [[(0, [])], [(1, [0])], [(2, [1])]]
    assert order(100, 90_000, 200) == [[(0, []), (2, [])], [(1, [0, 2])]]


def test_little_is_brought_at_once() -> None:
    assert order(10, 900, 20) == [[(0, []), (1, []), (2, [])]]


def test_few_rows_that_are_dear_are_narrowed_too() -> None:
    assert order(400, 4, 50) == [[(0, []), (1, []), (2, [])]]
    assert order(400, (4, 100_000), 50) == [[(0, []), (2, [])], [(1, [0, 2])]]
    assert order((400, 90_000), (4, 100_000), (50, 90_000)) == [[(0, []), (1, []), (2, [])]]


def test_about_as_many_narrow_nothing() -> None:
    assert order(60_000, 100_000, 70_000) == [[(0, []), (1, []), (2, [])]]


def test_too_many_values_are_not_sent() -> None:
    assert order(staging.KEYS_MAX + 1, 10_000_000, 9_000_000) == [[(0, []), (1, []), (2, [])]]


def test_equal_estimates_do_not_go_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "TIMES_FEWER", 0)
    assert order(5_000, 5_000, 5_000) == [[(0, [])], [(1, [0])], [(2, [1])]]


def test_the_rows_below_the_top_of_a_plan_are_the_estimate() -> None:
    below = [{"Plan Rows": 77, "Total Cost": 9.5}]
    assert staging.expected_of([{"Plan": {"Plan Rows": 1, "Total Cost": 10.5, "Plans": below}}], 4) == (308, 42)
    assert staging.expected_of([{"Plan": {"Plan Rows": 3, "Total Cost": 0.25}}], 2) == (6, 0.5)


def test_hashing_is_all_that_is_tried_where_nothing_has_an_index() -> None:
    assert staging.settings(THREE, False) == (["SELECT set_config('enable_mergejoin', 'off', true)"], [])
    [off], _ = staging.settings(Brought((), "", (), (), "", 10, alone=True), False)
    assert "enable_nestloop" in off


def test_in_a_transaction_of_others_the_planner_is_put_back() -> None:
    (kept, _), [back] = staging.settings(THREE, True)
    assert "current_setting('enable_mergejoin')" in kept and "current_setting('outgrow.enable_mergejoin')" in back


def test_what_explain_shows() -> None:
    expected = [Expected(100), Expected(50_000), Expected(90_000)]
    stages = staging.stages(THREE, expected)
    assert staging.describe_stages(THREE, expected, stages) == [
        "1. b1: some 100 rows",
        "1. b3: some 90,000 rows",
        "2. b2: some 50,000 rows, narrowed to k among b1.c1",
    ]
