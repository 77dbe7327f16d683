"""Partial aggregates of parts combine to the aggregates of the whole."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.errors import DataError, NotSupportedError
from outgrow.finish import Finisher
from outgrow.finish import combine as combining
from outgrow.finish.numeric import average, divide
from outgrow.plan.spec import Aggregate, Apply, Combine, Constant, Finish, Given, How, Output, Position, Sort

from .fragments import fields, finish, trickle

Row = tuple[Any, ...]


def spec(combine: Combine, **more: Any) -> Finish:
    width = combine.first_aggregate + len(combine.aggregates)
    outputs = tuple(Output(f"o{at}", Position(at)) for at in range(width))
    return Finish(outputs, width, 0, combine=combine, **more)


#: key; then partials: count(*), sum, min, max, bool_and, bool_or, sum again and count(x) for avg
GROUPED = Combine(
    (0,),
    (),
    (
        Aggregate(How.COUNT, (1,)),
        Aggregate(How.SUM, (2,)),
        Aggregate(How.MIN, (3,)),
        Aggregate(How.MAX, (4,)),
        Aggregate(How.ALL, (5,)),
        Aggregate(How.ANY, (6,)),
        Aggregate(How.AVG, (2, 7)),
    ),
)


def partial(rows: list[Row]) -> Row:
    """What a server computes for these (x, flag) rows."""
    xs = [x for x, _ in rows if x is not None]
    flags = [flag for _, flag in rows if flag is not None]
    return (
        len(rows),
        sum(xs) if xs else None,
        min(xs) if xs else None,
        max(xs) if xs else None,
        all(flags) if flags else None,
        any(flags) if flags else None,
        len(xs),
    )


def whole(rows: list[Row]) -> Row:
    count, total, least, most, every, some, number = partial(rows)
    mean = divide(Decimal(total), Decimal(number)) if number else None
    return count, total, least, most, every, some, mean


_ROWS = st.lists(
    st.tuples(st.none() | st.sampled_from("abc"), st.none() | st.integers(-9, 9), st.none() | st.booleans())
)


@pytest.fixture(params=["all at the end", "some early"], autouse=True, scope="module")
def folded(request: pytest.FixtureRequest) -> Iterator[None]:
    """Few rows may gather before the groups are folded, and few groups are turned into columns at once."""
    if request.param == "all at the end":
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(combining, "GATHERED_MAX", 3)
        patch.setattr(combining, "BLOCK", 2)
        yield


@given(_ROWS, st.integers(1, 4), st.randoms(use_true_random=False))
def test_parts_add_up(rows: list[Row], parts: int, rng: random.Random) -> None:
    shards: list[dict[Any, list[Row]]] = [defaultdict(list) for _ in range(parts)]
    groups: dict[Any, list[Row]] = defaultdict(list)
    for key, *rest in rows:
        shards[rng.randrange(parts)][key].append(tuple(rest))
        groups[key].append(tuple(rest))
    fragments = [[(key, *partial(found)) for key, found in shard.items()] for shard in shards]
    types = ["text", "int8", "int8", "int4", "int4", "bool", "bool", "int8"]
    expected = {key: whole(found) for key, found in groups.items()}
    got = trickle(spec(GROUPED), types, fragments, rng)
    assert {row[0]: row[1:] for row in got} == expected
    assert len(got) == len(expected)
    assert all(str(row[7]) == str(expected[row[0]][6]) for row in got)


@given(_ROWS, st.integers(1, 4), st.randoms(use_true_random=False))
def test_distinct_values_of_parts_are_those_of_the_whole(rows: list[Row], parts: int, rng: random.Random) -> None:
    """The fragments group by (key, x): count(DISTINCT x), sum(DISTINCT x), avg(DISTINCT x), count(*)."""
    shards: list[dict[Row, int]] = [defaultdict(int) for _ in range(parts)]
    groups: dict[Any, list[Any]] = defaultdict(list)
    for key, x, _ in rows:
        shards[rng.randrange(parts)][key, x] += 1
        groups[key].append(x)
    combine = Combine(
        (0,),
        (),
        (
            Aggregate(How.COUNT_DISTINCT, (1,)),
            Aggregate(How.SUM_DISTINCT, (1,)),
            Aggregate(How.AVG_DISTINCT, (1,)),
            Aggregate(How.COUNT, (2,)),
        ),
    )
    fragments = [[(key, x, number) for (key, x), number in shard.items()] for shard in shards]
    got = trickle(spec(combine), ["text", "int4", "int8"], fragments, rng)
    assert len(got) == len(groups)
    for key, count, total, mean, number in got:
        values = {x for x in groups[key] if x is not None}
        assert (count, total, number) == (len(values), sum(values) if values else None, len(groups[key]))
        assert mean == (divide(Decimal(sum(values)), Decimal(len(values))) if values else None)


def test_no_rows() -> None:
    aggregates = (
        Aggregate(How.COUNT, (0,)),
        Aggregate(How.SUM, (1,)),
        Aggregate(How.COUNT_DISTINCT, (2,)),
        Aggregate(How.AVG, (1, 0)),
    )
    types = ["int8", "int8", "text"]
    assert finish(spec(Combine((), (), aggregates, whole=True)), types, [[], []])[1] == [(0, None, 0, None)]
    assert finish(spec(Combine((2,), (), aggregates[:1])), types, [[], []])[1] == []
    # Fragments without GROUP BY always send a row.
    one = spec(Combine((), (), aggregates[:2], whole=True))
    assert finish(one, types[:2], [[(0, None)], [(0, None)]])[1] == [(0, None)]


def test_numbers_keep_postgresqls_scale() -> None:
    combine = Combine(
        (), (), (Aggregate(How.SUM, (0,)), Aggregate(How.AVG, (0, 1)), Aggregate(How.MAX, (2,))), whole=True
    )
    parts = [[(Decimal("1.5"), 2, Decimal("1.5"))], [(Decimal("2.250"), 1, Decimal("2.250"))]]
    _, rows = finish(spec(combine), ["numeric", "int8", "numeric"], parts)
    assert [str(value) for value in rows[0]] == ["3.750", "1.25000000000000000000", "2.250"]


def test_special_numbers() -> None:
    nan, inf = Decimal("NaN"), Decimal("Infinity")
    combine = Combine(
        (), (), (Aggregate(How.SUM, (0,)), Aggregate(How.MIN, (1,)), Aggregate(How.MAX, (2,))), whole=True
    )
    _, rows = finish(spec(combine), ["numeric"] * 3, [[(inf,) * 3], [(nan,) * 3], [(Decimal(3),) * 3]])
    assert [str(value) for value in rows[0]] == ["NaN", "3", "NaN"]
    _, rows = finish(spec(combine), ["numeric"] * 3, [[(inf,) * 3], [(-inf,) * 3]])
    assert str(rows[0][0]) == "NaN"
    _, rows = finish(spec(combine), ["float8"] * 3, [[(float("nan"),) * 3], [(2.0,) * 3]])
    assert repr(rows[0]) == "(nan, 2.0, nan)"


@given(st.integers(-(10**41), 10**41) | st.integers(-50, 50), st.integers(1, 2**63 - 1) | st.integers(1, 50))
def test_the_short_way_of_an_average_is_the_long_way(total: int, count: int) -> None:
    assert str(average(total, count)) == str(divide(Decimal(total), Decimal(count)))


def test_a_plan_that_takes_parameters_is_settled_with_those_of_each_execution() -> None:
    combine = Combine((0,), (), (Aggregate(How.COUNT, (1,)),))
    more = spec(combine, having=Apply(">", (Position(1), Given(1))))
    rows: list[list[Row]] = [[("a", 1), ("b", 2)], [("a", 4)]]
    for least, kept in ((0, ["a", "b"]), (3, ["a"]), (9, []), (0, ["a", "b"])):
        assert [row[0] for row in finish(more, ["text", "int8"], rows, params=(least,))[1]] == kept


def test_sums_overflow_as_in_postgresql() -> None:
    combine = Combine((), (), (Aggregate(How.SUM, (0,)),), whole=True)
    with pytest.raises(DataError) as caught:
        finish(spec(combine), ["int8"], [[(2**63 - 1,)], [(1,)]])
    assert caught.value.sqlstate == "22003"
    with pytest.raises(DataError):
        finish(spec(combine), ["float8"], [[(1.7e308,)], [(1.7e308,)]])
    assert finish(spec(combine), ["float8"], [[(float("inf"),)], [(1.0,)]])[1] == [(float("inf"),)]


@pytest.mark.parametrize(
    ("how", "type"),
    [(How.SUM, "float4"), (How.SUM, "interval"), (How.SUM, "money"), (How.MIN, "interval"), (How.MAX, "inet"),
     (How.AVG, "interval"), (How.COUNT_DISTINCT, "jsonb"), (How.SUM_DISTINCT, "float4"), (How.MIN, "text")],
)  # fmt: skip
def test_types_that_do_not_combine_are_refused(how: How, type: str) -> None:
    combine = Combine((), (), (Aggregate(how, (0, 1) if how is How.AVG else (0,), bytes_order=False),), whole=True)
    with pytest.raises(NotSupportedError) as caught:
        Finisher(spec(combine), ()).begin([fields(type, "int8")])
    assert caught.value.code == "OG-FINISH-002"


def test_group_keys_by_postgresql_equality() -> None:
    combine = Combine((0, 1), (2,), (Aggregate(How.COUNT, (3,)),))
    rows: list[list[Row]] = [
        [(Decimal("1.0"), float("nan"), "first", 1), (None, 0.0, "n", 1)],
        [(Decimal("1.00"), float("nan"), "second", 2), (None, -0.0, "m", 4)],
    ]
    _, got = finish(spec(combine), ["numeric", "float8", "text", "int8"], rows)
    assert [(str(row[0]), row[2], row[3]) for row in got] == [("1.0", "first", 3), ("None", "n", 5)]


def test_having_order_distinct_limit() -> None:
    combine = Combine((0,), (), (Aggregate(How.COUNT, (1,)),))
    rows: list[list[Row]] = [[("a", 1), ("b", 2), ("c", 5)], [("a", 4), ("b", 1), ("d", 9)]]
    base = spec(combine)
    having = Apply(">", (Position(1), Constant("number", "3")))
    full = Finish(base.outputs, 2, 2, combine=combine, having=having, sort=(Sort(1, True, True), Sort(0)))
    assert finish(full, ["text", "int8"], rows)[1] == [("d", 9), ("a", 5), ("c", 5)]
    counts = Finish(
        (Output("n", Position(1)),),
        1,
        2,
        combine=combine,
        distinct=(0,),
        sort=(Sort(0),),
        limit=Constant("number", "2"),
    )
    assert finish(counts, ["text", "int8"], rows)[1] == [(3,), (5,)]


def test_result_columns_have_postgresqls_types() -> None:
    combine = Combine(
        (0,),
        (),
        (Aggregate(How.COUNT, (1,)), Aggregate(How.AVG, (1, 1)), Aggregate(How.AVG, (2, 1)), Aggregate(How.SUM, (3,))),
    )
    columns = Finisher(spec(combine), ()).begin([fields("varchar", "int8", "float8", "numeric")])
    assert [column.type for column in columns] == ["varchar", "int8", "numeric", "float8", "numeric"]
    assert [column.oid for column in columns[1:]] == [20, 1700, 701, 1700]
