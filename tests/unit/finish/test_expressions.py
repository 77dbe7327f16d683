"""The vetted expressions, against what PostgreSQL 15 answers (checked on a server)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from outgrow.errors import DataError, NotSupportedError
from outgrow.finish.evaluate import Compiler
from outgrow.finish.numeric import divide
from outgrow.plan.spec import Apply, Constant, Convert, Final, Given, Position

#: Columns: int8 7, numeric 2.50, float8 0.5, text 'b', bool, NULL int8, float4 0.1
TYPES = ["int8", "numeric", "float8", "text", "bool", "int8", "float4"]
ROW = (7, Decimal("2.50"), 0.5, "b", True, None, 0.1)
INT, NUM, FLT, TXT, BOOL, NULL, REAL = (Position(at) for at in range(7))


def number(text: str) -> Constant:
    return Constant("number", text)


def string(text: str) -> Constant:
    return Constant("string", text)


def ask(final: Final, *params: Any) -> tuple[str, str]:
    """(the value as text, its type)"""
    compiler = Compiler(TYPES, params, True)
    typed = compiler.settle(compiler.compile(final), "text")
    return str(typed.value(ROW)), typed.type


def op(operator: str, *operands: Final) -> Apply:
    return Apply(operator, operands)


CASES: list[tuple[Final, str, str]] = [
    (op("/", INT, number("2")), "3", "int8"),
    (op("/", op("-", INT), number("2")), "-3", "int8"),
    (op("%", op("-", INT), number("2")), "-1", "int8"),
    (op("/", INT, number("2.0")), "3.5000000000000000", "numeric"),
    (op("/", NUM, INT), "0.35714285714285714286", "numeric"),
    (op("*", NUM, number("1.5")), "3.750", "numeric"),
    (op("+", NUM, INT), "9.50", "numeric"),
    (op("-", NUM, NUM), "0.00", "numeric"),
    (op("%", NUM, number("1")), "0.50", "numeric"),
    (op("/", INT, FLT), "14.0", "float8"),
    (op("*", NUM, FLT), "1.25", "float8"),
    (op("+", INT, NULL), "None", "int8"),
    (op("+", INT, string("5")), "12", "int8"),
    (op("=", INT, number("7.0")), "True", "bool"),
    (op(">", INT, string("10")), "False", "bool"),
    (op("=", NULL, NULL), "None", "bool"),
    (op("is not distinct from", NULL, NULL), "True", "bool"),
    (op("is distinct from", INT, NULL), "True", "bool"),
    (op("and", BOOL, op("=", NULL, INT)), "None", "bool"),
    (op("and", op("not", BOOL), op("=", NULL, INT)), "False", "bool"),
    (op("or", BOOL, op("=", NULL, INT)), "True", "bool"),
    (op("is null", NULL), "True", "bool"),
    (op("is not true", op("=", NULL, INT)), "True", "bool"),
    (op("in", INT, number("1"), NULL), "None", "bool"),
    (op("not in", INT, number("1"), number("2")), "True", "bool"),
    (op("between", INT, number("1"), number("7")), "True", "bool"),
    (op("not between", INT, NULL, number("5")), "True", "bool"),
    (op("coalesce", NULL, number("1.5")), "1.5", "numeric"),
    (op("coalesce", NULL, INT), "7", "int8"),
    (op("nullif", INT, number("7")), "None", "int8"),
    (op("nullif", INT, number("0.0")), "7", "numeric"),
    (op("/", INT, op("nullif", Convert(number("2"), "int8"), number("0.0"))), "3.5000000000000000", "numeric"),
    (op("nullif", Convert(number("5"), "int4"), INT), "5", "int4"),
    (op("nullif", INT, FLT), "7.0", "float8"),
    (op("nullif", NUM, FLT), "2.5", "float8"),
    (op("nullif", NUM, INT), "2.50", "numeric"),
    (op("nullif", string("5"), INT), "5", "int8"),
    (op("nullif", string("7"), INT), "None", "int8"),
    (op("nullif", string("5"), NUM), "5", "numeric"),
    (op("nullif", string("a"), TXT), "a", "text"),
    (op("case", op(">", INT, number("9")), string("many"), string("few")), "few", "text"),
    (op("case", op("=", NULL, INT), INT, NUM), "2.50", "numeric"),
    (op("abs", op("-", NUM)), "2.50", "numeric"),
    (op("round", NUM), "3", "numeric"),
    (op("round", op("-", NUM)), "-3", "numeric"),
    (op("round", NUM, number("1")), "2.5", "numeric"),
    (op("round", NUM, number("4")), "2.5000", "numeric"),
    (op("round", number("1250"), op("-", number("2"))), "1300", "numeric"),
    (op("round", INT), "7.0", "float8"),
    (op("round", FLT), "0.0", "float8"),
    (Convert(NUM, "int4"), "3", "int4"),
    (Convert(FLT, "int4"), "0", "int4"),
    (Convert(FLT, "numeric"), "0.5", "numeric"),
    (Convert(INT, "float8"), "7.0", "float8"),
    (Convert(INT, "numeric(10,2)"), "7.00", "numeric"),
    (Convert(INT, "text"), "7", "text"),
    (op("||", Convert(INT, "text"), string(" rows")), "7 rows", "text"),
    (op("<", TXT, string("c")), "True", "bool"),
    (number("2147483648"), "2147483648", "int8"),
    (number("5"), "5", "int4"),
    (string("x"), "x", "text"),
    (Constant("null", "NULL"), "None", "text"),
    (REAL, "0.1", "float4"),
    (op("=", REAL, REAL), "True", "bool"),
    (op("coalesce", Constant("null", "NULL"), REAL), "0.1", "float4"),
    (op("nullif", REAL, REAL), "None", "float4"),
]


@pytest.mark.parametrize(("final", "value", "type"), CASES)
def test_values_and_types(final: Final, value: str, type: str) -> None:
    assert ask(final) == (value, type)


@pytest.mark.parametrize(
    ("given", "value", "type"),
    [(3, "10", "int8"), (Decimal("0.5"), "7.5", "numeric"), (0.25, "7.25", "float8"), ("4", "11", "int8"),
     (None, "None", "int8")],
)  # fmt: skip
def test_parameters_are_typed_as_psycopg_sends_them(given: Any, value: str, type: str) -> None:
    assert ask(op("+", INT, Given(1)), given) == (value, type)


@pytest.mark.parametrize(
    ("final", "state"),
    [
        (op("/", INT, number("0")), "22012"),
        (op("%", INT, number("0")), "22012"),
        (op("/", NUM, number("0")), "22012"),
        (op("/", FLT, number("0")), "22012"),
        (op("+", Convert(number("2147483647"), "int4"), number("1")), "22003"),
        (op("*", INT, number("9223372036854775807")), "22003"),
        (Convert(number("3000000000"), "int4"), "22003"),
        (Convert(INT, "numeric(2,2)"), "22003"),
        (op("+", INT, string("x")), "22P02"),
    ],
)
def test_errors_are_the_servers(final: Final, state: str) -> None:
    with pytest.raises(DataError) as caught:
        ask(final)
    assert caught.value.sqlstate == state


@pytest.mark.parametrize(
    "final",
    [
        op("%", FLT, number("2")),
        op("+", TXT, INT),
        op("=", TXT, INT),
        op("round", FLT, number("1")),
        op("||", INT, INT),
        op("+", string("1"), string("2")),
        Convert(FLT, "text"),
        Convert(TXT, "int4"),
        op("coalesce", TXT, INT),
        op("sqrt", NUM),
        # Its text is 0.1; beside another number it is 0.100000001490116.
        op(">", REAL, number("0.1")),
        op("=", REAL, FLT),
        op("=", REAL, string("0.1")),
        op("in", REAL, number("1"), number("2")),
        op("between", REAL, number("0"), number("1")),
        op("is distinct from", REAL, NUM),
        op("coalesce", REAL, number("0")),
        op("nullif", REAL, number("0")),
        op("nullif", INT, REAL),
        op("case", BOOL, REAL, number("0")),
        Convert(REAL, "float8"),
        Convert(REAL, "numeric"),
        Convert(REAL, "int4"),
        Convert(REAL, "text"),
    ],
)
def test_what_is_not_vetted_is_refused(final: Final) -> None:
    with pytest.raises(NotSupportedError) as caught:
        ask(final)
    assert caught.value.code == "OG-FINISH-006"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("1", "3", "0.33333333333333333333"),
        ("2", "3", "0.66666666666666666667"),
        ("10", "3", "3.3333333333333333"),
        ("100000", "3", "33333.333333333333"),
        ("0", "3", "0.00000000000000000000"),
        ("1", "30000", "0.000033333333333333333333"),
        ("-1", "8", "-0.12500000000000000000"),
        ("123456789012345678901234567890", "7", "17636684144620811271604938270"),
        ("1.5", "0.0001", "15000.0000000000000000"),
        ("NaN", "0", "NaN"),
        ("Infinity", "-2", "-Infinity"),
        ("5", "Infinity", "0"),
    ],
)
def test_division_scale(one: str, other: str, expected: str) -> None:
    assert format(divide(Decimal(one), Decimal(other)), "f") == expected
