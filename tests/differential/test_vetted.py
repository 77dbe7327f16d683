"""Every entry of the vetted list, DuckDB's value beside PostgreSQL's: one test over the whole list.

Each entry is asked over all pairs of edge values of its types, through a fleet that lets DuckDB finish, so what is
tried is what is rendered and read back.  Rows for which PostgreSQL raises are left out; rows for which DuckDB raises
are allowed (PostgreSQL answers then), if they are few.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Any
from unittest import mock

import psycopg
import pytest

import outgrow
from outgrow.finish import duck, duckdb_missing
from outgrow.plan.duck.vetted import OVER, SECTIONS, Vetted, index
from outgrow.topology import Sharded, TableName
from tests.differential.compare import same_row
from tests.differential.finishing import Share, forced
from tests.differential.vetted_values import FAMILY_TYPES, VALUES, expressions
from tests.servers import Servers

pytestmark = pytest.mark.skipif(bool(duckdb_missing()), reason=duckdb_missing())

#: So many rows for which PostgreSQL raises are asked of each expression.
RAISING_TRIED = 5


class Both:
    """One table of pairs for each two types, in a fleet and in a plain database."""

    def __init__(self, fleet: outgrow.Fleet, plain: psycopg.Connection[Any], share: Share) -> None:
        self.session = fleet.session()
        self.fleet = fleet
        self.plain = plain
        self.share = share

    def compare(self, table: str, expression: str) -> tuple[int, int]:
        """(rows that DuckDB answered, rows that it left); fails where a value differs."""
        # One operand needs each value once.
        once = "" if re.search(r"\bb\b", expression) else " WHERE rid IN (SELECT min(rid) FROM {0} GROUP BY a)"
        rids = [rid for (rid,) in self.plain.execute(f"SELECT rid FROM {table}{once.format(table)}").fetchall()]
        if table.startswith("grid_text_int"):
            # Those that DuckDB leaves are found one by one.
            rids = rids[:100]
        answered = self._answered(table, expression, rids)
        raising = sorted(set(rids) - set(answered))
        # Some of those for which PostgreSQL raises, for then so must the fleet.
        for rid in raising[:: len(raising) // RAISING_TRIED + 1]:
            text, taken = f"SELECT rid, {expression} FROM {table} WHERE rid IN ({rid}, -1)", self.share.taken
            with contextlib.suppress(outgrow.Error):
                self.session.execute(text)
            assert self.share.taken == taken, f"{text}: DuckDB answers where PostgreSQL raises"
        return self._compared(table, expression, answered)

    def same(self, text: str) -> None:
        """DuckDB answers it, and as PostgreSQL does."""
        taken = self.share.taken
        rows = self.session.execute(text).fetchall()
        assert self.share.taken > taken, (text, self.share.unvetted, self.share.unanswered)
        expected = self.plain.execute(text).fetchall()
        assert len(rows) == len(expected), text
        for one, other in zip(expected, rows, strict=True):
            assert alike(one, other), f"{text}: DuckDB has {other}, PostgreSQL {one}"

    def _answered(self, table: str, expression: str, rids: list[int]) -> list[int]:
        """The rows for which PostgreSQL has a value that Python has too."""
        listed = ",".join(map(str, rids))
        try:
            self.plain.execute(f"SELECT {expression} FROM {table} WHERE rid = ANY('{{{listed}}}')").fetchall()
        except psycopg.Error:
            if len(rids) == 1:
                return []
            half = len(rids) // 2
            first, second = rids[:half], rids[half:]
            return self._answered(table, expression, first) + self._answered(table, expression, second)
        return rids

    def _compared(self, table: str, expression: str, rids: Sequence[int]) -> tuple[int, int]:
        if not rids:
            return 0, 0
        listed = ", ".join(map(str, rids))
        text = f"SELECT rid, {expression} FROM {table} WHERE rid IN ({listed}) ORDER BY rid"
        taken = self.share.taken
        given = self.session.execute(text)
        rows, fields = given.fetchall(), given.fields
        assert not self.share.unvetted, (text, self.share.unvetted)
        if self.share.taken > taken:
            cursor = self.plain.execute(text)
            assert cursor.description is not None
            assert [field.oid for field in fields] == [column.type_code for column in cursor.description], text
            for one, other in zip(cursor.fetchall(), rows, strict=True):
                assert alike(one, other), f"{text}: DuckDB has {other}, PostgreSQL {one}"
            return len(rids), 0
        if len(rids) == 1:
            return 0, 1
        half = len(rids) // 2
        first, second = (self._compared(table, expression, part) for part in (rids[:half], rids[half:]))
        return first[0] + second[0], first[1] + second[1]


def alike(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Exactly, the sign of zero too; only sums and averages of floats are let off the last digits."""
    return same_row(one, other) and all(
        repr(a) == repr(b) or abs(a - b) <= 1e-12 * abs(a) for a, b in zip(one, other, strict=True) if a == a
    )


