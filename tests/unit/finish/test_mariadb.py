"""Arithmetic and truth over combined rows as MariaDB has them; the values were measured on 10.11."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

from outgrow.errors import DataError, NotSupportedError
from outgrow.finish import Finisher
from outgrow.finish.decimals import divide
from outgrow.plan.spec import (
    Aggregate,
    Apply,
    Combine,
    Constant,
    Final,
    Finish,
    Given,
    How,
    Output,
    Position,
    Sort,
)
from tests.unit.finish.fragments import Field

SCALE_2 = (10 << 16 | 2) + 4
#: What a shard returns: sum(n), count(n), sum(total), max(f), max(day), min(customer).
FIELDS = [
    Field("c1", "numeric", (32 << 16) + 4), Field("c2", "int8"), Field("c3", "numeric", SCALE_2), Field("c4", "float8"),
    Field("c5", "date"), Field("c6", "varchar"),
]  # fmt: skip
ROWS = [(Decimal(-4), 3, Decimal("6.68"), 1.5, datetime.date(2024, 1, 1), "ann"), (None, 0, None, None, None, None)]
SUM, COUNT, TOTAL, FLOAT, DAY, NAME = (Position(at) for at in range(6))
AVG, AVG_TOTAL = Position(6), Position(7)
AGGREGATES = (
    Aggregate(How.SUM, (0,)), Aggregate(How.COUNT, (1,)), Aggregate(How.SUM, (2,)), Aggregate(How.MAX, (3,)),
    Aggregate(How.MAX, (4,)), Aggregate(How.MIN, (5,)), Aggregate(How.AVG, (0, 1)), Aggregate(How.AVG, (2, 1)),
)  # fmt: skip


def computed(final: Final, params: tuple[Any, ...] = (), having: Final | None = None) -> list[tuple[str, Any]]:
    """(type, value) of the result's rows."""
    spec = Finish(
        (Output("x", final),), 1, 6, Combine((), (), AGGREGATES, whole=True), having=having, language="mariadb"
    )
    finisher = Finisher(spec, params)
    [column] = finisher.begin([FIELDS, FIELDS])
    for number, row in enumerate(ROWS):
        finisher.feed(number, [row])
        finisher.end(number)
    return [(column.type, value) for (value,) in finisher.ready()]


def number(text: str) -> Final:
    return Constant("number", text)


def apply(operator: str, *operands: Final) -> Final:
    return Apply(operator, operands)


@pytest.mark.parametrize(
    ("final", "type", "value"),
    [
        (AVG, "numeric", "-1.3333"),
        (AVG_TOTAL, "numeric", "2.226667"),
        # The digits that an average does not show are there when it is computed on with.
        (apply("*", AVG, number("3")), "numeric", "-4.0000"),
        (apply("*", AVG, number("1.00000")), "numeric", "-1.333333333"),
        (apply("round", AVG, number("6")), "numeric", "-1.333333"),
        (apply("ifnull", AVG, number("0")), "numeric", "-1.3333"),
        (apply("coalesce", AVG, number("0.00000")), "numeric", "-1.33333"),
        (apply("/", COUNT, number("7")), "numeric", "0.4286"),
        (apply("/", TOTAL, COUNT), "numeric", "2.226667"),
        (apply("/", COUNT, number("0")), "numeric", None),
        (apply("*", TOTAL, TOTAL), "numeric", "44.6224"),
        (apply("+", SUM, number("1")), "numeric", "-3"),
        (apply("+", COUNT, number("1")), "int8", 4),
        (apply("%", COUNT, number("2")), "int8", 1),
        (apply("div", COUNT, number("2")), "int8", 1),
        (apply("-", COUNT), "int8", -3),
        (apply("/", FLOAT, number("2")), "float8", 0.75),
        (apply("round", TOTAL, number("5")), "numeric", "6.68000"),
        (apply("truncate", TOTAL, number("1")), "numeric", "6.6"),
        (apply("truncate", apply("/", AVG, number("1000")), number("1")), "numeric", "0.0"),
        (apply("if", apply(">", COUNT, number("2")), number("1"), number("0")), "int4", 1),
        (apply("if", number("1"), COUNT, number("2.5")), "numeric", "3.0"),
        (apply(">", COUNT, number("2")), "int4", 1),
        (apply("and", COUNT, Constant("null", "NULL")), "int4", None),
        (apply("not", COUNT), "int4", 0),
        (apply("in", COUNT, number("1"), number("3")), "int4", 1),
        (apply("<", DAY, Constant("string", "2024-05-01")), "int4", 1),
        (apply("nullif", COUNT, number("3")), "int8", None),
        (apply("greatest", TOTAL, COUNT), "numeric", "6.68"),
        # Compared are the digits that are shown.
        (apply("=", AVG, number("-1.3333")), "int4", 1),
    ],
)
def test_values_and_types(final: Final, type: str, value: Any) -> None:
    [(given_type, given)] = computed(final)
    assert (given_type, str(given) if isinstance(value, str) else given) == (type, value)


