"""A domain of five shards for each strategy, and keys of every type."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from bench import key_oracle
from outgrow.keyspace import KINDS, Entry, Keyspace, Lookup, assigned, coerce, family, first_map, key_text, key_value
from outgrow.topology import Domain, parse
from outgrow.topology.reader import STRATEGIES

SHARDS = ("s1", "s2", "s3", "s4", "s5")
#: Engine → the types that can be keys.
TYPES = {
    "postgresql": tuple(KINDS),
    "mariadb": ("int2", "int4", "int8", "text", "varchar", "date", "timestamp", "uuid"),
}

HEAD = """\
fleet: f
domains:
  d:
    engine: {engine}
    strategy: {strategy}
    slots: 256
    shards:
      s1: {{primary: "{engine}://app@a/d"}}
      s2: {{primary: "{engine}://app@b/d"}}
      s3: {{primary: "{engine}://app@c/d"}}
      s4: {{primary: "{engine}://app@d/d"}}
      s5: {{primary: "{engine}://app@e/d"}}
"""

#: Split points of six ranges, among the keys that `keys_of` makes; the sixth range is the first shard's again.
POINTS = {
    "int8": ("-1000000", "-10", "0", "11", "4000000000"),
    "numeric": ("-123.45", "0", "0.00012", "12345678.9", "1" + "0" * 30),
    "date": ("0900-01-01", "2000-02-29", "4000-01-01", "6000-06-06", "9000-12-31"),
    "timestamp": (
        "0900-01-01 00:00:00", "2000-02-29 23:59:59.999999", "4000-01-01", "6000-06-06 06:06:06", "9000-12-31",
    ),
    "timestamptz": (
        "0900-01-01 00:00:00+12", "2000-02-29 23:59:59.999999Z", "4000-01-01 00:00:00-0330", "6000-06-06 06:06:06Z",
        "9000-12-31 00:00:00+00",
    ),
    "text": ("", " quoted \\" + '"' + "'s", "aaaaaaaab", "e", "日"),
    "uuid": tuple(f"{digit}0000000-0000-0000-0000-00000000000{digit}" for digit in "2468c"),
}  # fmt: skip


#: Engine → its strategies.
ENGINE_STRATEGIES = {"postgresql": STRATEGIES, "mariadb": STRATEGIES}

#: Three ways in which new keys of a directory get their shard.
DIRECTORY = """\
    directory:
      int4: {assign: least_keys}
      varchar: {assign: round_robin}
      uuid: {assign: hash}
"""
#: The ledger's directory, as far as a world needs one: a key's slot by its family and text.
Ledger = dict[tuple[str, str], int]


def file_of(engine: str, strategy: str) -> str:
    text = HEAD.format(engine=engine, strategy=strategy)
    if strategy == "directory":
        return text + DIRECTORY
    if strategy != "range":
        return text
    lines = ["    ranges:"]
    for type, points in _points(engine).items():
        lines.append(f"      {type}:")
        for shard, point in zip(SHARDS, points, strict=True):
            quoted = point.replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'        - {{to: "{quoted}", shard: {shard}}}')
        lines.append("        - {shard: s1}")
    return text + "\n".join(lines) + "\n"


def _points(engine: str) -> dict[str, tuple[str, ...]]:
    """Those of the types that the engine orders as they are ordered here."""
    if engine == "postgresql":
        return POINTS
    return {type: POINTS[type] for type in ("int8", "date", "timestamp", "text")}


def domain_of(engine: str, strategy: str) -> Domain:
    return parse(file_of(engine, strategy)).domains[0]


def placed_by(engine: str, strategy: str) -> Keyspace:
    """The strategy's keyspace, which knows all keys of the suite where they stand in a directory."""
    domain = domain_of(engine, strategy)
    placed = Keyspace(domain.slots, first_map(domain), engine)
    if domain.directory:
        listed: list[Entry] = []
        for type in TYPES[engine]:
            if placed.lists((type,)):
                listed += [(family(type), key) for key in keys_of(engine, type) if key is not None]
        note(placed, ledger_of(placed, listed))
    return placed


def ledger_of(placed: Keyspace, entries: Sequence[Entry]) -> Ledger:
    """What stands in the ledger once each of these has been assigned by its policy."""
    policies = {"integer": "least_keys", "text": "round_robin", "uuid": "hash"}
    chosen = assigned(dict.fromkeys(entries), policies, {}, placed.shards, placed.hashed)
    return {(entry[0], key_text(*entry)): placed.listed_slot(shard) for entry, shard in chosen.items()}


def note(placed: Keyspace, ledger: Ledger) -> None:
    """What a process knows that has looked all of this up."""
    for (of, text), slot in ledger.items():
        placed.book.page.known[of].add({key_value(of, text): slot})


def shard_of(placed: Keyspace, ledger: Ledger, types: tuple[str, ...], key: tuple[Any, ...]) -> str:
    """As a process asks that knows nothing yet, and looks up what it must."""
    try:
        return placed.shard(types, key)
    except Lookup as lookup:
        note(
            placed,
            {known: slot for known, slot in ledger.items() if known in {(f, key_text(f, v)) for f, v in lookup.keys}},
        )
        return placed.shard(types, key)


@cache
def _values(type: str) -> list[str]:
    return key_oracle.values(type)[:1500]


def texts_of(engine: str, type: str, count: int = 1500) -> list[str]:
    """Keys as the server reads them: edge values first, and the split points."""
    texts = _texts_of(type, count)
    return texts if engine == "postgresql" else [text for text in texts if _holds(type, text)]


def _holds(type: str, text: str) -> bool:
    """MariaDB has no infinite days, and takes UUIDs of the versions 1 to 7 alone, in hexadecimal digits and dashes."""
    if type == "uuid":
        return "{" not in text and text[14] in "1234567" and text[19] in "89ab"
    return "infinity" not in text or type in ("text", "varchar")


def _texts_of(type: str, count: int) -> list[str]:
    points = POINTS.get({"int2": "", "int4": "", "varchar": "text"}.get(type, type), ())
    beside = [text for point in points for text in (point[:-1], f"{point}x")] if type in ("text", "varchar") else []
    # Where a point's escapes were read otherwise, these would lie on its other side.
    beside += [' quoted "', " quoted [", " quoted ]"] if beside else []
    return [*points, *beside, *_values(type)[:count]]


def keys_of(engine: str, type: str, count: int = 1500) -> list[Any]:
    return [*(coerce(type, text) for text in texts_of(engine, type, count)), None]