def table_of(one: str, other: str) -> str:
    return "grid_" + "_".join("".join(c for c in name if c.isalnum()) for name in (one, other))


def pairs() -> set[tuple[str, str]]:
    found = {(one, one) for types in FAMILY_TYPES.values() for one in types}
    for types in FAMILY_TYPES.values():
        found |= {(one, other) for one in types for other in types}
    return found | {("date", "int4"), ("date", "int2"), ("text", "int4"), ("text", "int2")}


@pytest.fixture(scope="module")
def both(fleet_servers: Servers) -> Iterator[Both]:
    with ExitStack() as stack:
        share = stack.enter_context(forced("duckdb"))
        topology = fleet_servers.fresh()
        stack.callback(fleet_servers.drop, topology)
        domain = topology.domains[0]
        tables = {TableName("public", table_of(*pair)): Sharded(("k",)) for pair in pairs()}
        finish = replace(domain.finish, engine="duckdb", threads=1)
        topology = replace(topology, domains=(replace(domain, tables=tables, finish=finish),))
        primary = domain.home.primary
        fleet_servers.sql(primary, "DROP DATABASE IF EXISTS vetted WITH (FORCE)", database="postgres")
        fleet_servers.sql(primary, "CREATE DATABASE vetted OWNER app", database="postgres")
        dsn = psycopg.conninfo.make_conninfo(primary.dsn, dbname="vetted")
        plain = stack.enter_context(psycopg.connect(dsn, autocommit=True))
        fill(plain, 0, 1)
        for number, shard in enumerate(domain.shards):
            with psycopg.connect(shard.primary.dsn, autocommit=True) as connection:
                fill(connection, number, len(domain.shards))
        fleet = stack.enter_context(outgrow.open(topology, install=True, rows_in_place=True))
        yield Both(fleet, plain, share)


def fill(connection: psycopg.Connection[Any], part: int, of: int) -> None:
    """Rows are read from every shard, so it does not matter on which they are."""
    for one, other in sorted(pairs()):
        table = table_of(one, other)
        connection.execute(f"CREATE TABLE {table} (k int8, rid int8, a {one}, b {other})")
        values = enumerate(((a, b) for a in VALUES[one] for b in VALUES[other]), 1)
        with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
            for rid, (a, b) in values:
                if rid % of == part:
                    copy.write_row((None, rid, a, b))


SCALARS = [(section, entry) for section, entries in SECTIONS.items() for entry in entries
           if section not in ("aggregate", "window")]  # fmt: skip
#: Every third in every test run, all in the long one.
SOME = [pytest.param(*each, marks=[pytest.mark.long] if number % 3 else []) for number, each in enumerate(SCALARS)]


@pytest.mark.parametrize(("section", "entry"), SOME, ids=lambda value: getattr(value, "names", value))
def test_scalars(both: Both, section: str, entry: Vetted) -> None:
    taken = left = 0
    for one, other, expression in expressions(section, entry):
        answered, raised = both.compare(table_of(one, other), expression)
        taken, left = taken + answered, left + raised
    assert taken > 3 * left, f"{taken} rows answered by DuckDB, {left} left to PostgreSQL"


FOLDED = SECTIONS["aggregate"]
#: Over all, in groups, and of nothing.
ASKED = (
    "SELECT {0} FROM {1} WHERE {2}",
    "SELECT b, {0} FROM {1} WHERE {2} GROUP BY b ORDER BY b",
    "SELECT {0} FROM {1} WHERE rid < 0",
    "SELECT b, {0} FROM {1} WHERE {2} GROUP BY b HAVING {0} IS NOT NULL ORDER BY b",
)


