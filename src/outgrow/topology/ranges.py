"""The `ranges:` of a domain → `Ranges`: what would leave a gap, overlap, or mean nothing in the type is refused.

A range says where it begins (`from`, which belongs to it), where it ends (`to`, which does not) and its shard.  The
first has no beginning and the last no end, so every key has a place; an inner beginning may be left out.
"""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from outgrow.topology.marks import Spot, nearest
from outgrow.topology.model import Ranges, Splits

#: What a split point is in the order of its type (any order that is the server's), and its text as it is kept.
Read = Callable[[str], tuple[Any, str]]


def ranges_of(strategy: str, fields: Mapping[str, Spot], shards: list[str], most: int) -> tuple[Ranges, ...]:
    """A domain's ranges, which it has under the strategy `range` and under no other."""
    if strategy == "range" and "ranges" not in fields:
        fields["strategy"].fail(
            "OG-TOPO-028",
            "the strategy range has no ranges",
            "add `ranges: {int8: [{to: 1000, shard: s1}, {shard: s2}]}`, with the type of your keys",
        )
    if strategy != "range" and "ranges" in fields:
        fields["ranges"].fail(
            "OG-TOPO-028", f"there are ranges under the strategy {strategy}", "write `strategy: range`, or remove them"
        )
    return _read_ranges(fields["ranges"], shards, most) if "ranges" in fields else ()


def check_order(engine: str, ranges: Sequence[Ranges], fields: Mapping[str, Spot]) -> None:
    """Keys lie by range only where the server orders them as their split points are ordered here."""
    for each in ranges:
        if engine != "postgresql" and each.splits.type in ("uuid", "numeric", "timestamptz"):
            fields["ranges"].fail(
                "OG-TOPO-039",
                f"{each.splits.type} has another order in {engine} than here",
                "choose ranges of int8, text, date or timestamp, or the strategy hash or ring",
            )


def _read_ranges(spot: Spot, shards: Sequence[str], most: int) -> tuple[Ranges, ...]:
    """All ranges of a domain by the type of key; `most` is how many there may be."""
    found: list[Ranges] = []
    families: dict[str, str] = {}
    for type, (key, value) in spot.mapping().items():
        if type not in _TYPES:
            near = nearest(type, _TYPES)
            key.fail(
                "OG-TOPO-029",
                f"keys of type {type!r} cannot lie by range" + (f"; did you mean {near!r}?" if near else ""),
                f"name the type of the key column, one of: {', '.join(_TYPES)}",
            )
        family, read = _TYPES[type]
        if family in families:
            key.fail(
                "OG-TOPO-029",
                f"{type} and {families[family]} are one kind of key: a value of both has one place",
                "write their ranges once",
            )
        families[family] = type
        found.append(_of_type(type, value, read, shards))
    if not found:
        spot.fail("OG-TOPO-028", "there are no ranges", "name a type of keys: `int8: [{to: 1000, shard: s1}, …]`")
    count = sum(ranges.splits.count for ranges in found)
    if count > most:
        spot.fail("OG-TOPO-030", f"there are {count} ranges", f"at most {most} have room beside the domain's slots")
    return tuple(found)


def _of_type(type: str, spot: Spot, read: Read, shards: Sequence[str]) -> Ranges:
    items = spot.items()
    if not items:
        spot.fail("OG-TOPO-030", f"{type} has no ranges", "write at least one: [{shard: s1}]")
    points: list[str] = []
    owners: list[str] = []
    before: Any = None
    for number, item in enumerate(items):
        fields = item.fields(("from", "to", "shard"), ("shard",))
        owners.append(_shard(fields["shard"], shards))
        if "from" in fields:
            _begins(fields["from"], _point(fields["from"], type, read)[0], before, number)
        last = number == len(items) - 1
        if last and "to" in fields:
            fields["to"].fail(
                "OG-TOPO-030",
                f"keys of type {type} from {fields['to'].scalar()!r} on have no range",
                "leave out the last `to`, or add a range behind it",
            )
        if not last and "to" not in fields:
            item.fail("OG-TOPO-030", f"a range of {type} has no end, and is not the last", "say where it ends: `to: …`")
        if not last:
            place, text = _point(fields["to"], type, read)
            if before is not None and place <= before:
                fields["to"].fail(
                    "OG-TOPO-030",
                    f"a range of {type} ends at {text!r}, not behind its beginning {points[-1]!r}",
                    "order the ranges by their split points, each greater than the one before",
                )
            points.append(text)
            before = place
    return Ranges(Splits(type, tuple(points)), tuple(owners))


