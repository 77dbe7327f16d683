"""Tables of a MariaDB domain in the SQL of a PostgreSQL one."""

from __future__ import annotations

import contextlib
import datetime
import random
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

import outgrow
from outgrow import Fleet, local
from outgrow.errors import DataError, NotSupportedError, ProgrammingError
from outgrow.plan.domains import pushing
from outgrow.schema.federation import mapped
from outgrow.statement.tree import ColumnRef
from outgrow.topology import FinishLimits, Sharded, TableName, Topology, parameters, parse
from tests import mariadb
from tests.domains import named
from tests.servers import Servers

TABLES = "{prices: {shard_by: id}, kinds: {single: s1}, odd: {single: s2}}"
KINDS = """CREATE TABLE kinds (id INT PRIMARY KEY, tiny TINYINT, big BIGINT UNSIGNED, amount DECIMAL(20,6), half FLOAT,
  wide DOUBLE, day DATE, at DATETIME, fine DATETIME(6), stamp TIMESTAMP(6) NULL, span TIME(3), yr YEAR,
  name VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, exact VARCHAR(40) COLLATE utf8mb4_nopad_bin,
  latin VARCHAR(40) CHARACTER SET latin1, fixed CHAR(10), long_ LONGTEXT, raw VARBINARY(20), bin BINARY(3), blobby BLOB,
  mood ENUM('sad','ok'), tags SET('a','b','c'), u UUID, doc JSON, flag BOOL, bits BIT(3))"""
ROW: list[Any] = [
    1, -5, 18446744073709551615, "12345678901234.567890", 0.1, 0.1 + 0.2, "2024-02-29", "1000-01-01 00:00:00",
    "9999-12-31 23:59:59.999999", "2024-01-01 12:00:00.123456", "-838:59:58.999", 2024,
    "Ä 'q\" \\ {x},NULL", "NULL", "é", "ab  ", "x" * 70000, b"\x00\\\xff", b"a", b"", "ok", "a,c",
    "550e8400-e29b-41d4-a716-446655440000", '{"a": [1, "x"]}', True, 5,
]  # fmt: skip


def _name(name: str) -> TableName:
    return TableName("public", name)


@pytest.fixture(scope="module")
def mariadb_servers() -> Iterator[mariadb.Servers]:
    mariadb.required()
    with local.temporary_mariadb(2) as servers:
        yield mariadb.Servers(servers)


@pytest.fixture(scope="module")
def fleet(fleet_servers: Servers, mariadb_servers: mariadb.Servers) -> Iterator[Fleet]:
    """sales (PostgreSQL, sharded) and stock (MariaDB, sharded)."""
    sales = fleet_servers.fresh({_name("sold"): Sharded(("customer",))})
    text = mariadb_servers.fresh(2, TABLES).replace("  sales:", "  stock:")
    stock = parse(text, environment={"SECRET": "x" * 32}).domains[0]
    topology = replace(sales, domains=(named(sales.domains[0], "sales", 2), stock))
    with outgrow.open(topology, install=True) as opened:
        with opened.session() as session:
            session.execute("CREATE TABLE sold (customer int8, good int8, n int4, name text)")
            for number in range(1, 21):
                session.execute("INSERT INTO sold VALUES (%s, %s, %s, %s)", [number % 4, number % 6, number, "Good 1"])
        with opened.session("stock") as session:
            for shard in ("s1", "s2"):
                session.execute(
                    "CREATE TABLE prices (id INT PRIMARY KEY, name VARCHAR(40) COLLATE utf8mb4_general_ci,"
                    " price DECIMAL(10,2))",
                    shard=shard,
                )
                session.execute(KINDS, shard=shard)
                session.execute("CREATE TABLE odd (id INT, g GEOMETRY, b BIT(3), `Mixed Case` INT)", shard=shard)
            for number in range(1, 9):
                session.execute("INSERT INTO prices VALUES (%s, %s, %s)", [number, f"good {number % 3}", number * 2])
            session.execute(f"INSERT INTO kinds VALUES ({', '.join(['%s'] * len(ROW))})", ROW)
            session.execute("INSERT INTO kinds (id) VALUES (2)")
            session.execute("INSERT INTO odd VALUES (1, POINT(1, 2), 5, 7)")
        yield opened
    fleet_servers.drop(sales)


