"""Concatenation, merging, sorting, duplicates, limits."""

from __future__ import annotations

import datetime as dt
import functools
import random
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.errors import DataError, InternalError, NotSupportedError
from outgrow.finish import Finisher
from outgrow.plan.spec import Apply, Constant, Finish, Given, Output, Position, Sort

from .fragments import Row, fields, finish, trickle

NAN = float("nan")


def rows_spec(width: int, visible: int | None = None, **more: Any) -> Finish:
    outputs = tuple(Output(f"c{at + 1}", Position(at)) for at in range(width))
    return Finish(outputs, visible if visible is not None else width, width, **more)


def test_concatenates_in_the_order_of_arrival() -> None:
    columns, rows = finish(rows_spec(1), ["int4"], [[(3,)], [], [(1,), (2,)]])
    assert rows == [(3,), (1,), (2,)]
    assert [(column.name, column.type) for column in columns] == [("c1", "int4")]


def _before(one: Row, other: Row, sort: tuple[Sort, ...]) -> int:
    """An oracle of PostgreSQL's order, written apart from the code."""
    for key in sort:
        left, right = one[key.column], other[key.column]
        if left is None or right is None:
            if (left is None) != (right is None):
                return -1 if (left is None) == key.nulls_first else 1
            continue
        sides = []
        for value in (left, right):
            if isinstance(value, float) and value != value:
                sides.append((1, 0.0))
            else:
                sides.append((0, value))
        if sides[0] != sides[1]:
            smaller = sides[0] < sides[1]
            return -1 if smaller != key.descending else 1
    return 0


_ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-3, 3),
        st.none() | st.sampled_from(["", "a", "B", "b", "ä", "é", "\U0001f600", "￿"]),
        st.none() | st.sampled_from([0.0, -0.0, 1.5, NAN, float("inf"), float("-inf")]),
    ),
    max_size=40,
)
_SORT = st.lists(
    st.builds(Sort, st.integers(0, 2), st.booleans(), st.booleans()),
    min_size=1,
    max_size=3,
    unique_by=lambda s: s.column,
)


@given(
    _ROWS,
    _SORT,
    st.integers(1, 4),
    st.randoms(use_true_random=False),
    st.none() | st.integers(0, 20),
    st.integers(0, 5),
)
def test_merging_parts_is_sorting_the_whole(
    rows: list[Row], sort: list[Sort], parts: int, rng: random.Random, limit: int | None, offset: int
) -> None:
    order = functools.cmp_to_key(lambda one, other: _before(one, other, tuple(sort)))
    fragments = [sorted((row for row in rows if rng.randrange(parts) == n), key=order) for n in range(parts)]
    rows = [row for fragment in fragments for row in fragment]
    spec = rows_spec(
        3,
        sort=tuple(sort),
        merged=True,
        limit=Given(1) if limit is not None else None,
        offset=Constant("number", str(offset)),
    )
    expected = sorted(rows, key=order)[offset:]
    expected = expected if limit is None else expected[:limit]
    got = trickle(spec, ["int4", "text", "float8"], fragments, rng, [limit])
    ranks = [key.column for key in sort]
    assert [repr([row[at] for at in ranks]).replace("-0.0", "0.0") for row in got] == [
        repr([row[at] for at in ranks]).replace("-0.0", "0.0") for row in expected
    ]
    if limit is None and offset == 0:
        assert sorted(map(repr, got)) == sorted(map(repr, rows))


def test_streams_what_cannot_change_any_more() -> None:
    finisher = Finisher(rows_spec(1, sort=(Sort(0),), merged=True), ())
    finisher.begin([fields("int4")] * 2)
    finisher.feed(0, [(1,), (4,)])
    assert finisher.ready() == []
    assert list(finisher.wants()) == [1]
    finisher.feed(1, [(2,), (3,)])
    assert finisher.ready() == [(1,), (2,), (3,)]
    assert list(finisher.wants()) == [1]
    finisher.end(1)
    assert finisher.ready() == [(4,)]
    finisher.feed(0, [(9,)])
    finisher.end(0)
    assert finisher.ready() == [(9,)]
    assert finisher.done


def test_limit_stops_asking() -> None:
    finisher = Finisher(rows_spec(1, limit=Constant("number", "2")), ())
    finisher.begin([fields("int4")] * 3)
    finisher.feed(1, [(1,), (2,), (3,)])
    assert finisher.ready() == [(1,), (2,)]
    assert finisher.done
    assert not finisher.wants()


