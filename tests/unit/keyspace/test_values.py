"""What Python values mean beside a key column, and what a column holds once they were written."""

from __future__ import annotations

import datetime
import enum
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from outgrow.errors import DataError
from outgrow.keyspace import KINDS, NoRow, Unknowable, coerce, stored
from outgrow.keyspace.kinds import NAN

UTC = datetime.UTC
EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=30))


class Level(enum.IntEnum):
    HIGH = 3


class Colour(enum.StrEnum):
    RED = "red"


class Plain(enum.Enum):
    SMALL = 1


@pytest.mark.parametrize(
    ("type", "value", "key"),
    [
        ("int8", 42, 42),
        ("int8", 42.0, 42),
        ("int8", Decimal("42.00"), 42),
        ("int8", " -42\n", -42),
        ("int4", np.int16(7), 7),
        ("int4", Level.HIGH, 3),
        ("int2", "32767", 32767),
        ("text", "é", "é"),
        ("varchar", Colour.RED, "red"),
        ("text", Plain.SMALL, "SMALL"),
        ("text", np.str_("x"), "x"),
        ("uuid", "{A0EEBC99-9C0B4EF8-BB6D6BB9-BD380A11}", uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
        ("uuid", uuid.UUID(int=1), uuid.UUID(int=1)),
        ("bool", True, True),
        ("bool", " OFF ", False),
        ("bool", "y", True),
        ("date", datetime.date(2000, 1, 2), 1),
        ("date", datetime.datetime(2000, 1, 2), 1),
        ("date", "1999-12-31", -1),
        ("timestamp", datetime.datetime(2000, 1, 1, 0, 0, 1), 1_000_000),
        ("timestamp", datetime.date(2000, 1, 2), 86_400_000_000),
        ("timestamp", "2000-01-01T00:00:00.5", 500_000),
        ("timestamp", "2000-01-02", 86_400_000_000),
        ("timestamp", "-infinity", -(2**63)),
        ("timestamptz", datetime.datetime(2000, 1, 1, 5, 30, tzinfo=EAST), 0),
        ("timestamptz", "2000-01-01 05:30:00.000001+05:30", 1),
        ("timestamptz", "1999-12-31 20:30:00-03:30", 0),
        ("timestamptz", "2000-01-01 00:00:00Z", 0),
        ("numeric", 5, Decimal(5)),
        ("numeric", "1e2", Decimal(100)),
        ("numeric", Decimal("sNaN"), NAN),
        ("numeric", "-inf", Decimal("-Infinity")),
    ],
)
def test_values_that_are_keys(type: str, value: Any, key: Any) -> None:
    found = coerce(type, value)
    assert found is key or found == key
    assert found.__class__ is key.__class__


@pytest.mark.parametrize("type", KINDS)
def test_null_is_a_key_of_every_type(type: str) -> None:
    assert coerce(type, None) is None
    assert stored(type, -1, None) is None


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("int8", 42.5),
        ("int8", Decimal("0.1")),
        ("int8", float("nan")),
        ("int8", float("inf")),
        ("int8", Decimal("NaN")),
        ("int8", Decimal("1e400000")),
        ("int8", 2**63),
        ("int2", 32768),
        ("int4", -(2**31) - 1),
        ("date", datetime.datetime(2020, 1, 1, 12)),
    ],
)
def test_values_that_no_row_equals(type: str, value: Any) -> None:
    with pytest.raises(NoRow):
        coerce(type, value)


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("int8", 2.0**60),
        ("int8", "0x1F"),
        ("int8", "1_000"),
        ("date", "today"),
        ("date", "31.12.2020"),
        ("date", "2021-02-30"),
        ("date", datetime.datetime(2020, 1, 1, tzinfo=UTC)),
        ("timestamp", datetime.datetime(2020, 1, 1, tzinfo=UTC)),
        ("timestamp", "2020-01-01 00:00:00+02"),
        ("timestamp", "2020-01-01 24:00:00"),
        ("timestamptz", datetime.datetime(2020, 1, 1)),
        ("timestamptz", datetime.date(2020, 1, 1)),
        ("timestamptz", "2020-01-01 00:00:00"),
        ("timestamptz", "2020-01-01 00:00:00 Europe/Berlin"),
        ("numeric", 0.5),
        ("numeric", "0xff"),
    ],
)
def test_values_that_only_the_server_knows(type: str, value: Any) -> None:
    with pytest.raises(Unknowable):
        coerce(type, value)


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("int8", "abc"),
        ("int8", ""),
        ("int8", True),
        ("int8", b"1"),
        ("int8", [1]),
        ("int2", "40000"),
        ("text", 5),
        ("text", "a\0b"),
        ("text", "\ud800"),
        ("text", b"a"),
        ("uuid", "123"),
        ("uuid", 5),
        ("bool", 1),
        ("bool", "o"),
        ("bool", "maybe"),
        ("date", 5),
        ("date", "infinity"),
        ("timestamp", 5.0),
        ("timestamptz", 5),
        ("numeric", True),
        ("numeric", "one"),
        ("numeric", b"1"),
    ],
)
def test_values_of_a_wrong_type(type: str, value: Any) -> None:
    with pytest.raises(DataError) as caught:
        coerce(type, value)
    assert caught.value.code == "OG-KEY-005"
    assert type in caught.value.message
    assert caught.value.cure


