"""The judge must condemn: each kind of wrong answer is caught, each harmless difference is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from tests.differential.block import Block, Case
from tests.differential.compare import Answer, Failure, judge

ROWS: list[tuple[Any, ...]] = [(1, "a", Decimal("1.50"), 0.1), (2, "b", None, 1e9), (2, "b", None, 1e9)]


def answer(rows: list[tuple[Any, ...]], columns: str = "abcd", types: Sequence[str] = "ittf") -> Answer:
    return Answer(tuple(columns), tuple(types), rows)


def case(order: str = "none", keys: tuple[int, ...] = (), limit: str = "") -> Case:
    return Case(Block(raw="SELECT", limit=limit), (), "select", order, keys)


def verdict(
    given: Any, expected: Any = None, asked: Case | None = None, whole: list[Any] | Failure | None = None
) -> str:
    expected = answer(ROWS) if expected is None else expected
    return judge(
        asked or case(), expected, given, lambda: whole if isinstance(whole, Failure) else answer(whole or [])
    ).kind


@pytest.mark.parametrize(
    "spoil",
    [
        lambda rows: rows[:2],
        lambda rows: [*rows, rows[0]],
        lambda rows: [rows[0], rows[0], rows[1]],
        lambda rows: [(1, "a", Decimal("1.5"), 0.1), *rows[1:]],
        lambda rows: [(True, "a", Decimal("1.50"), 0.1), *rows[1:]],
        lambda rows: [("1", "a", Decimal("1.50"), 0.1), *rows[1:]],
        lambda rows: [(1, "a", Decimal("1.50"), 0.1 + 1e-9), *rows[1:]],
        lambda rows: [(1, "a", Decimal("1.50"), None), *rows[1:]],
        lambda rows: [(1, "a", Decimal("1.50"), Decimal("0.1")), *rows[1:]],
        lambda rows: [(1, "a ", Decimal("1.50"), 0.1), *rows[1:]],
    ],
)
def test_wrong_rows_are_wrong(spoil: Callable[[list[Any]], list[Any]]) -> None:
    assert verdict(answer(spoil(ROWS))) == "wrong"


def test_another_order_or_the_last_bits_of_a_float_are_no_difference() -> None:
    assert verdict(answer(ROWS[::-1])) == "right"
    assert (
        verdict(answer([(1, "a", Decimal("1.50"), 0.1 + 1e-16), (2, "b", None, 1e9 * (1 + 1e-15)), ROWS[2]])) == "right"
    )
    nan = answer([(float("nan"),)], "a", "f")
    assert verdict(nan, nan) == "right"


def test_names_and_types_count() -> None:
    assert verdict(answer(ROWS, columns="abce")) == "wrong"
    assert verdict(answer(ROWS, types="iitf")) == "wrong"


def test_a_total_order_counts() -> None:
    assert verdict(answer(ROWS[::-1]), asked=case("total")) == "wrong"
    assert verdict(answer(list(ROWS)), asked=case("total")) == "right"


def test_the_columns_sorted_by_count_and_ties_do_not() -> None:
    rows = [(1, "x"), (1, "y"), (2, "z")]
    asked = case("keys", (0,))
    assert verdict(answer([rows[1], rows[0], rows[2]], "ab", "it"), answer(rows, "ab", "it"), asked) == "right"
    assert verdict(answer([rows[2], rows[0], rows[1]], "ab", "it"), answer(rows, "ab", "it"), asked) == "wrong"
    sums = [(0.3, "x"), (0.1 + 0.2, "y"), (0.5, "a")]
    by_sum = case("keys", (0, 1))
    swapped = [sums[1], sums[0], sums[2]]
    types = ("float8", "t")
    assert verdict(answer(swapped, "ab", types), answer(sums, "ab", types), by_sum) == "right"
    assert verdict(answer(sums[::-1], "ab", types), answer(sums, "ab", types), by_sum) == "wrong"
    padded = [("x ", 1), ("x   ", 2)]
    assert verdict(answer(padded[::-1], "ab", ("bpchar", "i")), answer(padded, "ab", ("bpchar", "i")), asked) == "right"
    assert verdict(answer(padded[::-1], "ab", ("text", "i")), answer(padded, "ab", ("text", "i")), asked) == "wrong"
    equal = [(Decimal("1.0"), "x"), (Decimal("1.00"), "y")]
    assert verdict(answer(equal[::-1], "ab", "nt"), answer(equal, "ab", "nt"), asked) == "right"


def test_under_limit_any_right_subset_is_right() -> None:
    whole = [(1, "x"), (1, "y"), (2, "z"), (2, "z")]
    expected = answer(whole[:2], "ab", "it")
    limited = case(limit="2")
    assert verdict(answer([whole[2], whole[3]], "ab", "it"), expected, limited, whole) == "right"
    assert verdict(answer([whole[0], whole[0]], "ab", "it"), expected, limited, whole) == "wrong"
    assert verdict(answer([whole[0]], "ab", "it"), expected, limited, whole) == "wrong"
    ordered = case("keys", (0,), "1")
    assert verdict(answer([whole[1]], "ab", "it"), answer(whole[:1], "ab", "it"), ordered, whole) == "right"
    assert verdict(answer([whole[2]], "ab", "it"), answer(whole[:1], "ab", "it"), ordered, whole) == "wrong"


REFUSED = Failure("OG-PLAN-003", "", "NotSupportedError", "windows over all shards")


def failure(sqlstate: str, kind: str = "ProgrammingError", code: str = "") -> Failure:
    return Failure(code, sqlstate, kind, "")


def test_refusals_are_neither_right_nor_wrong() -> None:
    assert verdict(REFUSED) == "refused"
    assert judge(case(), answer(ROWS), REFUSED, list).why == "OG-PLAN-003"
    assert verdict(REFUSED, failure("22012")) == "refused"


def test_failures_must_be_of_the_same_class() -> None:
    plain = failure("22012", "DivisionByZero")
    assert verdict(failure("22012", "DataError", "OG-NODE-1"), plain) == "right"
    assert verdict(failure("42703", "ProgrammingError", "OG-NODE-1"), plain) == "wrong"
    assert verdict(failure("", "OperationalError", "OG-NODE-1"), plain) == "wrong"
    assert verdict(failure("", "DataError", "OG-KEY-1"), plain) == "right"
    assert verdict(failure("", "ProgrammingError", "OG-STMT-1"), failure("42P01")) == "right"
    assert verdict(failure("", "TypeError", "crash"), failure("42P01")) == "wrong"


def test_failing_where_the_other_answers_is_wrong() -> None:
    assert verdict(failure("42703", code="OG-NODE-1")) == "wrong"
    assert verdict(answer(ROWS), failure("42703")) == "wrong"
    assert verdict(failure("0A000", "NotSupportedError", "OG-NODE-9")) == "refused"


def test_under_limit_a_bad_value_may_be_looked_at_or_not() -> None:
    overflow = Failure("", "22003", "NumericValueOutOfRange", "numeric field overflow")
    mine = Failure("OG-NODE-120", "22003", "DataError", "numeric field overflow")
    unknown = Failure("", "42703", "UndefinedColumn", "column does not exist")
    limited = case(limit="2")
    two = answer(ROWS[:2])
    assert verdict(answer(ROWS[1:]), two, limited, overflow) == "right"
    assert verdict(answer(ROWS[:1]), two, limited, overflow) == "wrong"
    assert verdict(answer(ROWS[1:]), two, limited, unknown) == "wrong"
    assert verdict(mine, two, limited, overflow) == "right"
    assert verdict(two, overflow, limited, overflow) == "right"
    assert verdict(mine, two, limited, ROWS) == "wrong"
    assert verdict(mine, two, case(), overflow) == "wrong"
    assert verdict(two, overflow, case(), overflow) == "wrong"
    assert verdict(Failure("OG-NODE-001", "42703", "ProgrammingError", "x"), two, limited, overflow) == "wrong"