def _begins(spot: Spot, place: Any, before: Any, number: int) -> None:
    """A range begins where the one before it ends."""
    text = spot.scalar()
    if number == 0:
        spot.fail("OG-TOPO-030", f"keys below {text!r} have no range", "leave out the first `from`, or add a range")
    if place != before:
        what = "leaves a gap behind" if place > before else "overlaps with"
        spot.fail(
            "OG-TOPO-030",
            f"the range from {text!r} {what} the one before it",
            "begin where that one ends; `from` may be left out",
        )


def _shard(spot: Spot, shards: Sequence[str]) -> str:
    shard = spot.text()
    if shard not in shards:
        near = nearest(shard, shards)
        spot.fail(
            "OG-TOPO-014",
            f"a range is placed on the unknown shard {shard!r}",
            f"did you mean {near!r}?" if near else f"the shards are: {', '.join(shards)}",
        )
    return shard


def _point(spot: Spot, type: str, read: Read) -> tuple[Any, str]:
    text = spot.scalar()
    try:
        return read(text)
    except ValueError as error:
        spot.fail("OG-TOPO-031", f"{text!r} is no split point of type {type}: {error}", _WRITE[type])


_WHOLE = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]{1,1000}(\.[0-9]{1,1000})?", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TIME = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
_MOMENT = re.compile(
    rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})(?:[ T]({_TIME}) ?(Z|[+-][0-9]{{2}}(?::?[0-9]{{2}})?)?)?", re.ASCII
)


def _integer(text: str) -> tuple[int, str]:
    if not _WHOLE.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
        raise ValueError("it is no whole number of at most eight bytes")
    return int(text), str(int(text))


def _numeric(text: str) -> tuple[Decimal, str]:
    if not _NUMBER.fullmatch(text):
        raise ValueError("it is no plain decimal number")
    return Decimal(text), text.removeprefix("+")


def _text(text: str) -> tuple[bytes, str]:
    if "\0" in text:
        raise ValueError("text in PostgreSQL has no zero byte")
    # The order of the bytes, whatever the column's collation: equality needs no other, and bytes never change theirs.
    return text.encode(), text


def _uuid(text: str) -> tuple[uuid.UUID, str]:
    found = uuid.UUID(text)
    return found, str(found)


def _date(text: str) -> tuple[datetime.date, str]:
    if not _DAY.fullmatch(text):
        raise ValueError("it is no day")
    return datetime.date.fromisoformat(text), text


def _timestamp(text: str) -> tuple[datetime.datetime, str]:
    found = _moment(text)
    if found.tzinfo is not None:
        raise ValueError("a timestamp has no zone")
    return found, found.isoformat(" ")


def _timestamptz(text: str) -> tuple[datetime.datetime, str]:
    found = _moment(text)
    if found.tzinfo is None:
        raise ValueError("it does not say its zone")
    try:
        found = found.astimezone(datetime.UTC)
    except OverflowError:
        raise ValueError("it is out of range") from None
    return found, found.isoformat(" ")


def _moment(text: str) -> datetime.datetime:
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError("it is no moment")
    day, time, zone = match.groups()
    return datetime.datetime.fromisoformat(f"{day} {time or '00:00:00'}{zone or ''}")


#: Type → the kind of keys that share a place, and how its split points are read.
_TYPES: dict[str, tuple[str, Read]] = {
    "int2": ("integer", _integer),
    "int4": ("integer", _integer),
    "int8": ("integer", _integer),
    "numeric": ("numeric", _numeric),
    "date": ("date", _date),
    "timestamp": ("timestamp", _timestamp),
    "timestamptz": ("timestamptz", _timestamptz),
    "text": ("text", _text),
    "varchar": ("text", _text),
    "uuid": ("uuid", _uuid),
}

#: What a split point looks like; infinities are not needed: the first and the last range are open.
_WRITE = {
    **dict.fromkeys(("int2", "int4", "int8"), "write a whole number, as in 1000"),
    "numeric": "write a number, as in 9.95",
    "date": "write a day, as in 2025-01-31",
    "timestamp": 'write a moment without a zone, as in "2025-01-31 12:00:00"',
    "timestamptz": 'write a moment with its zone, as in "2025-01-31 12:00:00Z"',
    **dict.fromkeys(("text", "varchar"), "write text"),
    "uuid": "write a uuid, as in 80000000-0000-0000-0000-000000000000",
}