@pytest.mark.parametrize(
    ("dividend", "divisor", "quotient"),
    [
        ("1", "3", "0.333333333"),
        ("3.45682", "7", "0.493831428"),  # cut off, not rounded
        ("1", "1.55", "0.645161290"),
        ("-4", "3", "-1.333333333"),
        ("6.68", "3", "2.226666666"),
    ],
)
def test_a_quotient_has_whole_words_of_digits(dividend: str, divisor: str, quotient: str) -> None:
    assert str(divide(Decimal(dividend), Decimal(divisor))) == quotient


def test_having_keeps_what_is_not_zero() -> None:
    assert computed(COUNT, having=apply("-", COUNT, number("3"))) == []
    assert computed(COUNT, having=SUM) == [("int8", 3)]
    assert computed(COUNT, (2,), apply(">", COUNT, Given(1))) == [("int8", 3)]


def test_what_is_not_known_is_refused() -> None:
    for final in (
        apply("=", NAME, Constant("string", "ann")),
        apply("+", AVG, FLOAT),
        apply("concat", NAME, NAME),
        apply("if", number("1"), Constant("null", "NULL"), Constant("null", "NULL")),
        apply("round", AVG, COUNT),
        apply("%", TOTAL, number("7")),
        apply("+", apply(">", COUNT, number("2")), number("1")),
    ):
        with pytest.raises(NotSupportedError):
            computed(final)
    with pytest.raises(DataError, match="out of range"):
        computed(apply("*", apply("*", COUNT, number("9223372036854775807")), number("2")))


def test_text_of_an_unknown_collation_tells_no_rows_apart() -> None:
    spec = Finish((Output("x", Position(0)),), 1, 1, distinct=(0,), suspect=(0,), language="mariadb")
    with pytest.raises(NotSupportedError, match="compared"):
        Finisher(spec, ()).begin([[Field("x", "text")]])
    assert Finisher(spec, ()).begin([[Field("x", "int4")]])


def test_bits_and_times_combine_and_sort() -> None:
    ones = (1 << 64) - 1
    bits = tuple(Aggregate(how, (at,)) for at, how in enumerate((How.BIT_AND, How.BIT_OR, How.BIT_XOR)))
    spec = Finish(tuple(Output("x", Position(at)) for at in range(3)), 3, 3, Combine((), (), bits, whole=True),
                  language="mariadb")  # fmt: skip
    finisher = Finisher(spec, ())
    finisher.begin([[Field("x", "mariadb.bigint unsigned")] * 3] * 2)
    finisher.feed(0, [(6, 6, 6)])
    finisher.feed(1, [(ones, 1, 5)])
    finisher.end(0)
    finisher.end(1)
    assert finisher.ready() == [(6, 7, 3)]
    spec = Finish((Output("x", Position(0)),), 1, 1, sort=(Sort(0, nulls_first=True),), language="mariadb")
    finisher = Finisher(spec, ())
    finisher.begin([[Field("x", "mariadb.time")]])
    finisher.feed(0, [(datetime.timedelta(hours=-3),), (None,), (datetime.timedelta(hours=-4),)])
    finisher.end(0)
    assert [row[0] for row in finisher.ready()] == [None, datetime.timedelta(hours=-4), datetime.timedelta(hours=-3)]


@pytest.mark.parametrize(
    ("dividend", "divisor", "quotient"),
    [
        ("1.00", "7", "0.142857142"),
        ("22.1234567", "3.123", "7.084039929554915145"),
        ("-5", "1.00", "-5.000000000"),
        ("7", "3.1234567891", "2.241106720101927854"),
        ("1.0", "3.0", "0.333333333333333333"),
        ("1.0000000001", "3.0", "0.333333333366666666666666666"),
    ],
)
def test_a_quotient_keeps_whole_words_of_nine_digits(dividend: str, divisor: str, quotient: str) -> None:
    """As `ROUND(SUM(a) / SUM(b), 30)` showed them on MariaDB 10.11."""
    assert str(divide(Decimal(dividend), Decimal(divisor))) == quotient