def test_nan_keys_are_equal() -> None:
    assert {(coerce("numeric", "NaN"),)} == {(coerce("numeric", Decimal("NaN")),)}


def typmod(precision: int, scale: int) -> int:
    return (precision << 16 | scale & 0x7FF) + 4


@pytest.mark.parametrize(
    ("type", "modifier", "value", "key"),
    [
        ("int8", -1, 42.5, 42),
        ("int8", -1, 43.5, 44),
        ("int8", -1, Decimal("42.5"), 43),
        ("int4", -1, Decimal("-2.5"), -3),
        ("text", -1, 42, "42"),
        ("text", -1, True, "true"),
        ("varchar", 9, "abcde  ", "abcde"),
        ("varchar", 9, "é", "é"),
        ("numeric", -1, 0.1, Decimal("0.1")),
        ("numeric", typmod(10, 2), "1.005", Decimal("1.01")),
        ("numeric", typmod(10, 2), "-1.005", Decimal("-1.01")),
        ("numeric", typmod(3, -2), 150, Decimal(200)),
        ("numeric", typmod(10, 2), "NaN", NAN),
        ("date", -1, datetime.datetime(2000, 1, 2, 23), 1),
        ("timestamp", 0, "2000-01-01 00:00:00.5", 1_000_000),
        ("timestamp", 0, "1999-12-31 23:59:59.5", -1_000_000),
        ("timestamp", 0, "infinity", 2**63 - 1),
        ("timestamptz", 3, "2000-01-01 00:00:00.0004Z", 0),
    ],
)
def test_what_a_column_holds(type: str, modifier: int, value: Any, key: Any) -> None:
    found = stored(type, modifier, value)
    assert found is key or found == key


@pytest.mark.parametrize(
    ("type", "modifier", "value"),
    [
        ("int2", -1, 40000),
        ("int8", -1, 1e30),
        ("int8", -1, float("nan")),
        ("varchar", 9, "abcdef"),
        ("numeric", typmod(3, 2), "10"),
        ("numeric", typmod(3, 2), "9.995"),
        ("numeric", typmod(3, 2), "Infinity"),
    ],
)
def test_what_does_not_fit(type: str, modifier: int, value: Any) -> None:
    with pytest.raises(DataError) as caught:
        stored(type, modifier, value)
    assert caught.value.code == "OG-KEY-006"


@pytest.mark.parametrize(("type", "value"), [("text", 0.5), ("text", Decimal(1)), ("text", datetime.date.min)])
def test_casts_that_only_the_server_makes(type: str, value: Any) -> None:
    with pytest.raises(Unknowable):
        stored(type, -1, value)