@pytest.mark.parametrize("entry", FOLDED, ids=lambda entry: f"{entry.names}-{entry.takes}")
def test_aggregates(both: Both, entry: Vetted) -> None:
    for family in entry.of.split() or (entry.takes,):
        for type in FAMILY_TYPES.get(family, (family,)):
            fits = f"{shown(type, 'a')} AND {shown(type, 'b')}"
            if type == "float8" and "sum" in entry.names:
                # Sums of the largest overflow.
                fits += " AND (a IS NULL OR abs(a) < 100000000000000000000)"
            for name in entry.names.split():
                forms = [f"{name}(a)"]
                if type != "float8":
                    forms += [f"{name}(DISTINCT a)", f"{name}(a) FILTER (WHERE b IS NOT NULL)"]
                for form in forms:
                    for asked in ASKED:
                        both.same(asked.format(form, table_of(type, type), fits))
                if type != "float8" and name in OVER:
                    window = (
                        f"SELECT rid, {name}(a) OVER (PARTITION BY b ORDER BY rid) FROM {{1}} WHERE {{2}} ORDER BY 1"
                    )
                    both.same(window.format("", table_of(type, type), fits))


@pytest.mark.parametrize("type", [*FAMILY_TYPES["numeric"], *FAMILY_TYPES["int"]])
def test_quotients(both: Both, type: str) -> None:
    table = table_of(type, type)
    for asked in ASKED[:3]:
        for form in ("avg(a)", "avg(DISTINCT a)", "sum(a::numeric(30,2)) / count(*)", "avg(a) FILTER (WHERE b > 0)"):
            if type == "numeric(30,10)" and "30,2" in form:
                continue
            both.same(asked.format(form, table, "rid >= 0").replace("/ count(*) FROM", "/ nullif(count(*), 0) FROM"))
    if type.startswith("numeric"):
        for other in (*FAMILY_TYPES["numeric"], "int"):
            name = table_of(type, type if other == "int" else other)
            divisor = "rid" if other == "int" else "b"
            both.same(f"SELECT rid, a / {divisor} FROM {name} WHERE b <> 0 ORDER BY rid")
            both.same(f"SELECT rid, 100.00 * a / {divisor} FROM {name} WHERE b <> 0 ORDER BY rid")


@pytest.mark.parametrize("name", ["row_number", "rank", "dense_rank"])
@pytest.mark.parametrize("type", ["int4", "numeric(10,2)", "float8", "text", "char(4)", "bool", "uuid"])
def test_windows(both: Both, name: str, type: str) -> None:
    for order in ("a", "a DESC", "a NULLS FIRST", "a DESC NULLS LAST"):
        tie = ", rid" if name == "row_number" else ""
        table = table_of(type, type)
        both.same(f"SELECT rid, {name}() OVER (PARTITION BY b ORDER BY {order}{tie}) FROM {table} ORDER BY 1")


