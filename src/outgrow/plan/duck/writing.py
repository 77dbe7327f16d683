"""An entry of the vetted list, filled in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from .types import DIGITS, NotVetted, Type, Typed
from .vetted import Vetted


def chosen_by(tests: Sequence[str], results: Sequence[str], default: str) -> str:
    whens = " ".join(f"WHEN {test} THEN {result}" for test, result in zip(tests, results, strict=True))
    return f"(CASE {whens} ELSE {default} END)"


def direction(descending: bool, nulls_first: bool) -> str:
    return f"{'DESC' if descending else 'ASC'} NULLS {'FIRST' if nulls_first else 'LAST'}"


def scaled(value: Typed, digits: int, scale: int) -> Typed:
    if value.type.family not in ("int", "numeric") or digits > DIGITS or scale > digits:
        raise NotVetted(f"a cast from {value.type.name} to numeric({digits},{scale})")
    return Typed(f"CAST({value.sql} AS DECIMAL({digits}, {scale}))", Type("numeric", scale))


_HOLE = re.compile(r"\{(\w+)\}")


def written(entry: Vetted, name: str, values: Sequence[Typed], named: Type | None = None, beside: str = "") -> Typed:
    if any(value.shown for value in values) and entry.gives != "bool":
        raise NotVetted(f"{name} of numerics of several scales")
    type = named or _result(entry, values)
    if type.name == "numeric" and type.scale > DIGITS:
        raise NotVetted(f"{name} with a scale beyond {DIGITS}")
    holes = {"name": name, "type": type.duckdb, "beside": beside}
    holes |= {str(number): value.sql for number, value in enumerate(values)}
    # In one pass: a constant may look like a hole.
    sql = _HOLE.sub(lambda hole: holes[hole[1]], entry.duckdb)
    if type.family == "int" and entry.gives == "int":
        # DuckDB folds constants into a wider type.
        sql = f"CAST({sql} AS {type.duckdb})"
    return Typed(sql if entry.duckdb == "{0}" else f"({sql})", type)


def _result(entry: Vetted, values: Sequence[Typed]) -> Type:
    types = [value.type for value in values]
    match entry.gives:
        case "int" | "same" | "first" | "alike":
            return replace(types[0], bytes=all(type.bytes for type in types))
        case "widest":
            return Type("numeric", max(type.scale for type in types))
        case "product":
            return Type("numeric", sum(type.scale for type in types))
        case "extreme":
            return replace(types[0], name="text") if types[0].name == "varchar" else types[0]
        case name:
            return Type(name, bytes=all(type.bytes for type in types))


def named(node: object) -> str:
    return f"{type(node).__name__} {getattr(node, 'name', '')}".strip()
