"""A file into a MariaDB table: every row to the shard its key names, on all shards or on none."""

from __future__ import annotations

import csv
import datetime
import io
import random
import uuid

import pytest

from outgrow.errors import DataError, Error, NotSupportedError
from outgrow.moving.load import LoadOptions
from outgrow.moving.load_layout import LoadFormat
from tests import mariadb
from tests.integration.mariadb.accounts import at_rest, prepared

BINARY = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
TABLES = (
    f"""CREATE TABLE orders (customer varchar(20) {BINARY}, pos int, total decimal(10,2), note text, at datetime(6),
        ratio double, flag bit(3), made datetime DEFAULT '2020-01-01 00:00:00', PRIMARY KEY (customer, pos))""",
    "CREATE TABLE events (id bigint AUTO_INCREMENT PRIMARY KEY, what varchar(30))",
    "CREATE TABLE tokens (token uuid PRIMARY KEY, n int)",
    "CREATE TABLE days (day date PRIMARY KEY, n int)",
    "CREATE TABLE countries (code int PRIMARY KEY, name varchar(30) DEFAULT 'none')",
    "CREATE TABLE drawn (code int PRIMARY KEY, token uuid DEFAULT uuid())",
    "CREATE TABLE settings (name varchar(20) PRIMARY KEY, value varchar(20))",
)
PLACED = (
    "{orders: {shard_by: customer}, events: {shard_by: id}, tokens: {shard_by: token}, days: {shard_by: day}, "
    "countries: {copy: everywhere}, drawn: {copy: everywhere}, settings: {single: s2}}"
)
SHARDS = ("s1", "s2", "s3")


@pytest.fixture(scope="module")
def fleet(mariadb_servers):
    with mariadb_servers.open(mariadb_servers.fresh(3, PLACED)) as opened:
        with opened.session() as session:
            for sql in TABLES:
                session.execute(sql)
        yield opened


@pytest.fixture
def session(fleet, mariadb_servers):
    with fleet.session() as made:
        for table in ("orders", "events", "tokens", "days", "countries", "drawn", "settings"):
            made.execute(f"DELETE FROM {table}")
        yield made
    assert prepared(mariadb_servers) == []
    assert at_rest(fleet)


def written(header: list[str], rows: list[list], **options) -> io.BytesIO:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", **options)
    writer.writerow(header)
    writer.writerows(rows)
    return io.BytesIO(text.getvalue().encode())


NOTES = (
    "plain",
    "with, comma",
    'a "quoted" word',
    "two\nlines",
    "back\\slash",
    "it's",
    "ünï🙂",
    "",
    "'); DROP TABLE orders; --",
)


def test_rows_are_what_their_text_says(fleet, session):
    chance = random.Random(5)
    rows = []
    for number in range(3000):
        at = datetime.datetime(2024, 1, 1) + datetime.timedelta(microseconds=chance.randrange(10**14))
        customer = chance.choice(("ann", "bob ", "Bob", "é", "", "x" * 20)) + str(number % 40)
        rows.append([customer[:20], number, f"{number / 7:.2f}", chance.choice(NOTES), at, number / 3, number % 8])
    header = ["customer", "pos", "total", "note", "at", "ratio", "flag"]
    loaded = session.load(written(header, rows, quoting=csv.QUOTE_NONNUMERIC), "orders")
    assert loaded.rows == 3000 and sum(loaded.rows_by_shard.values()) == 3000
    assert all(count > 100 for count in loaded.rows_by_shard.values())
    held = session.execute(f"SELECT {', '.join(header)} FROM orders ORDER BY pos").fetchall()
    for row, (customer, pos, total, note, at, ratio, flag) in zip(rows, held, strict=True):
        assert [customer, pos, f"{total:.2f}", note, at, ratio, int.from_bytes(flag)] == row
    for customer, pos in ((row[0], row[1]) for row in rows[::97]):
        found = session.execute("SELECT pos FROM orders WHERE customer = %s AND pos = %s", [customer, pos])
        assert found.fetchall() == [(pos,)]
    assert session.execute("SELECT DISTINCT made FROM orders").fetchall() == [(datetime.datetime(2020, 1, 1),)]


