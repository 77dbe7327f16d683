"""A domain of five shards for each strategy, and keys of every type."""

from __future__ import annotations

from functools import cache
from typing import Any

from bench import key_oracle
from outgrow.keyspace import KINDS, Keyspace, coerce, first_map
from outgrow.topology import Domain, parse

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


def file_of(engine: str, strategy: str) -> str:
    text = HEAD.format(engine=engine, strategy=strategy)
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
    domain = domain_of(engine, strategy)
    return Keyspace(domain.slots, first_map(domain), engine)


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