def test_hidden_columns_are_cut() -> None:
    columns, rows = finish(rows_spec(2, 1, sort=(Sort(1),), merged=True), ["text", "int4"], [[("b", 2)], [("a", 3)]])
    assert rows == [("b",), ("a",)]
    assert len(columns) == 1


def test_duplicates_by_postgresql_equality() -> None:
    spec = rows_spec(3, distinct=(0, 1, 2))
    first, second = (Decimal("1.0"), NAN, "a "), (Decimal("1.00"), float("nan"), "a")
    _, rows = finish(spec, ["numeric", "float8", "bpchar"], [[first], [second], [(None, None, None)] * 2])
    assert rows == [first, (None, None, None)]


def test_distinct_on_keeps_the_first_in_order() -> None:
    spec = rows_spec(2, distinct=(0,), sort=(Sort(0), Sort(1)), merged=True, limit=Constant("number", "2"))
    _, rows = finish(spec, ["int4", "int4"], [[(1, 5), (2, 9)], [(1, 3), (2, 1), (3, 1)]])
    assert rows == [(1, 3), (2, 1)]


def test_moments_when_the_clock_is_put_back() -> None:
    """In one zone Python compares the time on the wall."""
    zone = ZoneInfo("Europe/Berlin")
    early = dt.datetime(2024, 10, 27, 2, 40, tzinfo=zone, fold=0)
    late = dt.datetime(2024, 10, 27, 2, 20, tzinfo=zone, fold=1)
    assert late < early
    _, rows = finish(rows_spec(1, sort=(Sort(0),), merged=True), ["timestamptz"], [[(late,)], [(early,)]])
    assert rows == [(early,), (late,)]


@pytest.mark.parametrize("type", ["interval", "jsonb", "_int4", "inet", "public.mood", "money", "bit"])
def test_types_whose_order_python_gets_wrong_are_refused(type: str) -> None:
    with pytest.raises(NotSupportedError) as caught:
        Finisher(rows_spec(1, sort=(Sort(0),), merged=True), ()).begin([fields(type)])
    assert caught.value.code == "OG-FINISH-002"
    with pytest.raises(NotSupportedError):
        Finisher(rows_spec(1, distinct=(0,)), ()).begin([fields(type)])
    Finisher(rows_spec(1), ()).begin([fields(type)])


def test_text_whose_order_is_not_known_is_refused_but_not_other_types() -> None:
    spec = rows_spec(1, sort=(Sort(0, bytes_order=False),), merged=True)
    with pytest.raises(NotSupportedError):
        Finisher(spec, ()).begin([fields("text")])
    Finisher(spec, ()).begin([fields("int4")])


def test_enum_labels_may_be_told_apart() -> None:
    spec = rows_spec(1, distinct=(0,), enums=frozenset(("mood",)))
    assert finish(spec, ["mood"], [[("sad",)], [("sad",), ("happy",)]])[1] == [("sad",), ("happy",)]


def test_fragments_must_agree() -> None:
    with pytest.raises(InternalError) as caught:
        Finisher(rows_spec(2), ()).begin([fields("int4", "text"), fields("int4", "varchar")])
    assert caught.value.code == "OG-FINISH-001"
    assert "column 2 is varchar in fragment 2" in caught.value.message


@pytest.mark.parametrize(("value", "rows"), [(None, 3), (0, 0), ("2", 2), (1.5, 2), (Decimal("2.5"), 3), (10**6, 3)])
def test_limits_are_read_as_the_server_reads_them(value: Any, rows: int) -> None:
    assert len(finish(rows_spec(1, limit=Given(1)), ["int4"], [[(1,), (2,), (3,)]], [value])[1]) == rows


def test_computed_limit() -> None:
    limit = Apply("+", (Constant("number", "1"), Given(1)))
    assert len(finish(rows_spec(1, limit=limit), ["int4"], [[(1,), (2,), (3,)]], [1])[1]) == 2


@pytest.mark.parametrize(("clause", "state"), [("limit", "2201W"), ("offset", "2201X")])
def test_negative_limits_are_errors(clause: str, state: str) -> None:
    with pytest.raises(DataError) as caught:
        Finisher(rows_spec(1, **{clause: Given(1)}), [-1])
    assert caught.value.sqlstate == state