FORM_QUERIES = (
    "SELECT rid FROM {0} WHERE a = b AND (a < b OR NOT a > b) ORDER BY rid",
    "SELECT rid, a BETWEEN b AND b, a NOT BETWEEN b AND b FROM {0} ORDER BY rid",
    "SELECT rid, a IN (b, NULL), a NOT IN (b, a) FROM {0} ORDER BY rid",
    "SELECT x.rid, x.a IN (SELECT y.b FROM {0} y WHERE y.rid < 40) FROM {0} x ORDER BY 1",
    "SELECT x.rid FROM {0} x WHERE x.a NOT IN (SELECT y.b FROM {0} y WHERE y.b IS NOT NULL AND y.rid < 5) ORDER BY 1",
    "SELECT x.rid, EXISTS (SELECT FROM {0} y WHERE y.a = x.b AND y.rid > x.rid) FROM {0} x ORDER BY 1",
    "SELECT rid, CASE WHEN a = b THEN a WHEN a IS NULL THEN b END FROM {0} WHERE {1} ORDER BY rid",
    "SELECT rid, CASE a WHEN b THEN 1 ELSE 2 END FROM {0} ORDER BY rid",
    "SELECT x.rid, (SELECT min(y.rid) FROM {0} y WHERE y.a = x.b) FROM {0} x ORDER BY 1",
    "SELECT x.rid, y.rid FROM {0} x JOIN {0} y ON x.a = y.b AND x.rid < 30 ORDER BY 1, 2",
    "SELECT x.rid, y.rid FROM {0} x LEFT JOIN {0} y ON x.a = y.b AND y.rid < 9 ORDER BY 1, 2",
    "SELECT x.rid, y.rid FROM {0} x FULL JOIN {0} y ON x.rid = y.rid + 7 ORDER BY 1, 2",
    "SELECT x.rid, y.rid FROM {0} x JOIN {0} y USING (a) WHERE x.rid < 12 ORDER BY x.rid, 2",
    "SELECT a, count(*), count(b) FROM {0} WHERE {1} GROUP BY a ORDER BY a",
    "SELECT DISTINCT a FROM {0} WHERE {1} ORDER BY a DESC",
    "SELECT DISTINCT ON (b) b, rid FROM {0} WHERE {1} ORDER BY b NULLS FIRST, rid DESC",
    "SELECT a FROM {0} WHERE {1} UNION SELECT b FROM {0} WHERE {1} ORDER BY 1",
    "SELECT a FROM {0} WHERE {1} EXCEPT SELECT b FROM {0} WHERE rid < 20 AND {1} ORDER BY 1",
    "SELECT a FROM {0} WHERE {1} INTERSECT ALL SELECT b FROM {0} WHERE {1} ORDER BY 1",
    "WITH w AS (SELECT a AS x, rid FROM {0}) SELECT rid FROM w WHERE x IS NOT NULL ORDER BY rid DESC LIMIT 5 OFFSET 3",
    "SELECT rid, a FROM {0} WHERE {1} ORDER BY a, rid",
    "SELECT rid, a FROM {0} WHERE {1} ORDER BY a DESC NULLS LAST, b, rid LIMIT 7",
)


@pytest.mark.parametrize("type", sorted(type for types in FAMILY_TYPES.values() for type in types))
def test_forms(both: Both, type: str) -> None:
    """The grammar, over columns of every type."""
    wanted = f"{shown(type, 'a')} AND {shown(type, 'b')}"
    for query in FORM_QUERIES:
        both.same(query.format(table_of(type, type), wanted))


#: What Python has, and what has one look.
SHOWN = {
    "date": "{0} BETWEEN '0001-01-01' AND '9999-12-31'",
    "timestamp": "{0} BETWEEN '0001-01-01 00:00:00' AND '9999-12-31 23:59:59'",
    "timestamptz": "{0} BETWEEN '1970-01-01 00:00:00+00' AND '2030-01-01 00:00:00+00'",
    "float8": "{0} <> 0",
}


def shown(type: str, column: str) -> str:
    """A condition: neither infinite dates, nor zero of either sign, of which a group shows one."""
    return f"({column} IS NULL OR {SHOWN[type].format(column)})" if type in SHOWN else "rid > 0"


#: (section, name, families, what stands there instead): each would answer something else, and is noticed.
MUTANTS = (
    ("operator", "/", "int int", "CAST({0} / {1} AS {type})"),
    ("operator", "like", "text text", "{0} LIKE {1}"),
    ("operator", "+", "float8 float8", "{0} + {1}"),
    ("operator", "/", "float8 float8", "{0} / {1}"),
    ("operator", "||", "text text", "concat({0}, {1})"),
    ("moment", "-", "date date", "CAST({0} - {1} AS INTEGER)"),
    ("function", "strpos", "text text", "CAST(strlen({0}) AS INTEGER)"),
    ("function", "right", "text int", "right({0}, {1})"),
    ("cast", "int4", "float8", "CAST(trunc({0}) AS {type})"),
    ("extract", "year", "date", "CAST(date_part('{name}', {0}) AS DECIMAL(38, 0))"),
)


