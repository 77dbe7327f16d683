"""Keys by range: one by one, as columns of every shape, between two ends; and where a value stands in an order."""

from __future__ import annotations

import datetime as dt
import enum
import subprocess
import sys
import uuid
from bisect import bisect_right
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outgrow.errors import ConfigurationError, DataError
from outgrow.keyspace import Keyspace, NoRow, Range, Unknowable, bounds, bounds_of, coerce, first_map, grown
from outgrow.keyspace.columns import Integers, integers, pieces, texts
from outgrow.keyspace.kinds import NAN
from outgrow.topology import Domain, Node, Ranges, Role, Shard, Sharded, ShardMap, Splits, TableName

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
bigs = st.integers(-(2**63), 2**63 - 1)


def of_texts(points: set[str], first: int = 0) -> Range:
    return Range(("text",), Splits("text", tuple(sorted(points, key=str.encode))), first)


@given(st.sets(words, max_size=12), st.lists(st.none() | words, max_size=60))
@example({"aaaaaaaa", "aaaaaaaaa", "aaaaaaaab"}, ["aaaaaaaa", "aaaaaaa", "aaaaaaaaa", "aaaaaaaaab", "aaaaaaaac", None])
@example({""}, ["", None, "\x01"])
def test_columns_of_text_lie_as_their_keys(points: set[str], keys: list[str | None]) -> None:
    range_ = of_texts(points | set(filter(None, keys[:3])), 7)
    one_by_one = [range_.slot((key,)) for key in keys]
    assert range_.slot_column([keys]).tolist() == one_by_one
    if keys:
        assert range_.slot_column([texts(keys)]).tolist() == one_by_one
    by_bytes = sorted(range_.splits.points, key=str.encode)
    for key, slot in zip(keys, one_by_one, strict=True):
        expected = bisect_right([point.encode() for point in by_bytes], key.encode()) if key is not None else 0
        assert slot == 7 + expected


@given(st.sets(bigs, min_size=1, max_size=12), st.lists(st.none() | bigs, min_size=1, max_size=60))
def test_columns_of_integers_lie_as_their_keys(points: set[int], keys: list[int | None]) -> None:
    range_ = Range(("int8",), Splits("int8", tuple(map(str, sorted(points)))), 64)
    keys = [*keys, *sorted(points)[:4]]
    one_by_one = [range_.slot((key,)) for key in keys]
    assert range_.slot_column([integers(keys)]).tolist() == one_by_one
    assert range_.slot_column([keys]).tolist() == one_by_one
    small = np.array([5, -3, 120], dtype=np.int16)
    assert range_.slot_column([Integers(small)]).tolist() == [range_.slot((int(value),)) for value in small]


@given(st.sets(st.uuids(), min_size=1, max_size=8), st.lists(st.uuids(), min_size=1, max_size=20))
def test_columns_of_uuids_lie_as_their_keys(points: set[uuid.UUID], keys: list[uuid.UUID]) -> None:
    range_ = Range(("uuid",), Splits("uuid", tuple(map(str, sorted(points)))), 0)
    keys = [*keys, *points, *(uuid.UUID(int=(point.int ^ 1)) for point in points)]
    assert range_.slot_column([pieces([key.bytes for key in keys])]).tolist() == [range_.slot((key,)) for key in keys]


def test_a_range_begins_with_its_split_point() -> None:
    range_ = Range(("int4",), Splits("int8", ("10", "20")), 64)
    assert [range_.slot((key,)) for key in (None, -(2**31), 9, 10, 19, 20, 2**31)] == [64, 64, 64, 65, 65, 66, 66]
    numbers = Range(("numeric",), Splits("numeric", ("1.5",)), 0)
    keys = [Decimal("1.49"), Decimal("1.500"), NAN, Decimal("-Infinity"), Decimal("Infinity"), None]
    assert [numbers.slot((key,)) for key in keys] == [0, 1, 1, 0, 1, 0]
    assert numbers.slot_column([keys]).tolist() == [0, 1, 1, 0, 1, 0]


@given(st.sets(st.integers(-50, 50), max_size=8), st.integers(-60, 60), st.integers(-60, 60), st.booleans())
def test_between_has_every_slot_of_a_key_between_and_no_range_beyond(
    points: set[int], low: int, high: int, is_open: bool
) -> None:
    range_ = Range(("int8",), Splits("int8", tuple(map(str, sorted(points)))), 5)
    there = {range_.slot((key,)) for key in range(low, high if is_open else high + 1)}
    assert set(range_.between(low, high, is_open)) >= there
    if there:
        assert set(range_.between(low, high, is_open)) == there
    assert range_.between(None, None, False) == range(5, 5 + range_.slots)


def domain(*ranges: Ranges, slots: int = 4) -> Domain:
    shards = tuple(Shard(n, Node(f"d/{n}/primary", "d", n, Role.PRIMARY, "")) for n in ("s1", "s2"))
    return Domain("d", "postgresql", slots, shards, {TableName("public", "t"): Sharded(("k",))}, ranges=ranges)


INTS = Ranges(Splits("int8", ("10",)), ("s2", "s1"))
WORDS = Ranges(Splits("varchar", ("m",)), ("s1", "s2"))


