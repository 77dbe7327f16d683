"""The arithmetic of `bench.strategies`: where it cuts, what it splits, how it counts."""

from __future__ import annotations

import pytest

pytest.importorskip("rich")
np = pytest.importorskip("numpy")
strategies = pytest.importorskip("bench.strategies", reason="benches are run from the working copy")
flights = pytest.importorskip("bench.flights")
listing = pytest.importorskip("bench.listing")

#: Two rows without a key, then four values with 3, 1, 5 and 1 rows.
LINE = strategies.Line(["a", "b", "c", "d"], [2, 5, 6, 11], 12)


def test_a_line_counts_what_is_below_each_value() -> None:
    assert strategies.line_of(["c", "a", None, *"cacbacd", None, "c"]) == LINE


def test_nearest_keeps_a_value_on_either_side() -> None:
    assert strategies.nearest(LINE, 0, 4, 5.4) == 1
    assert strategies.nearest(LINE, 0, 4, 8) == 2
    assert strategies.nearest(LINE, 0, 4, 10) == 3
    assert strategies.nearest(LINE, 0, 4, 0) == 1
    assert strategies.nearest(LINE, 1, 3, 100) == 2


def test_an_even_cut_leaves_no_shard_without_a_value() -> None:
    assert strategies.even_cut(LINE, 2) == strategies.Cut([0, 2], [0, 1])
    assert strategies.even_cut(LINE, 4) == strategies.Cut([0, 1, 2, 3], [0, 1, 2, 3])
    late = strategies.Line(["a", "b", "c"], [0, 98, 99], 100)
    assert strategies.even_cut(late, 3).begins == [0, 1, 2]


def test_a_split_gives_the_upper_half_of_the_fullest_to_a_new_shard() -> None:
    once = strategies.split(LINE, strategies.Cut([0], [0]))
    assert once == strategies.Cut([0, 2], [0, 1])
    # Both hold six; the first is split, between its two values: NULL stays in the first range.
    twice = strategies.split(LINE, once)
    assert twice == strategies.Cut([0, 1, 2], [0, 2, 1])
    # The fullest range that has more than one value.
    assert strategies.split(LINE, twice) == strategies.Cut([0, 1, 2, 3], [0, 2, 1, 3])


def test_by_size_goes_to_whoever_has_least() -> None:
    # 5 rows with and without a key below b, 1, 5, 1.
    assert strategies.by_size(LINE, 2) == strategies.Cut([0, 1, 2, 3], [0, 0, 1, 1])


def test_months_are_dealt_in_turn() -> None:
    days = strategies.line_of([f"2013-{month:02}-{day:02}" for month in range(1, 13) for day in (1, 28)])
    assert strategies.by_month(days, 5) == strategies.Cut([*range(0, 24, 2)], [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1])


def test_keys_are_counted_once_and_nulls_are_keys_too() -> None:
    keys = flights.keys_of({"carrier": ("text", ["UA", "NA", "UA", "NA"]), "flight": ("int4", ["1", "2", "1", "3"])})
    assert keys.firsts.tolist() == [0, 1, 3]
    assert keys.first == ["UA", None, "UA", None]


def test_ranges_lie_and_are_asked_as_they_were_cut() -> None:
    """January is two of three rows, and the mean is one and a half; a split halves the larger part."""
    keys = flights.keys_of({"date": ("date", ["2013-01-05", "2013-01-20", "2013-03-01"])})
    line = strategies.line_of(keys.first)
    cut = strategies.Cut([0, 2], [0, 1])
    domain = strategies.domain(keys, "range", 2, line, cut)
    assert strategies.lying(keys, [domain]) == {"skew": {2: pytest.approx(1.333)}, "keys": {2: [1, 2]}}
    spans = [("2013-01-01", "2013-02-01"), ("2013-03-01", "2013-04-01"), ("2013-01-01", "2013-03-02")]
    assert strategies.asked(keys, [domain], spans) == {2: pytest.approx(1.33)}
    hashed = strategies.domain(keys, "hash", 2, line, cut)
    assert strategies.asked(keys, [hashed], spans) == {2: 2.0}


def test_the_newest_rows_of_a_range_are_all_on_the_last_shard() -> None:
    days = np.array([0, 100, *range(181, 365)])
    keys = flights.keys_of({"date": ("date", [f"{np.datetime64('2013-01-01') + int(day)}" for day in days])})
    early = strategies.line_of(keys.first[:2])
    domain = strategies.domain(keys, "range", 2, early, strategies.even_cut(early, 2))
    found = strategies.newest(keys, [domain], days)
    assert found == {"newest_share": {2: 1.0}, "newest_share_day": {2: 1.0}}


def test_moved_are_the_rows_whose_shard_is_another() -> None:
    keys = flights.keys_of({"carrier": ("text", [f"{number:04}" for number in range(4000)])})
    line = strategies.line_of(keys.first)
    first, grown = strategies.grow(keys, "range", line, 2, 3)
    before, after = strategies.owners(keys, first), strategies.owners(keys, grown)
    assert np.flatnonzero(before != after).tolist() == list(range(1000, 2000))
    first, grown = strategies.grow(keys, "ring", line, 2, 3)
    before, after = strategies.owners(keys, first), strategies.owners(keys, grown)
    assert set(after[before != after].tolist()) == {2}


def test_a_directory_deals_keys_in_turn_or_by_size_and_migrates_few() -> None:
    # b: 1 row, a: 4, c: 2, d: 1, and two without a key.
    entries = listing.entries_of(["b", "a", None, "a", "c", "a", "a", "c", None, "d"])
    assert entries.rows == [1, 4, 2, 1]
    assert listing.in_turn(entries, 2) == [0, 1, 0, 1]
    assert listing.rows_of(entries, [0, 1, 0, 1]).tolist() == [0, 1, 0, 1, 0, 1, 1, 0, 0, 1]
    # a to the second shard, which has no NULL; c and one of the small ones to the first.
    assert listing.largest_first(entries, 2) == [0, 1, 0, 1]
    # Five rows on each; of the first shard's b and c only c leaves less than the newcomer gets.
    now = listing.joined(entries, [0, 1, 0, 1], 2)
    moved = [key for key, (one, other) in enumerate(zip([0, 1, 0, 1], now, strict=True)) if one != other]
    held = np.bincount(listing.rows_of(entries, now), minlength=3).tolist()
    assert all(now[key] == 2 for key in moved)
    assert sorted(held) == [3, 3, 4]