@pytest.mark.long
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant[1]}-{mutant[2]}")
def test_a_wrong_entry_is_noticed(both: Both, mutant: tuple[str, str, str, str]) -> None:
    section, name, takes, wrong = mutant
    entry = index()[section, name, takes]
    with (
        mock.patch.dict(index(), {(section, name, takes): replace(entry, duckdb=wrong)}),
        pytest.raises(AssertionError),
    ):
        for one, other, expression in expressions(section, replace(entry, names=name, takes=takes, of="")):
            both.compare(table_of(one, other), expression)


def test_an_operator_let_through_is_noticed(both: Both) -> None:
    """`~` of text is left to PostgreSQL; DuckDB would read another language."""
    entry = replace(index()["operator", "||", "text text"], gives="bool", duckdb="regexp_matches({0}, {1})")
    with mock.patch.dict(index(), {("operator", "~", "text text"): entry}), pytest.raises(AssertionError):
        both.same("SELECT rid, a ~ 'x.y' FROM grid_text_text ORDER BY rid")


def test_a_wrong_scale_is_noticed(both: Both) -> None:
    def naive(dividend: Decimal, divisor: Decimal) -> Decimal:
        return (dividend / divisor).quantize(Decimal("1e-16"))

    with mock.patch.object(duck, "divide", naive), pytest.raises(AssertionError):
        both.same("SELECT avg(a) FROM grid_numeric102_numeric102")
    both.same("SELECT avg(a) FROM grid_numeric102_numeric102")


def test_values_of_several_scales_stay_with_postgresql(both: Both) -> None:
    both.same("SELECT a FROM grid_numeric102_numeric102 UNION ALL SELECT b FROM grid_numeric102_numeric102 ORDER BY 1")
    for text in (
        "SELECT a FROM grid_numeric102_numeric124 UNION ALL SELECT b FROM grid_numeric102_numeric124 ORDER BY 1",
        "SELECT x.v FROM (SELECT rid, coalesce(a, 0) AS v FROM grid_numeric102_numeric102) x ORDER BY rid",
        "SELECT coalesce(a, 0) * 2 FROM grid_numeric102_numeric102 ORDER BY rid",
        "SELECT greatest(a, 0) FROM grid_numeric102_numeric102 ORDER BY rid",
    ):
        taken = both.share.taken
        rows = both.session.execute(text).fetchall()
        assert both.share.taken == taken
        assert sorted(map(repr, rows)) == sorted(map(repr, both.plain.execute(text).fetchall()))


@pytest.mark.parametrize("type", FAMILY_TYPES["numeric"])
def test_values_of_several_scales_may_go_out(both: Both, type: str) -> None:
    table = table_of(type, "numeric(12,4)")
    for item in (
        "coalesce(a, 0)", "coalesce(a, b)", "coalesce(NULL, b)", "CASE WHEN b > 0 THEN a ELSE 0 END",
        "CASE WHEN b > 0 THEN a END", "CASE WHEN b > 0 THEN a WHEN b < 0 THEN b ELSE 1.5 END", "coalesce(a, '1.234')",
    ):  # fmt: skip
        both.same(f"SELECT rid, {item} FROM {table} ORDER BY rid")
        for total in (f"sum({item})", f"coalesce(sum({item}), 0)", f"sum({item}) / nullif(sum(b), 0)",
                      f"sum({item}) FILTER (WHERE b > 1)", f"100.00 * sum(b) / nullif(sum({item}), 0)"):  # fmt: skip
            both.same(f"SELECT rid % 7, {total} FROM {table} GROUP BY 1 ORDER BY 1")
            both.same(f"SELECT {total} FROM {table} WHERE rid < 0")


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC"])
def test_moments_are_shown_in_the_session_s_zone(both: Both, zone: str) -> None:
    with both.plain.transaction(force_rollback=True):
        both.plain.execute(f"SET LOCAL TimeZone = '{zone}'")
        both.session.execute(f"SET TimeZone = '{zone}'")
        try:
            wanted = f"{shown('timestamptz', 'a')} AND {shown('timestamptz', 'b')}"
            both.same(f"SELECT rid, a, max(b) OVER () FROM grid_timestamptz_timestamptz WHERE {wanted} ORDER BY rid")
        finally:
            both.session.execute("RESET TimeZone")