def test_ranges_are_slots_behind_the_hash_slots() -> None:
    first = first_map(domain(INTS, WORDS))
    assert first == ShardMap("d", 1, ("s1", "s2"), (0, 1, 0, 1, 1, 0, 0, 1), (INTS.splits, WORDS.splits))
    placed = Keyspace(4, first)
    assert [placed.slot(("int4",), (key,)) for key in (9, 10)] == [4, 5]
    assert [placed.shard(("int4",), (key,)) for key in (9, 10)] == ["s2", "s1"]
    assert [placed.slot(("text",), (key,)) for key in ("a", "n")] == [6, 7]
    assert placed.slot(("int8", "uuid"), (10, None)) == 5
    assert placed.slot(("bool",), (True,)) < 4
    with pytest.raises(ConfigurationError, match="OG-KEY-004"):
        Keyspace(8, first)
    assert grown(first, "s3").splits == first.splits


def test_one_key_needs_no_numpy() -> None:
    script = (
        "import sys; from outgrow.keyspace import Range; from outgrow.topology import Splits\n"
        "Range(('text',), Splits('text', ('m',)), 0).slot(('a',)); print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_text_is_cut_by_its_bytes_in_sql_too() -> None:
    """The servers of tests know no linguistic collation, so the text of the formula is what can be looked at."""
    formula = Range(("varchar",), Splits("text", ("it's", "x\\y")), 3).sql(["k"])
    assert formula == (
        '(COALESCE(width_bucket((k)::text COLLATE "C", E\'{"it\'\'s", "x\\\\\\\\y"}\'::text[]), 0) + 3)::int8'
    )


class Number(enum.IntEnum):
    SEVEN = 7


DAY = dt.date(2025, 1, 1).toordinal() - dt.date(2000, 1, 1).toordinal()
NOON, MIDNIGHT = dt.datetime(2025, 1, 1, 12), dt.datetime(2025, 1, 1)
MICROS = DAY * 86_400_000_000
WEEK = 7 * 86_400_000_000
INF = float("inf")


@pytest.mark.parametrize(
    ("type", "value", "expected"),
    [
        ("int8", 42, 42), ("int2", 70_000, 70_000), ("int8", Decimal("42.5"), Decimal("42.5")), ("int8", 42.5, 42.5),
        ("int8", INF, INF), ("int8", float("nan"), INF), ("int8", Decimal("NaN"), INF), ("int8", " 42 ", 42),
        ("int8", Number.SEVEN, 7), ("int8", np.int32(5), 5), ("int8", 10**40, Decimal(10**40)),
        ("numeric", 3, 3), ("numeric", "1.50", Decimal("1.5")), ("numeric", "NaN", INF), ("numeric", Decimal("2"), 2),
        ("text", "é", "é"), ("varchar", "", ""), ("uuid", uuid.UUID(int=5), uuid.UUID(int=5)),
        ("date", dt.date(2025, 1, 1), DAY), ("date", "2025-01-01", DAY), ("date", MIDNIGHT, DAY),
        ("date", NOON, DAY + 0.5),
        ("date", "infinity", INF), ("date", " -Infinity ", -INF),
        ("timestamp", MIDNIGHT, MICROS), ("timestamp", dt.date(2025, 1, 1), MICROS),
        ("timestamp", "infinity", 2**63 - 1),
        ("timestamptz", MIDNIGHT.replace(tzinfo=dt.UTC), MICROS), ("timestamptz", "2025-01-01 00:00:00Z", MICROS),
    ],
)  # fmt: skip
def test_where_a_value_stands(type: str, value: Any, expected: Any) -> None:
    assert bounds(type, value) == (expected, expected)


@pytest.mark.parametrize(
    ("type", "value"),
    [("timestamptz", MIDNIGHT), ("timestamptz", dt.date(2025, 1, 1)), ("timestamptz", "2025-01-01"),
     ("timestamp", MIDNIGHT.replace(tzinfo=dt.UTC))],
)  # fmt: skip
def test_what_the_sessions_zone_decides_has_a_week_on_either_side(type: str, value: Any) -> None:
    assert bounds(type, value) == (MICROS - WEEK, MICROS + WEEK)
    assert bounds("date", MIDNIGHT.replace(tzinfo=dt.UTC)) == (DAY - 7, DAY + 7)


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("int8", 2.0**60), ("int8", True), ("numeric", 1.5), ("text", 5), ("date", "Jan 1, 2025"), ("date", "tomorrow"),
        ("timestamptz", "now"), ("uuid", 5), ("int8", b"5"), ("date", 5), ("int8", dt.date(2025, 1, 1)),
    ],
)  # fmt: skip
def test_what_only_the_server_can_say(type: str, value: Any) -> None:
    with pytest.raises(Unknowable):
        bounds(type, value)


def test_what_the_server_refuses() -> None:
    for type, value in (("int8", "ten"), ("uuid", "x"), ("numeric", "one")):
        with pytest.raises(DataError, match="OG-KEY-005"):
            bounds(type, value)


def test_casts_keep_their_own_type() -> None:
    assert bounds_of("int4", "numeric", Decimal("4.5")) == (Decimal("4.5"), Decimal("4.5"))
    assert bounds_of("date", "timestamp", MICROS + 1) == (DAY + 0.5, DAY + 0.5)
    with pytest.raises(Unknowable):
        bounds_of("text", "int4", 5)


@given(st.sampled_from(["int8", "numeric", "date", "timestamp"]), st.data())
def test_a_keys_place_is_the_key(type: str, data: st.DataObject) -> None:
    """What equals a key stands where the key is: spans and values of one condition agree."""
    values: dict[str, st.SearchStrategy[Any]] = {
        "int8": bigs | st.integers(-(2**70), 2**70), "numeric": st.decimals(allow_nan=False, places=3),
        "date": st.dates(), "timestamp": st.datetimes(),
    }  # fmt: skip
    value = data.draw(values[type])
    try:
        held = coerce(type, value)
    except NoRow:
        return
    assert bounds(type, value) == (held, held)
