"""Statements that write several MariaDB shards: as one MariaDB answers, all or nothing, or refused by name."""

from __future__ import annotations

import datetime

import pytest

import outgrow
from tests.integration.mariadb.accounts import at_rest, prepared

TABLES = (
    """CREATE TABLE items (id bigint PRIMARY KEY, n int, note varchar(20) DEFAULT 'none',
       made datetime(6) DEFAULT now(6) ON UPDATE now(6))""",
    "CREATE TABLE countries (code int PRIMARY KEY, name varchar(20), made datetime(6) DEFAULT current_timestamp(6))",
    "CREATE TABLE people (email varchar(50) UNIQUE, id bigint PRIMARY KEY, n int)",
    "CREATE TABLE tokens (id bigint PRIMARY KEY, token uuid DEFAULT uuid())",
    "CREATE TABLE parents (id bigint PRIMARY KEY)",
    "CREATE TABLE children (id bigint PRIMARY KEY, FOREIGN KEY (id) REFERENCES parents (id))",
    "CREATE TABLE watched (id bigint PRIMARY KEY)",
    "CREATE TRIGGER look BEFORE DELETE ON watched FOR EACH ROW SET @x = 1",
)
PLACED = (
    "{items: {shard_by: id}, countries: {copy: everywhere}, people: {shard_by: id}, tokens: {copy: everywhere}, "
    "parents: {shard_by: id}, children: {shard_by: id}, watched: {shard_by: id}}"
)
SHARDS = ("s1", "s2", "s3")


@pytest.fixture(scope="module")
def fleet(mariadb_servers):
    with mariadb_servers.open(mariadb_servers.fresh(3, PLACED)) as opened:
        with opened.session() as session:
            for shard in SHARDS:
                for table in TABLES:
                    session.execute(table, shard=shard)
        yield opened


@pytest.fixture
def session(fleet, mariadb_servers):
    with fleet.session() as made:
        for shard in SHARDS:
            for table in ("items", "countries", "people", "tokens"):
                made.execute(f"DELETE FROM {table}", shard=shard)
        yield made
    assert prepared(mariadb_servers) == []
    assert at_rest(fleet)


def everywhere(session, sql):
    return [session.execute(sql, shard=shard).fetchall() for shard in SHARDS]


def test_rows_go_to_their_shards_and_come_back_in_order(session):
    rows = ", ".join(f"({id}, {id % 7})" for id in range(30))
    assert session.execute(f"INSERT INTO items (id, n) VALUES {rows}").rowcount == 30
    assert session.last_transaction is not None
    assert all(len(found[0]) for found in everywhere(session, "SELECT id FROM items"))
    assert session.execute("SELECT COUNT(*) FROM items WHERE note = 'none'").fetchone() == (30,)
    for id in range(30):
        assert session.execute("SELECT n FROM items WHERE id = %s", [id]).fetchone() == (id % 7,)
    values = [value for id in range(40, 50) for value in (id, f"n'{id}")]
    holes = ", ".join(["(%s, %s)"] * 10)
    result = session.execute(f"INSERT INTO items (id, note) VALUES {holes} RETURNING id, note AS n", values)
    assert (result.columns, result.rowcount) == (("id", "n"), 10)
    assert result.fetchall() == [(id, f"n'{id}") for id in range(40, 50)]


def test_one_moment_holds_for_all_shards(session):
    session.execute("INSERT INTO items (id, n) VALUES " + ", ".join(f"({id}, 1)" for id in range(12)))
    assert session.execute("SELECT COUNT(DISTINCT made) FROM items").fetchone() == (1,)
    session.execute("UPDATE items SET n = 2")
    [[moment]] = session.execute("SELECT MAX(made) AS m FROM items WHERE n = 2").fetchall()
    assert session.execute("SELECT COUNT(*) FROM items WHERE made = %s", [moment]).fetchone() == (12,)
    assert abs(moment - datetime.datetime.now(datetime.UTC).replace(tzinfo=None)) < datetime.timedelta(days=1)
    session.execute("UPDATE items SET made = NOW(3) WHERE id >= 0")
    assert session.execute("SELECT COUNT(DISTINCT made) FROM items").fetchone() == (1,)
    session.execute("UPDATE items SET made = CURRENT_TIMESTAMP")
    assert session.execute("SELECT COUNT(DISTINCT made) FROM items").fetchone() == (1,)
    session.execute("INSERT INTO countries (code) VALUES (1), (2)")
    copies = everywhere(session, "SELECT code, made FROM countries ORDER BY code")
    assert copies[0] == copies[1] == copies[2]


