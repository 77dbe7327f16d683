"""The tables of TPC-H in the two layouts of `bench.tpch`, for the plans of its 22 queries."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from outgrow.plan import Plan, build
from outgrow.schema import Column, Function, Order, Schema, Volatility
from outgrow.statement import bind
from outgrow.topology import Copied, Placement, Sharded

from .world import FUNCTIONS, domain, table

BENCH = Path(__file__).parents[3] / "bench" / "tpch"
LAYOUTS: dict[str, dict[str, str]] = {
    "tpch_a.sql": {"orders": "o_orderkey", "lineitem": "l_orderkey"},
    "tpch_b.sql": {
        "supplier": "s_suppkey",
        "part": "p_partkey",
        "partsupp": "ps_partkey",
        "customer": "c_custkey",
        "orders": "o_orderkey",
        "lineitem": "l_orderkey",
    },
}
_TYPES = {"char": "bpchar"}


def _tables() -> dict[str, tuple[tuple[Column, ...], tuple[str, ...]]]:
    """From the bench's own definitions."""
    found = {}
    for called, inside in re.findall(r"CREATE TABLE (\w+) \((.*?)\);", (BENCH / "schema.sql").read_text(), re.S):
        keys: tuple[str, ...] = ()
        columns = []
        for part in re.split(r",(?![^(]*\))", inside):
            words = part.split()
            if words[0] == "PRIMARY":
                keys = tuple(re.findall(r"\w+", part.partition("(")[2]))
                continue
            type = re.sub(r"\(.*", "", words[1])
            order = Order.BYTES if type in ("char", "varchar") else Order.NONE
            columns.append(Column(words[0], _TYPES.get(type, type), not_null="NOT NULL" in part, order=order))
            keys = (words[0],) if "PRIMARY KEY" in part else keys
        found[called] = tuple(columns), keys
    return found


TABLES = tuple(table(called, *columns, primary_key=keys) for called, (columns, keys) in _tables().items())
MORE = {
    each: (Function("pg_catalog", each, "function", Volatility.IMMUTABLE, returns, False, True),)
    for each, returns in {"extract": "numeric", "substring": "text"}.items()
}
SCHEMA = Schema(
    "d", 1, ("public",), {each.name: each for each in TABLES}, {**FUNCTIONS, **MORE}, default_order=Order.BYTES
)


def tpch_plan(sql: str, layout: str) -> Plan:
    keys = LAYOUTS[layout]
    placements: dict[object, Placement] = {
        each.name: Sharded((keys[each.name.name],)) if each.name.name in keys else Copied() for each in TABLES
    }
    placed = replace(domain(), tables=placements)
    return build(bind(sql, SCHEMA, parameters=False), SCHEMA, placed)


def queries() -> list[tuple[str, str]]:
    """(heading, text) of each, as the bench has them at scale 1."""
    found = []
    for path in sorted((BENCH / "queries").glob("q*.sql")):
        heading, text = path.read_text().replace("{fraction}", "0.0001000000").split("\n", 1)
        found.append((f"-- {path.stem.upper()}: {heading.removeprefix('-- ')}", text.rstrip() + ";"))
    return found


__all__ = ["LAYOUTS", "queries", "tpch_plan"]
