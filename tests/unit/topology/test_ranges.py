"""Ranges are read strictly: gaps, overlaps, disorder and values of another type are refused with line and cure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.errors import ConfigurationError
from outgrow.topology import Ranges, Splits, parse, write

FILE = """\
fleet: f
domains:
  d:
    engine: postgresql
    strategy: range
    ranges:
      int8:
        - {to: 10, shard: s1}
        - {from: 10, to: 20, shard: s2}
        - {shard: s1}
      timestamptz:
        - {to: 2025-01-01 00:00:00+01, shard: s2}
        - {from: "2024-12-31T23:00:00Z", shard: s1}
    shards:
      s1: {primary: host=a}
      s2: {primary: host=b}
"""


def test_ranges_are_read_and_written() -> None:
    topology = parse(FILE)
    assert topology.domains[0].ranges == (
        Ranges(Splits("int8", ("10", "20")), ("s1", "s2", "s1")),
        Ranges(Splits("timestamptz", ("2024-12-31 23:00:00+00:00",)), ("s2", "s1")),
    )
    assert parse(write(topology)) == topology


def test_one_range_is_all_keys() -> None:
    [domain] = parse(with_ranges("uuid: [{shard: s2}]")).domains
    assert domain.ranges == (Ranges(Splits("uuid", ()), ("s2",)),)


def with_ranges(text: str) -> str:
    head, _, tail = FILE.partition("    ranges:\n")
    return f"{head}    ranges: {{{text}}}\n{tail[tail.index('    shards:') :]}"


# What is put in the place of what, the code, the line, and a word of the message or the cure.
MISTAKES = [
    ("strategy: range", "strategy: hash", "028", 7, "strategy: range"),
    ("strategy: range", "strategy: rnge", "012", 5, "'range'"),
    ("from: 10, to: 20", "from: 11, to: 20", "030", 9, "gap"),
    ("from: 10, to: 20", "from: 9, to: 20", "030", 9, "overlaps"),
    ("from: 10, to: 20", "from: 10, to: 10", "030", 9, "not behind its beginning"),
    ("from: 10, to: 20", "to: 5", "030", 9, "not behind its beginning"),
    ("from: 10, to: 20", "from: 10", "030", 9, "no end"),
    ("{to: 10, shard: s1}", "{from: 1, to: 10, shard: s1}", "030", 8, "keys below '1'"),
    ("        - {shard: s1}", "        - {to: 30, shard: s1}", "030", 10, "from '30' on"),
    ("{to: 10, shard: s1}", "{to: ten, shard: s1}", "031", 8, "as in 1000"),
    ("{to: 10, shard: s1}", "{to: 9223372036854775808, shard: s1}", "031", 8, "eight bytes"),
    ("{to: 10, shard: s1}", "{to: 1.5, shard: s1}", "031", 8, "whole number"),
    ("{to: 10, shard: s1}", "{to: [10], shard: s1}", "005", 8, "one value"),
    ("{to: 10, shard: s1}", "{to: ~, shard: s1}", "005", 8, "one value"),
    ("{to: 10, shard: s1}", "{till: 10, shard: s1}", "003", 8, "till"),
    ("{to: 10, shard: s1}", "{to: 10}", "006", 8, "shard"),
    ("{to: 10, shard: s1}", "{to: 10, shard: s3}", "014", 8, "s3"),
    ("2025-01-01 00:00:00+01", "2025-01-01 00:00:00", "031", 12, "zone"),
    ("2025-01-01 00:00:00+01", "2025-02-30 00:00:00Z", "031", 12, "timestamptz"),
    ("2025-01-01 00:00:00+01", "infinity", "031", 12, "timestamptz"),
    ("      timestamptz:", "      int4:", "029", 11, "one kind"),
    ("      timestamptz:", "      int:", "029", 11, "cannot lie by range"),
    ("      timestamptz:", "      bool:", "029", 11, "one of"),
    ("      timestamptz:", "      timestamp:", "031", 12, "no zone"),
]


@pytest.mark.parametrize(("old", "new", "code", "line", "word"), MISTAKES)
def test_mistakes(old: str, new: str, code: str, line: int, word: str) -> None:
    assert FILE.count(old) == 1
    with pytest.raises(ConfigurationError) as info:
        parse(FILE.replace(old, new))
    assert info.value.code == f"OG-TOPO-{code}"
    assert f"line {line}:" in info.value.message
    assert word in f"{info.value.message} {info.value.cure}"


@pytest.mark.parametrize(
    ("ranges", "code"),
    [
        ("", "028"), ("int8: []", "030"), ("int8: {to: 1}", "005"),
        ("numeric: [{to: NaN, shard: s1}, {shard: s2}]", "031"),
        ("date: [{to: 2025-01-32, shard: s1}, {shard: s2}]", "031"),
        ("uuid: [{to: abc, shard: s1}, {shard: s2}]", "031"),
        ('text: [{to: "a\\0", shard: s1}, {shard: s2}]', "031"),
        ('text: [{to: "b", shard: s1}, {to: "a", shard: s2}, {shard: s1}]', "030"),
        ("numeric: [{to: 1.5, shard: s1}, {from: 1.50, shard: s2}]", None),
        ('text: [{to: "é", shard: s1}, {to: "日", shard: s2}, {shard: s1}]', None),
        ('text: [{to: "Z", shard: s1}, {to: "a", shard: s2}, {shard: s1}]', None),
        ("varchar: [{to: 010, shard: s1}, {shard: s2}]", None),
        ("date: [{to: 2025-01-31, shard: s1}, {shard: s2}]", None),
    ],
)  # fmt: skip
def test_each_type(ranges: str, code: str | None) -> None:
    if code is None:
        parsed = parse(with_ranges(ranges))
        assert parse(write(parsed)) == parsed
        return
    with pytest.raises(ConfigurationError) as info:
        parse(with_ranges(ranges))
    assert info.value.code == f"OG-TOPO-{code}"


def test_a_strategy_without_ranges_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="OG-TOPO-028"):
        parse(FILE[: FILE.index("    ranges:")] + FILE[FILE.index("    shards:") :])


def test_there_is_room_for_so_many_ranges() -> None:
    cut = ", ".join(f"{{to: {number}, shard: s1}}" for number in range(40))
    text = with_ranges(f"int8: [{cut}, {{shard: s2}}]")
    assert parse(text).domains[0].ranges[0].splits.count == 41
    with pytest.raises(ConfigurationError, match="OG-TOPO-030"):
        parse(text.replace("    ranges:", "    slots: 65536\n    ranges:"))


@given(st.sets(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8), max_size=8))
def test_text_is_cut_in_the_order_of_its_bytes(points: set[str]) -> None:
    ordered = tuple(sorted(points, key=str.encode))
    topology = parse(FILE)
    [domain] = topology.domains
    object.__setattr__(domain, "ranges", (Ranges(Splits("text", ordered), ("s1",) * (len(ordered) + 1)),))
    assert parse(write(topology)) == topology


def test_no_ranges_in_mariadb() -> None:
    text = """
fleet: shop
domains:
  app:
    engine: mariadb
    strategy: range
    ranges: {numeric: [{to: 10, shard: s1}, {shard: s1}]}
    shards: {s1: {primary: "mariadb://app@db1/shop"}}
"""
    with pytest.raises(ConfigurationError, match="OG-TOPO-039"):
        parse(text, environment={})
