"""MariaDB shards that disagree in every way that is compared: found, and mended until nothing differs."""

from __future__ import annotations

import pytest

from tests import mariadb

#: On the home shard, on the other one, and the kinds that are found; "" where it takes a person.
CASES: dict[str, tuple[list[str], list[str], set[str]]] = {
    "a table": (
        ["CREATE TABLE `o``dd` (id int AUTO_INCREMENT PRIMARY KEY, `a b` text DEFAULT 'it''s, (' COMMENT 'x\\ny')"],
        [],
        {"table"},
    ),
    "a table too many": ([], ["CREATE TABLE extra (id int PRIMARY KEY, u int UNIQUE)"], {"table"}),
    "columns": (
        ["ALTER TABLE t ADD COLUMN a int FIRST, ADD COLUMN b text AFTER id, MODIFY COLUMN n bigint NOT NULL DEFAULT 5"],
        ["ALTER TABLE t ADD COLUMN c int"],
        {"column"},
    ),
    "the order of columns": (["ALTER TABLE t MODIFY COLUMN note varchar(20) FIRST"], [], {"order of columns"}),
    "keys": (
        [
            "CREATE INDEX by_n ON t (n, note(5))",
            "CREATE UNIQUE INDEX un ON t (note, id)",
            "ALTER TABLE t ADD KEY x (n)",
        ],
        ["CREATE INDEX x ON t (note)", "CREATE INDEX y ON t (n)"],
        {"index", "constraint"},
    ),
    "a primary key": (["ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (id, n)"], [], {"column", "constraint"}),
    "constraints": (
        ["ALTER TABLE t ADD CONSTRAINT c CHECK (n > 0), ADD CONSTRAINT p FOREIGN KEY (id) REFERENCES parents (id)"],
        ["ALTER TABLE t ADD CONSTRAINT c CHECK (n > 1)"],
        {"constraint", "foreign key"},
    ),
    "a table that refers to another new one": (
        [
            "CREATE TABLE z (id int PRIMARY KEY)",
            "CREATE TABLE a (id int PRIMARY KEY, FOREIGN KEY (id) REFERENCES z (id) ON DELETE CASCADE)",
        ],
        [],
        {"table", "foreign key"},
    ),
    "options": (["ALTER TABLE t COMMENT = 'it''s', ROW_FORMAT = COMPRESSED"], [], {"table"}),
    "views": (
        ["CREATE VIEW v AS SELECT id, n FROM t WHERE n > 1 WITH CHECK OPTION"],
        ["CREATE VIEW v AS SELECT id FROM t", "CREATE VIEW w AS SELECT 1 AS one"],
        {"view"},
    ),
}


@pytest.fixture
def fleet(mariadb_servers):
    with mariadb_servers.open(
        mariadb_servers.fresh(2, "{t: {shard_by: id}, single: {single: s2}, parents: {copy: everywhere}}")
    ) as opened:
        with opened.session() as session:
            session.execute("CREATE TABLE t (id int PRIMARY KEY, n int, note varchar(20), KEY by_note (note))")
            session.execute("CREATE TABLE parents (id int PRIMARY KEY)")
            session.execute("INSERT INTO parents VALUES (1), (2), (3)")
            session.execute("CREATE TABLE single (id int PRIMARY KEY)", shard="s2")
            session.execute("INSERT INTO t VALUES (1, 2, 'a'), (2, 2, 'b'), (3, 2, 'c')")
        yield opened


def run(servers, fleet, at: int, statements: list[str]) -> None:
    database = mariadb.databases_of(fleet)[at]
    for sql in statements:
        servers.sql(at, sql, database)


@pytest.mark.parametrize("case", CASES)
def test_what_differs_is_found_and_mended(fleet, mariadb_servers, case):
    here, there, kinds = CASES[case]
    assert fleet.compare_schema().differences == ()
    run(mariadb_servers, fleet, 0, here)
    run(mariadb_servers, fleet, 1, there)
    found = fleet.compare_schema()
    assert {one.kind for one in found.differences} == kinds
    assert {one.shard for one in found.differences} == {"s2"}
    fleet.mend_schema(found, allow_drop=True)
    assert fleet.compare_schema().differences == ()
    assert fleet.unfinished_definitions() == ()
    with fleet.session() as session:
        assert session.execute("SELECT COUNT(*) FROM t").fetchall() == [(3,)]


def test_nothing_is_dropped_unless_told(fleet, mariadb_servers):
    run(mariadb_servers, fleet, 1, ["ALTER TABLE t ADD COLUMN c int", "CREATE TABLE extra (id int)"])
    fleet.mend_schema(fleet.compare_schema())
    assert {(one.kind, one.what, one.drops) for one in fleet.compare_schema().differences} == {
        *(("column", "extra", True), ("table", "extra", True)),
    }


def test_what_takes_a_person_is_told(fleet, mariadb_servers):
    run(
        mariadb_servers,
        fleet,
        0,
        [
            "CREATE TRIGGER look BEFORE INSERT ON t FOR EACH ROW SET NEW.n = 1",
            "CREATE FUNCTION two() RETURNS int DETERMINISTIC RETURN 2",
            "CREATE SEQUENCE s",
            "CREATE SQL SECURITY INVOKER VIEW v AS SELECT 1 AS one",
            "CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2",
        ],
    )
    run(mariadb_servers, fleet, 1, ["CREATE TABLE parts (id int PRIMARY KEY)"])
    found = fleet.compare_schema()
    assert sorted(one.kind for one in found.differences) == ["function", "sequence", "table", "trigger", "view"]
    assert all(one.note and not one.statements for one in found.differences)
    assert fleet.mend_schema(found) == ()
