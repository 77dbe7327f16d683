"""MariaDB's CRC32 of every key type beside Python's, over many values, as the column holds them."""

from __future__ import annotations

import contextlib
import datetime
import random
import uuid

import pytest

from outgrow import local
from outgrow.keyspace import coerce, stored
from outgrow.keyspace.crc32 import Crc32
from tests import mariadb

COUNT = 3000
_EPOCH = datetime.datetime(2000, 1, 1)
#: Without NUL, which no text key may hold here (OG-KEY-005).
CHARACTERS = "aàÀß ÅZ09_-\t\n'\"\\`%$é漢字🙂\u0301ſıİΩω"


def _text(chance: random.Random) -> str:
    return "".join(chance.choice(CHARACTERS) for _ in range(chance.randrange(12)))


def _latin(chance: random.Random) -> str:
    return "aàß é"[: chance.randrange(6)]


def _moment(chance: random.Random) -> datetime.datetime:
    return datetime.datetime(1000, 1, 1) + datetime.timedelta(
        days=chance.randrange(3_000_000), microseconds=chance.randrange(86_400_000_000)
    )


#: Name → column, type, a random value.
COLUMNS = {
    "tinyint": ("tinyint", "int2", lambda c: c.randrange(-128, 128)),
    "int": ("int", "int4", lambda c: c.randrange(-(2**31), 2**31)),
    "unsigned": ("int unsigned", "int8", lambda c: c.randrange(2**32)),
    "zerofill": ("int(8) zerofill", "int8", lambda c: c.randrange(10**6)),
    "bigint": ("bigint", "int8", lambda c: c.randrange(-(2**63), 2**63)),
    "varchar": ("varchar(40) character set utf8mb4 collate utf8mb4_nopad_bin", "varchar", _text),
    "latin1": (
        "varchar(40) character set latin1 collate latin1_nopad_bin",
        "varchar",
        lambda c: "aàß é"[: c.randrange(6)],
    ),
    "text": ("text character set utf8mb4 collate utf8mb4_nopad_bin", "text", _text),
    "uuid": ("uuid", "uuid", lambda c: str(uuid.UUID(int=c.getrandbits(128), version=4))),
    "date": ("date", "date", lambda c: _moment(c).date()),
    "datetime": ("datetime(6)", "timestamp", _moment),
}


@pytest.fixture(scope="module")
def ask():
    mariadb.required()
    import pymysql

    with contextlib.ExitStack() as stack:
        [server] = stack.enter_context(local.temporary_mariadb(1))
        link = pymysql.connect(
            host="127.0.0.1", port=server.port, user="app", password=server.password, database="app", autocommit=True
        )
        stack.callback(link.close)

        def run(sql, rows=None):
            with link.cursor() as cursor:
                if rows is None:
                    cursor.execute(sql)
                else:
                    cursor.executemany(sql, rows)
                return cursor.fetchall()

        yield run


@pytest.mark.parametrize("name", COLUMNS)
def test_both_sides_compute_the_same_slot(ask, name):
    column, type_name, value = COLUMNS[name]
    chance = random.Random(name)
    values = [value(chance) for _ in range(COUNT)]
    hashed = Crc32((type_name,), 1024)
    ask(f"CREATE TABLE k_{name} (n int PRIMARY KEY, k {column})")
    ask(f"INSERT INTO k_{name} VALUES (%s, %s)", list(enumerate(values)))
    ask(f"INSERT INTO k_{name} VALUES (-1, NULL)")
    there = dict(ask(f"SELECT n, {hashed.sql(['k'])} FROM k_{name}"))
    assert there[-1] == hashed.slot((None,)) == 0
    wrong = [one for n, one in enumerate(values) if there[n] != hashed.slot((stored(type_name, -1, one),))]
    assert wrong == []


def test_compound_keys(ask):
    chance = random.Random(1)
    hashed = Crc32(("int8", "text", "date"), 1024)
    rows = [(n, n % 7, _text(chance), _moment(chance).date()) for n in range(COUNT)]
    collation = "character set utf8mb4 collate utf8mb4_nopad_bin"
    ask(f"CREATE TABLE compound (n int PRIMARY KEY, a bigint, b text {collation}, c date)")
    ask("INSERT INTO compound VALUES (%s, %s, %s, %s)", rows)
    there = dict(ask(f"SELECT n, {hashed.sql(['a', 'b', 'c'])} FROM compound"))
    types = hashed.types
    here = {n: hashed.slot(tuple(stored(t, -1, v) for t, v in zip(types, key, strict=True))) for n, *key in rows}
    assert here == there


def test_what_an_int_column_makes_of_floats_and_decimals(ask):
    """`stored` rounds as PostgreSQL does; MariaDB must agree, or rows would be put where nobody looks."""
    ask("CREATE TABLE rounded (n int PRIMARY KEY, k bigint)")
    chance = random.Random(2)
    values = [chance.randrange(-99, 99) + 0.5 for _ in range(300)] + [chance.uniform(-1e6, 1e6) for _ in range(300)]
    for n, value in enumerate(values):
        ask(f"INSERT INTO rounded VALUES ({n}, {value!r}e0)")
    there = dict(ask("SELECT n, k FROM rounded"))
    assert [v for n, v in enumerate(values) if there[n] != stored("int8", -1, v)] == []


def test_the_column_may_hold_its_slot(ask):
    """INSTANT to add, and usable by an index."""
    sql = Crc32(("int8",), 1024).sql(["k"])
    ask("CREATE TABLE slotted (k bigint PRIMARY KEY)")
    ask(f"ALTER TABLE slotted ADD COLUMN s SMALLINT AS ({sql}) VIRTUAL, ALGORITHM=INSTANT")
    ask("INSERT INTO slotted (k) VALUES (%s)", [(n,) for n in range(500)])
    hashed = Crc32(("int8",), 1024)
    assert dict(ask("SELECT k, s FROM slotted")) == {n: hashed.slot((coerce("int8", n),)) for n in range(500)}
