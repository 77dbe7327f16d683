"""Which types can be a key's, how the server spells their hash, and how Python hashes them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from struct import pack
from typing import Any

from outgrow.errors import NotSupportedError
from outgrow.keyspace.jenkins import MASK64, SEED, hash_bytes, hash_int

#: A numeric key's NaN: always this object, so that keys compare equal by identity where NaN itself does not.
NAN = Decimal("NaN")


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of key column.

    `family` names the types whose equal values hash equally: tables are co-located by family.  `sql` spells the
    server's 64-bit hash of the column `{k}`.  `shape` says what a vectorised column is made of.
    """

    family: str
    sql: str
    hash: Callable[[Any], int]
    shape: str


def hash_text(value: str) -> int:
    return hash_bytes(value.encode())


def hash_uuid(value: uuid.UUID) -> int:
    return hash_bytes(value.bytes)


def hash_numeric(value: Decimal) -> int:
    """`hash_numeric_extended`: the base-10000 digits of numeric.c without zeros at either end, and their weight."""
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return SEED
    text = "".join(map(str, digits)).lstrip("0")
    if not text:
        return SEED - 1
    stripped = text.rstrip("0")
    exponent += len(text) - len(stripped)
    # The decimal point must fall between two base-10000 digits.
    stripped += "0" * (exponent % 4)
    exponent -= exponent % 4
    stripped = "0" * (-len(stripped) % 4) + stripped
    count = len(stripped) // 4
    groups = pack(f"<{count}h", *(int(stripped[at : at + 4]) for at in range(0, len(stripped), 4)))
    weight = count - 1 + exponent // 4
    return hash_bytes(groups) ^ (weight & MASK64)


_S = str(SEED)

KINDS: dict[str, Kind] = {
    "int2": Kind("integer", f"hashint2extended({{k}}, {_S})", hash_int, "integers"),
    "int4": Kind("integer", f"hashint4extended({{k}}, {_S})", hash_int, "integers"),
    "int8": Kind("integer", f"hashint8extended({{k}}, {_S})", hash_int, "integers"),
    "text": Kind("text", f"hashtextextended({{k}}, {_S})", hash_text, "texts"),
    "varchar": Kind("text", f"hashtextextended({{k}}, {_S})", hash_text, "texts"),
    "uuid": Kind("uuid", f"uuid_hash_extended({{k}}, {_S})", hash_uuid, "uuids"),
    "bool": Kind("boolean", f'hashcharextended({{k}}::int4::"char", {_S})', hash_int, "integers"),
    "date": Kind("date", f"hashint4extended({{k}} - date '2000-01-01', {_S})", hash_int, "integers"),
    "timestamp": Kind("timestamp", f"timestamp_hash_extended({{k}}, {_S})", hash_int, "integers"),
    "timestamptz": Kind(
        "timestamptz", f"timestamp_hash_extended({{k}} AT TIME ZONE 'UTC', {_S})", hash_int, "integers"
    ),
    "numeric": Kind("numeric", f"hash_numeric_extended({{k}}, {_S})", hash_numeric, "numerics"),
}

#: Why a type that people do try cannot be hashed, and what to do.
_REFUSED = {
    "bytea": "SQL cannot compute its hash on every supported server; store its digest as uuid or text",
    "bpchar": "its trailing blanks do not count as data; make the column text or varchar",
    "float4": "nearly equal floats are different keys; make the column numeric or an integer",
    "float8": "nearly equal floats are different keys; make the column numeric or an integer",
    "citext": "different bytes can be equal; keep a lower-case copy as text and shard by that",
    "jsonb": "shard by one of its fields, as a generated column",
    "json": "it has no equality; shard by one of its fields, as a generated column",
    "timetz": "shard by a timestamptz",
}


def kind(type: str) -> Kind:
    """What is known of a type by name (as `schema.Column.type` has it); NotSupportedError OG-KEY-001 if none."""
    known = KINDS.get(type)
    if known is None:
        advice = _REFUSED.get(type, f"shard by a column of one of {', '.join(KINDS)}")
        raise NotSupportedError("OG-KEY-001", f"a column of type {type} cannot be a shard key", cure=advice)
    return known


def family(type: str) -> str:
    """Types of one family hash equal values equally, so their tables are co-located."""
    return kind(type).family
