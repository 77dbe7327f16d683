"""The vetted list: what a query may contain to be finished by DuckDB, how it is written there, why that is the same.

Whatever is not here goes to PostgreSQL.  DuckDB raising where PostgreSQL answers is harmless (PostgreSQL is asked
then); what must never happen is another value.  `takes` names the family of each operand after all have come to one
type (see `types.common`), `X` being each family of `of` in turn.  `gives` is a type, or a rule: `int` and `same` the
operands' own, `widest` and `product` of numerics' scales.  In `duckdb`, `{0}` and `{1}` are the operands, `{type}` the
result's type, `{beside}` FILTER and OVER.  `tests/differential/test_vetted.py` runs every entry, for every family and
width, against a PostgreSQL: NULL, boundaries, infinities, NaN, negative zero, padding, Unicode.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

_COMPARED = "int numeric float8 text bpchar bool date timestamp timestamptz uuid bytea"
_SORTED = "int numeric float8 text bpchar date timestamp timestamptz"
_MOMENTS = "date timestamp"


@dataclass(frozen=True, slots=True)
class Vetted:
    #: What PostgreSQL calls them.
    names: str
    takes: str
    gives: str
    duckdb: str
    why: str
    of: str = ""
    #: Text must compare by bytes.
    ordered: bool = False
    #: The second operand must be a constant that this pattern allows.
    constant: str = ""


OPERATORS = (
    Vetted("= <>", "X X", "bool", "{0} {name} {1}", "NaN equals NaN, -0 equals 0; text is equal if its bytes are; "
           "char(n) is held without padding", _COMPARED),
    Vetted("< <= > >=", "X X", "bool", "{0} {name} {1}", "NaN is greatest in both; text by bytes", _SORTED,
           ordered=True),
    Vetted("< <= > >=", "X X", "bool", "{0} {name} {1}", "false before true; uuid and bytea by bytes",
           "bool uuid bytea"),
    Vetted("is-distinct-from", "X X", "bool", "{0} IS DISTINCT FROM {1}", "as =, NULL equal to itself", _COMPARED),
    Vetted("is-not-distinct-from", "X X", "bool", "{0} IS NOT DISTINCT FROM {1}", "as =, NULL equal to itself",
           _COMPARED),
    Vetted("+ - *", "int int", "int", "{0} {name} {1}", "both sides widened to one width; overflow raises in both"),
    Vetted("/", "int int", "int", "{0} // {1}", "`/` divides as floats; `//` cuts towards zero and raises for 0"),
    Vetted("%", "int int", "int", "CASE WHEN {1} = -1 THEN {0} - {0} ELSE {0} % {1} END",
           "the sign is the dividend's; the least integer % -1 raises in DuckDB only"),
    Vetted("+ -", "numeric numeric", "widest", "{0} {name} {1}", "the greater scale; raises past 38 digits"),
    Vetted("*", "numeric numeric", "product", "{0} * {1}", "scales add up; operands are DECIMAL(38), so nothing is "
           "cut, and past 38 digits it raises"),
    Vetted("%", "numeric numeric", "widest", "{0} % {1}", "the greater scale, which both get; the dividend's sign"),
    Vetted("+ - *", "float8 float8", "float8", "CASE WHEN (isinf({0} {name} {1}) AND NOT isinf({0}) AND "
           "NOT isinf({1})) OR ('{name}' = '*' AND {0} * {1} = 0 AND {0} <> 0 AND {1} <> 0) THEN error('out of range') "
           "ELSE {0} {name} {1} END", "PostgreSQL raises for overflow and underflow, DuckDB does not"),
    Vetted("/", "float8 float8", "float8", "CASE WHEN {1} = 0 OR (isinf({0} / {1}) AND NOT isinf({0})) OR "
           "({0} / {1} = 0 AND {0} <> 0 AND NOT isinf({1})) THEN error('out of range') ELSE {0} / {1} END",
           "as above; by zero raises"),
    Vetted("||", "text text", "text", "{0} || {1}", "NULL if one is"),
    Vetted("like", "text text", "bool", "{0} LIKE {1} ESCAPE '\\'", "DuckDB has no default escape; the pattern is a "
           "constant that does not end in it", constant=r"(?:[^\\]|\\.)*"),
)  # fmt: skip

#: One side is another family than the other, and not widened.
MOMENTS = (
    Vetted("+", "date int", "date", "{0} + CAST({1} AS INTEGER)", "days; int8 has no such operator in PostgreSQL"),
    Vetted("-", "date int", "date", "{0} - CAST({1} AS INTEGER)", "days"),
    Vetted("-", "date date", "int4", "CASE WHEN NOT isfinite({0}) OR NOT isfinite({1}) THEN error('infinite date') "
           "ELSE CAST({0} - {1} AS INTEGER) END", "BIGINT in DuckDB, and silently wrong for infinity"),
    Vetted("+ -", "date interval", "timestamp", "{0} {name} {1}", "months are clipped alike"),
    Vetted("+ -", "timestamp interval", "timestamp", "{0} {name} {1}", "months are clipped alike"),
)  # fmt: skip

PREFIX = (
    Vetted("-", "int", "int", "-{0}", "the least integer raises in both"),
    Vetted("-", "numeric", "same", "-{0}", "no negative zero in either"),
    Vetted("-", "float8", "float8", "-{0}", "IEEE"),
    Vetted("not", "bool", "bool", "NOT {0}", "three-valued"),
)

TESTS = (
    Vetted("is-null", "X", "bool", "{0} IS NULL", "scalars only", _COMPARED),
    Vetted("is-not-null", "X", "bool", "{0} IS NOT NULL", "scalars only", _COMPARED),
    Vetted("is-true is-not-true is-false is-not-false", "bool", "bool", "{0} {name}", "three-valued"),
)

FUNCTIONS = (
    Vetted("abs", "int", "int", "abs({0})", "the least integer raises in both"),
    Vetted("abs", "numeric", "same", "abs({0})", "scale kept"),
    Vetted("abs", "float8", "float8", "abs({0})", "IEEE"),
    Vetted("length char_length", "text", "int4", "CAST(length({0}) AS INTEGER)", "code points; BIGINT in DuckDB"),
    Vetted("length char_length", "bpchar", "int4", "CAST(length({0}) AS INTEGER)", "padding does not count"),
    Vetted("left right", "text int", "text", "CASE WHEN {1} = -2147483648 THEN error('count') "
           "ELSE {name}({0}, {1}) END", "code points; a negative count leaves so many out, but for the least integer"),
    Vetted("strpos", "text text", "int4", "CAST(strpos({0}, {1}) AS INTEGER)", "code points from 1"),
    Vetted("replace", "text text text", "text", "replace({0}, {1}, {2})", "left to right, an empty one is left alone"),
    Vetted("nullif", "X X", "first", "CASE WHEN {0} = {1} THEN NULL ELSE {0} END", "as =", _COMPARED),
    Vetted("greatest least", "X X", "alike", "{name}({0}, {1})", "NULLs are passed over", _SORTED, ordered=True),
    Vetted("coalesce", "X X", "alike", "coalesce({0}, {1})", "the first that is there; one scale, one padding",
           _COMPARED),
)  # fmt: skip

CASTS = (
    Vetted("int2 int4 int8", "int", "named", "CAST({0} AS {type})", "raises out of range"),
    Vetted("int2 int4 int8", "numeric", "named", "CAST({0} AS {type})", "half away from zero"),
    Vetted("int2 int4 int8", "float8", "named", "CAST({0} AS {type})", "half to even"),
    Vetted("float8", "int", "named", "CAST({0} AS {type})", "the nearest double"),
    Vetted("text varchar", "text", "named", "{0}", "the same bytes"),
    Vetted("text varchar", "bpchar", "named", "{0}", "padding goes"),
    Vetted("text", "int", "named", "CAST({0} AS {type})", "decimal digits"),
    Vetted("text", "bool", "named", "CAST({0} AS {type})", "true, false"),
    Vetted("date", "timestamp", "named", "CAST({0} AS {type})", "the day"),
    Vetted("timestamp", "date", "named", "CAST({0} AS {type})", "midnight"),
    Vetted("X", "X", "named", "{0}", "its own type", "bool date timestamp timestamptz uuid bytea float8"),
)

#: EXTRACT: an integer of DuckDB as PostgreSQL's numeric; what it gives for infinity or before Christ is no answer.
_PART = (
    "CASE WHEN NOT isfinite({0}) OR {0} < DATE '0001-01-01' THEN error('extract') "
    "ELSE CAST(date_part('{name}', {0}) AS DECIMAL(38, 0)) END"
)
EXTRACTS = (
    Vetted("year month day quarter week dow doy isodow isoyear", "X", "numeric", _PART, "whole numbers", _MOMENTS),
    Vetted("hour minute", "timestamp", "numeric", _PART, "whole numbers"),
)

_FINITE = (
    "CASE WHEN NOT isfinite({name}({0})) AND count(*) FILTER (WHERE NOT isfinite({0})) = 0 "
    "THEN error('out of range') ELSE {name}({0}) END"
)
AGGREGATES = (
    Vetted("count", "X", "int8", "count({0}){beside}", "of what is there; DISTINCT as =", _COMPARED),
    Vetted("sum", "int2", "int8", "CAST(sum({0}){beside} AS BIGINT)", "HUGEINT in DuckDB"),
    Vetted("sum", "int4", "int8", "CAST(sum({0}){beside} AS BIGINT)", "HUGEINT in DuckDB"),
    Vetted("sum", "int8", "numeric", "CAST(sum({0}){beside} AS DECIMAL(38, 0))", "HUGEINT in DuckDB"),
    Vetted("sum", "numeric", "same", "sum({0}){beside}", "one scale; raises past 38 digits"),
    Vetted("sum avg", "float8", "float8", _FINITE, "the order of rows decides the last digits in both"),
    Vetted(
        "min max",
        "X",
        "extreme",
        "{name}({0}){beside}",
        "NULLs are passed over, NaN is greatest",
        _SORTED,
        ordered=True,
    ),
    Vetted("bool_and bool_or", "bool", "bool", "{name}({0}){beside}", "NULLs are passed over"),
)  # fmt: skip

WINDOWS = (Vetted("row_number rank dense_rank", "", "int8", "{name}(){beside}", "peers as ORDER BY has them"),)

#: Aggregates that are windows too: exact, so the order in which rows come and go cannot show.
OVER = frozenset(("count", "sum", "min", "max", "bool_and", "bool_or"))

#: Computed in Python from a sum and a count, or from both sides of a division: the scale depends on the values.
#: Only as a column of the result, as nothing else could go on with a value of its own scale.
QUOTIENTS = {
    "/": "numeric by numeric, or by an integer: `finish.numeric.divide`, PostgreSQL's own rule",
    "avg": "of integers and numerics: the sum by the count, by the same rule",
}

#: Grammar, not functions.
FORMS = {
    "and or": "three-valued; neither promises an order of evaluation",
    "between": "two comparisons",
    "in (list)": "as =, NULL where none is equal and one is NULL",
    "in (query), exists": "as =; NOT IN with NULLs as well",
    "case": "all results of one type, scale and padding",
    "scalar query": "NULL without a row; two rows raise in both",
    "joins": "inner, left, right, full, cross, USING",
    "group by, having, distinct, distinct on": "as =; ORDER BY as above, NULLs placed by word",
    "union, intersect, except, all": "columns of the same types, scales and padding",
    "with": "not recursive",
    "limit, offset": "integers",
}


@lru_cache(maxsize=1)
def index() -> dict[tuple[str, str, str], Vetted]:
    """(section, name, families) → entry."""
    found: dict[tuple[str, str, str], Vetted] = {}
    for section, entries in SECTIONS.items():
        for entry in entries:
            for family in entry.of.split() or ("",):
                takes = entry.takes.replace("X", family) if family else entry.takes
                for name in entry.names.split():
                    spelled = family if name == "X" else name
                    found[section, spelled.replace("-", " ") if len(spelled) > 2 else spelled, takes] = entry
    return found


SECTIONS = {
    "operator": OPERATORS,
    "moment": MOMENTS,
    "prefix": PREFIX,
    "test": TESTS,
    "function": FUNCTIONS,
    "cast": CASTS,
    "extract": EXTRACTS,
    "aggregate": AGGREGATES,
    "window": WINDOWS,
}