def test_changes_without_the_key_count_and_return_what_all_shards_did(session):
    session.execute("INSERT INTO items (id, n) VALUES " + ", ".join(f"({id}, {id})" for id in range(20)))
    assert session.execute("UPDATE items SET n = n + 100 WHERE n < %s", [10]).rowcount == 10
    deleted = session.execute("DELETE FROM items WHERE n >= 100 RETURNING id, n + 0")
    assert deleted.columns == ("id", "n + 0")
    assert sorted(deleted.fetchall()) == [(id, id + 100) for id in range(10)]
    assert session.execute("SELECT COUNT(*) FROM items").fetchone() == (10,)
    assert session.execute("DELETE FROM items").rowcount == 10


def test_an_error_on_one_shard_undoes_all(session):
    session.execute("INSERT INTO items (id, n) VALUES (7, 7)")
    with pytest.raises(outgrow.IntegrityError):
        session.execute("INSERT INTO items (id, n) VALUES " + ", ".join(f"({id}, 1)" for id in range(12)))
    assert session.execute("SELECT id, n FROM items").fetchall() == [(7, 7)]
    with pytest.raises(ZeroDivisionError), session.transaction():
        session.execute("UPDATE items SET n = 8")
        session.execute("INSERT INTO items (id, n) VALUES (1, 1), (2, 2), (3, 3), (4, 4)")
        assert session.execute("SELECT COUNT(*) FROM items").fetchone() == (5,)
        raise ZeroDivisionError
    assert session.execute("SELECT id, n FROM items").fetchall() == [(7, 7)]


def test_rows_that_are_there_already(session):
    session.execute("INSERT INTO items (id, n) VALUES (1, 1), (2, 2), (3, 3)")
    rows = ", ".join(f"({id}, 10)" for id in range(6))
    result = session.execute(f"INSERT INTO items (id, n) VALUES {rows} ON DUPLICATE KEY UPDATE n = items.n + VALUES(n)")
    assert result.rowcount == 3 + 2 * 3
    found = session.execute("SELECT id, n FROM items ORDER BY id").fetchall()
    assert found == [(0, 10), (1, 11), (2, 12), (3, 13), (4, 10), (5, 10)]
    assert session.execute("REPLACE INTO items (id, n) VALUES (5, 6), (6, 6), (7, 7)").rowcount == 4
    returned = session.execute("REPLACE items (id, n) VALUES (%s, 1), (%s, 2) RETURNING id, n", [7, 8])
    assert returned.fetchall() == [(7, 1), (8, 2)]
    assert session.execute("INSERT INTO items SET id = 9, n = %s", [4]).rowcount == 1
    found = session.execute("SELECT id, n FROM items WHERE id > 4 ORDER BY id").fetchall()
    assert found == [(5, 6), (6, 6), (7, 1), (8, 2), (9, 4)]


def test_copies_change_alike(session):
    session.execute("INSERT INTO countries (code, name) VALUES (1, 'a'), (2, 'b')")
    assert session.execute("INSERT IGNORE INTO countries (code, name) VALUES (2, 'x'), (3, 'c')").rowcount == 1
    assert session.execute("UPDATE countries SET name = CONCAT(name, %s)", ["!"]).rowcount == 3
    changed = session.execute(
        "INSERT INTO countries (code, name) VALUES (1, 'A'), (4, 'd') ON DUPLICATE KEY UPDATE name = VALUES(name)"
    )
    assert changed.rowcount == 3
    assert session.execute("DELETE FROM countries WHERE code = 2 RETURNING name").fetchall() == [("b!",)]
    assert (
        everywhere(session, "SELECT code, name FROM countries ORDER BY code") == [[(1, "A"), (3, "c!"), (4, "d")]] * 3
    )
    session.execute("INSERT INTO countries (code) VALUES (9)", shard="s2")
    with pytest.raises(outgrow.OperationalError, match="OG-RUN-035"):
        session.execute("DELETE FROM countries")
    assert [len(rows) for rows in everywhere(session, "SELECT code FROM countries")] == [3, 4, 3]