def test_a_join(fleet: Fleet) -> None:
    sql = (
        "SELECT p.id, p.name, sum(l.n * p.price) FROM sold l JOIN prices p ON p.id = l.good"
        " WHERE p.id BETWEEN 2 AND 3 GROUP BY p.id, p.name ORDER BY 1"
    )
    assert fleet.execute(sql).fetchall() == [
        (2, "good 2", Decimal(sum(n for n in range(1, 21) if n % 6 == 2) * 4)),
        (3, "good 0", Decimal(sum(n for n in range(1, 21) if n % 6 == 3) * 6)),
    ]
    assert len(fleet.execute("SELECT * FROM sold FULL JOIN stock.prices ON id = good").fetchall()) == 17 + 3 + 3


def test_every_type(fleet: Fleet) -> None:
    result = fleet.execute("SELECT * FROM kinds WHERE bits IS NULL OR true ORDER BY id") if False else None
    assert result is None
    names = (
        "id tiny big amount half wide day at fine stamp span yr name exact latin fixed long_ raw bin blobby mood tags"
    )
    names += " u doc flag"
    columns = ", ".join(names.split())
    zone = fleet.execute("SELECT current_setting('TimeZone')").fetchone()
    assert zone is not None
    first, second = fleet.execute(f"SELECT {columns} FROM kinds ORDER BY id").fetchall()
    got = dict(zip(names.split(), first, strict=True))
    assert (got["id"], got["tiny"], got["big"], got["yr"], got["flag"]) == (1, -5, 18446744073709551615, 2024, 1)
    assert got["amount"] == Decimal("12345678901234.567890") and str(got["amount"]) == "12345678901234.567890"
    assert got["half"] == 0.1 and got["wide"] == 0.1 + 0.2
    assert got["day"] == datetime.date(2024, 2, 29)
    assert got["at"] == datetime.datetime(1000, 1, 1)
    assert got["fine"] == datetime.datetime(9999, 12, 31, 23, 59, 59, 999999)
    assert got["span"] == -datetime.timedelta(hours=838, minutes=59, seconds=58, milliseconds=999)
    assert got["name"] == ROW[12] and got["exact"] == "NULL" and got["latin"] == "é" and got["fixed"] == "ab"
    assert got["long_"] == "x" * 70000
    assert (bytes(got["raw"]), bytes(got["bin"]), bytes(got["blobby"])) == (b"\x00\\\xff", b"a\x00\x00", b"")
    assert (got["mood"], got["tags"], str(got["u"]), got["doc"]) == ("ok", "a,c", ROW[22], ROW[23])
    with fleet.session("stock") as session:
        (epoch,) = session.execute("SELECT UNIX_TIMESTAMP(stamp) FROM kinds WHERE id = 1").fetchone() or (None,)
    assert got["stamp"].timestamp() == pytest.approx(float(epoch), abs=1e-6)
    assert second[0] == 2 and set(second[1:]) == {None}


def test_floats_come_exactly(fleet: Fleet) -> None:
    chance = random.Random(5)
    wide = [struct.unpack("<d", chance.randbytes(8))[0] for _ in range(200)]
    wide = [value for value in wide if value == value and abs(value) != float("inf")]
    half = [
        struct.unpack("<f", struct.pack("<f", chance.uniform(-1, 1) * 10 ** chance.randint(-30, 30)))[0] for _ in wide
    ]
    with fleet.session("stock") as session:
        for at, (one, other) in enumerate(zip(wide, half, strict=True), 100):
            session.execute("INSERT INTO kinds (id, wide, half) VALUES (%s, %s, %s)", [at, one, other])
    rows = fleet.execute("SELECT wide, half::float8 FROM kinds WHERE id >= 100 ORDER BY id").fetchall()
    with fleet.session("stock") as session:
        session.execute("DELETE FROM kinds WHERE id >= 100", shard="s1")
    assert rows == list(zip(wide, half, strict=True))


