"""UPDATE of the shard key on two real shards: rows go where their new key belongs, whole, or nothing happens."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

import outgrow
from outgrow import Fleet, Session
from outgrow.topology import Copied, Placement, Sharded, TableName
from tests.servers import Servers

TABLES: dict[TableName, Placement] = {
    TableName("public", "goods"): Sharded(("k",)),
    TableName("public", "plain"): Sharded(("k",)),
    TableName("public", "parents"): Sharded(("k",)),
    TableName("public", "children"): Sharded(("k",)),
    TableName("public", "followers"): Sharded(("k",)),
    TableName("public", "watched"): Sharded(("k",)),
    TableName("public", "pairs"): Sharded(("a", "b")),
    TableName("public", "names"): Sharded(("name",)),
    TableName("public", "rates"): Copied(),
}
DDL = (
    "CREATE TYPE mood AS ENUM ('well', 'ill')",
    "CREATE TYPE spot AS (x int, y text)",
    """CREATE TABLE goods (k int8, id int8 GENERATED ALWAYS AS IDENTITY, n numeric, f float8, f4 float4, d date,
        t timestamptz, i interval, u uuid, j json, jb jsonb, b bytea, a text[], m mood, ms mood[], s spot, c char(5),
        v varchar(5), bits bit(3), vb varbit, r int4range, net inet, q "char", twice numeric GENERATED ALWAYS AS
        (n * 2) STORED, "odd name" int DEFAULT 7)""",
    "CREATE TABLE plain (k int8, id int4, note varchar(5), PRIMARY KEY (k, id))",
    "CREATE TABLE parents (k int8 PRIMARY KEY, note text)",
    "CREATE TABLE children (k int8 REFERENCES parents, id int4, PRIMARY KEY (k, id))",
    "CREATE TABLE followers (k int8 PRIMARY KEY, leader int8, FOREIGN KEY (k) REFERENCES followers ON DELETE CASCADE)",
    "CREATE TABLE watched (k int8, note text)",
    "CREATE TABLE pairs (a int4, b text, n int4)",
    "CREATE TABLE names (name varchar(4), n int4)",
    "CREATE TABLE rates (k int8, rate int8)",
)
ODD_ROW = """INSERT INTO goods (k, id, n, f, f4, d, t, i, u, j, jb, b, a, m, ms, s, c, v, bits, vb, r, net, q)
    OVERRIDING SYSTEM VALUE VALUES (%s, 12345, 1.500, 0.1::float8 + 0.2::float8, 1.1, '2024-02-29',
    '2024-02-29 12:34:56.789012+05', '1 mon -2 days +03:04:05.6', '00000000-0000-0001-2345-6789abcdef01', '{"b":  1.0}',
    '{"b": 1.0}', '\\x00ff5c', ARRAY['a', NULL, 'NULL', '"x\\y"'], 'ill', ARRAY['well', 'ill']::mood[],
    ROW(3, 'a,b"c'), 'ab', 'v', B'101', B'1', '[1,9)', '10.0.0.1/8', 'z')"""


@pytest.fixture(scope="module")
def fleet(fleet_servers: Servers) -> Iterator[Fleet]:
    topology = fleet_servers.fresh(TABLES)
    try:
        with outgrow.open(topology, install=True) as opened:
            with opened.session() as session:
                for sql in DDL:
                    session.execute(sql)
            yield opened
    finally:
        fleet_servers.drop(topology)


@pytest.fixture
def session(fleet: Fleet) -> Iterator[Session]:
    """A session over empty tables."""
    with fleet.session(level="strong") as opened:
        opened.execute(f"TRUNCATE {', '.join(table.name for table in TABLES)}")
        yield opened


def shard_of(fleet: Fleet, key: int) -> str:
    shards = fleet.explain("SELECT * FROM plain WHERE k = %s", [key]).to_dict()["shards"]["shards"]
    return str(shards[0])


def keys_on(fleet: Fleet, shard: str, count: int = 2) -> list[int]:
    return [key for key in range(1, 400) if shard_of(fleet, key) == shard][:count]


def where(session: Session, table: str) -> dict[str, list[tuple[object, ...]]]:
    """The table's rows by shard."""
    return {
        shard: sorted(session.execute(f"SELECT * FROM {table}", shard=shard).fetchall(), key=repr)
        for shard in ("s1", "s2")
    }


def test_a_row_moves_with_all_that_it_has(fleet: Fleet, session: Session) -> None:
    here, there = keys_on(fleet, "s1")[0], keys_on(fleet, "s2")[0]
    session.execute(ODD_ROW, [here])
    shown = "SELECT (to_jsonb(g) - 'k')::text, id, g.f = 0.1::float8 + 0.2::float8, a, q::text FROM goods g"
    before = session.execute(shown, shard="s1").fetchall()
    result = session.execute("UPDATE goods SET k = %s WHERE k = %s RETURNING k, twice", [there, here])
    assert (result.rowcount, result.statusmessage, result.fetchall()) == (1, "UPDATE", [(there, Decimal("3.000"))])
    assert session.execute(shown, shard="s1").fetchall() == []
    assert session.execute(shown, shard="s2").fetchall() == before