def test_nulls_and_quoted_nothing_differ(session):
    data = b'customer,pos,note,total\na,1,,\na,2,"",5\na,3,NA,\n'
    session.load(io.BytesIO(data.replace(b"\n", b"\r\n")), "orders")
    assert session.execute("SELECT note, total FROM orders ORDER BY pos").fetchall() == [
        *((None, None), ("", 5), ("NA", None)),
    ]
    with pytest.raises(DataError, match="OG-LOAD-008"):
        session.load(io.BytesIO(data), "orders")
    options = LoadOptions(truncate_first=True)
    session.load(io.BytesIO(b"customer;pos;note\nb;1;NA\nb;2;"), "orders", form=LoadFormat(";", "NA"), options=options)
    assert session.execute("SELECT customer, note FROM orders ORDER BY pos").fetchall() == [("b", None), ("b", "")]


def test_keys_of_every_type_go_where_statements_look(session):
    tokens = [str(uuid.UUID(int=random.Random(number).getrandbits(128), version=4)) for number in range(300)]
    session.load(written(["token", "n"], [[token, at] for at, token in enumerate(tokens)]), "tokens")
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(number) for number in range(300)]
    session.load(written(["day", "n"], [[day, at] for at, day in enumerate(days)]), "days")
    for at in range(0, 300, 7):
        assert session.execute("SELECT n FROM tokens WHERE token = %s", [tokens[at]]).fetchall() == [(at,)]
        assert session.execute("SELECT n FROM days WHERE day = %s", [days[at]]).fetchall() == [(at,)]


def test_counted_columns_are_numbered_by_the_fleet(session):
    loaded = session.load(written(["what"], [[f"w{number}"] for number in range(2000)]), "events")
    assert loaded.rows == 2000
    rows = session.execute("SELECT id, what FROM events ORDER BY id").fetchall()
    assert len({id for id, _ in rows}) == 2000 and [what for _, what in rows] == [f"w{n}" for n in range(2000)]
    assert session.execute("INSERT INTO events (what) VALUES ('x')").lastrowid > rows[-1][0]
    with pytest.raises(DataError, match="OG-LOAD-017"):
        session.load(io.BytesIO(b"id,what\n0,zero\n"), "events", options=LoadOptions(append=True))
    assert session.execute("SELECT COUNT(*) FROM events").fetchall() == [(2001,)]


def test_copies_and_single_tables(session):
    session.load(written(["code"], [[number] for number in range(50)]), "countries")
    for shard in SHARDS:
        found = session.execute("SELECT COUNT(*), MIN(name) FROM countries", shard=shard)
        assert found.fetchall() == [(50, "none")]
    session.load(io.BytesIO(b"name,value\na,b\n"), "settings")
    assert session.execute("SELECT * FROM settings").fetchall() == [("a", "b")]
    with pytest.raises(NotSupportedError, match="OG-COPY-008"):
        session.load(io.BytesIO(b"code\n1\n"), "drawn")


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("c1999,1999,12x,n", "line 2001, "),
        ("c1,1,1,twice", "Duplicate entry"),
        ("c1999,1999,123456789.00,n", "total"),
        ("c1999,1999,1", "OG-LOAD-003"),
        ("c1999,,1,n", "OG-LOAD-009"),
    ],
)
def test_one_bad_row_and_nothing_is_loaded(session, bad, said):
    rows = "".join(f"c{number},{number},{number},n\n" for number in range(1999))
    data = f"customer,pos,total,note\n{rows}{bad}\n".encode()
    with pytest.raises(DataError) as caught:
        session.load(io.BytesIO(data), "orders")
    assert said.strip(", ") in str(caught.value)
    assert session.execute("SELECT COUNT(*) FROM orders").fetchall() == [(0,)]