def test_text_means_what_it_means_in_postgresql(fleet: Fleet) -> None:
    """'Good 1' is 'good 1' to MariaDB's column; brought to PostgreSQL it is not."""
    with fleet.session("stock") as session:
        assert session.execute("SELECT count(*) FROM prices WHERE name = 'GOOD 1'").fetchall() == [(3,)]
    assert fleet.execute("SELECT count(*) FROM prices WHERE name = 'GOOD 1'").fetchall() == [(0,)]
    assert fleet.execute("SELECT count(*) FROM prices WHERE name = 'good 1'").fetchall() == [(3,)]
    assert fleet.execute("SELECT count(*) FROM sold l JOIN prices p ON p.name = l.name").fetchall() == [(0,)]
    assert fleet.execute("SELECT count(*) FROM prices WHERE name = 'good 1 '").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("condition", "params", "asked"),
    [
        ("p.id = 3", None, True),
        ("p.id IN (3, -4)", None, True),
        ("p.id = %s", [3], True),
        ("p.id = %s", ["3"], True),  # asked for whole numbers alone; text goes to the finish
        ("p.id = %s", [Decimal("3.0")], True),
        ("p.id > %s AND p.name <> %s", [2, "good 1"], True),
        ("p.name = 'good 1'", None, False),
        ("p.price = 6", None, False),
        ("p.id = 3.5", None, False),
        ("p.id::text = '3'", None, False),
        ("p.id = ANY(%s)", [[3, 4]], False),
        ("p.name IS NOT NULL", None, False),
    ],
)
def test_only_whole_numbers_are_asked_there(
    fleet: Fleet, condition: str, params: list[Any] | None, asked: bool
) -> None:
    sql = f"SELECT p.id FROM prices p WHERE {condition} ORDER BY 1"
    plan = fleet.explain(sql, params).to_dict()["plan"]
    assert (" where " in plan["across"][0]) is asked
    every = fleet.execute("SELECT id, name, price FROM prices ORDER BY 1").fetchall()
    with fleet.session() as session:
        values = ", ".join(f"({id}, '{name}', {price})" for id, name, price in every)
        plain = f"SELECT p.id FROM (VALUES {values}) AS p(id, name, price) WHERE {condition} ORDER BY 1"
        assert fleet.execute(sql, params).fetchall() == session.execute(plain, params).fetchall()


def test_keys_find_their_shard(fleet: Fleet) -> None:
    def shards(sql: str, params: list[Any]) -> set[str]:
        with fleet.session() as session:
            nodes = session.execute(sql, params).nodes
        return {node.split("/")[1] for node in nodes if node.startswith("stock/")}

    assert len(shards("SELECT price FROM prices WHERE id = %s", [3])) == 1
    assert len(shards("SELECT price FROM prices WHERE price > %s", [3])) == 2


def test_what_is_refused_by_name(fleet: Fleet) -> None:
    for column, kind in (("g", "geometry"), ("b", r"bit\(3\)")):
        with pytest.raises(NotSupportedError, match=rf"OG-PLAN-073: stock.odd.{column} is of type mariadb.{kind}"):
            fleet.execute(f"SELECT {column} FROM odd")
    assert fleet.execute('SELECT id, "Mixed Case" FROM odd').fetchall() == [(1, 7)]
    with fleet.session("stock") as session:
        with pytest.raises(NotSupportedError, match=r"OG-PLAN-072.*stock, sales|OG-PLAN-072.*sales, stock"):
            session.execute("SELECT * FROM prices p JOIN sold l ON l.good = p.id")
        with pytest.raises(ProgrammingError, match="OG-STMT-010"):
            session.execute("SELECT * FROM nothing")
    with pytest.raises(NotSupportedError, match="OG-PLAN-070"):
        fleet.execute("DELETE FROM stock.prices")


@pytest.mark.parametrize("column", ["day", "stamp"])
def test_a_zero_date_is_an_error(fleet: Fleet, mariadb_servers: mariadb.Servers, column: str) -> None:
    """PostgreSQL has no such day; to make 1970 or NULL of it would be an answer of our own."""
    database = parameters(fleet.topology.domains[1].home.primary.dsn)["dbname"]
    with contextlib.closing(mariadb_servers.link(0, database)) as link, link.cursor() as cursor:
        cursor.execute("SET sql_mode = ''")
        cursor.execute(f"INSERT INTO kinds (id, {column}) VALUES (50, '0000-00-00')")
        try:
            with pytest.raises(DataError, match="0000-00-00"):
                fleet.execute(f"SELECT {column} FROM kinds WHERE id = 50")
        finally:
            cursor.execute("DELETE FROM kinds WHERE id = 50")


def test_a_shard_is_seen_as_of_one_moment(fleet: Fleet) -> None:
    """Several occurrences of its tables come by one statement."""
    sql = "SELECT a.tiny, b.tiny FROM kinds a JOIN kinds b ON b.id = 2 WHERE a.id = 1"
    over = threading.Event()

    def write() -> None:
        with fleet.session("stock") as session:
            number = 0
            while not over.is_set():
                number = (number + 1) % 100
                with session.transaction():
                    session.execute("UPDATE kinds SET tiny = %s WHERE id IN (1, 2)", [number])

    writer = threading.Thread(target=write)
    with fleet.session("stock") as session:
        session.execute("UPDATE kinds SET tiny = 0 WHERE id IN (1, 2)")
    writer.start()
    try:
        torn = [row for _ in range(150) for row in fleet.execute(sql).fetchall() if row[0] != row[1]]
    finally:
        over.set()
        writer.join()
        with fleet.session("stock") as session:
            session.execute("UPDATE kinds SET tiny = CASE id WHEN 1 THEN -5 END WHERE id IN (1, 2)")
    assert torn == []