def test_a_session_s_settings_do_not_shorten_what_moves(fleet: Fleet, session: Session) -> None:
    here, there = keys_on(fleet, "s1")[0], keys_on(fleet, "s2")[0]
    session.execute(ODD_ROW, [here])
    exact = "SELECT f = 0.1::float8 + 0.2, t = '2024-02-29 12:34:56.789012+05', i::text, f4::text = '1.1' FROM goods"
    before = session.execute(exact, shard="s1").fetchall()
    session.execute("SET extra_float_digits = -5")
    session.execute("SET DateStyle = 'SQL, DMY'")
    session.execute("SET IntervalStyle = 'sql_standard'")
    with session.transaction():
        session.execute("UPDATE goods SET k = %s, f = f WHERE k = %s", [there, here])
        assert session.execute("SELECT current_setting('extra_float_digits')", shard="s1").fetchall() == [("-5",)]
        assert session.execute("SHOW DateStyle", shard="s1").fetchall() == [("SQL, DMY",)]
    for name in ("extra_float_digits", "DateStyle", "IntervalStyle"):
        session.execute(f"RESET {name}")
    assert session.execute(exact, shard="s2").fetchall() == before


def test_some_rows_stay_and_some_go(fleet: Fleet, session: Session) -> None:
    for key in range(1, 31):
        session.execute("INSERT INTO plain VALUES (%s, %s, 'x')", [key, key])
    result = session.execute("UPDATE plain SET k = k + 1, note = note || id WHERE id < 100 RETURNING id, k, note")
    assert result.rowcount == 30
    assert sorted(result.fetchall()) == [(key, key + 1, f"x{key}") for key in range(1, 31)]
    rows = where(session, "plain")
    assert all(shard_of(fleet, int(str(row[0]))) == shard for shard, held in rows.items() for row in held)
    assert rows["s1"]
    assert rows["s2"]


def test_what_arrives_may_not_be_there_yet(fleet: Fleet, session: Session) -> None:
    (a, b), (c, _) = keys_on(fleet, "s1"), keys_on(fleet, "s2")
    for key, number in ((a, 1), (b, 2), (c, 2)):
        session.execute("INSERT INTO plain VALUES (%s, %s)", [key, number])
    before = where(session, "plain")
    with pytest.raises(outgrow.IntegrityError) as caught:
        session.execute("UPDATE plain SET k = %s WHERE k IN (%s, %s)", [c, a, b])
    assert caught.value.sqlstate == "23505"
    assert where(session, "plain") == before
    assert session.execute("UPDATE plain SET k = %s WHERE k = %s", [c, a]).rowcount == 1


def test_a_key_is_stored_as_its_column_does(fleet: Fleet, session: Session) -> None:
    for key in (1, 2, 3, 4):
        session.execute("INSERT INTO plain VALUES (%s, %s)", [key, key])
    session.execute("UPDATE plain SET k = k * 10 + 0.5")
    assert sorted(session.execute("SELECT k FROM plain").fetchall()) == [(11,), (21,), (31,), (41,)]
    for key in (11, 21, 31, 41):
        assert session.execute("SELECT id FROM plain WHERE k = %s", [key]).fetchall() == [(key // 10,)]
    session.execute("INSERT INTO names VALUES ('a', 1), ('b', 2)")
    session.execute("UPDATE names SET name = name || '      '")
    assert sorted(session.execute("SELECT name FROM names WHERE name IN ('a   ', 'b   ')").fetchall()) == [
        ("a   ",),
        ("b   ",),
    ]
    with pytest.raises(outgrow.DataError):
        session.execute("UPDATE names SET name = name || 'xxxxx'")


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("UPDATE plain SET k = note WHERE k = 1", "42804"),
        ("UPDATE plain SET k = note", "42804"),
        ("UPDATE plain SET k = k / (id - 1)", "22012"),
        ("UPDATE plain SET k = k + 1, note = 'too long' || id", "22001"),
        ("UPDATE plain SET k = NULL", "23502"),
    ],
)
def test_what_postgresql_refuses_is_refused(session: Session, sql: str, sqlstate: str) -> None:
    session.execute("INSERT INTO plain VALUES (1, 1, '7'), (2, 2, '8'), (3, 3, '9')")
    before = where(session, "plain")
    with pytest.raises(outgrow.Error) as caught:
        session.execute(sql)
    assert caught.value.sqlstate == sqlstate
    assert where(session, "plain") == before


def test_a_compound_key_moves_by_one_of_its_parts(session: Session) -> None:
    for number in range(12):
        session.execute("INSERT INTO pairs VALUES (%s, %s, %s)", [number, "x", number])
    assert session.execute("UPDATE pairs SET b = 'y' WHERE a < 6").rowcount == 6
    assert session.execute("UPDATE pairs SET (a, b) = (SELECT rate, 'z' FROM rates WHERE rates.k = a)").rowcount == 12
    assert sorted(session.execute("SELECT n FROM pairs WHERE a IS NULL AND b IS NULL").fetchall()) == [
        (number,) for number in range(12)
    ]