def test_rows_are_locked_on_all_shards(fleet, session):
    session.execute("INSERT INTO items (id, n) VALUES " + ", ".join(f"({id}, {id % 2})" for id in range(10)))
    with session.transaction():
        locked = session.execute("SELECT id FROM items WHERE n = 1 ORDER BY id FOR UPDATE").fetchall()
        assert locked == [(1,), (3,), (5,), (7,), (9,)]
        with fleet.session() as other, pytest.raises(outgrow.OperationalError) as caught:
            other.execute("SELECT id FROM items FOR UPDATE NOWAIT")
        assert caught.value.sqlstate == "55P03"
    with session.transaction(), fleet.session() as other:
        for each in (session, other):
            assert each.execute("SELECT id FROM items WHERE n = 0 LOCK IN SHARE MODE").rowcount == 5
    assert session.execute("SELECT COUNT(*) FROM items").fetchone() == (10,)


def test_truncate_empties_every_shard_or_none(fleet, session):
    rows = ", ".join(f"({id}, 1)" for id in range(30))
    session.execute(f"INSERT INTO items (id, n) VALUES {rows}")
    session.execute("INSERT INTO countries (code) VALUES (1), (2)")
    # One shard cannot: its rows are somebody's.
    with session.transaction(), fleet.session() as other:
        session.execute("UPDATE items SET n = 2 WHERE id = 29")
        with pytest.raises(outgrow.OperationalError):
            other.execute("TRUNCATE TABLE items", timeout_seconds=1)
    assert session.execute("SELECT COUNT(*) FROM items").fetchone() == (30,)
    for sql in ("TRUNCATE TABLE items", "TRUNCATE `countries`"):
        result = session.execute(sql)
        assert (result.statusmessage, result.rowcount, result.fields) == ("TRUNCATE", 0, ())
    assert everywhere(session, "SELECT (SELECT COUNT(*) FROM items), COUNT(*) FROM countries") == [[(0, 0)]] * 3


@pytest.mark.parametrize(
    ("sql", "code", "said"),
    [
        ("UPDATE items SET id = id + 1", "OG-PLAN-049", "of the shard key"),
        ("UPDATE items SET id = 5 WHERE id = 4", "OG-PLAN-049", "of the shard key"),
        ("UPDATE items SET n = 1 WHERE id > 0 RETURNING id", "OG-PLAN-049", "RETURNING"),
        ("DELETE FROM items WHERE id IN (SELECT id FROM people)", "OG-PLAN-049", "subquery"),
        ("INSERT IGNORE INTO items (id) VALUES (1)", "OG-PLAN-051", "items"),
        ("INSERT INTO people VALUES ('a', 1, 1) ON DUPLICATE KEY UPDATE n = 2", "OG-PLAN-050", "email"),
        ("REPLACE INTO people VALUES ('a', 1, 1)", "OG-PLAN-050", "email"),
        ("INSERT INTO items (id) VALUES (1) ON DUPLICATE KEY UPDATE id = 2", "OG-PLAN-007", "items"),
        ("INSERT INTO tokens (id) VALUES (1)", "OG-PLAN-049", "uuid()"),
        ("UPDATE tokens SET token = UUID()", "OG-PLAN-019", "UUID"),
        ("UPDATE items SET n = RAND()", "OG-PLAN-019", "RAND"),
        ("TRUNCATE TABLE watched", "OG-PLAN-049", "trigger"),
        ("TRUNCATE TABLE parents", "OG-PLAN-049", "children"),
        ("UPDATE items SET n = 1 LIMIT 3", "OG-PLAN-002", "UPDATE"),
        ("DELETE items FROM items JOIN people USING (id)", "OG-PLAN-002", "DELETE"),
    ],
)
def test_refusals_have_names_and_change_nothing(session, sql, code, said):
    with pytest.raises(outgrow.Error) as caught:
        session.execute(sql)
    assert caught.value.code == code
    assert said in str(caught.value)
