"""The small domain of `world` with keys that lie by range, and a table for each type of key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from outgrow.keyspace import Keyspace, first_map
from outgrow.plan import Located, Plan, build, locate
from outgrow.schema import Column, Order, Schema
from outgrow.statement import bind
from outgrow.topology import Domain, Ranges, Sharded, Splits

from .world import PLACEMENTS, domain, name, schema, table, text

S1, S2, S3, AGAIN = "s1", "s2", "s3", "s1"

#: Below the first point s1, then s2, s3, and where there is a fourth range s1 again.
POINTS = {
    "int8": ("10", "20", "30"),
    "text": ("f", "p"),
    "date": ("2024-01-01", "2025-01-01"),
    "timestamp": ("2024-01-01 00:00:00", "2025-01-01 00:00:00"),
    "timestamptz": ("2024-01-01 00:00:00+00:00", "2025-01-01 00:00:00+00:00"),
    "numeric": ("9.95", "100"),
    "uuid": ("40000000-0000-0000-0000-000000000000", "80000000-0000-0000-0000-000000000000"),
}

TABLES = (
    table("days", Column("day", "date"), Column("n", "int4")),
    table("moments", Column("at", "timestamptz"), Column("n", "int4")),
    table("stays", Column("since", "timestamp"), Column("n", "int4")),
    table("prices", Column("price", "numeric"), Column("n", "int4")),
    table("visits", Column("token", "uuid"), Column("n", "int4")),
    table("words", text("word", Order.LINGUISTIC), Column("n", "int4")),
)
KEYS = {"days": "day", "moments": "at", "stays": "since", "prices": "price", "visits": "token", "words": "word"}


def ranged_schema() -> Schema:
    known = schema()
    return replace(known, tables={**known.tables, **{each.name: each for each in TABLES}})


def ranged_domain(points: dict[str, tuple[str, ...]] = POINTS) -> Domain:
    ranges = tuple(Ranges(Splits(type, cut), (S1, S2, S3, AGAIN)[: len(cut) + 1]) for type, cut in points.items())
    tables = {**PLACEMENTS, **{name(table): Sharded((key,)) for table, key in KEYS.items()}}
    return replace(domain(), strategy="range", ranges=ranges, tables=tables)


DOMAIN = ranged_domain()
PLACED = Keyspace(DOMAIN.slots, first_map(DOMAIN))


def ranged_plan(sql: str) -> Plan:
    described = ranged_schema()
    return build(bind(sql, described, parameters="$1" in sql), described, DOMAIN)


def ranged_where(sql: str, params: Sequence[Any] = ()) -> str:
    """The shards of one execution, whether or not the statement could be scattered."""
    return " ".join(ranged_located(sql, params).shards)


def ranged_located(sql: str, params: Sequence[Any] = ()) -> Located:
    return locate(replace(ranged_plan(sql), refusal=None), params, PLACED)