def test_values_come_from_where_the_update_says(session: Session) -> None:
    session.execute("INSERT INTO rates VALUES (1, 100), (2, 200), (2, 200)")
    session.execute("INSERT INTO plain VALUES (1, 1), (2, 2), (3, 3)")
    sql = "UPDATE plain AS p SET k = r.rate, note = 'n' FROM rates r WHERE r.k = p.k RETURNING p.id, p.k"
    assert sorted(session.execute(sql).fetchall()) == [(1, 100), (2, 200)]
    assert sorted(session.execute("SELECT k, note FROM plain").fetchall()) == [(3, None), (100, "n"), (200, "n")]


def test_rows_that_others_refer_to_move_only_alone(fleet: Fleet, session: Session) -> None:
    (a, b), (c, d) = keys_on(fleet, "s1"), keys_on(fleet, "s2")
    for key in (a, b, c):
        session.execute("INSERT INTO parents VALUES (%s, 'p')", [key])
    session.execute("INSERT INTO children VALUES (%s, 1)", [a])
    with pytest.raises(outgrow.IntegrityError) as caught:
        session.execute("UPDATE parents SET k = %s WHERE k = %s", [d, a])
    assert caught.value.sqlstate == "23503"
    assert session.execute("UPDATE parents SET k = %s WHERE k = %s", [d, b]).rowcount == 1
    # One PostgreSQL would find a parent of that key again; here it would have been gone for a moment.
    with pytest.raises(outgrow.NotSupportedError) as refused:
        session.execute(
            "UPDATE parents SET k = CASE k WHEN %s THEN %s ELSE %s END WHERE k IN (%s, %s)", [a, c, a, a, c]
        )
    assert refused.value.code == "OG-PLAN-040"
    assert "children" in str(refused.value)


def test_what_would_notice_is_refused_by_name_and_changes_nothing(
    fleet: Fleet, session: Session, fleet_servers: Servers
) -> None:
    (a, b), (c, _) = keys_on(fleet, "s1"), keys_on(fleet, "s2")
    for shard in ("s1", "s2"):
        session.execute(
            "CREATE OR REPLACE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN NEW.note := ''touched''; RETURN NEW; END'",
            shard=shard,
        )
    session.execute("CREATE TRIGGER noted BEFORE UPDATE ON watched FOR EACH ROW EXECUTE FUNCTION note_it()")
    session.execute("INSERT INTO watched VALUES (%s, 'old')", [a])
    with session.transaction():
        with pytest.raises(outgrow.NotSupportedError) as refused:
            session.execute("UPDATE watched SET k = %s WHERE k = %s", [c, a])
        assert refused.value.code == "OG-PLAN-040"
        assert "noted" in str(refused.value)
        # The transaction goes on, and an update whose rows stay is only an update.
        assert session.execute("UPDATE watched SET k = %s WHERE k = %s RETURNING note", [b, a]).fetchall() == [
            ("touched",)
        ]
    session.execute("INSERT INTO followers VALUES (%s)", [a])
    with pytest.raises(outgrow.NotSupportedError) as refused:
        session.execute("UPDATE followers SET k = %s WHERE k = %s", [c, a])
    assert "followers refers to it" in str(refused.value)
    assert where(session, "followers") == {"s1": [(a, None)], "s2": []}
    with pytest.raises(outgrow.NotSupportedError):
        session.execute("UPDATE plain SET k = k + 1 RETURNING (SELECT max(rate) FROM rates)")


def test_rows_of_a_table_that_inherits_are_left_alone(fleet: Fleet, session: Session, fleet_servers: Servers) -> None:
    primary = fleet.topology.domains[0].shards[0].primary
    fleet_servers.sql(primary, "CREATE TABLE heirs () INHERITS (pairs)")
    fleet_servers.sql(primary, "INSERT INTO heirs SELECT n, 'x', 1 FROM generate_series(1, 9) AS n")
    with pytest.raises(outgrow.NotSupportedError) as refused:
        session.execute("UPDATE pairs SET a = a + 1")
    assert "inherits" in str(refused.value)
    fleet_servers.sql(primary, "DROP TABLE heirs")


def test_explain_says_what_happens(fleet: Fleet) -> None:
    shown = fleet.explain("UPDATE plain SET k = k + 1").to_dict()
    assert "insert them on their new shard" in " ".join(shown["plan"]["key_move"])
    assert "FOR UPDATE OF plain" in shown["plan"]["fragment"]


def test_what_a_row_is_set_to_is_computed_once(fleet: Fleet, session: Session) -> None:
    for key in range(1, 21):
        session.execute("INSERT INTO plain VALUES (%s, %s)", [key, key])
    assert session.execute("UPDATE plain SET k = (random() * 1000000)::int8").rowcount == 20
    rows = where(session, "plain")
    assert all(shard_of(fleet, int(str(row[0]))) == shard for shard, held in rows.items() for row in held)