def test_a_load_run_again_does_nothing_and_goes_on_after_a_part(fleet, session, mariadb_servers):
    rows = [[f"c{number}", number] for number in range(300)]
    options = LoadOptions(load_id="night", append=True)
    first = session.load(written(["customer", "pos"], rows), "orders", options=options)
    again = session.load(written(["customer", "pos"], rows), "orders", options=options)
    assert (first.rows, again.rows) == (300, 0) and dict(again.skipped) == dict(first.rows_by_shard)
    # One shard has lost its part, as where a server came back from an older backup.
    database = mariadb.databases_of(fleet)[1]
    mariadb_servers.sql(1, "DELETE FROM orders", database)
    mariadb_servers.sql(1, "DELETE FROM outgrow_loads", database)
    third = session.load(written(["customer", "pos"], rows), "orders", options=options)
    assert dict(third.rows_by_shard) == {"s2": first.rows_by_shard["s2"]}
    assert session.execute("SELECT COUNT(*) FROM orders").fetchall() == [(300,)]


def test_within_a_transaction_it_is_undone_with_it(session):
    rows = written(["customer", "pos"], [[f"c{number}", number] for number in range(300)])
    session.execute("BEGIN")
    session.load(rows, "orders")
    assert session.execute("SELECT COUNT(*) FROM orders").fetchall() == [(300,)]
    session.execute("ROLLBACK")
    assert session.execute("SELECT COUNT(*) FROM orders").fetchall() == [(0,)]


def test_a_connection_that_is_killed_half_way_loads_nothing(fleet, session, mariadb_servers):
    killed = []

    def kill(done, total):
        if not killed and done > 3_000_000:
            database = mariadb.databases_of(fleet)[1]
            query = f"SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{database}'"
            ids = [id for (id,) in mariadb_servers.sql(1, query)]
            killed.extend(ids)
            for id in ids:
                try:
                    mariadb_servers.sql(1, f"KILL {id}")
                except Exception:
                    continue

    rows = [[f"c{number}", number, "x" * 100] for number in range(60_000)]
    with pytest.raises(Error):
        session.load(written(["customer", "pos", "note"], rows), "orders", progress=kill)
    assert killed
    assert session.execute("SELECT COUNT(*) FROM orders").fetchall() == [(0,)]
    assert session.load(written(["customer", "pos", "note"], rows), "orders").rows == 60_000


@pytest.mark.parametrize("form", [LoadFormat.of("text"), LoadFormat.of("binary"), LoadFormat(escape="\\")])
def test_other_formats_are_refused_by_name(session, form):
    with pytest.raises(NotSupportedError, match="OG-LOAD-016"):
        session.load(io.BytesIO(b"code\n1\n"), "countries", form=form)
    assert session.execute("SELECT COUNT(*) FROM countries").fetchall() == [(0,)]


def test_ranges_and_rings_place_a_load_as_they_place_statements(mariadb_servers):
    ranges = "{int8: [{to: 100, shard: s2}, {shard: s1}], text: [{to: m, shard: s1}, {shard: s2}]}"
    for strategy, more in (("range", f"    ranges: {ranges}\n"), ("ring", "")):
        text = mariadb_servers.fresh(2, "{t: {shard_by: id}, u: {shard_by: name}}")
        text = text.replace("    slots: 64\n", f"    slots: 64\n    strategy: {strategy}\n{more}")
        with mariadb_servers.open(text) as fleet, fleet.session() as session:
            session.execute("CREATE TABLE t (id bigint PRIMARY KEY)")
            session.execute(f"CREATE TABLE u (name varchar(20) {BINARY} PRIMARY KEY)")
            session.load(written(["id"], [[number] for number in range(0, 200, 3)]), "t")
            session.load(written(["name"], [[name] for name in ("ann", "m", "lé", "zoë", "", "M")]), "u")
            for number in range(0, 200, 3):
                assert session.execute("SELECT id FROM t WHERE id = %s", [number]).fetchall() == [(number,)]
            for name in ("ann", "m", "lé", "zoë", "", "M"):
                assert session.execute("SELECT name FROM u WHERE name = %s", [name]).fetchall() == [(name,)]