def test_within_a_transaction(fleet: Fleet) -> None:
    with fleet.session() as session, session.transaction():
        session.execute("INSERT INTO sold VALUES (1, 8, 100, 'x')")
        sql = "SELECT l.n, p.price FROM sold l JOIN prices p ON p.id = l.good WHERE p.id = 8"
        assert session.execute(sql).fetchall() == [(100, Decimal("16.00"))]
        assert fleet.execute(sql).fetchall() == []
        session.execute("DELETE FROM sold WHERE good = 8")


def lost(topology: Topology) -> list[str]:
    """Conditions on MariaDB's columns under which rows do not come that PostgreSQL would keep."""
    conditions = {"name <> 'GOOD 1'": ("prices", 8), "yr > 50 AND id = 1": ("kinds", 1)}
    with outgrow.open(topology) as anew:
        found = {
            condition: anew.execute(f"SELECT count(*) FROM {table} WHERE {condition}").fetchall()[0][0]
            for condition, (table, _) in conditions.items()
        }
    return [condition for condition, count in found.items() if count != conditions[condition][1]]


def test_no_condition_is_asked_that_means_less_there(fleet: Fleet) -> None:
    assert lost(fleet.topology) == []


def test_mutant_text_and_small_numbers_are_asked_of_mariadb(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    families = {"text": "text", "varchar": "text", "int2": "integer", "int4": "integer"}

    def believed(column: Any, alias: str, theirs: Any, engine: str) -> str:
        kind = mapped(theirs.column(column.name).type) if isinstance(column, ColumnRef) else ""
        return families.get(kind, "")

    monkeypatch.setattr(pushing, "_family", believed)
    assert lost(fleet.topology) == ["name <> 'GOOD 1'", "yr > 50 AND id = 1"]


def test_values_of_postgresql_say_which_rows_of_mariadb_matter(fleet: Fleet) -> None:
    sql = "SELECT s.n, p.price FROM sold s JOIN prices p ON p.id = s.good WHERE s.n IN (3, 4, 6) ORDER BY 1"
    expected = [(3, Decimal("6.00")), (4, Decimal("8.00"))]
    assert fleet.execute(sql).fetchall() == expected
    sales, stock = fleet.topology.domains
    limited = replace(sales, finish=FinishLimits(rows_max=4))
    with outgrow.open(replace(fleet.topology, domains=(limited, stock))) as anew:
        assert anew.execute(sql).fetchall() == expected
        assert anew.execute("SELECT p.price FROM sold s JOIN prices p ON p.id = s.good WHERE s.n < 0").fetchall() == []
        with pytest.raises(NotSupportedError, match="OG-RUN-100"):
            anew.execute("SELECT p.price FROM prices p")
        # And the other way round.
        back = "SELECT p.name, s.n FROM prices p JOIN sold s ON s.good = p.id WHERE p.id = 1 ORDER BY 2"
        assert anew.execute(back).fetchall() == [("good 1", n) for n in (1, 7, 13, 19)]


def test_unsigned_numbers(fleet: Fleet) -> None:
    """Beyond int8 too; and they are found by values of int8."""
    with fleet.session("stock") as session:
        session.execute("CREATE TABLE skus (id BIGINT UNSIGNED PRIMARY KEY, name VARCHAR(10))", shard="s1")
        fleet.place("skus", single="s1", domain="stock")
        session.execute("INSERT INTO skus VALUES (1, 'one'), (2, 'two'), (18446744073709551615, 'last')")
    try:
        assert fleet.execute("SELECT name FROM skus WHERE id > 9223372036854775807").fetchall() == [("last",)]
        assert fleet.execute("SELECT name FROM skus WHERE id > -1 ORDER BY 1").fetchall() == [
            ("last",),
            ("one",),
            ("two",),
        ]
        sql = "SELECT s.n, k.name FROM sold s JOIN skus k ON k.id = s.good WHERE s.customer = 1 AND s.n < 9 ORDER BY 1"
        assert "k.id = ANY" in "".join(fleet.explain(sql).to_dict()["plan"]["first tried"])
        assert fleet.execute(sql).fetchall() == [(1, "one")]
    finally:
        with fleet.session("stock") as session:
            session.execute("DROP TABLE skus", shard="s1")
